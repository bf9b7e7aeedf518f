//! What may go out of a request that nobody has signed, where the location signs it for the origin within its own
//! grant.
//!
//! A client's signature says that it means each header that steers a server. Here whoever gets to the location can
//! write any header, and the origin's key would stand for it. So only those go out that do no more than the grant
//! says: those for reading change nothing and reveal nothing else, and those for writing say what is stored. None of
//! them claims a right beside the operation's, as to lift a lock or to have the owner pay, and none says how a body is
//! framed, since there is no signature for a chain to begin with.
use arrayvec::ArrayVec;

use crate::{
    chunked::streaming::{codings, is_framing},
    error::Rejection,
    headers::steers_server,
    operation::{GrantClass, Operation},
    parameter::{AmzHeader, ParameterName},
    request::Header,
    text::query::Query,
    text::token::dashed,
    text::uri::{self, Part},
};

/// What a header of S3's may be sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Anything,
    Writing,
    /// It says how a body is framed.
    Framing,
}

/// Those that change no more than how an answer is told, or make a request fail, without `x-amz-`, sorted. Date and
/// hash are the signature's, and written again.
const FOR_ANYTHING: [&[u8]; 9] = [
    b"checksum-mode",
    b"content-sha256",
    b"date",
    b"expected-bucket-owner",
    b"max-parts",
    b"object-attributes",
    b"optional-object-attributes",
    b"part-number-marker",
    b"user-agent",
];

/// Those that say what is stored, and under which conditions, without `x-amz-`, sorted. Metadata has any name. A grant
/// says besides which access control lists and sources it permits.
const FOR_WRITING: [&[u8]; 40] = [
    b"acl",
    b"checksum-algorithm",
    b"checksum-crc32",
    b"checksum-crc32c",
    b"checksum-crc64nvme",
    b"checksum-md5",
    b"checksum-sha1",
    b"checksum-sha256",
    b"checksum-sha512",
    b"checksum-type",
    b"checksum-xxhash128",
    b"checksum-xxhash3",
    b"checksum-xxhash64",
    b"copy-source",
    b"copy-source-if-match",
    b"copy-source-if-modified-since",
    b"copy-source-if-none-match",
    b"copy-source-if-unmodified-since",
    b"copy-source-range",
    b"grant-full-control",
    b"grant-read",
    b"grant-read-acp",
    b"grant-write",
    b"grant-write-acp",
    b"if-match-initiated-time",
    b"if-match-last-modified-time",
    b"if-match-size",
    b"metadata-directive",
    b"mp-object-size",
    b"rename-source",
    b"rename-source-if-match",
    b"rename-source-if-modified-since",
    b"rename-source-if-none-match",
    b"rename-source-if-unmodified-since",
    b"sdk-checksum-algorithm",
    b"server-side-encryption",
    b"source-expected-bucket-owner",
    b"storage-class",
    b"tagging",
    b"tagging-directive",
];

const FRAMING: [&[u8]; 2] = [b"decoded-content-length", b"trailer"];

impl Use {
    /// Finds what a header may be sent with; `None` if with nothing, as one that S3 does not have.
    fn of(name: &[u8]) -> Option<Use> {
        const PREFIX: usize = b"x-amz-".len();
        // It says which metadata is none, too.
        AmzHeader::named(name)?;
        let mut lower = ArrayVec::<u8, 64>::new();
        let rest = name.get(PREFIX..)?;
        if (rest.get(..5)).is_some_and(|start| start.eq_ignore_ascii_case(b"meta-")) {
            return Some(Use::Writing);
        }
        lower.try_extend_from_slice(rest).ok()?;
        lower.make_ascii_lowercase();
        let is_in = |names: &[&[u8]]| names.binary_search(&lower.as_slice()).is_ok();
        if is_in(&FOR_ANYTHING) {
            return Some(Use::Anything);
        }
        if is_in(&FRAMING) {
            return Some(Use::Framing);
        }
        is_in(&FOR_WRITING).then_some(Use::Writing)
    }
}

/// Checks a request that a grant permits, and that nobody has signed.
///
/// # Errors
/// If it is no known operation, or has what only a signature could vouch for.
pub(crate) fn check_lent<'h>(
    operation: Operation,
    query: &Query<'_, '_>,
    headers: impl Iterator<Item = Header<'h>>,
) -> Result<(), Rejection> {
    // An origin could take it for anything, and what it hands out it would hand out to anybody.
    if matches!(
        operation.class(),
        GrantClass::Other | GrantClass::Credentials
    ) {
        return Err(Rejection::AccessDenied);
    }
    let is_write = !matches!(operation.class(), GrantClass::Read | GrantClass::List);
    query
        .others()
        .try_for_each(|(name, _)| check_parameter(name))?;
    for header in headers {
        if is_framed(&header) {
            return Err(Rejection::NotImplemented);
        }
        if !steers_server(header.name) {
            continue;
        }
        match Use::of(header.name) {
            Some(Use::Anything) => {}
            Some(Use::Writing) if is_write => {}
            Some(Use::Framing) => return Err(Rejection::NotImplemented),
            Some(Use::Writing) | None => return Err(Rejection::UnsignedHeaders),
        }
    }
    Ok(())
}

/// Checks a parameter by its raw name: one that is a header has to be one for anything, and by those that set
/// headers of the answer a link could have a browser run what somebody has stored.
fn check_parameter(raw: &[u8]) -> Result<(), Rejection> {
    match ParameterName::of(raw) {
        ParameterName::Known(parameter) if parameter.sets_answer_header() => {
            Err(Rejection::ResponseHeaders)
        }
        ParameterName::Known(_) => Ok(()),
        ParameterName::Header(_) => {
            let name: ArrayVec<u8, 80> = uri::decoded(raw, Part::Query).take(80).collect();
            match Use::of(&name) {
                Some(Use::Anything) => Ok(()),
                _ => Err(Rejection::UnsignedParameter),
            }
        }
        ParameterName::Unknown => Err(Rejection::AccessDenied),
    }
}

/// Whether a header says that the body is in `aws-chunked` framing, which would be stored with it.
fn is_framed(header: &Header<'_>) -> bool {
    let name = header.name.iter().copied().map(dashed);
    name.eq(*b"content-encoding") && codings(header.value).any(is_framing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_sorted_and_s3s() {
        for names in [&FOR_ANYTHING[..], &FOR_WRITING, &FRAMING] {
            assert!(names.is_sorted_by(|a, b| a < b));
            for name in names {
                let name = [b"x-amz-".as_slice(), name].concat();
                assert!(Use::of(&name).is_some(), "{}", name.escape_ascii());
                assert!(Use::of(&name.to_ascii_uppercase()).is_some());
            }
        }
    }
}
