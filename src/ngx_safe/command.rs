//! Directives: their places in nginx's table, and how nginx has their lines read.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use ngx::core::NGX_CONF_ERROR;
use ngx::ffi::{
    NGX_DIRECT_CONF, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_SRV_CONF_OFFSET, NGX_MAIN_CONF,
    ngx_command_t, ngx_conf_t, ngx_uint_t,
};

use crate::line::Line;
use crate::module::Module;
use crate::{guarded, str_of};

/// A directive, whose lines are kept in the configuration of the level where they stand.
pub trait Directive<C> {
    /// Keeps a line. `Err` says what to write instead; it is empty where nginx has said what is wrong.
    fn keep(conf: &mut C, line: &mut Line<'_>) -> Result<(), String>;
}

/// Describes a directive of locations and of the levels around them, as `contexts_and_args` says. The
/// contexts are those of `http {}`: elsewhere nginx would hand over another module's settings.
///
/// ```compile_fail,E0080
/// # use ngx_safe::{command::{Directive, location}, line::Line, module::Module};
/// # struct M;
/// # unsafe impl Module for M {
/// #     type Main = ();
/// #     type Server = ();
/// #     type Location = ();
/// #     type Context<'r> = ();
/// #     fn descriptor() -> &'static ngx::ffi::ngx_module_t { loop {} }
/// # }
/// # struct D;
/// # impl Directive<()> for D {
/// #     fn keep(_: &mut (), _: &mut Line<'_>) -> Result<(), String> { Ok(()) }
/// # }
/// const OUTSIDE: ngx::ffi::ngx_command_t = location::<M, D>(c"d", ngx::ffi::NGX_MAIN_CONF);
/// ```
pub const fn location<M: Module, D: Directive<M::Location>>(
    name: &'static CStr,
    contexts_and_args: u32,
) -> ngx_command_t {
    command(
        name,
        contexts_and_args,
        read_line::<M::Location, D>,
        NGX_HTTP_LOC_CONF_OFFSET,
    )
}

/// Describes a directive of an `upstream` or a `server`.
pub const fn server<M: Module, D: Directive<M::Server>>(
    name: &'static CStr,
    contexts_and_args: u32,
) -> ngx_command_t {
    command(
        name,
        contexts_and_args,
        read_line::<M::Server, D>,
        NGX_HTTP_SRV_CONF_OFFSET,
    )
}

pub(crate) type Setter =
    unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

const fn command(
    name: &'static CStr,
    contexts_and_args: u32,
    set: Setter,
    conf: usize,
) -> ngx_command_t {
    assert!(contexts_and_args & (NGX_MAIN_CONF | NGX_DIRECT_CONF) == 0);
    ngx_command_t {
        name: str_of(name),
        type_: contexts_and_args as ngx_uint_t,
        set: Some(set),
        conf,
        offset: 0,
        post: ptr::null_mut(),
    }
}

unsafe extern "C" fn read_line<C, D: Directive<C>>(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(NGX_CONF_ERROR as *mut c_char, || {
        // SAFETY: the line that nginx reads, for this call.
        let line = unsafe { Line::from_ptr(cf) };
        // SAFETY: nginx hands over the configuration of the level that the command names, which
        // `create_conf` made and nothing else refers to while a line is read.
        let conf = unsafe { conf.cast::<C>().as_mut() };
        let (Some(mut line), Some(conf)) = (line, conf) else {
            return NGX_CONF_ERROR as *mut c_char;
        };
        match D::keep(conf, &mut line) {
            Ok(()) => ptr::null_mut(),
            Err(why) => line.conf().reject(&why),
        }
    })
}
