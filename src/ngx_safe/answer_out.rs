//! What of a rewritten body is on its way to the client: buffers that are used again, so that a long body and
//! a slow client need no more memory than a short one.

use std::ptr;

use ngx::ffi::ngx_chain_t;

use crate::filter::NextBodyFilter;
use crate::request::Request;
use crate::shim::*;
use crate::{ERROR, Status};

/// How much may be on its way, in bytes, before the client has to take of it.
const MAX_ON_ITS_WAY: usize = 64 << 10;

/// The buffers of one answer, in the request's pool.
#[derive(Debug)]
pub(crate) struct AnswerOut {
    free: *mut ngx_chain_t,
    busy: *mut ngx_chain_t,
}

/// The next filter has failed, or there is no memory.
#[derive(Debug)]
pub(crate) struct OutFailed;

impl Default for AnswerOut {
    fn default() -> AnswerOut {
        AnswerOut {
            free: ptr::null_mut(),
            busy: ptr::null_mut(),
        }
    }
}

impl AnswerOut {
    /// Sends a part of the body; the head has been sent.
    pub(crate) fn send(
        &mut self,
        request: Request<'_>,
        part: &[u8],
        next: &NextBodyFilter,
    ) -> Result<Status, OutFailed> {
        let (data, len) = (part.as_ptr().cast_mut(), part.len());
        // SAFETY: the buffers are in that pool; the bytes are only read.
        let out = unsafe { shim_out_chain(request.pool(), &mut self.free, data, len) };
        if out.is_null() {
            return Err(OutFailed);
        }
        self.pass(request, out, next)
    }

    /// Has the next filter go on with what it has.
    pub(crate) fn flush(
        &mut self,
        request: Request<'_>,
        next: &NextBodyFilter,
    ) -> Result<Status, OutFailed> {
        self.pass(request, ptr::null_mut(), next)
    }

    fn pass(
        &mut self,
        request: Request<'_>,
        out: *mut ngx_chain_t,
        next: &NextBodyFilter,
    ) -> Result<Status, OutFailed> {
        // SAFETY: the head has been sent; null, or buffers of this answer's.
        let status = unsafe { next.call(request.as_ptr(), out) };
        // SAFETY: the chains of this answer, all in that pool.
        unsafe { shim_out_sent(request.pool(), &mut self.free, &mut self.busy, out) };
        match status {
            ERROR => Err(OutFailed),
            status => Ok(status),
        }
    }

    /// Tells whether the client has to take of what is on its way before there is more.
    pub(crate) fn is_full(&self) -> bool {
        // SAFETY: null, or buffers of this answer's.
        unsafe { shim_out_length(self.busy) > MAX_ON_ITS_WAY }
    }
}
