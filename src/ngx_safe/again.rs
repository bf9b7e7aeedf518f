//! One more try of a request at the server that has rejected it (`again.c`).

use ngx::ffi::{ngx_http_request_t, ngx_peer_connection_t, ngx_str_t, ngx_uint_t, off_t, u_char};

use crate::peer_hooks::{Again, EndedTry, ErrorBeginning, PeerHooks};
use crate::peer_state::PeerState;
use crate::request::Request;
use crate::shim::*;
use crate::{OK, bytes, guarded};

impl Again {
    fn number(self) -> ngx_uint_t {
        let number = match self {
            Again::Pass => SHIM_AGAIN_PASS,
            Again::More => SHIM_AGAIN_MORE,
            Again::Wait => SHIM_AGAIN_WAIT,
            Again::Try => SHIM_AGAIN_TRY,
        };
        number as ngx_uint_t
    }
}

/// Has the answer of the try that begins shown to the module; None where memory is out.
pub(crate) fn prepare<M: PeerHooks>(request: Request<'_>, state: &mut PeerState) -> Option<()> {
    state.is_heard = true;
    // SAFETY: a peer is picked for the request, and nothing of an answer has been read.
    let prepared =
        unsafe { shim_again_prepare(request.as_ptr(), Some(hears::<M>), Some(waits::<M>)) };
    (prepared == OK).then_some(())
}

/// Tells whether the try that ends is made once more.
pub(crate) fn is_next(state: &PeerState) -> bool {
    // SAFETY: a request in progress.
    state.is_heard && unsafe { shim_again_is_next(state.request) } != 0
}

unsafe extern "C" fn hears<M: PeerHooks>(
    r: *mut ngx_http_request_t,
    status: ngx_uint_t,
    body: *mut u_char,
    len: usize,
    length: off_t,
    chunked: ngx_uint_t,
) -> ngx_uint_t {
    let said = guarded(Again::Pass, || {
        // SAFETY: a request in progress.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return Again::Pass;
        };
        let body = ngx_str_t { len, data: body };
        let beginning = ErrorBeginning {
            status: u16::try_from(status).unwrap_or(0),
            // SAFETY: what nginx has read, for this call.
            body: unsafe { bytes(body) },
            length: u64::try_from(length).ok(),
            is_chunked: chunked != 0,
        };
        M::hears(request, &beginning)
    });
    said.number()
}

unsafe extern "C" fn waits<M: PeerHooks>(r: *mut ngx_http_request_t) -> ngx_uint_t {
    let said = guarded(Again::Pass, || {
        // SAFETY: a request in progress.
        let request = unsafe { Request::from_ptr(r) };
        request.map_or(Again::Pass, M::waits)
    });
    said.number()
}

/// Gives back a peer that gets the same request again: it has not failed, and that try is one more.
///
/// # Safety
/// `pc` is the peer of the request, of which `wrapped` is.
#[cold]
pub(crate) unsafe fn free_for_again<M: PeerHooks>(
    pc: *mut ngx_peer_connection_t,
    wrapped: &PeerState,
) {
    // SAFETY: nginx's peer.
    let tries = unsafe { (*pc).tries };
    let number = wrapped.number.take();
    if let Some(number) = number {
        guarded((), || {
            // SAFETY: a request in progress.
            let request = unsafe { Request::from_ptr(wrapped.request) };
            if let Some(request) = request {
                M::ended(request, number, &EndedTry::of(request, false));
            }
        });
    }
    if let Some(free) = wrapped.balancer.free {
        // SAFETY: what nginx would have called, with the data that goes with it.
        unsafe { free(pc, wrapped.balancer.data, 0) }
    }
    let tries = wrapped.other_tries.take().unwrap_or(tries).max(1);
    // SAFETY: nginx's peer, which it looks at next.
    unsafe { (*pc).tries = tries };
    wrapped.tries_left.set(tries);
    wrapped.again.set(Some(wrapped.bound_to.get()));
    wrapped.bound_to.set(number.or(wrapped.bound_to.get()));
}
