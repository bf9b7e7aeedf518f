//! What a module decides and hears about the peers of its requests.

use ngx::ffi::{ngx_msec_t, ngx_peer_connection_t};

use crate::bytes;
use crate::head_slot::HeadSlot;
use crate::module::Module;
use crate::request::Request;
use crate::upstream::Upstream;

/// The part of a module in the picks of its requests' peers.
pub trait PeerHooks: Module {
    /// Decides on an upstream request that begins.
    fn starts(request: Request<'_>, upstream: Upstream<'_>) -> Start;

    /// Puts the head to be sent to the picked peer into its slot, unless it wants another peer.
    fn picked<'r>(
        request: Request<'r>,
        pick: &PickedPeer<'r>,
        head: &mut HeadSlot<'_, Self>,
    ) -> Picked;

    /// Tells, once a peer is picked, whether its answer is to be shown to `hears`.
    fn wants_to_hear(request: Request<'_>) -> bool;

    /// Hears an error that a picked peer answers, as far as it is there.
    fn hears(request: Request<'_>, answer: &ErrorBeginning<'_>) -> Again;

    /// Tells what to do now, as long as it says [`Again::Wait`].
    fn waits(request: Request<'_>) -> Again;

    /// Has the failures forgotten by which nginx keeps off the peers that the request wants (`Upstream::forgive`).
    fn forgive(request: Request<'_>, upstream: Upstream<'_>);

    /// Hears that the request fails, since there is no peer left that it wants.
    fn lacks_peer(request: Request<'_>);

    /// Hears that the request fails, since there is no head that could be replaced.
    fn lacks_head(request: Request<'_>);

    /// Hears that a try begins at what `picked` has numbered so.
    fn begins(request: Request<'_>, number: usize, is_retry: bool);

    /// Hears that it has ended.
    fn ended(request: Request<'_>, number: usize, ended: &EndedTry);
}

/// How a try has ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndedTry {
    /// 0 without an answer.
    pub status: u16,
    /// It is a failure in the eyes of `proxy_next_upstream`.
    pub failed: bool,
    /// The milliseconds from its beginning to the end of the answer's head, if that has come.
    pub head_time: Option<u64>,
    /// The bytes that came from the peer and went to it, heads and bodies.
    pub received: u64,
    pub sent: u64,
}

impl EndedTry {
    /// Returns what is known of the request's present try, which ends.
    pub(crate) fn of(request: Request<'_>, failed: bool) -> EndedTry {
        let unknown = EndedTry {
            failed,
            ..EndedTry::default()
        };
        // SAFETY: null, or the upstream of a request in progress.
        let Some(upstream) = (unsafe { request.raw().upstream.as_ref() }) else {
            return unknown;
        };
        // SAFETY: null, or the connection of the present try, which is not closed yet.
        let sent = unsafe { upstream.peer.connection.as_ref() }.map_or(0, |peer| peer.sent);
        // SAFETY: null, or the state of the present try.
        let Some(state) = (unsafe { upstream.state.as_ref() }) else {
            return unknown;
        };
        EndedTry {
            status: u16::try_from(state.status).unwrap_or(0),
            failed,
            head_time: Some(state.header_time)
                .filter(|time| *time != ngx_msec_t::MAX)
                .and_then(|time| time.try_into().ok()),
            received: state.bytes_received.try_into().unwrap_or(0),
            sent: sent.try_into().unwrap_or(0),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// nginx does as it would without the module.
    NotOurs,
    /// The request fails.
    Reject,
    Wrap {
        /// The most peers that can be tried, where there may be fewer than nginx counts: with no peer left to
        /// try it would throw an answer away that the client should have.
        most_tries: Option<usize>,
    },
}

/// What becomes of a pick.
#[derive(Clone, Copy, Debug)]
pub enum Picked {
    /// It is tried; the number says for whom.
    For(usize),
    /// Likewise, and no other origin gets the request once some of it has been sent.
    Only(usize),
    /// The balancer is asked for another one.
    Unwanted,
    /// The request fails.
    Failed,
}

/// The peer that a balancer has picked for a try.
pub struct PickedPeer<'a> {
    pub(crate) upstream: Upstream<'a>,
    pub(crate) peer: &'a ngx_peer_connection_t,
    pub(crate) bound_to: Option<usize>,
}

impl<'a> PickedPeer<'a> {
    pub fn upstream(&self) -> Upstream<'a> {
        self.upstream
    }

    /// Does what `Upstream::with_server_of` says.
    pub fn with_server<T>(&self, select: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        self.upstream.with_server_of(self.peer, select)
    }

    /// Returns the number of the only one that the request may still go to, if it is `Picked::Only`'s and some of it
    /// has been sent there.
    pub fn bound_to(&self) -> Option<usize> {
        self.bound_to
    }

    /// Returns its address, for the log.
    pub fn name(&self) -> &[u8] {
        // SAFETY: null or the name of the picked peer, which lives while it is picked.
        let name = unsafe { self.peer.name.as_ref() };
        // SAFETY: as above.
        name.map_or(b"?", |name| unsafe { bytes(*name) })
    }
}

/// An error that a peer answers, as far as it has arrived.
#[derive(Debug)]
pub struct ErrorBeginning<'a> {
    pub status: u16,
    /// The body, with its framing.
    pub body: &'a [u8],
    /// The length of all of it, where the head says it.
    pub length: Option<u64>,
    pub is_chunked: bool,
}

/// What is to be done with an error that a peer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It is the answer.
    Pass,
    /// More of it must be read, as far as there is room, or else it is the answer.
    More,
    /// `waits` will tell, as far as there is room for a wait, or else it is the answer.
    Wait,
    /// The request is sent to the same server again.
    Try,
}
