//! What is kept of one upstream request while its peer's callbacks are wrapped.

use std::cell::Cell;
use std::ffi::c_void;

use ngx::ffi::{
    ngx_buf_t, ngx_event_free_peer_pt, ngx_event_get_peer_pt, ngx_event_notify_peer_pt,
    ngx_event_save_peer_session_pt, ngx_event_set_peer_session_pt, ngx_http_request_t,
    ngx_http_upstream_srv_conf_t, ngx_int_t, ngx_peer_connection_t, ngx_uint_t,
};

use crate::shim::shim_give_back;
use crate::{ERROR, OK};

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
    /// Some picks are unwanted.
    pub(crate) is_steered: bool,
    /// What its peers answer is shown to the module.
    pub(crate) is_heard: bool,
    /// How many tries nginx had left, if this one is to be the last once some of it has been sent.
    pub(crate) other_tries: Cell<Option<usize>>,
    /// How many tries were left when the last one had ended, before nginx looked at why.
    pub(crate) tries_left: Cell<usize>,
    /// The number of the origin that has got some of a request which may go to no other one then.
    pub(crate) bound_to: Cell<Option<usize>>,
    /// The same request goes to the same origin again; to whom it was bound before.
    pub(crate) again: Cell<Option<Option<usize>>>,
    pub(crate) balancer: Balancer,
}

/// What nginx would have called, and the data that goes with it.
pub(crate) struct Balancer {
    pub(crate) data: *mut c_void,
    get: ngx_event_get_peer_pt,
    pub(crate) free: ngx_event_free_peer_pt,
    pub(crate) notify: ngx_event_notify_peer_pt,
    pub(crate) set_session: ngx_event_set_peer_session_pt,
    pub(crate) save_session: ngx_event_save_peer_session_pt,
}

impl Balancer {
    pub(crate) fn of(pc: &ngx_peer_connection_t) -> Balancer {
        Balancer {
            data: pc.data,
            get: pc.get,
            free: pc.free,
            notify: pc.notify,
            set_session: pc.set_session,
            save_session: pc.save_session,
        }
    }

    /// # Safety
    /// `pc` is the peer of whose request the balancer is, and none is picked.
    pub(crate) unsafe fn get(&self, pc: *mut ngx_peer_connection_t) -> ngx_int_t {
        match self.get {
            // SAFETY: what nginx would have called, with the data that goes with it.
            Some(get) => unsafe { get(pc, self.data) },
            None => ERROR,
        }
    }

    /// # Safety
    /// A peer of that upstream is picked for the request, of which the balancer is, and has not been used.
    pub(crate) unsafe fn give_back(
        &self,
        r: *mut ngx_http_request_t,
        us: *mut ngx_http_upstream_srv_conf_t,
    ) {
        // SAFETY: what nginx would call once it is done with the peer, with the data that goes with it.
        unsafe { shim_give_back(r, us, self.free, self.data) }
    }
}

/// # Safety
/// nginx calls it for a peer whose data is a `PeerState`.
pub(crate) unsafe extern "C" fn notify_peer(
    pc: *mut ngx_peer_connection_t,
    data: *mut c_void,
    kind: ngx_uint_t,
) {
    // SAFETY: by this function's contract.
    let balancer = unsafe { &(*data.cast::<PeerState>()).balancer };
    if let Some(notify) = balancer.notify {
        // SAFETY: what nginx would have called, with the data that goes with it.
        unsafe { notify(pc, balancer.data, kind) }
    }
}

/// # Safety
/// nginx calls it for a peer whose data is a `PeerState`.
pub(crate) unsafe extern "C" fn set_session(
    pc: *mut ngx_peer_connection_t,
    data: *mut c_void,
) -> ngx_int_t {
    // SAFETY: by this function's contract.
    let balancer = unsafe { &(*data.cast::<PeerState>()).balancer };
    match balancer.set_session {
        // SAFETY: what nginx would have called, with the data that goes with it.
        Some(set_session) => unsafe { set_session(pc, balancer.data) },
        None => OK,
    }
}

/// # Safety
/// nginx calls it for a peer whose data is a `PeerState`.
pub(crate) unsafe extern "C" fn save_session(pc: *mut ngx_peer_connection_t, data: *mut c_void) {
    // SAFETY: by this function's contract.
    let balancer = unsafe { &(*data.cast::<PeerState>()).balancer };
    if let Some(save_session) = balancer.save_session {
        // SAFETY: what nginx would have called, with the data that goes with it.
        unsafe { save_session(pc, balancer.data) }
    }
}
