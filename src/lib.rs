//! nginx module: S3 under your own domain, with your own credentials.
//!
//! A client's request is verified in the access phase and signed anew, with the credentials of the
//! origin that nginx picked, at every try. This file holds what nginx loads: the module's tables and
//! callbacks.

mod checks;
mod commands;
mod conf;
mod context;
mod hooks;
mod log;
mod ngx_safe;
mod reject;
mod status;
mod variables;

use std::ffi::{c_char, c_void};
use std::ptr;

use ngx::core::NGX_CONF_ERROR;
use ngx::ffi::{
    NGX_HTTP_MODULE, ngx_conf_t, ngx_cycle_t, ngx_http_module_t, ngx_http_request_t, ngx_int_t,
    ngx_module_t,
};

use crate::conf::{LocationConf, MainConf, UpstreamConf};
use crate::ngx_safe::conf::{Conf, Level, Phase};
use crate::ngx_safe::request::Request;
use crate::ngx_safe::{ERROR, INTERNAL_SERVER_ERROR, OK, guarded};

static CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(preconfiguration),
    postconfiguration: Some(postconfiguration),
    create_main_conf: Some(create_conf::<MainConf>),
    init_main_conf: Some(init_main_conf),
    create_srv_conf: Some(create_conf::<UpstreamConf>),
    merge_srv_conf: None,
    create_loc_conf: Some(create_conf::<LocationConf>),
    merge_loc_conf: Some(merge_loc_conf),
};

ngx::ngx_modules!(ngx_http_s3_resign_module);

#[used]
#[allow(non_upper_case_globals)]
pub static mut ngx_http_s3_resign_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const CONTEXT).cast_mut().cast(),
    commands: (&raw mut commands::COMMANDS).cast(),
    type_: NGX_HTTP_MODULE as usize,
    init_module: Some(init_module),
    init_process: Some(init_process),
    ..ngx_module_t::default()
};

/// The module as nginx numbered it.
pub(crate) fn module() -> &'static ngx_module_t {
    // SAFETY: nginx writes its numbers before any callback, and not while one runs.
    unsafe { &*ptr::addr_of!(ngx_http_s3_resign_module) }
}

unsafe extern "C" fn preconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx's configuration, for this call.
        let cf = unsafe { Conf::from_ptr(cf) }.filter(|cf| cf.layout_fits());
        let registered = cf.and_then(|cf| {
            variables::register(cf)?;
            cf.add_cache_variable()
        });
        if registered.is_some() { OK } else { ERROR }
    })
}

unsafe extern "C" fn create_conf<T: Default>(cf: *mut ngx_conf_t) -> *mut c_void {
    guarded(ptr::null_mut(), || {
        // SAFETY: nginx's configuration, for this call.
        let cf = unsafe { Conf::from_ptr(cf) };
        cf.map_or(ptr::null_mut(), |cf| cf.allocate(T::default()))
    })
}

unsafe extern "C" fn init_main_conf(cf: *mut ngx_conf_t, conf: *mut c_void) -> *mut c_char {
    guarded(NGX_CONF_ERROR as *mut c_char, || {
        // SAFETY: nginx's configuration, for this call, and the main conf that `create_conf` made.
        let (cf, conf) = unsafe { (Conf::from_ptr(cf), conf.cast::<MainConf>().as_mut()) };
        if let (Some(cf), Some(conf)) = (cf, conf) {
            conf.passes = cf.learn_passes();
            conf.proxy = cf.learn_proxy();
        }
        ptr::null_mut()
    })
}

unsafe extern "C" fn merge_loc_conf(
    cf: *mut ngx_conf_t,
    outer: *mut c_void,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(NGX_CONF_ERROR as *mut c_char, || {
        // SAFETY: nginx's configuration, for this call, and two location confs that `create_conf`
        // made.
        let (Some(cf), Some(outer), Some(conf)) = (unsafe {
            (
                Conf::from_ptr(cf),
                outer.cast::<LocationConf>().as_ref(),
                conf.cast::<LocationConf>().as_mut(),
            )
        }) else {
            return NGX_CONF_ERROR as *mut c_char;
        };
        let level = Level::new(cf);
        let merged = conf.merge(outer, &level).and_then(|()| {
            if !conf.is_resign() {
                return Ok(());
            }
            cf.default_ssl_name()?;
            cf.obey_no_answer();
            conf.set_cache(cf.take_cache()?);
            conf.note_transport(&level)
        });
        match merged {
            Ok(()) => ptr::null_mut(),
            Err(why) => cf.refuse(&why),
        }
    })
}

unsafe extern "C" fn postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx's configuration, for this call.
        let Some(cf) = (unsafe { Conf::from_ptr(cf) }) else {
            return ERROR;
        };
        let added = cf
            .add_handler(Phase::Access, Some(access))
            .and_then(|()| cf.add_handler(Phase::Log, Some(log)));
        if added.is_none() {
            return ERROR;
        }
        cf.note_sign_time();
        ngx_safe::persistence::hook();
        ngx_safe::answer::hook_filters::<hooks::answer_body::Rewriter>();
        ngx_safe::body::hook();
        match cf.hook_upstreams().and_then(|()| status::declare(cf)) {
            Ok(()) => OK,
            Err(why) => {
                cf.refuse(&why);
                ERROR
            }
        }
    })
}

/// What an `s3_healthz` location answers with.
pub(crate) unsafe extern "C" fn healthz(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, in its content phase.
        unsafe { Request::from_ptr(r) }.map_or(INTERNAL_SERVER_ERROR, hooks::healthz::answer)
    })
}

/// A configuration has been loaded, and is taking over.
unsafe extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx's new cycle.
        let main = unsafe {
            shm::close_unused(ngx_safe::inheritance::heir(cycle));
            ngx_safe::conf::main_conf(cycle)
        };
        let Some(main) = main else { return OK };
        main.checks.prepare();
        if let Some(status) = main.status() {
            status.loaded(ngx_safe::now());
        }
        OK
    })
}

/// A worker starts, or another process of nginx's.
unsafe extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    guarded(ERROR, || {
        shm::close_on_exec();
        // SAFETY: the cycle of a process that starts.
        let started = unsafe { ngx_safe::worker::start(cycle) };
        if started.is_some() { OK } else { ERROR }
    })
}

unsafe extern "C" fn access(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, in its access phase.
        unsafe { Request::from_ptr(r) }.map_or(INTERNAL_SERVER_ERROR, hooks::access::access)
    })
}

unsafe extern "C" fn log(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(OK, || {
        // SAFETY: nginx's request, in its log phase.
        if let Some(request) = unsafe { Request::from_ptr(r) } {
            hooks::log::log(request);
        }
        OK
    })
}

/// The content handler of `s3_status`.
pub(crate) unsafe extern "C" fn status(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, in its content phase.
        unsafe { Request::from_ptr(r) }.map_or(INTERNAL_SERVER_ERROR, status::answer)
    })
}
