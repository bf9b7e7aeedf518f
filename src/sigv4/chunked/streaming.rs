//! What a head says of a body in `aws-chunked` framing.
use crate::{
    checksum::ChecksumAlgorithm,
    error::{ChecksumFault, Rejection},
    headers::{KnownHeader, KnownHeaders},
};

/// The longest body, in bytes: framed again, its length still is a file offset.
const MAX_LENGTH: u64 = 1 << 62;

/// How the chunks of a body are secured: what `x-amz-content-sha256` says instead of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamingKind {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: each chunk has a signature.
    Signed,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: so has the checksum after the last one.
    SignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: only a checksum after the last chunk.
    UnsignedTrailer,
}

impl StreamingKind {
    pub(crate) const ALL: [StreamingKind; 3] = [
        StreamingKind::Signed,
        StreamingKind::SignedTrailer,
        StreamingKind::UnsignedTrailer,
    ];

    /// Returns the value of `x-amz-content-sha256`.
    pub fn name(self) -> &'static str {
        match self {
            StreamingKind::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            StreamingKind::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            StreamingKind::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }

    pub fn is_signed(self) -> bool {
        self != StreamingKind::UnsignedTrailer
    }

    pub fn has_trailer(self) -> bool {
        self != StreamingKind::Signed
    }
}

/// What a client's head says of a body in `aws-chunked` framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streaming {
    pub kind: StreamingKind,
    /// `x-amz-decoded-content-length`: bytes of the body without its framing.
    pub decoded_length: u64,
    /// `Content-Length`: bytes with it, where the client said so.
    pub framed_length: Option<u64>,
    /// `x-amz-trailer`; of the kinds that have one, and only of them. S3 takes an unsigned body without it, if no
    /// trailer comes either.
    pub checksum: Option<ChecksumAlgorithm>,
}

impl Streaming {
    pub(crate) fn read(
        kind: StreamingKind,
        fields: &KnownHeaders<'_>,
    ) -> Result<Streaming, Rejection> {
        let decoded_length = fields
            .value(KnownHeader::DecodedLength)
            .and_then(decimal)
            .ok_or(Rejection::MissingDecodedLength)?;
        if decoded_length > MAX_LENGTH {
            return Err(Rejection::EntityTooLarge);
        }
        let checksum = match (kind, fields.value(KnownHeader::Trailer)) {
            (StreamingKind::Signed | StreamingKind::UnsignedTrailer, None) => None,
            (StreamingKind::SignedTrailer, None) => return Err(Rejection::MalformedTrailer),
            (StreamingKind::SignedTrailer | StreamingKind::UnsignedTrailer, Some(name)) => {
                Some(trailer_name(name))
                    .and_then(ChecksumAlgorithm::of_header)
                    .map(Some)
                    .ok_or(Rejection::Checksums(ChecksumFault::Trailer))?
            }
            (StreamingKind::Signed, Some(_)) => {
                return Err(Rejection::Checksums(ChecksumFault::Trailer));
            }
        };
        Ok(Streaming {
            kind,
            decoded_length,
            framed_length: fields.value(KnownHeader::ContentLength).and_then(decimal),
            checksum,
        })
    }
}

/// How an origin is sent a body that came in `aws-chunked` framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// In the same kind of framing, built again.
    #[default]
    Keep,
    /// Plain, with its length; for origins that do not know the framing.
    Decode,
    /// Signed chunks without a trailer are built again, and anything else is sent plain; for origins that know no
    /// trailers.
    DecodeTrailers,
}

impl Framing {
    /// Whether a body of that kind is sent plain.
    pub(crate) fn decodes(self, kind: StreamingKind) -> bool {
        match self {
            Framing::Keep => false,
            Framing::Decode => true,
            Framing::DecodeTrailers => kind.has_trailer(),
        }
    }
}

/// Lists the codings that a Content-Encoding names.
pub(crate) fn codings(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let codings = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    codings.filter(|coding| !coding.is_empty())
}

/// Whether a coding is the framing.
pub(crate) fn is_framing(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"aws-chunked")
}

/// Returns the name in `x-amz-trailer`, which S3 reads as a list: commas may follow it.
pub(crate) fn trailer_name(value: &[u8]) -> &[u8] {
    let mut name = value.trim_ascii();
    while let [start @ .., b','] = name {
        name = start;
    }
    name.trim_ascii_end()
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = digits.trim_ascii();
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
        .then(|| std::str::from_utf8(digits).ok()?.parse().ok())
        .flatten()
}
