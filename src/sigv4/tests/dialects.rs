//! What origins of other dialects are sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use base64ct::{Base64, Encoding};
use common::{
    reference::{KEY, NOW, SECRET, Sample, hex},
    upload::SampleUpload,
    *,
};
use md5::{Digest, Md5};
use proptest::{collection::vec, prelude::*, sample::subsequence};
use sha2::Sha256;
use sigv4::*;

const ORIGIN_KEY: &str = "AKIDORIGIN";
const ORIGIN_SECRET: &str = "origin/secret";
const BODY: &[u8] = b"123456789";
/// The check values of the CRC catalogue, and RFC 1321's.
const CRC32: &str = "y/Q5Jg==";
const CRC32C: &str = "4waSgw==";
const MD5: &str = "JfnnlDI7RTiF9RgfG2JNCw==";
const SDK: (&str, &str) = ("x-amz-sdk-checksum-algorithm", "CRC32");

fn origin(dialect: Dialect) -> Origin {
    Origin {
        dialect,
        framing: dialect.framing,
        ..Origin::new(credential(ORIGIN_KEY, ORIGIN_SECRET), b"s3.mydomain.com")
    }
}

/// Why nothing was sent.
#[derive(Debug, PartialEq)]
enum Failure {
    Rejected(Rejection),
    Unsigned(Unsignable),
}

/// A request on its way through, to the first of some origins.
struct Passing<'a> {
    text: String,
    body: &'a [u8],
    /// It is read before the head is signed.
    is_buffered: bool,
    pieces: &'a [usize],
    origins: &'a [Origin],
}

impl<'a> Passing<'a> {
    fn new(text: String, body: &'a [u8], origins: &'a [Origin]) -> Passing<'a> {
        Passing {
            text,
            body,
            is_buffered: true,
            pieces: &[],
            origins,
        }
    }

    /// Returns the lines that go out, sorted, without those that every head has, and the plain body.
    fn send(&self) -> Result<(Vec<String>, Vec<u8>), Failure> {
        let clients = Directory::new(&[(KEY, SECRET)]);
        let rules = rules();
        let raw = Raw::new(&self.text);
        let mut verified = verdict(&raw, &clients, &rules, NOW).expect(&self.text);
        let length = Some(self.body.len() as u64);
        let headers = raw.headers.iter().copied();
        let reads_body = verified
            .adapt(self.origins.iter(), headers, length)
            .map_err(Failure::Rejected)?;
        let (mut plain, mut is_complete) = (Vec::new(), true);
        let mut upload = verified.upload_of(length);
        match &mut upload {
            Some(upload) => {
                let mut rest = self.body;
                for piece in self.pieces {
                    let (piece, after) = rest.split_at((*piece).min(rest.len()));
                    rest = after;
                    let mut piece = piece.to_vec();
                    let PlainPiece { data, tail } = upload.take(&mut piece, false).unwrap();
                    plain.extend_from_slice(&piece[data]);
                    plain.extend(tail.text);
                }
                assert!(!upload.is_complete());
                let mut piece = rest.to_vec();
                let taken = upload.take(&mut piece, true);
                is_complete = upload.is_complete();
                if let Ok(PlainPiece { data, tail }) = &taken {
                    plain.extend_from_slice(&piece[data.clone()]);
                    plain.extend(&tail.text);
                }
                // A part of the announced length is missing.
                assert!(taken.is_ok() || plain.len() < self.body.len());
                assert!(verified.is_digested_by(upload));
                taken.map_err(Failure::Rejected)?;
                if self.is_buffered {
                    verified.set_body_verified(upload.checksum().copied(), upload.chunk_size());
                }
                if let Some(md5) = upload.md5() {
                    assert!(reads_body || verified.streaming().is_some());
                    verified.set_md5(*md5);
                }
            }
            None => plain.extend_from_slice(self.body),
        }
        assert!(is_complete);
        let lines = signed(&self.text, &verified, &self.origins[0]).map_err(Failure::Unsigned)?;
        Ok((lines, plain))
    }

    fn lines(&self) -> Result<Vec<String>, Failure> {
        self.send().map(|(lines, _)| lines)
    }
}

/// Signs the head that a plain proxy would send, has the origin verify it, and returns its lines.
fn signed(text: &str, verified: &Verified<'_>, origin: &Origin) -> Result<Vec<String>, Unsignable> {
    let (line, headers) = text.split_once('\n').unwrap();
    let wire = format!("{line} HTTP/1.1\r\n{}\r\n", headers.replace('\n', "\r\n"));
    let mut room = HeadRoom::default();
    let head = WireHead::parse(wire.as_bytes(), verified, &mut room)?;
    let mut keys = KeyCache::new(8);
    let mut signed = sign(verified, &head, origin, &mut keys, Timestamp(NOW))?;
    let mut out = vec![0; signed.max_len()];
    let (length, _) = signed.write_with_encoder(&mut out).unwrap();
    out.truncate(length);
    let out = String::from_utf8(out).unwrap().replace("\r\n", "\n");
    // Each header that steers a server must be signed, or its origin says no.
    let clients = Directory::new(&[(ORIGIN_KEY, ORIGIN_SECRET)]);
    verdict(&Raw::new(&out), &clients, &rules(), NOW).expect(&out);
    let mut lines: Vec<String> = (out.lines().skip(1))
        .map(str::to_lowercase)
        .filter(|line| {
            let own = [
                "host:",
                "authorization:",
                "x-amz-date:",
                "x-amz-content-sha256:",
            ];
            !line.is_empty() && !own.iter().any(|own| line.starts_with(own))
        })
        .collect();
    lines.sort();
    Ok(lines)
}

fn sample(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
    let mut sample = Sample::new(method, target);
    sample.payload = hex(&Sha256::digest(body));
    for (name, value) in headers {
        sample = sample.header(name, value);
    }
    sample.header_form()
}

fn md5(body: &[u8]) -> String {
    Base64::encode_string(&Md5::digest(body)).to_lowercase()
}

fn with_md5(body: &[u8]) -> String {
    format!("content-md5: {}", md5(body))
}

fn named() -> impl Iterator<Item = (&'static str, Origin)> {
    Dialect::ALL
        .into_iter()
        .map(|(name, dialect)| (name, origin(dialect)))
}

#[test]
fn each_has_a_name() {
    assert!(Dialect::ALL.is_sorted_by_key(|(name, _)| *name));
    for (name, dialect) in Dialect::ALL {
        assert_eq!(Dialect::named(name.as_bytes()), Some(dialect));
        assert_eq!(Dialect::named(name.to_uppercase().as_bytes()), None);
        assert_ne!(dialect, Dialect::default());
    }
    assert_eq!(Dialect::named(b""), None);
}

/// Every operation that current SDKs send checksums with: what of these goes out.
#[test]
fn checksums_do_not_go_out() {
    let crc32 = ("x-amz-checksum-crc32", CRC32);
    let md5 = ("x-amz-checksum-md5", MD5);
    let of_client = ("Content-MD5", MD5);
    let kept = ("x-amz-meta-a", "1");
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, &str, Headers<'_>, &[u8], Headers<'_>); 15] = [
        ("PUT", "/b/k", &[crc32, SDK, kept], BODY, &[kept]),
        ("PUT", "/b/k", &[md5], BODY, &[of_client]),
        ("PUT", "/b/k", &[crc32, of_client], BODY, &[of_client]),
        ("PUT", "/b/k", &[md5, of_client], BODY, &[of_client]),
        ("PUT", "/b/k", &[of_client], BODY, &[of_client]),
        ("PUT", "/b", &[SDK], BODY, &[]),
        (
            "PUT",
            "/b/k",
            &[("X-AMZ-CHECKSUM-CRC32C", CRC32C)],
            BODY,
            &[],
        ),
        (
            "PUT",
            "/b/k",
            &[("x-amz-checksum-crc32", "AAAAAA==")],
            b"",
            &[],
        ),
        (
            "PUT",
            "/b/k?partNumber=1&uploadId=a",
            &[crc32, SDK],
            BODY,
            &[],
        ),
        (
            "POST",
            "/b/k?uploads",
            &[
                ("x-amz-checksum-algorithm", "CRC32"),
                ("x-amz-checksum-type", "COMPOSITE"),
                kept,
            ],
            b"",
            &[kept],
        ),
        (
            "POST",
            "/b/k?uploadId=a",
            &[("x-amz-checksum-type", "COMPOSITE")],
            b"<a/>",
            &[],
        ),
        (
            "GET",
            "/b/k",
            &[("x-amz-checksum-mode", "ENABLED"), kept],
            b"",
            &[kept],
        ),
        (
            "HEAD",
            "/b/k",
            &[("x-amz-checksum-mode", "ENABLED")],
            b"",
            &[],
        ),
        (
            "PUT",
            "/b/k",
            &[
                ("x-amz-copy-source", "/b/c"),
                ("x-amz-checksum-algorithm", "CRC32"),
            ],
            b"",
            &[("x-amz-copy-source", "/b/c")],
        ),
        (
            "PUT",
            "/b",
            &[("x-amz-object-ownership", "ObjectWriter"), SDK],
            b"",
            &[("x-amz-object-ownership", "ObjectWriter")],
        ),
    ];
    for (method, target, headers, body, expected) in cases {
        for (name, origin) in named() {
            let text = sample(method, target, headers, body);
            let lines = Passing::new(text.clone(), body, &[origin]).lines();
            let mut expected: Vec<_> = (expected.iter())
                .map(|(name, value)| format!("{name}: {value}").to_lowercase())
                .collect();
            expected.sort();
            assert_eq!(lines, Ok(expected), "{name}: {text}");
        }
        // Without a dialect all of them do, and nothing is read.
        let text = sample(method, target, headers, body);
        let lines = Passing::new(text.clone(), body, &[origin(Dialect::default())]).lines();
        let mut all: Vec<_> = (headers.iter())
            .map(|(name, value)| format!("{name}: {value}").to_lowercase())
            .collect();
        all.sort();
        assert_eq!(lines, Ok(all), "{text}");
    }
}

/// With the operations of which S3's model says that they need a digest, and no others.
#[test]
fn documents_go_with_their_md5() {
    let with = [
        ("POST", "/b?delete"),
        ("PUT", "/b?acl"),
        ("PUT", "/b?cors"),
        ("PUT", "/b?encryption"),
        ("PUT", "/b?lifecycle"),
        ("PUT", "/b?logging"),
        ("PUT", "/b?notification"),
        ("PUT", "/b?object-lock"),
        ("PUT", "/b?ownershipControls"),
        ("PUT", "/b?policy"),
        ("PUT", "/b?publicAccessBlock"),
        ("PUT", "/b?replication"),
        ("PUT", "/b?requestPayment"),
        ("PUT", "/b?tagging"),
        ("PUT", "/b?versioning"),
        ("PUT", "/b?website"),
        ("PUT", "/b/k?acl"),
        ("PUT", "/b/k?legal-hold"),
        ("PUT", "/b/k?retention"),
        ("PUT", "/b/k?tagging"),
        ("PUT", "/b/k?encryption"),
    ];
    let without = [
        ("PUT", "/b"),
        ("PUT", "/b/k"),
        ("PUT", "/b?accelerate"),
        ("POST", "/b/k?restore"),
        ("POST", "/b/k?uploadId=a"),
    ];
    let crc32 = ("x-amz-checksum-crc32", CRC32);
    for (name, origin) in named() {
        let origins = [origin];
        for (method, target) in with {
            for headers in [&[][..], &[crc32, SDK]] {
                let text = sample(method, target, headers, BODY);
                let lines = Passing::new(text, BODY, &origins).lines();
                assert_eq!(lines, Ok(vec![with_md5(BODY)]), "{name} {target}");
            }
            // A client that has sent one knows best, even if it is wrong.
            let text = sample(method, target, &[("content-md5", "wrong")], BODY);
            let lines = Passing::new(text, BODY, &origins).lines();
            assert_eq!(lines, Ok(vec!["content-md5: wrong".into()]), "{target}");
            let text = sample(method, target, &[], b"");
            let lines = Passing::new(text, b"", &origins).lines();
            assert_eq!(lines, Ok(vec![with_md5(b"")]), "{target}");
        }
        for (method, target) in without {
            let text = sample(method, target, &[], BODY);
            assert_eq!(
                Passing::new(text, BODY, &origins).lines(),
                Ok(vec![]),
                "{target}"
            );
        }
    }
}

/// The integrity that a header asks for is not lost with it.
#[test]
fn what_is_dropped_was_checked() {
    use Failure::Rejected;
    let wrong = "AAAAAA==";
    let put = "/b/k";
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Headers<'_>, Rejection); 7] = [
        (
            put,
            &[("x-amz-checksum-crc32", wrong)],
            Rejection::BadDigest(ChecksumAlgorithm::Crc32),
        ),
        (
            put,
            &[("x_amz-checksum_crc32", wrong)],
            Rejection::BadDigest(ChecksumAlgorithm::Crc32),
        ),
        (
            put,
            &[("x-amz-checksum-sha1", wrong)],
            Rejection::InvalidChecksumHeader(ChecksumAlgorithm::Sha1),
        ),
        (
            put,
            &[("x-amz-checksum-md4", wrong)],
            Rejection::NotImplemented,
        ),
        (
            "/b?cors",
            &[
                ("x-amz-checksum-crc32", CRC32),
                ("x-amz-checksum-crc32c", CRC32C),
            ],
            Rejection::Checksums(ChecksumFault::Several),
        ),
        (
            "/b?cors",
            &[
                ("x-amz-checksum-crc32", CRC32),
                ("x-amz-checksum-crc32", CRC32),
            ],
            Rejection::Checksums(ChecksumFault::Several),
        ),
        (
            "/b?cors",
            &[("x-amz-checksum-crc32", wrong)],
            Rejection::BadDigest(ChecksumAlgorithm::Crc32),
        ),
    ];
    for (name, dialect) in Dialect::ALL {
        // Wherever in the location the origin is that would not check it.
        for origins in [
            [origin(dialect), origin(Dialect::default())],
            [origin(Dialect::default()), origin(dialect)],
        ] {
            for (target, headers, rejection) in &cases {
                for pieces in [&[][..], &[1, 1, 1], &[9], &[8, 1]] {
                    let mut passing =
                        Passing::new(sample("PUT", target, headers, BODY), BODY, &origins);
                    passing.pieces = pieces;
                    assert_eq!(
                        passing.lines(),
                        Err(Rejected(rejection.clone())),
                        "{name} {headers:?}"
                    );
                }
            }
            let text = sample("PUT", put, &[("x-amz-checksum-crc32", CRC32)], b"");
            let rejected = Err(Rejected(Rejection::BadDigest(ChecksumAlgorithm::Crc32)));
            assert_eq!(Passing::new(text, b"", &origins).lines(), rejected);
            // Of the whole object, whose data is elsewhere.
            let text = sample(
                "POST",
                "/b/k?uploadId=a",
                &[("x-amz-checksum-crc32", CRC32)],
                BODY,
            );
            let rejected = Err(Rejected(Rejection::NotImplemented));
            assert_eq!(Passing::new(text, BODY, &origins).lines(), rejected);
        }
    }
    let text = sample("PUT", put, &[("x-amz-checksum-crc32", wrong)], BODY);
    let expected = Ok(vec![
        format!("x-amz-checksum-crc32: {wrong}").to_lowercase(),
    ]);
    assert_eq!(
        Passing::new(text, BODY, &[origin(Dialect::default())]).lines(),
        expected
    );
}

/// An origin that reads no framing may not know the checksum in a header either. It gets it all the same.
#[test]
fn what_reads_no_framing_is_told_no_lies() {
    use Failure::Rejected;
    let plain = Origin {
        framing: Framing::Decode,
        ..origin(Dialect::default())
    };
    for origins in [
        [plain.clone(), origin(Dialect::default())],
        [origin(Dialect::default()), plain],
    ] {
        for (target, name, value, outcome) in [
            ("/b/k", "x-amz-checksum-crc32", CRC32, None),
            ("/b/k", "x-amz-checksum-md5", MD5, None),
            (
                "/b/k?partNumber=1&uploadId=a",
                "x-amz-checksum-crc32c",
                CRC32C,
                None,
            ),
            ("/b/k", "x-amz-checksum-md4", "AAAA", None),
            ("/b/k", "x-amz-checksum-type", "COMPOSITE", None),
            (
                "/b/k",
                "x-amz-checksum-crc32",
                CRC32C,
                Some(Rejection::BadDigest(ChecksumAlgorithm::Crc32)),
            ),
            (
                "/b/k",
                "x-amz-checksum-sha1",
                CRC32,
                Some(Rejection::InvalidChecksumHeader(ChecksumAlgorithm::Sha1)),
            ),
        ] {
            let text = sample("PUT", target, &[(name, value)], BODY);
            let lines = Passing::new(text, BODY, &origins).lines();
            let expected = match outcome {
                None => Ok(vec![format!("{name}: {value}").to_lowercase()]),
                Some(rejection) => Err(Rejected(rejection)),
            };
            assert_eq!(lines, expected, "{target} {name}: {value}");
        }
        // Of the whole object, whose data is elsewhere.
        let of_object = [("x-amz-checksum-crc32", CRC32C)];
        let text = sample("POST", "/b/k?uploadId=a", &of_object, BODY);
        let lines = Passing::new(text, BODY, &origins).lines();
        let expected = format!("x-amz-checksum-crc32: {CRC32C}").to_lowercase();
        assert_eq!(lines, Ok(vec![expected]));
    }
}

/// A request that was admitted without a thought of the dialect is not signed for it.
#[test]
fn what_was_not_checked_is_not_signed() {
    for (_, dialect) in Dialect::ALL {
        let text = sample("PUT", "/b/k", &[("x-amz-checksum-crc32", CRC32)], BODY);
        let clients = Directory::new(&[(KEY, SECRET)]);
        let rules = rules();
        let raw = Raw::new(&text);
        let mut verified = verdict(&raw, &clients, &rules, NOW).unwrap();
        assert_eq!(
            signed(&text, &verified, &origin(dialect)),
            Err(Unsignable::Dialect)
        );
        let headers = || raw.headers.iter().copied();
        let origins = [origin(Dialect::default())];
        assert_eq!(
            verified.adapt(origins.iter(), headers(), Some(9)),
            Ok(false)
        );
        assert_eq!(
            signed(&text, &verified, &origin(dialect)),
            Err(Unsignable::Dialect)
        );
        assert!(verified.upload_of(Some(9)).is_none());
        // Nor is a body taken for checked that began where nothing was to be.
        let origins = [origin(dialect)];
        let plain = verdict(&raw, &clients, &rules, NOW).unwrap();
        assert_eq!(
            verified.adapt(origins.iter(), headers(), Some(9)),
            Ok(false)
        );
        assert!(plain.upload_of(Some(9)).is_none());
        assert!(verified.upload_of(Some(9)).is_some());
        assert!(verified.is_body_verified(Some(9)));
    }
}

/// Which framing each reads, and where its checksum goes.
#[test]
fn trailers_do_not_go_out() {
    let reads_signed_chunks = ["minio-old", "oss"];
    for (name, origin) in named() {
        for (kind, algorithm) in [
            (StreamingKind::Signed, ChecksumAlgorithm::Crc32),
            (StreamingKind::SignedTrailer, ChecksumAlgorithm::Crc32),
            (StreamingKind::SignedTrailer, ChecksumAlgorithm::Md5),
            (StreamingKind::UnsignedTrailer, ChecksumAlgorithm::Crc32),
            (StreamingKind::UnsignedTrailer, ChecksumAlgorithm::Md5),
        ] {
            let sent = SampleUpload::even(kind, BODY, 4).with(algorithm);
            let head = sent.head();
            let body = sent.body(&head);
            for (is_buffered, pieces) in [(true, &[][..]), (false, &[20, 1, 40])] {
                let mut passing = Passing::new(head.clone(), &body, std::slice::from_ref(&origin));
                passing.is_buffered = is_buffered;
                passing.pieces = pieces;
                let (lines, plain) = passing.send().unwrap();
                assert_eq!(plain, BODY);
                let framed = lines.iter().any(|line| line.contains("aws-chunked"));
                let is_read = reads_signed_chunks.contains(&name) && !kind.has_trailer();
                assert_eq!(framed, is_read, "{name} {kind:?}: {lines:?}");
                assert!(
                    !lines.iter().any(|line| line.contains("checksum")),
                    "{lines:?}"
                );
                assert!(
                    !lines.iter().any(|line| line.contains("trailer")),
                    "{lines:?}"
                );
                let has_md5 = lines.contains(&with_md5(BODY));
                let is_known = is_buffered && algorithm == ChecksumAlgorithm::Md5;
                assert_eq!(has_md5, is_known, "{name} {kind:?}: {lines:?}");
            }
        }
    }
}

const SENT: [(&str, &str); 12] = [
    ("x-amz-checksum-algorithm", "CRC32"),
    ("x-amz-checksum-mode", "ENABLED"),
    ("x-amz-checksum-type", "FULL_OBJECT"),
    ("X-Amz-Checksum-Crc32", CRC32),
    ("x-amz-sdk-checksum-algorithm", "CRC32"),
    ("x-amz-acl", "private"),
    ("x-amz-server-side-encryption", "AES256"),
    ("x-amz-checksums", "none of them"),
    ("x-amz-meta-x-amz-checksum-crc32", "1"),
    ("content-type", "text/plain"),
    ("cache-control", "no-store"),
    ("x-amz-tagging", "a=b"),
];

/// Whether there is a checksum if an algorithm is named, without which S3 takes no upload.
fn names_one(headers: &Vec<(&str, &str)>) -> bool {
    let has = |name| headers.iter().any(|(header, _)| *header == name);
    !has("x-amz-sdk-checksum-algorithm") || has("X-Amz-Checksum-Crc32")
}

proptest! {
    /// Nothing goes but what is named, and what is left is signed.
    #[test]
    fn nothing_else_is_dropped(
        headers in subsequence(&SENT[..], 0..SENT.len()).prop_filter("names none", names_one),
        presigned in any::<bool>(),
        at in 0..Dialect::ALL.len(),
        pieces in vec(0_usize..5, 0..4),
    ) {
        let mut sample = Sample::new("PUT", "/b/k");
        sample.payload = hex(&Sha256::digest(BODY));
        for (name, value) in &headers {
            sample = sample.header(name, value);
        }
        let text = if presigned { sample.query_form() } else { sample.header_form() };
        let origins = [origin(Dialect::ALL[at].1)];
        let mut passing = Passing::new(text, BODY, &origins);
        passing.pieces = &pieces;
        let mut expected: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}").to_lowercase())
            .filter(|line| {
                !line.starts_with("x-amz-checksum-") && !line.starts_with("x-amz-sdk-checksum-")
            })
            .collect();
        expected.sort();
        let (lines, plain) = passing.send().unwrap();
        prop_assert_eq!(lines, expected);
        prop_assert_eq!(plain, BODY);
    }
}
