//! A module as this package knows it.

use ngx::ffi::ngx_module_t;

/// A module: what nginx keeps for it at each level of the configuration, and for a request.
///
/// # Safety
/// `descriptor` is a module that nginx loads, with the tables that `http_module` and `module` of this very
/// type make.
pub unsafe trait Module: Sized + 'static {
    type Main: Default + 'static;
    /// The settings of a `server`, and of an `upstream`.
    type Server: Default + 'static;
    type Location: Default + 'static;
    /// The state of a request.
    type Context<'r>: Default;

    fn descriptor() -> &'static ngx_module_t;
}
