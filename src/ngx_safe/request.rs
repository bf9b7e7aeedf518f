//! A request: what the client sent, what the module keeps of it, and the phases in which the module is
//! asked.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_HTTP_GET, NGX_HTTP_HEAD, ngx_chain_t, ngx_http_complex_value, ngx_http_get_variable,
    ngx_http_request_t, ngx_list_part_t, ngx_pnalloc, ngx_pool_cleanup_add, ngx_pool_t, ngx_str_t,
    ngx_table_elt_t, ngx_uint_t,
};

use crate::OK;
use crate::log::Log;
use crate::main_conf::MainOf;
use crate::module::Module;
use crate::shim::*;
use crate::tables::settings_at;
use crate::template::Template;
use crate::upstream::{Upstream, UpstreamId};
use crate::workspace::Workspace;
use crate::{bytes, guarded, str_of};

/// A request, for as long as its pool lives. A callback keeps neither it nor what it has found through it:
///
/// ```compile_fail,E0521
/// # use ngx_safe::request::Request;
/// # fn keep<T: 'static>(_: T) {}
/// fn access(request: Request<'_>) {
///     keep(request);
/// }
/// ```
///
/// ```compile_fail,E0521
/// # use ngx_safe::{module::Module, request::Request};
/// # fn keep<T: 'static>(_: T) {}
/// fn access<M: Module>(request: Request<'_>) {
///     keep(request.context_of::<M>());
/// }
/// ```
///
/// ```compile_fail,E0521
/// # use ngx_safe::request::Request;
/// # fn keep<T: 'static>(_: T) {}
/// fn access(request: Request<'_>) {
///     keep(request.request_line());
/// }
/// ```
///
/// nor hands it to another thread:
///
/// ```compile_fail,E0277
/// # use ngx_safe::request::Request;
/// fn access(request: Request<'_>) {
///     std::thread::scope(|scope| {
///         scope.spawn(|| request.is_main());
///     });
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    ptr: NonNull<ngx_http_request_t>,
    life: PhantomData<&'r ()>,
}

/// A rewritten target.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingUri<'r> {
    pub path: &'r [u8],
    /// nginx percent-encodes the path as it writes it.
    pub is_escaped: bool,
    pub args: &'r [u8],
}

impl<'r> Request<'r> {
    /// # Safety
    /// `ptr` is a request in progress, and `'r` does not outlive its pool.
    pub(crate) unsafe fn from_ptr(ptr: *mut ngx_http_request_t) -> Option<Request<'r>> {
        NonNull::new(ptr).map(|ptr| Request {
            ptr,
            life: PhantomData,
        })
    }

    pub(crate) fn as_ptr(self) -> *mut ngx_http_request_t {
        self.ptr.as_ptr()
    }

    pub(crate) fn raw(&self) -> &ngx_http_request_t {
        // SAFETY: the request is in progress (`from_ptr`), and the reference ends with this call's
        // caller, before nginx runs again.
        unsafe { self.ptr.as_ref() }
    }

    pub(crate) fn pool(self) -> *mut ngx_pool_t {
        self.raw().pool
    }

    pub fn main_conf_of<M: Module>(self) -> &'r M::Main {
        &self.main_of::<M>().own
    }

    pub(crate) fn main_of<M: Module>(self) -> &'r MainOf<M> {
        // SAFETY: the main confs of all modules, of which the index is one.
        let conf = unsafe { settings_at(self.raw().main_conf, M::descriptor().ctx_index) };
        // SAFETY: `create_conf` of this module made it; it outlives requests.
        unsafe { &*conf.cast::<MainOf<M>>() }
    }

    pub fn location_conf_of<M: Module>(self) -> &'r M::Location {
        // SAFETY: the location's settings of all modules, of which the index is one.
        let conf = unsafe { settings_at(self.raw().loc_conf, M::descriptor().ctx_index) };
        // SAFETY: `create_conf` of this module made it; it outlives requests.
        unsafe { &*conf.cast::<M::Location>() }
    }

    pub fn upstream(self, id: UpstreamId) -> Option<Upstream<'r>> {
        // SAFETY: the main confs of the request's configuration, which outlives it.
        unsafe { Upstream::in_main_confs(self.raw().main_conf, id) }
    }

    /// Returns the request that the client sent, for a subrequest.
    pub fn main(self) -> Request<'r> {
        NonNull::new(self.raw().main).map_or(self, |ptr| Request {
            ptr,
            life: PhantomData,
        })
    }

    pub fn is_main(self) -> bool {
        self.main().ptr == self.ptr
    }

    pub fn log(self) -> Option<Log<'r>> {
        // SAFETY: a request in progress has a connection.
        let log = unsafe { (*self.raw().connection).log };
        // SAFETY: the connection's log outlives the request.
        NonNull::new(log).map(|log| unsafe { Log::from_ptr(log) })
    }

    /// Returns the request line as the client sent it, or as nginx wrote it for HTTP/2 and HTTP/3.
    pub fn request_line(self) -> &'r [u8] {
        // SAFETY: in the request's header buffer.
        unsafe { bytes(self.raw().request_line) }
    }

    /// Returns the request target as the client sent it.
    pub fn unparsed_uri(self) -> &'r [u8] {
        // SAFETY: in the request's header buffer or pool.
        unsafe { bytes(self.raw().unparsed_uri) }
    }

    /// Puts another spelling of the request target in the place of the client's, in which it goes to the upstream.
    pub fn respell_target(self, target: &'r [u8]) {
        let target = ngx_str_t {
            len: target.len(),
            data: target.as_ptr().cast_mut(),
        };
        // SAFETY: a request in progress; nginx only reads the target, which lives as long.
        unsafe { (*self.as_ptr()).unparsed_uri = target };
    }

    /// Returns the path and arguments that nginx goes by: decoded, merged, perhaps rewritten.
    pub fn uri_and_args(self) -> (&'r [u8], &'r [u8]) {
        // SAFETY: in the request's header buffer or pool.
        let uri = unsafe { bytes(self.raw().uri) };
        // SAFETY: as above.
        (uri, unsafe { bytes(self.raw().args) })
    }

    /// Tells what goes to the upstream where it is not the target that the client sent.
    pub fn outgoing_uri(self) -> Option<OutgoingUri<'r>> {
        // SAFETY: reads a bit of a request in progress.
        if unsafe { shim_is_target_kept(self.as_ptr()) } != 0 {
            return None;
        }
        // SAFETY: reads bits of a request in progress.
        let is_escaped = unsafe { shim_is_path_escaped(self.as_ptr()) != 0 };
        let (path, args) = self.uri_and_args();
        Some(OutgoingUri {
            path,
            is_escaped,
            args,
        })
    }

    pub fn is_get_or_head(self) -> bool {
        self.raw().method & (NGX_HTTP_GET | NGX_HTTP_HEAD) as ngx_uint_t != 0
    }

    /// Returns the announced length; -1 where the client gave none.
    pub fn content_length(self) -> i64 {
        self.raw().headers_in.content_length_n
    }

    pub fn is_chunked(self) -> bool {
        // SAFETY: reads a bit of a request in progress.
        unsafe { shim_is_chunked(self.as_ptr()) != 0 }
    }

    /// Tells whether a body is announced, if only an empty one.
    pub fn has_body(self) -> bool {
        self.content_length() >= 0 || self.is_chunked()
    }

    /// Returns the length of the body; None where it is not known before the end.
    pub fn body_length(self) -> Option<u64> {
        match self.is_chunked() {
            true => None,
            false => Some(u64::try_from(self.content_length()).unwrap_or(0)),
        }
    }

    /// Tells whether the body is being forwarded while it is read.
    pub fn is_unbuffered(self) -> bool {
        // SAFETY: reads a bit of a request in progress.
        unsafe { shim_is_unbuffered(self.as_ptr()) != 0 }
    }

    /// Tells whether somebody has read the body, or begun to.
    pub fn has_read_body(self) -> bool {
        !self.raw().request_body.is_null()
    }

    /// Tells whether its body is the one that the client sent: the subrequests of `auth_request` are given an
    /// empty one instead.
    pub fn has_client_body(self) -> bool {
        ptr::eq(self.raw().request_body, self.main().raw().request_body)
    }

    /// Has the rest of the body sent on while it is read, for an upstream request that begins, if so
    /// many bytes have been read by now, and none is gone.
    pub fn resume_unbuffered(self, read: u64) -> Option<()> {
        // Without a body there is nothing that could be read.
        if !self.has_read_body() || self.raw().upstream.is_null() {
            return None;
        }
        let read = read.try_into().ok()?;
        // SAFETY: a request in progress with an upstream, for which nginx has written the head.
        let resumed = unsafe { shim_resume_unbuffered(self.as_ptr(), read) };
        (resumed == OK).then_some(())
    }

    /// Returns the first link of what goes out to the upstream: its head.
    pub(crate) fn first_output(self) -> Option<NonNull<ngx_chain_t>> {
        // SAFETY: null, or the upstream of a request in progress.
        let upstream = unsafe { self.raw().upstream.as_ref() }?;
        NonNull::new(upstream.request_bufs)
    }

    /// Returns the number that nginx has for what its cache knew of the answer; 0 without a cache. In the order
    /// of `NGX_HTTP_CACHE_MISS`, `BYPASS`, `EXPIRED`, `STALE`, `UPDATING`, `REVALIDATED`, `HIT`, `SCARCE`.
    pub fn cache_status(self) -> usize {
        // SAFETY: a request in progress.
        unsafe { shim_cache_status(self.as_ptr()) }
    }

    /// Returns the bytes that came from the client and went to it, heads and bodies.
    pub fn traffic(self) -> (u64, u64) {
        // SAFETY: a request in progress has a connection.
        let sent = unsafe { (*self.raw().connection).sent };
        let received = self.raw().request_length;
        (
            received.try_into().unwrap_or(0),
            sent.try_into().unwrap_or(0),
        )
    }

    /// Names and values of the headers, as on the wire.
    pub fn headers(self) -> RequestHeaders<'r> {
        RequestHeaders {
            elements: [].iter(),
            next: &raw const self.raw().headers_in.headers.part,
        }
    }

    /// Returns the authority in a target in absolute form. It is the host that counts, whatever `Host` says
    /// (RFC 9112 section 3.2.2): nginx chooses the server by it.
    pub fn target_authority(self) -> Option<&'r [u8]> {
        authority_of(self.request_line())
    }

    /// Returns the host in the request line or in `:authority`, which newer versions of nginx leave out of
    /// the headers; it stands for the host then (RFC 9113 section 8.3.1).
    pub fn authority(self) -> Option<&'r [u8]> {
        let (start, end) = (self.raw().host_start, self.raw().host_end);
        if start.is_null() || end.is_null() {
            return None;
        }
        // SAFETY: both point into the request's header buffer or pool.
        let len = usize::try_from(unsafe { end.offset_from(start) }).ok()?;
        // SAFETY: as above, the end after the start.
        Some(unsafe { std::slice::from_raw_parts(start, len) })
    }

    pub fn evaluate(self, template: &Template) -> Option<&'r [u8]> {
        let mut out = ngx_str_t::empty();
        // SAFETY: nginx only reads the compiled text.
        match unsafe { ngx_http_complex_value(self.as_ptr(), template.as_ptr(), &mut out) } {
            // SAFETY: the result is in the request's pool.
            OK => Some(unsafe { bytes(out) }),
            _ => None,
        }
    }

    /// Returns a variable's value by its name, in lower case.
    pub fn variable(self, name: &'static CStr) -> Option<&'r [u8]> {
        // nginx's `ngx_hash_key`.
        let key = name.to_bytes().iter().fold(0, |key: ngx_uint_t, c| {
            key.wrapping_mul(31).wrapping_add(ngx_uint_t::from(*c))
        });
        let (mut name, mut value) = (str_of(name), ngx_str_t::empty());
        // SAFETY: a request in progress; nginx only reads the name.
        let found = unsafe { ngx_http_get_variable(self.as_ptr(), &mut name, key) };
        // SAFETY: null, or a variable's value.
        match unsafe { shim_variable_value(found, &mut value) } {
            0 => None,
            // SAFETY: it is in the request's pool.
            _ => Some(unsafe { bytes(value) }),
        }
    }

    /// Allocates memory of the request's pool, zeroed.
    pub fn allocate(self, len: usize) -> Option<&'r mut [u8]> {
        // SAFETY: the request's pool.
        let data = unsafe { ngx_pnalloc(self.pool(), len.max(1)) };
        let data = NonNull::new(data)?.cast::<u8>();
        // SAFETY: the pool has given so much.
        unsafe { data.write_bytes(0, len) };
        // SAFETY: it is the caller's alone until the request ends.
        Some(unsafe { std::slice::from_raw_parts_mut(data.as_ptr(), len) })
    }

    /// Copies into the request's pool.
    pub fn copy(self, data: &[u8]) -> Option<&'r mut [u8]> {
        let copy = self.allocate(data.len())?;
        copy.copy_from_slice(data);
        Some(copy)
    }

    /// Copies two parts, one after the other, into the request's pool.
    pub fn join(self, first: &[u8], second: &[u8]) -> Option<&'r mut [u8]> {
        let copy = self.allocate(first.len() + second.len())?;
        let (start, end) = copy.split_at_mut_checked(first.len())?;
        start.copy_from_slice(first);
        end.copy_from_slice(second);
        Some(copy)
    }

    /// Returns what the module knows of the request; found again after an internal redirect, which wipes the
    /// slot.
    pub fn context_of<M: Module>(self) -> Option<&'r M::Context<'r>> {
        self.workspace::<M>().map(|workspace| &workspace.context)
    }

    /// Returns the context if the request has it at hand, as it has once `context_of` has been called.
    pub fn context_at_hand_of<M: Module>(self) -> Option<&'r M::Context<'r>> {
        let slot = self.slot::<M>();
        // SAFETY: the slot is this module's: null or set by `create_context` or `workspace`.
        let workspace = unsafe { *slot };
        // SAFETY: as above; the workspace is the request's as long as its pool lives.
        let workspace = unsafe { workspace.cast::<Workspace<'r, M>>().as_ref() };
        workspace.map(|workspace| &workspace.context)
    }

    pub fn context_or_create_of<M: Module>(self) -> Option<&'r M::Context<'r>> {
        self.context_of::<M>()
            .or_else(|| self.create_context::<M>())
    }

    fn slot<M: Module>(self) -> *mut *mut c_void {
        // SAFETY: a request has a slot for each module.
        unsafe { self.raw().ctx.add(M::descriptor().ctx_index) }
    }

    pub(crate) fn workspace<M: Module>(self) -> Option<&'r Workspace<'r, M>> {
        let slot = self.slot::<M>();
        // SAFETY: the slot is this module's: null or set by `create_context`.
        let workspace = unsafe { *slot };
        // SAFETY: as above; the workspace is the request's as long as its pool lives.
        if let Some(workspace) = unsafe { workspace.cast::<Workspace<'r, M>>().as_ref() } {
            return Some(workspace);
        }
        // SAFETY: reads a bit of a request in progress.
        if unsafe { shim_is_internal(self.as_ptr()) } == 0 {
            return None;
        }
        let found = self.workspace_in_pool::<M>()?;
        // SAFETY: the slot is this module's.
        unsafe { *slot = found.as_ptr().cast() };
        // SAFETY: the workspace is the request's as long as its pool lives.
        Some(unsafe { found.as_ref() })
    }

    /// Returns the workspace that the pool's list of cleanups names: only `create_context` adds one with this
    /// handler.
    fn workspace_in_pool<M: Module>(self) -> Option<NonNull<Workspace<'r, M>>> {
        // SAFETY: the request's pool.
        let mut cleanup = unsafe { (*self.pool()).cleanup };
        // SAFETY: the pool's list, which ends with null.
        while let Some(entry) = unsafe { cleanup.as_ref() } {
            let ends_context = |handler| ptr::fn_addr_eq(handler, end_context::<M> as Cleanup);
            if entry.handler.is_some_and(ends_context) {
                return NonNull::new(entry.data.cast());
            }
            cleanup = entry.next;
        }
        None
    }

    fn create_context<M: Module>(self) -> Option<&'r M::Context<'r>> {
        // SAFETY: the request's pool.
        let cleanup = unsafe { ngx_pool_cleanup_add(self.pool(), 0) };
        let mut cleanup = NonNull::new(cleanup)?;
        let workspace = self.main_of::<M>().workspaces.lend()?;
        // SAFETY: a new cleanup, to be filled in here.
        let entry = unsafe { cleanup.as_mut() };
        entry.data = workspace.as_ptr().cast();
        entry.handler = Some(end_context::<M>);
        let slot = self.slot::<M>();
        // SAFETY: the slot is this module's.
        unsafe { *slot = entry.data };
        // SAFETY: lent to this request until its pool ends.
        let workspace = unsafe { workspace.as_ref() };
        Some(&workspace.context)
    }
}

/// An iterator: see `Request::headers`.
#[derive(Debug)]
pub struct RequestHeaders<'r> {
    elements: std::slice::Iter<'r, ngx_table_elt_t>,
    next: *const ngx_list_part_t,
}

impl<'r> Iterator for RequestHeaders<'r> {
    type Item = (&'r [u8], &'r [u8]);

    #[inline]
    fn next(&mut self) -> Option<(&'r [u8], &'r [u8])> {
        loop {
            for element in self.elements.by_ref() {
                if element.hash != 0 {
                    // SAFETY: in the request's header buffer or pool.
                    let name = unsafe { bytes(element.key) };
                    // SAFETY: as above.
                    return Some((name, unsafe { bytes(element.value) }));
                }
            }
            // SAFETY: nginx's list, whose last part's next is null.
            let part = unsafe { self.next.as_ref() }?;
            let first = part.elts.cast::<ngx_table_elt_t>();
            let elements: &'r [ngx_table_elt_t] = match part.nelts {
                0 => &[],
                // SAFETY: each part has `nelts` elements.
                count => unsafe { std::slice::from_raw_parts(first, count) },
            };
            self.elements = elements.iter();
            self.next = part.next;
        }
    }
}

/// Returns the authority in a request line whose target is in absolute form.
fn authority_of(request_line: &[u8]) -> Option<&[u8]> {
    let space = memchr::memchr(b' ', request_line)?;
    let rest = request_line.get(space + 1..)?;
    // Nearly always it is a path, which may be long.
    if rest.starts_with(b"/") {
        return None;
    }
    let target = rest.split(|byte| *byte == b' ').next()?;
    let scheme = memchr::memmem::find(target, b"://")?;
    let rest = target.get(scheme + 3..)?;
    rest.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next()
}

type Cleanup = unsafe extern "C" fn(*mut c_void);

/// Ends a context with its request's pool; also the mark by which it is found again.
unsafe extern "C" fn end_context<M: Module>(data: *mut c_void) {
    guarded((), || {
        if let Some(workspace) = NonNull::new(data.cast()) {
            // SAFETY: `create_context` put it there; the pool calls this once, at its end.
            unsafe { Workspace::<M>::give_back(workspace) }
        }
    });
}
