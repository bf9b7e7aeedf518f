//! What a host may be: `NAME` or `NAME:PORT`.

use std::net::Ipv6Addr;

pub(crate) const NOT_A_HOST: &str =
    "is not a host: write NAME or NAME:PORT, without scheme and path";

/// The longest name that DNS has, in bytes.
const MAX_NAME: usize = 253;

/// `NAME` or `NAME:PORT`, where a name may be an IPv6 address in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host<'a> {
    /// With the brackets of an IPv6 address.
    pub name: &'a [u8],
    pub port: Option<u16>,
}

impl<'a> Host<'a> {
    /// `None` if it is no host.
    pub fn parse(text: &'a [u8]) -> Option<Host<'a>> {
        let end = match text.strip_prefix(b"[") {
            Some(rest) => {
                let end = rest.iter().position(|c| *c == b']')?;
                is_ipv6(rest.get(..end)?).then_some(end + 2)?
            }
            None => {
                let end = text.iter().position(|c| *c == b':').unwrap_or(text.len());
                is_name(text.get(..end)?).then_some(end)?
            }
        };
        let (name, rest) = text.split_at_checked(end)?;
        let port = match rest {
            [] => None,
            rest => Some(parse_port(rest.strip_prefix(b":")?)?),
        };
        Some(Host { name, port })
    }
}

/// Whether a text may be a host, in which nginx puts the values of variables.
pub(crate) fn may_be_host(text: &[u8]) -> bool {
    let mut filled = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'$' {
            filled.push(*byte);
            continue;
        }
        rest = after_variable(after);
        // Good for a part of a name, and for a port.
        filled.push(b'1');
    }
    Host::parse(&filled).is_some()
}

/// What follows a variable, from the text after its `$`.
fn after_variable(text: &[u8]) -> &[u8] {
    let end = match text.strip_prefix(b"{") {
        Some(name) => name.iter().position(|c| *c == b'}').map(|end| end + 2),
        None => {
            let is_other = |c: &u8| !c.is_ascii_alphanumeric() && *c != b'_';
            text.iter().position(is_other)
        }
    };
    end.and_then(|end| text.get(end..)).unwrap_or_default()
}

fn is_name(name: &[u8]) -> bool {
    name.len() <= MAX_NAME
        && name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name.iter().all(|c| crate::is_name_byte(*c))
        && !name.ends_with(b".")
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// A number from 1 to 65535.
pub fn parse_port(digits: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_plain = digits.iter().all(u8::is_ascii_digit) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let longest = "a".repeat(MAX_NAME);
        for (text, name, port) in [
            ("s3.example.com", "s3.example.com", None),
            ("s3.example.com:8443", "s3.example.com", Some(8443)),
            ("S3", "S3", None),
            ("10.0.0.1:9000", "10.0.0.1", Some(9000)),
            ("[::1]", "[::1]", None),
            ("[::1]:65535", "[::1]", Some(65535)),
            ("a_b.c-d:1", "a_b.c-d", Some(1)),
            ("9a", "9a", None),
            (&longest, &longest, None),
        ] {
            let host = Host::parse(text.as_bytes()).unwrap();
            assert_eq!((host.name, host.port), (name.as_bytes(), port), "{text}");
        }
    }

    #[test]
    fn what_is_no_host() {
        let long = "a".repeat(MAX_NAME + 1);
        for text in [
            "",
            " a",
            "a ",
            "a b",
            ".a",
            "a.",
            "-a",
            "_a",
            "a/b",
            "a/",
            "a:",
            "a:0",
            "a:00",
            "a:080",
            "a:65536",
            "a:+1",
            "a:-1",
            "a: 1",
            "a:1 ",
            "a:http",
            "a:1:2",
            ":443",
            "::1",
            "[::1",
            "[]",
            "[x]:1",
            "[::1]x",
            "[::1]:",
            "[::1]:0",
            "[::1]9000",
            "[10.0.0.1]",
            "[::1%eth0]",
            "https://a",
            "user@a",
            "a?b",
            "a#b",
            "a\\b",
            "a\0",
            "a\n",
            "\u{fc}",
            "a,b",
            "$host",
            &long,
        ] {
            assert_eq!(Host::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Host::parse(b"a\xff"), None);
        assert_eq!(Host::parse(b"a:\xff"), None);
        assert_eq!(Host::parse(b"[\xff]"), None);
    }

    #[test]
    fn hosts_with_variables() {
        for text in [
            "s3.example.com:8443",
            "$http_host",
            "$host:$server_port",
            "${http_x_forwarded_host}",
            "s3.$host",
            "$host$arg_port",
            "${a}b:9",
            "$a.b",
        ] {
            assert!(may_be_host(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "https://$host",
            "$scheme://$host",
            "$host/",
            "$host $server_port",
            "${host}:",
            "$host:0",
            "$host:$",
            "a$\u{fc}",
        ] {
            let is_host = may_be_host(text.as_bytes());
            assert_eq!(is_host, text == "$host:$", "{text}");
        }
    }
}
