//! A configuration in use.

use std::marker::PhantomData;
use std::ptr;

use ngx::ffi::{ngx_cycle_t, ngx_http_conf_ctx_t, ngx_http_module};

use crate::log::Log;
use crate::main_conf::MainOf;
use crate::module::Module;
use crate::tables::settings_at;
use crate::upstream::{Upstream, UpstreamId};

/// A configuration that is in use, or about to be, for one call:
///
/// ```compile_fail,E0521
/// # use ngx_safe::{cycle::Cycle, module::Module};
/// # fn keep<T: 'static>(_: T) {}
/// fn start<M: Module>(cycle: Cycle<'_, M>) {
///     keep(cycle);
/// }
/// ```
///
/// What is found through it ends with it:
///
/// ```compile_fail,E0521
/// # use ngx_safe::{cycle::Cycle, module::Module};
/// # fn keep<T: 'static>(_: T) {}
/// fn start<M: Module>(cycle: Cycle<'_, M>) {
///     keep(cycle.main_conf());
/// }
/// ```
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

    /// Returns the module's main configuration; None where there is no `http {}`.
    pub fn main_conf(self) -> Option<&'c M::Main> {
        let context = self.context()?;
        // SAFETY: the main confs of all modules, of which the index is one.
        let main = unsafe { settings_at(context.main_conf, M::descriptor().ctx_index) };
        // SAFETY: the main conf that `create_conf` made.
        let main = unsafe { main.cast::<MainOf<M>>().as_ref() };
        main.map(|main| &main.own)
    }

    pub fn upstream(self, id: UpstreamId) -> Option<Upstream<'c>> {
        let context = self.context()?;
        // SAFETY: the main confs of this cycle's `http {}`.
        unsafe { Upstream::in_main_confs(context.main_conf, id) }
    }

    pub fn log(self) -> Option<Log<'c>> {
        // SAFETY: a cycle that lives for `'c` (`from_ptr`).
        let log = unsafe { (*self.ptr).log };
        // SAFETY: its log lives as long.
        ptr::NonNull::new(log).map(|log| unsafe { Log::from_ptr(log) })
    }

    fn context(self) -> Option<&'c ngx_http_conf_ctx_t> {
        // SAFETY: a cycle that has read its configuration (`from_ptr`).
        let all = unsafe { (*self.ptr).conf_ctx };
        // SAFETY: nginx has numbered its modules by then.
        let index = unsafe { ngx_http_module.index };
        // SAFETY: the configurations of all modules, of which the index is one.
        let context = unsafe { settings_at(all.cast(), index) };
        // SAFETY: the http module's context, or null.
        unsafe { context.cast::<ngx_http_conf_ctx_t>().as_ref() }
    }
}
