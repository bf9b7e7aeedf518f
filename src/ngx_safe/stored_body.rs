//! A body that was read before anybody could filter it: nginx has it whole, in memory or in a file. It goes through
//! the filter where it lies, a piece at a time, and other requests have their turn between the pieces.

use std::marker::PhantomData;
use std::ptr;

use ngx::ffi::{NGX_ERROR, ngx_buf_t, ngx_chain_t};

use crate::Status;
use crate::body_pieces::{Failure, Kept, KeptChain, narrow, piece_of};
use crate::request::Request;
use crate::shim::*;

/// Bytes of a file that are in memory at a time.
const PIECE: usize = 64 << 10;

/// Pieces of a file before others have their turn: some milliseconds.
const PIECES: usize = 32;

/// How far a stored body has gone through the filter. It is of a request, and kept no longer.
#[derive(Debug)]
pub struct StoredBody<'r> {
    /// The next one to be filtered; null once all have been.
    link: *mut ngx_chain_t,
    /// Within the file of that one.
    place: Option<FilePlace>,
    ended: bool,
    life: PhantomData<Request<'r>>,
}

/// What is left is never longer than what was read, so it is written over that.
#[derive(Debug, Clone, Copy)]
struct FilePlace {
    read: i64,
    written: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// It has to be asked again.
    More,
}

impl<'r> StoredBody<'r> {
    pub(crate) fn new(request: Request<'r>) -> StoredBody<'r> {
        StoredBody {
            link: request.stored_body(),
            place: None,
            ended: false,
            life: PhantomData,
        }
    }

    /// # Safety
    /// Nothing else holds a reference to the buffers of the request's body.
    pub(crate) unsafe fn advance(
        &mut self,
        request: Request<'_>,
        take: impl Fn(&mut [u8], bool) -> Result<Kept, Status>,
    ) -> Result<Progress, Failure> {
        if self.ended {
            return Err(Failure::Memory);
        }
        // SAFETY: reads a bit of a request in progress.
        if unsafe { shim_is_reading_body(request.as_ptr()) } != 0 {
            return Err(Failure::Stored);
        }
        if self.link.is_null() && self.place.is_none() && request.has_body() {
            let Kept { tail, .. } = take(&mut [], true).map_err(Failure::Rejected)?;
            // Nothing was there to be held back.
            if !tail.is_empty() {
                return Err(Failure::Stored);
            }
        }
        // SAFETY: null, or a link of nginx's chain, which lives as long as the request.
        while let Some(link) = unsafe { self.link.as_mut() } {
            let (buf, next) = (link.buf, link.next);
            // SAFETY: a buffer of the chain.
            let tail = if unsafe { shim_buf_is_file(buf) } == 0 {
                // SAFETY: by this function's contract.
                unsafe { filter_memory(buf, next.is_null(), &take) }?
            } else {
                let place = self.place.get_or_insert_with(|| {
                    // SAFETY: a buffer of the chain.
                    let start = unsafe { (*buf).file_pos };
                    FilePlace {
                        read: start,
                        written: start,
                    }
                });
                // SAFETY: by this function's contract.
                let whole = unsafe { filter_file(buf, place, next.is_null(), &take) }?;
                if !whole {
                    return Ok(Progress::More);
                }
                // SAFETY: what is beyond has been read.
                unsafe { shim_file_cut(request.as_ptr(), buf, place.written) };
                self.place = None;
                Kept::default()
            };
            if !tail.tail.is_empty() {
                let mut after = KeptChain::new(request);
                after.push_tail(buf, &tail.tail, tail.padding)?;
                link.next = after.into_links();
            }
            self.link = next;
        }
        self.ended = true;
        // SAFETY: the chain, of which nothing is looked at any longer here.
        unsafe { shim_drop_empty(request.as_ptr()) };
        Ok(Progress::Done)
    }
}

/// Filters what is in memory, or nothing but the end; what is returned has a tail to follow it, if there is one.
///
/// # Safety
/// A buffer; nothing else holds a reference to what is in its memory.
unsafe fn filter_memory(
    buf: *mut ngx_buf_t,
    ends: bool,
    take: &impl Fn(&mut [u8], bool) -> Result<Kept, Status>,
) -> Result<Kept, Failure> {
    // SAFETY: by this function's contract.
    let piece = unsafe { piece_of(buf) }?;
    let length = piece.len();
    let kept = take(piece, ends).map_err(Failure::Rejected)?;
    let end = kept.data.end.min(length);
    // SAFETY: a buffer with so much data; the bytes lie within it.
    unsafe { narrow(buf, &(kept.data.start.min(end)..end)) };
    // SAFETY: the copy in a file, if there is one, is not what is in memory now.
    unsafe { shim_buf_forget_file(buf) };
    Ok(kept)
}

/// Filters some pieces of a file; tells whether these were the last ones.
///
/// # Safety
/// A buffer in a file.
unsafe fn filter_file(
    buf: *mut ngx_buf_t,
    place: &mut FilePlace,
    is_last: bool,
    take: &impl Fn(&mut [u8], bool) -> Result<Kept, Status>,
) -> Result<bool, Failure> {
    // SAFETY: by this function's contract.
    let end = unsafe { (*buf).file_last };
    let mut room = vec![0; PIECE];
    let mut read = Vec::with_capacity(PIECE);
    for _ in 0..PIECES {
        let left = usize::try_from(end - place.read).map_or(0, |left| left.min(PIECE));
        let piece = room.get_mut(..left).ok_or(Failure::Stored)?;
        // SAFETY: there is so much room.
        let count = unsafe { shim_file_read(buf, piece.as_mut_ptr(), left, place.read) };
        if count == NGX_ERROR as isize || usize::try_from(count) != Ok(left) {
            return Err(Failure::Stored);
        }
        read.clear();
        read.extend_from_slice(piece);
        let from = place.read;
        place.read += left as i64;
        let ends = place.read >= end;
        let kept = take(piece, ends && is_last).map_err(Failure::Rejected)?;
        let data = piece.get(kept.data).ok_or(Failure::Stored)?;
        let is_there = place.written == from && read.starts_with(data);
        for (bytes, is_there) in [(data, is_there), (&kept.tail, false)] {
            if kept.padding > 0 || place.written + bytes.len() as i64 > place.read {
                return Err(Failure::Stored);
            }
            // SAFETY: nginx copies the bytes, to where others have been read.
            if !is_there && unsafe { write(buf, bytes, place.written) }.is_none() {
                return Err(Failure::Stored);
            }
            place.written += bytes.len() as i64;
        }
        if ends {
            // SAFETY: by this function's contract; the place lies within the file.
            unsafe { (*buf).file_last = place.written };
            return Ok(true);
        }
    }
    Ok(false)
}

/// # Safety
/// A buffer in a file, which is changed there.
unsafe fn write(buf: *mut ngx_buf_t, bytes: &[u8], at: i64) -> Option<()> {
    if bytes.is_empty() {
        return Some(());
    }
    // SAFETY: by this function's contract; nginx only reads the bytes.
    let written = unsafe { shim_file_write(buf, bytes.as_ptr().cast_mut(), bytes.len(), at) };
    (usize::try_from(written) == Ok(bytes.len())).then_some(())
}

impl<'r> Request<'r> {
    /// Returns the chain of a body that was read; null where it has none.
    fn stored_body(self) -> *mut ngx_chain_t {
        // SAFETY: null, or the body of a request in progress.
        let body = unsafe { self.raw().request_body.as_ref() };
        body.map_or(ptr::null_mut(), |body| body.bufs)
    }
}
