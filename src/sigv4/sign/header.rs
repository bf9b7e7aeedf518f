//! The headers that are written.
use arrayvec::ArrayVec;

use crate::{
    canonical::SignedHeader,
    chunked::streaming::{codings, is_framing},
    request::MAX_HEADERS,
    sse_c::AddedKeys,
    text::sink::Sink,
};

/// A header that is written again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AddedHeader {
    Host,
    ContentSha256,
    Date,
    SecurityToken,
}

impl AddedHeader {
    /// Returns the name that is signed.
    pub(super) fn name(self) -> &'static [u8] {
        match self {
            AddedHeader::Host => b"host",
            AddedHeader::ContentSha256 => b"x-amz-content-sha256",
            AddedHeader::Date => b"x-amz-date",
            AddedHeader::SecurityToken => b"x-amz-security-token",
        }
    }

    /// Returns what is sent up to the value.
    pub(super) fn label(self) -> &'static [u8] {
        match self {
            AddedHeader::Host => b"Host: ",
            AddedHeader::ContentSha256 => b"X-Amz-Content-Sha256: ",
            AddedHeader::Date => b"X-Amz-Date: ",
            AddedHeader::SecurityToken => b"X-Amz-Security-Token: ",
        }
    }
}

/// All that may be on the wire, and those that are added.
pub(super) type SignedHeaders<'a> =
    ArrayVec<SignedHeader<'a>, { MAX_HEADERS + 5 + AddedKeys::MOST_HEADERS }>;

pub(super) type AddedHeaders<'a> = ArrayVec<(AddedHeader, &'a [u8]), 3>;

pub(super) fn put_header(sink: &mut impl Sink, label: &[u8], value: &[u8]) {
    sink.put(label);
    sink.put(value);
    sink.put(b"\r\n");
}

/// Puts a Content-Encoding without `aws-chunked`; none where nothing else is in it. One that lacks it stays as it is.
pub(super) fn put_other_encodings(sink: &mut impl Sink, value: &[u8]) {
    let mut others = codings(value).filter(|coding| !is_framing(coding));
    let Some(first) = others.next() else {
        return;
    };
    if !codings(value).any(is_framing) {
        put_header(sink, b"Content-Encoding: ", value);
        return;
    }
    sink.put(b"Content-Encoding: ");
    sink.put(first);
    for other in others {
        sink.put(b", ");
        sink.put(other);
    }
    sink.put(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where they are all, they are not sorted.
    #[test]
    fn added_headers_are_sorted() {
        let added = [
            AddedHeader::Host,
            AddedHeader::ContentSha256,
            AddedHeader::Date,
            AddedHeader::SecurityToken,
        ];
        assert!(added.is_sorted_by_key(|header| header.name()));
        for header in added {
            let label = [header.name(), b": "].concat();
            assert!(header.label().eq_ignore_ascii_case(&label));
        }
    }
}
