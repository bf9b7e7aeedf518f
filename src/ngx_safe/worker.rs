//! Tickers: what runs in a worker beside requests, at times of its own.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use ngx::ffi::{
    NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER, ngx_connection_t, ngx_current_msec, ngx_cycle,
    ngx_cycle_t, ngx_event_t, ngx_exiting, ngx_log_t, ngx_process, ngx_random,
};

use crate::cycle::Cycle;
use crate::log::Log;
use crate::module::Module;
use crate::shim::*;
use crate::{guarded, now};

/// A worker that runs a ticker, for the present call:
///
/// ```compile_fail,E0521
/// # use ngx_safe::{module::Module, worker::Worker};
/// # fn keep<T: 'static>(_: T) {}
/// fn tick<M: Module>(worker: Worker<'_, M>) {
///     keep(worker);
/// }
/// ```
pub struct Worker<'w, M> {
    pub(crate) cycle: *mut ngx_cycle_t,
    pub(crate) quiet_log: NonNull<ngx_log_t>,
    life: PhantomData<(&'w (), M)>,
}

impl<M> Clone for Worker<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Worker<'_, M> {}

impl<'w, M: Module> Worker<'w, M> {
    /// # Safety
    /// The worker's cycle and a log of it, for `'w`.
    pub(crate) unsafe fn new(
        cycle: *mut ngx_cycle_t,
        quiet_log: NonNull<ngx_log_t>,
    ) -> Worker<'w, M> {
        Worker {
            cycle,
            quiet_log,
            life: PhantomData,
        }
    }

    /// Returns its configuration.
    pub fn cycle(self) -> Cycle<'w, M> {
        // SAFETY: the worker's cycle, for `'w` (`new`).
        unsafe { Cycle::from_ptr(self.cycle) }
    }

    pub fn log(self) -> Option<Log<'w>> {
        self.cycle().log()
    }
}

/// The present time.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, the same for all workers.
    pub ticks: u64,
    /// Seconds since 1970.
    pub seconds: u64,
}

impl Now {
    pub fn read() -> Now {
        Now {
            // SAFETY: nginx's cached time, of this process.
            ticks: unsafe { ngx_current_msec } as u64,
            seconds: now(),
        }
    }
}

pub fn random() -> u64 {
    ngx_random() as u64
}

/// Draws from the system's random numbers; None where they cannot be had.
pub fn random_bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: there is room for so many.
    let drawn = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    (usize::try_from(drawn) == Ok(N)).then_some(bytes)
}

/// A task that runs again and again, as long as its configuration is in use.
pub trait Ticker: 'static {
    type Module: Module;

    /// Does what is due; tells in how many milliseconds to call again.
    fn tick(self: &Rc<Self>, worker: Worker<'_, Self::Module>) -> u64;

    /// Is called for the last time: the worker is to exit, or (without a master process) has a new
    /// configuration.
    fn retire(&self, worker: Worker<'_, Self::Module>);
}

/// The data of a timer.
struct Ticking<T> {
    ticker: Rc<T>,
    cycle: *mut ngx_cycle_t,
    quiet_log: NonNull<ngx_log_t>,
}

impl<M: Module> Cycle<'_, M> {
    /// Tells whether this process handles requests: nginx starts some for its cache, too.
    pub fn is_worker(self) -> bool {
        // SAFETY: nginx's own variable, of this process.
        let process = unsafe { ngx_process };
        matches!(process as u32, NGX_PROCESS_WORKER | NGX_PROCESS_SINGLE)
    }

    /// Starts a ticker in a worker whose configuration is in use; None elsewhere, or where memory is out.
    pub fn start_ticker<T: Ticker<Module = M>>(self, ticker: T) -> Option<Waker> {
        if !self.is_worker() || !is_in_use(self.ptr) {
            return None;
        }
        // SAFETY: the worker's cycle.
        let quiet_log = NonNull::new(unsafe { shim_quiet_log(self.ptr) })?;
        let ticking = Box::new(Ticking {
            ticker: Rc::new(ticker),
            cycle: self.ptr,
            quiet_log,
        });
        // Never freed: the timer's.
        let data = Box::into_raw(ticking).cast::<c_void>();
        // SAFETY: the worker's cycle, which lives as long as the worker, or is left alone then.
        let timer = unsafe { shim_timer(self.ptr, Some(tick::<T>), data) };
        let timer = NonNull::new(timer)?;
        // SAFETY: a new timer.
        unsafe { shim_add_timer(timer.as_ptr(), 1) };
        Some(Waker(timer))
    }
}

/// Has a ticker called before its time, in its own process.
#[derive(Debug)]
pub struct Waker(NonNull<ngx_event_t>);

impl Waker {
    /// Has the ticker called as soon as the present event is over; not if it has retired.
    pub fn wake(&self) {
        // SAFETY: the ticker's timer, which is in the worker's cycle.
        if unsafe { shim_is_timer_set(self.0.as_ptr()) } != 0 {
            // SAFETY: as above; a later time is replaced.
            unsafe { shim_add_timer_now(self.0.as_ptr()) };
        }
    }
}

unsafe extern "C" fn tick<T: Ticker>(timer: *mut ngx_event_t) {
    // SAFETY: nginx's event, now at its time.
    let connection = unsafe { (*timer).data }.cast::<ngx_connection_t>();
    // SAFETY: the event's connection, which `shim_timer` made.
    let ticking = unsafe { (*connection).data }.cast::<Ticking<T>>();
    // SAFETY: `start_ticker` has put the data there, which is never freed.
    let ticking = unsafe { &*ticking };
    // SAFETY: the worker's own, for this call.
    let worker = unsafe { Worker::new(ticking.cycle, ticking.quiet_log) };
    // SAFETY: nginx's own variable, of this process.
    let is_exiting = unsafe { ngx_exiting } != 0;
    if is_exiting || !is_in_use(ticking.cycle) {
        return guarded((), || ticking.ticker.retire(worker));
    }
    // After a panic, for the next time.
    const LATER: u64 = 1000;
    // Without a master process nginx frees a configuration some time after its last connection.
    const LONGEST: u64 = 10_000;
    let delay = guarded(LATER, || ticking.ticker.tick(worker));
    // SAFETY: the timer is the worker's, and has just fired.
    unsafe { shim_add_timer(timer, delay.clamp(1, LONGEST) as usize) }
}

fn is_in_use(cycle: *mut ngx_cycle_t) -> bool {
    // SAFETY: nginx's own variable, of this process.
    ptr::eq(unsafe { ngx_cycle }, cycle)
}
