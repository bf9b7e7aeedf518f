//! The body that goes out.
use crate::{
    checksum::{Checksum, ChecksumAlgorithm},
    chunked::encoder::Shape,
    dialect::Dialect,
    digests::Digests,
    header_fate::BodyHeaders,
    request::Header,
    wire::WireHead,
};

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

const CONTENT_MD5: &[u8] = b"content-md5";

impl<'a> BodyOut<'a> {
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

    /// Returns the header that is added to tell the digest of the body: a trailing checksum, where that is not sent
    /// after the body, or the MD5 that the origin's dialect wants.
    pub(super) fn digest(
        &self,
        head: &WireHead<'_, '_>,
        digests: Option<&'a Digests>,
        dialect: Dialect,
    ) -> Option<Header<'a>> {
        let trailing = match self {
            BodyOut::Decoded { checksum, .. } => *checksum,
            BodyOut::Replaced(_) => return None,
            _ => None,
        };
        if let Some(checksum) = trailing
            && !dialect.drops_checksums()
        {
            return Some(Header {
                name: checksum.algorithm().header(),
                value: checksum.value(),
            });
        }
        let md5 = trailing
            .filter(|checksum| checksum.algorithm() == ChecksumAlgorithm::Md5)
            .or_else(|| digests?.md5_for(dialect))?;
        let is_md5 = |header: Header<'_>| header.name.eq_ignore_ascii_case(CONTENT_MD5);
        (!head.headers().any(is_md5)).then(|| Header {
            name: CONTENT_MD5,
            value: md5.value(),
        })
    }
}
