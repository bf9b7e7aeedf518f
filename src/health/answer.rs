//! What an answer says, as far as it must be read.

use crate::Expected;

/// The most bytes of an answer that are read.
pub const MAX_ANSWER: usize = 4096;

/// An answer to a check, as it comes in.
#[derive(Debug)]
pub struct Answer {
    expected: Expected,
    /// Whether an answer has a body at all.
    is_head: bool,
    read: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Read on.
    Undecided,
    Passed,
    /// And why, in words for the log: nothing of the origin's own but a status and an error code.
    Failed(String),
}

impl Answer {
    /// `is_head`: it answers a `HEAD`.
    pub fn new(expected: Expected, is_head: bool) -> Answer {
        Answer {
            expected,
            is_head,
            read: Vec::new(),
        }
    }

    /// Takes the next bytes. A good status in a whole head is all that is waited for; after another
    /// one the S3 error code tells more, if it comes, and may be good itself.
    pub fn read(&mut self, bytes: &[u8]) -> Verdict {
        let room = MAX_ANSWER.saturating_sub(self.read.len());
        self.read.extend(bytes.iter().take(room));
        let is_full = self.read.len() == MAX_ANSWER;
        let line = match self.status_line() {
            None if !is_full => return Verdict::Undecided,
            line => line.unwrap_or_default(),
        };
        let Some(status) = status(line) else {
            return Verdict::Failed("no HTTP answer".into());
        };
        let has_head = self.has_head();
        if self.expected.contains(status) {
            return match has_head {
                true => Verdict::Passed,
                false if is_full => Verdict::Failed(broken(status, "with too long a head")),
                false => Verdict::Undecided,
            };
        }
        let code = self.error_code();
        if code.is_some_and(|code| self.expected.contains_code(code)) {
            return Verdict::Passed;
        }
        let may_come = code.is_none() && !(self.is_head && has_head);
        if may_come && !is_full {
            return Verdict::Undecided;
        }
        Verdict::Failed(answered(status, code))
    }

    /// The connection has ended, or the time is up, as `why` says: what is known then. Never passed:
    /// that is said at once.
    pub fn give_up(&self, why: &str) -> String {
        match self.status_line().and_then(status) {
            Some(status) if self.expected.contains(status) => broken(status, why),
            Some(status) => answered(status, self.error_code()),
            None => why.into(),
        }
    }

    fn has_head(&self) -> bool {
        find(&self.read, b"\n\r\n").is_some() || find(&self.read, b"\n\n").is_some()
    }

    fn status_line(&self) -> Option<&[u8]> {
        let end = self.read.iter().position(|c| *c == b'\n')?;
        self.read.get(..end)
    }

    fn error_code(&self) -> Option<&str> {
        let code = error_code(&self.read)?;
        let is_plain = code.len() <= 64 && code.iter().all(u8::is_ascii_alphanumeric);
        std::str::from_utf8(code).ok().filter(|_| is_plain)
    }
}

fn answered(status: u16, code: Option<&str>) -> String {
    match code {
        Some(code) => format!("answered {status} {code}"),
        None => format!("answered {status}"),
    }
}

/// Says what a good answer lacks after its status.
fn broken(status: u16, why: &str) -> String {
    format!("answered {status}, but {why}")
}

/// Returns `<Code>...</Code>` of an S3 error, of which all or a part is there.
pub fn error_code(answer: &[u8]) -> Option<&[u8]> {
    let begin = find(answer, b"<Code>")? + b"<Code>".len();
    let rest = answer.get(begin..)?;
    rest.get(..find(rest, b"</Code>")?)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// RFC 9112 section 4.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let (digits, rest) = rest.split_at_checked(3)?;
    let ends = matches!(rest.first(), None | Some(b' ' | b'\r'));
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    ((100..600).contains(&status) && ends && digits.iter().all(u8::is_ascii_digit))
        .then_some(status)
}

#[cfg(test)]
mod tests {
    use super::{Verdict::*, *};

    fn verdict(answer: &[u8]) -> Verdict {
        Answer::new(Expected::default(), false).read(answer)
    }

    fn failed(why: &str) -> Verdict {
        Failed(why.into())
    }

    #[test]
    fn a_good_status_in_a_whole_head_is_enough() {
        assert_eq!(verdict(b"HTTP/1.1 200 OK\r\n\r\n"), Passed);
        assert_eq!(verdict(b"HTTP/1.0 204\r\nServer: x\r\n\r\n<a"), Passed);
        assert_eq!(verdict(b"HTTP/1.1 200 \n\n"), Passed);
        assert_eq!(verdict(b"HTTP/1.1 200 OK\r\nServer: x\r\n"), Undecided);
    }

    #[test]
    fn piece_by_piece() {
        let mut answer = Answer::new(Expected::default(), false);
        let text = b"HTTP/1.1 200 OK\r\n\r\n";
        for byte in &text[..text.len() - 1] {
            assert_eq!(answer.read(&[*byte]), Undecided);
        }
        assert_eq!(answer.read(b"\n"), Passed);
    }

    #[test]
    fn an_error_tells_its_code() {
        let mut answer = Answer::new(Expected::default(), false);
        assert_eq!(answer.read(b"HTTP/1.1 403 Forbidden\r\n\r\n"), Undecided);
        assert_eq!(answer.read(b"<Error><Code>InvalidAcc"), Undecided);
        assert_eq!(answer.give_up("closed"), "answered 403");
        assert_eq!(
            answer.read(b"essKeyId</Code>"),
            failed("answered 403 InvalidAccessKeyId")
        );
        let mut head = Answer::new(Expected::default(), true);
        assert_eq!(head.read(b"HTTP/1.1 403 Forbidden\r\n"), Undecided);
        assert_eq!(head.read(b"\r\n"), failed("answered 403"));
    }

    #[test]
    fn a_code_may_be_good() {
        let Some(expected) = Expected::parse(b"2xx,AccessDenied") else {
            unreachable!("it is a list");
        };
        let mut answer = Answer::new(expected.clone(), false);
        assert_eq!(answer.read(b"HTTP/1.1 403 x\r\n\r\n"), Undecided);
        assert_eq!(answer.read(b"<Code>AccessDenied</Code"), Undecided);
        assert_eq!(answer.read(b">"), Passed);
        let other = b"HTTP/1.1 403 x\r\n\r\n<Code>InvalidAccessKeyId</Code>";
        let why = "answered 403 InvalidAccessKeyId";
        assert_eq!(Answer::new(expected, false).read(other), failed(why));
    }

    #[test]
    fn nothing_else_of_the_origins_gets_into_the_reason() {
        for code in ["a\nb", "<b>", "", " ", "a\u{1b}[0m", &"a".repeat(65)] {
            let text = format!("HTTP/1.1 500 x\r\n\r\n<Code>{code}</Code>");
            let mut answer = Answer::new(Expected::default(), false);
            let verdict = answer.read(text.as_bytes());
            let why = match verdict {
                Failed(why) => why,
                Undecided => answer.give_up("closed"),
                Passed => "passed".into(),
            };
            assert_eq!(why.trim_end(), "answered 500", "{code:?}");
        }
    }

    #[test]
    fn not_http() {
        for text in [
            "\n",
            "SSH-2.0-OpenSSH_9.2p1\r\n",
            "HTTP/2 200\r\n",
            "HTTP/1.1 2000 OK\r\n",
            "HTTP/1.1 20 OK\r\n",
            "HTTP/1.1 +20 OK\r\n",
            "HTTP/1.1 099 x\r\n",
            "HTTP/1.1 600 x\r\n",
            "HTTP/1.1\r\n",
            "HTTP/1.1 ",
        ] {
            let expect = if text.ends_with('\n') {
                failed("no HTTP answer")
            } else {
                Undecided
            };
            assert_eq!(verdict(text.as_bytes()), expect, "{text:?}");
        }
    }

    #[test]
    fn no_more_is_read_than_the_bound() {
        assert_eq!(verdict(&[b'x'; MAX_ANSWER - 1]), Undecided);
        assert_eq!(verdict(&[b'x'; MAX_ANSWER]), failed("no HTTP answer"));
        let mut answer = Answer::new(Expected::default(), false);
        assert_eq!(answer.read(b"HTTP/1.1 200 OK\r\n"), Undecided);
        assert_eq!(
            answer.read(&[b'x'; MAX_ANSWER]),
            failed("answered 200, but with too long a head")
        );
        let mut answer = Answer::new(Expected::default(), false);
        assert_eq!(answer.read(b"HTTP/1.1 500 x\r\n\r\n"), Undecided);
        assert_eq!(answer.read(&[b' '; 2 * MAX_ANSWER]), failed("answered 500"));
        assert_eq!(answer.read.len(), MAX_ANSWER);
    }

    #[test]
    fn giving_up() {
        let mut answer = Answer::new(Expected::default(), false);
        assert_eq!(answer.give_up("timed out"), "timed out");
        assert_eq!(answer.read(b"HTTP/1.1 503"), Undecided);
        assert_eq!(answer.give_up("timed out"), "timed out");
        assert_eq!(answer.read(b"\r\n"), Undecided);
        assert_eq!(answer.give_up("timed out"), "answered 503");
        let mut answer = Answer::new(Expected::default(), false);
        assert_eq!(answer.read(b"HTTP/1.1 200 OK\r\n"), Undecided);
        assert_eq!(
            answer.give_up("closed early"),
            "answered 200, but closed early"
        );
    }
}
