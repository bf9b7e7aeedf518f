//! What is wrong with a body in `aws-chunked` framing, and where.
use std::fmt;

use crate::{checksum::ChecksumAlgorithm, error::Rejection};

/// What is wrong with a body in `aws-chunked` framing, and where, for the log: lengths and places alone, no
/// byte of the body and nothing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyFault {
    /// Bytes of data before the chunk.
    pub(super) offset: u64,
    pub(super) fault: Fault,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line before a chunk's data cannot be read.
    Head,
    /// A chunk is longer than what is missing of the body.
    TooLong { length: u64, missing: u64 },
    /// A chunk has too few bytes, and is not the last one: the one with that number follows, from 1 on.
    Small { followed_by: u64, length: u64 },
    /// The signature over so many bytes does not match.
    Signature { length: u64 },
    /// After a chunk's data is no line break.
    NoBreak,
    /// The last chunk comes too early.
    Early { missing: u64 },
    /// The body breaks off.
    BreaksOff { missing: u64 },
    /// After the last chunk is more than a line break.
    AfterChunks,
    /// After the trailer is more than a line break.
    AfterTrailer,
    /// The trailer is not the one that was announced, or cannot be read.
    Trailer,
    /// The trailer is no checksum of its algorithm.
    NoChecksum(ChecksumAlgorithm),
    /// The signature over the trailer does not match.
    TrailerSignature,
    /// The trailer is the checksum of other data.
    OtherChecksum(ChecksumAlgorithm),
}

impl BodyFault {
    /// Returns what the client is answered.
    pub(super) fn rejection(self) -> Rejection {
        match self.fault {
            Fault::Head | Fault::NoBreak | Fault::AfterChunks => Rejection::MalformedChunk,
            Fault::TooLong { .. } | Fault::Early { .. } | Fault::BreaksOff { .. } => {
                Rejection::IncompleteBody
            }
            Fault::Small {
                followed_by,
                length,
            } => Rejection::SmallChunk {
                followed_by,
                length,
            },
            Fault::Signature { .. } | Fault::TrailerSignature => Rejection::SignatureDoesNotMatch,
            Fault::AfterTrailer | Fault::Trailer => Rejection::MalformedTrailer,
            Fault::NoChecksum(algorithm) => Rejection::InvalidChecksum(algorithm),
            Fault::OtherChecksum(algorithm) => Rejection::BadDigest(algorithm),
        }
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_of_chunk = matches!(
            self.fault,
            Fault::Head
                | Fault::TooLong { .. }
                | Fault::Small { .. }
                | Fault::Signature { .. }
                | Fault::NoBreak
                | Fault::Early { .. }
                | Fault::BreaksOff { missing: 1.. }
        );
        if is_of_chunk {
            write!(f, "chunk at byte {} of the data: ", self.offset)?;
        }
        match self.fault {
            Fault::Head => f.write_str("the line before its data cannot be read"),
            Fault::TooLong { length, missing } => {
                write!(f, "{length} bytes, where {missing} are missing")
            }
            Fault::Small { length, .. } => {
                write!(f, "the one before has {length} bytes alone")
            }
            Fault::Signature { length } => {
                write!(f, "the signature of its {length} bytes does not match")
            }
            Fault::NoBreak => f.write_str("no line break after its data"),
            Fault::Early { missing } => {
                write!(f, "it is the last one, and {missing} bytes are missing")
            }
            Fault::BreaksOff { missing: 0 } => {
                f.write_str("all data is there, but the body ends before its framing does")
            }
            Fault::BreaksOff { missing } => write!(f, "the body ends, {missing} bytes too early"),
            Fault::AfterChunks => f.write_str("bytes after the last chunk"),
            Fault::AfterTrailer => f.write_str("bytes after the trailer"),
            Fault::Trailer => {
                f.write_str("trailer: not the one that was announced, or not readable")
            }
            Fault::NoChecksum(algorithm) => write!(f, "trailer: no {}", algorithm.name()),
            Fault::TrailerSignature => f.write_str("trailer: its signature does not match"),
            Fault::OtherChecksum(algorithm) => {
                write!(f, "trailer: not the {} of the data", algorithm.name())
            }
        }
    }
}
