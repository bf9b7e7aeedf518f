//! Upstreams of a configuration, and their peers.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_HTTP_UPSTREAM_CREATE, ngx_http_upstream_init_peer_pt, ngx_http_upstream_main_conf_t,
    ngx_http_upstream_server_t, ngx_http_upstream_srv_conf_t, ngx_peer_connection_t, ngx_uint_t,
};

use crate::bytes;
use crate::module::Module;
use crate::peer_list::{MARKED, Peer, PeerChange, PeerList, address_bytes};
use crate::shim::*;
use crate::tables::{array, settings_at, upstream_index};

/// An upstream of the configuration, explicit (`upstream {}`) or implicit (a `proxy_pass` to a host). It
/// ends with the call that found it, if not with the request:
///
/// ```compile_fail,E0521
/// # use ngx_safe::upstream::Upstream;
/// # fn keep<T: 'static>(_: T) {}
/// fn starts(upstream: Upstream<'_>) {
///     keep(upstream);
/// }
/// ```
///
/// Its module's settings are only read:
///
/// ```compile_fail,E0308
/// # use ngx_safe::{module::Module, upstream::Upstream};
/// fn starts<M: Module>(upstream: Upstream<'_>) {
///     let conf: Option<&mut M::Server> = upstream.conf::<M>();
/// }
/// ```
///
/// and so are peers, under a lock that is shared:
///
/// ```compile_fail,E0594
/// # use ngx_safe::upstream::Upstream;
/// fn change(upstream: Upstream<'_>) {
///     upstream.any_peer_in_use(|server, _| {
///         server[0] = 0;
///         true
///     });
/// }
/// ```
///
/// What is seen of a peer is not kept past the lock:
///
/// ```compile_fail,E0521
/// # use ngx_safe::upstream::Upstream;
/// fn server(upstream: Upstream<'_>) {
///     let kept = std::cell::Cell::new(None::<&[u8]>);
///     upstream.any_peer_in_use(|server, _| {
///         kept.set(Some(server));
///         true
///     });
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream<'c> {
    ptr: NonNull<ngx_http_upstream_srv_conf_t>,
    life: PhantomData<&'c ()>,
}

/// What a `server` line says of its part in the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerRole {
    pub weight: u64,
    pub is_backup: bool,
    pub is_off: bool,
}

/// An upstream's place in the list of its configuration: what the module's own settings keep of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamId(pub(crate) usize);

/// A wrapped `peer.init`.
pub(crate) struct HookedUpstream {
    pub(crate) upstream: *mut ngx_http_upstream_srv_conf_t,
    pub(crate) original_init: ngx_http_upstream_init_peer_pt,
}

impl<'c> Upstream<'c> {
    /// # Safety
    /// `ptr` is an upstream of a configuration that lives for `'c`.
    pub(crate) unsafe fn from_ptr(ptr: *mut ngx_http_upstream_srv_conf_t) -> Option<Upstream<'c>> {
        NonNull::new(ptr).map(|ptr| Upstream {
            ptr,
            life: PhantomData,
        })
    }

    /// # Safety
    /// These are the main confs of a configuration that lives for `'c`.
    pub(crate) unsafe fn in_main_confs(
        main_confs: *mut *mut c_void,
        id: UpstreamId,
    ) -> Option<Upstream<'c>> {
        // SAFETY: by this function's contract, that of nginx's upstream module is among them.
        let all = unsafe { all_upstreams(main_confs) };
        let ptr = *all.get(id.0)?;
        // SAFETY: an upstream of that configuration.
        unsafe { Upstream::from_ptr(ptr) }
    }

    pub(crate) fn as_ptr(self) -> *mut ngx_http_upstream_srv_conf_t {
        self.ptr.as_ptr()
    }

    pub(crate) fn raw(&self) -> &ngx_http_upstream_srv_conf_t {
        // SAFETY: an upstream of a live configuration (`from_ptr`), which does not change while it is
        // in use.
        unsafe { self.ptr.as_ref() }
    }

    /// Finds its place in the list of the configuration that `level` is merged in or `complete` ends.
    pub fn id_among(self, all: impl Iterator<Item = Upstream<'c>>) -> Option<UpstreamId> {
        all.enumerate()
            .find_map(|(index, upstream)| (upstream == self).then_some(UpstreamId(index)))
    }

    /// Returns the module's configuration of an explicit upstream.
    pub fn conf<M: Module>(self) -> Option<&'c M::Server> {
        let raw = self.raw();
        if raw.flags & NGX_HTTP_UPSTREAM_CREATE as ngx_uint_t == 0 || raw.srv_conf.is_null() {
            return None;
        }
        // SAFETY: an explicit upstream has a conf of each module, of which the index is one.
        let conf = unsafe { settings_at(raw.srv_conf, M::descriptor().ctx_index) };
        // SAFETY: the module's, which `create_srv_conf` made. It is changed while lines are read, when
        // nobody has an `Upstream`, and lives as long as the configuration.
        unsafe { conf.cast::<M::Server>().as_ref() }
    }

    /// Returns the texts of its `server` lines.
    pub fn servers(self) -> Vec<&'c [u8]> {
        // SAFETY: a server's text is the configuration's.
        let name = |server: &ngx_http_upstream_server_t| unsafe { bytes(server.name) };
        self.server_lines().iter().map(name).collect()
    }

    /// Shows the `server` lines, each with its weight, and whether it is a backup and switched off.
    pub fn each_server(self, mut show: impl FnMut(&[u8], ServerRole)) {
        for server in self.server_lines() {
            let role = ServerRole {
                weight: server.weight as u64,
                // SAFETY: a server of the configuration.
                is_backup: unsafe { shim_is_backup(server) != 0 },
                is_off: server.down != 0,
            };
            // SAFETY: a server's text is the configuration's.
            show(unsafe { bytes(server.name) }, role);
        }
    }

    /// Returns the texts of the `server` lines whose port is not left to the name servers (`service=`).
    pub fn servers_by_port(self) -> Vec<&'c [u8]> {
        // SAFETY: a server of the configuration.
        let has_port =
            |server: &&ngx_http_upstream_server_t| unsafe { shim_has_service(*server) == 0 };
        // SAFETY: a server's text is the configuration's.
        let name = |server: &ngx_http_upstream_server_t| unsafe { bytes(server.name) };
        let servers = self.server_lines().iter();
        servers.filter(has_port).map(name).collect()
    }

    fn server_lines(self) -> &'c [ngx_http_upstream_server_t] {
        // SAFETY: null, or an array of the configuration.
        let servers = unsafe { self.raw().servers.as_ref() };
        // SAFETY: its elements are servers.
        servers.map_or(&[], |servers| unsafe { array(servers) })
    }

    /// Returns the name in `upstream NAME`, or the host of an implicit one.
    pub fn name(self) -> &'c [u8] {
        // SAFETY: a text of the configuration.
        unsafe { bytes(self.raw().host) }
    }

    /// Returns the port that an implicit upstream names.
    pub fn port(self) -> u16 {
        self.raw().port
    }

    /// Puts another `peer.init` in the place of the present one, which it returns.
    ///
    /// # Safety
    /// Configuration time: nothing else looks at the upstream. What is put there does what
    /// `peer.init` has to.
    pub(crate) unsafe fn replace_init(
        self,
        init: ngx_http_upstream_init_peer_pt,
    ) -> ngx_http_upstream_init_peer_pt {
        // SAFETY: by this function's contract.
        let upstream = unsafe { &mut *self.ptr.as_ptr() };
        std::mem::replace(&mut upstream.peer.init, init)
    }

    /// Hands `select` the text of the `server` line of the peer that a balancer has picked: found by
    /// the name that nginx's balancers point to, else by the address, for balancers that make up
    /// peers.
    pub(crate) fn with_server_of<T>(
        self,
        picked: &ngx_peer_connection_t,
        select: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let by_name = self.find_peer(|peer| ptr::eq(peer.name_place(), picked.name), &select);
        if by_name.is_some() {
            return by_name;
        }
        // SAFETY: a picked peer's address has the length that goes with it.
        let address = unsafe { address_bytes(picked.sockaddr, picked.socklen) };
        if address.is_empty() {
            return None;
        }
        self.find_peer(|peer| peer.address() == address, &select)
    }

    /// Tells whether all workers share what is known of its peers.
    pub fn has_zone(self) -> bool {
        // SAFETY: an upstream of a live configuration.
        unsafe { shim_has_zone(self.as_ptr()) != 0 }
    }

    /// Copies the peers, as many as `room` has capacity for. `origin_of` tells where the server with
    /// a text is to be found; one that has no such place is left out.
    pub fn copy_peers(self, room: &mut Vec<PeerCopy>, origin_of: impl Fn(&[u8]) -> Option<usize>) {
        room.clear();
        self.read_peers(|peer| {
            if room.len() < room.capacity()
                && let Some(origin) = origin_of(peer.server())
                && let Some(name) = InlineBytes::new(peer.name())
                && let Some(address) = InlineBytes::new(peer.address())
            {
                room.push(PeerCopy {
                    origin,
                    name,
                    address,
                    down: peer.down(),
                });
            }
            ControlFlow::Continue(())
        });
    }

    /// Tells how many addresses its servers have.
    pub fn peer_count(self) -> usize {
        self.count(|_| true)
    }

    /// Tells how many peers there are to try of servers that `is_counted`, by its text.
    pub fn peers_in_use(self, is_counted: impl Fn(&[u8]) -> bool) -> usize {
        self.count(|peer| peer.down() == 0 && is_counted(peer.server()))
    }

    fn count(self, is_counted: impl Fn(Peer<'_>) -> bool) -> usize {
        let mut count = 0;
        self.read_peers(|peer| {
            count += usize::from(is_counted(peer));
            ControlFlow::Continue(())
        });
        count
    }

    /// Tells whether `is_it` says so, by server and address, of any peer that the configuration does not
    /// switch off.
    pub fn any_peer_in_use(self, is_it: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        let is_one =
            |peer: Peer<'_>| peer.down() & !MARKED == 0 && is_it(peer.server(), peer.address());
        self.count(is_one) > 0
    }

    /// Marks the peers that `is_down`, by server and address, and takes the mark from the others: no
    /// worker picks a marked one. `down` of the configuration stays.
    pub fn mark(self, is_down: impl Fn(&[u8], &[u8]) -> bool) {
        self.change_peers(|change| {
            let peer = change.0;
            let is_down = is_down(peer.server(), peer.address());
            change.set_mark(is_down);
        });
    }

    /// Forgets the failures by which nginx itself keeps off the peers that `is_it` names.
    pub fn forgive(self, is_it: impl Fn(&[u8], &[u8]) -> bool) {
        self.change_peers(|change| {
            if is_it(change.0.server(), change.0.address()) {
                change.forgive();
            }
        });
    }

    fn find_peer<T>(
        self,
        is_it: impl Fn(Peer<'_>) -> bool,
        select: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let mut selected = None;
        self.read_peers(|peer| {
            if !is_it(peer) {
                return ControlFlow::Continue(());
            }
            selected = select(peer.server());
            match selected {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        });
        selected
    }

    fn peer_list(self) -> Option<PeerList> {
        // SAFETY: `peer.data` of an upstream in use is one, whatever balancer is on top of it.
        unsafe { PeerList::from_ptr(self.raw().peer.data.cast()) }
    }

    /// Shows `look` the peers, the backups last, until it breaks off. While the lock is held nothing
    /// may be allocated, since a worker that dies of it would leave the list locked.
    fn read_peers(self, mut look: impl FnMut(Peer<'_>) -> ControlFlow<()>) {
        let mut list = self.peer_list();
        while let Some(peers) = list {
            let lock = peers.lock(shim_peers_rlock);
            if lock.peers().any(|peer| look(peer).is_break()) {
                return;
            }
            list = lock.next_list();
        }
    }

    /// Does as `read_peers`, with the lock under which peers may be changed.
    fn change_peers(self, mut change: impl FnMut(PeerChange<'_>)) {
        let mut list = self.peer_list();
        while let Some(peers) = list {
            let lock = peers.lock(shim_peers_wlock);
            lock.peers().for_each(|peer| change(PeerChange(peer)));
            list = lock.next_list();
        }
    }
}

/// # Safety
/// These are the main confs of a configuration that lives for `'c`.
unsafe fn all_upstreams<'c>(
    main_confs: *mut *mut c_void,
) -> &'c [*mut ngx_http_upstream_srv_conf_t] {
    // SAFETY: by this function's contract, that of nginx's upstream module is among them.
    let main = unsafe { settings_at(main_confs, upstream_index()) };
    // SAFETY: the type of that module's main conf.
    let main = unsafe { &*main.cast::<ngx_http_upstream_main_conf_t>() };
    // SAFETY: the array of pointers to all upstreams of the configuration.
    unsafe { array(&main.upstreams) }
}

/// A copy of a peer.
#[derive(Debug)]
pub struct PeerCopy {
    origin: usize,
    name: InlineBytes,
    address: InlineBytes,
    down: ngx_uint_t,
}

impl PeerCopy {
    /// Tells what `origin_of` said of its server.
    pub fn origin(&self) -> usize {
        self.origin
    }

    /// Returns the address as text.
    pub fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    /// Returns the address as a `sockaddr`.
    pub fn address(&self) -> &[u8] {
        self.address.as_bytes()
    }

    pub fn is_marked(&self) -> bool {
        self.down & MARKED != 0
    }

    /// Tells whether the configuration switches it off.
    pub fn is_switched_off(&self) -> bool {
        self.down & !MARKED != 0
    }
}

/// A few bytes, copied without a need for memory.
#[derive(Debug)]
struct InlineBytes {
    len: usize,
    bytes: [u8; InlineBytes::MAX],
}

impl InlineBytes {
    /// Enough for any address, a socket's path included.
    const MAX: usize = 128;

    fn new(bytes: &[u8]) -> Option<InlineBytes> {
        let mut inline = InlineBytes {
            len: bytes.len(),
            bytes: [0; InlineBytes::MAX],
        };
        inline.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(inline)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
