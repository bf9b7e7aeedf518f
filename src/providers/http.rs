//! An answer of HTTP/1.1 as it arrives: bounded, and of one reading only.
//!
//! RFC 9112.

use std::fmt;

use zeroize::Zeroizing;

/// The longest body, in bytes: a few times what any provider answers.
pub const MAX_BODY: usize = 64 << 10;
/// The longest head, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// The most headers.
const MAX_HEADERS: usize = 64;
/// What chunks may add to a body.
const MAX_FRAMING: usize = 16 << 10;

/// A whole answer. Its body is zeroised when dropped, and not in Debug.
pub struct Answer {
    pub status: u16,
    /// For how many seconds it may be used without asking again (RFC 9111 section 5.2.2.1).
    pub max_age: Option<u64>,
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What has arrived of an answer. It never grows, or a part would stay in freed memory.
pub struct AnswerBuffer {
    read: Zeroizing<Vec<u8>>,
    head: Option<Head>,
}

#[derive(Clone, Copy)]
struct Head {
    length: usize,
    status: u16,
    max_age: Option<u64>,
    framing: BodyFraming,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyFraming {
    Length(usize),
    Chunked,
    UntilClose,
}

/// What is to be done after some bytes.
#[derive(Debug)]
pub enum Reading {
    /// Read on.
    More,
    Whole(Answer),
    /// And why; nothing of the answer's own.
    Bad(&'static str),
}

impl Default for AnswerBuffer {
    fn default() -> AnswerBuffer {
        AnswerBuffer {
            read: Zeroizing::new(Vec::with_capacity(MAX_HEAD + MAX_BODY + MAX_FRAMING)),
            head: None,
        }
    }
}

impl AnswerBuffer {
    /// Takes the next bytes.
    pub fn read(&mut self, bytes: &[u8]) -> Reading {
        if bytes.len() > self.read.capacity() - self.read.len() {
            return Reading::Bad("its answer is too long");
        }
        self.read.extend_from_slice(bytes);
        let head = match self.head {
            Some(head) => head,
            None => match read_head(&self.read) {
                Ok(Some(head)) => *self.head.insert(head),
                Ok(None) if self.read.len() > MAX_HEAD => {
                    return Reading::Bad("its answer has too long a head");
                }
                Ok(None) => return Reading::More,
                Err(why) => return Reading::Bad(why),
            },
        };
        let body = self.read.get(head.length..).unwrap_or_default();
        match head.framing {
            BodyFraming::UntilClose if body.len() > MAX_BODY => {
                Reading::Bad("its answer is too long")
            }
            BodyFraming::UntilClose => Reading::More,
            BodyFraming::Length(length) if body.len() > length => {
                Reading::Bad("its answer is longer than it says")
            }
            BodyFraming::Length(length) if body.len() < length => Reading::More,
            BodyFraming::Length(_) => self.whole(head, Zeroizing::new(body.to_vec())),
            // Looked at when it may be whole, and not for each byte of it.
            BodyFraming::Chunked if !body.ends_with(b"\r\n\r\n") => Reading::More,
            BodyFraming::Chunked => match unchunked(body) {
                Ok(Some(body)) => self.whole(head, body),
                Ok(None) => Reading::More,
                Err(why) => Reading::Bad(why),
            },
        }
    }

    /// The connection has ended: what that makes of the answer.
    pub fn close(&self) -> Reading {
        match self.head {
            Some(head) if head.framing == BodyFraming::UntilClose => {
                let body = self.read.get(head.length..).unwrap_or_default();
                self.whole(head, Zeroizing::new(body.to_vec()))
            }
            Some(head) if head.framing == BodyFraming::Chunked => {
                let body = self.read.get(head.length..).unwrap_or_default();
                Reading::Bad(match unchunked(body) {
                    Ok(Some(_)) => "its answer is longer than it says",
                    Ok(None) => "its answer ends too early",
                    Err(why) => why,
                })
            }
            _ if self.read.is_empty() => Reading::Bad("it closed the connection"),
            _ => Reading::Bad("its answer ends too early"),
        }
    }

    fn whole(&self, head: Head, body: Zeroizing<Vec<u8>>) -> Reading {
        Reading::Whole(Answer {
            status: head.status,
            max_age: head.max_age,
            body,
        })
    }
}

impl fmt::Debug for AnswerBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBuffer")
            .field("length", &self.read.len())
            .finish_non_exhaustive()
    }
}

/// Reads the head; `None` as long as it is not whole.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    const NOT_HTTP: &str = "its answer is none of HTTP/1";
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let length = match answer.parse(bytes).map_err(|_| NOT_HTTP)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let status = answer.code.ok_or(NOT_HTTP)?;
    // It would be followed by another head.
    if !(200..600).contains(&status) {
        return Err(NOT_HTTP);
    }
    let (mut announced, mut is_chunked, mut max_age) = (None, false, None);
    for header in answer.headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let is_number = (1..=9).contains(&header.value.len())
                && header.value.iter().all(u8::is_ascii_digit);
            let value = std::str::from_utf8(header.value).unwrap_or_default();
            let value: usize = value.parse().unwrap_or(usize::MAX);
            if !is_number || announced.replace(value).is_some() {
                return Err("its answer has no length that is one");
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if is_chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err("its answer has a Transfer-Encoding other than \"chunked\"");
            }
            is_chunked = true;
        } else if header.name.eq_ignore_ascii_case("content-encoding")
            && !header.value.eq_ignore_ascii_case(b"identity")
        {
            return Err("its answer is encoded");
        } else if header.name.eq_ignore_ascii_case("cache-control") {
            max_age = shortest(max_age, max_age_in(header.value));
        }
    }
    let framing = match (announced, is_chunked) {
        (Some(_), true) => return Err("its answer has both kinds of length"),
        (Some(length), false) if length > MAX_BODY => return Err("its answer is too long"),
        _ if status == 204 || status == 304 => BodyFraming::Length(0),
        (Some(length), false) => BodyFraming::Length(length),
        (None, true) => BodyFraming::Chunked,
        (None, false) => BodyFraming::UntilClose,
    };
    Ok(Some(Head {
        length,
        status,
        max_age,
        framing,
    }))
}

/// Reads how long an answer may be used, in seconds; not at all, if it says so.
fn max_age_in(value: &[u8]) -> Option<u64> {
    value.split(|byte| *byte == b',').fold(None, |age, word| {
        let word = word.trim_ascii().to_ascii_lowercase();
        let said = match word.strip_prefix(b"max-age=") {
            Some(digits) => std::str::from_utf8(digits)
                .ok()
                .and_then(|text| text.trim_matches('"').parse().ok()),
            None => (word == b"no-cache" || word == b"no-store").then_some(0),
        };
        shortest(age, said)
    })
}

fn shortest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other].into_iter().flatten().min()
}

/// Takes the framing off a body; `None` as long as it is not whole.
fn unchunked(mut rest: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
    const BAD: &str = "its answer has a chunk that is none";
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_BODY));
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest).map_err(|_| BAD)? {
            httparse::Status::Complete(found) => found,
            httparse::Status::Partial => return Ok(None),
        };
        rest = rest.get(start..).unwrap_or_default();
        if size == 0 {
            // What trailers say is of no use here; an empty line ends them.
            let end = rest.starts_with(b"\r\n") || rest.windows(4).any(|end| end == b"\r\n\r\n");
            return Ok(end.then_some(body));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MAX_BODY - body.len() {
            return Err("its answer is too long");
        }
        let Some((data, after)) = rest.split_at_checked(size) else {
            return Ok(None);
        };
        body.extend_from_slice(data);
        rest = match after {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', rest @ ..] => rest,
            _ => return Err(BAD),
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    /// The status and body, or what is wrong; "more" where it goes on.
    fn told(reading: Reading) -> Result<(u16, String), String> {
        match reading {
            Reading::Whole(answer) => Ok((
                answer.status,
                String::from_utf8(answer.body.to_vec()).unwrap(),
            )),
            Reading::More => Err("more".into()),
            Reading::Bad(why) => Err(why.into()),
        }
    }

    /// In one piece, and byte by byte; then closed, if it goes on.
    fn read(text: &[u8]) -> Result<(u16, String), String> {
        let mut at_once = AnswerBuffer::default();
        let whole = match at_once.read(text) {
            Reading::More => told(at_once.close()),
            reading => told(reading),
        };
        let mut buffer = AnswerBuffer::default();
        let mut slowly = None;
        for byte in text {
            match buffer.read(&[*byte]) {
                Reading::More => {}
                reading => {
                    slowly = Some(told(reading));
                    break;
                }
            }
        }
        let slowly = slowly.unwrap_or_else(|| told(buffer.close()));
        // What comes after an answer is only seen if it comes with it.
        if whole != Err("its answer is longer than it says".into()) {
            assert_eq!(whole, slowly, "{}", text.escape_ascii());
        }
        whole
    }

    #[test]
    fn answers() {
        let ok = |status: u16, body: &str| Ok((status, body.to_owned()));
        let bad = |why: &str| Err(why.to_owned());
        for (text, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
                ok(200, "ab"),
            ),
            ("HTTP/1.1 200 OK\ncontent-length: 0\n\n", ok(200, "")),
            ("HTTP/1.0 404 x\r\n\r\nab", ok(404, "ab")),
            ("HTTP/1.1 500\r\n\r\n", ok(500, "")),
            ("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", ok(204, "")),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n",
                ok(200, "abcd"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: x\r\n\r\n",
                ok(200, "a"),
            ),
            ("", bad("it closed the connection")),
            ("HTTP/1.1 200", bad("its answer ends too early")),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                bad("its answer ends too early"),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
                bad("its answer is longer than it says"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
                bad("its answer ends too early"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
                bad("its answer has a chunk that is none"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                bad("its answer has a chunk that is none"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
                bad("its answer is too long"),
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\n",
                bad("its answer is none of HTTP/1"),
            ),
            ("HTTP/2 200 OK\r\n\r\n", bad("its answer is none of HTTP/1")),
            ("SSH-2.0-OpenSSH\r\n", bad("its answer is none of HTTP/1")),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
                bad("its answer has no length that is one"),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
                bad("its answer has no length that is one"),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n",
                bad("its answer is too long"),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
                bad("its answer is too long"),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                bad("its answer has both kinds of length"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                bad("its answer has a Transfer-Encoding other than \"chunked\""),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
                bad("its answer is encoded"),
            ),
        ] {
            assert_eq!(read(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn how_long_it_may_be_used() {
        for (headers, expected) in [
            ("", None),
            ("Cache-Control: max-age=3600\r\n", Some(3_600)),
            ("cache-control: public, Max-Age=60 ,x\r\n", Some(60)),
            (
                "Cache-Control: max-age=9\r\nCache-Control: max-age=8\r\n",
                Some(8),
            ),
            ("Cache-Control: no-store\r\n", Some(0)),
            ("Cache-Control: max-age=5, no-cache\r\n", Some(0)),
            ("Cache-Control: s-maxage=5, max-age=-1\r\n", None),
            ("Cache-Control: max-age=99999999999999999999999\r\n", None),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n");
            let Reading::Whole(answer) = AnswerBuffer::default().read(text.as_bytes()) else {
                panic!("{headers:?}");
            };
            assert_eq!(answer.max_age, expected, "{headers:?}");
        }
    }

    #[test]
    fn no_more_is_read_than_the_bounds() {
        let flood = [
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            vec![b'x'; MAX_BODY + 1],
        ]
        .concat();
        assert_eq!(read(&flood), Err("its answer is too long".into()));
        assert!(read(&flood[..flood.len() - 1]).is_ok());
        let head = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'x'; MAX_HEAD]].concat();
        assert_eq!(read(&head), Err("its answer has too long a head".into()));
        let many = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "a: b\r\n".repeat(MAX_HEADERS + 1)
        );
        assert_eq!(
            read(many.as_bytes()),
            Err("its answer is none of HTTP/1".into())
        );
        let mut buffer = AnswerBuffer::default();
        let room = buffer.read.capacity();
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n";
        assert!(matches!(buffer.read(chunks.as_bytes()), Reading::More));
        assert!(matches!(buffer.read(&vec![b'x'; room]), Reading::Bad(_)));
        assert_eq!(buffer.read.capacity(), room);
    }
}
