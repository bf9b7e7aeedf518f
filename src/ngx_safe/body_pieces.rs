//! Pieces of a request's body in nginx's buffers, and the chain of what is left of them.

use std::ops::Range;
use std::ptr;

use ngx::ffi::{ngx_alloc_chain_link, ngx_buf_t, ngx_chain_t, ngx_pnalloc, ngx_pool_t};

use crate::Status;
use crate::request::Request;
use crate::shim::*;
use crate::tables::data_of;

/// The rest of a piece of the body.
#[derive(Debug, Default)]
pub struct Kept {
    pub data: Range<usize>,
    /// The body's end, which had been held back, where the piece has no room for it.
    pub tail: Vec<u8>,
    /// Spaces after the tail.
    pub padding: u64,
}

/// Why a body goes no further.
pub(crate) enum Failure {
    Memory,
    /// A piece is changed where its bytes lie, and these belong to somebody else.
    ReadOnly,
    /// What is stored is not what nginx says, or its file cannot be changed.
    Stored,
    Rejected(Status),
}

/// Returns the bytes of a buffer in memory; one that is not has none.
///
/// # Safety
/// A buffer; nothing else holds a reference to what it says may be written to for `'a`.
pub(crate) unsafe fn piece_of<'a>(buf: *mut ngx_buf_t) -> Result<&'a mut [u8], Failure> {
    // SAFETY: by this function's contract.
    if unsafe { shim_buf_in_memory(buf) } == 0 {
        return Ok(&mut []);
    }
    // SAFETY: by this function's contract.
    let (pos, length) = unsafe { data_of(buf) };
    if length == 0 {
        return Ok(&mut []);
    }
    // SAFETY: by this function's contract.
    if unsafe { shim_buf_is_writable(buf) } == 0 {
        return Err(Failure::ReadOnly);
    }
    // SAFETY: the bytes of a buffer in memory lie between the two.
    Ok(unsafe { std::slice::from_raw_parts_mut(pos, length) })
}

/// Narrows a buffer to a part of its data.
///
/// # Safety
/// A buffer with so much data; the start of the range is not after its end.
pub(crate) unsafe fn narrow(buf: *mut ngx_buf_t, data: &Range<usize>) {
    // SAFETY: by this function's contract.
    let buf = unsafe { &mut *buf };
    // SAFETY: within the data, by this function's contract.
    buf.last = unsafe { buf.pos.add(data.end) };
    // SAFETY: as above.
    buf.pos = unsafe { buf.pos.add(data.start) };
    // nginx goes back there when it sends the body again.
    buf.start = buf.pos;
}

/// The spaces that fill a body up.
static PADDING: [u8; 16 << 10] = [b' '; 16 << 10];

/// A chain in links of its own, since nginx goes on with the one it handed over: it must find all of
/// its buffers in that. The next filter keeps buffers, but no links.
pub(crate) struct KeptChain {
    pool: *mut ngx_pool_t,
    pub(crate) head: *mut ngx_chain_t,
    last: *mut ngx_chain_t,
}

impl KeptChain {
    pub(crate) fn new(request: Request<'_>) -> KeptChain {
        KeptChain {
            pool: request.pool(),
            head: ptr::null_mut(),
            last: ptr::null_mut(),
        }
    }

    pub(crate) fn push(&mut self, buf: *mut ngx_buf_t) -> Result<(), Failure> {
        // SAFETY: the request's pool.
        let link = unsafe { ngx_alloc_chain_link(self.pool) };
        if link.is_null() {
            return Err(Failure::Memory);
        }
        let value = ngx_chain_t {
            buf,
            next: ptr::null_mut(),
        };
        // SAFETY: a new link is to be filled in here.
        unsafe { link.write(value) };
        // SAFETY: null, or the link pushed last.
        match unsafe { self.last.as_mut() } {
            Some(last) => last.next = link,
            None => self.head = link,
        }
        self.last = link;
        Ok(())
    }

    /// Ends the body with that, instead of with `buf`.
    pub(crate) fn push_tail(
        &mut self,
        buf: *mut ngx_buf_t,
        tail: &[u8],
        mut padding: u64,
    ) -> Result<(), Failure> {
        let text = self.copy(tail)?;
        let mut last = self.push_after(buf, text, tail.len())?;
        while padding > 0 {
            let length = usize::try_from(padding).map_or(PADDING.len(), |p| p.min(PADDING.len()));
            // A buffer of `push_after` is only read.
            last = self.push_after(last, PADDING.as_ptr().cast_mut(), length)?;
            padding -= length as u64;
        }
        Ok(())
    }

    /// Gives away the links.
    pub(crate) fn into_links(mut self) -> *mut ngx_chain_t {
        std::mem::replace(&mut self.head, ptr::null_mut())
    }

    /// Copies into the request's pool.
    fn copy(&self, bytes: &[u8]) -> Result<*mut u8, Failure> {
        // SAFETY: the request's pool.
        let copy = unsafe { ngx_pnalloc(self.pool, bytes.len()) }.cast::<u8>();
        if copy.is_null() {
            return Err(Failure::Memory);
        }
        // SAFETY: the pool has given so much.
        unsafe { copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(copy)
    }

    /// Pushes a read-only buffer for bytes that outlive the request, now the last of the body instead of
    /// `buf`.
    fn push_after(
        &mut self,
        buf: *mut ngx_buf_t,
        data: *mut u8,
        length: usize,
    ) -> Result<*mut ngx_buf_t, Failure> {
        // SAFETY: the request's pool; `buf` is a buffer of nginx's, or was made here.
        let after = unsafe { shim_buf_after(self.pool, buf, data, length) };
        if after.is_null() {
            return Err(Failure::Memory);
        }
        self.push(after)?;
        Ok(after)
    }
}

impl Drop for KeptChain {
    fn drop(&mut self) {
        while !self.head.is_null() {
            let link = self.head;
            // SAFETY: a link that `push` made.
            self.head = unsafe { (*link).next };
            // SAFETY: as above; nobody has kept it.
            unsafe { shim_free_chain(self.pool, link) };
        }
    }
}
