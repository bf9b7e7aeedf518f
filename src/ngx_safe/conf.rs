//! Configuration time: messages, and the places where a module hooks in.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use ngx::core::{NGX_CONF_ERROR, Pool};
use ngx::ffi::{
    NGX_LOG_EMERG, NGX_LOG_WARN, ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_main_conf_t,
    ngx_http_core_module, ngx_http_upstream_conf_t, ngx_http_upstream_main_conf_t,
    ngx_http_upstream_module, ngx_http_variable_t, ngx_module_t,
};

use crate::bytes;
use crate::log::Log;
use crate::main_conf::MainOf;
use crate::module::Module;
use crate::shim::s3_layout_fits;
use crate::tables::array;
use crate::upstream::{Upstream, UpstreamId};

/// The configuration being read.
///
/// It ends with the callback that it was handed to:
///
/// ```compile_fail
/// fn keep(cf: ngx_safe::conf::Conf<'_>) -> ngx_safe::conf::Conf<'static> {
///     cf
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

    pub fn log(self) -> Option<Log<'c>> {
        // SAFETY: the configuration being read.
        let log = unsafe { (*self.as_ptr()).log };
        // SAFETY: its log lives as long as it is read.
        NonNull::new(log).map(|log| unsafe { Log::from_ptr(log) })
    }

    /// Whether the structures of the running nginx are those that this was compiled for; if not, one
    /// that is not is logged.
    pub(crate) fn layout_fits(&self) -> bool {
        // SAFETY: nginx's configuration, before a field of another structure has been used.
        unsafe { s3_layout_fits(self.as_ptr()) != 0 }
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

    /// A value in the configuration's pool, dropped with it.
    pub(crate) fn allocate<T>(self, value: T) -> *mut c_void {
        // SAFETY: the configuration being read.
        let pool = unsafe { (*self.as_ptr()).pool };
        // SAFETY: its pool.
        let pool = unsafe { Pool::from_ngx_pool(pool) };
        pool.allocate(value).cast()
    }

    /// Is the variable used anywhere in the configuration?
    pub fn uses_variable(self, name: &CStr) -> bool {
        // SAFETY: the core's main conf.
        let core: &ngx_http_core_main_conf_t =
            unsafe { &*self.main_conf_of(&raw const ngx_http_core_module) };
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
        // SAFETY: the main conf that `create_main_conf` made is at the module's index; nothing holds a
        // mutable reference to it.
        unsafe { &*self.main_conf_of::<MainOf<M>>(M::descriptor()) }
    }

    pub(crate) fn upstreams(self) -> impl Iterator<Item = Upstream<'c>> {
        (0..).map_while(move |index| self.upstream(UpstreamId(index)))
    }

    pub(crate) fn upstream(self, id: UpstreamId) -> Option<Upstream<'c>> {
        // SAFETY: inside `http {}` the context is the http module's.
        unsafe { Upstream::by_id(self.context().as_ref()?, id) }
    }

    /// Inside `http {}` only.
    pub(crate) fn context(self) -> *mut ngx_http_conf_ctx_t {
        // SAFETY: the configuration being read.
        unsafe { (*self.as_ptr()).ctx.cast() }
    }

    /// # Safety
    /// `T` is the main configuration of that module.
    pub(crate) unsafe fn main_conf_of<T>(self, module: *const ngx_module_t) -> *mut T {
        // SAFETY: inside `http {}` the context is the http module's; each module has its place.
        unsafe { (*(*self.context()).main_conf.add((*module).ctx_index)).cast() }
    }

    /// # Safety
    /// `T` is the server configuration of that module.
    pub(crate) unsafe fn server_conf_of<T>(self, module: *const ngx_module_t) -> *mut T {
        // SAFETY: as in `main_conf_of`.
        unsafe { (*(*self.context()).srv_conf.add((*module).ctx_index)).cast() }
    }

    /// # Safety
    /// `T` is the location configuration of that module.
    pub(crate) unsafe fn location_conf_of<T>(self, module: *const ngx_module_t) -> *mut T {
        // SAFETY: as in `main_conf_of`.
        unsafe { (*(*self.context()).loc_conf.add((*module).ctx_index)).cast() }
    }

    pub(crate) fn module_named(self, name: &CStr) -> Option<&'c ngx_module_t> {
        // SAFETY: the configuration being read, and its list of modules.
        let mut modules = unsafe { (*(*self.as_ptr()).cycle).modules };
        // SAFETY: the list ends with null.
        while let Some(module) = unsafe { (*modules).as_ref() } {
            // SAFETY: each module has a name.
            if unsafe { CStr::from_ptr(module.name) } == name {
                return Some(module);
            }
            // SAFETY: not the last one.
            modules = unsafe { modules.add(1) };
        }
        None
    }

    /// The `proxy_*` settings of the location being merged; nginx merges its own modules first.
    pub(crate) fn proxy_conf(self) -> Option<NonNull<ngx_http_upstream_conf_t>> {
        let proxy = self.module_named(c"ngx_http_proxy_module")?;
        // SAFETY: the upstream's settings are the first member of the proxy module's.
        NonNull::new(unsafe { self.location_conf_of::<ngx_http_upstream_conf_t>(proxy) })
    }

    pub(crate) fn upstream_main_conf(self) -> *mut ngx_http_upstream_main_conf_t {
        // SAFETY: the main conf of that module.
        unsafe { self.main_conf_of(&raw const ngx_http_upstream_module) }
    }
}

pub(crate) const OUT_OF_MEMORY: &str = "out of memory";
