//! The way out of a body that came in `aws-chunked` framing: framed again for the origin of a try.

use crate::{
    chunked::encoder::{Encoder, Frame, Misframed},
    upload::Upload,
};

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameStep {
    /// Wait for more of the body.
    Wait,
    /// Put so many bytes of the input to those gathered.
    Gather(usize),
    /// Send the framer's frame, so many bytes of the input, and its end.
    SendInput(usize),
    /// Send the framer's frame, all that was gathered, and its end.
    SendGathered,
}

/// Frames the plain body, chunk by chunk.
#[derive(Debug)]
pub struct Framer {
    encoder: Encoder,
    /// Data still due of the chunk whose frame is out.
    due: u64,
    ended: bool,
    /// What goes before the data of a step, and after it; empty where nothing does.
    frame: Frame,
    end: Frame,
}

impl Framer {
    pub fn new(encoder: Encoder) -> Framer {
        Framer {
            encoder,
            due: 0,
            ended: false,
            frame: Frame::new(),
            end: Frame::new(),
        }
    }

    /// Returns how many bytes there may be to gather.
    pub fn capacity(&self) -> u64 {
        match self.encoder.is_signed() {
            true => self.encoder.next_length(),
            false => 0,
        }
    }

    /// `input` is what there is of the body, `gathered` what of it was gathered for this chunk.
    ///
    /// The signature over a chunk goes before its data. Where the decoder has seen just that chunk, or has been
    /// told in time that it will be wanted, its hash is known and nothing needs to be hashed again, nor gathered if
    /// all of the data is there.
    pub fn step(
        &mut self,
        upload: &mut Upload,
        input: &[u8],
        gathered: &[u8],
    ) -> Result<FrameStep, Misframed> {
        self.frame.clear();
        self.end.clear();
        if self.due == 0 {
            if self.encoder.is_signed() {
                upload.hash_pieces(self.encoder.chunk_size());
            }
            let length = self.encoder.next_length();
            if length == 0 {
                return self.after_data(upload, input);
            }
            if input.is_empty() && (gathered.len() as u64) < length {
                return Ok(FrameStep::Wait);
            }
            let hash = match self.encoder.is_signed() {
                true => upload.chunk_hash(self.encoder.offset(), length),
                false => None,
            };
            if gathered.is_empty() && (hash.is_some() || !self.encoder.is_signed()) {
                self.frame = self.encoder.chunk(hash.as_ref())?;
                self.due = length;
            } else if (gathered.len() as u64) < length {
                return Ok(FrameStep::Gather(up_to(
                    input,
                    length - gathered.len() as u64,
                )));
            } else {
                if hash.is_none() {
                    self.encoder.hash(gathered);
                }
                self.frame = self.encoder.chunk(hash.as_ref())?;
                self.finish(upload)?;
                return Ok(FrameStep::SendGathered);
            }
        }
        let count = up_to(input, self.due);
        if count == 0 {
            return Ok(FrameStep::Wait);
        }
        self.due -= count as u64;
        self.finish(upload)?;
        Ok(FrameStep::SendInput(count))
    }

    /// Returns what the last step sends before the data; empty where there is nothing.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Returns what it sends after the data: the end of the body, or nothing.
    pub fn end(&self) -> &[u8] {
        &self.end
    }

    fn after_data(&mut self, upload: &Upload, input: &[u8]) -> Result<FrameStep, Misframed> {
        if !input.is_empty() {
            return Err(Misframed);
        }
        if self.ended || !upload.is_complete() {
            return Ok(FrameStep::Wait);
        }
        self.finish(upload)?;
        Ok(FrameStep::SendInput(0))
    }

    /// Ends the body where all of its data is in flight. The decoder has held back the last
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
