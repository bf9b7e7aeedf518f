//! The body that goes out.
use crate::{checksum::Checksum, chunked::encoder::Shape, wire::BodyHeaders};

/// The body that follows a head.
pub(super) enum BodyOut<'a> {
    /// As the client sent it.
    Untouched,
    /// In `aws-chunked` framing, built again.
    Framed(Shape),
    /// Without the framing in which the client sent it.
    Decoded {
        length: u64,
        checksum: Option<&'a Checksum>,
    },
    /// A browser's form.
    Form {
        /// What precedes the file.
        head: Vec<u8>,
        stored_length: u64,
    },
    /// One that was written in the place of the client's.
    Replaced(&'a [u8]),
}

impl BodyOut<'_> {
    /// Returns what becomes of the headers that tell of it.
    pub(super) fn headers(&self) -> BodyHeaders {
        match self {
            BodyOut::Untouched => BodyHeaders::Untouched,
            BodyOut::Framed(_) | BodyOut::Form { .. } => BodyHeaders::Reframed,
            BodyOut::Replaced(_) => BodyHeaders::Replaced,
            BodyOut::Decoded { checksum, .. } => BodyHeaders::Decoded {
                checksum_known: checksum.is_some(),
            },
        }
    }

    /// Returns Content-Length if it is not the client's.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            BodyOut::Untouched => None,
            BodyOut::Framed(shape) => Some(shape.framed_length()),
            BodyOut::Decoded { length, .. } => Some(*length),
            BodyOut::Replaced(body) => Some(body.len() as u64),
            BodyOut::Form {
                head,
                stored_length,
            } => Some(head.len() as u64 + stored_length),
        }
    }

    /// Returns what follows the blank line, before what was stored of the client's.
    pub(super) fn start(&self) -> &[u8] {
        match self {
            BodyOut::Form { head, .. } => head,
            BodyOut::Replaced(body) => body,
            _ => b"",
        }
    }

    /// Returns the trailing checksum where it is sent as a header.
    pub(super) fn checksum(&self) -> Option<&Checksum> {
        match self {
            BodyOut::Decoded { checksum, .. } => *checksum,
            _ => None,
        }
    }
}
