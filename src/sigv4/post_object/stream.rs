//! A form that is sent on while it arrives. An origin wants to know how long it is before anybody knows
//! how long its file is. So after the head it is as long as the client's: what stood after the file
//! there is replaced by bytes that nobody reads, RFC 2046's epilogue.
use std::ops::Range;

use arrayvec::ArrayVec;

use super::decoder::{CLOSE, FormDecoder};
use crate::error::Rejection;

/// Bytes that may stand after the file: as many have to be sent in their place, all of them at once.
const MAX_AFTER_FILE: u64 = 1 << 20;

/// What goes out of such a form.
#[derive(Debug)]
pub struct FormStream {
    /// Bytes that the client announced.
    length: u64,
    received: u64,
    /// Bytes of the file, and of its delimiter.
    sent: u64,
}

/// The end of a body, which is held back until all of it is verified.
#[derive(Debug, Default)]
pub struct Tail {
    pub text: ArrayVec<u8, { 1 + CLOSE.len() }>,
    /// Bytes of no meaning after the text.
    pub padding: u64,
}

impl FormStream {
    /// Starts a form of the length that its request's head announces.
    pub fn new(length: u64) -> FormStream {
        FormStream {
            length,
            received: 0,
            sent: 0,
        }
    }

    /// Takes the next piece of the body and tells which part of it goes out: the file's data, up to the
    /// last byte of its delimiter, without which nobody can take the file for whole.
    ///
    /// # Errors
    /// As of [`FormDecoder::decode`], or if there is too much after the file.
    pub fn take(
        &mut self,
        form: &mut FormDecoder,
        piece: &mut [u8],
    ) -> Result<Range<usize>, Rejection> {
        self.received += piece.len() as u64;
        let mut data = form.decode(piece)?;
        if let Some(whole) = form.delimited_length() {
            let due = (whole - 1).saturating_sub(self.sent);
            let due = usize::try_from(due).unwrap_or(usize::MAX);
            data.end = data.end.min(data.start.saturating_add(due));
            let head = form.head().map_or(0, <[u8]>::len) as u64;
            if self.received.saturating_sub(head + whole) > MAX_AFTER_FILE {
                return Err(Rejection::FormFieldsTooLong);
            }
        }
        self.sent += data.len() as u64;
        Ok(data)
    }

    /// Counts the bytes that have gone out, while the end is held back.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns what is left of a form that is complete.
    pub(super) fn tail(&self, form: &FormDecoder) -> Result<Tail, Rejection> {
        let mut text = ArrayVec::new();
        text.extend(form.boundary().last().copied());
        let due = self.length_after_head(form)?.checked_sub(self.sent + 1);
        let due = due
            .filter(|_| self.received == self.length)
            .ok_or(Rejection::MalformedForm)?;
        let closing = usize::try_from(due).unwrap_or(usize::MAX).min(CLOSE.len());
        text.extend(CLOSE.iter().take(closing).copied());
        Ok(Tail {
            text,
            padding: due - closing as u64,
        })
    }

    /// Counts the bytes that go out after the head.
    pub(super) fn length_after_head(&self, form: &FormDecoder) -> Result<u64, Rejection> {
        let head = form.head().ok_or(Rejection::MalformedForm)?;
        let length = self.length.checked_sub(head.len() as u64);
        length.ok_or(Rejection::MalformedForm)
    }
}
