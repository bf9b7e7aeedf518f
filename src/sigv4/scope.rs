//! The credential scope: for which day, region and service a signature holds.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
use arrayvec::ArrayVec;

use crate::{
    date::Day,
    error::Malformed,
    region::{MAX_REGION, Region, is_region_byte},
    text::sink::Sink,
};

pub(crate) const S3: &[u8] = b"s3";
pub(crate) const TERMINATOR: &[u8] = b"aws4_request";

/// `<day>/<region>/<service>/aws4_request`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope<'a> {
    pub(crate) day: Day,
    pub(crate) region: &'a [u8],
    text: &'a [u8],
}

/// The text of a scope of its own; there is room for the longest region.
#[derive(Clone)]
pub(crate) struct ScopeText {
    text: ArrayVec<u8, { ScopeText::LONGEST }>,
    day: Day,
    region: Region,
}

impl ScopeText {
    /// Bytes of the longest one.
    pub(crate) const LONGEST: usize = 8 + 1 + MAX_REGION + 1 + 8 + 1 + TERMINATOR.len();

    pub(crate) fn s3(day: Day, region: &Region) -> ScopeText {
        ScopeText::new(day, region, S3)
    }

    /// Makes the scope of a service with a name of at most 8 bytes.
    pub(crate) fn new(day: Day, region: &Region, service: &[u8]) -> ScopeText {
        let mut text = ArrayVec::new();
        for part in [day.as_bytes(), b"/", region.as_bytes(), b"/", service, b"/"] {
            text.put(part);
        }
        text.put(TERMINATOR);
        ScopeText {
            text,
            day,
            region: *region,
        }
    }

    pub(crate) fn day(&self) -> Day {
        self.day
    }

    pub(crate) fn region(&self) -> Region {
        self.region
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope {
            day: self.day,
            region: self.region.as_bytes(),
            text: &self.text,
        }
    }
}

impl<'a> Scope<'a> {
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.text
    }

    /// Puts it with a slash in front, in percent-encoding; the scope is S3's.
    pub(crate) fn put_encoded(self, sink: &mut impl Sink) {
        for part in [b"%2F", self.day.as_bytes(), b"%2F", self.region] {
            sink.put(part);
        }
        sink.put(b"%2Fs3%2Faws4_request");
    }

    /// Splits day, region, service and terminator.
    pub(crate) fn parts(self) -> impl Iterator<Item = &'a [u8]> {
        self.text.split(|&byte| byte == b'/')
    }

    /// Puts `<access key>/<scope>`: Credential.
    pub(crate) fn put_credential(self, sink: &mut impl Sink, access_key: &[u8]) {
        sink.put(access_key);
        sink.put(b"/");
        sink.put(self.text);
    }
}

/// The scope that a client claims to have signed for, with the service that was asked.
#[derive(Clone, Copy)]
pub(crate) struct ClaimedScope<'a> {
    pub(crate) day: Day,
    /// A region's name.
    pub(crate) region: &'a [u8],
}

impl<'a> ClaimedScope<'a> {
    /// Splits `<access key>/<scope>`; the access key may hold `/` itself.
    #[inline(always)]
    pub(crate) fn parse_credential(
        credential: &'a [u8],
        service: &[u8],
    ) -> Result<(&'a [u8], ClaimedScope<'a>), Malformed> {
        ClaimedScope::parse_separated(credential, b"/", service)
    }

    /// Splits a credential that has another text for each slash, as in a query.
    #[inline(always)]
    pub(crate) fn parse_separated<const N: usize>(
        credential: &'a [u8],
        slash: &[u8; N],
        service: &[u8],
    ) -> Result<(&'a [u8], ClaimedScope<'a>), Malformed> {
        let before = |text: &'a [u8], last: &[u8]| text.strip_suffix(last)?.strip_suffix(slash);
        let rest = before(credential, TERMINATOR)
            .and_then(|rest| before(rest, service))
            .ok_or_else(|| misses_end(credential))?;
        // No byte of a region's name is one that a slash begins with.
        let is_other = |byte: &u8| !is_region_byte(*byte);
        let start = rest.iter().rposition(is_other);
        let (rest, region) = rest.split_at(start.ok_or(Malformed::Credential)?);
        let region = region.strip_prefix(slash).ok_or(Malformed::Region)?;
        if region.len() > MAX_REGION {
            return Err(Malformed::Region);
        }
        let (rest, day) = rest.split_last_chunk::<8>().ok_or(Malformed::Credential)?;
        let day = Day::parse(day).ok_or(Malformed::Credential)?;
        match rest.strip_suffix(slash) {
            Some(access_key @ [_, ..]) => Ok((access_key, ClaimedScope { day, region })),
            _ => Err(Malformed::Credential),
        }
    }

    /// Copies the region.
    pub(crate) fn to_region(self) -> Region {
        Region::of(self.region)
    }
}

/// Returns what is wrong with a credential that does not end in service and terminator.
#[cold]
fn misses_end(credential: &[u8]) -> Malformed {
    let mut parts = credential.rsplit(|&byte| byte == b'/');
    let terminator = parts.next();
    if parts.count() < 4 {
        Malformed::Credential
    } else if terminator != Some(TERMINATOR) {
        Malformed::Terminator
    } else {
        Malformed::Service
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        text::uri::{Part, put_encoded},
        ties::each_odd_byte,
    };

    #[test]
    fn a_scope_is_encoded_as_any_text() {
        let day = Day::parse(b"20260102");
        each_odd_byte(b'r', MAX_REGION, |name| {
            if let (Some(region), Some(day)) = (Region::parse(name), day) {
                let scope = ScopeText::s3(day, &region);
                let (mut usual, mut slow) = (Vec::new(), Vec::new());
                scope.scope().put_encoded(&mut usual);
                put_encoded(
                    &mut slow,
                    &[b"/", scope.scope().as_bytes()].concat(),
                    Part::Query,
                );
                assert_eq!(usual, slow);
            }
        });
    }
}
