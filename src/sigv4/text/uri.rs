//! S3's percent-encoding: everything but `A-Z a-z 0-9 - . _ ~` is `%XX` in upper case, and a path
//! keeps its `/`.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html> (`UriEncode`)
//!
//! `percent-encoding` writes what is encoded whole. It cannot scan text up to a separator, nor bring it to
//! its canonical form in one pass, as requests need: they are read here.
use std::cmp::Ordering;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::{text::bytes::same, text::sink::Sink, text::token::run};

/// Which part of a URI: a path keeps `/`, and in a query a raw `+` is a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Path,
    Query,
}

impl Part {
    /// Returns which bytes stand for themselves in canonical text.
    fn plain(self) -> &'static [bool; 256] {
        match self {
            Part::Path => &PATH,
            Part::Query => &UNRESERVED,
        }
    }

    /// Returns which ASCII bytes do not stand for themselves; others never do.
    fn encoded(self) -> &'static AsciiSet {
        const IN_QUERY: AsciiSet = NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'.')
            .remove(b'_')
            .remove(b'~');
        match self {
            Part::Path => const { &IN_QUERY.remove(b'/') },
            Part::Query => const { &IN_QUERY },
        }
    }

    fn is_plain(self, byte: u8) -> bool {
        self.plain()[usize::from(byte)]
    }

    /// Splits off the longest run of plain bytes.
    #[inline(always)]
    fn split_plain(self, text: &[u8]) -> (&[u8], &[u8]) {
        // Most are short.
        let (start, after) = text.split_at(text.len().min(16));
        let mut length = run(start, |byte| self.is_plain(byte));
        if length == 16 {
            for block in after.as_chunks().0 {
                if !self.are_plain(block) {
                    break;
                }
                length += block.len();
            }
            let rest = text.get(length..).unwrap_or_default();
            length += run(rest, |byte| self.is_plain(byte));
        }
        text.split_at(length)
    }

    /// Whether all bytes are plain. There is no branch for each byte, so that the compiler can use vectors.
    #[inline(always)]
    fn are_plain(self, block: &[u8; 16]) -> bool {
        let no_slash = self == Part::Query;
        let is_plain = |byte: u8| is_path(byte) & !((byte == b'/') & no_slash);
        block.iter().fold(true, |all, &byte| all & is_plain(byte))
    }
}

/// Whether `raw` is in its canonical form already; `None` if a `%` lacks its two digits.
pub(crate) fn is_canonical(raw: &[u8], part: Part) -> Option<bool> {
    // As most are.
    if is_plain(raw, part) {
        return Some(true);
    }
    scan_part(raw, part, b"").map(|scanned| scanned.canonical)
}

/// Whether nothing in `raw` is encoded or should be.
#[inline(always)]
pub(crate) fn is_plain(raw: &[u8], part: Part) -> bool {
    match raw.last_chunk() {
        // It may overlap the block before.
        Some(last) => {
            let mut blocks = raw.as_chunks().0.iter();
            blocks.all(|block| part.are_plain(block)) && part.are_plain(last)
        }
        None => run(raw, |byte| part.is_plain(byte)) == raw.len(),
    }
}

/// A piece of a query that was looked at.
#[derive(Clone, Copy)]
pub(crate) struct Scanned<'a> {
    /// It is in its canonical form already.
    pub(crate) canonical: bool,
    /// What follows it, from its end byte on.
    pub(crate) after: &'a [u8],
}

impl<'a> Scanned<'a> {
    /// Makes a piece that is known to be of so many plain bytes.
    pub(crate) fn plain(text: &'a [u8], length: usize) -> Scanned<'a> {
        Scanned {
            canonical: true,
            after: text.get(length..).unwrap_or_default(),
        }
    }
}

/// Looks at a piece of a query up to the first of the `ends`; `None` if a `%` lacks its two digits.
pub(crate) fn scan<'a>(raw: &'a [u8], ends: &[u8]) -> Option<Scanned<'a>> {
    scan_part(raw, Part::Query, ends)
}

/// Passes over a piece of a query that nobody will read.
pub(crate) fn skip(raw: &[u8], end: u8) -> Scanned<'_> {
    let length = memchr::memchr(end, raw).unwrap_or(raw.len());
    Scanned {
        canonical: false,
        after: raw.get(length..).unwrap_or_default(),
    }
}

fn scan_part<'a>(raw: &'a [u8], part: Part, ends: &[u8]) -> Option<Scanned<'a>> {
    let mut canonical = true;
    let mut rest = raw;
    loop {
        let (_, after) = part.split_plain(rest);
        rest = match after {
            [b'%', high, low, rest @ ..] => {
                let byte = unhex(*high)? << 4 | unhex(*low)?;
                canonical &=
                    !part.is_plain(byte) && !high.is_ascii_lowercase() && !low.is_ascii_lowercase();
                rest
            }
            [b'%', ..] => return None,
            [end, ..] if ends.contains(end) => return Some(Scanned { canonical, after }),
            [_, rest @ ..] => {
                canonical = false;
                rest
            }
            [] => return Some(Scanned { canonical, after }),
        };
    }
}

/// Puts the canonical form of `raw`: decoded once, encoded once.
pub(crate) fn put_canonical(sink: &mut impl Sink, raw: &[u8], part: Part) {
    let mut rest = raw;
    loop {
        let (plain, tail) = part.split_plain(rest);
        sink.put(plain);
        let mut decoder = PercentDecoder { rest: tail, part };
        let Some(byte) = decoder.next() else { return };
        put_byte(sink, byte, part);
        rest = decoder.rest;
    }
}

/// Puts the canonical form of a path, of which it may be known that it is that already.
pub(crate) fn put_path(sink: &mut impl Sink, raw: &[u8], canonical: bool) {
    match canonical {
        true => sink.put(raw),
        false => put_canonical(sink, raw, Part::Path),
    }
}

/// Percent-encodes what is put into it, as a query does.
pub(crate) struct EncodingSink<'s, S>(pub(crate) &'s mut S);

impl<S: Sink> Sink for EncodingSink<'_, S> {
    fn put(&mut self, bytes: &[u8]) {
        put_encoded(self.0, bytes, Part::Query);
    }
}

/// Puts decoded `bytes` encoded.
pub(crate) fn put_encoded(sink: &mut impl Sink, bytes: &[u8], part: Part) {
    // As most are.
    if is_plain(bytes, part) {
        return sink.put(bytes);
    }
    for piece in percent_encode(bytes, part.encoded()) {
        sink.put(piece.as_bytes());
    }
}

fn put_byte(sink: &mut impl Sink, byte: u8, part: Part) {
    if part.is_plain(byte) {
        sink.put(&[byte]);
    } else {
        let digit = |nibble: u8| HEX_UPPER[usize::from(nibble & 15)];
        sink.put(&[b'%', digit(byte >> 4), digit(byte)]);
    }
}

/// Decodes `raw`; a `%` without its digits stands for itself.
pub(crate) fn decoded(raw: &[u8], part: Part) -> PercentDecoder<'_> {
    PercentDecoder { rest: raw, part }
}

/// Puts the decoded bytes of `raw`.
pub(crate) fn put_decoded(sink: &mut impl Sink, raw: &[u8], part: Part) {
    let mut rest = raw;
    while !rest.is_empty() {
        let (plain, tail) = part.split_plain(rest);
        sink.put(plain);
        let mut decoder = decoded(tail, part);
        sink.put(decoder.next().as_slice());
        rest = decoder.rest;
    }
}

#[derive(Clone)]
pub(crate) struct PercentDecoder<'a> {
    rest: &'a [u8],
    part: Part,
}

impl<'a> PercentDecoder<'a> {
    /// Returns what is still to be decoded.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl Iterator for PercentDecoder<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if let [b'%', high, low, rest @ ..] = self.rest
            && let (Some(high), Some(low)) = (unhex(*high), unhex(*low))
        {
            self.rest = rest;
            return Some(high << 4 | low);
        }
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(if *byte == b'+' && self.part == Part::Query {
            b' '
        } else {
            *byte
        })
    }
}

/// Compares the canonical forms of two pieces of a query.
pub(crate) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    // '%' sorts before every unreserved byte, and upper-case digits in the order of their values.
    let rank = |byte: u8| (UNRESERVED[usize::from(byte)], byte);
    decoded(a, Part::Query)
        .map(rank)
        .cmp(decoded(b, Part::Query).map(rank))
}

/// Whether two raw paths have one canonical form.
pub(crate) fn same_path(a: &[u8], b: &[u8]) -> bool {
    same(a, b) || decoded(a, Part::Path).eq(decoded(b, Part::Path))
}

/// Whether nginx would leave a raw path as it is: decoded, it has no `.`, `..` or (but at the
/// end) empty segment, and no `#`.
pub(crate) fn is_plain_path(raw: &[u8]) -> bool {
    // The leading slash opens the first segment.
    let mut decoder = decoded(raw.strip_prefix(b"/").unwrap_or(raw), Part::Path);
    let mut length = 0_usize;
    let mut dots = 0_usize;
    let removed = |length: usize, dots: usize| length == dots && (1..=2).contains(&dots);
    for byte in &mut decoder {
        match byte {
            b'/' if length == 0 || removed(length, dots) => return false,
            b'/' => (length, dots) = (0, 0),
            b'#' => return false,
            _ => {
                length += 1;
                dots += usize::from(byte == b'.');
            }
        }
    }
    !removed(length, dots)
}

const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

static PATH: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        table[byte] = is_path(byte as u8);
        byte += 1;
    }
    table
};

static UNRESERVED: [bool; 256] = {
    let mut table = PATH;
    table[b'/' as usize] = false;
    table
};

/// Whether a byte is unreserved, or a slash.
const fn is_path(byte: u8) -> bool {
    const DIGITS_AND_BEFORE: u8 = b'9' - b'-' + 1;
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        // Dash, dot, slash and the digits are in a row.
        | (byte.wrapping_sub(b'-') < DIGITS_AND_BEFORE)
        | (byte == b'_')
        | (byte == b'~')
}

fn unhex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ties::{each_edit, each_odd_byte};
    use percent_encoding::percent_decode;

    const PARTS: [Part; 2] = [Part::Path, Part::Query];

    fn slowly_decoded(raw: &[u8], part: Part) -> Vec<u8> {
        let spaced: Vec<u8> = raw
            .iter()
            .map(|byte| match byte {
                b'+' if part == Part::Query => b' ',
                byte => *byte,
            })
            .collect();
        percent_decode(&spaced).collect()
    }

    fn slowly_canonical(raw: &[u8], part: Part) -> Vec<u8> {
        let encoded = percent_encode(&slowly_decoded(raw, part), part.encoded()).to_string();
        encoded.into_bytes()
    }

    fn is_escaped_well(raw: &[u8]) -> bool {
        raw.iter().enumerate().all(|(at, byte)| {
            let digits = raw.get(at + 1..at + 3);
            *byte != b'%' || digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        })
    }

    fn check(raw: &[u8]) {
        let text = raw.escape_ascii();
        for part in PARTS {
            let mut encoded = Vec::new();
            put_encoded(&mut encoded, raw, part);
            let expected = percent_encode(raw, part.encoded()).to_string();
            assert_eq!(encoded, expected.into_bytes(), "{text}");
            let (decoded_raw, canonical) = (slowly_decoded(raw, part), slowly_canonical(raw, part));
            let mut put = [Vec::new(), Vec::new()];
            let [first, second] = &mut put;
            put_decoded(first, raw, part);
            put_canonical(second, raw, part);
            assert_eq!(put, [decoded_raw.clone(), canonical.clone()], "{text}");
            assert!(decoded(raw, part).eq(decoded_raw.iter().copied()), "{text}");
            let expected = is_escaped_well(raw).then(|| canonical == raw);
            assert_eq!(is_canonical(raw, part), expected, "{text}");
            let is_all_plain = raw.iter().all(|byte| part.is_plain(*byte));
            assert_eq!(is_plain(raw, part), is_all_plain, "{text}");
            let (plain, rest) = part.split_plain(raw);
            assert_eq!([plain, rest].concat(), raw);
            assert!(plain.iter().all(|byte| part.is_plain(*byte)), "{text}");
            assert!(
                !rest.first().is_some_and(|byte| part.is_plain(*byte)),
                "{text}"
            );
        }
        let end = raw.iter().position(|byte| b"=&".contains(byte));
        let (piece, after) = raw.split_at(end.unwrap_or(raw.len()));
        let scanned = scan(raw, b"=&").map(|scanned| (scanned.canonical, scanned.after));
        let expected = is_canonical(piece, Part::Query).map(|canonical| (canonical, after));
        assert_eq!(scanned, expected, "{text}");
    }

    #[test]
    fn a_text_is_read_in_blocks_as_by_bytes() {
        each_odd_byte(b'a', 36, check);
    }

    #[test]
    fn an_encoded_text_is_read_as_the_crate_does() {
        for text in [
            "%2F",
            "a%2fb%+1",
            "a+%41b=c%2B&",
            "0123456789abcdef%C3%A9xyz0123456789abcdef+",
        ] {
            each_edit(text.as_bytes(), check);
        }
    }

    #[test]
    fn paths_are_the_same_and_ordered_as_decoded() {
        let text = b"/a%2Fb~%c3";
        each_edit(text, |other| {
            let same = slowly_decoded(text, Part::Path) == slowly_decoded(other, Part::Path);
            assert_eq!(same_path(text, other), same, "{}", other.escape_ascii());
            let order =
                slowly_canonical(text, Part::Query).cmp(&slowly_canonical(other, Part::Query));
            assert_eq!(compare(text, other), order, "{}", other.escape_ascii());
        });
    }

    #[test]
    fn every_byte_is_encoded_as_the_crate_does() {
        for byte in 0..=255 {
            for part in [Part::Path, Part::Query] {
                let text = percent_encode(&[byte], part.encoded()).to_string();
                let (mut encoded, mut canonical) = (Vec::new(), Vec::new());
                put_byte(&mut encoded, byte, part);
                put_canonical(&mut canonical, text.as_bytes(), part);
                assert_eq!([&encoded, &canonical], [text.as_bytes(); 2]);
                let is_plain = is_path(byte) && (byte != b'/' || part == Part::Path);
                assert_eq!(text.len() == 1, is_plain, "{byte}");
                assert_eq!(part.is_plain(byte), is_plain, "{byte}");
            }
        }
    }
}
