//! nginx module: S3 under your own domain, with your own credentials.
//!
//! A client's request is verified in the access phase and signed again, with the credentials of the
//! origin that nginx picked, at every try. This file holds what nginx loads.
#![deny(unsafe_code)]

mod client_watch;
mod clients;
mod commands;
mod conf;
mod content;
mod context;
mod error_response;
mod health_checks;
mod hooks;
mod key_sets;
mod log;
mod origin_keys;
mod refresher;
mod renewed;
mod request_view;
mod runtime;
mod services;
mod variables;
mod worker_files;

use std::{process, ptr};

use ngx::ffi::{ngx_http_module_t, ngx_module_t};
use ngx_safe::complete::Complete;
use ngx_safe::configure::Configure;
use ngx_safe::cycle::Cycle;
use ngx_safe::level::Level;
use ngx_safe::log::Log;
use ngx_safe::module::Module;
use ngx_safe::now;

use crate::conf::{LocationConf, UpstreamConf};
use crate::context::Context;
use crate::runtime::Runtime;

/// The module.
pub(crate) struct S3Resign;

static CONTEXT: ngx_http_module_t = ngx_safe::configure::http_module::<S3Resign>();

#[allow(unsafe_code)]
mod loaded {
    //! What nginx looks up by name, and what is known of it.

    use super::*;

    ngx::ngx_modules!(ngx_http_s3_resign_module);

    #[used]
    #[allow(non_upper_case_globals)]
    pub(crate) static mut ngx_http_s3_resign_module: ngx_module_t =
        ngx_safe::configure::module::<S3Resign>(&CONTEXT, (&raw mut commands::COMMANDS).cast());

    // SAFETY: the module above has the tables that were made for this type.
    unsafe impl Module for S3Resign {
        type Main = Runtime;
        type Server = UpstreamConf;
        type Location = LocationConf;
        type Context<'r> = Context<'r>;

        fn descriptor() -> &'static ngx_module_t {
            // SAFETY: nginx writes its numbers before any callback, and not while one runs.
            unsafe { &*ptr::addr_of!(ngx_http_s3_resign_module) }
        }
    }
}

impl Configure for S3Resign {
    fn prepare(cf: ngx_safe::conf::Conf<'_>) -> Result<(), String> {
        cf.watch_max_body_size::<S3Resign>()?;
        variables::register(cf)
    }

    fn merge(
        level: &Level<'_, S3Resign>,
        outer: &LocationConf,
        conf: &mut LocationConf,
    ) -> Result<(), String> {
        conf.merge(outer, level)?;
        if !conf.is_resign() {
            return Ok(());
        }
        level.default_ssl_name(variables::ORIGIN_HOST)?;
        level.obey_no_answer();
        conf.set_cache(level.take_cache(hooks::cache::ZONE_VALUE)?);
        conf.note_transport(level)
    }

    fn complete(cf: &Complete<'_, S3Resign>) -> Result<(), String> {
        hooks::install(cf)?;
        runtime::complete(cf)
    }

    fn take_over(cycle: Cycle<'_, S3Resign>, log: Option<Log<'_>>) {
        shm::close_unused(cycle.heir());
        let Some(main) = cycle.main_conf() else {
            return;
        };
        if let Some(checks) = main.checks() {
            checks.prepare(cycle);
        }
        worker_files::warn_of_unreadable(cycle, main, log);
        main.providers.prepare();
        main.key_sets.prepare();
        if let Some(metrics) = main.metrics() {
            metrics.adopt(now());
        }
    }

    fn start(cycle: Cycle<'_, S3Resign>) -> bool {
        shm::close_on_exec();
        let metrics = cycle.main_conf().and_then(|main| main.metrics());
        if let Some(metrics) = metrics.filter(|_| cycle.is_worker()) {
            metrics.join(process::id());
        }
        refresher::start(cycle, |main| &main.providers).is_some()
            && refresher::start(cycle, |main| &main.key_sets).is_some()
            && health_checks::scheduler::start(cycle).is_some()
            && client_watch::start(cycle).is_some()
    }
}
