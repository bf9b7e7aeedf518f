//! Lists of an upstream's peers, each looked at under its lock.

use std::marker::PhantomData;
use std::ptr::NonNull;

use ngx::ffi::{
    ngx_http_upstream_rr_peer_t, ngx_http_upstream_rr_peers_t, ngx_str_t, ngx_uint_t, sockaddr,
};

use crate::bytes;
use crate::shim::shim_peers_unlock;

/// A round-robin list: of an upstream's servers, or of its backups. `peer.data` of an upstream in use is
/// one, whatever balancer is on top of it.
pub(crate) struct PeerList(NonNull<ngx_http_upstream_rr_peers_t>);

impl PeerList {
    /// # Safety
    /// `ptr` is null, or the first list of an upstream in use.
    pub(crate) unsafe fn from_ptr(ptr: *mut ngx_http_upstream_rr_peers_t) -> Option<PeerList> {
        NonNull::new(ptr).map(PeerList)
    }

    pub(crate) fn lock(
        self,
        lock: unsafe extern "C" fn(*mut ngx_http_upstream_rr_peers_t),
    ) -> LockedPeers {
        // SAFETY: a list of a live configuration.
        unsafe { lock(self.0.as_ptr()) };
        LockedPeers(self)
    }
}

pub(crate) struct LockedPeers(PeerList);

impl LockedPeers {
    fn raw(&self) -> &ngx_http_upstream_rr_peers_t {
        // SAFETY: a list of a live configuration, of which only peers change.
        unsafe { self.0.0.as_ref() }
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer<'_>> {
        let peer = |ptr| Peer {
            ptr,
            life: PhantomData,
        };
        std::iter::successors(NonNull::new(self.raw().peer).map(peer), move |last| {
            // SAFETY: a peer of the list, while it is locked.
            NonNull::new(unsafe { (*last.ptr.as_ptr()).next }).map(peer)
        })
    }

    pub(crate) fn next_list(&self) -> Option<PeerList> {
        NonNull::new(self.raw().next).map(PeerList)
    }
}

impl Drop for LockedPeers {
    fn drop(&mut self) {
        // SAFETY: locked by `PeerList::lock`.
        unsafe { shim_peers_unlock(self.0.0.as_ptr()) }
    }
}

/// A peer, while its list is locked. No reference to it is kept: a list without a zone has no lock, and
/// who is shown a peer may change its upstream's.
#[derive(Clone, Copy)]
pub(crate) struct Peer<'a> {
    ptr: NonNull<ngx_http_upstream_rr_peer_t>,
    life: PhantomData<&'a ()>,
}

impl<'a> Peer<'a> {
    fn raw(&self) -> &ngx_http_upstream_rr_peer_t {
        // SAFETY: a peer of a list that is locked; the reference ends with this call's caller, before
        // anybody is shown the peer.
        unsafe { self.ptr.as_ref() }
    }

    pub(crate) fn server(self) -> &'a [u8] {
        // SAFETY: the peer's text, under the lock.
        unsafe { bytes(self.raw().server) }
    }

    pub(crate) fn name(self) -> &'a [u8] {
        // SAFETY: the peer's text, under the lock.
        unsafe { bytes(self.raw().name) }
    }

    pub(crate) fn name_place(self) -> *const ngx_str_t {
        &raw const self.raw().name
    }

    /// Returns the address as a `sockaddr`; empty without one.
    pub(crate) fn address(self) -> &'a [u8] {
        // SAFETY: the peer's address, under the lock.
        unsafe { address_bytes(self.raw().sockaddr, self.raw().socklen) }
    }

    pub(crate) fn down(self) -> ngx_uint_t {
        self.raw().down
    }
}

/// A peer, while its list is locked for changes.
pub(crate) struct PeerChange<'a>(pub(crate) Peer<'a>);

impl PeerChange<'_> {
    pub(crate) fn set_mark(self, is_marked: bool) {
        let down = self.0.down();
        let down = if is_marked {
            down | MARKED
        } else {
            down & !MARKED
        };
        // SAFETY: a peer of a list that is locked for changes, to which no reference is kept.
        unsafe { (*self.0.ptr.as_ptr()).down = down };
    }

    pub(crate) fn forgive(self) {
        // SAFETY: as in `set_mark`.
        unsafe { (*self.0.ptr.as_ptr()).fails = 0 };
    }
}

/// # Safety
/// `address` is null or has `len` bytes that live for `'a`.
pub(crate) unsafe fn address_bytes<'a>(address: *mut sockaddr, len: u32) -> &'a [u8] {
    if address.is_null() {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(address.cast::<u8>(), len as usize) }
}

/// The bit of a peer's `down` that is the module's; nginx uses those of small numbers, and keeps off a
/// peer with any.
pub(crate) const MARKED: ngx_uint_t = 1 << 16;
