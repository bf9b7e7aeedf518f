//! Access keys that say who minted them, until when, and which one they are.
use std::fmt;

use crate::date::Timestamp;

/// How every minted access key begins. The digit is the version of its format.
const PREFIX: &[u8] = b"S3M1";

/// RFC 4648 section 6.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

const END: usize = 7;

/// The latest end, in seconds: 5 bits for each of 7 characters, in the year 3058.
const MAX_END: i64 = (1 << (5 * END)) - 1;

/// The longest name of an issuer, in bytes.
pub const MAX_ISSUER_NAME: usize = 32;

/// Whether a name can be an issuer's, and so a part of access keys: letters and digits.
#[inline]
pub fn is_issuer_name(name: &[u8]) -> bool {
    (1..=MAX_ISSUER_NAME).contains(&name.len()) && name.iter().all(u8::is_ascii_alphanumeric)
}

/// Which one a key of its issuer is: 16 characters of Base32.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KeyId::LENGTH]);

impl KeyId {
    pub const LENGTH: usize = 16;

    /// Makes one of 80 bits, which ought to be random.
    pub fn of(bits: [u8; 10]) -> KeyId {
        let bits = bits
            .iter()
            .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        KeyId(digits(bits))
    }

    /// Reads one; `None` if it is anything else.
    pub fn parse(text: &[u8]) -> Option<KeyId> {
        let is_id = text
            .iter()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
        is_id.then(|| text.try_into().ok().map(KeyId))?
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an access key says, which anyone can write. Only the issuer's secret tells whether it is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MintedAccessKey<'a> {
    /// The issuer's name.
    pub issuer: &'a [u8],
    /// From then on it is an access key no more.
    pub expires: Timestamp,
    pub id: KeyId,
}

impl<'a> MintedAccessKey<'a> {
    /// Reads an access key; `None` if it is not one that could be minted.
    #[inline]
    pub fn parse(access_key: &'a [u8]) -> Option<MintedAccessKey<'a>> {
        let rest = access_key.strip_prefix(PREFIX)?;
        let (rest, id) = rest.split_last_chunk::<{ KeyId::LENGTH }>()?;
        let (issuer, end) = rest.split_last_chunk::<END>()?;
        if !is_issuer_name(issuer) {
            return None;
        }
        Some(MintedAccessKey {
            issuer,
            expires: Timestamp(number(end)?),
            id: KeyId::parse(id)?,
        })
    }

    /// Returns the issuer's name, if the rest is what could be minted with it.
    #[inline]
    pub fn claimed_issuer(access_key: &'a [u8]) -> Option<&'a [u8]> {
        let rest = access_key.strip_prefix(PREFIX)?;
        let length = rest.len().checked_sub(END + KeyId::LENGTH)?;
        rest.get(..length)
    }

    /// Writes it; `None` if it ends at a time that has no such form.
    pub(super) fn text(&self) -> Option<Vec<u8>> {
        let end = (0..=MAX_END)
            .contains(&self.expires.0)
            .then(|| digits::<END>(self.expires.0 as u128))?;
        Some([PREFIX, self.issuer, &end, self.id.as_bytes()].concat())
    }
}

/// Writes the last `5 * N` bits of a number.
fn digits<const N: usize>(number: u128) -> [u8; N] {
    let mut rest = number;
    let mut digits = [0; N];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 32) as usize];
        rest /= 32;
    }
    digits
}

/// Reads a number; `None` if a character is no digit of Base32.
#[inline]
fn number(digits: &[u8; END]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |number, digit| {
        let digit = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        Some(number << 5 | i64::from(digit))
    })
}
