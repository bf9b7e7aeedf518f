//! The request head that nginx serialised for the upstream.
//!
//! RFC 9112 sections 2 to 6; stricter than they allow, since nginx wrote it.
use arrayvec::ArrayVec;

use crate::{
    error::Unsignable,
    query::{Parameters, Query, QueryFault},
    request::{Header, MAX_HEADERS, is_amz, is_token},
    uri::{self, Part},
};

/// The request head that nginx serialised for the upstream: HTTP/1 text up to and with the blank
/// line, and nothing behind it.
pub struct WireHead<'s, 'a> {
    pub(crate) method: &'a [u8],
    pub(crate) path: &'a [u8],
    pub(crate) query: Query<'s, 'a>,
    pub(crate) version: &'a [u8],
    /// The header lines, each with its CRLF.
    block: &'a [u8],
    lines: &'s [Line],
    content_length: Option<u64>,
    chunked: bool,
}

/// Room for what is found in a head, lent to it so that it need not be moved with it.
#[derive(Debug, Default)]
pub struct HeadRoom {
    lines: ArrayVec<Line, MAX_HEADERS>,
    parameters: Parameters,
}

/// A header line; it ends where the next one begins.
#[derive(Debug, Clone, Copy)]
struct Line {
    start: u32,
    name: u16,
    fate: Fate,
}

/// What becomes of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The client's, or written anew.
    Drop,
    Keep,
    /// Kept, and signed.
    Sign,
    /// It delimits the body.
    Length,
    /// Content-Encoding, of which `aws-chunked` may be a part.
    Encoding,
    /// It announces what is in the framing of the body.
    Framing,
    /// It says that there is a checksum, in a header or a trailer.
    ChecksumAlgorithm,
}

/// What becomes of a body that the client sent in `aws-chunked` framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// The client sent it otherwise.
    Untouched,
    Reframed,
    Decoded {
        checksum_known: bool,
    },
}

impl Fate {
    fn of(name: &[u8]) -> Fate {
        // As in `is_amz`, `_` counts as `-`.
        let same = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (*a == b'_' && *b == b'-');
        let is = |other: &[u8]| name.iter().zip(other).all(same);
        match name.len() {
            4 if is(b"host") => Fate::Drop,
            10 if is(b"x-amz-date") => Fate::Drop,
            13 if is(b"authorization") => Fate::Drop,
            19 if is(b"proxy-authorization") => Fate::Drop,
            20 if is(b"x-amz-content-sha256") || is(b"x-amz-security-token") => Fate::Drop,
            13 if is(b"x-amz-trailer") => Fate::Framing,
            14 if is(b"content-length") => Fate::Length,
            16 if is(b"content-encoding") => Fate::Encoding,
            17 if is(b"transfer-encoding") => Fate::Length,
            28 if is(b"x-amz-decoded-content-length") => Fate::Framing,
            28 if is(b"x-amz-sdk-checksum-algorithm") => Fate::ChecksumAlgorithm,
            11 if is(b"content-md5") => Fate::Sign,
            12 if is(b"content-type") => Fate::Sign,
            _ if is_amz(name) => Fate::Sign,
            _ => Fate::Keep,
        }
    }

    fn is_in(self, fates: Fates) -> bool {
        fates >> self as u8 & 1 == 1
    }
}

/// A set of fates, a bit each.
type Fates = u8;

const fn set(fates: &[Fate]) -> Fates {
    let mut set = 0;
    let mut at = 0;
    while at < fates.len() {
        set |= 1 << fates[at] as u8;
        at += 1;
    }
    set
}

impl Body {
    /// Which headers go on the wire as they are.
    fn kept(self) -> Fates {
        use Fate::{ChecksumAlgorithm, Encoding, Framing, Keep, Length, Sign};
        match self {
            Body::Untouched => {
                const { set(&[Keep, Sign, Length, Encoding, Framing, ChecksumAlgorithm]) }
            }
            Body::Reframed => const { set(&[Keep, Sign, Encoding, Framing, ChecksumAlgorithm]) },
            Body::Decoded {
                checksum_known: true,
            } => const { set(&[Keep, Sign, ChecksumAlgorithm]) },
            // S3 refuses to hear of a checksum that it does not get.
            Body::Decoded {
                checksum_known: false,
            } => const { set(&[Keep, Sign]) },
        }
    }

    /// Which of them are signed.
    fn signed(self) -> Fates {
        self.kept() & const { set(&[Fate::Sign, Fate::Framing, Fate::ChecksumAlgorithm]) }
    }
}

impl<'s, 'a> WireHead<'s, 'a> {
    /// Reads a head.
    ///
    /// # Errors
    /// If it is not a head that can be signed, whatever the origin.
    pub fn parse(head: &'a [u8], room: &'s mut HeadRoom) -> Result<WireHead<'s, 'a>, Unsignable> {
        u32::try_from(head.len()).map_err(|_| Unsignable::TooLong)?;
        let (request_line, block) = split_line(head).map_err(|_| Unsignable::NotHttp1)?;
        let first = memchr::memchr(b' ', request_line).ok_or(Unsignable::NotHttp1)?;
        let last = memchr::memrchr(b' ', request_line).ok_or(Unsignable::NotHttp1)?;
        let method = request_line.get(..first).unwrap_or_default();
        let target = request_line.get(first + 1..last).unwrap_or(b" ");
        let version = request_line.get(last + 1..).unwrap_or_default();
        if !is_token(method)
            || target.contains(&b' ')
            || !matches!(version, b"HTTP/1.0" | b"HTTP/1.1")
        {
            return Err(Unsignable::NotHttp1);
        }
        let question = memchr::memchr(b'?', target).unwrap_or(target.len());
        let (path, query) = target.split_at(question);
        if !path.starts_with(b"/") || uri::is_canonical(path, Part::Path).is_none() {
            return Err(Unsignable::Target);
        }
        let query = Query::parse_others(query.get(1..).unwrap_or_default(), &mut room.parameters)
            .map_err(|fault| match fault {
            QueryFault::TooMany => Unsignable::TooManyParameters,
            QueryFault::Escape => Unsignable::Target,
        })?;
        let mut head = WireHead {
            method,
            path,
            query,
            version,
            block,
            lines: &[],
            content_length: None,
            chunked: false,
        };
        head.read_lines(&mut room.lines)?;
        head.lines = &room.lines;
        Ok(head)
    }

    /// Bytes of the request line at the most, once path and query are in canonical form.
    pub(crate) fn target_max_len(&self) -> usize {
        let path = match uri::is_canonical(self.path, Part::Path) {
            Some(true) => self.path.len(),
            _ => 3 * self.path.len(),
        };
        self.method.len() + path + self.query.max_len()
    }

    fn read_lines(&mut self, lines: &mut ArrayVec<Line, MAX_HEADERS>) -> Result<(), Unsignable> {
        lines.clear();
        let mut rest = self.block;
        loop {
            let (line, behind) = split_line(rest)?;
            if line.is_empty() {
                let length = self.block.len() - rest.len();
                self.block = self.block.get(..length).unwrap_or_default();
                return if behind.is_empty() {
                    Ok(())
                } else {
                    Err(Unsignable::BytesBehind)
                };
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                return Err(Unsignable::ObsoleteFold);
            }
            let colon = memchr::memchr(b':', line).ok_or(Unsignable::Header)?;
            let (name, value) = line.split_at(colon);
            if !is_token(name) {
                return Err(Unsignable::Header);
            }
            self.read_framing(name, value.get(1..).unwrap_or_default().trim_ascii())?;
            let line = Line {
                start: (self.block.len() - rest.len()) as u32,
                name: u16::try_from(colon).map_err(|_| Unsignable::Header)?,
                fate: Fate::of(name),
            };
            lines
                .try_push(line)
                .map_err(|_| Unsignable::TooManyHeaders)?;
            rest = behind;
        }
    }

    /// Takes note of how the body is delimited, which must be said at most once.
    fn read_framing(&mut self, name: &[u8], value: &[u8]) -> Result<(), Unsignable> {
        let length = name.eq_ignore_ascii_case(b"content-length");
        if !length && !name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Ok(());
        }
        if self.content_length.is_some() || self.chunked {
            return Err(Unsignable::ContentLength);
        }
        if length {
            let digits = Some(value).filter(|value| value.iter().all(u8::is_ascii_digit));
            self.content_length =
                digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        } else {
            self.chunked = value.eq_ignore_ascii_case(b"chunked");
        }
        match self.content_length.is_some() || self.chunked {
            true => Ok(()),
            false => Err(Unsignable::ContentLength),
        }
    }

    /// Content-Length on the wire.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether the body is sent in chunks.
    pub fn is_chunked(&self) -> bool {
        self.chunked
    }

    /// The places of the headers to sign, in their order on the wire.
    pub(crate) fn to_sign(&self, body: Body) -> impl Iterator<Item = usize> {
        let signed = body.signed();
        let lines = self.lines.iter().enumerate();
        lines
            .filter(move |(_, line)| line.fate.is_in(signed))
            .map(|(at, _)| at)
    }

    /// The values of Content-Encoding, a header each.
    pub(crate) fn encodings(&self) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.lines.iter().enumerate();
        lines
            .filter(|(_, line)| line.fate == Fate::Encoding)
            .map(|(at, _)| self.header(at).value)
    }

    /// The header in a place; an empty one where there is none.
    pub(crate) fn header(&self, at: usize) -> Header<'a> {
        let name = self.header_name(at);
        let value = self.line_start(at) + name.len() + 1..self.line_start(at + 1);
        Header {
            name,
            value: self.block.get(value).unwrap_or_default().trim_ascii(),
        }
    }

    pub(crate) fn header_name(&self, at: usize) -> &'a [u8] {
        let line = self.lines.get(at).map_or(Default::default(), |line| {
            line.start as usize..line.start as usize + usize::from(line.name)
        });
        self.block.get(line).unwrap_or_default()
    }

    /// The lines that go on the wire again, as many of them together as lie together.
    pub(crate) fn kept(&self, body: Body) -> impl Iterator<Item = &'a [u8]> {
        let kept = body.kept();
        let mut at = 0;
        self.lines
            .chunk_by(move |a, b| a.fate.is_in(kept) == b.fate.is_in(kept))
            .filter_map(move |run| {
                let start = self.line_start(at);
                at += run.len();
                let kept = run.first().is_some_and(|line| line.fate.is_in(kept));
                kept.then(|| {
                    self.block
                        .get(start..self.line_start(at))
                        .unwrap_or_default()
                })
            })
    }

    fn line_start(&self, at: usize) -> usize {
        self.lines
            .get(at)
            .map_or(self.block.len(), |line| line.start as usize)
    }
}

impl std::fmt::Debug for WireHead<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the headers: those of the client's signature are still among them.
        f.debug_struct("WireHead")
            .field("method", &self.method.escape_ascii().to_string())
            .field("path", &self.path.escape_ascii().to_string())
            .finish_non_exhaustive()
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
