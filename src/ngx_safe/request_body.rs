//! The request body filter: buffers of the client's body, looked at and changed where they lie.

use std::ptr;

use ngx::ffi::{ngx_chain_t, ngx_http_request_t, ngx_http_top_request_body_filter, ngx_int_t};

pub use crate::body_pieces::Kept;
use crate::body_pieces::{Failure, KeptChain, narrow, piece_of};
use crate::complete::Complete;
use crate::filter::{BodyFilter, NextBodyFilter};
use crate::module::Module;
use crate::request::Request;
use crate::shim::*;
use crate::stored_body::{Progress, StoredBody};
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

/// Has some more of a request's stored body filtered. `Err` is the status that the request ends with.
pub(crate) fn advance_stored<F: RequestBodyFilter>(
    request: Request<'_>,
) -> Result<Progress, Status> {
    let Some(state) = F::state(request) else {
        return Err(INTERNAL_SERVER_ERROR);
    };
    let take = |piece: &mut [u8], ends| F::take(request, &state, piece, ends);
    let advanced = F::with_stored(request, |stored| {
        let stored = stored.get_or_insert_with(|| Box::new(StoredBody::new(request)));
        // SAFETY: nothing else holds a reference to nginx's buffers.
        unsafe { stored.advance(request, take) }
    });
    advanced
        .unwrap_or(Err(Failure::Memory))
        .map_err(|failure| answer_failure::<F>(request, failure))
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
