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
//! | 3 | further scopes, which must all permit what it is used for: each is two bytes with its length, and fields 1 and 2 of its own |
//! | 4 | the account whose keys it has at the origins; empty for those of none, whatever account the issuer has |
//! | 5 | the minted keys that it was made with, the last one first: each is a byte with the length of its issuer's name, that name, its id of 16 bytes, and five bytes with the time at which it was made |
//! | 128 | the name of the role that it was made for |
//! | 129 | the name of its session |
//!
//! A reader rejects a token with a field below 128 that it does not know: it could narrow the key. It skips those from
//! 128 on, which only tell something about it.
use crate::{date::Timestamp, grant::Scope};

use super::{
    access_key::{KeyId, is_issuer_name},
    lineage::{Ancestor, MAX_ANCESTORS, is_name},
};

const VERSION: u8 = 1;

const ALLOW: u8 = 1;
const BUCKETS: u8 = 2;
const FURTHER: u8 = 3;
const ACCOUNT: u8 = 4;
const ANCESTORS: u8 = 5;

/// The first number of the fields that a reader need not know.
const OPTIONAL: u8 = 128;

const ROLE: u8 = 128;
const SESSION: u8 = 129;

/// Bytes of a time.
const TIME: usize = 5;

/// What a token says of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SealedScope<'a> {
    pub(super) issued: Timestamp,
    /// All of them have to permit what it is used for; one that has been read has at least one. None at all are as good as
    /// one without a limit.
    pub(super) scopes: Vec<Scope<'a>>,
    /// Empty for none, whatever the issuer has.
    pub(super) account: Option<&'a [u8]>,
    pub(super) ancestors: Vec<Ancestor>,
    pub(super) role: Option<&'a str>,
    pub(super) session: Option<&'a str>,
}

impl<'a> SealedScope<'a> {
    /// Makes one that limits nothing.
    pub(super) fn new(issued: Timestamp) -> SealedScope<'a> {
        SealedScope {
            issued,
            scopes: Vec::new(),
            account: None,
            ancestors: Vec::new(),
            role: None,
            session: None,
        }
    }

    /// Writes it; `None` if a part is too long, or a time before 1970.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let mut text = vec![VERSION];
        text.extend(time(self.issued)?);
        let mut scopes = self.scopes.iter();
        if let Some(first) = scopes.next() {
            put_scope(&mut text, first)?;
        }
        let mut further = Vec::new();
        for scope in scopes {
            let mut fields = Vec::new();
            put_scope(&mut fields, scope)?;
            further.extend(u16::try_from(fields.len()).ok()?.to_be_bytes());
            further.extend(fields);
        }
        if !further.is_empty() {
            put(&mut text, FURTHER, &further)?;
        }
        if let Some(account) = self.account {
            put(&mut text, ACCOUNT, account)?;
        }
        if !self.ancestors.is_empty() {
            put(&mut text, ANCESTORS, &ancestors_text(&self.ancestors)?)?;
        }
        for (number, name) in [(ROLE, self.role), (SESSION, self.session)] {
            if let Some(name) = name {
                put(&mut text, number, name.as_bytes())?;
            }
        }
        Some(text)
    }

    /// Reads one; `None` if it is not in this form, or says something that is not understood here.
    pub(super) fn read(text: &'a [u8]) -> Option<SealedScope<'a>> {
        let [VERSION, rest @ ..] = text else {
            return None;
        };
        let (issued, fields) = rest.split_first_chunk()?;
        let mut sealed = SealedScope::new(read_time(issued));
        let mut first = Scope::default();
        let mut further = Vec::new();
        for field in Fields::of(fields) {
            let (number, value) = field?;
            match number {
                ALLOW => first.allow = Some(value),
                BUCKETS => first.buckets = Some(value),
                FURTHER => further = read_scopes(value)?,
                ACCOUNT => sealed.account = Some(value),
                ANCESTORS => sealed.ancestors = read_ancestors(value)?,
                ROLE => sealed.role = name(value),
                SESSION => sealed.session = name(value),
                _ if number >= OPTIONAL => {}
                _ => return None,
            }
        }
        sealed.scopes.push(first);
        sealed.scopes.extend(further);
        Some(sealed)
    }
}

/// Reads fields one by one; `None` in place of one that is cut off, or not in its order.
struct Fields<'a> {
    rest: &'a [u8],
    last: u8,
}

impl<'a> Fields<'a> {
    fn of(text: &'a [u8]) -> Fields<'a> {
        Fields {
            rest: text,
            last: 0,
        }
    }

    fn read(&mut self) -> Option<(u8, &'a [u8])> {
        let (number, after) = self.rest.split_first()?;
        let (value, after) = split_value(after)?;
        let is_next = *number > self.last;
        (self.last, self.rest) = (*number, after);
        is_next.then_some((*number, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Option<(u8, &'a [u8])>> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_none() {
            self.rest = b"";
        }
        Some(field)
    }
}

/// Splits off a value that its length precedes.
fn split_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = text.split_first_chunk::<2>()?;
    after.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn put(text: &mut Vec<u8>, number: u8, value: &[u8]) -> Option<()> {
    text.push(number);
    text.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
    text.extend_from_slice(value);
    Some(())
}

fn put_scope(text: &mut Vec<u8>, scope: &Scope<'_>) -> Option<()> {
    for (number, value) in [(ALLOW, scope.allow), (BUCKETS, scope.buckets)] {
        if let Some(value) = value {
            put(text, number, value)?;
        }
    }
    Some(())
}

fn read_scopes(text: &[u8]) -> Option<Vec<Scope<'_>>> {
    let (mut scopes, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (fields, after) = split_value(rest)?;
        let mut scope = Scope::default();
        for field in Fields::of(fields) {
            match field? {
                (ALLOW, value) => scope.allow = Some(value),
                (BUCKETS, value) => scope.buckets = Some(value),
                _ => return None,
            }
        }
        scopes.push(scope);
        rest = after;
    }
    Some(scopes)
}

/// Returns the five bytes of a time; `None` if it has no such form.
fn time(time: Timestamp) -> Option<[u8; TIME]> {
    match u64::try_from(time.0).ok()?.to_be_bytes() {
        [0, 0, 0, time @ ..] => Some(time),
        _ => None,
    }
}

fn read_time(bytes: &[u8; TIME]) -> Timestamp {
    let seconds = bytes
        .iter()
        .fold(0, |seconds, byte| seconds << 8 | i64::from(*byte));
    Timestamp(seconds)
}

fn ancestors_text(ancestors: &[Ancestor]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for ancestor in ancestors {
        text.push(u8::try_from(ancestor.issuer.len()).ok()?);
        text.extend_from_slice(&ancestor.issuer);
        text.extend_from_slice(ancestor.id.as_bytes());
        text.extend(time(ancestor.issued)?);
    }
    Some(text)
}

fn read_ancestors(text: &[u8]) -> Option<Vec<Ancestor>> {
    let (mut ancestors, mut rest) = (Vec::new(), text);
    while let Some((length, after)) = rest.split_first() {
        let (issuer, after) = after.split_at_checked(usize::from(*length))?;
        let (id, after) = after.split_first_chunk::<{ KeyId::LENGTH }>()?;
        let (issued, after) = after.split_first_chunk()?;
        if !is_issuer_name(issuer) || ancestors.len() >= MAX_ANCESTORS {
            return None;
        }
        ancestors.push(Ancestor {
            issuer: issuer.into(),
            id: KeyId::parse(id)?,
            issued: read_time(issued),
        });
        rest = after;
    }
    Some(ancestors)
}

/// Reads a name that is shown; one that cannot be is as good as none.
fn name(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok().filter(|_| is_name(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn read(fields: &[u8]) -> Option<SealedScope<'_>> {
        let text = [&[VERSION, 0, 0, 0, 1, 0], fields].concat();
        SealedScope::read(text.leak())
    }

    #[test]
    fn fields() {
        let read = |fields| read(fields).map(|read| read.scopes);
        assert_eq!(read(b""), Some(vec![Scope::default()]));
        let and_all = b"\x03\0\x02\0\0";
        assert_eq!(read(and_all), Some(vec![Scope::default(); 2]));
        let allow = Scope {
            allow: Some(b"read".as_slice()),
            buckets: None,
        };
        assert_eq!(read(b"\x01\0\x04read"), Some(vec![allow]));
        let both = Scope {
            buckets: Some(b"b"),
            ..allow
        };
        assert_eq!(read(b"\x01\0\x04read\x02\0\x01b"), Some(vec![both]));
        let further = b"\x02\0\x01b\x03\0\x11\0\x07\x01\0\x04read\0\x06\x01\0\x00\x02\0\x00";
        let empty = Scope {
            allow: Some(b"".as_slice()),
            buckets: Some(b"".as_slice()),
        };
        let bucket = Scope {
            allow: None,
            buckets: Some(b"b".as_slice()),
        };
        assert_eq!(read(further), Some(vec![bucket, allow, empty]));
        // What only tells something is skipped; what might narrow it is not.
        assert_eq!(
            read(b"\x01\0\x04read\x82\0\x02it\xff\0\0"),
            Some(vec![allow])
        );
        for bad in [
            b"\x06\0\x01x".as_slice(),
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
            // A scope that says what is not understood, twice the same, and one that is cut off.
            b"\x03\0\x05\0\x03\x03\0\0",
            b"\x03\0\x08\0\x06\x01\0\0\x01\0\0",
            b"\x03\0\x02\0\x03",
            b"\x03\0\x01\0",
            // Ancestors: no issuer, no id, no time.
            b"\x05\0\x01\0",
            b"\x05\0\x12\x02ciAAAAAAAAAAAAAAA",
            b"\x05\0\x18\x02ciaAAAAAAAAAAAAAAA\0\0\0\0\0",
            b"\x05\0\x18\x02c.AAAAAAAAAAAAAAAA\0\0\0\0\0",
        ] {
            assert_eq!(read(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn names() {
        let read = |fields| read(fields).map(|read| (read.role, read.session));
        let text = b"\x80\0\x04Ro_1\x81\0\x03a@b";
        assert_eq!(read(text), Some((Some("Ro_1"), Some("a@b"))));
        // They get into logs.
        assert_eq!(read(b"\x80\0\x01\n\x81\0\0"), Some((None, None)));
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
        let scope = |allow, buckets| Scope { allow, buckets };
        let ancestor = |issuer: &[u8], byte| Ancestor {
            issuer: issuer.into(),
            id: KeyId::of([byte; 10]),
            issued: Timestamp(1_767_323_045),
        };
        let several = vec![
            scope(None, Some(b"b".as_slice())),
            scope(Some(b"read"), None),
        ];
        for issued in [0, 1, 1_767_323_045, (1 << 40) - 1] {
            for scopes in [
                vec![Scope::default()],
                vec![scope(Some(b"read"), None), Scope::default()],
                vec![Scope::default(), scope(Some(b"read"), None)],
                vec![scope(Some(b"".as_slice()), None)],
                vec![scope(Some(&long[1..]), Some(b"a,b/c*"))],
                several.clone(),
            ] {
                for account in [None, Some(b"".as_slice()), Some(b"a-1")] {
                    for count in [0, 1, MAX_ANCESTORS] {
                        let mut ancestors = vec![ancestor(b"ci", 1); count];
                        ancestors.extend((count > 0).then(|| ancestor(&[b'n'; 32], 255)));
                        ancestors.truncate(MAX_ANCESTORS);
                        let sealed = SealedScope {
                            issued: Timestamp(issued),
                            scopes: scopes.clone(),
                            account,
                            ancestors,
                            role: Some("deploy"),
                            session: None,
                        };
                        let text = sealed.write();
                        let read = text.as_deref().and_then(SealedScope::read);
                        assert!(read == Some(sealed));
                    }
                }
            }
        }
        assert_eq!(SealedScope::new(Timestamp(-1)).write(), None);
        assert_eq!(SealedScope::new(Timestamp(1 << 40)).write(), None);
        for scopes in [
            vec![scope(Some(&long[..]), None)],
            vec![several[0], scope(Some(&long[4..]), None)],
        ] {
            let too_long = SealedScope {
                scopes,
                ..SealedScope::new(Timestamp(0))
            };
            assert!(too_long.write().is_none());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..Default::default() })]

        /// Whatever can be read can be written, as the same.
        #[test]
        fn bytes_of_any_kind(fields in vec((0..7_u8, vec(0..4_u8, 0..9)), 0..5), tail in vec(any::<u8>(), 0..4)) {
            let mut text = vec![VERSION, 0, 0, 0, 1, 0];
            for (number, value) in fields {
                let number = if number == 0 { ROLE } else { number };
                put(&mut text, number, &value);
            }
            text.extend(tail);
            if let Some(sealed) = SealedScope::read(&text) {
                let written = sealed.write();
                prop_assert_eq!(written.as_deref().and_then(SealedScope::read), Some(sealed.clone()));
            }
        }
    }
}
