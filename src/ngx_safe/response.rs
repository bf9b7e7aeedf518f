//! Answers of the module's own.

use std::ffi::CStr;
use std::ptr;

use ngx::ffi::{
    ngx_chain_t, ngx_http_discard_request_body, ngx_http_output_filter, ngx_http_request_t,
    ngx_http_send_header, ngx_int_t, ngx_list_push, ngx_str_t, ngx_table_elt_t, ngx_uint_t,
};

use crate::request::Request;
use crate::shim::*;
use crate::{ERROR, INTERNAL_SERVER_ERROR, OK, str_of};

const NOT_ALLOWED: ngx_int_t = ngx::ffi::NGX_HTTP_NOT_ALLOWED as ngx_int_t;

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub content_type: &'static CStr,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static CStr, Vec<u8>)>,
}

type SendHead = unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t;
type SendBody = unsafe extern "C" fn(*mut ngx_http_request_t, *mut ngx_chain_t) -> ngx_int_t;

impl Response {
    /// Answers a request in its access phase, whose body is discarded.
    pub(crate) fn send_before_body(&self, request: Request<'_>) -> ngx_int_t {
        let r = request.as_ptr();
        // SAFETY: nothing has been sent to a request in its access phase; its body is not yet read.
        unsafe { shim_expect_tested(r) };
        // SAFETY: as above.
        if unsafe { ngx_http_discard_request_body(r) } != OK {
            // SAFETY: as above.
            unsafe { shim_no_keepalive(r) };
        }
        self.send(request)
    }

    /// Answers from a content handler, which returns the result.
    pub(crate) fn serve(&self, request: Request<'_>) -> ngx_int_t {
        // SAFETY: a request in its content phase: nothing has been sent, its body not yet read.
        match unsafe { ngx_http_discard_request_body(request.as_ptr()) } {
            OK => self.send(request),
            failed => failed,
        }
    }

    /// Rejects, from a content handler, a request that would change something.
    pub(crate) fn only_reads(request: Request<'_>) -> ngx_int_t {
        match request.add_header(c"Allow", b"GET, HEAD") {
            Some(()) => NOT_ALLOWED,
            None => INTERNAL_SERVER_ERROR,
        }
    }

    /// Does what `instead_of_error` does. The connection is not used again, since the client may still be
    /// sending.
    pub(crate) fn substitute(
        &self,
        request: Request<'_>,
        send_head: SendHead,
        send_body: SendBody,
    ) -> ngx_int_t {
        let r = request.as_ptr();
        // SAFETY: sets bits of a request in progress, which nginx ends with that status.
        unsafe { shim_no_keepalive(r) };
        let status = self.instead_of_error(request, send_head, send_body);
        // SAFETY: as above.
        unsafe { shim_answered(r) };
        status
    }

    /// Answers, from a header filter, instead of an error of nginx's own, by what follows in the chain of
    /// filters. Whether the connection is used again is nginx's decision.
    pub(crate) fn instead_of_error(
        &self,
        request: Request<'_>,
        send_head: SendHead,
        send_body: SendBody,
    ) -> ngx_int_t {
        let sent = self.send_by(request, send_head, send_body);
        // SAFETY: changes a request in progress, which nginx ends with that status.
        unsafe { shim_answered_error(request.as_ptr(), ngx_uint_t::from(self.status)) };
        sent
    }

    /// Drops, from a filter, the upstream's answer, of which nothing has been sent, and answers so
    /// instead, by what follows in the chain of filters. The connection is not used again, since the
    /// client may still be sending.
    pub(crate) fn replace(
        &self,
        request: Request<'_>,
        send_head: SendHead,
        send_body: SendBody,
    ) -> ngx_int_t {
        let r = request.as_ptr();
        if request.raw().upstream.is_null() {
            return ERROR;
        }
        // SAFETY: a request in progress with an upstream.
        unsafe { shim_drop_answer(r) };
        // SAFETY: as above.
        unsafe { shim_no_keepalive(r) };
        // The filters before have seen a head already, and are not called again.
        let sent = self.send_by(request, send_head, send_body);
        // SAFETY: sets bits of the request, which nginx ends with that status.
        unsafe { shim_answered(r) };
        sent
    }

    /// Answers a request whose body has been read.
    pub(crate) fn send(&self, request: Request<'_>) -> ngx_int_t {
        self.send_by(request, ngx_http_send_header, ngx_http_output_filter)
    }

    fn send_by(&self, request: Request<'_>, send_head: SendHead, send_body: SendBody) -> ngx_int_t {
        let r = request.as_ptr();
        let Some(body) = request.copy(&self.body) else {
            return ERROR;
        };
        for (name, value) in &self.headers {
            if request.add_header(name, value).is_none() {
                return ERROR;
            }
        }
        // SAFETY: a request of whose answer nothing has been sent.
        let out = unsafe { &mut (*r).headers_out };
        out.status = ngx_uint_t::from(self.status);
        out.content_type = str_of(self.content_type);
        out.content_type_len = self.content_type.count_bytes();
        out.content_length_n = body.len() as i64;

        // SAFETY: as above.
        let status = unsafe { send_head(r) };
        if status == ERROR || status > OK || request.is_header_only() {
            return status;
        }
        // SAFETY: the body is in the request's pool.
        let buf = unsafe { shim_body_buf(r, body.as_mut_ptr(), body.len()) };
        if buf.is_null() {
            return ERROR;
        }
        let mut link = ngx_chain_t {
            buf,
            next: ptr::null_mut(),
        };
        // SAFETY: the head has been sent.
        unsafe { send_body(r, &mut link) }
    }
}

impl Request<'_> {
    pub(crate) fn is_header_only(self) -> bool {
        // SAFETY: reads a bit of a request in progress.
        unsafe { shim_is_header_only(self.as_ptr()) != 0 }
    }

    /// Returns the status of the answer that is about to be sent.
    pub fn status(self) -> u16 {
        u16::try_from(self.raw().headers_out.status).unwrap_or_default()
    }

    /// Adds a header to an answer of whose head nothing has been sent; None where memory is out.
    pub fn add_header(self, name: &'static CStr, value: &[u8]) -> Option<()> {
        let value = self.copy(value)?;
        // SAFETY: the list is the request's.
        let headers = unsafe { &raw mut (*self.as_ptr()).headers_out.headers };
        // SAFETY: as above.
        let element = unsafe { ngx_list_push(headers) }.cast::<ngx_table_elt_t>();
        let element = ptr::NonNull::new(element)?.as_ptr();
        // SAFETY: a pushed element is to be filled in here; zeros are a value of it.
        unsafe { element.write_bytes(0, 1) };
        // SAFETY: as above.
        let element = unsafe { &mut *element };
        element.hash = 1;
        element.key = str_of(name);
        element.value = ngx_str_t {
            len: value.len(),
            data: value.as_mut_ptr(),
        };
        Some(())
    }
}
