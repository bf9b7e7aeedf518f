//! The tables by which nginx knows a module, and what a module does with a configuration.

use std::ffi::{c_char, c_void};
use std::ptr::{self, NonNull};

use ngx::core::NGX_CONF_ERROR;
use ngx::ffi::{
    NGX_HTTP_MODULE, ngx_command_t, ngx_conf_t, ngx_cycle_t, ngx_http_module_t, ngx_int_t,
    ngx_module_t,
};

use crate::complete::Complete;
use crate::conf::Conf;
use crate::cycle::Cycle;
use crate::level::Level;
use crate::log::Log;
use crate::main_conf::MainOf;
use crate::module::Module;
use crate::pass::PassHandler;
use crate::proxy::ProxyPlaces;
use crate::{ERROR, OK, guarded};

/// The part of a module in reading a configuration. Each `Err` is the line that says why nginx must not use it.
pub trait Configure: Module {
    /// Prepares for a configuration, before anything of `http {}` is read.
    fn prepare(cf: Conf<'_>) -> Result<(), String>;

    /// Has `conf` inherit from `outer`, the level around it.
    fn merge(
        level: &Level<'_, Self>,
        outer: &Self::Location,
        conf: &mut Self::Location,
    ) -> Result<(), String>;

    /// Installs what nginx is to call, when all is read and merged.
    fn complete(cf: &Complete<'_, Self>) -> Result<(), String>;

    /// Hears in the master process that the configuration is about to be used.
    /// `log` is that of what is said of a configuration, as by `nginx -t`.
    fn take_over(cycle: Cycle<'_, Self>, log: Option<Log<'_>>);

    /// Starts what a process of nginx's needs, a worker or another; false where that fails.
    fn start(cycle: Cycle<'_, Self>) -> bool;
}

/// Returns the table of a module of `http`.
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

/// Returns the module that nginx loads, of that table and these commands.
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
        result(conf, M::complete(&Complete::new(conf)))
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
        let new = unsafe { Cycle::from_ptr(cycle) };
        // SAFETY: the cycle before it is there until this call has ended.
        let before = unsafe { (*cycle).old_cycle };
        // SAFETY: as above.
        let log = NonNull::new(unsafe { (*before).log });
        // SAFETY: its log is there, too.
        M::take_over(new, log.map(|log| unsafe { Log::from_ptr(log) }));
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
