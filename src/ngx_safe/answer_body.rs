//! The body of an answer that cannot go on as it is. Its head is held back until the body has shown what
//! becomes of both. All other bodies pass after the test of a pointer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::CStr;
use std::ptr;

use ngx::ffi::{
    ngx_buf_t, ngx_chain_t, ngx_http_request_t, ngx_http_top_body_filter,
    ngx_http_top_header_filter, ngx_int_t,
};

use crate::answer_out::{AnswerOut, OutFailed};
use crate::complete::Complete;
use crate::filter::{BodyFilter, HeadFilter, NextBodyFilter, NextHeadFilter};
use crate::module::Module;
use crate::request::Request;
use crate::response::Response;
use crate::shim::*;
use crate::tables::data_of;
use crate::{AGAIN, ERROR, OK, Status, guarded};

/// How much of a file is read at a time, in bytes.
const READ: usize = 16 << 10;

/// A filter that decides on answers: on their heads, and on a body while it arrives.
pub trait AnswerFilter: Sized {
    /// This filter's own.
    fn next_head() -> &'static NextHeadFilter;
    fn next_body() -> &'static NextBodyFilter;

    /// Decides what becomes of a head that is about to be sent.
    fn judge(request: Request<'_>) -> HeadVerdict<Self>;

    /// Returns where the rewritings of a request are kept, if there can be any.
    fn under_way(request: Request<'_>) -> Option<&Rewritings<Self>>;

    /// Takes a piece of the body.
    fn take(&mut self, request: Request<'_>, piece: &[u8]) -> AnswerStep;

    /// Takes the end of the body: as it should be, or broken off.
    fn end(&mut self, request: Request<'_>, is_whole: bool) -> AnswerStep;
}

#[derive(Debug)]
pub enum HeadVerdict<R> {
    Pass,
    /// It is held back, and the body rewritten.
    Hold(R),
    /// This goes out instead of the page of an error that ends the request's body.
    Substitute(Response),
    /// This goes out instead of the page of an error of nginx's own.
    InsteadOfError(Response),
    /// The upstream's answer is dropped, and this goes out instead.
    Replace(Response),
    Fail,
}

/// The step that follows a piece.
#[derive(Debug)]
pub enum AnswerStep {
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
    /// Nothing has been sent: the upstream's answer is dropped, and this goes out instead.
    Replace(Response),
    /// What has been sent cannot be gone on with.
    Fail,
}

impl<M: Module> Complete<'_, M> {
    /// Puts a filter of answers before nginx's.
    pub fn add_answer_filter<R: AnswerFilter>(&self) {
        let (head, body) = (
            &raw mut ngx_http_top_header_filter,
            &raw mut ngx_http_top_body_filter,
        );
        // SAFETY: configuration time: nothing else runs.
        R::next_head().set(unsafe { ptr::replace(head, Some(head_filter::<R> as HeadFilter)) });
        // SAFETY: as above.
        R::next_body().set(unsafe { ptr::replace(body, Some(body_filter::<R> as BodyFilter)) });
    }
}

unsafe extern "C" fn head_filter<R: AnswerFilter>(r: *mut ngx_http_request_t) -> ngx_int_t {
    let decided = guarded(Some(ERROR), || {
        // SAFETY: nginx's request, whose answer is ready to be sent.
        let request = unsafe { Request::from_ptr(r) }?;
        match R::judge(request) {
            HeadVerdict::Pass => None,
            HeadVerdict::Hold(rewriter) => {
                let Some(under_way) = R::under_way(request) else {
                    return Some(ERROR);
                };
                under_way.hold(request, rewriter);
                Some(OK)
            }
            HeadVerdict::Substitute(response) => {
                Some(response.substitute(request, send_head::<R>, send_body::<R>))
            }
            HeadVerdict::InsteadOfError(response) => {
                Some(response.instead_of_error(request, send_head::<R>, send_body::<R>))
            }
            HeadVerdict::Replace(response) => Some(replace::<R>(request, &response)),
            HeadVerdict::Fail => Some(ERROR),
        }
    });
    // SAFETY: what nginx would have called.
    decided.unwrap_or_else(|| unsafe { R::next_head().call(r) })
}

fn replace<R: AnswerFilter>(request: Request<'_>, response: &Response) -> Status {
    response.replace(request, send_head::<R>, send_body::<R>)
}

unsafe extern "C" fn send_head<R: AnswerFilter>(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: a request whose answer is ready to be sent.
    unsafe { R::next_head().call(r) }
}

unsafe extern "C" fn send_body<R: AnswerFilter>(
    r: *mut ngx_http_request_t,
    chain: *mut ngx_chain_t,
) -> ngx_int_t {
    // SAFETY: a request whose answer's head has been sent.
    unsafe { R::next_body().call(r, chain) }
}

/// The answers whose bodies are rewritten, each with its request: subrequests share a context.
#[derive(Debug)]
pub struct Rewritings<R>(RefCell<Vec<Rewriting<R>>>);

#[derive(Debug)]
struct Rewriting<R> {
    request: *mut ngx_http_request_t,
    /// None: it has ended, and what else arrives is dropped.
    rewriter: Option<R>,
    head_sent: bool,
    /// What waits until the client has taken of what was sent.
    arrived: VecDeque<Arrived>,
    out: AnswerOut,
}

/// A buffer of nginx's, which nothing else holds a reference to, and what it told when it arrived.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    /// Null once all of it has been taken before the rest could be done: nginx may fill it again.
    buf: *mut ngx_buf_t,
    /// The body is at its end with it.
    ends: bool,
    /// The body breaks off with it.
    breaks_off: bool,
}

impl<R> Default for Rewritings<R> {
    fn default() -> Rewritings<R> {
        Rewritings(RefCell::default())
    }
}

impl<R> Rewritings<R> {
    fn hold(&self, request: Request<'_>, rewriter: R) {
        // The rewriting of an answer that was given up, if any.
        drop(self.take(request.as_ptr()));
        self.put(Rewriting {
            request: request.as_ptr(),
            rewriter: Some(rewriter),
            head_sent: false,
            arrived: VecDeque::new(),
            out: AnswerOut::default(),
        });
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

unsafe extern "C" fn body_filter<R: AnswerFilter>(
    r: *mut ngx_http_request_t,
    input: *mut ngx_chain_t,
) -> ngx_int_t {
    let decided = guarded(Some(ERROR), || {
        // SAFETY: nginx's request, whose answer is being sent.
        let request = unsafe { Request::from_ptr(r) }?;
        let under_way = R::under_way(request)?;
        let mut rewriting = under_way.take(r)?;
        // SAFETY: nginx's chain, of buffers that nothing else holds a reference to.
        Some(match unsafe { rewriting.take(request, input) } {
            Ok(status) => {
                // SAFETY: a request in progress.
                unsafe { shim_out_waits(r, (!rewriting.arrived.is_empty()).into()) };
                under_way.put(rewriting);
                status
            }
            Err(Done(status)) => {
                // SAFETY: as above.
                unsafe { shim_out_waits(r, 0) };
                status
            }
        })
    });
    // SAFETY: what nginx would have called.
    decided.unwrap_or_else(|| unsafe { R::next_body().call(r, input) })
}

/// The rewriting is over, and this is to be returned.
struct Done(Status);

/// The end of a rewriting that failed.
const FAILED: Done = Done(ERROR);

impl From<OutFailed> for Done {
    fn from(_: OutFailed) -> Done {
        FAILED
    }
}

impl<R: AnswerFilter> Rewriting<R> {
    /// # Safety
    /// `link` is a chain of nginx's, of buffers that nothing else holds a reference to, and that stay as they
    /// are until they have been taken.
    unsafe fn take(
        &mut self,
        request: Request<'_>,
        link: *mut ngx_chain_t,
    ) -> Result<Status, Done> {
        // SAFETY: by this function's contract.
        unsafe { self.note_arrived(request, link) };
        let mut status = OK;
        if self.head_sent {
            status = self.out.flush(request, R::next_body())?;
        }
        while let Some(Arrived {
            buf,
            ends,
            breaks_off,
        }) = self.arrived.front().copied()
        {
            while !self.is_full() {
                // SAFETY: by this function's contract; its memory stays as it is until the next filter has it.
                let Some(piece) = unsafe { next_piece(buf) }? else {
                    break;
                };
                if let Some(rewriter) = &mut self.rewriter {
                    let step = rewriter.take(request, piece.bytes());
                    status = self.go(request, step)?;
                }
            }
            if self.is_full() {
                self.let_go_of_taken();
                return Ok(AGAIN);
            }
            if !buf.is_null() {
                // SAFETY: as above.
                unsafe { shim_buf_taken(buf) };
            }
            if (ends || breaks_off)
                && let Some(rewriter) = &mut self.rewriter
            {
                let step = rewriter.end(request, ends);
                status = self.go(request, step)?;
            }
            self.arrived.pop_front();
        }
        Ok(status)
    }

    /// # Safety
    /// As of `take`.
    unsafe fn note_arrived(&mut self, request: Request<'_>, mut link: *mut ngx_chain_t) {
        let mut is_flushed = false;
        // SAFETY: by this function's contract.
        while let Some(ngx_chain_t { buf, next }) = unsafe { link.as_ref() } {
            let (buf, next) = (*buf, *next);
            // SAFETY: a buffer of the chain.
            let ends = unsafe { shim_ends_answer(request.as_ptr(), buf) != 0 };
            // SAFETY: as above.
            is_flushed |= unsafe { shim_buf_flushes(buf) != 0 };
            self.arrived.push_back(Arrived {
                buf,
                ends,
                // nginx lets go of an upstream whose answer breaks off, and flushes what has come.
                breaks_off: !ends && is_flushed && !request.is_from_upstream(),
            });
            link = next;
        }
    }

    fn let_go_of_taken(&mut self) {
        if let Some(front) = self.arrived.front_mut()
            // SAFETY: a buffer that has not been let go of.
            && (front.buf.is_null() || unsafe { shim_buf_length(front.buf) } == 0)
        {
            front.buf = ptr::null_mut();
        }
    }

    /// Tells whether a body that is still rewritten has to wait for the client.
    fn is_full(&self) -> bool {
        self.rewriter.is_some() && self.out.is_full()
    }

    /// Sends what a step says, and ends with it where that is the end.
    fn go(&mut self, request: Request<'_>, step: AnswerStep) -> Result<Status, Done> {
        match step {
            AnswerStep::Hold => Ok(OK),
            AnswerStep::Send(part) => {
                if !self.head_sent {
                    request.forget_answer_length();
                }
                self.send_head(request)?;
                Ok(self.out.send(request, &part, R::next_body())?)
            }
            AnswerStep::End { body, content_type } => {
                self.rewriter = None;
                if !self.head_sent {
                    request.change_answer_body(body.len(), content_type);
                }
                self.send_last(request, &body)
            }
            AnswerStep::Replace(_) if self.head_sent => Err(FAILED),
            AnswerStep::Replace(response) => {
                self.rewriter = None;
                self.head_sent = true;
                match replace::<R>(request, &response) {
                    ERROR | 1.. => Err(FAILED),
                    status => Ok(status),
                }
            }
            AnswerStep::PassOn(start) => Err(Done(self.pass_on(request, &start))),
            AnswerStep::Fail => Err(FAILED),
        }
    }

    fn send_last(&mut self, request: Request<'_>, part: &[u8]) -> Result<Status, Done> {
        self.send_head(request)?;
        let part = request.copy(part).ok_or(FAILED)?;
        let (data, len) = (part.as_mut_ptr(), part.len());
        // SAFETY: what is sent is in the request's pool.
        let buf = unsafe { shim_body_buf(request.as_ptr(), data, len) };
        if buf.is_null() {
            return Err(FAILED);
        }
        let mut link = ngx_chain_t {
            buf,
            next: ptr::null_mut(),
        };
        // SAFETY: the head has been sent.
        match unsafe { R::next_body().call(request.as_ptr(), &mut link) } {
            ERROR => Err(FAILED),
            status => Ok(status),
        }
    }

    /// Sends the head, this, and what has arrived, of whose first buffer some has been taken.
    fn pass_on(&mut self, request: Request<'_>, start: &[u8]) -> Status {
        if self.send_head(request).is_err() {
            return ERROR;
        }
        let used_up = match self.arrived.front() {
            Some(front) if front.buf.is_null() => return ERROR,
            // SAFETY: the buffer that has just been looked at.
            Some(front) if unsafe { shim_buf_length(front.buf) } == 0 => front.buf,
            _ => ptr::null_mut(),
        };
        let rest = self.arrived.iter().map(|arrived| arrived.buf);
        let mut bufs: Vec<_> = rest.filter(|buf| *buf != used_up).collect();
        // SAFETY: the buffer that has just been looked at.
        let is_special = !used_up.is_null() && unsafe { shim_buf_is_special(used_up) } != 0;
        if !start.is_empty() || is_special {
            let Some(start) = request.copy(start) else {
                return ERROR;
            };
            let (data, len) = (start.as_mut_ptr(), start.len());
            // SAFETY: what is sent is in the request's pool.
            let start = unsafe { shim_buf_for(request.pool(), used_up, data, len) };
            if start.is_null() {
                return ERROR;
            }
            bufs.insert(0, start);
        }
        let mut next = ptr::null_mut();
        let mut links: Vec<_> = bufs
            .into_iter()
            .map(|buf| ngx_chain_t { buf, next })
            .collect();
        for link in links.iter_mut().rev() {
            link.next = next;
            next = link;
        }
        // SAFETY: the head has been sent; a filter keeps no links of what it is called with.
        unsafe { R::next_body().call(request.as_ptr(), next) }
    }

    fn send_head(&mut self, request: Request<'_>) -> Result<(), Done> {
        if std::mem::replace(&mut self.head_sent, true) {
            return Ok(());
        }
        // SAFETY: a request whose answer's head has been held back.
        match unsafe { R::next_head().call(request.as_ptr()) } {
            ERROR | 1.. => Err(FAILED),
            _ => Ok(()),
        }
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

/// Takes the next bytes of a buffer, if it has any more.
///
/// # Safety
/// Null, or a buffer of nginx's, whose memory stays as it is for `'a`.
unsafe fn next_piece<'a>(buf: *mut ngx_buf_t) -> Result<Option<Piece<'a>>, Done> {
    if buf.is_null() {
        return Ok(None);
    }
    // SAFETY: by this function's contract.
    if unsafe { shim_buf_in_memory(buf) } == 0 {
        let mut bytes = vec![0; READ];
        // SAFETY: by this function's contract; there is so much room.
        let read = unsafe { shim_buf_read(buf, bytes.as_mut_ptr(), bytes.len()) };
        bytes.truncate(usize::try_from(read).map_err(|_| FAILED)?);
        return Ok((!bytes.is_empty()).then_some(Piece::Read(bytes)));
    }
    // SAFETY: by this function's contract.
    let (pos, length) = unsafe { data_of(buf) };
    if length == 0 {
        return Ok(None);
    }
    // SAFETY: the bytes of a buffer in memory lie between the two.
    let bytes = unsafe { std::slice::from_raw_parts(pos, length) };
    // SAFETY: by this function's contract.
    unsafe { shim_buf_taken(buf) };
    Ok(Some(Piece::InMemory(bytes)))
}
