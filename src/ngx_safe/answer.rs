//! An answer on its way to the client: its head.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;

use ngx::ffi::{
    NGX_HTTP_HEAD, NGX_HTTP_POST, NGX_HTTP_PUT, ngx_list_part_t, ngx_str_t, ngx_table_elt_t,
    ngx_uint_t,
};

use crate::bytes;
use crate::request::Request;
use crate::shim::*;

impl<'r> Request<'r> {
    /// Tells whether the answer comes from an upstream, be it through a cache, and not from this server.
    pub fn is_from_upstream(self) -> bool {
        // SAFETY: looks at a request in progress.
        unsafe { shim_is_from_upstream(self.as_ptr()) != 0 }
    }

    /// Has the connection to the upstream closed after an answer that comes from one.
    pub fn close_upstream(self) {
        if self.is_from_upstream() && !self.raw().upstream.is_null() {
            // SAFETY: a request in progress with an upstream.
            unsafe { shim_close_upstream(self.as_ptr()) };
        }
    }

    /// Tells whether the upstream answers before it was sent all of the request, the rest of which it will not get:
    /// nothing waits for that any more.
    pub fn is_cut_by_answer(self) -> bool {
        // SAFETY: looks at a request in progress.
        let is_cut = unsafe { shim_is_request_cut(self.as_ptr()) != 0 };
        if is_cut {
            // SAFETY: there is an upstream, and a connection to it.
            unsafe { shim_stop_sending(self.as_ptr()) };
        }
        is_cut
    }

    /// Returns the headers of the answer that nginx keeps in its list: all but a few that it writes itself.
    pub fn answer_headers(self) -> AnswerHeaders<'r> {
        AnswerHeaders {
            request: self,
            // SAFETY: the list is the request's own.
            part: unsafe { &raw mut (*self.as_ptr()).headers_out.headers.part },
            index: 0,
        }
    }

    /// Tells whether the answer is a head alone, and what it says of a body is of one that nobody gets.
    pub fn is_head_only(self) -> bool {
        self.is_header_only() || self.raw().method & NGX_HTTP_HEAD as ngx_uint_t != 0
    }

    /// Tells whether a body follows the head of the answer.
    pub fn has_answer_body(self) -> bool {
        let out = &self.raw().headers_out;
        !self.is_head_only() && out.content_length_n != 0 && !matches!(out.status, 204 | 304)
    }

    /// Tells whether the request changes something where it goes: `PUT` or `POST`.
    pub fn is_put_or_post(self) -> bool {
        self.raw().method & (NGX_HTTP_PUT | NGX_HTTP_POST) as ngx_uint_t != 0
    }

    /// Takes, from a header filter, the length of the body out of the answer's head.
    pub fn forget_answer_length(self) {
        // SAFETY: changes the head of an answer; one that has been sent is not looked at again.
        unsafe { shim_length_unknown(self.as_ptr()) };
    }

    /// Changes the head of the answer to that of another body.
    pub(crate) fn change_answer_body(self, length: usize, content_type: &'static CStr) {
        // SAFETY: a request whose answer's head has not been sent.
        unsafe { shim_body_changes(self.as_ptr(), length as libc::off_t) };
        let (data, len) = (content_type.as_ptr(), content_type.count_bytes());
        // SAFETY: as above; nginx only reads the text.
        unsafe { shim_content_type(self.as_ptr(), data.cast::<u8>().cast_mut(), len) };
    }
}

/// An iterator: see `Request::answer_headers`.
#[derive(Debug)]
pub struct AnswerHeaders<'r> {
    request: Request<'r>,
    part: *mut ngx_list_part_t,
    index: usize,
}

impl<'r> Iterator for AnswerHeaders<'r> {
    type Item = AnswerHeader<'r>;

    fn next(&mut self) -> Option<AnswerHeader<'r>> {
        // SAFETY: nginx's list, whose last part's next is null. Parts stay where they are as long as the
        // request's pool.
        while let Some(part) = unsafe { self.part.as_ref() } {
            if self.index >= part.nelts {
                self.part = part.next;
                self.index = 0;
                continue;
            }
            let first = NonNull::new(part.elts.cast::<ngx_table_elt_t>())?;
            // SAFETY: each part has `nelts` elements, which stay where they are, too.
            let header = unsafe { first.add(self.index) };
            self.index += 1;
            // SAFETY: as above.
            if unsafe { header.as_ref() }.hash != 0 {
                return Some(AnswerHeader {
                    request: self.request,
                    ptr: header,
                    life: PhantomData,
                });
            }
        }
        None
    }
}

/// One header of an answer, which ends with its request:
///
/// ```compile_fail,E0521
/// # use ngx_safe::request::Request;
/// # fn keep<T: 'static>(_: T) {}
/// fn filter(request: Request<'_>) {
///     keep(request.answer_headers());
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AnswerHeader<'r> {
    request: Request<'r>,
    ptr: NonNull<ngx_table_elt_t>,
    life: PhantomData<&'r ()>,
}

impl<'r> AnswerHeader<'r> {
    fn raw(&self) -> &ngx_table_elt_t {
        // SAFETY: an element of the request's list; the reference ends with this call's caller, before
        // the element changes.
        unsafe { self.ptr.as_ref() }
    }

    pub fn name(self) -> &'r [u8] {
        // SAFETY: the name of the element, in the request's pool.
        unsafe { bytes(self.raw().key) }
    }

    pub fn value(self) -> &'r [u8] {
        // SAFETY: the value of the element, in the request's pool.
        unsafe { bytes(self.raw().value) }
    }

    pub fn is(self, name: &CStr) -> bool {
        self.name().eq_ignore_ascii_case(name.to_bytes())
    }

    pub fn remove(self) {
        // SAFETY: an element of the request's list.
        unsafe { shim_remove_header(self.request.as_ptr(), self.ptr.as_ptr()) };
    }

    /// Puts another value in the place of the present one, or removes the header where memory is out.
    pub fn set_value(self, value: &[u8]) {
        let Some(value) = self.request.copy(value) else {
            return self.remove();
        };
        let value = ngx_str_t {
            len: value.len(),
            data: value.as_mut_ptr(),
        };
        // SAFETY: an element of the request's list; the value is in its pool.
        unsafe { (*self.ptr.as_ptr()).value = value };
    }
}
