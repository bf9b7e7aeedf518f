//! What heads of uploads say of checksums, one line with another: accepted as S3 accepts it, and rejected with its
//! texts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use sigv4::{ChecksumFault::*, *};

const PUT: &str = "/bucket/key";
const PART: &str = "/bucket/key?partNumber=1&uploadId=u";

/// Header lines, each of which is signed.
type Lines<'a> = &'a [(&'a str, &'a str)];

fn verified(method: &str, target: &str, lines: Lines<'_>) -> Result<(), Rejection> {
    let mut sample = Sample::new(method, target);
    for (name, value) in lines {
        sample = sample.header(name, value);
    }
    let text = sample.header_form();
    let (raw, rules) = (Raw::new(&text), rules());
    let clients = Directory::new(&[(KEY, SECRET)]);
    verdict(&raw, &clients, &rules, NOW).map(|_| ())
}

#[test]
fn checksums_of_an_upload_fit_together() {
    let named = |value| ("x-amz-sdk-checksum-algorithm", value);
    let crc32 = ("x-amz-checksum-crc32", "NhCmhg==");
    let sha1 = ("X-Amz-Checksum-Sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=");
    let trailer = |value| ("x-amz-trailer", value);
    let of_crc32 = trailer("x-amz-checksum-crc32");
    let cases: [(Lines<'_>, Option<ChecksumFault>); 30] = [
        (&[], None),
        (&[crc32], None),
        (&[of_crc32], None),
        (&[named("CRC32"), crc32], None),
        (&[named("crc32"), crc32], None),
        (&[named("SHA1"), sha1], None),
        (&[named("CRC32"), of_crc32], None),
        (&[named("CRC32"), trailer("X-AMZ-Checksum-CRC32")], None),
        (&[named("CRC32"), trailer("x-amz-checksum-crc32,,")], None),
        // What is not known here may be known there.
        (&[("x-amz-checksum-blake3", "AAAA")], None),
        (&[named("BLAKE3"), ("x-amz-checksum-blake3", "AAAA")], None),
        // They are of a part's upload, or of nothing.
        (&[crc32, ("x-amz-checksum-algorithm", "CRC32")], None),
        (&[crc32, ("x-amz-checksum-type", "COMPOSITE")], None),
        // As if they were not there.
        (&[named("")], None),
        (&[named(" "), crc32], None),
        (&[crc32, ("x-amz-checksum-sha1", "")], None),
        (&[crc32, trailer(",")], None),
        (&[named("CRC32")], Some(Missing)),
        (&[named("NONE")], Some(Missing)),
        (&[named("CRC32"), trailer("x-amz-meta-a")], Some(Missing)),
        (
            &[named("CRC32"), ("x-amz-checksum-type", "FULL_OBJECT")],
            Some(Missing),
        ),
        (
            &[named("CRC32"), ("x-amz-checksum-algorithm", "CRC32")],
            Some(Missing),
        ),
        (&[named("CRC32C"), crc32], Some(Algorithm)),
        (&[named("NONE"), crc32], Some(Algorithm)),
        (&[named("SHA1"), of_crc32], Some(Algorithm)),
        (&[named("CRC32"), named("SHA1"), crc32], Some(Algorithm)),
        (&[crc32, sha1], Some(Several)),
        // That comes before what is named, and before the trailer.
        (&[named("SHA256"), crc32, sha1, of_crc32], Some(Several)),
        (&[crc32, of_crc32], Some(HeaderAndTrailer)),
        (&[named("SHA1"), sha1, of_crc32], Some(HeaderAndTrailer)),
    ];
    for (lines, fault) in cases {
        let expected = fault.map_or(Ok(()), |fault| Err(Rejection::Checksums(fault)));
        for target in [PUT, PART] {
            assert_eq!(verified("PUT", target, lines), expected, "{lines:?}");
        }
        // S3's answers to these are not known.
        for (method, target) in [
            ("POST", "/bucket?delete"),
            ("POST", "/bucket/key?uploads"),
            ("POST", "/bucket/key?uploadId=u"),
            ("PUT", "/bucket?tagging"),
            ("PUT", "/bucket/key?tagging"),
            ("PUT", "/bucket"),
            ("GET", "/bucket/key"),
        ] {
            assert_eq!(verified(method, target, lines), Ok(()), "{lines:?}");
        }
    }
}

#[test]
fn the_texts_are_those_of_s3() {
    for (fault, text) in [
        (
            Missing,
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        ),
        (
            Algorithm,
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        ),
        (
            Several,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        (
            HeaderAndTrailer,
            "Expecting a single x-amz-checksum- header",
        ),
        (
            Trailer,
            "The value specified in the x-amz-trailer header is not supported",
        ),
    ] {
        let rejection = Rejection::Checksums(fault);
        assert_eq!(
            (rejection.code(), rejection.status()),
            ("InvalidRequest", 400)
        );
        assert_eq!(rejection.message(), text);
    }
}

/// Nobody who lacks the key learns what is wrong with a head.
#[test]
fn a_wrong_signature_comes_first() {
    let sample = Sample::new("PUT", PUT).header("x-amz-sdk-checksum-algorithm", "CRC32");
    let text = sample.header_form().replace("CRC32", "CRC32C");
    let (raw, rules) = (Raw::new(&text), rules());
    let clients = Directory::new(&[(KEY, SECRET)]);
    let verdict = verdict(&raw, &clients, &rules, NOW);
    assert_eq!(verdict.map(|_| ()), Err(Rejection::SignatureDoesNotMatch));
}
