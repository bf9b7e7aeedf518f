//! Picks of peers: every `peer.init` is wrapped, and through it the callbacks of every request that the
//! module takes over, so that each pick, first try or retry, passes through `PeerHooks::picked`.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_PEER_FAILED, ngx_http_request_t, ngx_http_upstream_srv_conf_t, ngx_int_t, ngx_palloc,
    ngx_peer_connection_t, ngx_uint_t,
};

use crate::again::{free_for_again, is_next, prepare};
use crate::complete::Complete;
pub use crate::head_slot::HeadSlot;
pub use crate::peer_hooks::{
    Again, EndedTry, ErrorBeginning, PeerHooks, Picked, PickedPeer, Start,
};
use crate::peer_state::{Balancer, PeerState, notify_peer, save_session, set_session};
use crate::request::Request;
use crate::shim::*;
use crate::upstream::{HookedUpstream, Upstream};
use crate::{BUSY, DONE, ERROR, OK, guarded};

impl<M: PeerHooks> Complete<'_, M> {
    /// Wraps every `peer.init`. To be called once, when every module has set its own.
    pub fn hook_upstreams(&self) -> Result<(), String> {
        let mut hooked: Vec<_> = self
            .upstreams()
            .map(|upstream| HookedUpstream {
                upstream: upstream.as_ptr(),
                // SAFETY: configuration time; `init_peer` calls the original first.
                original_init: unsafe { upstream.replace_init(Some(init_peer::<M>)) },
            })
            .collect();
        hooked.sort_by_key(|hooked| hooked.upstream);
        let main = self.conf().main_of::<M>();
        let set = main.hooked.set(hooked);
        set.map_err(|_| "the upstreams are hooked already".into())
    }
}

unsafe extern "C" fn init_peer<M: PeerHooks>(
    r: *mut ngx_http_request_t,
    us: *mut ngx_http_upstream_srv_conf_t,
) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx calls this for a request in progress.
        let request = unsafe { Request::from_ptr(r) };
        // SAFETY: nginx calls this for an upstream of the request's configuration.
        let upstream = unsafe { Upstream::from_ptr(us) };
        let (Some(request), Some(upstream)) = (request, upstream) else {
            return ERROR;
        };
        if original_init::<M>(request, upstream) != OK {
            return ERROR;
        }
        match M::starts(request, upstream) {
            Start::NotOurs => OK,
            Start::Reject => ERROR,
            // SAFETY: `peer.init` has just set the peer up.
            Start::Wrap { most_tries } => unsafe { wrap::<M>(request, upstream, most_tries) },
        }
    })
}

/// Calls the `peer.init` that nginx would have called: the balancer begins again with the request.
fn original_init<M: PeerHooks>(request: Request<'_>, upstream: Upstream<'_>) -> ngx_int_t {
    let us = upstream.as_ptr();
    let hooked = request.main_of::<M>().hooked.get();
    let original_init = hooked.and_then(|hooked| {
        let place = hooked.binary_search_by_key(&us, |hooked| hooked.upstream);
        hooked.get(place.ok()?)?.original_init
    });
    match original_init {
        // SAFETY: what nginx would have called, for a request in progress.
        Some(original_init) => unsafe { original_init(request.as_ptr(), us) },
        None => ERROR,
    }
}

/// # Safety
/// The `peer.init` of the request has run.
unsafe fn wrap<M: PeerHooks>(
    request: Request<'_>,
    upstream: Upstream<'_>,
    most_tries: Option<usize>,
) -> ngx_int_t {
    let r = request.as_ptr();
    let workspace = request.main().workspace::<M>();
    let slot = workspace.and_then(|workspace| workspace.peer_state.take());
    // SAFETY: the request's pool, which gives memory of C's.
    let memory = slot.or_else(|| NonNull::new(unsafe { ngx_palloc(request.pool(), SIZE) }.cast()));
    let Some(memory) = memory else { return ERROR };
    let upstream_request = request.raw().upstream;
    // SAFETY: by this function's contract the peer is set up, and nothing else refers to it.
    let pc = unsafe { &mut (*upstream_request).peer };
    let state = PeerState {
        request: r,
        upstream: upstream.as_ptr(),
        plain: ptr::null_mut(),
        replaced: ptr::null_mut(),
        number: Cell::new(None),
        is_retry: false,
        is_steered: false,
        is_heard: false,
        other_tries: Cell::new(None),
        tries_left: Cell::new(0),
        bound_to: Cell::new(None),
        again: Cell::new(None),
        balancer: Balancer::of(pc),
    };
    // SAFETY: memory for it, for the rest of the request.
    unsafe { memory.write(state) };
    if let Some(most) = most_tries {
        pc.tries = pc.tries.min(most.max(1));
    }
    take_over::<M>(pc, memory.as_ptr());
    OK
}

/// Puts the module between nginx and the balancer that the state has taken note of.
fn take_over<M: PeerHooks>(pc: &mut ngx_peer_connection_t, state: *mut PeerState) {
    pc.data = state.cast();
    pc.get = Some(get_peer::<M>);
    // Null means "not offered" to nginx: wrap what is there.
    pc.free = pc.free.map(|_| free_peer::<M> as _);
    pc.notify = pc.notify.map(|_| notify_peer as _);
    pc.set_session = pc.set_session.map(|_| set_session as _);
    pc.save_session = pc.save_session.map(|_| save_session as _);
}

const SIZE: usize = size_of::<PeerState>();

unsafe extern "C" fn get_peer<M: PeerHooks>(
    pc: *mut ngx_peer_connection_t,
    data: *mut c_void,
) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: `wrap` has put its state there; nothing else holds a reference to it.
        let state = unsafe { &mut *data.cast::<PeerState>() };
        let is_again = state.again.take();
        if is_again.is_some() {
            // The balancer may have no other one to offer.
            state.is_steered = true;
            // SAFETY: a request in progress, whose further try begins.
            unsafe { shim_again_begins(state.request) };
        }
        // Where a connection that was kept alive has turned out to be closed, nginx counts a further try. With other
        // peers left there is none: the balancer does not offer this one again. nginx would throw the last one's
        // answer away for it.
        if let left @ 1.. = state.tries_left.take() {
            // SAFETY: nginx's peer; the reference ends here.
            let tries = unsafe { &mut (*pc).tries };
            *tries = left.min(*tries);
        }
        // SAFETY: nginx asks for a peer of the balancer that `wrap` has found.
        let picked = unsafe { state.balancer.get(pc) };
        let is_wanted_sought = picked == BUSY && state.is_steered;
        if !is_pick(picked) && !is_wanted_sought {
            return picked;
        }
        // SAFETY: a request in progress.
        let request = unsafe { Request::from_ptr(state.request) };
        // SAFETY: an upstream of its configuration.
        let upstream = unsafe { Upstream::from_ptr(state.upstream) };
        let (Some(request), Some(upstream)) = (request, upstream) else {
            return ERROR;
        };
        let offered = match is_wanted_sought {
            true => Picked::Unwanted,
            // SAFETY: nginx's peer, now picked.
            false => unsafe { offer::<M>(request, upstream, pc, state) },
        };
        let picked = match offered {
            Picked::For(_) | Picked::Only(_) => picked,
            Picked::Failed => ERROR,
            // SAFETY: as above.
            Picked::Unwanted => unsafe { get_wanted::<M>(request, upstream, pc, state, picked) },
        };
        if let Some(bound_to) = is_again {
            state.bound_to.set(bound_to);
        }
        picked
    })
}

/// DONE is a pick too: of a connection kept alive, over which the head goes all the same.
fn is_pick(picked: ngx_int_t) -> bool {
    picked == OK || picked == DONE
}

/// # Safety
/// `pc` is the peer of the request, now picked, of which `state` is.
unsafe fn offer<M: PeerHooks>(
    request: Request<'_>,
    upstream: Upstream<'_>,
    pc: *mut ngx_peer_connection_t,
    state: &mut PeerState,
) -> Picked {
    let pick = PickedPeer {
        upstream,
        // SAFETY: by this function's contract.
        peer: unsafe { &*pc },
        bound_to: state.bound_to.get(),
    };
    let Some(mut head) = HeadSlot::of(request, state) else {
        M::lacks_head(request);
        return Picked::Failed;
    };
    let picked = M::picked(request, &pick, &mut head);
    let (Picked::For(number) | Picked::Only(number)) = picked else {
        return picked;
    };
    // SAFETY: the peer is picked, and what filters the request is known.
    if request.has_client_body() && unsafe { shim_hear_out(request.as_ptr()) } != OK {
        return Picked::Failed;
    }
    if let Picked::Only(_) = picked {
        // nginx passes an answer on, whatever its status, if it has no other try.
        // SAFETY: by this function's contract; the reference of `pick` has ended.
        let tries = unsafe { &mut (*pc).tries };
        state.other_tries.set(Some(std::mem::replace(tries, 1)));
    }
    if (state.is_heard || M::wants_to_hear(request)) && prepare::<M>(request, state).is_none() {
        return Picked::Failed;
    }
    let is_retry = std::mem::replace(&mut state.is_retry, true);
    state.number.set(Some(number));
    M::begins(request, number, is_retry);
    picked
}

/// Gives unwanted picks back and asks the balancer again, until it has a wanted one, or none at all: nginx's
/// own offer each peer once a request, the backups last.
///
/// # Safety
/// `pc` is the peer of the request, of which `state` is. `picked` is what the balancer has said: it has picked
/// one that is unwanted, or has none.
#[cold]
unsafe fn get_wanted<M: PeerHooks>(
    request: Request<'_>,
    upstream: Upstream<'_>,
    pc: *mut ngx_peer_connection_t,
    state: &mut PeerState,
    mut picked: ngx_int_t,
) -> ngx_int_t {
    state.is_steered = true;
    let peers = upstream.peer_count();
    // A balancer written in Lua may offer the same one for ever.
    let mut left = peers;
    // Where a connection that was kept alive has turned out to be closed, nginx counts a further try. It has
    // others in mind, but the wanted peer has not really been tried.
    // SAFETY: nginx's peer.
    let mut may_begin_anew = state.is_retry && unsafe { (*pc).tries } > 0;
    // nginx never keeps off the only peer of an upstream, however often it has failed. To this request a wanted
    // peer is such a one, since it cannot wait at another until `fail_timeout` is over.
    let mut may_forgive = !state.is_retry;
    loop {
        if is_pick(picked) {
            // SAFETY: the peer is picked, and nothing has used it yet.
            unsafe {
                state
                    .balancer
                    .give_back(request.as_ptr(), upstream.as_ptr())
            };
            picked = match left {
                0 => BUSY,
                // SAFETY: no peer is picked now.
                _ => unsafe { state.balancer.get(pc) },
            };
            left = left.saturating_sub(1);
        } else if picked == BUSY && std::mem::take(&mut may_forgive) {
            M::forgive(request, upstream);
            left = peers;
            // SAFETY: no peer is picked.
            picked = unsafe { get_anew::<M>(request, upstream, pc, state) };
        } else if picked == BUSY && std::mem::take(&mut may_begin_anew) {
            left = peers;
            // SAFETY: no peer is picked.
            picked = unsafe { get_anew::<M>(request, upstream, pc, state) };
        } else {
            if picked == BUSY {
                M::lacks_peer(request);
            }
            return picked;
        }
        if is_pick(picked) {
            // SAFETY: now a peer is picked.
            match unsafe { offer::<M>(request, upstream, pc, state) } {
                Picked::For(_) | Picked::Only(_) => return picked,
                Picked::Failed => return ERROR,
                Picked::Unwanted => {}
            }
        }
    }
}

/// Asks the balancer as if nothing had been tried.
///
/// # Safety
/// `pc` is the peer of the request, of which `state` is, and none is picked.
unsafe fn get_anew<M: PeerHooks>(
    request: Request<'_>,
    upstream: Upstream<'_>,
    pc: *mut ngx_peer_connection_t,
    state: &mut PeerState,
) -> ngx_int_t {
    // SAFETY: nginx's peer; the reference ends here.
    let tries = unsafe { (*pc).tries };
    // SAFETY: as above. nginx takes what it finds there for its own.
    unsafe { (*pc).data = ptr::null_mut() };
    let begun = original_init::<M>(request, upstream);
    // SAFETY: nothing else refers to it until `take_over` has returned.
    let peer = unsafe { &mut *pc };
    state.balancer = Balancer::of(peer);
    peer.tries = tries;
    take_over::<M>(peer, state);
    match begun {
        // SAFETY: the balancer has just begun.
        OK => unsafe { state.balancer.get(pc) },
        _ => ERROR,
    }
}

unsafe extern "C" fn free_peer<M: PeerHooks>(
    pc: *mut ngx_peer_connection_t,
    data: *mut c_void,
    state: ngx_uint_t,
) {
    // SAFETY: `wrap` has put its state there.
    let wrapped = unsafe { &*data.cast::<PeerState>() };
    if is_next(wrapped) {
        // SAFETY: by this function's contract.
        return unsafe { free_for_again::<M>(pc, wrapped) };
    }
    let sent_to = guarded(None, || {
        // SAFETY: a request in progress.
        let request = unsafe { Request::from_ptr(wrapped.request) }?;
        let number = wrapped.number.take()?;
        let failed = state & NGX_PEER_FAILED as ngx_uint_t != 0;
        M::ended(request, number, &EndedTry::of(request, failed));
        // SAFETY: a request in progress with an upstream.
        (unsafe { shim_is_request_sent(request.as_ptr()) } != 0).then_some(number)
    });
    if let Some(free) = wrapped.balancer.free {
        // SAFETY: what nginx would have called, with the data that goes with it.
        unsafe { free(pc, wrapped.balancer.data, state) }
    }
    // SAFETY: a request in progress with an upstream, which keeps no connection that has been sent a part.
    unsafe { shim_reset_if_cut(wrapped.request) };
    if let Some(tries) = wrapped.other_tries.take() {
        let left = match sent_to {
            Some(_) => 0,
            None => tries.saturating_sub(1),
        };
        wrapped.bound_to.set(sent_to);
        // SAFETY: nginx's peer, which it looks at next.
        unsafe { (*pc).tries = left };
    }
    // SAFETY: as above.
    wrapped.tries_left.set(unsafe { (*pc).tries });
}
