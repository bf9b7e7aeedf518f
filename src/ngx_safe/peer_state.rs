//! What is kept of one upstream request while its peer's callbacks are wrapped.

use std::cell::Cell;
use std::ffi::c_void;

use ngx::ffi::{
    ngx_buf_t, ngx_event_free_peer_pt, ngx_event_get_peer_pt, ngx_event_notify_peer_pt,
    ngx_event_save_peer_session_pt, ngx_event_set_peer_session_pt, ngx_http_request_t,
    ngx_http_upstream_srv_conf_t,
};

/// The wrapper's state of one upstream request, in the request's pool; `peer.data` points at it. All
/// the callbacks that get `peer.data` are wrapped: each would take it for its own.
pub(crate) struct PeerState {
    pub(crate) request: *mut ngx_http_request_t,
    pub(crate) upstream: *mut ngx_http_upstream_srv_conf_t,
    /// The head as nginx serialised it, and the head that took its place.
    pub(crate) plain: *mut ngx_buf_t,
    pub(crate) replaced: *mut ngx_buf_t,
    /// What `picked` has numbered so, until its try has ended.
    pub(crate) number: Cell<Option<usize>>,
    pub(crate) is_retry: bool,
    pub(crate) original_data: *mut c_void,
    pub(crate) original_get: ngx_event_get_peer_pt,
    pub(crate) original_free: ngx_event_free_peer_pt,
    pub(crate) original_notify: ngx_event_notify_peer_pt,
    pub(crate) original_set_session: ngx_event_set_peer_session_pt,
    pub(crate) original_save_session: ngx_event_save_peer_session_pt,
}
