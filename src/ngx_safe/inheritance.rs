//! Whether this process takes what nginx's old binary has left to it.

use ngx::ffi::{ngx_cycle_t, ngx_inherited, ngx_test_config};
use shm::Heir;

use crate::conf::Conf;
use crate::cycle::Cycle;
use crate::module::Module;

impl Conf<'_> {
    /// Tells whether this process is an heir: a new binary is one while it loads its first configuration.
    pub fn heir(self) -> Option<Heir> {
        // SAFETY: the configuration being read has a cycle.
        heir(unsafe { &*self.raw().cycle })
    }
}

impl<M: Module> Cycle<'_, M> {
    /// Tells what `Conf::heir` does.
    pub fn heir(self) -> Option<Heir> {
        // SAFETY: a cycle that lives for `'_` (`from_ptr`).
        heir(unsafe { &*self.ptr })
    }
}

/// Tells whether the process of a cycle that is about to be loaded, or has just been, is an heir.
fn heir(cycle: &ngx_cycle_t) -> Option<Heir> {
    // SAFETY: the cycle before is there, if only nginx's first one, which has no configuration.
    let before = unsafe { &*cycle.old_cycle };
    let is_first = before.conf_ctx.is_null();
    // SAFETY: nginx's own variable, of this process.
    let has_inherited = unsafe { ngx_inherited } != 0;
    // SAFETY: as above.
    let may_inherit = has_inherited && unsafe { ngx_test_config } == 0;
    // SAFETY: nginx takes only the listening sockets of what it was started with, and the module
    // opens no zone before it asks here.
    (is_first && may_inherit).then(|| unsafe { Heir::new() })
}
