//! An answer on its way to the client: its head, as the first of the header filters sees it.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;

use ngx::ffi::{
    NGX_HTTP_HEAD, NGX_HTTP_POST, NGX_HTTP_PUT, ngx_chain_t, ngx_http_output_body_filter_pt,
    ngx_http_output_header_filter_pt, ngx_http_request_t, ngx_http_top_body_filter,
    ngx_http_top_header_filter, ngx_int_t, ngx_list_part_t, ngx_str_t, ngx_table_elt_t, ngx_uint_t,
};

use super::answer_body::{self, Rewriter};
use super::request::{Request, Response};
use super::shim::*;
use super::{ERROR, OK, bytes, guarded};
use crate::hooks;

/// Set at each configuration load, before workers run.
static mut NEXT_HEADER_FILTER: ngx_http_output_header_filter_pt = None;
static mut NEXT_BODY_FILTER: ngx_http_output_body_filter_pt = None;

/// Puts ours in front of the filters of answers, heads and bodies. To be called once a configuration load, by which time
/// nginx has started a new chain.
pub(crate) fn hook_filters<R: Rewriter>() {
    // SAFETY: configuration time: nothing else runs.
    unsafe {
        NEXT_HEADER_FILTER = ngx_http_top_header_filter;
        NEXT_BODY_FILTER = ngx_http_top_body_filter;
        ngx_http_top_header_filter = Some(header_filter);
        ngx_http_top_body_filter = Some(answer_body::filter::<R>);
    }
}

unsafe extern "C" fn header_filter(r: *mut ngx_http_request_t) -> ngx_int_t {
    let ours = guarded(Some(ERROR), || {
        // SAFETY: nginx's request, whose answer is ready to be sent.
        unsafe { Request::from_ptr(r) }.and_then(hooks::answer::answer)
    });
    // SAFETY: what nginx would have called.
    ours.unwrap_or_else(|| unsafe { send_head(r) })
}

/// # Safety
/// A request whose answer is ready to be sent.
pub(super) unsafe extern "C" fn send_head(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: by this function's contract.
    unsafe { NEXT_HEADER_FILTER.map_or(OK, |filter| filter(r)) }
}

/// # Safety
/// A request whose answer's head has been sent, and a chain of its buffers.
pub(super) unsafe extern "C" fn send_body(
    r: *mut ngx_http_request_t,
    chain: *mut ngx_chain_t,
) -> ngx_int_t {
    // SAFETY: by this function's contract.
    unsafe { NEXT_BODY_FILTER.map_or(OK, |filter| filter(r, chain)) }
}

impl<'r> Request<'r> {
    /// Whether the answer comes from an upstream, be it through a cache, and not from this server.
    pub(crate) fn is_from_upstream(self) -> bool {
        // SAFETY: looks at a request in progress.
        unsafe { s3_shim_is_from_upstream(self.as_ptr()) != 0 }
    }

    /// The headers of the answer that nginx keeps in its list: all but a few that it writes itself.
    pub(crate) fn answer_headers(self) -> AnswerHeaders<'r> {
        AnswerHeaders {
            request: self,
            // SAFETY: the list is the request's own.
            part: unsafe { &raw mut (*self.as_ptr()).headers_out.headers.part },
            index: 0,
        }
    }

    /// Whether the answer is a head, and what it says of a body is of one that nobody gets.
    pub(crate) fn is_head_only(self) -> bool {
        // SAFETY: reads a bit of a request in progress.
        let is_head_only = unsafe { s3_shim_is_header_only(self.as_ptr()) != 0 };
        is_head_only || self.raw().method & NGX_HTTP_HEAD as ngx_uint_t != 0
    }

    /// Whether a body follows the head of the answer.
    pub(crate) fn has_answer_body(self) -> bool {
        let out = &self.raw().headers_out;
        !self.is_head_only() && out.content_length_n != 0 && !matches!(out.status, 204 | 304)
    }

    /// Whether it changes something where it comes from: `PUT` or `POST`.
    pub(crate) fn is_put_or_post(self) -> bool {
        self.raw().method & (NGX_HTTP_PUT | NGX_HTTP_POST) as ngx_uint_t != 0
    }

    /// Takes the length of the body out of the answer's head.
    pub(crate) fn forget_answer_length(self) {
        // SAFETY: a request whose answer's head has not been sent.
        unsafe { s3_shim_length_unknown(self.as_ptr()) };
    }

    /// The body of the answer is not the one that its head is of.
    pub(super) fn change_answer_body(self, length: usize, content_type: &'static CStr) {
        let (data, len) = (content_type.as_ptr(), content_type.count_bytes());
        // SAFETY: a request whose answer's head has not been sent; nginx only reads the text.
        unsafe {
            s3_shim_body_changes(self.as_ptr(), length as libc::off_t);
            s3_shim_content_type(self.as_ptr(), data.cast::<u8>().cast_mut(), len);
        }
    }

    /// From a filter: drops the upstream's answer, of which nothing has been sent, and answers so
    /// instead. The connection is not used again, since the client may still be sending.
    pub(crate) fn replace_answer(self, response: &Response<'_>) -> ngx_int_t {
        let r = self.as_ptr();
        // SAFETY: a request in progress whose answer comes from an upstream.
        unsafe {
            s3_shim_drop_answer(r);
            s3_shim_no_keepalive(r);
        }
        // Filters in front of ours have seen a head already, and are not called again.
        let sent = self.send_by(response, send_head, send_body);
        // SAFETY: sets bits of the request, which nginx ends with that status.
        unsafe { s3_shim_answered(r) };
        sent
    }
}

/// See `Request::answer_headers`.
pub(crate) struct AnswerHeaders<'r> {
    request: Request<'r>,
    part: *mut ngx_list_part_t,
    index: usize,
}

impl<'r> Iterator for AnswerHeaders<'r> {
    type Item = AnswerHeader<'r>;

    fn next(&mut self) -> Option<AnswerHeader<'r>> {
        // SAFETY: nginx's list: each part has `nelts` elements, the last part's next is null. Parts and
        // elements stay where they are as long as the request's pool.
        unsafe {
            while let Some(part) = self.part.as_ref() {
                if self.index >= part.nelts {
                    self.part = part.next;
                    self.index = 0;
                    continue;
                }
                let header = part.elts.cast::<ngx_table_elt_t>().add(self.index);
                self.index += 1;
                if (*header).hash != 0 {
                    return Some(AnswerHeader {
                        request: self.request,
                        ptr: NonNull::new(header)?,
                        life: PhantomData,
                    });
                }
            }
        }
        None
    }
}

/// One header of an answer.
#[derive(Clone, Copy)]
pub(crate) struct AnswerHeader<'r> {
    request: Request<'r>,
    ptr: NonNull<ngx_table_elt_t>,
    life: PhantomData<&'r ()>,
}

impl<'r> AnswerHeader<'r> {
    pub(crate) fn name(self) -> &'r [u8] {
        // SAFETY: an element of the request's list, whose name is in its pool.
        unsafe { bytes((*self.ptr.as_ptr()).key) }
    }

    pub(crate) fn value(self) -> &'r [u8] {
        // SAFETY: an element of the request's list, whose value is in its pool.
        unsafe { bytes((*self.ptr.as_ptr()).value) }
    }

    pub(crate) fn is(self, name: &CStr) -> bool {
        self.name().eq_ignore_ascii_case(name.to_bytes())
    }

    pub(crate) fn remove(self) {
        // SAFETY: an element of the request's list.
        unsafe { s3_shim_remove_header(self.request.as_ptr(), self.ptr.as_ptr()) };
    }

    /// Puts another value in the place of this one, or removes the header where memory is out.
    pub(crate) fn set_value(self, value: &[u8]) {
        let Some(value) = self.request.copy(value) else {
            return self.remove();
        };
        // SAFETY: an element of the request's list; the value is in its pool.
        unsafe {
            (*self.ptr.as_ptr()).value = ngx_str_t {
                len: value.len(),
                data: value.as_mut_ptr(),
            };
        }
    }
}
