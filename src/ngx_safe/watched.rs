//! A directive of nginx's own whose lines are noted. nginx does not tell a default from the same value in a
//! line once levels are merged.

use std::ffi::{CStr, c_char, c_void};
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use ngx::core::NGX_CONF_ERROR;
use ngx::ffi::{ngx_command_t, ngx_conf_t, ngx_http_core_module, ngx_pool_cleanup_add};

use crate::command::Setter;
use crate::conf::{Conf, OUT_OF_MEMORY};
use crate::guarded;
use crate::module::Module;
use crate::tables::command_named;

const MAX_BODY_SIZE: &CStr = c"client_max_body_size";

/// A location, or a level around it, in which a watched directive may stand.
pub trait Watches {
    /// Notes that `client_max_body_size` stands here.
    fn note_max_body_size(&mut self);
}

/// nginx's own setter, while another one is in its place.
static ORIGINAL: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

impl Conf<'_> {
    /// Has each line of `client_max_body_size` noted in the level where it stands, until the configuration has
    /// been read.
    pub fn watch_max_body_size<M>(self) -> Result<(), String>
    where
        M: Module,
        M::Location: Watches,
    {
        let module = &raw const ngx_http_core_module;
        // SAFETY: a module of nginx's, which nothing changes now.
        let found = command_named(unsafe { &*module }, MAX_BODY_SIZE);
        let found = found.ok_or("nginx has no \"client_max_body_size\"")?;
        let command = ptr::from_ref(found).cast_mut();
        let original = found.set.ok_or("\"client_max_body_size\" has no setter")?;
        // SAFETY: the pool of what is needed while a configuration is read; nginx destroys it afterwards,
        // whatever came of it, before it closes this library.
        let cleanup = unsafe { ngx_pool_cleanup_add(self.raw().temp_pool, 0) };
        let mut cleanup = NonNull::new(cleanup).ok_or(OUT_OF_MEMORY)?;
        // SAFETY: a new cleanup, to be filled in here.
        let cleanup = unsafe { cleanup.as_mut() };
        cleanup.data = command.cast();
        cleanup.handler = Some(put_back);
        ORIGINAL.store(original as *mut (), Relaxed);
        // SAFETY: nginx's table of directives is its own data, and nothing else uses it now.
        unsafe { (*command).set = Some(note::<M>) };
        Ok(())
    }
}

fn original() -> Option<Setter> {
    let original = ORIGINAL.load(Relaxed);
    // SAFETY: null, or what `watch_max_body_size` has put there: a setter.
    unsafe { mem::transmute::<*mut (), Option<Setter>>(original) }
}

unsafe extern "C" fn put_back(command: *mut c_void) {
    let command = command.cast::<ngx_command_t>();
    // SAFETY: the directive in nginx's table; nothing else uses it when a configuration has been read.
    if let Some(command) = unsafe { command.as_mut() } {
        command.set = original();
    }
}

unsafe extern "C" fn note<M>(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char
where
    M: Module,
    M::Location: Watches,
{
    let result = match original() {
        // SAFETY: what nginx would have called.
        Some(set) => unsafe { set(cf, command, conf) },
        None => NGX_CONF_ERROR as *mut c_char,
    };
    if !result.is_null() {
        return result;
    }
    guarded(NGX_CONF_ERROR as *mut c_char, || {
        // SAFETY: the configuration that nginx reads, for this call.
        let Some(cf) = (unsafe { Conf::from_ptr(cf) }) else {
            return NGX_CONF_ERROR as *mut c_char;
        };
        // SAFETY: the directive stands in `http {}` alone; `create_conf` made the settings of that level.
        let own: *mut M::Location = unsafe { cf.location_conf_of(M::descriptor().ctx_index) };
        // SAFETY: nothing else refers to them while a line is read.
        if let Some(own) = unsafe { own.as_mut() } {
            own.note_max_body_size();
        }
        ptr::null_mut()
    })
}
