//! Where a reference leads, read as the most lenient of clients reads it.
//!
//! <https://url.spec.whatwg.org/#concept-basic-url-parser>, whose readers take `\` for `/`, drop tabs
//! and line breaks, and read `http:host` and `http:///host` as `http://host`.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode;

/// A URL reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// It stays at the server that gave it.
    Path,
    /// A host, and what follows it: path, query and fragment.
    Elsewhere(Host, Vec<u8>),
    /// Two readers could find two hosts in it.
    Unreadable,
}

/// The host of a URL, in the one form that it is compared in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    /// In lower case, without a dot at its end.
    Name(Vec<u8>),
}

impl Reference {
    pub(super) fn parse(text: &[u8]) -> Reference {
        let is_space = |byte: &u8| *byte <= b' ';
        let start = text.iter().position(|byte| !is_space(byte));
        let end = text.iter().rposition(|byte| !is_space(byte));
        let (Some(start), Some(end)) = (start, end) else {
            return Reference::Path;
        };
        let text: Vec<u8> = text
            .get(start..=end)
            .unwrap_or_default()
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'))
            .collect();

        let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
        let (scheme, rest) = split_scheme(&text);
        let slashes = rest.iter().take_while(|byte| is_slash(byte)).count();
        let is_elsewhere = match scheme {
            Some(scheme) => is_web(scheme) || slashes >= 2,
            None => slashes >= 2,
        };
        if !is_elsewhere {
            return Reference::Path;
        }
        let rest = rest.get(slashes..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|byte| is_slash(byte) || matches!(byte, b'?' | b'#'))
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // To who does not take `\` for `/`, the host is what follows the `@`.
        let mut more = path
            .iter()
            .take_while(|byte| !matches!(byte, b'/' | b'?' | b'#'));
        if more.any(|byte| *byte == b'@') {
            return Reference::Unreadable;
        }
        match Host::of_authority(authority) {
            Some(host) => Reference::Elsewhere(host, path.to_vec()),
            None => Reference::Unreadable,
        }
    }
}

/// Splits off the scheme, if there is one, and its colon.
fn split_scheme(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let length = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        .count();
    match (text.first(), text.get(length), text.get(length + 1..)) {
        (Some(first), Some(b':'), Some(rest)) if first.is_ascii_alphabetic() => {
            (text.get(..length), rest)
        }
        _ => (None, text),
    }
}

/// Whether a host follows such a scheme, however many slashes do.
fn is_web(scheme: &[u8]) -> bool {
    [&b"http"[..], b"https", b"ws", b"wss", b"ftp"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
}

impl Host {
    /// Reads `[userinfo@]host[:port]`.
    fn of_authority(authority: &[u8]) -> Option<Host> {
        let host = authority.rsplit(|byte| *byte == b'@').next()?;
        if let Some(address) = host.strip_prefix(b"[") {
            let end = address.iter().position(|byte| *byte == b']')?;
            let (address, port) = (address.get(..end)?, address.get(end + 1..)?);
            return is_port(port).then(|| Host::v6(address)).flatten();
        }
        let (name, port) = match host.iter().position(|byte| *byte == b':') {
            Some(colon) => host.split_at(colon),
            None => (host, &b""[..]),
        };
        is_port(port).then(|| Host::parse(name)).flatten()
    }

    /// Reads `host[:port]` as a configuration has it.
    pub(super) fn of_origin(host: &[u8]) -> Option<Host> {
        Host::of_authority(host)
    }

    fn parse(name: &[u8]) -> Option<Host> {
        let name: Vec<u8> = percent_decode(name)
            .map(|byte| byte.to_ascii_lowercase())
            .collect();
        let name = match name.iter().rposition(|byte| *byte != b'.') {
            Some(last) => name.get(..=last)?,
            None => return None,
        };
        let is_plain =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if !name.iter().all(is_plain) {
            return None;
        }
        let last = name.rsplit(|byte| *byte == b'.').next()?;
        let digits = last.strip_prefix(b"0x");
        let is_number = last.iter().all(u8::is_ascii_digit)
            || digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if is_number {
            // `127.1` and `0x7f.1` are addresses to some readers.
            let address: Ipv4Addr = str::from_utf8(name).ok()?.parse().ok()?;
            return Some(Host::Address(address.into()));
        }
        Some(Host::Name(name.to_vec()))
    }

    fn v6(address: &[u8]) -> Option<Host> {
        let address: Ipv6Addr = str::from_utf8(address).ok()?.parse().ok()?;
        Some(Host::Address(IpAddr::from(address).to_canonical()))
    }

    /// Whether both are in one domain. Addresses are compared whole, names by their last two labels:
    /// the endpoints of two regions have those in common.
    pub(super) fn is_near(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Address(a), Host::Address(b)) => a == b,
            (Host::Name(a), Host::Name(b)) => {
                domain(a) == domain(b) || self.bucket_at(other).is_some()
            }
            _ => false,
        }
    }

    /// Returns what stands before the other host in this one: the bucket in `BUCKET.host`.
    pub(super) fn bucket_at(&self, other: &Host) -> Option<&[u8]> {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.strip_suffix(&**b)?.strip_suffix(b"."),
            _ => None,
        }
    }
}

/// Returns the last two labels of a name.
pub(super) fn domain(name: &[u8]) -> &[u8] {
    let mut dots = name
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'.')
        .map(|(at, _)| at);
    match dots.nth(1) {
        Some(dot) => name.get(dot + 1..).unwrap_or_default(),
        None => name,
    }
}

fn is_port(text: &[u8]) -> bool {
    match text.strip_prefix(b":") {
        Some(port) => port.iter().all(u8::is_ascii_digit),
        None => text.is_empty(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn name(text: &str) -> Host {
        Host::Name(text.into())
    }

    fn address(text: &str) -> Host {
        Host::Address(text.parse().unwrap())
    }

    #[test]
    fn references() {
        use Reference::{Elsewhere, Path, Unreadable};
        let host = name("s3.example.com");
        let at = |path: &str| Elsewhere(host.clone(), path.into());
        for (text, expected) in [
            ("", Path),
            (" ", Path),
            ("/b/k", Path),
            ("b/k", Path),
            ("?http://s3.example.com/", Path),
            ("/b//s3.example.com/", Path),
            ("mailto:a@s3.example.com", Path),
            ("http://s3.example.com", at("")),
            ("http://s3.example.com/b/k?a#b", at("/b/k?a#b")),
            ("HTTP://S3.EXAMPLE.COM/b", at("/b")),
            ("hTTps://s3.example.com:443/b", at("/b")),
            ("https://s3.example.com:/b", at("/b")),
            ("\t http://s3.example.com/b \r\n", at("/b")),
            ("\x01http://s3.example.com/b", at("/b")),
            ("ht\ttp:/\t/s3.exa\tmple.com/b", at("/b")),
            ("//s3.example.com/b", at("/b")),
            ("///s3.example.com/b", at("/b")),
            ("\\\\s3.example.com\\b", at("\\b")),
            ("/\\s3.example.com/b", at("/b")),
            ("http:\\\\s3.example.com\\b", at("\\b")),
            ("http:s3.example.com/b", at("/b")),
            ("http:/s3.example.com/b", at("/b")),
            ("http:////s3.example.com/b", at("/b")),
            ("http://me@s3.example.com/b", at("/b")),
            ("http://me:you@s3.example.com:80/b", at("/b")),
            ("http://other@me@s3.example.com/b", at("/b")),
            ("http://s3.example.com./b", at("/b")),
            ("http://s3.example.com..:80/b", at("/b")),
            ("http://s3%2eexample%2Ecom/b", at("/b")),
            ("http://s3.example.com?b", at("?b")),
            ("http://s3.example.com#b", at("#b")),
            ("ftp://s3.example.com/b", at("/b")),
            ("any+thing://s3.example.com/b", at("/b")),
            ("http://", Unreadable),
            ("http://.", Unreadable),
            ("http:///", Unreadable),
            ("http://a b/", Unreadable),
            ("http://a\\@s3.example.com/", Unreadable),
            ("a://a\\:b@s3.example.com", Unreadable),
            ("http://s3.example.com\\b/@a", at("\\b/@a")),
            ("http://s3.example.com:80:80/", Unreadable),
            ("http://s3.example.com:x/", Unreadable),
            ("http://s3\u{3002}example.com/", Unreadable),
            ("http://s3%00.example.com/", Unreadable),
            ("http://[::1/", Unreadable),
            ("http://127.1/", Unreadable),
            ("http://2130706433/", Unreadable),
            ("http://0x7f000001/", Unreadable),
            ("http://0177.0.0.1/", Unreadable),
            (
                "http://127.0.0.1.:9/b",
                Elsewhere(address("127.0.0.1"), "/b".into()),
            ),
            ("http://[::1]:9/b", Elsewhere(address("::1"), "/b".into())),
            ("http://[0:0::1]/b", Elsewhere(address("::1"), "/b".into())),
            (
                "http://[::ffff:127.0.0.1]/b",
                Elsewhere(address("127.0.0.1"), "/b".into()),
            ),
        ] {
            assert_eq!(Reference::parse(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn domains() {
        for (a, b, near) in [
            (
                "s3.us-west-2.amazonaws.com",
                "s3.eu-west-1.amazonaws.com",
                true,
            ),
            ("b.s3.example.com", "s3.example.com", true),
            ("example.com", "s3.example.com", true),
            ("example.com", "example.org", false),
            ("notexample.com", "s3.example.com", false),
            ("minio", "minio", true),
            ("bucket.minio", "minio", true),
            ("minio", "origin", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "0.0.1", false),
        ] {
            let hosts = [a, b].map(|text| Host::of_origin(text.as_bytes()));
            let [Some(a), Some(b)] = &hosts else {
                assert!(!near);
                continue;
            };
            assert_eq!(a.is_near(b), near, "{hosts:?}");
        }
    }
}
