//! The request body filter: buffers of the client's body, looked at and changed where they lie.

use std::ops::Range;
use std::ptr;

use ngx::ffi::{
    ngx_alloc_chain_link, ngx_buf_t, ngx_chain_t, ngx_http_request_t,
    ngx_http_top_request_body_filter, ngx_int_t, ngx_pnalloc, ngx_pool_t,
};

use crate::complete::Complete;
use crate::filter::{BodyFilter, NextBodyFilter};
use crate::module::Module;
use crate::request::Request;
use crate::shim::*;
use crate::stored_body::StoredBody;
use crate::tables::data_of;
use crate::{INTERNAL_SERVER_ERROR, Status, guarded};

/// A filter that sees the bodies of requests, as they are read.
pub trait RequestBodyFilter {
    type State<'r>;

    /// This filter's own.
    fn next() -> &'static NextBodyFilter;

    /// Returns what `take` needs; None for a request whose body goes on as it is.
    fn state<'r>(request: Request<'r>) -> Option<Self::State<'r>>;

    /// Takes a piece of the body, in its place; `ends` says that it is the last one. `Err` is the status
    /// that the request ends with, whatever `error_page` says.
    fn take<'r>(
        request: Request<'r>,
        state: &Self::State<'r>,
        piece: &mut [u8],
        ends: bool,
    ) -> Result<Kept, Status>;

    /// Has `set` look at the place where it is kept how far a body has been filtered that was read before; None where
    /// there is no such place.
    fn with_stored<'r, T>(
        request: Request<'r>,
        set: impl FnOnce(&mut Option<Box<StoredBody<'r>>>) -> T,
    ) -> Option<T>;

    /// Hears that the request fails, since another module hands over memory that may not be written to.
    fn cannot_write(request: Request<'_>);

    /// Hears that it fails, since what has been read of its body cannot be read or written again.
    fn cannot_filter(request: Request<'_>);
}

/// The rest of a piece of the body.
#[derive(Debug, Default)]
pub struct Kept {
    pub data: Range<usize>,
    /// The body's end, which had been held back, where the piece has no room for it.
    pub tail: Vec<u8>,
    /// Spaces after the tail.
    pub padding: u64,
}

impl<M: Module> Complete<'_, M> {
    /// Puts a filter of request bodies before nginx's.
    pub fn add_request_body_filter<F: RequestBodyFilter>(&self) {
        let top = &raw mut ngx_http_top_request_body_filter;
        // SAFETY: configuration time: nothing else runs.
        F::next().set(unsafe { ptr::replace(top, Some(filter::<F> as BodyFilter)) });
    }
}

impl Request<'_> {
    /// Has packets to the upstream filled up while more of a body that is not buffered has arrived. What does not fill
    /// one leaves before nginx waits for more.
    pub fn fill_packets(self) {
        // SAFETY: a request in progress.
        unsafe { shim_fill_packets(self.as_ptr()) };
    }
}

unsafe extern "C" fn filter<F: RequestBodyFilter>(
    r: *mut ngx_http_request_t,
    input: *mut ngx_chain_t,
) -> ngx_int_t {
    guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, whose body is being read.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return INTERNAL_SERVER_ERROR;
        };
        let Some(state) = F::state(request) else {
            // SAFETY: what nginx would have called, with what it hands over.
            return unsafe { F::next().call(r, input) };
        };
        let mut kept = KeptChain::new(request);
        let take = |piece: &mut [u8], ends| F::take(request, &state, piece, ends);
        // SAFETY: nginx's chain, whose buffers nothing else holds a reference to.
        match unsafe { take_all(take, input, &mut kept) } {
            // SAFETY: a chain like the one that nginx hands over.
            Ok(()) => unsafe { F::next().call(r, kept.head) },
            Err(failure) => answer_failure::<F>(request, failure),
        }
    })
}

pub(crate) enum Failure {
    Memory,
    /// A piece is changed where its bytes lie, and these belong to somebody else.
    ReadOnly,
    /// What is stored is not what nginx says, or its file cannot be changed.
    Stored,
    Rejected(Status),
}

/// Returns the status that the request ends with.
pub(crate) fn answer_failure<F: RequestBodyFilter>(
    request: Request<'_>,
    failure: Failure,
) -> Status {
    match failure {
        Failure::Memory => INTERNAL_SERVER_ERROR,
        Failure::ReadOnly => {
            F::cannot_write(request);
            INTERNAL_SERVER_ERROR
        }
        Failure::Stored => {
            F::cannot_filter(request);
            INTERNAL_SERVER_ERROR
        }
        Failure::Rejected(status) => {
            // SAFETY: sets a bit of a request in progress.
            unsafe { shim_no_error_page(request.as_ptr()) };
            status
        }
    }
}

/// Narrows each buffer to the data in it, and links those that have any, or are the last, to `kept`.
///
/// # Safety
/// `link` is a chain of nginx's; nothing else holds a reference to what its buffers say may be written to.
unsafe fn take_all(
    take: impl Fn(&mut [u8], bool) -> Result<Kept, Status>,
    mut link: *mut ngx_chain_t,
    kept: &mut KeptChain,
) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    while let Some(ngx_chain_t { buf, next }) = unsafe { link.as_ref() } {
        let buf = *buf;
        link = *next;
        // SAFETY: a buffer of the chain.
        let ends = unsafe { shim_buf_is_last(buf) != 0 };
        // SAFETY: as above.
        let piece = unsafe { piece_of(buf) }?;
        let length = piece.len();
        let Kept {
            data,
            tail,
            padding,
        } = take(piece, ends).map_err(Failure::Rejected)?;
        let end = data.end.min(length);
        let data = data.start.min(end)..end;
        if length > 0 {
            // SAFETY: as above; the data lies within the piece.
            unsafe { narrow(buf, &data) };
        }
        if !data.is_empty() {
            kept.push(buf)?;
        }
        if !tail.is_empty() {
            kept.push_tail(buf, &tail, padding)?;
        } else if data.is_empty() && ends {
            // SAFETY: as above.
            unsafe { shim_buf_forget_memory(buf) };
            kept.push(buf)?;
        }
    }
    Ok(())
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
    head: *mut ngx_chain_t,
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

    fn push(&mut self, buf: *mut ngx_buf_t) -> Result<(), Failure> {
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
