//! Bodies that are read before their request is signed, since another one goes out in their place.
use crate::{
    bucket_configuration::BucketConfiguration,
    checksum::{ChecksumAlgorithm, ChecksumHasher},
    completed_parts::CompletedParts,
    crypto::{hex::hex, sha256::Sha256Sink},
    error::Rejection,
    header_fate::is_digest,
    origin::Origin,
    payload::Payload,
    region::Region,
    request::Header,
    text::sink::Sink,
    written_body::WrittenBody,
};

/// A body while it arrives.
#[derive(Debug)]
pub struct GatheredBody {
    body: Vec<u8>,
    /// The longest one that is read, in bytes.
    limit: usize,
    is_whole: bool,
}

impl GatheredBody {
    pub(crate) fn new(limit: usize) -> GatheredBody {
        GatheredBody {
            body: Vec::new(),
            limit,
            is_whole: false,
        }
    }

    /// Takes a piece; `ends` says that it is the last one.
    ///
    /// # Errors
    /// If the body is too long.
    pub fn take(&mut self, piece: &[u8], ends: bool) -> Result<(), Rejection> {
        if self.body.len() + piece.len() > self.limit {
            return Err(Rejection::MalformedXml);
        }
        self.body.extend_from_slice(piece);
        self.is_whole |= ends;
        Ok(())
    }

    /// Returns the body; `None` until it is whole.
    pub fn whole(&self) -> Option<&[u8]> {
        self.is_whole.then_some(&*self.body)
    }
}

/// A document that is not the same for each origin.
#[derive(Debug)]
pub(crate) enum Document {
    /// It names the region of a bucket.
    Bucket(BucketConfiguration),
    /// It tells checksums of parts.
    Parts(CompletedParts),
}

impl Document {
    /// Writes it for an origin, for a client that has signed for `region`.
    pub(crate) fn prepare(&mut self, origin: &Origin, region: &Region) {
        match self {
            Document::Bucket(configuration) => configuration.prepare(origin.region_for(region)),
            Document::Parts(_) => {}
        }
    }

    /// Returns what goes to an origin; `None` if it was written for another one.
    pub(crate) fn sent_to(&self, origin: &Origin, region: &Region) -> Option<&WrittenBody> {
        match self {
            Document::Bucket(configuration) => configuration.sent_to(origin.region_for(region)),
            Document::Parts(parts) => Some(parts.sent_to(origin.dialect)),
        }
    }
}

/// Checks a body against what was signed of it, and against its checksums if nothing was.
pub(crate) fn check_body<'h>(
    body: &[u8],
    payload: Payload<'_>,
    headers: impl Iterator<Item = Header<'h>>,
) -> Result<(), Rejection> {
    if let Payload::Hash(expected) = payload {
        let mut hash = Sha256Sink::default();
        hash.put(body);
        let hash = hex(&hash.finish());
        return match hash.eq_ignore_ascii_case(expected) {
            true => Ok(()),
            false => Err(Rejection::PayloadMismatch(Some(hash.into()))),
        };
    }
    for header in headers.filter(|header| is_digest(header.name)) {
        let algorithm = ChecksumAlgorithm::of_header(header.name);
        // What cannot be checked here, the origin cannot check any more.
        let algorithm = algorithm.ok_or(Rejection::NotImplemented)?;
        let mut hasher = ChecksumHasher::new(algorithm);
        hasher.update(body);
        if hasher.finish().value() != header.value {
            return Err(Rejection::BadDigest(algorithm));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_a_limit() {
        const MAX: usize = 1000;
        let mut body = GatheredBody::new(MAX);
        assert_eq!(body.take(&[b' '; MAX], false), Ok(()));
        assert_eq!(body.whole(), None);
        assert_eq!(body.take(b" ", true), Err(Rejection::MalformedXml));
        assert_eq!(body.take(b"", true), Ok(()));
        assert_eq!(body.whole().map(<[u8]>::len), Some(MAX));
    }

    #[test]
    fn bodies_are_checked() {
        let check = |name: &'static str, value: &'static str| {
            let header = Header {
                name: name.as_bytes(),
                value: value.as_bytes(),
            };
            check_body(b"a", Payload::Unsigned, [header].into_iter())
        };
        assert_eq!(check("x-amz-checksum-crc32", "6Le+Qw=="), Ok(()));
        assert_eq!(
            check("x-amz-checksum-crc32", "AAAAAA=="),
            Err(Rejection::BadDigest(ChecksumAlgorithm::Crc32))
        );
        assert_eq!(check("Content-MD5", "a"), Err(Rejection::NotImplemented));
        assert_eq!(
            check("x-amz-checksum-md4", "a"),
            Err(Rejection::NotImplemented)
        );
        assert_eq!(check("x-amz-acl", "private"), Ok(()));
        let none = || std::iter::empty();
        let mut hash = Sha256Sink::default();
        let empty = hex(&hash.finish());
        assert_eq!(check_body(b"", Payload::Hash(&empty), none()), Ok(()));
        let mut hash = Sha256Sink::default();
        hash.put(b"a");
        let hash_of_a = hex(&hash.finish());
        assert_eq!(
            check_body(b"a", Payload::Hash(&empty), none()),
            Err(Rejection::PayloadMismatch(Some(hash_of_a.into())))
        );
    }
}
