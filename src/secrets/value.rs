//! What is wrong with a value, or likely to be.

use std::fmt;

use sigv4::{Credential, MAX_ACCESS_KEY};

use crate::MAX_VALUE;

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    AccessKey,
    SecretKey,
    /// It is sent in a header.
    SessionToken,
}

/// What is wrong with a value. `Display` says it as the end of a sentence that begins with the name of
/// the value, together with what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Empty,
    TooLong,
    ControlCharacter,
    ByteOrderMark,
    /// `${NAME}`
    Placeholder,
    /// The length of an access key.
    LongAccessKey(usize),
    NoAccessKey,
    NoToken,
}

/// Checks a value.
pub fn check(value: &[u8], kind: Kind) -> Result<(), Fault> {
    match fault_of_any(value).or_else(|| fault_of_kind(value, kind)) {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

fn fault_of_any(value: &[u8]) -> Option<Fault> {
    if value.is_empty() {
        Some(Fault::Empty)
    } else if value.len() > MAX_VALUE {
        Some(Fault::TooLong)
    } else if value.iter().any(u8::is_ascii_control) {
        Some(Fault::ControlCharacter)
    } else if value.starts_with(b"\xef\xbb\xbf") {
        Some(Fault::ByteOrderMark)
    } else if is_placeholder(value) {
        Some(Fault::Placeholder)
    } else {
        None
    }
}

fn is_placeholder(value: &[u8]) -> bool {
    value
        .strip_prefix(b"${")
        .and_then(|rest| rest.strip_suffix(b"}"))
        .is_some_and(|name| name.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'_'))
}

fn fault_of_kind(value: &[u8], kind: Kind) -> Option<Fault> {
    match kind {
        Kind::AccessKey if value.len() > MAX_ACCESS_KEY => Some(Fault::LongAccessKey(value.len())),
        Kind::AccessKey if !Credential::is_access_key(value) => Some(Fault::NoAccessKey),
        Kind::SessionToken if !value.iter().all(u8::is_ascii_graphic) => Some(Fault::NoToken),
        Kind::AccessKey | Kind::SecretKey | Kind::SessionToken => None,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("is empty: give it a value, \"env:NAME\" or \"file:PATH\""),
            Fault::TooLong => write!(
                f,
                "is longer than {MAX_VALUE} bytes, as no key is: put the key there"
            ),
            Fault::ControlCharacter => {
                f.write_str("has a line break or another control character: remove it")
            }
            Fault::ByteOrderMark => {
                f.write_str("begins with a byte order mark: save it without one")
            }
            Fault::Placeholder => f.write_str(
                "is the name of a variable, which nothing has replaced: put the key there",
            ),
            Fault::LongAccessKey(length) => write!(
                f,
                "has {length} bytes: write an access key of at most {MAX_ACCESS_KEY}, and no other \
                 value"
            ),
            Fault::NoAccessKey => f.write_str(
                "has a character that no access key has: use ASCII without spaces and commas",
            ),
            Fault::NoToken => {
                f.write_str("has a character that no session token has: use ASCII without spaces")
            }
        }
    }
}

/// What few keys have, and many copies of keys.
pub(crate) fn doubt_of(value: &[u8]) -> Option<&'static str> {
    match value {
        [b' ', ..] | [.., b' '] => {
            Some("begins or ends with a space: remove it, unless it belongs to the key")
        }
        [b'"', .., b'"'] | [b'\'', .., b'\''] => {
            Some("is in quotes: remove them, unless they belong to the key")
        }
        _ => None,
    }
}
