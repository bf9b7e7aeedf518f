//! The module as nginx sees it: its tables, and what nginx keeps for it.

use std::cell::OnceCell;
use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::ptr;

use ngx::core::NGX_CONF_ERROR;
use ngx::ffi::{
    NGX_HTTP_MODULE, ngx_command_t, ngx_conf_t, ngx_cycle_t, ngx_http_conf_ctx_t, ngx_http_module,
    ngx_http_module_t, ngx_int_t, ngx_module_t,
};

use crate::conf::Conf;
use crate::level::Level;
use crate::log::Log;
use crate::pass::PassHandler;
use crate::peer::HookedUpstream;
use crate::proxy::ProxyPlaces;
use crate::upstream::{Upstream, UpstreamId};
use crate::workspace::Workspaces;
use crate::{ERROR, OK, guarded};

/// A module: what nginx keeps for it at each level of the configuration, and for a request.
///
/// # Safety
/// `descriptor` is a module that nginx loads, with the tables that `http_module` and `module` of this very
/// type make.
pub unsafe trait Module: Sized + 'static {
    type Main: Default + 'static;
    /// For a `server`, and for an `upstream`.
    type Server: Default + 'static;
    type Location: Default + 'static;
    /// The state of a request.
    type Context<'r>: Default;

    fn descriptor() -> &'static ngx_module_t;
}

/// What a module does with a configuration. Each `Err` is the line that says why nginx must not use it.
pub trait Configure: Module {
    /// Before anything of `http {}` is read.
    fn prepare(cf: Conf<'_>) -> Result<(), String>;

    /// `conf` inherits from `outer`, the level around it.
    fn merge(
        level: &Level<'_, Self>,
        outer: &Self::Location,
        conf: &mut Self::Location,
    ) -> Result<(), String>;

    /// All is read and merged: the time to install what nginx is to call.
    fn complete(cf: &Complete<'_, Self>) -> Result<(), String>;

    /// In the master process: the configuration is about to be used.
    fn take_over(cycle: Cycle<'_, Self>);

    /// A process of nginx's starts, a worker or another; false where that fails.
    fn start(cycle: Cycle<'_, Self>) -> bool;
}

/// What nginx keeps at the main level.
pub(crate) struct MainOf<M: Module> {
    pub(crate) own: M::Main,
    pub(crate) workspaces: Workspaces<M>,
    /// Sorted by upstream; empty until they are hooked.
    pub(crate) hooked: OnceCell<Vec<HookedUpstream>>,
    pub(crate) passes: OnceCell<Vec<PassHandler>>,
    /// Empty where `proxy_*` directives cannot be read.
    pub(crate) proxy: OnceCell<ProxyPlaces>,
}

impl<M: Module> Default for MainOf<M> {
    fn default() -> MainOf<M> {
        MainOf {
            own: M::Main::default(),
            workspaces: Workspaces::default(),
            hooked: OnceCell::new(),
            passes: OnceCell::new(),
            proxy: OnceCell::new(),
        }
    }
}

/// The end of a configuration load: everything has been read and merged.
pub struct Complete<'c, M: Module> {
    conf: Conf<'c>,
    module: PhantomData<M>,
}

impl<'c, M: Module> Complete<'c, M> {
    pub fn conf(&self) -> Conf<'c> {
        self.conf
    }

    pub fn main_conf(&self) -> &'c M::Main {
        self.conf.own_main_conf::<M>()
    }

    pub fn upstreams(&self) -> impl Iterator<Item = Upstream<'c>> {
        self.conf.upstreams()
    }

    pub fn upstream(&self, id: UpstreamId) -> Option<Upstream<'c>> {
        self.conf.upstream(id)
    }
}

/// A configuration that is in use, or about to be.
pub struct Cycle<'c, M> {
    pub(crate) ptr: *mut ngx_cycle_t,
    life: PhantomData<(&'c (), M)>,
}

impl<M> Clone for Cycle<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Cycle<'_, M> {}

impl<'c, M: Module> Cycle<'c, M> {
    /// # Safety
    /// The cycle has read its configuration, and lives for `'c`.
    pub(crate) unsafe fn from_ptr(ptr: *mut ngx_cycle_t) -> Cycle<'c, M> {
        Cycle {
            ptr,
            life: PhantomData,
        }
    }

    /// None where there is no `http {}`.
    pub fn main_conf(self) -> Option<&'c M::Main> {
        let context = self.context()?;
        // SAFETY: the main conf that `create_main_conf` made is at the module's index.
        let main = unsafe { *context.main_conf.add(M::descriptor().ctx_index) };
        // SAFETY: as above.
        let main = unsafe { main.cast::<MainOf<M>>().as_ref() };
        main.map(|main| &main.own)
    }

    pub fn upstream(self, id: UpstreamId) -> Option<Upstream<'c>> {
        // SAFETY: the context of this cycle's `http {}`.
        unsafe { Upstream::by_id(self.context()?, id) }
    }

    pub fn log(self) -> Option<Log<'c>> {
        // SAFETY: a cycle that lives for `'c` (`from_ptr`).
        let log = unsafe { (*self.ptr).log };
        // SAFETY: its log lives as long.
        ptr::NonNull::new(log).map(|log| unsafe { Log::from_ptr(log) })
    }

    fn context(self) -> Option<&'c ngx_http_conf_ctx_t> {
        // SAFETY: a cycle that has read its configuration.
        let all = unsafe { (*self.ptr).conf_ctx };
        // SAFETY: the http module's index, which nginx has set by then.
        let context = unsafe { *all.add(ngx_http_module.index) };
        // SAFETY: the http module's context, or null.
        unsafe { context.cast::<ngx_http_conf_ctx_t>().as_ref() }
    }
}

/// The table of a module of `http`.
pub const fn http_module<M: Configure>() -> ngx_http_module_t {
    ngx_http_module_t {
        preconfiguration: Some(preconfiguration::<M>),
        postconfiguration: Some(postconfiguration::<M>),
        create_main_conf: Some(create_conf::<MainOf<M>>),
        init_main_conf: Some(init_main_conf::<M>),
        create_srv_conf: Some(create_conf::<M::Server>),
        merge_srv_conf: None,
        create_loc_conf: Some(create_conf::<M::Location>),
        merge_loc_conf: Some(merge_loc_conf::<M>),
    }
}

/// The module that nginx loads, of that table and these commands.
pub const fn module<M: Configure>(
    context: &'static ngx_http_module_t,
    commands: *mut ngx_command_t,
) -> ngx_module_t {
    let mut module = ngx_module_t::default();
    module.ctx = ptr::from_ref(context).cast_mut().cast();
    module.commands = commands;
    module.type_ = NGX_HTTP_MODULE as usize;
    module.init_module = Some(init_module::<M>);
    module.init_process = Some(init_process::<M>);
    module
}

unsafe extern "C" fn preconfiguration<M: Configure>(cf: *mut ngx_conf_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx's configuration, for this call.
        let Some(cf) = (unsafe { Conf::from_ptr(cf) }).filter(|cf| cf.layout_fits()) else {
            return ERROR;
        };
        result(cf, M::prepare(cf))
    })
}

unsafe extern "C" fn create_conf<T: Default>(cf: *mut ngx_conf_t) -> *mut c_void {
    guarded(ptr::null_mut(), || {
        // SAFETY: nginx's configuration, for this call.
        let cf = unsafe { Conf::from_ptr(cf) };
        cf.map_or(ptr::null_mut(), |cf| cf.allocate(T::default()))
    })
}

unsafe extern "C" fn init_main_conf<M: Configure>(
    cf: *mut ngx_conf_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(NGX_CONF_ERROR as *mut c_char, || {
        // SAFETY: nginx's configuration, for this call.
        let cf = unsafe { Conf::from_ptr(cf) };
        // SAFETY: the main conf that `create_conf` made.
        let main = unsafe { conf.cast::<MainOf<M>>().as_ref() };
        if let (Some(cf), Some(main)) = (cf, main) {
            let _ = main.passes.set(PassHandler::learn_all(cf));
            if let Some(places) = ProxyPlaces::learn(cf) {
                let _ = main.proxy.set(places);
            }
        }
        ptr::null_mut()
    })
}

unsafe extern "C" fn merge_loc_conf<M: Configure>(
    cf: *mut ngx_conf_t,
    outer: *mut c_void,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(NGX_CONF_ERROR as *mut c_char, || {
        // SAFETY: nginx's configuration, for this call.
        let cf = unsafe { Conf::from_ptr(cf) };
        // SAFETY: a location conf that `create_conf` made.
        let outer = unsafe { outer.cast::<M::Location>().as_ref() };
        // SAFETY: another one, which nothing else refers to while it is merged.
        let conf = unsafe { conf.cast::<M::Location>().as_mut() };
        let (Some(cf), Some(outer), Some(conf)) = (cf, outer, conf) else {
            return NGX_CONF_ERROR as *mut c_char;
        };
        match M::merge(&Level::new(cf), outer, conf) {
            Ok(()) => ptr::null_mut(),
            Err(why) => cf.reject(&why),
        }
    })
}

unsafe extern "C" fn postconfiguration<M: Configure>(cf: *mut ngx_conf_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx's configuration, for this call.
        let Some(conf) = (unsafe { Conf::from_ptr(cf) }) else {
            return ERROR;
        };
        let complete = Complete {
            conf,
            module: PhantomData,
        };
        result(conf, M::complete(&complete))
    })
}

fn result(cf: Conf<'_>, result: Result<(), String>) -> ngx_int_t {
    match result {
        Ok(()) => OK,
        Err(why) => {
            cf.reject(&why);
            ERROR
        }
    }
}

unsafe extern "C" fn init_module<M: Configure>(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx's new cycle, for this call.
        M::take_over(unsafe { Cycle::from_ptr(cycle) });
        OK
    })
}

unsafe extern "C" fn init_process<M: Configure>(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: the cycle of a process that starts, for this call.
        let is_started = M::start(unsafe { Cycle::from_ptr(cycle) });
        if is_started { OK } else { ERROR }
    })
}
