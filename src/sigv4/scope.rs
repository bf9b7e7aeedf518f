//! The credential scope: for which day, region and service a signature holds.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
use crate::{date::Day, error::Malformed, sink::Sink};

/// A region name in a credential scope: at most 64 letters, digits, `-`, `_` and `.`; may be
/// empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// Zeros behind the name.
    name: [u8; 64],
    length: u8,
}

impl Region {
    /// `None` if it is no region name.
    pub fn parse(name: &[u8]) -> Option<Region> {
        let valid = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let mut region = Region {
            name: [0; 64],
            length: u8::try_from(name.len()).ok()?,
        };
        region.name.get_mut(..name.len())?.copy_from_slice(name);
        name.iter().all(valid).then_some(region)
    }

    /// The region that S3 takes where none is named.
    pub(crate) const US_EAST_1: Region = {
        let name = b"us-east-1";
        let mut region = Region {
            name: [0; 64],
            length: name.len() as u8,
        };
        let mut at = 0;
        while at < name.len() {
            region.name[at] = name[at];
            at += 1;
        }
        region
    };

    pub fn as_bytes(&self) -> &[u8] {
        self.name
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

pub(crate) const S3: &[u8] = b"s3";
const TERMINATOR: &[u8] = b"aws4_request";

/// `<day>/<region>/<service>/aws4_request`
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) day: Day,
    pub(crate) region: Region,
    pub(crate) service: &'static [u8],
}

impl Scope {
    pub(crate) fn s3(day: Day, region: Region) -> Scope {
        Scope {
            day,
            region,
            service: S3,
        }
    }

    /// Splits `<access key>/<scope>`; the access key may hold `/` itself.
    pub(crate) fn parse_credential(credential: &[u8]) -> Result<(&[u8], Scope), Malformed> {
        let (rest, terminator) = split_last(credential)?;
        let (rest, service) = split_last(rest)?;
        let (rest, region) = split_last(rest)?;
        let (access_key, day) = split_last(rest)?;
        if access_key.is_empty() {
            return Err(Malformed::Credential);
        }
        if terminator != TERMINATOR {
            return Err(Malformed::Terminator);
        }
        if service != S3 {
            return Err(Malformed::Service);
        }
        let region = Region::parse(region).ok_or(Malformed::Region)?;
        let day = Day::parse(day).ok_or(Malformed::Credential)?;
        Ok((access_key, Scope::s3(day, region)))
    }

    pub(crate) fn put(&self, sink: &mut impl Sink) {
        self.put_separated(sink, b"/");
    }

    /// With another text for each slash, as in a query, where nothing else in it is to encode.
    pub(crate) fn put_separated(&self, sink: &mut impl Sink, slash: &[u8]) {
        sink.put(self.day.as_bytes());
        sink.put(slash);
        sink.put(self.region.as_bytes());
        sink.put(slash);
        sink.put(self.service);
        sink.put(slash);
        sink.put(TERMINATOR);
    }

    /// `<access key>/<scope>`: Credential.
    pub(crate) fn put_credential(&self, sink: &mut impl Sink, access_key: &[u8]) {
        sink.put(access_key);
        sink.put(b"/");
        self.put(sink);
    }
}

/// What is in front of the last slash, and behind it.
fn split_last(text: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let slash = memchr::memrchr(b'/', text).ok_or(Malformed::Credential)?;
    let (rest, last) = text.split_at(slash);
    Ok((rest, last.get(1..).unwrap_or_default()))
}
