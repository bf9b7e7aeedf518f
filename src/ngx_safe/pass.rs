//! Which content handlers pass requests on.

use std::ffi::CStr;
use std::ptr;

use ngx::ffi::{ngx_http_request_t, ngx_int_t};

pub(crate) const PROXY_PASS: &CStr = c"proxy_pass";

pub(crate) type Handler = unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t;

/// The content handler that a directive sets.
pub(crate) struct PassHandler {
    pub(crate) handler: Handler,
    pub(crate) directive: &'static CStr,
    /// Whose directive it is.
    pub(crate) module: &'static CStr,
    pub(crate) speaks_tls: SpeaksTls,
}

/// The way to see whether a location passes its requests on by TLS. nginx keeps the answer to itself, in a word
/// before `proxy_ssl_protocols`; it sets it for a URL with variables too, by which the place is made
/// sure of.
#[derive(Clone, Copy)]
pub(crate) enum SpeaksTls {
    Never,
    /// The offset of the word in the location's configuration.
    Flag(usize),
    Unknown,
}

impl PassHandler {
    pub(crate) fn is(&self, handler: Handler) -> bool {
        ptr::fn_addr_eq(self.handler, handler)
    }
}
