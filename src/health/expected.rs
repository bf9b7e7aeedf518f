//! Which statuses are good.

/// The statuses that a healthy origin answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(Vec<(u16, u16)>);

impl Default for Expected {
    fn default() -> Expected {
        Expected(vec![(200, 299)])
    }
}

impl Expected {
    /// Statuses and classes of them: `2xx,404`. `None` if it is no such list.
    pub fn parse(list: &[u8]) -> Option<Expected> {
        let digit = |c: &u8| Some(u16::from(c - b'0')).filter(|_| c.is_ascii_digit());
        list.split(|c| *c == b',')
            .map(|one| match one {
                [class @ b'1'..=b'5', b'x', b'x'] => {
                    let first = 100 * digit(class)?;
                    Some((first, first + 99))
                }
                [a @ b'1'..=b'5', b, c] => {
                    let status = 100 * digit(a)? + 10 * digit(b)? + digit(c)?;
                    Some((status, status))
                }
                _ => None,
            })
            .collect::<Option<_>>()
            .map(Expected)
    }

    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&status))
    }
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
    fn what_is_no_list() {
        for text in [
            "", ",", "2xx,", "2x", "2xxx", "xxx", "0xx", "6xx", "600", "2XX", "20", "2000", "2x4",
            "+20", "2xx, 404", "a04",
        ] {
            assert_eq!(Expected::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn by_default_2xx() {
        assert_eq!(Some(Expected::default()), Expected::parse(b"2xx"));
    }
}
