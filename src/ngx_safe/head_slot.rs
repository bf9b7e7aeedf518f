//! The place of a request's head: what nginx serialised, and what is sent to the peer that was picked.

use std::ptr::NonNull;

use ngx::ffi::{ngx_buf_t, ngx_palloc, ngx_pcalloc};

use crate::module::Module;
use crate::output::{self, Outgoing, OutputFramer};
use crate::peer_state::PeerState;
use crate::request::Request;
use crate::shim::*;
use crate::workspace::HEAD;

/// The head of one try: what nginx serialised, and the place for what is sent, which is written to once:
///
/// ```compile_fail,E0521
/// # use ngx_safe::module::Module;
/// # use ngx_safe::peer::HeadSlot;
/// fn picked<M: Module>(head: &mut HeadSlot<'_, M>) {
///     let mut kept = None::<&mut [u8]>;
///     head.replace(64, |room| {
///         kept = Some(room);
///         Some(0)
///     });
/// }
/// ```
pub struct HeadSlot<'a, M> {
    request: Request<'a>,
    state: &'a mut PeerState,
    head: &'a [u8],
    body: Option<u64>,
    module: std::marker::PhantomData<M>,
}

impl<'a, M: Module> HeadSlot<'a, M> {
    /// Takes the new head where nginx has serialised the request again, else the one of the last try, whose
    /// plain bytes are still there.
    pub(crate) fn of(request: Request<'a>, state: &'a mut PeerState) -> Option<HeadSlot<'a, M>> {
        let link = request.first_output()?;
        // SAFETY: the first link of the request's chain.
        let head = unsafe { link.as_ref().buf };
        if head.is_null() {
            return None;
        }
        if head != state.replaced {
            state.plain = head;
        }
        // SAFETY: `create_request` has made that buffer, the head, in memory, and nginx leaves it alone while a peer is
        // picked.
        let head = unsafe { text_of(state.plain) }?;
        // After a head that has been sent, the buffers have been too.
        let body = match state.replaced.is_null() {
            // SAFETY: a request in progress with an upstream.
            true => u64::try_from(unsafe { shim_body_after_head(request.as_ptr()) }).ok(),
            false => None,
        };
        Some(HeadSlot {
            request,
            state,
            head,
            body,
            module: std::marker::PhantomData,
        })
    }

    pub fn plain(&self) -> &'a [u8] {
        self.head
    }

    /// Returns the length of the body that follows, where it is there already and nothing of it sent.
    pub fn body_length(&self) -> Option<u64> {
        self.body
    }

    /// Puts a new head in the place of nginx's: of at most `max_len` bytes, and as many as `write`
    /// says that it has filled in.
    pub fn replace(
        &mut self,
        max_len: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<()> {
        let (mut buf, memory) = self.memory(max_len)?;
        // SAFETY: both live as long as the request's pool, and nothing else has them.
        unsafe { shim_head_buf(buf.as_ptr(), self.state.plain, memory.as_ptr(), max_len) };
        // SAFETY: `memory` has so many bytes, all of them written once.
        let room = unsafe { std::slice::from_raw_parts_mut(memory.as_ptr(), max_len) };
        let len = write(room).filter(|len| *len <= max_len)?;
        let mut link = self.request.first_output()?;
        // SAFETY: the buffer, now filled in; the reference ends here.
        let filled = unsafe { buf.as_mut() };
        // SAFETY: within the memory of the buffer.
        filled.last = unsafe { filled.start.add(len) };
        // SAFETY: the first link of the request's chain, of which nothing is sent at this try.
        unsafe { link.as_mut().buf = buf.as_ptr() };
        self.state.replaced = buf.as_ptr();
        Some(())
    }

    /// Returns the head that was put in the place of nginx's last.
    pub fn written(&self) -> Option<&[u8]> {
        // SAFETY: a buffer of `replace`, filled in, or null; its memory lives as long as the request, and `replace` alone
        // writes there.
        unsafe { text_of(self.state.replaced) }
    }

    /// Gets a buffer, and memory of `len` bytes for what is in it, as long as the request's pool lives.
    fn memory(&self, len: usize) -> Option<(NonNull<ngx_buf_t>, NonNull<u8>)> {
        let workspace = self.request.main().workspace::<M>();
        let workspace = workspace.filter(|_| len <= HEAD);
        if let Some(head) = workspace.and_then(|workspace| workspace.head.take()) {
            let head = head.as_ptr();
            // SAFETY: a place in the memory that was taken.
            let buf = unsafe { &raw mut (*head).buf };
            // SAFETY: as above.
            let memory = unsafe { &raw mut (*head).bytes };
            return Some((NonNull::new(buf)?, NonNull::new(memory.cast())?));
        }
        let pool = self.request.pool();
        // SAFETY: the request's pool.
        let buf = unsafe { ngx_palloc(pool, size_of::<ngx_buf_t>()) };
        // SAFETY: as above.
        let memory = unsafe { ngx_pcalloc(pool, len) };
        Some((NonNull::new(buf.cast())?, NonNull::new(memory.cast())?))
    }

    /// Has a body that goes out as it is, and is stored in a file, leave in full packets, none of which waits until
    /// those before are acknowledged.
    pub fn send_stored_body(&self) {
        // SAFETY: a request in progress with an upstream.
        unsafe { shim_send_stored(self.request.as_ptr()) };
    }

    /// Says how a decoded body follows the head at this try.
    pub fn send_body<F: OutputFramer>(&self, outgoing: Outgoing<F>) -> Option<()> {
        output::prepare(self.request, outgoing)
    }
}

/// Returns what a buffer in memory has, also what of it was sent: from `start`, not `pos`. `None` without a buffer.
///
/// # Safety
/// `buf` is null, or a buffer whose memory lives and stays unchanged for `'a`.
unsafe fn text_of<'a>(buf: *const ngx_buf_t) -> Option<&'a [u8]> {
    // SAFETY: by this function's contract; the reference ends below.
    let ngx_buf_t { start, last, .. } = unsafe { buf.as_ref()? };
    // SAFETY: both point into the buffer's memory.
    let len = usize::try_from(unsafe { last.offset_from(*start) }).ok()?;
    // SAFETY: by this function's contract.
    Some(unsafe { std::slice::from_raw_parts(*start, len) })
}
