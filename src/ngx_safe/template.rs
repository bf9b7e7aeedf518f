//! Texts with variables.

use std::ptr::NonNull;

use ngx::ffi::ngx_http_complex_value_t;

/// A text with variables, for as long as the configuration that it is kept in.
#[derive(Clone, Debug)]
pub struct Template(NonNull<ngx_http_complex_value_t>);

impl Template {
    /// # Safety
    /// A compiled text of the configuration that the result is kept in.
    pub(crate) unsafe fn from_ptr(ptr: *mut ngx_http_complex_value_t) -> Option<Template> {
        NonNull::new(ptr).map(Template)
    }

    pub(crate) fn as_ptr(&self) -> *mut ngx_http_complex_value_t {
        self.0.as_ptr()
    }
}
