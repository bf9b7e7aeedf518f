//! `x-amz-content-sha256`: what a signature says about the body.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
use crate::{chunked::streaming::StreamingKind, error::Rejection};

/// What is signed in the place of a body that is sent as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload<'a> {
    /// The SHA-256 of the body, 64 hexadecimal digits as sent.
    Hash(&'a [u8; 64]),
    Unsigned,
}

/// What a V4 header signs in the place of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderPayload<'a> {
    Plain(Payload<'a>),
    /// A signature or a checksum is in the body, which is in `aws-chunked` framing.
    Streaming(StreamingKind),
}

impl<'a> Payload<'a> {
    /// Reads the payload of a request that is not signed in a V4 header, whose signature begins no chain.
    pub(crate) fn parse(value: &'a [u8]) -> Result<Payload<'a>, Rejection> {
        match HeaderPayload::parse(value)? {
            HeaderPayload::Plain(payload) => Ok(payload),
            HeaderPayload::Streaming(_) => Err(Rejection::NotImplemented),
        }
    }

    /// Returns the last line of the canonical request.
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        match self {
            Payload::Hash(hash) => hash,
            Payload::Unsigned => b"UNSIGNED-PAYLOAD",
        }
    }
}

impl<'a> HeaderPayload<'a> {
    pub(crate) fn parse(value: &'a [u8]) -> Result<HeaderPayload<'a>, Rejection> {
        match value {
            b"UNSIGNED-PAYLOAD" => Ok(HeaderPayload::Plain(Payload::Unsigned)),
            b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => Err(Rejection::NotImplemented),
            _ => match value.try_into() {
                Ok(hash) if is_hex(hash) => Ok(HeaderPayload::Plain(Payload::Hash(hash))),
                _ => StreamingKind::ALL
                    .into_iter()
                    .find(|kind| kind.name().as_bytes() == value)
                    .map(HeaderPayload::Streaming)
                    .ok_or(Rejection::InvalidPayloadHash),
            },
        }
    }

    /// Returns the last line of the canonical request.
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        match self {
            HeaderPayload::Plain(payload) => payload.as_bytes(),
            HeaderPayload::Streaming(kind) => kind.name().as_bytes(),
        }
    }
}

/// Has no branch for each digit, so that the compiler can use vectors.
fn is_hex(text: &[u8; 64]) -> bool {
    let is_digit = |all, byte: &u8| all & byte.is_ascii_hexdigit();
    text.iter().fold(true, is_digit)
}
