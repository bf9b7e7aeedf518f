//! The output filter of an upstream request: what leaves for the upstream is the head, then the body in
//! frames that are made here.
//!
//! At most two stretches of nginx's buffers are in flight at a time, with the frames that belong into them; no
//! more of the body is taken before the connection has taken it all, which is the backpressure. OutputData is sent
//! from nginx's buffers wherever it can be, and a buffer is released when its data has been sent.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;

use ngx::ffi::{ngx_buf_t, ngx_chain_t, ngx_create_temp_buf, ngx_int_t, ngx_palloc, ngx_pool_t};

use crate::request::Request;
use crate::shim::*;
use crate::tables::data_of;
use crate::{ERROR, guarded};

/// A framer of a body.
pub trait OutputFramer: Sized {
    /// The state of the body.
    type Body;

    /// The longest frame, in bytes.
    const MAX_FRAME: usize;

    /// Runs `send` with the output and the body of a request; None where it has none.
    fn with_output<'r, T>(
        request: Request<'r>,
        send: impl FnOnce(&mut Output<'r, Self>, &mut Self::Body) -> T,
    ) -> Option<T>;

    /// Has `set` look at the place where the request's output is kept; None where there is no such place.
    fn with_place<'r, T>(
        request: Request<'r>,
        set: impl FnOnce(&mut Option<Box<Output<'r, Self>>>) -> T,
    ) -> Option<T>;

    /// Tells whether the whole body is there, and may go out.
    fn is_complete(body: &Self::Body) -> bool;

    /// Decides on the next step. `input` is what there is of the body, `gathered` what of it was gathered for
    /// this frame.
    fn step(
        &mut self,
        body: &mut Self::Body,
        input: &[u8],
        gathered: &[u8],
    ) -> Result<OutputStep, Misframed>;

    /// Tells what the last step sends before the data; empty where there is nothing.
    fn frame(&self) -> &[u8];

    /// Tells what it sends after the data: the end of the body, or nothing.
    fn end(&self) -> &[u8];

    /// Tells how many bytes there may be to gather.
    fn capacity(&self) -> u64;

    /// Hears that the request fails: the body is not what it was to be, or memory is out.
    fn failed(request: Request<'_>);
}

/// The body is not what it was to be.
#[derive(Debug)]
pub struct Misframed;

/// The next step.
#[derive(Debug)]
pub enum OutputStep {
    /// Wait for more of the body.
    Wait,
    /// Add so many bytes of the input to the gathered bytes.
    Gather(usize),
    /// Send the framer's frame, this, and its end.
    Send(OutputData),
}

#[derive(Debug)]
pub enum OutputData {
    /// So many bytes of the input.
    Input(usize),
    /// All that was gathered.
    Gathered,
}

/// The way in which a decoded body goes out.
#[derive(Debug)]
pub enum Outgoing<F> {
    Plain,
    /// There is none, and the head must wait until that is verified.
    HeadAtEnd,
    Framed(Box<F>),
}

/// Stretches of data in flight at a time, each after a frame of its own. Where a chunk ends within
/// a buffer, what is on both sides goes out by one call, and so does a small body of which some has arrived with
/// the head.
const STRETCHES: usize = 2;

/// The head, the stretches and their frames, and the end.
type Flight = [*mut ngx_buf_t; 2 * STRETCHES + 2];

const NOTHING: Flight = [ptr::null_mut(); 2 * STRETCHES + 2];

/// Prepares one try. The filter that was there, for the client's chunked coding, is not needed: the
/// length is known.
pub(crate) fn prepare<F: OutputFramer>(request: Request<'_>, outgoing: Outgoing<F>) -> Option<()> {
    let framer = match outgoing {
        Outgoing::Plain => {
            // SAFETY: a request in progress with an upstream.
            unsafe { shim_output_filter(request.as_ptr(), None) };
            return Some(());
        }
        Outgoing::HeadAtEnd => None,
        Outgoing::Framed(framer) => Some(framer),
    };
    F::with_place(request, |output| {
        match output {
            Some(output) => output.restart(framer),
            None => *output = Some(Box::new(Output::new(request, framer)?)),
        }
        Some(())
    })??;
    // SAFETY: a request in progress with an upstream.
    unsafe { shim_output_filter(request.as_ptr(), Some(filter::<F>)) };
    Some(())
}

unsafe extern "C" fn filter<F: OutputFramer>(
    data: *mut c_void,
    input: *mut ngx_chain_t,
) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: `prepare` has set a request in progress as the filter's context.
        let Some(request) = (unsafe { Request::from_ptr(data.cast()) }) else {
            return ERROR;
        };
        let sent = F::with_output(request, |output, body| {
            // SAFETY: nginx's chain.
            unsafe { output.take(input) };
            // SAFETY: the request is connected to its upstream.
            unsafe { output.send(request, body) }
        });
        sent.unwrap_or(ERROR)
    })
}

/// The state of one try; its memory serves the next one too. It is in the request's pool, and is kept no
/// longer than the request:
///
/// ```compile_fail,E0521
/// # use ngx_safe::output::Output;
/// # fn keep<T: 'static>(_: T) {}
/// fn with_place<F: 'static>(output: Box<Output<'_, F>>) {
///     keep(output);
/// }
/// ```
#[derive(Debug)]
pub struct Output<'r, F> {
    /// The request's.
    pool: *mut ngx_pool_t,
    life: PhantomData<Request<'r>>,
    /// None: nothing but the head is sent, at the end.
    framer: Option<Box<F>>,
    /// The head, until it is in flight.
    head: *mut ngx_buf_t,
    head_taken: bool,
    /// The body, as far as it has not been sent.
    input: VecDeque<*mut ngx_buf_t>,
    flight: Flight,
    /// Bytes at the beginning of `input` among it.
    lent: usize,
    /// What stands in `flight`, but the head.
    bufs: Flight,
    /// Room for a frame for each of them.
    texts: *mut u8,
    /// A chunk got together; null until one has to be.
    gathered: *mut u8,
    gathered_len: usize,
    capacity: usize,
    /// The latest data had to be.
    gathers: bool,
}

/// Memory is out, or the body is not what it was to be.
struct Failed;

impl From<Misframed> for Failed {
    fn from(_: Misframed) -> Failed {
        Failed
    }
}

impl<'r, F: OutputFramer> Output<'r, F> {
    fn new(request: Request<'r>, framer: Option<Box<F>>) -> Option<Output<'r, F>> {
        let pool = request.pool();
        let size = NOTHING.len().checked_mul(F::MAX_FRAME)?;
        // SAFETY: the request's pool.
        let texts = unsafe { ngx_palloc(pool, size) }.cast::<u8>();
        // What is in these is elsewhere.
        // SAFETY: the request's pool.
        let bufs = NOTHING.map(|_| unsafe { ngx_create_temp_buf(pool, 1) });
        if texts.is_null() || bufs.iter().any(|buf| buf.is_null()) {
            return None;
        }
        Some(Output {
            pool,
            life: PhantomData,
            framer,
            head: ptr::null_mut(),
            head_taken: false,
            input: VecDeque::new(),
            flight: NOTHING,
            lent: 0,
            bufs,
            texts,
            gathered: ptr::null_mut(),
            gathered_len: 0,
            capacity: 0,
            gathers: false,
        })
    }

    /// Whether chunks are got together, each of which leaves by one call.
    pub fn gathers(&self) -> bool {
        self.gathers
    }

    /// Forgets the last try: nginx sends all buffers again, from their start.
    fn restart(&mut self, framer: Option<Box<F>>) {
        self.framer = framer;
        self.head = ptr::null_mut();
        self.head_taken = false;
        self.input.clear();
        self.flight = NOTHING;
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
    /// The request is connected to its upstream.
    unsafe fn send(&mut self, request: Request<'_>, body: &mut F::Body) -> ngx_int_t {
        // What is in flight goes on, and so does what the TLS layer may have kept.
        // SAFETY: by this function's contract.
        let mut status = unsafe { shim_output(request.as_ptr(), ptr::null_mut(), 0) };
        while status != ERROR && !self.is_in_flight() {
            self.settle();
            match self.fill(body) {
                // SAFETY: by this function's contract.
                Ok(true) => status = unsafe { self.launch(request) },
                Ok(false) => break,
                Err(Failed) => {
                    F::failed(request);
                    return ERROR;
                }
            }
        }
        status
    }

    fn is_in_flight(&self) -> bool {
        self.flight
            .iter()
            // SAFETY: null or a buffer that lives as long as the request.
            .filter_map(|buf| unsafe { buf.as_ref() })
            .any(|buf| buf.pos != buf.last)
    }

    /// Releases what was in flight, which has been sent.
    fn settle(&mut self) {
        self.flight = NOTHING;
        let lent = std::mem::take(&mut self.lent);
        self.consume(lent);
    }

    /// Advances in the body, and releases the buffers of which nothing is left.
    fn consume(&mut self, mut count: usize) {
        while let Some(&first) = self.input.front() {
            // SAFETY: a buffer of nginx's, which lives until it is used up.
            let left = unsafe { input_of(first) }.len();
            let taken = left.min(count);
            // SAFETY: as above; the reference ends here.
            let buf = unsafe { &mut *first };
            // SAFETY: the buffer has `left` bytes.
            buf.pos = unsafe { buf.pos.add(taken) };
            if taken < left {
                return;
            }
            count -= taken;
            self.input.pop_front();
        }
    }

    /// Returns the next bytes of the body after the lent ones, up to the end of a buffer.
    fn next_input<'a>(&self) -> &'a [u8] {
        let mut lent = self.lent;
        for &buf in &self.input {
            // SAFETY: nginx's buffers live until they are used up, and their bytes keep still; `consume` alone
            // advances them.
            let bytes = unsafe { input_of(buf) };
            match bytes.get(lent..) {
                Some([]) | None => lent -= bytes.len(),
                Some(rest) => return rest,
            }
        }
        &[]
    }

    /// Gets the next piece ready in `flight`; false where there is none yet.
    fn fill(&mut self, body: &mut F::Body) -> Result<bool, Failed> {
        let mut piece = NOTHING;
        match &self.framer {
            Some(_) => {
                piece[0] = std::mem::replace(&mut self.head, ptr::null_mut());
                self.step(body, &mut piece)?;
            }
            None if F::is_complete(body) && !self.head.is_null() => {
                self.input.clear();
                piece[0] = std::mem::replace(&mut self.head, ptr::null_mut());
                // SAFETY: the head, which `take` has found.
                unsafe { shim_buf_flush(piece[0]) };
            }
            None => {}
        }
        self.flight = piece;
        Ok(self.is_in_flight())
    }

    fn step(&mut self, body: &mut F::Body, piece: &mut Flight) -> Result<(), Failed> {
        let mut stretches = 0;
        while stretches < STRETCHES {
            let input = self.next_input();
            let gathered = self.gathered();
            let Some(framer) = &mut self.framer else {
                return Ok(());
            };
            match framer.step(body, input, gathered)? {
                OutputStep::Wait => return Ok(()),
                // What is in flight must have been sent before its buffer is used again.
                OutputStep::Gather(_) if stretches > 0 => return Ok(()),
                OutputStep::Gather(count) => {
                    self.gather(input.get(..count).ok_or(Failed)?)?;
                    self.consume(count);
                    self.gathers = true;
                }
                OutputStep::Send(data) => {
                    let place = 1 + 2 * stretches;
                    stretches += 1;
                    let Some(framer) = &self.framer else {
                        return Ok(());
                    };
                    piece[place] = self.text(place, framer.frame(), false)?;
                    let after = piece.len() - 1;
                    piece[after] = self.text(after, framer.end(), true)?;
                    let data = match data {
                        OutputData::Input(count) => {
                            let data = input.get(..count).ok_or(Failed)?;
                            self.lent += count;
                            self.gathers = false;
                            data
                        }
                        OutputData::Gathered => {
                            self.gathered_len = 0;
                            gathered
                        }
                    };
                    if !data.is_empty() {
                        piece[place + 1] = self.bufs[place + 1];
                        let at = data.as_ptr().cast_mut();
                        // SAFETY: a buffer of ours; data stays as it is while it is in flight.
                        unsafe { shim_buf_point(piece[place + 1], at, data.len(), 0) };
                    }
                    if !piece[after].is_null() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the buffer of a place in `flight`, with a copy of `text`; null where that is empty.
    fn text(&self, place: usize, text: &[u8], last: bool) -> Result<*mut ngx_buf_t, Failed> {
        if text.is_empty() {
            return Ok(ptr::null_mut());
        }
        if text.len() > F::MAX_FRAME {
            return Err(Failed);
        }
        let buf = self.bufs[place];
        // SAFETY: room for as many frames as there are places.
        let memory = unsafe { self.texts.add(place * F::MAX_FRAME) };
        // SAFETY: room for a frame that is in use only while this one is in flight.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), memory, text.len()) };
        // SAFETY: a buffer of ours.
        unsafe { shim_buf_point(buf, memory, text.len(), last.into()) };
        Ok(buf)
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
            // Chunks are of one size, and the last is shorter; another upstream's are no longer.
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
        // SAFETY: within the memory that was got.
        let to = unsafe { self.gathered.add(self.gathered_len) };
        // SAFETY: there is room, and the two do not overlap.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) };
        self.gathered_len += data.len();
        Ok(())
    }

    /// # Safety
    /// The request is connected to its upstream.
    unsafe fn launch(&self, request: Request<'_>) -> ngx_int_t {
        let mut links = NOTHING.map(|buf| ngx_chain_t {
            buf,
            next: ptr::null_mut(),
        });
        let mut first: *mut ngx_chain_t = ptr::null_mut();
        for (link, buf) in links.iter_mut().zip(self.flight).rev() {
            // An empty buffer would be an error.
            // SAFETY: null or a buffer that lives as long as the request.
            if unsafe { buf.as_ref() }.is_some_and(|buf| buf.pos != buf.last) {
                *link = ngx_chain_t { buf, next: first };
                first = link;
            }
        }
        // Where the last place is taken, the body ends there.
        let more = self.framer.is_some() && self.flight.last().is_some_and(|end| end.is_null());
        // SAFETY: by this function's contract; nginx copies the links.
        unsafe { shim_output(request.as_ptr(), first, more.into()) }
    }
}

/// Returns what a buffer has in memory.
///
/// # Safety
/// A buffer, whose bytes keep still for `'a`.
unsafe fn input_of<'a>(buf: *mut ngx_buf_t) -> &'a [u8] {
    // SAFETY: by this function's contract.
    if unsafe { shim_buf_in_memory(buf) } == 0 {
        return &[];
    }
    // SAFETY: by this function's contract.
    let (pos, length) = unsafe { data_of(buf) };
    match length {
        0 => &[],
        // SAFETY: by this function's contract.
        length => unsafe { std::slice::from_raw_parts(pos, length) },
    }
}
