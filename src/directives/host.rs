//! What a host may be: `NAME` or `NAME:PORT`.

use std::net::Ipv6Addr;

/// The longest name that DNS has, in bytes.
const MAX_NAME: usize = 253;

pub(super) fn is_host(text: &[u8]) -> bool {
    let (name, port) = match text.strip_prefix(b"[") {
        Some(rest) => match split_at(rest, b']') {
            Some((address, port)) if is_ipv6(address) => (b"ipv6".as_slice(), port),
            _ => return false,
        },
        None => match split_at(text, b':') {
            Some((name, _)) => (name, text.get(name.len()..).unwrap_or_default()),
            None => (text, b"".as_slice()),
        },
    };
    is_name(name) && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

/// As `is_host`, of a text in which nginx puts the values of variables.
pub(super) fn may_be_host(text: &[u8]) -> bool {
    let mut filled = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'$' {
            filled.push(*byte);
            continue;
        }
        rest = match behind.strip_prefix(b"{") {
            Some(name) => split_at(name, b'}').map_or(b"".as_slice(), |(_, behind)| behind),
            None => {
                let is_other = |c: &u8| !c.is_ascii_alphanumeric() && *c != b'_';
                behind
                    .split_at(behind.iter().position(is_other).unwrap_or(behind.len()))
                    .1
            }
        };
        // Good for a part of a name, and for a port.
        filled.push(b'1');
    }
    is_host(&filled)
}

/// What is before and behind the first of those bytes.
fn split_at(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|c| *c == byte)?;
    Some((&text[..at], &text[at + 1..]))
}

fn is_name(name: &[u8]) -> bool {
    let is_plain = |c: &u8| c.is_ascii_alphanumeric() || b"-._".contains(c);
    name.len() <= MAX_NAME
        && name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name.iter().all(is_plain)
        && !name.ends_with(b".")
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn is_port(digits: &[u8]) -> bool {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    digits.iter().all(u8::is_ascii_digit) && !text.starts_with('0') && text.parse::<u16>().is_ok()
}
