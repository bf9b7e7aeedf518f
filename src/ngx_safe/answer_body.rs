//! The body of an answer that cannot go on as it is. Its head is held back until the body has shown what
//! becomes of both. All other bodies pass after the test of a pointer.

use std::cell::RefCell;
use std::ffi::CStr;
use std::ptr;

use ngx::ffi::{ngx_buf_t, ngx_chain_t, ngx_http_request_t, ngx_int_t};

use super::answer::{send_body, send_head};
use super::request::Request;
use super::shim::*;
use super::{ERROR, OK, guarded};

/// How much of a file is read at a time, in bytes.
const READ: usize = 16 << 10;

/// Decides on a body while it arrives.
pub(crate) trait Rewriter: Sized {
    /// Where those that are under way for a request are kept, if there can be any.
    fn under_way(request: Request<'_>) -> Option<&Rewritings<Self>>;

    /// Takes a piece of the body.
    fn take(&mut self, request: Request<'_>, piece: &[u8]) -> Step;

    /// The body has ended: as it should, or broken off.
    fn end(&mut self, request: Request<'_>, is_whole: bool) -> Step;
}

/// What follows from a piece.
pub(crate) enum Step {
    /// Nothing is sent yet.
    Hold,
    /// The head is sent, and this part of a body that is longer than it is known yet.
    Send(Vec<u8>),
    /// The head is sent as it is unless it has been, and this, and then the rest of the body as it comes.
    PassOn(Vec<u8>),
    /// The head is sent unless it has been, for this body or as its last part.
    End {
        body: Vec<u8>,
        content_type: &'static CStr,
    },
    /// Another answer has been sent, with that status of nginx's.
    Answered(ngx_int_t),
    /// What has been sent cannot be gone on with.
    Fail,
}

/// The answers whose bodies are rewritten, each with its request: subrequests share a context.
pub(crate) struct Rewritings<R>(RefCell<Vec<Rewriting<R>>>);

struct Rewriting<R> {
    request: *mut ngx_http_request_t,
    /// None: it has ended, and what else arrives is dropped.
    rewriter: Option<R>,
    head_sent: bool,
}

impl<R> Default for Rewritings<R> {
    fn default() -> Rewritings<R> {
        Rewritings(RefCell::default())
    }
}

impl<R> Rewritings<R> {
    /// From a header filter, which returns the result: holds back the head, and has the body rewritten.
    pub(crate) fn hold(&self, request: Request<'_>, rewriter: R) -> ngx_int_t {
        // One of an answer that was given up.
        drop(self.take(request.as_ptr()));
        self.put(Rewriting {
            request: request.as_ptr(),
            rewriter: Some(rewriter),
            head_sent: false,
        });
        OK
    }

    fn take(&self, r: *mut ngx_http_request_t) -> Option<Rewriting<R>> {
        let mut all = self.0.borrow_mut();
        let place = all.iter().position(|one| one.request == r)?;
        Some(all.swap_remove(place))
    }

    fn put(&self, rewriting: Rewriting<R>) {
        self.0.borrow_mut().push(rewriting);
    }
}

pub(super) unsafe extern "C" fn filter<R: Rewriter>(
    r: *mut ngx_http_request_t,
    input: *mut ngx_chain_t,
) -> ngx_int_t {
    let ours = guarded(Some(ERROR), || {
        // SAFETY: nginx's request, whose answer is being sent.
        let request = unsafe { Request::from_ptr(r) }?;
        let under_way = R::under_way(request)?;
        let mut rewriting = under_way.take(r)?;
        // SAFETY: nginx's chain, of buffers that nothing else holds a reference to.
        Some(match unsafe { rewriting.take(request, input) } {
            Next::KeepOn(status) => {
                under_way.put(rewriting);
                status
            }
            Next::LetGo(status) => status,
        })
    });
    // SAFETY: what nginx would have called.
    ours.unwrap_or_else(|| unsafe { send_body(r, input) })
}

/// What is to be returned, and whether there is more to be done.
enum Next {
    KeepOn(ngx_int_t),
    LetGo(ngx_int_t),
}

impl<R: Rewriter> Rewriting<R> {
    /// # Safety
    /// `link` is a chain of nginx's, of buffers that nothing else holds a reference to.
    unsafe fn take(&mut self, request: Request<'_>, mut link: *mut ngx_chain_t) -> Next {
        let mut status = OK;
        let mut is_flushed = false;
        // SAFETY: by this function's contract, in all of it.
        unsafe {
            while let Some(ngx_chain_t { buf, next }) = link.as_ref() {
                let (buf, next) = (*buf, *next);
                let ends = s3_shim_ends_answer(request.as_ptr(), buf) != 0;
                is_flushed |= s3_shim_buf_flushes(buf) != 0;
                loop {
                    let step = match (&mut self.rewriter, next_piece(buf)) {
                        (_, Err(Failed)) => return Next::LetGo(ERROR),
                        (_, Ok(None)) => break,
                        (None, Ok(Some(_))) => continue,
                        (Some(rewriter), Ok(Some(piece))) => rewriter.take(request, piece.bytes()),
                    };
                    if let Step::PassOn(start) = step {
                        return Next::LetGo(self.pass_on(request, start, buf, next));
                    }
                    status = self.go(request, step);
                    if status == ERROR {
                        return Next::LetGo(ERROR);
                    }
                }
                s3_shim_buf_taken(buf);
                // nginx lets go of an upstream whose answer breaks off, and flushes what has come.
                let is_broken = !ends && is_flushed && !request.is_from_upstream();
                if (ends || is_broken)
                    && let Some(rewriter) = &mut self.rewriter
                {
                    let step = rewriter.end(request, ends);
                    if let Step::PassOn(start) = step {
                        return Next::LetGo(self.pass_on(request, start, buf, next));
                    }
                    status = self.go(request, step);
                    if status == ERROR {
                        return Next::LetGo(ERROR);
                    }
                }
                link = next;
            }
            if self.head_sent && status == OK {
                status = send_body(request.as_ptr(), ptr::null_mut());
            }
        }
        Next::KeepOn(status)
    }

    /// Sends what a step says, and ends with it where that is the end.
    ///
    /// # Safety
    /// A request whose answer is being sent.
    unsafe fn go(&mut self, request: Request<'_>, step: Step) -> ngx_int_t {
        // SAFETY: by this function's contract.
        unsafe {
            match step {
                Step::Hold => OK,
                Step::Send(part) => {
                    if !self.head_sent {
                        request.forget_answer_length();
                    }
                    self.send(request, &part, false)
                }
                Step::End { body, content_type } => {
                    self.rewriter = None;
                    if !self.head_sent {
                        request.change_answer_body(body.len(), content_type);
                    }
                    self.send(request, &body, true)
                }
                Step::Answered(status) => {
                    self.rewriter = None;
                    self.head_sent = true;
                    if status > OK { ERROR } else { status }
                }
                Step::PassOn(_) | Step::Fail => ERROR,
            }
        }
    }

    /// # Safety
    /// As of `go`.
    unsafe fn send(&mut self, request: Request<'_>, part: &[u8], is_last: bool) -> ngx_int_t {
        // SAFETY: by this function's contract; what is sent is in the request's pool.
        unsafe {
            let r = request.as_ptr();
            let status = self.send_head(request);
            if status == ERROR || status > OK {
                return ERROR;
            }
            let Some(part) = request.copy(part) else {
                return ERROR;
            };
            let buf = match is_last {
                true => s3_shim_body_buf(r, part.as_mut_ptr(), part.len()),
                false => s3_shim_buf_for((*r).pool, ptr::null_mut(), part.as_mut_ptr(), part.len()),
            };
            if buf.is_null() {
                return ERROR;
            }
            let mut link = ngx_chain_t {
                buf,
                next: ptr::null_mut(),
            };
            send_body(r, &mut link)
        }
    }

    /// Sends the head, this, and what is left in the chain from `buf` on, of which some has been taken.
    ///
    /// # Safety
    /// As of `go`; `buf` is a buffer of a chain that goes on with `next`.
    unsafe fn pass_on(
        &mut self,
        request: Request<'_>,
        start: Vec<u8>,
        buf: *mut ngx_buf_t,
        next: *mut ngx_chain_t,
    ) -> ngx_int_t {
        // SAFETY: by this function's contract; what is sent is in the request's pool.
        unsafe {
            let r = request.as_ptr();
            let status = self.send_head(request);
            if status == ERROR || status > OK {
                return ERROR;
            }
            let mut rest = ngx_chain_t { buf, next };
            let is_used_up = s3_shim_buf_length(buf) == 0;
            let like = if is_used_up { buf } else { ptr::null_mut() };
            let rest: *mut ngx_chain_t = if is_used_up { next } else { &mut rest };
            if start.is_empty() && (!is_used_up || s3_shim_buf_is_special(buf) == 0) {
                return send_body(r, rest);
            }
            let Some(start) = request.copy(&start) else {
                return ERROR;
            };
            let first = s3_shim_buf_for((*r).pool, like, start.as_mut_ptr(), start.len());
            if first.is_null() {
                return ERROR;
            }
            let mut chain = ngx_chain_t {
                buf: first,
                next: rest,
            };
            send_body(r, &mut chain)
        }
    }

    /// # Safety
    /// As of `go`.
    unsafe fn send_head(&mut self, request: Request<'_>) -> ngx_int_t {
        if std::mem::replace(&mut self.head_sent, true) {
            return OK;
        }
        // SAFETY: by this function's contract.
        unsafe { send_head(request.as_ptr()) }
    }
}

/// A part of a body.
enum Piece<'a> {
    InMemory(&'a [u8]),
    Read(Vec<u8>),
}

impl Piece<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::InMemory(bytes) => bytes,
            Piece::Read(bytes) => bytes,
        }
    }
}

/// A file could not be read.
struct Failed;

/// Takes the next bytes of a buffer, if it has any more.
///
/// # Safety
/// A buffer of nginx's, whose memory stays as it is for `'a`.
unsafe fn next_piece<'a>(buf: *mut ngx_buf_t) -> Result<Option<Piece<'a>>, Failed> {
    // SAFETY: by this function's contract: between `pos` and `last` lie the bytes of a buffer in memory.
    unsafe {
        if s3_shim_buf_in_memory(buf) != 0 {
            let length = usize::try_from((*buf).last.offset_from((*buf).pos)).unwrap_or(0);
            if length == 0 {
                return Ok(None);
            }
            let bytes = std::slice::from_raw_parts((*buf).pos, length);
            s3_shim_buf_taken(buf);
            return Ok(Some(Piece::InMemory(bytes)));
        }
        let mut bytes = vec![0; READ];
        let read = s3_shim_buf_read(buf, bytes.as_mut_ptr(), bytes.len());
        bytes.truncate(usize::try_from(read).map_err(|_| Failed)?);
        Ok((!bytes.is_empty()).then_some(Piece::Read(bytes)))
    }
}
