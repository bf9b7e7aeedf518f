//! Whether this process takes what nginx's old binary has left to it.

use ngx::ffi::{ngx_cycle_t, ngx_inherited, ngx_test_config};

use shm::{Heir, Shared, Zone};

use super::conf::Conf;
use crate::log::log_notice;

impl Conf {
    /// A new binary is an heir, while it loads its first configuration.
    pub(crate) fn heir(self) -> Option<Heir> {
        // SAFETY: the configuration being read has a cycle.
        let cycle = unsafe { (*self.as_ptr()).cycle };
        // SAFETY: it is about to be loaded.
        unsafe { heir(cycle) }
    }

    /// Tells the log where an old binary's memory is not used.
    pub(crate) fn note_start<T: Shared>(self, zone: &Zone<T>) {
        if zone.begins_again() {
            log_notice!(
                self.log(),
                "\"{}\" begins again: another version of this module has left it",
                zone.name()
            );
        }
    }
}

/// As `Conf::heir`.
///
/// # Safety
/// `cycle` is about to be loaded, or has just been.
pub(crate) unsafe fn heir(cycle: *mut ngx_cycle_t) -> Option<Heir> {
    // SAFETY: by this function's contract; the cycle before it is there, if only nginx's first one,
    // which has no configuration.
    let is_first = unsafe { (*(*cycle).old_cycle).conf_ctx.is_null() };
    // SAFETY: nginx's own variables, of this process.
    let may_inherit = unsafe { ngx_inherited != 0 && ngx_test_config == 0 };
    // SAFETY: nginx takes only the listening sockets of what it was started with, and the module
    // opens no zone before it asks here.
    (is_first && may_inherit).then(|| unsafe { Heir::new() })
}
