//! The way out of a body that came in `aws-chunked` framing: framed again for the origin of this try.

use ngx_safe::output::{Data, Misframed, Output, OutputFramer, Step};
use ngx_safe::request::Request;
use sigv4::{Encoder, Frame, MAX_FRAME};

use crate::context::OwnRequest;
use crate::hooks::body::Upload;
use crate::log::log_error;

/// Frames the plain body, chunk by chunk.
pub(crate) struct Framer {
    encoder: Encoder,
    /// Data still due of the chunk whose frame is out.
    due: u64,
    ended: bool,
    /// What goes before the data of a step, and after it; empty where nothing does.
    frame: Frame,
    end: Frame,
}

impl Framer {
    pub(crate) fn new(encoder: Encoder) -> Framer {
        Framer {
            encoder,
            due: 0,
            ended: false,
            frame: Frame::new(),
            end: Frame::new(),
        }
    }

    fn chunk(&mut self, hash: Option<&[u8; 32]>) -> Result<Frame, Misframed> {
        self.encoder.chunk(hash).map_err(|_| Misframed)
    }

    fn after_data(&mut self, upload: &Upload, input: &[u8]) -> Result<Step, Misframed> {
        if !input.is_empty() {
            return Err(Misframed);
        }
        if self.ended || !upload.is_complete() {
            return Ok(Step::Wait);
        }
        self.finish(upload)?;
        Ok(Step::Send(Data::Input(0)))
    }

    /// Ends the body where all of its data is on its way. The decoder has held back the last
    /// byte until it had verified everything.
    fn finish(&mut self, upload: &Upload) -> Result<(), Misframed> {
        if self.due > 0 || self.encoder.next_length() > 0 {
            return Ok(());
        }
        if !upload.is_complete() {
            return Err(Misframed);
        }
        self.ended = true;
        self.end = (self.encoder.end(upload.checksum())).map_err(|_| Misframed)?;
        Ok(())
    }
}

impl OutputFramer for Framer {
    type Body = Upload;

    const MAX_FRAME: usize = MAX_FRAME;

    fn with_output<T>(
        request: Request<'_>,
        send: impl FnOnce(&mut Output<Framer>, &mut Upload) -> T,
    ) -> Option<T> {
        let context = request.context()?;
        let (mut output, mut upload) = (context.output.borrow_mut(), context.upload.borrow_mut());
        Some(send(output.as_deref_mut()?, upload.as_deref_mut()?))
    }

    fn with_place<T>(
        request: Request<'_>,
        set: impl FnOnce(&mut Option<Box<Output<Framer>>>) -> T,
    ) -> Option<T> {
        Some(set(&mut request.context()?.output.borrow_mut()))
    }

    fn is_complete(upload: &Upload) -> bool {
        upload.is_complete()
    }

    fn failed(request: Request<'_>) {
        log_error!(request.log(), "a body could not be framed: not forwarded");
    }

    fn capacity(&self) -> u64 {
        match self.encoder.is_signed() {
            true => self.encoder.next_length(),
            false => 0,
        }
    }

    /// The signature over a chunk goes before its data. Where the decoder has seen just that
    /// chunk, its hash is known and nothing needs to be gathered, nor hashed again.
    fn step(
        &mut self,
        upload: &mut Upload,
        input: &[u8],
        gathered: &[u8],
    ) -> Result<Step, Misframed> {
        self.frame.clear();
        self.end.clear();
        if self.due == 0 {
            let length = self.encoder.next_length();
            if length == 0 {
                return self.after_data(upload, input);
            }
            if input.is_empty() && (gathered.len() as u64) < length {
                return Ok(Step::Wait);
            }
            let hash = match self.encoder.is_signed() {
                true => upload.chunk_hash(self.encoder.offset(), length),
                false => None,
            };
            if gathered.is_empty() && (hash.is_some() || !self.encoder.is_signed()) {
                self.frame = self.chunk(hash.as_ref())?;
                self.due = length;
            } else if (gathered.len() as u64) < length {
                return Ok(Step::Gather(up_to(input, length - gathered.len() as u64)));
            } else {
                if hash.is_none() {
                    self.encoder.hash(gathered);
                }
                self.frame = self.chunk(hash.as_ref())?;
                self.finish(upload)?;
                return Ok(Step::Send(Data::Gathered));
            }
        }
        let count = up_to(input, self.due);
        if count == 0 {
            return Ok(Step::Wait);
        }
        self.due -= count as u64;
        self.finish(upload)?;
        Ok(Step::Send(Data::Input(count)))
    }

    fn frame(&self) -> &[u8] {
        &self.frame
    }

    fn end(&self) -> &[u8] {
        &self.end
    }
}

fn up_to(input: &[u8], limit: u64) -> usize {
    usize::try_from(limit).map_or(input.len(), |limit| limit.min(input.len()))
}
