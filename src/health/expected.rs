//! Which answers are good.

/// What a healthy origin answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    statuses: Vec<(u16, u16)>,
    /// The codes of S3's errors.
    codes: Vec<Box<str>>,
}

impl Default for Expected {
    fn default() -> Expected {
        Expected {
            statuses: vec![(200, 299)],
            codes: Vec::new(),
        }
    }
}

impl Expected {
    /// Statuses, classes of them and S3's error codes: `2xx,404,AccessDenied`. `None` if it is no such
    /// list.
    pub fn parse(list: &[u8]) -> Option<Expected> {
        let mut expected = Expected {
            statuses: Vec::new(),
            codes: Vec::new(),
        };
        for one in list.split(|c| *c == b',') {
            match statuses(one) {
                Some(range) => expected.statuses.push(range),
                None => expected.codes.push(code(one)?.into()),
            }
        }
        Some(expected)
    }

    /// Adds every answer of a server that is there and works, whatever it says of the request: it goes by keys that are
    /// not those of all clients.
    pub fn or_any_below_500(mut self) -> Expected {
        self.statuses.push((200, 499));
        self
    }

    pub fn contains(&self, status: u16) -> bool {
        self.statuses
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&status))
    }

    pub fn contains_code(&self, code: &str) -> bool {
        self.codes.iter().any(|one| **one == *code)
    }

    /// Whether there is a code in it, which only an answer with a body can have.
    pub fn has_codes(&self) -> bool {
        !self.codes.is_empty()
    }
}

/// A status, or a class of them.
fn statuses(text: &[u8]) -> Option<(u16, u16)> {
    let digit = |c: &u8| c.is_ascii_digit().then(|| u16::from(c - b'0'));
    match text {
        [class @ b'1'..=b'5', b'x', b'x'] => {
            let first = 100 * digit(class)?;
            Some((first, first + 99))
        }
        [a @ b'1'..=b'5', b, c] => {
            let status = 100 * digit(a)? + 10 * digit(b)? + digit(c)?;
            Some((status, status))
        }
        _ => None,
    }
}

/// All of S3's are words put together, each with a capital letter.
fn code(text: &[u8]) -> Option<&str> {
    let is_code = matches!(text, [b'A'..=b'Z', _, _, ..])
        && text.iter().all(u8::is_ascii_alphanumeric)
        && text.iter().any(u8::is_ascii_lowercase);
    std::str::from_utf8(text).ok().filter(|_| is_code)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_classes() {
        let expected = Expected::parse(b"2xx,404").unwrap();
        for (status, good) in [
            (199, false),
            (200, true),
            (299, true),
            (300, false),
            (403, false),
            (404, true),
            (405, false),
        ] {
            assert_eq!(expected.contains(status), good, "{status}");
        }
        let expected = Expected::parse(b"5xx").unwrap();
        assert!(expected.contains(599) && !expected.contains(499));
    }

    #[test]
    fn codes() {
        let expected = Expected::parse(b"2xx,AccessDenied,NoSuchBucket").unwrap();
        assert!(expected.contains(200) && !expected.contains(403));
        assert!(expected.contains_code("AccessDenied") && expected.contains_code("NoSuchBucket"));
        assert!(!expected.contains_code("InvalidAccessKeyId") && !expected.contains_code(""));
        assert!(expected.has_codes() && !Expected::default().has_codes());
    }

    #[test]
    fn what_is_no_list() {
        for text in [
            "",
            ",",
            "2xx,",
            "2x",
            "2xxx",
            "xxx",
            "0xx",
            "6xx",
            "600",
            "2XX",
            "20",
            "2000",
            "2x4",
            "+20",
            "2xx, 404",
            "a04",
            "ok",
            "Ok",
            "accessDenied",
            "Access-Denied",
            "2xx,AccessDenied,",
        ] {
            assert_eq!(Expected::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn by_default_2xx() {
        assert_eq!(Some(Expected::default()), Expected::parse(b"2xx"));
    }
}
