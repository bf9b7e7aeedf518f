//! Patterns of origins and of headers' names, with at most one `*`.
use crate::text::token::is_token;

/// A text in lower case, with at most one `*`, which stands for any bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StarPattern {
    start: Box<[u8]>,
    /// What is after the `*`; `None` without one.
    end: Option<Box<[u8]>>,
}

impl StarPattern {
    /// Reads a pattern of any bytes; `None` if it has a second `*`.
    fn parse(text: &[u8]) -> Option<StarPattern> {
        let lower = text.to_ascii_lowercase();
        let mut parts = lower.split(|byte| *byte == b'*');
        let start = parts.next()?.into();
        let end = parts.next().map(Into::into);
        parts.next().is_none().then_some(StarPattern { start, end })
    }

    /// Reads a pattern of headers' names.
    pub(super) fn of_name(text: &[u8]) -> Option<StarPattern> {
        // A `*` is a byte of a token.
        is_token(text).then(|| StarPattern::parse(text))?
    }

    /// Whether it stands for a text, in any case.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let Some((start, rest)) = text.split_at_checked(self.start.len()) else {
            return false;
        };
        let is_end = match &self.end {
            None => rest.is_empty(),
            Some(end) => (rest.len().checked_sub(end.len()))
                .and_then(|at| rest.get(at..))
                .is_some_and(|rest| rest.eq_ignore_ascii_case(end)),
        };
        is_end && start.eq_ignore_ascii_case(&self.start)
    }
}

/// A pattern of origins: `SCHEME://HOST[:PORT]` with at most one `*`, `*` alone, or `null`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OriginPattern {
    Any,
    /// The origin of a page that has none: of a file, or in a sandbox.
    Null,
    Origins(StarPattern),
}

impl OriginPattern {
    /// Reads a pattern. `None` if no browser sends an origin of that form.
    pub(super) fn parse(text: &[u8]) -> Option<OriginPattern> {
        match text {
            b"*" => return Some(OriginPattern::Any),
            b"null" => return Some(OriginPattern::Null),
            _ => {}
        }
        let origin = PageOrigin::split(text)?;
        let (scheme, port) = (origin.scheme.to_ascii_lowercase(), origin.port);
        // Browsers leave these out.
        let is_default = match scheme.as_slice() {
            b"http" => port == Some(b"80"),
            b"https" => port == Some(b"443"),
            _ => false,
        };
        match is_default {
            true => None,
            false => StarPattern::parse(text).map(OriginPattern::Origins),
        }
    }

    pub(super) fn is_any(&self) -> bool {
        *self == OriginPattern::Any
    }

    /// Whether all of its origins belong to those who have a domain: not so if anybody may have one, as with
    /// `*` at the end of a name.
    pub(super) fn is_of_one_owner(&self) -> bool {
        let OriginPattern::Origins(pattern) = self else {
            return false;
        };
        let Some(end) = &pattern.end else {
            return true;
        };
        // In the port, in front of a domain, or in the place of the scheme.
        pattern.start.ends_with(b":")
            || matches!(end.split_first(), Some((b'.', domain)) if domain.contains(&b'.'))
            || pattern.start.is_empty() && end.starts_with(b"://")
    }

    /// Whether it stands for the origin that a browser sends.
    pub(super) fn matches(&self, origin: &[u8]) -> bool {
        match self {
            OriginPattern::Any => true,
            OriginPattern::Null => origin == b"null",
            OriginPattern::Origins(pattern) => {
                // A `*` of a pattern is no `*` of an origin.
                pattern.matches(origin)
                    && !origin.contains(&b'*')
                    && PageOrigin::split(origin).is_some()
            }
        }
    }
}

/// The parts of an origin.
struct PageOrigin<'a> {
    scheme: &'a [u8],
    port: Option<&'a [u8]>,
}

impl<'a> PageOrigin<'a> {
    /// Splits an origin, or a pattern of one; `None` if it is neither.
    fn split(text: &'a [u8]) -> Option<PageOrigin<'a>> {
        let (scheme, rest) = text.split_at_checked(memchr::memmem::find(text, b"://")?)?;
        let rest = rest.strip_prefix(b"://")?;
        let is_scheme_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.*".contains(byte);
        // The address of IPv6 is in brackets.
        let (host, port) =
            match memchr::memrchr(b':', rest).and_then(|at| rest.split_at_checked(at)) {
                Some((host, [_, port @ ..])) if !port.contains(&b']') => (host, Some(port)),
                _ => (rest, None),
            };
        let is_name = |host: &[u8]| {
            let is_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._*".contains(byte);
            host.iter().all(is_byte)
        };
        let is_address = |host: &[u8]| match host {
            [b'[', address @ .., b']'] => {
                let is_byte = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
                !address.is_empty() && address.iter().all(is_byte)
            }
            _ => false,
        };
        let is_port = |port: &[u8]| {
            matches!(port, b"*")
                || (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit)
        };
        let is_origin = matches!(scheme.first(), Some(b'*' | b'a'..=b'z' | b'A'..=b'Z'))
            && scheme.iter().all(is_scheme_byte)
            && !host.is_empty()
            && (is_name(host) || is_address(host))
            && port.is_none_or(is_port);
        is_origin.then_some(PageOrigin { scheme, port })
    }
}
