//! The last of the module's header filters: how much of the client's body has been read when its
//! answer is sent, and whether the connection is closed then.

use ngx::ffi::{
    ngx_http_output_header_filter_pt, ngx_http_request_t, ngx_http_top_header_filter, ngx_int_t,
};

use super::request::Request;
use super::shim::*;
use super::{ERROR, OK, guarded};
use crate::hooks;

/// Set at each configuration load, before workers run.
static mut NEXT: ngx_http_output_header_filter_pt = None;

/// Puts ours in front of nginx's header filters. To be called once a configuration load, before other
/// header filters of the module are put in front of it: it has to see their answers too.
pub(crate) fn hook() {
    // SAFETY: configuration time: nothing else runs.
    unsafe {
        NEXT = ngx_http_top_header_filter;
        ngx_http_top_header_filter = Some(filter);
    }
}

unsafe extern "C" fn filter(r: *mut ngx_http_request_t) -> ngx_int_t {
    let decided = guarded(None, || {
        // SAFETY: nginx's request, whose answer is ready to be sent.
        unsafe { Request::from_ptr(r) }.map(hooks::persistence::decide)
    });
    if decided.is_none() {
        return ERROR;
    }
    // SAFETY: what nginx would have called.
    unsafe { NEXT.map_or(OK, |filter| filter(r)) }
}

impl Request<'_> {
    /// Whether a part of the body that it announced is still to be read from the connection. Never over
    /// HTTP/2 and HTTP/3, where each request has a stream of its own.
    pub(crate) fn has_unread_body(self) -> bool {
        // SAFETY: looks at a request in progress.
        unsafe { s3_shim_has_unread_body(self.as_ptr()) != 0 }
    }

    /// Whether nginx reads the rest of the body, and drops it.
    pub(crate) fn is_discarding_body(self) -> bool {
        // SAFETY: reads a bit of a request in progress.
        unsafe { s3_shim_is_discarding(self.as_ptr()) != 0 }
    }

    /// Whether the client may still wait for a `100 Continue` before it sends the body, which it
    /// withholds once it has the answer.
    pub(crate) fn awaits_continue(self) -> bool {
        // SAFETY: looks at a request in progress, which has a connection.
        unsafe { s3_shim_awaits_continue(self.as_ptr()) != 0 }
    }

    /// From a header filter: has the connection closed once the answer is sent. What the client sends by
    /// then is read and dropped for a while, so that it can read the answer.
    pub(crate) fn close_after_answer(self) {
        // SAFETY: a main request in progress, whose answer's head has not been sent.
        unsafe { s3_shim_close_after_answer(self.as_ptr()) }
    }
}
