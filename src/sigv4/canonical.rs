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
pub(crate) fn put_headers(sink: &mut impl Sink, headers: &[Header<'_>]) {
    for same in headers.chunk_by(|a, b| a.name.eq_ignore_ascii_case(b.name)) {
        for (at, header) in same.iter().enumerate() {
            if at == 0 {
                put_lower(sink, header.name);
            }
            put_value(sink, at, header.value);
        }
        sink.put(b"\n");
    }
}

/// Puts the value of a header, which may be one of several with its name. `false` if it holds a line
/// break, and so would look like another header.
#[inline(always)]
pub(crate) fn put_value(sink: &mut impl Sink, at: usize, value: &[u8]) -> bool {
    sink.put(if at == 0 { b":" } else { b"," });
    let plain = is_word(value);
    match plain {
        true => sink.put(value),
        false => put_folded(sink, value),
    }
    plain || memchr::memchr2(b'\n', b'\r', value).is_none()
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
