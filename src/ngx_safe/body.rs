//! The request body filter: buffers of the client's body, verified and decoded where they lie.

use std::ptr;

use ngx::ffi::{
    ngx_alloc_chain_link, ngx_buf_t, ngx_chain_t, ngx_http_request_body_filter_pt,
    ngx_http_request_t, ngx_http_top_request_body_filter, ngx_int_t, ngx_pnalloc, ngx_pool_t,
};
use sigv4::Tail;

use super::request::Request;
use super::shim::*;
use super::{INTERNAL_SERVER_ERROR, OK, guarded};
use crate::hooks::body::{self, Plain};
use crate::log::log_error;

/// Set at each configuration load, before workers run.
static mut ORIGINAL: ngx_http_request_body_filter_pt = None;

/// Puts ours in front of the request body filters. To be called once a configuration load, by which
/// time nginx has started a new chain.
pub(crate) fn hook() {
    // SAFETY: configuration time: nothing else runs.
    unsafe {
        ORIGINAL = ngx_http_top_request_body_filter;
        ngx_http_top_request_body_filter = Some(filter);
    }
}

unsafe extern "C" fn filter(r: *mut ngx_http_request_t, input: *mut ngx_chain_t) -> ngx_int_t {
    guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, whose body is being read.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return INTERNAL_SERVER_ERROR;
        };
        // SAFETY: what nginx would have called, with what it hands over or a chain like it.
        let next = |chain| unsafe { ORIGINAL.map_or(OK, |filter| filter(r, chain)) };
        let Some(context) = body::verifying(request) else {
            return next(input);
        };
        // SAFETY: the request's pool.
        let mut plain = unsafe { Chain::new((*r).pool) };
        let verify = |piece: &mut [u8], ends| body::take(request, context, piece, ends);
        // SAFETY: nginx's chain, whose buffers nothing else holds a reference to.
        let taken = unsafe { take(verify, input, &mut plain) };
        match taken {
            Ok(()) => next(plain.head),
            Err(Failure::Memory) => INTERNAL_SERVER_ERROR,
            Err(Failure::ReadOnly) => {
                log_error!(
                    request.log(),
                    "another module hands over a body that may not be written to: not verified"
                );
                INTERNAL_SERVER_ERROR
            }
            Err(Failure::Rejected(rejection)) => {
                // SAFETY: sets a bit of a request in progress.
                unsafe { s3_shim_no_error_page(r) };
                body::refuse(request, context, rejection)
            }
        }
    })
}

/// What fills a body up; see `Tail`.
static PADDING: [u8; 16 << 10] = [b' '; 16 << 10];

enum Failure {
    Memory,
    /// Framing is taken off where the bytes lie, and these belong to somebody else.
    ReadOnly,
    Rejected(sigv4::Rejection),
}

/// Narrows each buffer to the data in it, and links those that have any, or are the last, to `plain`.
///
/// # Safety
/// `link` is a chain of nginx's; nothing else holds a reference to what its buffers say may be written to.
unsafe fn take(
    verify: impl Fn(&mut [u8], bool) -> Result<Plain, sigv4::Rejection>,
    mut link: *mut ngx_chain_t,
    plain: &mut Chain,
) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    while let Some(ngx_chain_t { buf, next }) = unsafe { link.as_ref() } {
        let buf = *buf;
        link = *next;
        // SAFETY: likewise: between `pos` and `last` lie the bytes of a buffer in memory; one that
        // is not has none.
        unsafe {
            let ends = s3_shim_buf_is_last(buf) != 0;
            let length = match s3_shim_buf_in_memory(buf) {
                0 => 0,
                _ => usize::try_from((*buf).last.offset_from((*buf).pos)).unwrap_or(0),
            };
            let piece = match length {
                0 => &mut [][..],
                _ if s3_shim_buf_is_writable(buf) == 0 => return Err(Failure::ReadOnly),
                _ => std::slice::from_raw_parts_mut((*buf).pos, length),
            };
            let Plain { data, tail } = verify(piece, ends).map_err(Failure::Rejected)?;
            if length > 0 {
                (*buf).last = (*buf).pos.add(data.end);
                (*buf).pos = (*buf).pos.add(data.start);
                // nginx goes back there when it sends the body again.
                (*buf).start = (*buf).pos;
            }
            if !data.is_empty() {
                plain.push(buf)?;
            }
            if !tail.text.is_empty() {
                plain.push_tail(buf, &tail)?;
            } else if data.is_empty() && ends {
                s3_shim_buf_forget_memory(buf);
                plain.push(buf)?;
            }
        }
    }
    Ok(())
}

/// A chain in links of its own, since nginx goes on with the one it handed over: it must find all of
/// its buffers in that. The next filter keeps buffers, but no links.
struct Chain {
    pool: *mut ngx_pool_t,
    head: *mut ngx_chain_t,
    last: *mut ngx_chain_t,
}

impl Chain {
    /// # Safety
    /// `pool` outlives the chain.
    unsafe fn new(pool: *mut ngx_pool_t) -> Chain {
        Chain {
            pool,
            head: ptr::null_mut(),
            last: ptr::null_mut(),
        }
    }

    fn push(&mut self, buf: *mut ngx_buf_t) -> Result<(), Failure> {
        // SAFETY: the pool by `new`; a new link is ours to fill in, and so is the last one.
        unsafe {
            let link = ngx_alloc_chain_link(self.pool);
            if link.is_null() {
                return Err(Failure::Memory);
            }
            link.write(ngx_chain_t {
                buf,
                next: ptr::null_mut(),
            });
            match self.last.as_mut() {
                Some(last) => last.next = link,
                None => self.head = link,
            }
            self.last = link;
        }
        Ok(())
    }

    /// Ends the body with that, instead of with `buf`.
    fn push_tail(&mut self, buf: *mut ngx_buf_t, tail: &Tail) -> Result<(), Failure> {
        // SAFETY: the pool by `new`, which gives as much as is written.
        let text = unsafe {
            let text = ngx_pnalloc(self.pool, tail.text.len()).cast::<u8>();
            if text.is_null() {
                return Err(Failure::Memory);
            }
            text.copy_from_nonoverlapping(tail.text.as_ptr(), tail.text.len());
            text
        };
        let mut last = self.push_behind(buf, text, tail.text.len())?;
        let mut padding = tail.padding;
        while padding > 0 {
            let length = usize::try_from(padding).map_or(PADDING.len(), |p| p.min(PADDING.len()));
            // A buffer of `push_behind` is only read.
            last = self.push_behind(last, PADDING.as_ptr().cast_mut(), length)?;
            padding -= length as u64;
        }
        Ok(())
    }

    /// A read-only buffer for bytes that outlive the request, now the last of the body instead of `buf`.
    fn push_behind(
        &mut self,
        buf: *mut ngx_buf_t,
        data: *mut u8,
        length: usize,
    ) -> Result<*mut ngx_buf_t, Failure> {
        // SAFETY: the pool by `new`; `buf` is a buffer of nginx's, or was made here.
        let behind = unsafe { s3_shim_buf_behind(self.pool, buf, data, length) };
        if behind.is_null() {
            return Err(Failure::Memory);
        }
        self.push(behind)?;
        Ok(behind)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        while !self.head.is_null() {
            // SAFETY: links that `push` made; nobody has kept them.
            unsafe {
                let link = self.head;
                self.head = (*link).next;
                s3_shim_free_chain(self.pool, link);
            }
        }
    }
}
