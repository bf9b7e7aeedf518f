//! A request, its context and its answer.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_HTTP_GET, NGX_HTTP_HEAD, ngx_chain_t, ngx_http_complex_value, ngx_http_complex_value_t,
    ngx_http_core_run_phases, ngx_http_discard_request_body, ngx_http_finalize_request,
    ngx_http_get_variable, ngx_http_output_filter, ngx_http_read_client_request_body,
    ngx_http_read_unbuffered_request_body, ngx_http_request_t, ngx_http_send_header, ngx_int_t,
    ngx_list_part_t, ngx_list_push, ngx_log_t, ngx_pnalloc, ngx_pool_cleanup_add, ngx_str_t,
    ngx_table_elt_t, ngx_uint_t, ngx_variable_value_t,
};
use sigv4::{Header, Headers};

use super::shim::*;
use super::workspace::Workspace;
use super::{AGAIN, DONE, ERROR, INTERNAL_SERVER_ERROR, NOT_ALLOWED, OK, bytes, guarded, str_of};
use crate::conf::{LocationConf, MainConf};
use crate::context::Context;
use crate::{hooks, module};

/// A request, for as long as its pool lives.
#[derive(Clone, Copy)]
pub(crate) struct Request<'r> {
    ptr: NonNull<ngx_http_request_t>,
    life: PhantomData<&'r ()>,
}

/// An answer of ours.
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) content_type: &'static CStr,
    pub(crate) body: &'a [u8],
    pub(crate) headers: &'a [(&'static CStr, &'a [u8])],
}

/// A rewritten target.
pub(crate) struct OutgoingUri<'r> {
    pub(crate) path: &'r [u8],
    /// nginx percent-encodes the path as it writes it.
    pub(crate) is_escaped: bool,
    pub(crate) args: &'r [u8],
}

/// More headers than the core takes.
#[derive(Debug)]
pub(crate) struct TooManyHeaders;

impl<'r> Request<'r> {
    /// # Safety
    /// `ptr` is a request in progress, and `'r` does not outlive its pool.
    pub(crate) unsafe fn from_ptr(ptr: *mut ngx_http_request_t) -> Option<Request<'r>> {
        NonNull::new(ptr).map(|ptr| Request {
            ptr,
            life: PhantomData,
        })
    }

    pub(super) fn as_ptr(self) -> *mut ngx_http_request_t {
        self.ptr.as_ptr()
    }

    pub(super) fn raw(&self) -> &ngx_http_request_t {
        // SAFETY: the request is in progress (`from_ptr`), and the reference ends with this call's
        // caller, before nginx runs again.
        unsafe { self.ptr.as_ref() }
    }

    pub(crate) fn main_conf(self) -> &'r MainConf {
        // SAFETY: nginx allocated it by `create_main_conf` of this module; it outlives requests.
        unsafe { &*(*self.raw().main_conf.add(module().ctx_index)).cast() }
    }

    pub(crate) fn location_conf(self) -> &'r LocationConf {
        // SAFETY: nginx allocated it by `create_loc_conf` of this module; it outlives requests.
        unsafe { &*(*self.raw().loc_conf.add(module().ctx_index)).cast() }
    }

    /// The request that the client sent, for a subrequest.
    pub(crate) fn main(self) -> Request<'r> {
        NonNull::new(self.raw().main).map_or(self, |ptr| Request {
            ptr,
            life: PhantomData,
        })
    }

    pub(crate) fn is_main(self) -> bool {
        self.main().ptr == self.ptr
    }

    pub(crate) fn log(self) -> *mut ngx_log_t {
        // SAFETY: a request in progress has a connection.
        unsafe { (*self.raw().connection).log }
    }

    /// As the client sent it, or as nginx wrote it for HTTP/2 and HTTP/3.
    pub(crate) fn request_line(self) -> &'r [u8] {
        // SAFETY: in the request's header buffer.
        unsafe { bytes(self.raw().request_line) }
    }

    /// The request target as the client sent it.
    pub(crate) fn unparsed_uri(self) -> &'r [u8] {
        // SAFETY: in the request's header buffer or pool.
        unsafe { bytes(self.raw().unparsed_uri) }
    }

    /// The path and arguments that nginx goes by: decoded, merged, perhaps rewritten.
    pub(crate) fn uri_and_args(self) -> (&'r [u8], &'r [u8]) {
        // SAFETY: in the request's header buffer or pool.
        unsafe { (bytes(self.raw().uri), bytes(self.raw().args)) }
    }

    /// What goes to the upstream where it is not the target that the client sent.
    pub(crate) fn outgoing_uri(self) -> Option<OutgoingUri<'r>> {
        // SAFETY: reads bits of a request in progress.
        let (is_kept, is_escaped) = unsafe {
            (
                s3_shim_is_target_kept(self.as_ptr()) != 0,
                s3_shim_is_path_escaped(self.as_ptr()) != 0,
            )
        };
        let (path, args) = self.uri_and_args();
        (!is_kept).then_some(OutgoingUri {
            path,
            is_escaped,
            args,
        })
    }

    /// -1 where the client gave none.
    pub(crate) fn content_length(self) -> i64 {
        self.raw().headers_in.content_length_n
    }

    pub(crate) fn is_chunked(self) -> bool {
        // SAFETY: reads a bit of a request in progress.
        unsafe { s3_shim_is_chunked(self.as_ptr()) != 0 }
    }

    /// Whether one is announced, if only an empty one.
    pub(crate) fn has_body(self) -> bool {
        self.content_length() >= 0 || self.is_chunked()
    }

    /// None where it is not known before the end.
    pub(crate) fn body_length(self) -> Option<u64> {
        match self.is_chunked() {
            true => None,
            false => Some(u64::try_from(self.content_length()).unwrap_or(0)),
        }
    }

    /// Whether the body is being forwarded while it is read.
    pub(crate) fn is_unbuffered(self) -> bool {
        // SAFETY: reads a bit of a request in progress.
        unsafe { s3_shim_is_unbuffered(self.as_ptr()) != 0 }
    }

    /// For an upstream request that begins: has it the rest of the body sent on while it is read, if so
    /// many bytes have been read by now, and none is gone.
    pub(crate) fn resume_unbuffered(self, read: u64) -> Option<()> {
        // Without a body there is nothing that could be read.
        if !self.has_read_body() {
            return None;
        }
        let read = read.try_into().ok()?;
        // SAFETY: a request in progress with an upstream, for which nginx has written the head.
        let resumed = unsafe { s3_shim_resume_unbuffered(self.as_ptr(), read) };
        (resumed == OK).then_some(())
    }

    /// The bytes that came from the client and went to it, heads and bodies.
    pub(crate) fn traffic(self) -> (u64, u64) {
        // SAFETY: a request in progress has a connection.
        let sent = unsafe { (*self.raw().connection).sent };
        let received = self.raw().request_length;
        (
            received.try_into().unwrap_or(0),
            sent.try_into().unwrap_or(0),
        )
    }

    /// The headers as on the wire. A target in absolute form has the host that counts, whatever `Host`
    /// says (RFC 9112 section 3.2.2): nginx chooses the server by it. Over HTTP/2 and HTTP/3 the host is in `:authority`, which newer
    /// versions of nginx leave out of the list; it stands for the host then (RFC 9113 section 8.3.1).
    pub(crate) fn headers(self, headers: &mut Headers<'r>) -> Result<(), TooManyHeaders> {
        let mut part: *const ngx_list_part_t = &raw const self.raw().headers_in.headers.part;
        while !part.is_null() {
            // SAFETY: nginx's list: each part has `nelts` elements, the last part's next is null.
            let elements = unsafe {
                let part = &*part;
                match part.nelts {
                    0 => &[],
                    n => std::slice::from_raw_parts(part.elts.cast::<ngx_table_elt_t>(), n),
                }
            };
            for element in elements.iter().filter(|e| e.hash != 0) {
                // SAFETY: in the request's header buffer.
                let (name, value) = unsafe { (bytes(element.key), bytes(element.value)) };
                headers
                    .try_push(Header { name, value })
                    .map_err(|_| TooManyHeaders)?;
            }
            // SAFETY: not null.
            part = unsafe { (*part).next };
        }
        let is_host = |header: &Header<'_>| header.name.eq_ignore_ascii_case(b"host");
        let in_target = authority_of(self.request_line());
        if let Some(value) = in_target
            && let Some(host) = headers.iter_mut().find(|header| is_host(header))
        {
            host.value = value;
        }
        match in_target.or_else(|| self.authority()) {
            Some(value) if !headers.iter().any(is_host) => headers
                .try_push(Header {
                    name: b"host",
                    value,
                })
                .map_err(|_| TooManyHeaders),
            _ => Ok(()),
        }
    }

    /// The host in the request line or in `:authority`.
    fn authority(self) -> Option<&'r [u8]> {
        let (start, end) = (self.raw().host_start, self.raw().host_end);
        if start.is_null() || end.is_null() {
            return None;
        }
        // SAFETY: both point into the request's header buffer or pool, the end behind the start.
        unsafe {
            let len = usize::try_from(end.offset_from(start)).ok()?;
            Some(std::slice::from_raw_parts(start, len))
        }
    }

    pub(crate) fn evaluate(self, value: &ngx_http_complex_value_t) -> Option<&'r [u8]> {
        let mut out = ngx_str_t::empty();
        let value = ptr::from_ref(value).cast_mut();
        // SAFETY: nginx only reads the compiled value; the result is in the request's pool.
        unsafe {
            (ngx_http_complex_value(self.as_ptr(), value, &mut out) == OK).then(|| bytes(out))
        }
    }

    /// A variable's value by its name, in lower case.
    pub(crate) fn variable(self, name: &'static CStr) -> Option<&'r [u8]> {
        // nginx's `ngx_hash_key`.
        let key = name.to_bytes().iter().fold(0, |key: ngx_uint_t, c| {
            key.wrapping_mul(31).wrapping_add(ngx_uint_t::from(*c))
        });
        let (mut name, mut value) = (str_of(name), ngx_str_t::empty());
        // SAFETY: a request in progress; nginx only reads the name; the value is in its pool.
        unsafe {
            let found = ngx_http_get_variable(self.as_ptr(), &mut name, key);
            (s3_shim_variable_value(found, &mut value) != 0).then(|| bytes(value))
        }
    }

    /// Memory of the request's pool, zeroed.
    pub(crate) fn allocate(self, len: usize) -> Option<&'r mut [u8]> {
        // SAFETY: the pool is the request's; what it gives is ours alone until the request ends.
        unsafe {
            let data = NonNull::new(ngx_pnalloc(self.raw().pool, len.max(1)))?.cast::<u8>();
            data.write_bytes(0, len);
            Some(std::slice::from_raw_parts_mut(data.as_ptr(), len))
        }
    }

    /// What this module knows of the request; found again after an internal redirect, which wipes
    /// the slot.
    pub(crate) fn context(self) -> Option<&'r Context<'r>> {
        self.workspace().map(|workspace| &workspace.context)
    }

    pub(super) fn workspace(self) -> Option<&'r Workspace<'r>> {
        // SAFETY: the slot is this module's: null or set by `create_context`.
        let slot = unsafe { self.raw().ctx.add(module().ctx_index) };
        // SAFETY: as above; the workspace is the request's as long as its pool lives.
        if let Some(workspace) = unsafe { (*slot).cast::<Workspace<'r>>().as_ref() } {
            return Some(workspace);
        }
        // SAFETY: reads a bit of a request in progress.
        if unsafe { s3_shim_is_internal(self.as_ptr()) } == 0 {
            return None;
        }
        // SAFETY: the pool's list of cleanups; only `create_context` adds one with our handler.
        unsafe {
            let mut cleanup = (*self.raw().pool).cleanup;
            while let Some(entry) = cleanup.as_ref() {
                if entry
                    .handler
                    .is_some_and(|h| ptr::fn_addr_eq(h, end_context as Handler))
                {
                    *slot = entry.data;
                    return entry.data.cast::<Workspace<'r>>().as_ref();
                }
                cleanup = entry.next;
            }
        }
        None
    }

    /// `context`, where the request has it at hand: as it has once `context` has been asked for.
    pub(crate) fn context_at_hand(self) -> Option<&'r Context<'r>> {
        // SAFETY: the slot is this module's: null or set by `create_context` or `workspace`.
        let slot = unsafe { *self.raw().ctx.add(module().ctx_index) };
        // SAFETY: as above; the workspace is the request's as long as its pool lives.
        unsafe { slot.cast::<Workspace<'r>>().as_ref() }.map(|workspace| &workspace.context)
    }

    pub(crate) fn context_or_create(self) -> Option<&'r Context<'r>> {
        self.context().or_else(|| self.create_context())
    }

    fn create_context(self) -> Option<&'r Context<'r>> {
        // SAFETY: the pool is the request's, the cleanup ours to fill in, and the slot this module's.
        unsafe {
            let cleanup = ngx_pool_cleanup_add(self.raw().pool, 0).as_mut()?;
            let workspace = self.main_conf().workspaces.lend()?;
            cleanup.data = workspace.as_ptr().cast();
            cleanup.handler = Some(end_context);
            *self.raw().ctx.add(module().ctx_index) = cleanup.data;
            Some(&workspace.as_ref().context)
        }
    }

    /// Whether somebody has read the body, or begun to.
    pub(crate) fn has_read_body(self) -> bool {
        !self.raw().request_body.is_null()
    }

    /// Whether its body is the one that the client sent: the subrequests of `auth_request` are given an
    /// empty one instead.
    pub(crate) fn has_client_body(self) -> bool {
        ptr::eq(self.raw().request_body, self.main().raw().request_body)
    }

    /// From the access phase: reads the body, then runs that phase again: all of it, or `unbuffered`
    /// as much as the form's fields take.
    pub(crate) fn read_body(self, unbuffered: bool) -> ngx_int_t {
        // SAFETY: a request in its access phase, whose body is not yet read. nginx counts the reading
        // as a use of the request, which ends here once: with a status, by which the request ends
        // too, whatever `satisfy` says, or with NGX_DONE. The caller leaves the request alone.
        unsafe {
            if unbuffered {
                s3_shim_set_unbuffered(self.as_ptr());
            }
            let status = ngx_http_read_client_request_body(self.as_ptr(), Some(body_read));
            let is_final = status >= ngx::ffi::NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t;
            ngx_http_finalize_request(self.as_ptr(), if is_final { status } else { DONE });
        }
        DONE
    }

    /// Answers the request and ends it. What is left of the request's body is discarded, without a
    /// `100 Continue`.
    pub(crate) fn respond(self, response: &Response<'_>) -> ngx_int_t {
        // SAFETY: a request in its access phase: nothing has been sent, its body not yet read.
        unsafe {
            s3_shim_expect_tested(self.as_ptr());
            if ngx_http_discard_request_body(self.as_ptr()) != OK {
                s3_shim_no_keepalive(self.as_ptr());
            }
        }
        let status = self.send(response);
        // SAFETY: ends the request once; the caller returns NGX_DONE and leaves it alone.
        unsafe { ngx_http_finalize_request(self.as_ptr(), status) };
        DONE
    }

    /// In its content handler: None where it only reads; else what to return, since there is nothing
    /// to be changed.
    pub(crate) fn refuse_change(self) -> Option<ngx_int_t> {
        let methods = (NGX_HTTP_GET | NGX_HTTP_HEAD) as ngx_uint_t;
        if self.raw().method & methods != 0 {
            return None;
        }
        Some(match self.add_header(c"Allow", b"GET, HEAD") {
            Some(()) => NOT_ALLOWED,
            None => INTERNAL_SERVER_ERROR,
        })
    }

    /// Answers the request from its content handler, which returns the result.
    pub(crate) fn serve(self, response: &Response<'_>) -> ngx_int_t {
        // SAFETY: a request in its content phase: nothing has been sent, its body not yet read.
        match unsafe { ngx_http_discard_request_body(self.as_ptr()) } {
            OK => self.send(response),
            failed => failed,
        }
    }

    /// From a header filter: answers so instead of what nginx is about to send. The connection is not
    /// used again, since the client may still be sending.
    pub(crate) fn substitute(self, response: &Response<'_>) -> ngx_int_t {
        // SAFETY: sets bits of a request in progress, which nginx ends with that status.
        unsafe {
            s3_shim_no_keepalive(self.as_ptr());
            let status = self.send(response);
            s3_shim_answered(self.as_ptr());
            status
        }
    }

    fn send(self, response: &Response<'_>) -> ngx_int_t {
        self.send_by(response, ngx_http_send_header, ngx_http_output_filter)
    }

    /// Sends an answer, of which nothing has been sent, by these two of nginx's.
    pub(super) fn send_by(
        self,
        response: &Response<'_>,
        send_head: unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t,
        send_body: unsafe extern "C" fn(*mut ngx_http_request_t, *mut ngx_chain_t) -> ngx_int_t,
    ) -> ngx_int_t {
        let r = self.as_ptr();
        let Some(body) = self.copy(response.body) else {
            return ERROR;
        };
        for (name, value) in response.headers {
            if self.add_header(name, value).is_none() {
                return ERROR;
            }
        }
        // SAFETY: nothing has been sent; body and headers are in the request's pool.
        unsafe {
            let out = &mut (*r).headers_out;
            out.status = ngx_uint_t::from(response.status);
            out.content_type = str_of(response.content_type);
            out.content_type_len = response.content_type.count_bytes();
            out.content_length_n = body.len() as i64;

            let status = send_head(r);
            if status == ERROR || status > OK || s3_shim_is_header_only(r) != 0 {
                return status;
            }
            let buf = s3_shim_body_buf(r, body.as_mut_ptr(), body.len());
            if buf.is_null() {
                return ERROR;
            }
            send_body(
                r,
                &mut ngx_chain_t {
                    buf,
                    next: ptr::null_mut(),
                },
            )
        }
    }

    /// The status of the answer that is about to be sent.
    pub(crate) fn status(self) -> u16 {
        u16::try_from(self.raw().headers_out.status).unwrap_or_default()
    }

    pub(super) fn add_header(self, name: &'static CStr, value: &[u8]) -> Option<()> {
        let value = self.copy(value)?;
        // SAFETY: the list is the request's; a pushed element is ours to fill in.
        unsafe {
            let element =
                ngx_list_push(&mut (*self.as_ptr()).headers_out.headers).cast::<ngx_table_elt_t>();
            if element.is_null() {
                return None;
            }
            element.write_bytes(0, 1);
            (*element).hash = 1;
            (*element).key = str_of(name);
            (*element).value = ngx_str_t {
                len: value.len(),
                data: value.as_mut_ptr(),
            };
        }
        Some(())
    }

    /// A copy in the request's pool.
    pub(crate) fn copy(self, data: &[u8]) -> Option<&'r mut [u8]> {
        let copy = self.allocate(data.len())?;
        copy.copy_from_slice(data);
        Some(copy)
    }
}

/// The authority in a request line whose target is in absolute form.
fn authority_of(request_line: &[u8]) -> Option<&[u8]> {
    let target = request_line.split(|byte| *byte == b' ').nth(1)?;
    if target.starts_with(b"/") {
        return None;
    }
    let scheme = memchr::memmem::find(target, b"://")?;
    let rest = target.get(scheme + 3..)?;
    rest.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next()
}

/// The body has been read, or its beginning, where it is not buffered.
unsafe extern "C" fn body_read(r: *mut ngx_http_request_t) {
    // SAFETY: nginx's request, whose access phase waits for this.
    unsafe {
        if s3_shim_is_reading_body(r) == 0 || is_enough(r) {
            run_phases(r);
        } else {
            (*r).read_event_handler = Some(read_on);
        }
    }
}

/// There may be more of a body that is not buffered.
unsafe extern "C" fn read_on(r: *mut ngx_http_request_t) {
    // SAFETY: as in `body_read`.
    unsafe {
        match ngx_http_read_unbuffered_request_body(r) {
            AGAIN if !is_enough(r) => {}
            OK | AGAIN => run_phases(r),
            failed => ngx_http_finalize_request(r, failed),
        }
    }
}

/// # Safety
/// As of `body_read`.
unsafe fn is_enough(r: *mut ngx_http_request_t) -> bool {
    guarded(false, || {
        // SAFETY: by this function's contract.
        let context = unsafe { Request::from_ptr(r) }.and_then(Request::context);
        context.is_some_and(hooks::form::has_fields)
    })
}

/// # Safety
/// As of `body_read`.
unsafe fn run_phases(r: *mut ngx_http_request_t) {
    // SAFETY: by this function's contract.
    unsafe {
        s3_shim_pause_reading(r);
        (*r).write_event_handler = Some(ngx_http_core_run_phases);
        ngx_http_core_run_phases(r);
    }
}

type Handler = unsafe extern "C" fn(*mut c_void);

/// Ends a context with its request's pool; also the mark by which it is found again.
unsafe extern "C" fn end_context(data: *mut c_void) {
    guarded((), || {
        if let Some(workspace) = NonNull::new(data.cast()) {
            // SAFETY: `create_context` put it there; the pool calls this once, at its end.
            unsafe { Workspace::give_back(workspace) }
        }
    });
}

/// A variable's value, to be filled in by its getter.
pub(crate) struct VariableValue<'r>(&'r mut ngx_variable_value_t);

impl<'r> VariableValue<'r> {
    /// # Safety
    /// `value` is what nginx handed to the getter.
    pub(crate) unsafe fn from_ptr(value: *mut ngx_variable_value_t) -> Option<VariableValue<'r>> {
        // SAFETY: by this function's contract.
        unsafe { value.as_mut() }.map(VariableValue)
    }

    pub(crate) fn set(self, value: Option<&'r [u8]>) {
        // SAFETY: nginx only reads the value, which lives as long as the request.
        unsafe {
            match value {
                Some(v) => s3_shim_variable(self.0, v.as_ptr().cast_mut(), v.len()),
                None => s3_shim_variable_not_found(self.0),
            }
        }
    }
}
