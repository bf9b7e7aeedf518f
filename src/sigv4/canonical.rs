//! The canonical request and the string to sign: the one canonicaliser of the project, for
//! verification, signing, presigning and explaining alike.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
use arrayvec::ArrayVec;

use crate::{
    date::AmzDate,
    request::{Header, UPPER, kinds},
    scope::Scope,
    sink::Sink,
};

pub(crate) const ALGORITHM: &[u8] = b"AWS4-HMAC-SHA256";

/// Puts a canonical request. `headers` are the signed ones, sorted by name, repeated ones in their
/// order; `path`, `query` and `names`, which is SignedHeaders, put these in canonical form.
pub(crate) fn put_request<'a, S: Sink>(
    sink: &mut S,
    method: &[u8],
    path: impl FnOnce(&mut S),
    query: impl FnOnce(&mut S),
    headers: impl Iterator<Item = Header<'a>>,
    names: impl FnOnce(&mut S),
    payload: &[u8],
) {
    sink.put(method);
    sink.put(b"\n");
    path(sink);
    sink.put(b"\n");
    query(sink);
    sink.put(b"\n");
    put_headers(sink, headers);
    sink.put(b"\n");
    names(sink);
    sink.put(b"\n");
    sink.put(payload);
}

/// `name:value,value` and a line feed for each name.
fn put_headers<'a>(sink: &mut impl Sink, headers: impl Iterator<Item = Header<'a>>) {
    let mut last: Option<&[u8]> = None;
    for header in headers {
        if last.is_some_and(|name| name.eq_ignore_ascii_case(header.name)) {
            sink.put(b",");
        } else {
            if last.is_some() {
                sink.put(b"\n");
            }
            put_lower(sink, header.name);
            sink.put(b":");
        }
        put_folded(sink, header.value);
        last = Some(header.name);
    }
    if last.is_some() {
        sink.put(b"\n");
    }
}

/// The names, once each, with `;` between them: SignedHeaders.
pub(crate) fn put_names<'a>(sink: &mut impl Sink, headers: impl Iterator<Item = Header<'a>>) {
    let mut last: Option<&[u8]> = None;
    for Header { name, .. } in headers {
        if last.is_some_and(|last| last.eq_ignore_ascii_case(name)) {
            continue;
        }
        if last.is_some() {
            sink.put(b";");
        }
        put_lower(sink, name);
        last = Some(name);
    }
}

/// The order of two names in lower case.
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

/// Puts a value without the space around it, runs of spaces inside as one.
fn put_folded(sink: &mut impl Sink, value: &[u8]) {
    let mut rest = value.trim_ascii();
    while let Some(space) = memchr::memchr(b' ', rest) {
        let (word, tail) = rest.split_at(space + 1);
        sink.put(word);
        rest = tail.trim_ascii_start();
    }
    sink.put(rest);
}

/// Puts the string to sign for the hash of a canonical request.
pub(crate) fn put_string_to_sign(
    sink: &mut impl Sink,
    date: &AmzDate,
    scope: &Scope,
    hash: &[u8; 32],
) {
    sink.put(ALGORITHM);
    sink.put(b"\n");
    sink.put(date.as_bytes());
    sink.put(b"\n");
    scope.put(sink);
    sink.put(b"\n");
    sink.put(&hex(hash));
}

/// Lower-case hexadecimal digits; computed, since the compiler can use vectors for that.
pub(crate) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let digit = |nibble: u8| nibble + b'0' + if nibble > 9 { b'a' - b'9' - 1 } else { 0 };
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    text
}
