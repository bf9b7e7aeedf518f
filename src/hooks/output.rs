//! The way out of a body that came in `aws-chunked` framing: framed anew for the origin of this try.

use sigv4::{Encoder, Frame, Misframed};

use crate::hooks::body::Upload;

/// Frames the plain body, chunk by chunk.
pub(crate) struct Framer {
    encoder: Encoder,
    /// Data still due of the chunk whose frame is out.
    due: u64,
    ended: bool,
    /// What goes ahead of the data of a step, and behind it; empty where nothing does.
    frame: Frame,
    end: Frame,
}

/// What to do next.
pub(crate) enum Step {
    /// Wait for more of the body.
    Wait,
    /// Put so many bytes of the input to those gathered.
    Gather(usize),
    /// Send the framer's frame, this, and its end.
    Send(Data),
}

pub(crate) enum Data {
    /// So many bytes of the input.
    Input(usize),
    /// All that was gathered.
    Gathered,
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

    /// Bytes that there may be to gather.
    pub(crate) fn capacity(&self) -> u64 {
        match self.encoder.is_signed() {
            true => self.encoder.next_length(),
            false => 0,
        }
    }

    /// `input` is what there is of the body, `gathered` what of it was gathered for this chunk.
    ///
    /// The signature over a chunk goes ahead of its data. Where the decoder has seen just that
    /// chunk, its hash is known and nothing needs to be gathered, nor hashed again.
    pub(crate) fn step(
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
                self.frame = self.encoder.chunk(hash.as_ref())?;
                self.due = length;
            } else if (gathered.len() as u64) < length {
                return Ok(Step::Gather(up_to(input, length - gathered.len() as u64)));
            } else {
                if hash.is_none() {
                    self.encoder.hash(gathered);
                }
                self.frame = self.encoder.chunk(hash.as_ref())?;
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

    /// What the last step sends ahead of the data.
    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// What it sends behind the data: the end of the body.
    pub(crate) fn end(&self) -> &Frame {
        &self.end
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
        self.end = self.encoder.end(upload.checksum())?;
        Ok(())
    }
}

fn up_to(input: &[u8], limit: u64) -> usize {
    usize::try_from(limit).map_or(input.len(), |limit| limit.min(input.len()))
}
