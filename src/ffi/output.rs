//! The output filter of an upstream request: what leaves for the origin is the head, then the body in
//! frames that are made here.
//!
//! One piece is on its way at a time; no more of the body is taken before the connection has taken
//! that, which is the backpressure. A piece is a part of nginx's own buffer wherever it can be, and
//! that buffer is given free when the piece is gone.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::ptr;

use ngx::ffi::{ngx_buf_t, ngx_chain_t, ngx_create_temp_buf, ngx_int_t, ngx_palloc, ngx_pool_t};
use sigv4::Frame;

use super::request::Request;
use super::shim::*;
use super::{ERROR, guarded};
use crate::hooks::body::Upload;
use crate::hooks::output::{Data, Framer, Step};
use crate::log::log_error;

/// How a decoded body goes out.
pub(crate) enum Outgoing {
    Plain,
    /// There is none, and the head must wait until that is verified.
    HeadAtEnd,
    Framed(Box<Framer>),
}

/// Prepares one try. The filter that was there, for the client's chunked coding, is not needed: the
/// length is known.
pub(crate) fn prepare(request: Request<'_>, outgoing: Outgoing) -> Option<()> {
    let context = request.context()?;
    let framer = match outgoing {
        Outgoing::Plain => {
            // SAFETY: a request in progress with an upstream.
            unsafe { s3_shim_output_filter(request.as_ptr(), None) };
            return Some(());
        }
        Outgoing::HeadAtEnd => None,
        Outgoing::Framed(framer) => Some(framer),
    };
    // SAFETY: likewise; its pool outlives the context, which has the output.
    unsafe {
        let mut output = context.output.borrow_mut();
        match output.as_mut() {
            Some(output) => output.restart(framer),
            None => *output = Some(Box::new(Output::new((*request.as_ptr()).pool, framer)?)),
        }
        s3_shim_output_filter(request.as_ptr(), Some(filter));
    }
    Some(())
}

unsafe extern "C" fn filter(data: *mut c_void, input: *mut ngx_chain_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: `prepare` has set a request in progress as the filter's context.
        let Some(request) = (unsafe { Request::from_ptr(data.cast()) }) else {
            return ERROR;
        };
        let Some(context) = request.context() else {
            return ERROR;
        };
        let (mut output, mut upload) = (context.output.borrow_mut(), context.upload.borrow_mut());
        let (Some(output), Some(upload)) = (output.as_deref_mut(), upload.as_deref_mut()) else {
            return ERROR;
        };
        // SAFETY: nginx's chain, and its connection to send to.
        unsafe {
            output.take(input);
            output.send(request, upload)
        }
    })
}

/// The state of one try; its memory serves the next one too.
pub(crate) struct Output {
    pool: *mut ngx_pool_t,
    /// None: nothing but the head is sent, at the end.
    framer: Option<Box<Framer>>,
    /// The head, until it is on its way.
    head: *mut ngx_buf_t,
    head_taken: bool,
    /// The body, as far as it is not gone.
    input: VecDeque<*mut ngx_buf_t>,
    /// What is on its way.
    flight: [*mut ngx_buf_t; 4],
    /// Bytes of the first of `input` among it.
    lent: usize,
    frame: *mut ngx_buf_t,
    data: *mut ngx_buf_t,
    end: *mut ngx_buf_t,
    frame_text: *mut u8,
    end_text: *mut u8,
    /// A chunk got together; null until one has to be.
    gathered: *mut u8,
    gathered_len: usize,
    capacity: usize,
}

/// Memory is out, or the body is not what it was to be.
struct Failed;

impl Output {
    /// # Safety
    /// `pool` outlives the result.
    unsafe fn new(pool: *mut ngx_pool_t, framer: Option<Box<Framer>>) -> Option<Output> {
        // SAFETY: by this function's contract.
        unsafe {
            let room = Frame::new().capacity();
            let text = ngx_palloc(pool, 2 * room).cast::<u8>();
            // What is in these is elsewhere.
            let buf = || ngx_create_temp_buf(pool, 1);
            let (frame, data, end) = (buf(), buf(), buf());
            if text.is_null() || frame.is_null() || data.is_null() || end.is_null() {
                return None;
            }
            Some(Output {
                pool,
                framer,
                head: ptr::null_mut(),
                head_taken: false,
                input: VecDeque::new(),
                flight: [ptr::null_mut(); 4],
                lent: 0,
                frame,
                data,
                end,
                frame_text: text,
                end_text: text.add(room),
                gathered: ptr::null_mut(),
                gathered_len: 0,
                capacity: 0,
            })
        }
    }

    /// Forgets the last try: nginx sends all buffers again, from their start.
    fn restart(&mut self, framer: Option<Box<Framer>>) {
        self.framer = framer;
        self.head = ptr::null_mut();
        self.head_taken = false;
        self.input.clear();
        self.flight = [ptr::null_mut(); 4];
        self.lent = 0;
        self.gathered_len = 0;
    }

    /// Notes the buffers: nginx moves the links.
    ///
    /// # Safety
    /// `link` is a chain of nginx's.
    unsafe fn take(&mut self, mut link: *mut ngx_chain_t) {
        // SAFETY: by this function's contract.
        while let Some(ngx_chain_t { buf, next }) = unsafe { link.as_ref() } {
            if self.head_taken {
                self.input.push_back(*buf);
            } else {
                self.head = *buf;
                self.head_taken = true;
            }
            link = *next;
        }
    }

    /// Sends as much as the connection takes.
    ///
    /// # Safety
    /// Of a request that is connected to its upstream.
    unsafe fn send(&mut self, request: Request<'_>, upload: &mut Upload) -> ngx_int_t {
        // SAFETY: by this function's contract, in all of it.
        unsafe {
            // What is on its way goes on, and so does what the TLS layer may have kept.
            let mut status = s3_shim_output(request.as_ptr(), ptr::null_mut());
            while status != ERROR && !self.is_in_flight() {
                self.settle();
                match self.fill(upload) {
                    Ok(true) => status = self.launch(request),
                    Ok(false) => break,
                    Err(Failed) => {
                        log_error!(request.log(), "a body could not be framed: not forwarded");
                        return ERROR;
                    }
                }
            }
            status
        }
    }

    fn is_in_flight(&self) -> bool {
        self.flight
            .iter()
            // SAFETY: null or a buffer that lives as long as the request.
            .filter_map(|buf| unsafe { buf.as_ref() })
            .any(|buf| buf.pos != buf.last)
    }

    /// What was on its way is gone: its buffers are free.
    fn settle(&mut self) {
        self.flight = [ptr::null_mut(); 4];
        let lent = std::mem::take(&mut self.lent);
        self.consume(lent);
    }

    /// Advances in the body.
    fn consume(&mut self, count: usize) {
        if let Some(first) = self.input.front()
            && count > 0
        {
            // SAFETY: `first_input` has found so many bytes there.
            unsafe { (**first).pos = (**first).pos.add(count) };
        }
    }

    /// The next bytes of the body, up to the end of a buffer; buffers without any are let go.
    fn first_input<'a>(&mut self) -> Result<&'a [u8], Failed> {
        while let Some(buf) = self.input.front() {
            // SAFETY: nginx's buffers live and keep still until they are used up; `settle` and
            // `step` alone advance them.
            unsafe {
                let in_memory = s3_shim_buf_in_memory(*buf) != 0;
                let (pos, last) = ((**buf).pos, (**buf).last);
                if in_memory && pos < last {
                    let length = usize::try_from(last.offset_from(pos)).map_err(|_| Failed)?;
                    return Ok(std::slice::from_raw_parts(pos, length));
                }
            }
            self.input.pop_front();
        }
        Ok(&[])
    }

    /// Gets the next piece ready in `flight`; false where there is none yet.
    fn fill(&mut self, upload: &mut Upload) -> Result<bool, Failed> {
        let mut piece = [ptr::null_mut(); 4];
        match &self.framer {
            Some(_) => {
                piece[0] = std::mem::replace(&mut self.head, ptr::null_mut());
                self.step(upload, &mut piece)?;
            }
            None if upload.is_complete() && !self.head.is_null() => {
                self.input.clear();
                piece[0] = std::mem::replace(&mut self.head, ptr::null_mut());
                // SAFETY: the head, which `take` has found.
                unsafe { s3_shim_buf_flush(piece[0]) };
            }
            None => {}
        }
        self.flight = piece;
        Ok(self.is_in_flight())
    }

    fn step(&mut self, upload: &mut Upload, piece: &mut [*mut ngx_buf_t; 4]) -> Result<(), Failed> {
        loop {
            let input = self.first_input()?;
            let gathered = self.gathered();
            let Some(framer) = &mut self.framer else {
                return Ok(());
            };
            match framer.step(upload, input, gathered).map_err(|_| Failed)? {
                Step::Wait => return Ok(()),
                Step::Gather(count) => {
                    self.gather(input.get(..count).ok_or(Failed)?)?;
                    self.consume(count);
                }
                Step::Send { frame, data, end } => {
                    let is_end = end.is_some();
                    // SAFETY: texts and data stay as they are while they are on their way.
                    unsafe {
                        if let Some(frame) = frame {
                            piece[1] = point(self.frame, self.frame_text, &frame, false);
                        }
                        let data = match data {
                            Data::Input(count) => {
                                self.lent = count;
                                input.get(..count).ok_or(Failed)?
                            }
                            Data::Gathered => {
                                self.gathered_len = 0;
                                gathered
                            }
                        };
                        if !data.is_empty() {
                            let at = data.as_ptr().cast_mut();
                            s3_shim_buf_point(self.data, at, data.len(), 0);
                            piece[2] = self.data;
                        }
                        if let Some(end) = end {
                            piece[3] = point(self.end, self.end_text, &end, is_end);
                        }
                    }
                    return Ok(());
                }
            }
        }
    }

    fn gathered<'a>(&self) -> &'a [u8] {
        match self.gathered_len {
            0 => &[],
            // SAFETY: so many bytes of it are filled in, and stay until they are gone.
            length => unsafe { std::slice::from_raw_parts(self.gathered, length) },
        }
    }

    fn gather(&mut self, data: &[u8]) -> Result<(), Failed> {
        if self.gathered_len == 0 {
            let capacity = self.framer.as_ref().map_or(0, |framer| framer.capacity());
            let capacity = usize::try_from(capacity).map_err(|_| Failed)?;
            // Chunks are of one size, and the last is shorter; another origin's are no longer.
            if capacity > self.capacity {
                // SAFETY: the request's pool.
                self.gathered = unsafe { ngx_palloc(self.pool, capacity).cast() };
                if self.gathered.is_null() {
                    return Err(Failed);
                }
                self.capacity = capacity;
            }
        }
        if self.capacity - self.gathered_len < data.len() {
            return Err(Failed);
        }
        // SAFETY: there is room, and the two do not overlap.
        unsafe {
            let to = self.gathered.add(self.gathered_len);
            ptr::copy_nonoverlapping(data.as_ptr(), to, data.len());
        }
        self.gathered_len += data.len();
        Ok(())
    }

    /// # Safety
    /// As of `send`.
    unsafe fn launch(&self, request: Request<'_>) -> ngx_int_t {
        let mut links = [ngx_chain_t {
            buf: ptr::null_mut(),
            next: ptr::null_mut(),
        }; 4];
        let mut first: *mut ngx_chain_t = ptr::null_mut();
        for (link, buf) in links.iter_mut().zip(self.flight).rev() {
            // An empty buffer would be an error.
            // SAFETY: null or a buffer that lives as long as the request.
            if unsafe { buf.as_ref() }.is_some_and(|buf| buf.pos != buf.last) {
                *link = ngx_chain_t { buf, next: first };
                first = link;
            }
        }
        // SAFETY: by this function's contract; nginx copies the links.
        unsafe { s3_shim_output(request.as_ptr(), first) }
    }
}

/// Has `buf` stand for a copy of `text` in `memory`.
///
/// # Safety
/// `memory` has room for a frame, and nothing else uses it.
unsafe fn point(buf: *mut ngx_buf_t, memory: *mut u8, text: &Frame, last: bool) -> *mut ngx_buf_t {
    // SAFETY: by this function's contract.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), memory, text.len());
        s3_shim_buf_point(buf, memory, text.len(), last.into());
    }
    buf
}
