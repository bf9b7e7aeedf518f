//! What runs in a worker beside requests, at times of its own.

use std::ffi::c_void;
use std::rc::Rc;

use ngx::ffi::{
    NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER, ngx_connection_t, ngx_current_msec, ngx_cycle,
    ngx_cycle_t, ngx_event_t, ngx_exiting, ngx_log_t, ngx_process, ngx_random,
};

use super::conf::main_conf;
use super::probe::{self, Call, Outcome};
use super::shim::*;
use super::{guarded, now};
use crate::checks::Checker;

/// This worker, for as long as it runs.
#[derive(Clone, Copy)]
pub(crate) struct Worker {
    cycle: *mut ngx_cycle_t,
    quiet_log: *mut ngx_log_t,
}

impl Worker {
    pub(crate) fn log(self) -> *mut ngx_log_t {
        // SAFETY: the worker's cycle.
        unsafe { (*self.cycle).log }
    }

    /// Asks an origin; see `probe`.
    pub(crate) fn ask(self, call: Call<'_>, done: impl FnOnce(Outcome) + 'static) {
        // SAFETY: in a worker; its log lives as long as it does.
        unsafe { probe::start(call, self.quiet_log, Box::new(done)) }
    }

    /// To be left alone: the worker is to exit, or (without a master process) has a new configuration.
    fn is_over(self) -> bool {
        // SAFETY: nginx's own variables, of this process.
        unsafe { ngx_exiting != 0 || ngx_cycle != self.cycle }
    }
}

/// The present time.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    /// Milliseconds of a clock that never goes back, the same for all workers.
    pub(crate) ticks: u64,
    /// Seconds since 1970.
    pub(crate) seconds: u64,
}

impl Now {
    pub(crate) fn read() -> Now {
        Now {
            // SAFETY: nginx's cached time, of this process.
            ticks: unsafe { ngx_current_msec } as u64,
            seconds: now(),
        }
    }
}

pub(crate) fn random() -> u64 {
    ngx_random() as u64
}

/// Starts what a worker does. nginx calls for its cache manager too, which does nothing here.
///
/// # Safety
/// `cycle` is the worker's.
pub(crate) unsafe fn start(cycle: *mut ngx_cycle_t) -> Option<()> {
    // SAFETY: the configuration lives as long as the worker, or is left alone then (`is_over`).
    unsafe {
        if !matches!(ngx_process as u32, NGX_PROCESS_WORKER | NGX_PROCESS_SINGLE) {
            return Some(());
        }
        let Some(main) = main_conf(cycle) else {
            return Some(());
        };
        if !main.checks.is_needed() {
            return Some(());
        }
        let quiet_log = s3_shim_quiet_log(cycle);
        if quiet_log.is_null() {
            return None;
        }
        let worker = Worker { cycle, quiet_log };
        let checker = Rc::new(Checker::new(main, worker));
        // Never freed: the timer's.
        let data = Rc::into_raw(checker).cast_mut().cast::<c_void>();
        let timer = s3_shim_timer(cycle, Some(tick), data);
        if timer.is_null() {
            return None;
        }
        s3_shim_add_timer(timer, 1);
    }
    Some(())
}

unsafe extern "C" fn tick(timer: *mut ngx_event_t) {
    // SAFETY: `start` has put the checker there.
    let checker = unsafe {
        let data = (*(*timer).data.cast::<ngx_connection_t>()).data;
        Rc::increment_strong_count(data.cast::<Checker>());
        Rc::from_raw(data.cast::<Checker>())
    };
    if checker.worker().is_over() {
        guarded((), || checker.retire());
        return;
    }
    // After a panic, for the next time.
    const LATER: u64 = 1000;
    let delay = guarded(LATER, || checker.tick());
    // SAFETY: the timer is the worker's, and has just fired.
    unsafe { s3_shim_add_timer(timer, delay.max(1) as usize) }
}
