//! Verifies a body as it arrives, by what the verified head says of it.
use std::ops::Range;

use crate::{
    checksum::Checksum,
    chunked::{decoder::Decoder, fault::BodyFault},
    crypto::{hex::hex, sha256_stream::Sha256Stream},
    error::Rejection,
};

/// Verifies a body. Its last byte is handed out only when all of it is right, so that a wrong body lacks
/// a part of the announced length, or its end.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "made in place, once for a request"
)]
pub enum BodyVerifier {
    /// In `aws-chunked` framing.
    Framed(Decoder),
    /// As it is, with its hash in the head.
    Hashed(HashCheck),
}

impl BodyVerifier {
    /// Takes the next bytes of the body, however it is cut. What may be handed out is in the
    /// returned part of `buf`; everything outside of it is spent.
    ///
    /// # Errors
    /// With the [`Rejection`] to answer; the bytes are then worthless.
    pub fn take(&mut self, buf: &mut [u8]) -> Result<Range<usize>, Rejection> {
        match self {
            BodyVerifier::Framed(decoder) => decoder.decode(buf),
            BodyVerifier::Hashed(check) => Ok(check.take(buf)),
        }
    }

    /// Ends the body; returns its last byte, if it has any.
    ///
    /// # Errors
    /// With the [`Rejection`] to answer.
    pub fn finish(&mut self) -> Result<Option<u8>, Rejection> {
        match self {
            BodyVerifier::Framed(decoder) => decoder.finish(),
            BodyVerifier::Hashed(check) => check.finish(),
        }
    }

    /// Whether the body has arrived whole and was verified.
    pub fn is_complete(&self) -> bool {
        match self {
            BodyVerifier::Framed(decoder) => decoder.is_complete(),
            BodyVerifier::Hashed(check) => check.complete,
        }
    }

    /// Whether what is handed out is another body than the one that arrives.
    pub fn is_framed(&self) -> bool {
        matches!(self, BodyVerifier::Framed(_))
    }

    /// Does what [`Decoder::fault`] does.
    pub fn fault(&self) -> Option<BodyFault> {
        match self {
            BodyVerifier::Framed(decoder) => decoder.fault(),
            BodyVerifier::Hashed(_) => None,
        }
    }

    /// Does what [`Decoder::checksum`] does.
    pub fn checksum(&self) -> Option<&Checksum> {
        match self {
            BodyVerifier::Framed(decoder) => decoder.checksum(),
            BodyVerifier::Hashed(_) => None,
        }
    }

    /// Does what [`Decoder::chunk_size`] does.
    pub fn chunk_size(&self) -> Option<u64> {
        match self {
            BodyVerifier::Framed(decoder) => decoder.chunk_size(),
            BodyVerifier::Hashed(_) => None,
        }
    }

    /// Does what [`Decoder::hash_pieces`] does.
    pub fn hash_pieces(&mut self, size: u64) {
        match self {
            BodyVerifier::Framed(decoder) => decoder.hash_pieces(size),
            BodyVerifier::Hashed(_) => {}
        }
    }

    /// Does what [`Decoder::chunk_hash`] does.
    pub fn chunk_hash(&mut self, offset: u64, length: u64) -> Option<[u8; 32]> {
        match self {
            BodyVerifier::Framed(decoder) => decoder.chunk_hash(offset, length),
            BodyVerifier::Hashed(_) => None,
        }
    }
}

/// Verifies a body by the hash of all of it.
pub struct HashCheck {
    /// In hexadecimal digits of any case; `None` if there is no hash, and only the end of the body is held back.
    expected: Option<[u8; 64]>,
    /// Bytes still to come before the last one may be among them; 0 where nobody knows.
    missing: u64,
    hash: Sha256Stream,
    /// The last byte that has arrived, where none needs to follow it.
    held: Option<u8>,
    complete: bool,
}

impl HashCheck {
    /// Starts. `length` is the length of the body, if it was announced.
    pub(crate) fn new(expected: Option<[u8; 64]>, length: Option<u64>) -> HashCheck {
        HashCheck {
            expected,
            missing: length.unwrap_or(0),
            hash: Sha256Stream::default(),
            held: None,
            complete: false,
        }
    }

    fn take(&mut self, buf: &mut [u8]) -> Range<usize> {
        if self.expected.is_some() {
            self.hash.update(&*buf);
        }
        self.missing = self.missing.saturating_sub(buf.len() as u64);
        let length = buf.len();
        match buf.split_last() {
            Some((&last, rest)) if self.missing == 0 => {
                let rest = rest.len();
                match self.held.replace(last) {
                    None => 0..rest,
                    // The one held back before goes first: there is room for it now.
                    Some(earlier) => {
                        buf.copy_within(..rest, 1);
                        buf.iter_mut().take(1).for_each(|first| *first = earlier);
                        0..length
                    }
                }
            }
            _ => 0..length,
        }
    }

    fn finish(&mut self) -> Result<Option<u8>, Rejection> {
        if let Some(expected) = self.expected {
            let hash = hex(&self.hash.clone().finish());
            if !hash.eq_ignore_ascii_case(&expected) {
                return Err(Rejection::PayloadMismatch(Some(hash.into())));
            }
        }
        self.complete = true;
        Ok(self.held.take())
    }
}

impl std::fmt::Debug for HashCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashCheck")
            .field("missing", &self.missing)
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}
