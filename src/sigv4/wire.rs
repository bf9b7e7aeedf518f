//! The request head that nginx serialised for the upstream.
//!
//! RFC 9112 sections 2 to 6; stricter than they allow, since nginx wrote it.
use arrayvec::ArrayVec;

use crate::{
    canonical,
    error::Unsignable,
    header_fate::{BodyHeaders, HeaderFate, SentHeaders, is_digest},
    headers::is_foreign,
    operation::Operation,
    proof::Proof,
    request::{Header, MAX_HEADERS},
    s3_request::S3RequestParts,
    text::{
        query::{Parameters, Query, QueryFault},
        token::{LOW_LINE, is, split_token},
        uri::{self, Part},
    },
    verified::{AdmittedRequest, Verified},
};

/// The request head that nginx serialised for the upstream: HTTP/1 text up to and with the blank
/// line, and nothing after it.
pub struct WireHead<'s, 'a> {
    pub(crate) method: &'a [u8],
    pub(crate) path: &'a [u8],
    /// The path is in its canonical form as it is.
    pub(crate) canonical_path: bool,
    /// It asks for the very thing that was admitted; never so for a request of the proxy's own.
    is_admitted: bool,
    /// Without a signature's parameters.
    pub(crate) query: Query<'s, 'a>,
    pub(crate) version: &'a [u8],
    /// The header lines, each with its CRLF.
    block: &'a [u8],
    /// Those of them that are not just kept.
    lines: &'s [HeaderLine],
    /// Bytes of the names that may be signed, each with a separator.
    pub(crate) names_length: usize,
    content_length: Option<u64>,
    chunked: bool,
}

/// Room for what is found in a head, lent to it so that it need not be moved with it.
#[derive(Debug, Default)]
pub struct HeadRoom {
    lines: ArrayVec<HeaderLine, MAX_HEADERS>,
    parameters: Parameters,
}

/// A header line.
#[derive(Debug, Clone, Copy)]
struct HeaderLine {
    start: u32,
    /// After its CRLF.
    end: u32,
    name: u16,
    fate: HeaderFate,
}

/// What does not go out of a head besides what never does.
#[derive(Debug, Clone, Copy, Default)]
struct Withheld {
    /// The answer has to be read on its way, so it must not be encoded, nor be JSON, which Ceph makes of S3's documents
    /// if a client accepts it.
    preferences: bool,
    /// What the client may have shown to nginx, and what orders a server of another kind about: nobody has signed it.
    credentials: bool,
}

impl Withheld {
    #[inline(always)]
    fn has(self, name: &[u8]) -> bool {
        self.preferences && (is(name, b"accept-encoding") || is(name, b"accept"))
            || self.credentials && (is(name, b"cookie") || is_foreign(name))
    }
}

impl<'s, 'a> WireHead<'s, 'a> {
    /// Reads the head of a verified request.
    ///
    /// # Errors
    /// If it is not a head that can be signed, whatever the origin.
    pub fn parse(
        head: &'a [u8],
        verified: &Verified<'_>,
        room: &'s mut HeadRoom,
    ) -> Result<WireHead<'s, 'a>, Unsignable> {
        let withheld = Withheld {
            preferences: verified.reads_answer || verified.sees_some_buckets().is_some(),
            credentials: matches!(verified.proof, Proof::Granted { .. }),
        };
        WireHead::read(head, Some(&verified.request), withheld, room)
    }

    /// Reads the head of a request that the proxy makes in its own name.
    pub(crate) fn parse_own(
        head: &'a [u8],
        room: &'s mut HeadRoom,
    ) -> Result<WireHead<'s, 'a>, Unsignable> {
        WireHead::read(head, None, Withheld::default(), room)
    }

    #[inline(always)]
    fn read(
        head: &'a [u8],
        admitted: Option<&AdmittedRequest<'_>>,
        withheld: Withheld,
        room: &'s mut HeadRoom,
    ) -> Result<WireHead<'s, 'a>, Unsignable> {
        u32::try_from(head.len()).map_err(|_| Unsignable::TooLong)?;
        let (request_line, block) = split_line(head).map_err(|_| Unsignable::NotHttp1)?;
        let (method, _, rest) = split_token(request_line);
        let (target, version) = rest
            .split_last_chunk::<8>()
            .filter(|(_, version)| matches!(*version, b"HTTP/1.0" | b"HTTP/1.1"))
            .ok_or(Unsignable::NotHttp1)?;
        let (b" ", [target @ .., b' ']) = target.split_at_checked(1).ok_or(Unsignable::NotHttp1)?
        else {
            return Err(Unsignable::NotHttp1);
        };
        if method.is_empty() {
            return Err(Unsignable::NotHttp1);
        }
        let admitted = admitted.filter(|admitted| admitted.is_target(target));
        let mut head = WireHead {
            method,
            path: target,
            canonical_path: true,
            is_admitted: admitted.is_some_and(|admitted| admitted.is_method(method)),
            query: Query::NONE,
            version,
            block,
            lines: &[],
            names_length: 0,
            content_length: None,
            chunked: false,
        };
        match admitted {
            Some(admitted) if admitted.is_plain => {
                head.path = target.get(..admitted.path.len()).unwrap_or_default();
            }
            _ => head.read_target(target, &mut room.parameters)?,
        }
        head.read_lines(&mut room.lines, withheld)?;
        head.lines = &room.lines;
        Ok(head)
    }

    fn read_target(
        &mut self,
        target: &'a [u8],
        room: &'s mut Parameters,
    ) -> Result<(), Unsignable> {
        if target.contains(&b' ') {
            return Err(Unsignable::NotHttp1);
        }
        let question = memchr::memchr(b'?', target).unwrap_or(target.len());
        let (path, query) = target.split_at(question);
        if !path.starts_with(b"/") {
            return Err(Unsignable::Target);
        }
        self.path = path;
        self.canonical_path = uri::is_canonical(path, Part::Path).ok_or(Unsignable::Target)?;
        self.query =
            Query::parse_others(query.get(1..).unwrap_or_default(), room).map_err(|fault| {
                match fault {
                    QueryFault::TooMany => Unsignable::TooManyParameters,
                    QueryFault::Escape => Unsignable::Target,
                }
            })?;
        Ok(())
    }

    /// Counts the bytes of the request line at the most, once path and query are in canonical form.
    pub(crate) fn target_max_len(&self) -> usize {
        let factor = if self.canonical_path { 1 } else { 3 };
        self.method.len() + factor * self.path.len() + self.query.max_len()
    }

    fn read_lines(
        &mut self,
        lines: &mut ArrayVec<HeaderLine, MAX_HEADERS>,
        withheld: Withheld,
    ) -> Result<(), Unsignable> {
        lines.clear();
        let mut rest = self.block;
        for _ in 0..=MAX_HEADERS {
            let (name, kinds, value) = split_usual_name(rest).unwrap_or_else(|| split_token(rest));
            let [b':', value @ ..] = value else {
                return self.end_lines(rest);
            };
            let (value, after) = split_line(value)?;
            let fate = match HeaderFate::of(name, kinds) {
                HeaderFate::Keep if withheld.has(name) => HeaderFate::Drop,
                fate => fate,
            };
            self.is_admitted &= fate != HeaderFate::Source;
            let name_length = u16::try_from(name.len()).map_err(|_| Unsignable::Header)?;
            match fate {
                _ if name.is_empty() => return Err(Unsignable::Header),
                HeaderFate::Length if kinds & LOW_LINE == 0 => {
                    self.read_framing(name, value.trim_ascii())?
                }
                HeaderFate::Sign
                | HeaderFate::Source
                | HeaderFate::Framing
                | HeaderFate::Checksum
                | HeaderFate::ChecksumAlgorithm => {
                    self.names_length += name.len() + 1;
                }
                _ => {}
            }
            if fate != HeaderFate::Keep {
                let line = HeaderLine {
                    start: (self.block.len() - rest.len()) as u32,
                    end: (self.block.len() - after.len()) as u32,
                    name: name_length,
                    fate,
                };
                lines
                    .try_push(line)
                    .map_err(|_| Unsignable::TooManyHeaders)?;
            }
            rest = after;
        }
        Err(Unsignable::TooManyHeaders)
    }

    /// Checks that there is nothing but a blank line after the headers.
    fn end_lines(&mut self, rest: &[u8]) -> Result<(), Unsignable> {
        let (line, after) = split_line(rest)?;
        if !line.is_empty() {
            return Err(match line {
                [b' ' | b'\t', ..] => Unsignable::ObsoleteFold,
                _ => Unsignable::Header,
            });
        }
        if !after.is_empty() {
            return Err(Unsignable::TrailingBytes);
        }
        let end = self.block.len() - rest.len();
        self.block = self.block.get(..end).unwrap_or_default();
        Ok(())
    }

    /// Takes note of how the body is delimited, which must be said at most once.
    fn read_framing(&mut self, name: &[u8], value: &[u8]) -> Result<(), Unsignable> {
        if self.content_length.is_some() || self.chunked {
            return Err(Unsignable::ContentLength);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = Some(value).filter(|value| value.iter().all(u8::is_ascii_digit));
            self.content_length =
                digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        } else {
            self.chunked = value.eq_ignore_ascii_case(b"chunked");
        }
        let is_read = self.content_length.is_some() || self.chunked;
        is_read.then_some(()).ok_or(Unsignable::ContentLength)
    }

    /// Checks again a head that asks for another thing than was admitted, or for an object that is named in
    /// a header; returns what it asks for.
    ///
    /// # Errors
    /// If it must not go out.
    pub(crate) fn check_admitted(&self, verified: &Verified<'_>) -> Result<Operation, Unsignable> {
        if self.is_admitted {
            return Ok(verified.operation());
        }
        // If there are two, each origin could take another one.
        let source = |name: &[u8]| {
            let headers = self.to_sign(BodyHeaders::Untouched.into());
            let mut found = headers.filter(|header| header.name.eq_ignore_ascii_case(name));
            match (found.next(), found.next()) {
                (source, None) => Ok(source.map(|header| header.value)),
                _ => Err(Unsignable::NotAdmitted),
            }
        };
        let path = verified.address().resource(self.path);
        let parts = S3RequestParts {
            method: self.method,
            path: path.ok_or(Unsignable::NotAdmitted)?,
            query: &self.query,
            copy_source: source(b"x-amz-copy-source")?,
            rename_source: source(b"x-amz-rename-source")?,
            is_form: false,
        };
        verified
            .admit(
                parts,
                self.path,
                self.to_sign(BodyHeaders::Untouched.into()),
            )
            .map_err(|_| Unsignable::NotAdmitted)
    }

    /// Returns Content-Length on the wire.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether it changes something on a condition. An origin that has got some of it may have changed it, so that the
    /// condition no longer holds, or may have found that it does not; another one would be asked another question.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>
    pub fn is_conditional_write(&self) -> bool {
        matches!(self.method, b"PUT" | b"POST" | b"DELETE")
            && self.headers().any(|header| is_condition(header.name))
    }

    /// Whether there is a body, if it may be empty.
    pub(crate) fn has_body(&self) -> bool {
        self.chunked || self.content_length.is_some_and(|length| length > 0)
    }

    /// Whether the body is sent in chunks.
    pub fn is_chunked(&self) -> bool {
        self.chunked
    }

    /// Returns the header that names another object.
    pub(crate) fn source(&self) -> Option<Header<'a>> {
        self.of_fate(HeaderFate::Source).next()
    }

    /// Returns the headers to sign, in their order on the wire.
    pub(crate) fn to_sign(&self, sent: SentHeaders) -> impl Iterator<Item = Header<'a>> + Clone {
        let signed = sent.signed();
        let lines = self.lines.iter();
        lines
            .filter(move |line| line.fate.is_in(signed) && !self.is_gone(line, sent.body))
            .map(|line| self.header(line))
    }

    /// Returns the values of Content-Encoding, a header each.
    pub(crate) fn encodings(&self) -> impl Iterator<Item = &'a [u8]> {
        self.of_fate(HeaderFate::Encoding)
            .map(|header| header.value)
    }

    fn of_fate(&self, fate: HeaderFate) -> impl Iterator<Item = Header<'a>> {
        let lines = self.lines.iter().filter(move |line| line.fate == fate);
        lines.map(|line| self.header(line))
    }

    /// Returns all headers, in their order on the wire.
    pub(crate) fn headers(&self) -> impl Iterator<Item = Header<'a>> {
        let mut rest = self.block;
        std::iter::from_fn(move || {
            let (line, after) = split_line(rest).ok()?;
            rest = after;
            let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
            let value = value.get(1..)?.trim_ascii();
            Some(Header { name, value })
        })
    }

    fn header(&self, line: &HeaderLine) -> Header<'a> {
        let text = self.text(line.start, line.end);
        let text = text.strip_suffix(b"\r\n").unwrap_or(text);
        let (name, value) = text.split_at_checked(line.name.into()).unwrap_or_default();
        Header {
            name,
            value: canonical::trim(value.get(1..).unwrap_or_default()),
        }
    }

    fn text(&self, start: u32, end: u32) -> &'a [u8] {
        let range = start as usize..end as usize;
        self.block.get(range).unwrap_or_default()
    }

    /// Whether a header holds of a body that is another one now.
    fn is_gone(&self, line: &HeaderLine, body: BodyHeaders) -> bool {
        body == BodyHeaders::Replaced && is_digest(self.header(line).name)
    }

    /// Returns the lines that go on the wire again, as many of them together as lie together. `has_source`: the
    /// one that names another object is written again.
    pub(crate) fn kept(
        &self,
        sent: SentHeaders,
        has_source: bool,
    ) -> impl Iterator<Item = &'a [u8]> {
        let kept = sent.kept();
        let end = self.block.len() as u32;
        let is_gone = move |line: &&HeaderLine| {
            !line.fate.is_in(kept)
                || self.is_gone(line, sent.body)
                || has_source && line.fate == HeaderFate::Source
        };
        let gone = self.lines.iter().filter(is_gone);
        let gone = gone.map(|line| (line.start, line.end));
        let mut from = 0;
        gone.chain([(end, end)])
            .map(move |(start, end)| (std::mem::replace(&mut from, end), start))
            .map(|(from, to)| self.text(from, to))
            .filter(|lines| !lines.is_empty())
    }
}

impl std::fmt::Debug for WireHead<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the headers: the client's signature is still among them.
        f.debug_struct("WireHead")
            .field("method", &self.method.escape_ascii().to_string())
            .field("path", &self.path.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}

/// Splits off one of the names that most headers have, as `split_token` does, without a look at each byte.
#[inline(always)]
fn split_usual_name(line: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    #[inline(always)]
    fn split<'l, const N: usize>(
        line: &'l [u8],
        lower: &[u8; N],
    ) -> Option<(&'l [u8], u8, &'l [u8])> {
        let (name, rest) = line.split_at_checked(N)?;
        (rest.starts_with(b":") && is(name, lower)).then_some((name, 0, rest))
    }
    match line.first()? | 0x20 {
        b'a' => split(line, b"accept")
            .or_else(|| split(line, b"accept-encoding"))
            .or_else(|| split(line, b"authorization")),
        b'h' => split(line, b"host"),
        b'u' => split(line, b"user-agent"),
        b'x' => split(line, b"x-amz-date").or_else(|| split(line, b"x-amz-content-sha256")),
        _ => None,
    }
}

/// Splits off a line and its CRLF.
fn split_line(text: &[u8]) -> Result<(&[u8], &[u8]), Unsignable> {
    let end = memchr::memchr3(b'\r', b'\n', 0, text).ok_or(Unsignable::NoBlankLine)?;
    match text.split_at(end) {
        (line, [b'\r', b'\n', rest @ ..]) => Ok((line, rest)),
        (_, [b'\r']) => Err(Unsignable::NoBlankLine),
        _ => Err(Unsignable::ControlByte),
    }
}

/// Whether a header is a condition for a request: those of RFC 9110 section 13.1, S3's own for DeleteObject and for
/// the source of a copy or a move, and the offset of an append, which must be the size of the object.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-append.html>
fn is_condition(name: &[u8]) -> bool {
    let starts: [&[u8]; 4] = [
        b"if-",
        b"x-amz-if-",
        b"x-amz-copy-source-if-",
        b"x-amz-rename-source-if-",
    ];
    let is_offset = name.eq_ignore_ascii_case(b"x-amz-write-offset-bytes");
    is_offset
        || starts.iter().any(|start| {
            (name.get(..start.len())).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
        })
}

#[cfg(test)]
mod tests;
