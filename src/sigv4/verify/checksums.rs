//! Checks what the head of an upload says of its checksums, one with the other. Whether a checksum is right is for
//! [`Decoder`](crate::Decoder) to say if it follows the body, and for the origin if it is in a header.
use crate::{
    chunked::streaming::trailer_name,
    error::{ChecksumFault, Rejection},
    header_fate::tells_no_checksum,
    headers::{KnownHeader, KnownHeaders},
    operation::Operation,
    request::Header,
};

/// Checks an upload; other operations pass, since nobody has said what S3 answers to theirs.
///
/// An algorithm is compared by its name alone, so that one that S3 learns tomorrow is the origin's to judge.
///
/// # Errors
/// With what S3 was seen to answer: see [`ChecksumFault`].
pub(super) fn check(
    operation: Operation,
    known: &KnownHeaders<'_>,
    headers: &[Header<'_>],
) -> Result<(), Rejection> {
    if !matches!(operation, Operation::PutObject | Operation::UploadPart) {
        return Ok(());
    }
    let trailer = known.value(KnownHeader::Trailer).map(trailer_name);
    let mut checksum = trailer.and_then(algorithm_of);
    let mut in_header = false;
    for algorithm in headers.iter().filter_map(given_algorithm) {
        if in_header {
            return Err(Rejection::Checksums(ChecksumFault::Several));
        }
        in_header = true;
        checksum = Some(algorithm);
    }
    if in_header && trailer.is_some_and(|trailer| !trailer.is_empty()) {
        return Err(Rejection::Checksums(ChecksumFault::HeaderAndTrailer));
    }
    for named in headers.iter().filter_map(named_algorithm) {
        match checksum {
            Some(checksum) if checksum.eq_ignore_ascii_case(named) => {}
            Some(_) => return Err(Rejection::Checksums(ChecksumFault::Algorithm)),
            None => return Err(Rejection::Checksums(ChecksumFault::Missing)),
        }
    }
    Ok(())
}

/// Returns the algorithm of a checksum in a header.
fn given_algorithm<'h>(header: &Header<'h>) -> Option<&'h [u8]> {
    algorithm_of(header.name)
        .filter(|algorithm| !tells_no_checksum(algorithm) && !header.value.is_empty())
}

/// Returns the algorithm that a header says there is a checksum of.
fn named_algorithm<'h>(header: &Header<'h>) -> Option<&'h [u8]> {
    (header
        .name
        .eq_ignore_ascii_case(b"x-amz-sdk-checksum-algorithm"))
    .then(|| header.value.trim_ascii())
    .filter(|algorithm| !algorithm.is_empty())
}

/// Returns what follows `x-amz-checksum-` in a name.
fn algorithm_of(name: &[u8]) -> Option<&[u8]> {
    const START: &[u8] = b"x-amz-checksum-";
    let (start, algorithm) = name.split_at_checked(START.len())?;
    start.eq_ignore_ascii_case(START).then_some(algorithm)
}
