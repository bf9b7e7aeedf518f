//! The canonical request and the string to sign: the one canonicaliser of the project, for
//! verification, signing, presigning and explaining alike.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
use arrayvec::ArrayVec;

use crate::{
    crypto::hex::hex,
    date::AmzDate,
    request::Header,
    scope::Scope,
    text::sink::Sink,
    text::token::{UPPER, kinds},
};

pub(crate) const ALGORITHM: &[u8] = b"AWS4-HMAC-SHA256";

/// Puts what is signed, the same each time.
pub(crate) trait CanonicalText {
    fn put(&self, sink: &mut impl Sink);
}

/// A header that is signed.
#[derive(Clone, Copy)]
pub(crate) struct SignedHeader<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Both are in canonical form as they are: the name in lower case, the value without a space.
    pub(crate) canonical: bool,
}

impl SignedHeader<'_> {
    fn put_name(&self, sink: &mut impl Sink) {
        match self.canonical {
            true => sink.put(self.name),
            false => put_lower(sink, self.name),
        }
    }
}

impl<'a> From<Header<'a>> for SignedHeader<'a> {
    fn from(header: Header<'a>) -> SignedHeader<'a> {
        SignedHeader {
            name: header.name,
            value: header.value,
            canonical: false,
        }
    }
}

/// Puts a canonical request; `path`, `query`, `headers` and `names`, which is SignedHeaders, put these
/// in canonical form. Returns what `headers` does.
pub(crate) fn put_request<S: Sink, R>(
    sink: &mut S,
    method: &[u8],
    path: impl FnOnce(&mut S),
    query: impl FnOnce(&mut S),
    headers: impl FnOnce(&mut S) -> R,
    names: impl FnOnce(&mut S),
    payload: &[u8],
) -> R {
    sink.put(method);
    sink.put(b"\n");
    path(sink);
    sink.put(b"\n");
    query(sink);
    sink.put(b"\n");
    let result = headers(sink);
    sink.put(b"\n");
    names(sink);
    sink.put(b"\n");
    sink.put(payload);
    result
}

/// Puts `name:value,value` and a line feed for each name. The headers are sorted by name, repeated
/// ones in their order, and known to have no line break.
pub(crate) fn put_headers<'a>(
    sink: &mut impl Sink,
    headers: impl Iterator<Item = impl Into<SignedHeader<'a>>>,
) {
    let mut last: Option<&[u8]> = None;
    let mut at = 0;
    for header in headers.map(Into::into) {
        at += 1;
        if !last.is_some_and(|last| last.eq_ignore_ascii_case(header.name)) {
            if last.is_some() {
                sink.put(b"\n");
            }
            header.put_name(sink);
            at = 0;
        }
        match header.canonical {
            true => {
                sink.put(separator(at));
                sink.put(header.value);
            }
            false => _ = put_value(sink, at, header.value),
        }
        last = Some(header.name);
    }
    if last.is_some() {
        sink.put(b"\n");
    }
}

/// Puts the value of a header. `false` if it holds a line
/// break, and so would look like another header.
#[inline(always)]
pub(crate) fn put_value(sink: &mut impl Sink, at: usize, value: &[u8]) -> bool {
    sink.put(separator(at));
    let plain = is_word(value);
    match plain {
        true => sink.put(value),
        false => put_folded(sink, value),
    }
    plain || memchr::memchr2(b'\n', b'\r', value).is_none()
}

/// Returns what stands before a value, which may be one of several with its name.
fn separator(at: usize) -> &'static [u8; 1] {
    if at == 0 { b":" } else { b"," }
}

/// Whether there is neither a space nor a control byte in a value. Judged in pieces without branches,
/// the last of which may overlap, so that the compiler can use vectors.
#[inline(always)]
fn is_word(value: &[u8]) -> bool {
    let is_graphic = |byte: &u8| *byte > b' ';
    if let Some(last) = value.last_chunk::<16>() {
        let are_graphic = |block: &[u8; 16]| block.iter().fold(true, |all, b| all & is_graphic(b));
        value.as_chunks().0.iter().all(are_graphic) && are_graphic(last)
    } else if let (Some(first), Some(last)) = (value.first_chunk::<8>(), value.last_chunk::<8>()) {
        let pairs = first.iter().zip(last);
        pairs.fold(true, |all, (a, b)| all & is_graphic(a) & is_graphic(b))
    } else {
        value.iter().all(is_graphic)
    }
}

/// Puts the names, once each, with `;` between them: SignedHeaders.
pub(crate) fn put_names<'a>(
    sink: &mut impl Sink,
    headers: impl Iterator<Item = impl Into<SignedHeader<'a>>>,
) {
    let mut last: Option<&[u8]> = None;
    for header in headers.map(Into::into) {
        if last.is_some_and(|last| last.eq_ignore_ascii_case(header.name)) {
            continue;
        }
        if last.is_some() {
            sink.put(b";");
        }
        header.put_name(sink);
        last = Some(header.name);
    }
}

/// Compares two names in lower case.
pub(crate) fn order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    a.iter()
        .map(u8::to_ascii_lowercase)
        .cmp(b.iter().map(u8::to_ascii_lowercase))
}

/// Puts a name in lower case.
pub(crate) fn put_lower(sink: &mut impl Sink, name: &[u8]) {
    if kinds(name) & UPPER == 0 {
        return sink.put(name);
    }
    for chunk in name.chunks(64) {
        let mut lower = ArrayVec::<u8, 64>::new();
        let _ = lower.try_extend_from_slice(chunk);
        lower.make_ascii_lowercase();
        sink.put(&lower);
    }
}

/// Puts a value without the space around it, runs of spaces inside as one. Any other control byte is
/// part of the value: it goes out too, so the signature has to cover it.
fn put_folded(sink: &mut impl Sink, value: &[u8]) {
    let mut rest = trim(value);
    while let Some(space) = memchr::memchr(b' ', rest) {
        let (word, mut tail) = rest.split_at(space + 1);
        sink.put(word);
        while let [b' ', after @ ..] = tail {
            tail = after;
        }
        rest = tail;
    }
    sink.put(rest);
}

/// Cuts off the spaces and tabs around a header's value (RFC 9110 section 5.5), which are not part of it.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Puts the string to sign for the hash of a canonical request.
pub(crate) fn put_string_to_sign(
    sink: &mut impl Sink,
    date: &AmzDate,
    scope: Scope<'_>,
    hash: &[u8; 32],
) {
    sink.put(ALGORITHM);
    sink.put(b"\n");
    sink.put(date.as_bytes());
    sink.put(b"\n");
    sink.put(scope.as_bytes());
    sink.put(b"\n");
    sink.put(&hex(hash));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ties::{each_edit, each_odd_byte};

    fn slowly_folded(value: &[u8]) -> Vec<u8> {
        let is_edge = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = value.iter().position(|byte| !is_edge(byte));
        let end = value.iter().rposition(|byte| !is_edge(byte));
        let inner = start
            .zip(end)
            .and_then(|(start, end)| value.get(start..=end));
        let mut folded = Vec::new();
        for &byte in inner.unwrap_or_default() {
            if byte != b' ' || folded.last() != Some(&b' ') {
                folded.push(byte);
            }
        }
        folded
    }

    fn check(value: &[u8]) {
        let mut put = Vec::new();
        let is_line = put_value(&mut put, 1, value);
        assert_eq!(
            put,
            [b",", &*slowly_folded(value)].concat(),
            "{}",
            value.escape_ascii()
        );
        assert_eq!(is_line, !value.iter().any(|byte| b"\r\n".contains(byte)));
        let is_plain = !value.iter().any(|byte| *byte <= b' ');
        assert_eq!(is_word(value), is_plain, "{}", value.escape_ascii());
    }

    #[test]
    fn a_value_is_read_in_blocks_as_by_bytes() {
        each_odd_byte(b'a', 36, check);
        each_edit(b"\t a  b c\td ", check);
    }

    #[test]
    fn a_name_in_lower_case_is_put_as_any_other() {
        let check = |name: &[u8]| {
            let mut put = Vec::new();
            put_lower(&mut put, name);
            assert_eq!(put, name.to_ascii_lowercase());
        };
        each_odd_byte(b'a', 12, check);
        each_odd_byte(b'A', 70, check);
    }
}
