//! Configuration time: messages, and the places where a module hooks in.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use ngx::core::{NGX_CONF_ERROR, Pool};
use ngx::ffi::{
    NGX_LOG_EMERG, NGX_LOG_WARN, ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_main_conf_t,
    ngx_http_upstream_conf_t, ngx_http_upstream_main_conf_t, ngx_http_variable_t, ngx_module_t,
};

use crate::bytes;
use crate::log::Log;
use crate::main_conf::MainOf;
use crate::module::Module;
use crate::shim::shim_layout_fits;
use crate::tables::{array, core_index, settings_at, upstream_index};
use crate::upstream::{Upstream, UpstreamId};

/// The configuration being read.
///
/// It ends with the callback that it was handed to:
///
/// ```compile_fail,E0521
/// # use ngx_safe::conf::Conf;
/// # fn keep<T: 'static>(_: T) {}
/// fn prepare(cf: Conf<'_>) {
///     keep(cf);
/// }
/// ```
///
/// and what a module keeps at the main level is nobody's to change:
///
/// ```compile_fail,E0308
/// # use ngx_safe::{conf::Conf, module::Module};
/// fn prepare<M: Module>(cf: Conf<'_>) {
///     let main: &mut M::Main = cf.own_main_conf::<M>();
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Conf<'c> {
    ptr: NonNull<ngx_conf_t>,
    life: PhantomData<&'c ()>,
}

impl<'c> Conf<'c> {
    /// # Safety
    /// `cf` is what nginx handed to a callback, which `'c` does not outlive.
    pub(crate) unsafe fn from_ptr(cf: *mut ngx_conf_t) -> Option<Conf<'c>> {
        NonNull::new(cf).map(|ptr| Conf {
            ptr,
            life: PhantomData,
        })
    }

    pub(crate) fn as_ptr(self) -> *mut ngx_conf_t {
        self.ptr.as_ptr()
    }

    pub(crate) fn raw(&self) -> &ngx_conf_t {
        // SAFETY: nginx's configuration (`from_ptr`); the reference ends with this call's caller, before
        // nginx runs again.
        unsafe { self.ptr.as_ref() }
    }

    pub(crate) fn pool(self) -> Pool {
        // SAFETY: the pool of the configuration being read.
        unsafe { Pool::from_ngx_pool(self.raw().pool) }
    }

    pub fn log(self) -> Option<Log<'c>> {
        // SAFETY: the log of the configuration lives as long as it is read.
        NonNull::new(self.raw().log).map(|log| unsafe { Log::from_ptr(log) })
    }

    /// Tells whether the structures of the running nginx are those that this was compiled for; logs the first
    /// that differs.
    pub(crate) fn layout_fits(&self) -> bool {
        // SAFETY: nginx's configuration, before a field of another structure has been used.
        unsafe { shim_layout_fits(self.as_ptr()) != 0 }
    }

    /// Logs why the configuration is rejected.
    ///
    /// `why` is empty where nginx has said it.
    pub(crate) fn reject(self, why: &str) -> *mut c_char {
        if why.is_empty() {
            return NGX_CONF_ERROR as *mut c_char;
        }
        ngx::ngx_conf_log_error!(NGX_LOG_EMERG, self.as_ptr(), "{why}");
        NGX_CONF_ERROR as *mut c_char
    }

    /// Logs what is likely to be a mistake.
    pub fn warn(self, what: &str) {
        ngx::ngx_conf_log_error!(NGX_LOG_WARN, self.as_ptr(), "{what}");
    }

    /// Keeps a value in the configuration's pool, and drops it with that.
    pub(crate) fn allocate<T>(self, value: T) -> *mut c_void {
        self.pool().allocate(value).cast()
    }

    /// Tells whether the variable is used anywhere in the configuration.
    pub fn uses_variable(self, name: &CStr) -> bool {
        // SAFETY: the type of the core's main conf.
        let core: *mut ngx_http_core_main_conf_t = unsafe { self.main_conf_of(core_index()) };
        // SAFETY: nginx has made it, and changes it only when it is called.
        let core = unsafe { &*core };
        // SAFETY: the array of the variables that the configuration refers to.
        let variables: &[ngx_http_variable_t] = unsafe { array(&core.variables) };
        // SAFETY: a variable's name, as long as the configuration.
        variables
            .iter()
            .any(|variable| unsafe { bytes(variable.name) } == name.to_bytes())
    }

    pub fn own_main_conf<M: Module>(self) -> &'c M::Main {
        &self.main_of::<M>().own
    }

    pub(crate) fn main_of<M: Module>(self) -> &'c MainOf<M> {
        // SAFETY: the type of the module's main conf, which `create_conf` made.
        let main = unsafe { self.main_conf_of::<MainOf<M>>(M::descriptor().ctx_index) };
        // SAFETY: it lives as long as the configuration, and nothing holds a mutable reference to it.
        unsafe { &*main }
    }

    pub(crate) fn upstreams(self) -> impl Iterator<Item = Upstream<'c>> {
        (0..).map_while(move |index| self.upstream(UpstreamId(index)))
    }

    pub(crate) fn upstream(self, id: UpstreamId) -> Option<Upstream<'c>> {
        // SAFETY: the main confs of the configuration being read.
        unsafe { Upstream::in_main_confs(self.levels().main_conf, id) }
    }

    pub(crate) fn context(self) -> *mut ngx_http_conf_ctx_t {
        self.raw().ctx.cast()
    }

    /// Returns the settings of all modules, at the levels that are being read.
    pub(crate) fn levels(&self) -> &ngx_http_conf_ctx_t {
        // SAFETY: nginx calls a module of `http` for what is inside `http {}`, where the context is this
        // structure.
        unsafe { &*self.context() }
    }

    /// # Safety
    /// `T` is the type of the main configuration of the module with that index.
    pub(crate) unsafe fn main_conf_of<T>(self, module: usize) -> *mut T {
        // SAFETY: the settings of all modules at that level, of which the index is one.
        unsafe { settings_at(self.levels().main_conf, module) }.cast()
    }

    /// # Safety
    /// `T` is the type of the server configuration of the module with that index.
    pub(crate) unsafe fn server_conf_of<T>(self, module: usize) -> *mut T {
        // SAFETY: the settings of all modules at that level, of which the index is one.
        unsafe { settings_at(self.levels().srv_conf, module) }.cast()
    }

    /// # Safety
    /// `T` is the type of the location configuration of the module with that index.
    pub(crate) unsafe fn location_conf_of<T>(self, module: usize) -> *mut T {
        // SAFETY: the settings of all modules at that level, of which the index is one.
        unsafe { settings_at(self.levels().loc_conf, module) }.cast()
    }

    pub(crate) fn module_named(self, name: &CStr) -> Option<&'c ngx_module_t> {
        // SAFETY: the configuration being read has a cycle.
        let cycle = unsafe { &*self.raw().cycle };
        let mut modules = cycle.modules;
        loop {
            // SAFETY: the cycle's list of modules, of which the last one has not been seen.
            let module = unsafe { *modules };
            // SAFETY: null at the end of the list, or a module, all of which outlive the configuration.
            let module = unsafe { module.as_ref() }?;
            // SAFETY: each module has a name.
            if unsafe { CStr::from_ptr(module.name) } == name {
                return Some(module);
            }
            // SAFETY: not the last one.
            modules = unsafe { modules.add(1) };
        }
    }

    /// Returns the `proxy_*` settings of the location being merged; nginx merges its own modules first.
    pub(crate) fn proxy_conf(self) -> Option<NonNull<ngx_http_upstream_conf_t>> {
        let proxy = self.module_named(c"ngx_http_proxy_module")?;
        // SAFETY: the upstream's settings are the first member of the proxy module's.
        NonNull::new(unsafe { self.location_conf_of::<ngx_http_upstream_conf_t>(proxy.ctx_index) })
    }

    pub(crate) fn upstream_main_conf(self) -> *mut ngx_http_upstream_main_conf_t {
        // SAFETY: the type of that module's main conf.
        unsafe { self.main_conf_of(upstream_index()) }
    }
}

pub(crate) const OUT_OF_MEMORY: &str = "out of memory";
