//! Threads of a worker's own, for what would take its event loop too long.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread::{self, JoinHandle};

use crate::guarded;

/// How much later than the event loop a thread gets the processor, as `nice` counts: a tenth of its share.
const NICENESS: libc::c_int = 10;

/// A thread beside the event loop. What runs there has no views of nginx, none of which can be sent to a thread.
#[derive(Debug)]
pub struct Background {
    handle: JoinHandle<()>,
}

impl Background {
    /// Starts one. No signal of the process ever comes to it, since nginx expects them on the thread that it has.
    pub fn start(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Background> {
        let mut all = MaybeUninit::uninit();
        // SAFETY: a set to be written to.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: a set that was written to, and one to be written to.
        let masked =
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
        if masked != 0 {
            return Err(io::Error::from_raw_os_error(masked));
        }
        // A new thread has the signal mask of the one that starts it.
        let started = thread::Builder::new().name(name.into()).spawn(|| {
            be_nice();
            guarded((), body);
        });
        // SAFETY: the set that was in use before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
        started.map(|handle| Background { handle })
    }

    /// Tells whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.handle.is_finished()
    }
}

/// Leaves the processor to the event loop. On Linux a thread has a niceness of its own.
fn be_nice() {
    #[cfg(target_os = "linux")]
    // SAFETY: it changes a number of this thread alone.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
    }
}
