//! Whether this process takes what nginx's old binary has left to it.

use ngx::ffi::{ngx_cycle_t, ngx_inherited, ngx_test_config};
use shm::Heir;

use crate::conf::Conf;
use crate::cycle::Cycle;
use crate::module::Module;

impl Conf<'_> {
    /// A new binary is an heir, while it loads its first configuration.
    pub fn heir(self) -> Option<Heir> {
        // SAFETY: the configuration being read has a cycle.
        let cycle = unsafe { (*self.as_ptr()).cycle };
        heir(cycle)
    }
}

impl<M: Module> Cycle<'_, M> {
    /// As `Conf::heir`.
    pub fn heir(self) -> Option<Heir> {
        heir(self.ptr)
    }
}

/// Of a cycle that is about to be loaded, or has just been.
fn heir(cycle: *mut ngx_cycle_t) -> Option<Heir> {
    // SAFETY: the cycle before it is there, if only nginx's first one, which has no configuration.
    let is_first = unsafe { (*(*cycle).old_cycle).conf_ctx.is_null() };
    // SAFETY: nginx's own variables, of this process.
    let may_inherit = unsafe { ngx_inherited != 0 && ngx_test_config == 0 };
    // SAFETY: nginx takes only the listening sockets of what it was started with, and the module
    // opens no zone before it asks here.
    (is_first && may_inherit).then(|| unsafe { Heir::new() })
}
