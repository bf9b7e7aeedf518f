//! Upstreams: every `peer.init` is wrapped, and through it the callbacks of every request that is to
//! be signed, so that each pick of a peer, first try or retry, passes through `hooks::peer::picked`.

use std::cell::Cell;
use std::ffi::c_void;
use std::ops::ControlFlow;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_HTTP_UPSTREAM_CREATE, NGX_PEER_FAILED, ngx_buf_t, ngx_event_free_peer_pt,
    ngx_event_get_peer_pt, ngx_event_notify_peer_pt, ngx_event_save_peer_session_pt,
    ngx_event_set_peer_session_pt, ngx_http_request_t, ngx_http_upstream_init_peer_pt,
    ngx_http_upstream_rr_peer_t, ngx_http_upstream_rr_peers_t, ngx_http_upstream_server_t,
    ngx_http_upstream_srv_conf_t, ngx_int_t, ngx_palloc, ngx_peer_connection_t, ngx_uint_t,
};

use super::conf::array;
use super::output::{self, Outgoing};
use super::request::Request;
use super::shim::*;
use super::workspace::HEAD;
use super::{DONE, ERROR, OK, bytes, guarded};
use crate::conf::UpstreamConf;
use crate::hooks::peer;
use crate::log::log_error;
use crate::module;

/// An upstream of the configuration, explicit (`upstream {}`) or implicit (a `proxy_pass` to a host).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Upstream(NonNull<ngx_http_upstream_srv_conf_t>);

/// A wrapped `peer.init`.
pub(crate) struct Hooked {
    upstream: Upstream,
    original_init: ngx_http_upstream_init_peer_pt,
}

impl Upstream {
    /// # Safety
    /// `ptr` is an upstream of a configuration that outlives every use of the result.
    pub(super) unsafe fn from_ptr(ptr: *mut ngx_http_upstream_srv_conf_t) -> Option<Upstream> {
        NonNull::new(ptr).map(Upstream)
    }

    /// This module's configuration of an explicit upstream.
    pub(crate) fn conf<'c>(self) -> Option<&'c UpstreamConf> {
        // SAFETY: the configuration outlives requests, and does not change while there are any.
        self.conf_ptr().map(|conf| unsafe { conf.as_ref() })
    }

    /// At configuration time, when nothing else holds a reference to it.
    pub(crate) fn conf_mut<'c>(self) -> Option<&'c mut UpstreamConf> {
        // SAFETY: by what is said above.
        self.conf_ptr().map(|mut conf| unsafe { conf.as_mut() })
    }

    pub(crate) fn has_origin_lines(self) -> bool {
        self.conf().is_some_and(|conf| !conf.lines.is_empty())
    }

    fn conf_ptr(self) -> Option<NonNull<UpstreamConf>> {
        // SAFETY: an upstream of the live configuration (`from_ptr`); `srv_conf` is null for an
        // implicit one, else it has this module's conf.
        unsafe {
            let us = self.0.as_ref();
            if us.flags & NGX_HTTP_UPSTREAM_CREATE as ngx_uint_t == 0 || us.srv_conf.is_null() {
                return None;
            }
            NonNull::new((*us.srv_conf.add(module().ctx_index)).cast())
        }
    }

    /// The texts of its `server` lines.
    pub(crate) fn servers<'c>(self) -> Vec<&'c [u8]> {
        // SAFETY: a server's text is the configuration's.
        let name = |server: &ngx_http_upstream_server_t| unsafe { bytes(server.name) };
        self.server_lines().iter().map(name).collect()
    }

    /// The texts of those whose port is not left to the name servers (`service=`).
    pub(crate) fn servers_by_port<'c>(self) -> Vec<&'c [u8]> {
        // SAFETY: a server of the configuration, and its text.
        let name = |server: &ngx_http_upstream_server_t| unsafe {
            (s3_shim_has_service(server) == 0).then(|| bytes(server.name))
        };
        self.server_lines().iter().filter_map(name).collect()
    }

    fn server_lines<'c>(self) -> &'c [ngx_http_upstream_server_t] {
        // SAFETY: `servers` is null or an array of servers of the configuration.
        unsafe {
            match self.0.as_ref().servers.as_ref() {
                Some(servers) => array(servers),
                None => &[],
            }
        }
    }

    /// `upstream NAME`, or the host of an implicit one.
    pub(crate) fn name(&self) -> &[u8] {
        // SAFETY: as in `conf`.
        unsafe { bytes(self.0.as_ref().host) }
    }

    /// The port that an implicit upstream names.
    pub(crate) fn port(&self) -> u16 {
        // SAFETY: as in `conf`.
        unsafe { self.0.as_ref().port }
    }

    /// Wraps `peer.init`. To be called once, when every module has set its own.
    pub(super) fn hook(self) -> Hooked {
        // SAFETY: configuration time: nothing else touches the upstream.
        let original_init = unsafe { (*self.0.as_ptr()).peer.init.replace(init_peer) };
        Hooked {
            upstream: self,
            original_init,
        }
    }

    /// Hands `select` the text of the `server` line of the peer that a balancer has picked: found by
    /// the name that nginx's balancers point to, else by the address, for balancers that make up
    /// peers.
    fn with_server_of<T>(
        self,
        picked: &ngx_peer_connection_t,
        select: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let by_name = self.find_peer(|p| ptr::eq(&raw const p.name, picked.name), &select);
        if by_name.is_some() {
            return by_name;
        }
        // SAFETY: a picked peer's address has the length that goes with it.
        let address = unsafe { address_bytes(picked.sockaddr, picked.socklen) }?;
        // SAFETY: likewise.
        self.find_peer(
            |p| unsafe { address_bytes(p.sockaddr, p.socklen) } == Some(address),
            &select,
        )
    }

    /// Whether all workers share what is known of its peers.
    pub(crate) fn has_zone(self) -> bool {
        // SAFETY: as in `conf`.
        unsafe { s3_shim_has_zone(self.0.as_ptr()) != 0 }
    }

    /// Copies the peers, as many as `room` has capacity for. `origin_of` tells where the server with
    /// a text is to be found; one that has no such place is left out.
    pub(crate) fn copy_peers(
        self,
        room: &mut Vec<Peer>,
        origin_of: impl Fn(&[u8]) -> Option<usize>,
    ) {
        room.clear();
        self.visit(Lock::Read, |peer| {
            // SAFETY: a peer's texts and its address, under the lock.
            let (server, name, address) = unsafe { texts(peer) };
            if room.len() < room.capacity()
                && let Some(origin) = origin_of(server)
                && let (Some(name), Some(address)) = (Short::new(name), Short::new(address))
            {
                room.push(Peer {
                    origin,
                    name,
                    address,
                    down: peer.down,
                });
            }
        });
    }

    /// How many addresses its servers have.
    pub(crate) fn peer_count(self) -> usize {
        self.count(|_| true)
    }

    /// How many peers there are to try.
    fn in_use(self) -> usize {
        self.count(|peer| peer.down == 0)
    }

    fn count(self, is_one: impl Fn(&ngx_http_upstream_rr_peer_t) -> bool) -> usize {
        let mut count = 0;
        self.visit(Lock::Read, |peer| count += usize::from(is_one(peer)));
        count
    }

    /// Whether `is_it` says so, by server and address, of any peer that the configuration does not
    /// switch off.
    pub(crate) fn any_peer_in_use(self, is_it: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        self.count(|peer| {
            // SAFETY: as in `copy_peers`.
            let (server, _, address) = unsafe { texts(peer) };
            peer.down & !MARKED == 0 && is_it(server, address)
        }) > 0
    }

    /// Marks the peers that `is_down`, by server and address, and takes the mark from the others: no
    /// worker picks a marked one. `down` of the configuration stays.
    pub(crate) fn mark(self, is_down: impl Fn(&[u8], &[u8]) -> bool) {
        self.visit(Lock::Write, |peer| {
            // SAFETY: as in `copy_peers`.
            let (server, _, address) = unsafe { texts(peer) };
            match is_down(server, address) {
                true => peer.down |= MARKED,
                false => peer.down &= !MARKED,
            }
        });
    }

    /// Forgets the failures by which nginx itself keeps off the peers that `is_it` names.
    pub(crate) fn forgive(self, is_it: impl Fn(&[u8], &[u8]) -> bool) {
        self.visit(Lock::Write, |peer| {
            // SAFETY: as in `copy_peers`.
            let (server, _, address) = unsafe { texts(peer) };
            if is_it(server, address) {
                peer.fails = 0;
            }
        });
    }

    fn find_peer<T>(
        self,
        is_it: impl Fn(&ngx_http_upstream_rr_peer_t) -> bool,
        select: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let mut selected = None;
        self.walk(Lock::Read, |peer| {
            if !is_it(peer) {
                return ControlFlow::Continue(());
            }
            // SAFETY: a peer's text, under the lock.
            selected = select(unsafe { bytes(peer.server) });
            match selected {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        });
        selected
    }

    /// Shows `look` each peer.
    fn visit(self, lock: Lock, mut look: impl FnMut(&mut ngx_http_upstream_rr_peer_t)) {
        self.walk(lock, |peer| {
            look(peer);
            ControlFlow::Continue(())
        });
    }

    /// Shows `look` the peers, the backups last, until it breaks off. While the lock is held nothing
    /// may be allocated, since a worker that dies of it would leave the lock behind.
    fn walk(
        self,
        lock: Lock,
        mut look: impl FnMut(&mut ngx_http_upstream_rr_peer_t) -> ControlFlow<()>,
    ) {
        struct Unlock(*mut ngx_http_upstream_rr_peers_t);
        impl Drop for Unlock {
            fn drop(&mut self) {
                // SAFETY: locked below.
                unsafe { s3_shim_peers_unlock(self.0) }
            }
        }

        // SAFETY: `peer.data` of an upstream in use is the round-robin list, whatever balancer is on
        // top of it; that list is read under its lock, and what changes does so under the write lock.
        unsafe {
            let mut peers: *mut ngx_http_upstream_rr_peers_t = self.0.as_ref().peer.data.cast();
            while !peers.is_null() {
                match lock {
                    Lock::Read => s3_shim_peers_rlock(peers),
                    Lock::Write => s3_shim_peers_wlock(peers),
                }
                let _unlock = Unlock(peers);
                let mut peer = (*peers).peer;
                while let Some(found) = peer.as_mut() {
                    if look(found).is_break() {
                        return;
                    }
                    peer = found.next;
                }
                peers = (*peers).next;
            }
        }
    }
}

/// The bit of a peer's `down` that is ours; nginx uses those of small numbers, and keeps off a peer
/// with any.
const MARKED: ngx_uint_t = 1 << 16;

#[derive(Clone, Copy)]
enum Lock {
    Read,
    Write,
}

/// A copy of a peer.
pub(crate) struct Peer {
    origin: usize,
    name: Short,
    address: Short,
    down: ngx_uint_t,
}

impl Peer {
    /// What `origin_of` said of its server.
    pub(crate) fn origin(&self) -> usize {
        self.origin
    }

    /// The address as text.
    pub(crate) fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    /// The address as a `sockaddr`.
    pub(crate) fn address(&self) -> &[u8] {
        self.address.as_bytes()
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.down & MARKED != 0
    }

    /// By the configuration.
    pub(crate) fn is_switched_off(&self) -> bool {
        self.down & !MARKED != 0
    }
}

/// A few bytes, copied without a need for memory.
struct Short {
    len: usize,
    bytes: [u8; Short::MAX],
}

impl Short {
    /// Enough for any address, a socket's path included.
    const MAX: usize = 128;

    fn new(bytes: &[u8]) -> Option<Short> {
        let mut short = Short {
            len: bytes.len(),
            bytes: [0; Short::MAX],
        };
        short.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(short)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A peer's server, name and address.
///
/// # Safety
/// The peers are locked for as long as the result is used.
unsafe fn texts(peer: &ngx_http_upstream_rr_peer_t) -> (&[u8], &[u8], &[u8]) {
    // SAFETY: by this function's contract.
    unsafe {
        let address = address_bytes(peer.sockaddr, peer.socklen).unwrap_or_default();
        (bytes(peer.server), bytes(peer.name), address)
    }
}

impl Hooked {
    pub(crate) fn upstream(&self) -> Upstream {
        self.upstream
    }
}

/// # Safety
/// `address` is null or has `len` bytes that live for `'a`.
unsafe fn address_bytes<'a>(address: *mut ngx::ffi::sockaddr, len: u32) -> Option<&'a [u8]> {
    if address.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    Some(unsafe { std::slice::from_raw_parts(address.cast::<u8>(), len as usize) })
}

/// The wrapper's state of one upstream request, in the request's pool; `peer.data` points at it. All
/// the callbacks that get `peer.data` are wrapped: each would take it for its own.
pub(super) struct Wrapped {
    request: *mut ngx_http_request_t,
    upstream: Upstream,
    /// The head as nginx serialised it, and the signed one that took its place.
    plain: *mut ngx_buf_t,
    signed: *mut ngx_buf_t,
    /// The number of the origin picked, until its try has ended.
    origin: Cell<Option<usize>>,
    is_retry: bool,
    original_data: *mut c_void,
    original_get: ngx_event_get_peer_pt,
    original_free: ngx_event_free_peer_pt,
    original_notify: ngx_event_notify_peer_pt,
    original_set_session: ngx_event_set_peer_session_pt,
    original_save_session: ngx_event_save_peer_session_pt,
}

unsafe extern "C" fn init_peer(
    r: *mut ngx_http_request_t,
    us: *mut ngx_http_upstream_srv_conf_t,
) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx calls this for a request in progress.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return ERROR;
        };
        let hooked = &request.main_conf().upstreams;
        // SAFETY: an upstream of the request's configuration.
        let Some(upstream) = (unsafe { Upstream::from_ptr(us) }) else {
            return ERROR;
        };
        let Ok(found) = hooked.binary_search_by_key(&upstream, |h| h.upstream) else {
            return ERROR;
        };
        let Some(original_init) = hooked[found].original_init else {
            return ERROR;
        };
        // SAFETY: what nginx would have called.
        if unsafe { original_init(r, us) } != OK {
            return ERROR;
        }
        match peer::starts(request, upstream) {
            peer::Start::NotOurs => OK,
            peer::Start::Refuse => ERROR,
            // SAFETY: `peer.init` has just set the peer up.
            peer::Start::Sign => unsafe { wrap(request, upstream) },
        }
    })
}

/// # Safety
/// Of a request whose `peer.init` has run.
unsafe fn wrap(request: Request<'_>, upstream: Upstream) -> ngx_int_t {
    let r = request.as_ptr();
    let workspace = request.main().workspace();
    // SAFETY: by this function's contract `r->upstream->peer` is set up.
    unsafe {
        let pc = &mut (*(*r).upstream).peer;
        let memory = workspace
            .and_then(|workspace| workspace.wrapped.take())
            .or_else(|| NonNull::new(ngx_palloc((*r).pool, size_of::<Wrapped>()).cast()));
        let Some(wrapped) = memory else { return ERROR };
        wrapped.write(Wrapped {
            request: r,
            upstream,
            plain: ptr::null_mut(),
            signed: ptr::null_mut(),
            origin: Cell::new(None),
            is_retry: false,
            original_data: pc.data,
            original_get: pc.get.replace(get_peer),
            original_free: pc.free,
            original_notify: pc.notify,
            original_set_session: pc.set_session,
            original_save_session: pc.save_session,
        });
        pc.data = wrapped.as_ptr().cast();
        // nginx counts the peers that checks have taken out of use too; with nobody left to try it
        // would throw an answer away that the client should have.
        if upstream.conf().is_some_and(|conf| conf.health.is_some()) {
            pc.tries = pc.tries.min(upstream.in_use().max(1));
        }
        // Null means "not offered" to nginx: wrap what is there.
        pc.free = pc.free.map(|_| free_peer as _);
        pc.notify = pc.notify.map(|_| notify_peer as _);
        pc.set_session = pc.set_session.map(|_| set_session as _);
        pc.save_session = pc.save_session.map(|_| save_session as _);
    }
    OK
}

unsafe extern "C" fn get_peer(pc: *mut ngx_peer_connection_t, data: *mut c_void) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: `wrap` has put its state there; nothing else holds a reference to it.
        let wrapped = unsafe { &mut *data.cast::<Wrapped>() };
        let Some(original_get) = wrapped.original_get else {
            return ERROR;
        };
        // SAFETY: what nginx would have called, with the data that goes with it.
        let picked = unsafe { original_get(pc, wrapped.original_data) };
        // DONE is a pick too: of a connection kept alive, over which the head goes all the same.
        if picked != OK && picked != DONE {
            return picked;
        }
        // SAFETY: nginx's peer, now picked, of a request in progress.
        let (peer, request) = unsafe { (&*pc, Request::from_ptr(wrapped.request)) };
        let Some(request) = request else { return ERROR };
        let pick = Pick {
            upstream: wrapped.upstream,
            peer,
        };
        let Some(mut head) = wrapped.head_slot() else {
            log_error!(
                request.log(),
                "not forwarded: there is no request head to sign"
            );
            return ERROR;
        };
        match peer::picked(request, &pick, &mut head) {
            Some(origin) => {
                let is_retry = std::mem::replace(&mut wrapped.is_retry, true);
                wrapped.origin.set(Some(origin.id));
                peer::begins(request, is_retry);
                picked
            }
            None => ERROR,
        }
    })
}

/// The peer that a balancer has picked for a try.
pub(crate) struct Pick<'a> {
    upstream: Upstream,
    peer: &'a ngx_peer_connection_t,
}

impl Pick<'_> {
    pub(crate) fn upstream(&self) -> Upstream {
        self.upstream
    }

    /// See `Upstream::with_server_of`.
    pub(crate) fn with_server<T>(&self, select: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        self.upstream.with_server_of(self.peer, select)
    }

    /// Its address, for the log.
    pub(crate) fn name(&self) -> &[u8] {
        // SAFETY: null or the name of the picked peer, which lives while it is picked.
        unsafe { self.peer.name.as_ref().map_or(b"?", |name| bytes(*name)) }
    }
}

impl Wrapped {
    /// The head to be sent at this try: a new one where nginx has serialised the request anew, else
    /// the one of the last try, whose plain bytes are still there.
    fn head_slot(&mut self) -> Option<HeadSlot<'_>> {
        // SAFETY: a request in progress with an upstream; `create_request` has made the first buffer
        // of the chain, the head, in memory.
        unsafe {
            let link = (*(*self.request).upstream).request_bufs;
            if link.is_null() || (*link).buf.is_null() {
                return None;
            }
            if (*link).buf != self.signed {
                self.plain = (*link).buf;
            }
            let plain = &*self.plain;
            // `start`, not `pos`: a head that was sent has its `pos` at the end.
            let len = usize::try_from(plain.last.offset_from(plain.start)).ok()?;
            let head = std::slice::from_raw_parts(plain.start, len);
            // Behind a head that has been sent, the buffers have been too.
            let body = match self.signed.is_null() {
                true => u64::try_from(s3_shim_body_behind_head(self.request)).ok(),
                false => None,
            };
            Some(HeadSlot {
                wrapped: self,
                head,
                body,
            })
        }
    }

    /// A buffer, and memory of `len` bytes for what is in it, as long as the request's pool lives.
    fn head_memory(&self, len: usize) -> Option<(*mut ngx_buf_t, *mut u8)> {
        // SAFETY: a request in progress. What its pool gives is C's, of which nothing is read before
        // it is written.
        unsafe {
            let room = Request::from_ptr(self.request)?
                .main()
                .workspace()
                .filter(|_| len <= HEAD)
                .and_then(|workspace| workspace.head.take());
            if let Some(room) = room {
                let room = room.as_ptr();
                return Some((&raw mut (*room).buf, (&raw mut (*room).bytes).cast()));
            }
            let pool = (*self.request).pool;
            let buf = ngx_palloc(pool, size_of::<ngx_buf_t>());
            let memory = ngx_palloc(pool, len);
            (!buf.is_null() && !memory.is_null()).then_some((buf.cast(), memory.cast()))
        }
    }
}

/// The head of one try: what nginx serialised, and the place for what is sent.
pub(crate) struct HeadSlot<'a> {
    wrapped: &'a mut Wrapped,
    head: &'a [u8],
    body: Option<u64>,
}

impl<'a> HeadSlot<'a> {
    pub(crate) fn plain(&self) -> &'a [u8] {
        self.head
    }

    /// The length of the body that follows, where it is there already and nothing of it sent.
    pub(crate) fn body_length(&self) -> Option<u64> {
        self.body
    }

    /// Puts a new head in the place of nginx's: of at most `max_len` bytes, and as many as `write`
    /// says that it has filled in. `None` if the head could not be written.
    pub(crate) fn replace(
        &mut self,
        max_len: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<()> {
        // SAFETY: as in `head_slot`; the new buffer lives as long as the request's pool.
        unsafe {
            let r = self.wrapped.request;
            let (buf, memory) = self.wrapped.head_memory(max_len)?;
            s3_shim_head_buf(buf, self.wrapped.plain, memory, max_len);
            let len = write(std::slice::from_raw_parts_mut(memory, max_len))?;
            if len > max_len {
                return None;
            }
            (*buf).last = (*buf).start.add(len);
            (*(*(*r).upstream).request_bufs).buf = buf;
            self.wrapped.signed = buf;
        }
        Some(())
    }

    /// Says how a decoded body follows the head at this try.
    pub(crate) fn send_body(&self, outgoing: Outgoing) -> Option<()> {
        // SAFETY: a request in progress with an upstream, to which nothing is sent yet at this try.
        let request = unsafe { Request::from_ptr(self.wrapped.request) }?;
        output::prepare(request, outgoing)
    }
}

unsafe extern "C" fn free_peer(
    pc: *mut ngx_peer_connection_t,
    data: *mut c_void,
    state: ngx_uint_t,
) {
    guarded((), || {
        // SAFETY: `wrap` has put its state there, of a request in progress with an upstream.
        let (wrapped, request, status) = unsafe {
            let wrapped = &*data.cast::<Wrapped>();
            let upstream = (*wrapped.request).upstream.as_ref();
            let state = upstream.and_then(|upstream| upstream.state.as_ref());
            let status = state.map_or(0, |state| state.status);
            (wrapped, Request::from_ptr(wrapped.request), status)
        };
        if let (Some(request), Some(origin)) = (request, wrapped.origin.take()) {
            let failed = state & NGX_PEER_FAILED as ngx_uint_t != 0;
            peer::ended(request, origin, u16::try_from(status).unwrap_or(0), failed);
        }
    });
    // SAFETY: `wrap` has put its state there; the original gets what it would have got.
    unsafe {
        let wrapped = &*data.cast::<Wrapped>();
        if let Some(original_free) = wrapped.original_free {
            original_free(pc, wrapped.original_data, state);
        }
    }
}

unsafe extern "C" fn notify_peer(
    pc: *mut ngx_peer_connection_t,
    data: *mut c_void,
    kind: ngx_uint_t,
) {
    // SAFETY: as in `free_peer`.
    unsafe {
        let wrapped = &*data.cast::<Wrapped>();
        if let Some(original_notify) = wrapped.original_notify {
            original_notify(pc, wrapped.original_data, kind);
        }
    }
}

unsafe extern "C" fn set_session(pc: *mut ngx_peer_connection_t, data: *mut c_void) -> ngx_int_t {
    // SAFETY: as in `free_peer`.
    unsafe {
        let wrapped = &*data.cast::<Wrapped>();
        match wrapped.original_set_session {
            Some(original_set_session) => original_set_session(pc, wrapped.original_data),
            None => OK,
        }
    }
}

unsafe extern "C" fn save_session(pc: *mut ngx_peer_connection_t, data: *mut c_void) {
    // SAFETY: as in `free_peer`.
    unsafe {
        let wrapped = &*data.cast::<Wrapped>();
        if let Some(original_save_session) = wrapped.original_save_session {
            original_save_session(pc, wrapped.original_data);
        }
    }
}
