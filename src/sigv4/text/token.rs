//! Tokens of RFC 9110 section 5.6.2: methods and names of headers.

/// Whether a name is `lower` in any case. Compared in words, the last of which may overlap the one
/// before.
#[inline(always)]
pub(crate) fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let is_same = |(name, lower): (&[u8; 4], &[u8; 4])| {
        let case = lower.map(|byte| (byte.is_ascii_lowercase() as u8) << 5);
        u32::from_ne_bytes(*name) | u32::from_ne_bytes(case) == u32::from_ne_bytes(*lower)
    };
    let words = |text| <[u8]>::as_chunks(text).0.iter();
    name.len() == N
        && words(name).zip(words(lower)).all(is_same)
        && name
            .last_chunk()
            .zip(lower.last_chunk())
            .is_some_and(is_same)
}

/// Whether two names are the same, in any case. Their ends are compared first, since those of metadata all begin
/// alike, and every name that is signed is looked for among all of them.
#[inline(always)]
pub(crate) fn is_same_name(a: &[u8], b: &[u8]) -> bool {
    let end = |name: &[u8]| -> [u8; 2] {
        let end = name.last_chunk::<2>().copied().unwrap_or_default();
        end.map(|byte| byte | 0x20)
    };
    a.len() == b.len() && end(a) == end(b) && a.eq_ignore_ascii_case(b)
}

/// Reads a byte of a header's name as servers do behind an interface of environment variables (RFC 3875 section
/// 4.1.18), where all is of one case and `_` stands for `-`.
pub(crate) fn dashed(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

/// Whether it is a token of RFC 9110 section 5.6.2: a method or a header's name.
pub(crate) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && kinds(name) & OTHER == 0
}

/// Splits off the bytes of a token without upper-case letters that `text` begins with.
#[inline(always)]
pub(crate) fn split_lower_token(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(run(text, |byte| {
        KINDS[usize::from(byte)] & (OTHER | UPPER) == 0
    }))
}

/// Counts the bytes with a property that `text` begins with.
#[inline(always)]
pub(crate) fn run(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    // The compiler unrolls the search in a block, since it knows how long that is.
    let (blocks, rest) = text.as_chunks::<8>();
    for (at, block) in blocks.iter().enumerate() {
        if let Some(length) = block.iter().position(|&byte| !is(byte)) {
            return 8 * at + length;
        }
    }
    let length = rest.iter().position(|&byte| !is(byte));
    text.len() - rest.len() + length.unwrap_or(rest.len())
}

/// Combines the kinds of the bytes of a name.
pub(crate) fn kinds(name: &[u8]) -> u8 {
    // Nearly every name is a token: no branch for each byte.
    let kind = |byte: &u8| KINDS[usize::from(*byte)];
    name.iter().fold(0, |all, byte| all | kind(byte))
}

/// Splits off the bytes of a token that `text` begins with, and tells their kinds.
pub(crate) fn split_token(text: &[u8]) -> (&[u8], u8, &[u8]) {
    let mut kinds = 0;
    let mut length = 0;
    for byte in text {
        let kind = KINDS[usize::from(*byte)];
        if kind & OTHER != 0 {
            break;
        }
        kinds |= kind;
        length += 1;
    }
    let (token, rest) = text.split_at(length);
    (token, kinds, rest)
}

pub(crate) const UPPER: u8 = 1;
pub(crate) const LOW_LINE: u8 = 2;
/// No byte of a token.
const OTHER: u8 = 4;

const KINDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'A'..=b'Z' => UPPER,
            b'_' => LOW_LINE,
            b'a'..=b'z' | b'0'..=b'9' => 0,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'`'
            | b'|' | b'~' => 0,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ties::{each_edit, each_odd_byte};

    /// RFC 9110 section 5.6.2.
    fn is_token_byte(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
    }

    #[test]
    fn tokens_are_split_off_as_by_bytes() {
        each_odd_byte(b'a', 20, |text| {
            let length = |is: &dyn Fn(u8) -> bool| {
                text.iter()
                    .position(|byte| !is(*byte))
                    .unwrap_or(text.len())
            };
            let whole = length(&is_token_byte);
            let (token, found, rest) = split_token(text);
            assert_eq!((token.len(), token.len() + rest.len()), (whole, text.len()));
            assert_eq!(found & UPPER != 0, token.iter().any(u8::is_ascii_uppercase));
            assert_eq!(found & LOW_LINE != 0, token.contains(&b'_'));
            assert_eq!(kinds(token), found);
            assert_eq!(is_token(text), whole == text.len() && !text.is_empty());
            let lower = length(&|byte| is_token_byte(byte) && !byte.is_ascii_uppercase());
            assert_eq!(split_lower_token(text), text.split_at(lower));
        });
    }

    #[test]
    fn names_are_compared_by_their_ends_as_by_bytes() {
        let names = [
            b"".as_slice(),
            b"a",
            b"a@",
            b"te",
            b"x-amz-meta-a@",
            b"x-amz-meta-[`",
        ];
        for name in names {
            each_edit(name, |other| {
                let expected = name.eq_ignore_ascii_case(other);
                assert_eq!(
                    is_same_name(name, other),
                    expected,
                    "{}",
                    other.escape_ascii()
                );
                assert_eq!(is_same_name(other, name), expected);
            });
            assert!(is_same_name(name, &name.to_ascii_uppercase()));
        }
    }
}
