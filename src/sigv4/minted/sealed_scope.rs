//! What a session token says once it is decrypted.
//!
//! A byte with the version, 1; five bytes with the seconds since 1970 at which it was made; then fields in the order of
//! their numbers, none of them twice. A field is a byte with its number, two with the length of its value, and the value.
//! All numbers have their first byte first.
//!
//! | field | value |
//! |---|---|
//! | 1 | `allow=`, as in a configuration |
//! | 2 | `buckets=`, likewise |
//!
//! A reader rejects a token with a field below 128 that it does not know: it could narrow the key. It skips those from
//! 128 on, which only tell something about it.
use crate::{
    date::Timestamp,
    grant::{Grant, GrantFault},
};

const VERSION: u8 = 1;

const ALLOW: u8 = 1;
const BUCKETS: u8 = 2;

/// The first number of the fields that a reader need not know.
const OPTIONAL: u8 = 128;

/// What a minted key may do, as `s3_client` has it. An absent part is no limit but that of the issuer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope<'a> {
    pub allow: Option<&'a [u8]>,
    pub buckets: Option<&'a [u8]>,
}

impl<'a> Scope<'a> {
    /// Reads what its words mean.
    ///
    /// # Errors
    /// With the first word that cannot be read.
    pub(super) fn grant(&self) -> Result<Grant, GrantFault<'a>> {
        Grant::parse(self.allow, self.buckets)
    }
}

/// A scope, and when it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SealedScope<'a> {
    pub(super) issued: Timestamp,
    pub(super) scope: Scope<'a>,
}

impl<'a> SealedScope<'a> {
    /// Writes it; `None` if a part is too long, or the time before 1970.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let [0, 0, 0, time @ ..] = u64::try_from(self.issued.0).ok()?.to_be_bytes() else {
            return None;
        };
        let mut text = vec![VERSION];
        text.extend(time);
        let fields = [(ALLOW, self.scope.allow), (BUCKETS, self.scope.buckets)];
        for (number, value) in fields {
            if let Some(value) = value {
                text.push(number);
                text.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
                text.extend_from_slice(value);
            }
        }
        Some(text)
    }

    /// Reads one; `None` if it is not in this form, or says something that is not understood here.
    pub(super) fn read(text: &'a [u8]) -> Option<SealedScope<'a>> {
        let [VERSION, t1, t2, t3, t4, t5, fields @ ..] = text else {
            return None;
        };
        let issued = u64::from_be_bytes([0, 0, 0, *t1, *t2, *t3, *t4, *t5]);
        let mut scope = Scope::default();
        let mut rest = fields;
        let mut last = 0;
        while let Some((number, after)) = rest.split_first() {
            let (length, after) = after.split_first_chunk::<2>()?;
            let (value, after) =
                after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            if *number <= last {
                return None;
            }
            match *number {
                ALLOW => scope.allow = Some(value),
                BUCKETS => scope.buckets = Some(value),
                OPTIONAL.. => {}
                _ => return None,
            }
            (last, rest) = (*number, after);
        }
        Some(SealedScope {
            issued: Timestamp(i64::try_from(issued).ok()?),
            scope,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[u8]) -> Option<SealedScope<'_>> {
        let text = [&[VERSION, 0, 0, 0, 1, 0], fields].concat();
        SealedScope::read(text.leak())
    }

    #[test]
    fn fields() {
        let nothing = Scope::default();
        let read = |fields| read(fields).map(|read| read.scope);
        assert_eq!(read(b""), Some(nothing));
        let allow = Scope {
            allow: Some(b"read"),
            ..nothing
        };
        assert_eq!(read(b"\x01\0\x04read"), Some(allow));
        let both = Scope {
            buckets: Some(b"b"),
            ..allow
        };
        assert_eq!(read(b"\x01\0\x04read\x02\0\x01b"), Some(both));
        // What only tells something is skipped; what might narrow it is not.
        assert_eq!(read(b"\x01\0\x04read\x80\0\x02it\xff\0\0"), Some(allow));
        for bad in [
            b"\x03\0\x01x".as_slice(),
            b"\x7f\0\0",
            b"\0\0\0",
            // Twice, and in another order.
            b"\x01\0\x04read\x01\0\x03all",
            b"\x02\0\x01b\x01\0\x04read",
            b"\x80\0\0\x80\0\0",
            // Cut off, anywhere.
            b"\x01",
            b"\x01\0",
            b"\x01\0\x04rea",
            b"\x01\xff\xffread",
        ] {
            assert_eq!(read(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn head() {
        for bad in [
            b"".as_slice(),
            b"\x01",
            b"\x01\0\0\0\x01",
            b"\x02\0\0\0\x01\0",
        ] {
            assert_eq!(SealedScope::read(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let long = [b'x'; 65_536];
        for issued in [0, 1, 1_767_323_045, (1 << 40) - 1] {
            for allow in [None, Some(b"".as_slice()), Some(&long[1..])] {
                for buckets in [None, Some(b"a,b/c*".as_slice())] {
                    let sealed = SealedScope {
                        issued: Timestamp(issued),
                        scope: Scope { allow, buckets },
                    };
                    let text = sealed.write();
                    let read = text.as_deref().and_then(SealedScope::read);
                    assert_eq!(read, Some(sealed));
                }
            }
        }
        let at = |issued| SealedScope {
            issued: Timestamp(issued),
            scope: Scope::default(),
        };
        assert_eq!(at(-1).write(), None);
        assert_eq!(at(1 << 40).write(), None);
        let too_long = SealedScope {
            scope: Scope {
                allow: Some(&long),
                buckets: None,
            },
            ..at(0)
        };
        assert_eq!(too_long.write(), None);
    }
}
