//! Uploads in `aws-chunked` framing: in, out, and every way to lie about one.
//!
//! A long file, since each one here is linked to a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{KEY, NOW, SECRET},
    upload::{self, SampleUpload, checksum, decode, signature_of},
    *,
};
use proptest::{collection::vec, prelude::*, sample::select};
use sigv4::*;

const ORIGIN_KEY: &str = "AKIDORIGIN";
const ORIGIN_SECRET: &str = "origin/secret";
const KINDS: [StreamingKind; 3] = [
    StreamingKind::Signed,
    StreamingKind::SignedTrailer,
    StreamingKind::UnsignedTrailer,
];

const MISMATCH: &str = "SignatureDoesNotMatch 403";
const INCOMPLETE: &str = "IncompleteBody 400";
const TRAILER: &str = "MalformedTrailerError 400";
const DIGEST: &str = "BadDigest 400";
const REQUEST: &str = "InvalidRequest 400";
const TOO_LARGE: &str = "EntityTooLarge 400";

fn origin(framing: Framing) -> Origin {
    Origin {
        region: Region::parse(b"eu-west-1"),
        framing,
        ..Origin::new(
            credential(ORIGIN_KEY, ORIGIN_SECRET),
            b"s3.origin.example:9000",
        )
    }
}

fn verified<'r>(raw: &Raw<'r>) -> Result<Verified<'r>, Rejection> {
    verdict(
        raw,
        kept(Directory::new(&[(KEY, SECRET)])),
        kept(rules()),
        NOW,
    )
}

fn decoder(head: &str) -> Decoder {
    upload::decoder(&verified(&Raw::new(head)).unwrap()).unwrap()
}

fn named(rejection: &Rejection) -> String {
    format!("{} {}", rejection.code(), rejection.status())
}

/// What a body is answered, sent whole, byte by byte, and in two pieces at any place; nothing of a
/// rejected one may be complete.
fn answer(head: &str, length: usize, body: &[u8]) -> String {
    let ones = vec![1; body.len()];
    let cuts = (0..body.len()).map(|at| vec![at]);
    let outcomes: Vec<_> = [vec![], ones]
        .into_iter()
        .chain(cuts.step_by(1.max(body.len() / 40)))
        .map(|pieces| {
            let mut decoder = decoder(head);
            let (data, rejection) = decode(&mut decoder, body, &pieces);
            if let Some(rejection) = &rejection {
                assert!(data.len() < length.max(1), "{pieces:?}: {rejection}");
                assert!(!decoder.is_complete() && decoder.checksum().is_none());
                // It stays rejected.
                assert_eq!(decoder.decode(&mut []).as_ref(), Err(rejection));
                assert_eq!(decoder.finish().as_ref(), Err(rejection));
            }
            rejection.as_ref().map_or("ok".to_owned(), named)
        })
        .collect();
    let first = outcomes.first().unwrap();
    assert!(
        outcomes.iter().all(|outcome| outcome == first),
        "{outcomes:?}"
    );
    first.clone()
}

/// 40 bytes of data in three chunks, their framing changed.
fn lie(kind: StreamingKind, change: impl Fn(&mut Vec<Vec<u8>>)) -> String {
    let upload = SampleUpload::new(kind, &[b'x'; 40], &[16, 16, 8]);
    let head = upload.head();
    let mut parts = upload.body_parts(signature_of(&head));
    change(&mut parts);
    answer(&head, 40, &parts.concat())
}

fn replace(part: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(part.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    *part = text.replacen(from, to, 1).into_bytes();
}

/// Changes the last digit of the first signature in a text.
fn spoil(part: &mut [u8]) {
    let text = String::from_utf8(part.to_vec()).unwrap();
    let at = text.find("signature").unwrap() + "signature=".len() + 63;
    part[at] = if part[at] == b'0' { b'1' } else { b'0' };
}

#[test]
fn the_truth_passes() {
    for kind in KINDS {
        assert_eq!(lie(kind, |_| {}), "ok", "{kind:?}");
    }
    let empty = SampleUpload::new(StreamingKind::SignedTrailer, b"", &[]);
    let head = empty.head();
    assert_eq!(answer(&head, 0, &empty.body(&head)), "ok");
}

#[test]
fn wrong_signatures() {
    for kind in [StreamingKind::Signed, StreamingKind::SignedTrailer] {
        for framing in [0, 2, 4, 6] {
            assert_eq!(lie(kind, |parts| spoil(&mut parts[framing])), MISMATCH);
        }
        for data in [1, 3, 5] {
            assert_eq!(lie(kind, |parts| parts[data][3] ^= 1), MISMATCH);
        }
        let swap = |parts: &mut Vec<Vec<u8>>| {
            // Their signatures go with them.
            parts.swap(0, 2);
            parts[0] = parts[0].split_off(2);
            parts[2].splice(0..0, *b"\r\n");
        };
        assert_eq!(lie(kind, swap), MISMATCH);
    }
    let trailer = |parts: &mut Vec<Vec<u8>>| spoil(&mut parts[7]);
    assert_eq!(lie(StreamingKind::SignedTrailer, trailer), MISMATCH);
    // The signature of another key.
    let mut upload = SampleUpload::new(StreamingKind::Signed, &[b'x'; 40], &[40]);
    let head = upload.head();
    upload.sample.secret = "another".into();
    assert_eq!(answer(&head, 40, &upload.body(&head)), MISMATCH);
}

#[test]
fn wrong_sizes() {
    for kind in KINDS {
        let size = |size: &str| lie(kind, |parts| replace(&mut parts[0], "10", size));
        assert_eq!(size("010"), "ok", "{kind:?}");
        assert_eq!(size("0000000000000010"), "ok");
        assert_eq!(size("00000000000000010"), INCOMPLETE);
        // It takes a byte of the line break for data.
        let larger = if kind.is_signed() {
            MISMATCH
        } else {
            INCOMPLETE
        };
        assert_eq!(size("11"), larger);
        assert_eq!(size("29"), INCOMPLETE);
        for wrong in [
            "-10", "+10", " 10", "10 ", "0x10", "", "g", "1_0", "10;a=b", "\u{661}",
        ] {
            assert_eq!(size(wrong), INCOMPLETE, "{wrong}");
        }
        // More than is missing, whatever it is.
        for huge in [
            "1000001",
            "ffffffff",
            "7fffffffffffffff",
            "ffffffffffffffff",
        ] {
            assert_eq!(size(huge), INCOMPLETE, "{huge}");
        }
        assert_eq!(size("10000000000000000"), INCOMPLETE);
        assert_eq!(size(&"1".repeat(20_000)), INCOMPLETE);
        // A smaller one leaves data where a line break belongs.
        assert_eq!(
            size("0f"),
            if kind.is_signed() {
                MISMATCH
            } else {
                INCOMPLETE
            }
        );
        let zero = size("0");
        assert_eq!(
            zero,
            if kind.is_signed() {
                MISMATCH
            } else {
                INCOMPLETE
            }
        );
        let upload = SampleUpload::new(kind, &[b'x'; 26], &[26]);
        let head = upload.head();
        let mut parts = upload.body_parts(signature_of(&head));
        replace(&mut parts[0], "1a", "01A");
        assert_eq!(answer(&head, 26, &parts.concat()), "ok", "{kind:?}");
    }
}

/// What the log says of a lie; it names the chunk, and holds nothing of what was sent.
#[test]
fn what_is_wrong_and_where() {
    let told = |kind: StreamingKind, change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let upload = SampleUpload::new(kind, &[b'x'; 40], &[16, 16, 8]);
        let head = upload.head();
        let mut parts = upload.body_parts(signature_of(&head));
        change(&mut parts);
        let mut decoder = decoder(&head);
        let (_, rejection) = decode(&mut decoder, &parts.concat(), &[]);
        let fault = decoder.fault();
        assert_eq!(fault.is_some(), rejection.is_some());
        fault.map_or("nothing".to_owned(), |fault| fault.to_string())
    };
    let replaced = |at: usize, from: &'static str, to: &'static str| {
        move |parts: &mut Vec<Vec<u8>>| replace(&mut parts[at], from, to)
    };
    for kind in KINDS {
        for (change, expected) in [
            (
                &replaced(0, "10", "010") as &dyn Fn(&mut Vec<Vec<u8>>),
                "nothing",
            ),
            (
                &replaced(0, "10", "secret"),
                "chunk at byte 0 of the data: the line before its data cannot be read",
            ),
            (
                &|parts| replace(&mut parts[2], "10", &"1".repeat(300)),
                "chunk at byte 16 of the data: the line before its data cannot be read",
            ),
            (
                &replaced(2, "10", "7fffffffffffffff"),
                "chunk at byte 16 of the data: 9223372036854775807 bytes, where 24 are missing",
            ),
            (
                &replaced(4, "\r\n", "x\r\n"),
                "chunk at byte 16 of the data: no line break after its data",
            ),
            (
                &|parts| parts[4] = parts.remove(6),
                "chunk at byte 32 of the data: it is the last one, and 8 bytes are missing",
            ),
            (
                &|parts| {
                    parts.truncate(3);
                    parts.push(b"xxx".to_vec());
                },
                "chunk at byte 16 of the data: the body ends, 21 bytes too early",
            ),
            (
                &|parts| parts.truncate(6),
                "all data is there, but the body ends before its framing does",
            ),
        ] {
            // The order of the chunks is signed.
            if !(kind.is_signed() && expected.contains("the last one")) {
                assert_eq!(told(kind, change), expected, "{kind:?}");
            }
        }
        let after = match kind.has_trailer() {
            true => "bytes after the trailer",
            false => "bytes after the last chunk",
        };
        assert_eq!(told(kind, &|parts| parts.push(b"x".to_vec())), after);
        if kind.is_signed() {
            for (at, expected) in [
                (
                    0,
                    "chunk at byte 0 of the data: the signature of its 16 bytes does not match",
                ),
                (
                    4,
                    "chunk at byte 32 of the data: the signature of its 8 bytes does not match",
                ),
                (
                    6,
                    "chunk at byte 40 of the data: the signature of its 0 bytes does not match",
                ),
            ] {
                assert_eq!(told(kind, &|parts| spoil(&mut parts[at])), expected);
            }
        }
        if kind.has_trailer() {
            let renamed = told(kind, &replaced(7, "crc32:", "crc32c:"));
            assert_eq!(
                renamed,
                "trailer: not the one that was announced, or not readable"
            );
            assert_eq!(
                told(kind, &replaced(7, "crc32:", "crc32:=")),
                "trailer: no CRC32"
            );
        }
    }
    let unsigned = told(StreamingKind::UnsignedTrailer, &|parts| parts[1][0] = b'y');
    assert_eq!(unsigned, "trailer: not the CRC32 of the data");
    let signed = told(StreamingKind::SignedTrailer, &|parts| spoil(&mut parts[7]));
    assert_eq!(signed, "trailer: its signature does not match");
}

/// As S3 rejects them.
#[test]
fn small_chunks() {
    let strict = VerifyRules {
        rejects_small_chunks: true,
        ..rules()
    };
    for kind in KINDS {
        for (sizes, small) in [
            (&[][..], None),
            (&[1], None),
            (&[8_192, 8_192, 1], None),
            (&[8_191, 1], Some((2, 8_191))),
            (&[8_192, 3, 8_192], Some((3, 3))),
            (&[8_192, 8_192, 9, 9], Some((4, 9))),
        ] {
            let data = vec![b'x'; sizes.iter().sum()];
            let upload = SampleUpload::new(kind, &data, sizes);
            let head = upload.head();
            let body = upload.body(&head);
            assert_eq!(decode(&mut decoder(&head), &body, &[]).1, None, "{sizes:?}");
            let raw = Raw::new(&head);
            let clients = kept(Directory::new(&[(KEY, SECRET)]));
            let verified = verdict(&raw, clients, &strict, NOW).unwrap();
            let mut decoder = upload::decoder(&verified).unwrap();
            let rejection = small.map(|(followed_by, length)| Rejection::SmallChunk {
                followed_by,
                length,
            });
            assert_eq!(decode(&mut decoder, &body, &[]).1, rejection, "{sizes:?}");
        }
    }
}

#[test]
fn wrong_framing() {
    for kind in KINDS {
        let lie =
            |at: usize, from: &str, to: &str| lie(kind, |parts| replace(&mut parts[at], from, to));
        assert_eq!(lie(0, "\r\n", "\n"), INCOMPLETE, "{kind:?}");
        assert_eq!(lie(0, "\r\n", "\r"), INCOMPLETE);
        assert_eq!(lie(0, "\r\n", ";junk\r\n"), INCOMPLETE);
        assert_eq!(lie(0, "10", "\r\n10"), INCOMPLETE);
        assert_eq!(lie(2, "\r\n", ""), INCOMPLETE);
        assert_eq!(lie(2, "\r\n", "\n"), INCOMPLETE);
        assert_eq!(lie(2, "\r\n", "\r\n\r\n"), INCOMPLETE);
        assert_eq!(lie(2, "\r\n", "x\r\n"), INCOMPLETE);
        if kind.is_signed() {
            for signature in [
                "",
                ";Chunk-Signature=",
                ";chunk_signature=",
                ",chunk-signature=",
            ] {
                assert_eq!(lie(0, ";chunk-signature=", signature), INCOMPLETE);
            }
            assert_eq!(lie(0, "signature=", "signature=0"), INCOMPLETE);
            assert_eq!(lie(0, "signature=", "signature= "), INCOMPLETE);
        } else {
            let signature = format!("10;chunk-signature={}", "0".repeat(64));
            assert_eq!(lie(0, "10", &signature), INCOMPLETE);
        }
    }
}

#[test]
fn missing_ends() {
    for kind in KINDS {
        let no_zero_chunk = lie(kind, |parts| {
            parts[6] = b"\r\n".to_vec();
            parts.truncate(7);
        });
        assert_eq!(no_zero_chunk, INCOMPLETE);
        let trailer_at_once = lie(kind, |parts| parts[6] = b"\r\n".to_vec());
        assert_eq!(trailer_at_once, INCOMPLETE, "{kind:?}");
        let after = if kind.has_trailer() {
            TRAILER
        } else {
            INCOMPLETE
        };
        for bytes in ["\r\n", "x", "0\r\n\r\n", "\0"] {
            assert_eq!(
                lie(kind, |parts| parts.push(bytes.into())),
                after,
                "{kind:?}"
            );
        }
    }
}

#[test]
fn wrong_lengths() {
    for kind in KINDS {
        for (announced, expected) in [
            (39, INCOMPLETE),
            (40, "ok"),
            (41, INCOMPLETE),
            (0, INCOMPLETE),
        ] {
            let upload = SampleUpload::new(kind, &[b'x'; 40], &[16, 24]);
            let head = SampleUpload {
                payload: vec![b'x'; announced],
                chunks: vec![announced],
                ..upload.clone()
            }
            .head();
            assert_eq!(answer(&head, announced, &upload.body(&head)), expected);
        }
    }
}

#[test]
fn wrong_trailers() {
    for kind in [StreamingKind::SignedTrailer, StreamingKind::UnsignedTrailer] {
        let trailer = |from: &str, to: &str| lie(kind, |parts| replace(&mut parts[7], from, to));
        let line = format!(
            "x-amz-checksum-crc32:{}\r\n",
            checksum(ChecksumAlgorithm::Crc32, &[b'x'; 40])
        );
        assert_eq!(trailer(&line, ""), TRAILER, "{kind:?}");
        assert_eq!(trailer(&line, &line.repeat(2)), TRAILER);
        assert_eq!(
            trailer(&line, &format!("x-amz-meta-a:b\r\n{line}")),
            TRAILER
        );
        assert_eq!(
            trailer(&line, &format!("{line}x-amz-meta-a:b\r\n")),
            TRAILER
        );
        assert_eq!(trailer("crc32:", "crc32c:"), TRAILER);
        assert_eq!(trailer("crc32:", "crc3:"), TRAILER);
        assert_eq!(trailer("crc32:", "crc32 :"), TRAILER);
        assert_eq!(trailer("crc32:", "crc32="), TRAILER);
        assert_eq!(trailer("x-amz-checksum-crc32:", ":"), TRAILER);
        assert_eq!(trailer("crc32:", "crc32:="), REQUEST);
        assert_eq!(trailer("crc32:", "crc32:AAAA"), REQUEST);
        assert_eq!(
            trailer("crc32:", &format!("crc32:{}", " ".repeat(300))),
            TRAILER
        );
        let spaced = lie(kind, |parts| replace(&mut parts[7], "crc32:", "crc32: \t"));
        assert_eq!(spaced, "ok");
        let upper = lie(kind, |parts| {
            replace(&mut parts[7], "x-amz-checksum", "X-Amz-Checksum")
        });
        assert_eq!(upper, "ok");
        // What minio-go sends.
        let minio = lie(kind, |parts| replace(&mut parts[7], "==\r\n", "==\n\r\n"));
        assert_eq!(minio, "ok");
        let line_feed = lie(kind, |parts| replace(&mut parts[7], "==\r\n", "==\n"));
        assert_eq!(line_feed, if kind.is_signed() { TRAILER } else { "ok" });
        let no_last_break = lie(kind, |parts| {
            let length = parts[7].len() - 2;
            parts[7].truncate(length);
        });
        assert_eq!(no_last_break, "ok");
    }
    let signature = |from: &str, to: &str| {
        lie(StreamingKind::SignedTrailer, |parts| {
            replace(&mut parts[7], from, to)
        })
    };
    assert_eq!(
        signature("trailer-signature:", "trailer-signature:0"),
        TRAILER
    );
    assert_eq!(
        signature("trailer-signature:", "trailer_signature:"),
        TRAILER
    );
    let missing = lie(StreamingKind::SignedTrailer, |parts| {
        let text = String::from_utf8(parts[7].clone()).unwrap();
        let at = text.find("x-amz-trailer-signature").unwrap();
        parts[7] = (text[..at].to_owned() + "\r\n").into_bytes();
    });
    assert_eq!(missing, TRAILER);
    let unasked = format!("x-amz-trailer-signature:{}\r\n\r\n", "0".repeat(64));
    let unsigned = lie(StreamingKind::UnsignedTrailer, |parts| {
        let length = parts[7].len() - 2;
        parts[7].truncate(length);
        parts[7].extend(unasked.as_bytes());
    });
    assert_eq!(unsigned, TRAILER);
    // None was announced.
    let signed = lie(StreamingKind::Signed, |parts| {
        parts[7] = b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n".to_vec();
    });
    assert_eq!(signed, INCOMPLETE);
}

#[test]
fn wrong_checksums() {
    for kind in [StreamingKind::SignedTrailer, StreamingKind::UnsignedTrailer] {
        for algorithm in ChecksumAlgorithm::ALL {
            let upload = SampleUpload::even(kind, b"abcdefg", 7).with(algorithm);
            let head = upload.head();
            assert_eq!(answer(&head, 7, &upload.body(&head)), "ok", "{algorithm:?}");
            let mut decoder = decoder(&head);
            decode(&mut decoder, &upload.body(&head), &[]);
            let found = decoder.checksum().unwrap();
            assert_eq!(found.algorithm(), algorithm);
            assert_eq!(found.value(), checksum(algorithm, b"abcdefg").as_bytes());

            // The checksum of other data, properly signed.
            let mut parts = upload.body_parts(signature_of(&head));
            let seed = parts[2].rsplit(|&byte| byte == b'=').next().unwrap();
            let zero_signature = String::from_utf8_lossy(seed).trim().to_owned();
            let wrong = SampleUpload::even(kind, b"abcdefh", 7)
                .with(algorithm)
                .trailer();
            let signature = upload.trailer_signature(&zero_signature, &wrong);
            parts[3] = match kind {
                StreamingKind::SignedTrailer => {
                    format!("{wrong}\r\nx-amz-trailer-signature:{signature}\r\n\r\n").into()
                }
                _ => format!("{wrong}\r\n\r\n").into(),
            };
            assert_eq!(answer(&head, 7, &parts.concat()), DIGEST, "{algorithm:?}");
        }
    }
    let answer = Rejection::BadDigest(ChecksumAlgorithm::Crc64nvme)
        .message()
        .into_owned();
    assert_eq!(
        answer,
        "The CRC64NVME you specified did not match the calculated checksum."
    );
}

/// As others compute them: <https://github.com/versity/versitygw> tests with the older ones against S3, the
/// newer are those of awscrt, which botocore sends.
#[test]
fn checksums_are_those_of_s3() {
    for (algorithm, value) in ChecksumAlgorithm::ALL.into_iter().zip([
        "MSpqpg==",
        "5if0QQ==",
        "SmzZ/LTp1CA=",
        "esZsDxSN6VGbi9JkMSxNZA==",
        "L7XhNBn8iSRoZeejJPR27GJOh0A=",
        "fRpUEnsiJQL1t5tfsIAwYRUqRPkrN+I8ZSe69mXU2po=",
        "1xakGIVptoqxtt+sF45XARTN8Oo6HMDjFIbD5BJBvGp2Qk6MN6sm8Jb8he+YhsjLY0GH9P3f9kX7CZ8f9UxrjA==",
        "WkDcP9RMBS8=",
        "GGCUDikCgi0=",
        "Kq/YOGmlnDE/55jA7aptxg==",
    ]) {
        assert_eq!(checksum(algorithm, b"abcdefg"), value);
    }
}

#[test]
fn cut_at_every_byte() {
    for kind in KINDS {
        let upload = SampleUpload::new(kind, &[b'x'; 40], &[16, 16, 8]);
        let head = upload.head();
        let body = upload.body(&head);
        // After a trailer, the last line break may be missing.
        let optional = if kind.has_trailer() { 2 } else { 0 };
        for length in 0..body.len() - optional {
            let mut decoder = decoder(&head);
            let (data, rejection) = decode(&mut decoder, &body[..length], &[]);
            assert_eq!(
                rejection,
                Some(Rejection::IncompleteBody),
                "{kind:?} {length}"
            );
            assert!(data.len() < 40 && upload.payload.starts_with(&data));
        }
        if optional > 0 {
            let half = &body[..body.len() - 1];
            assert_eq!(answer(&head, 40, half), INCOMPLETE);
            assert_eq!(answer(&head, 40, &body[..body.len() - 2]), "ok");
        }
    }
}

/// The last byte of the data waits for the end, that of a chunk for its signature.
#[test]
fn bytes_held_back() {
    let upload = SampleUpload::new(StreamingKind::SignedTrailer, &[b'x'; 40], &[16, 24]);
    let head = upload.head();
    let parts = upload.body_parts(signature_of(&head));
    let mut decoder = decoder(&head);
    let mut feed = |bytes: &[u8]| decoder.decode(&mut bytes.to_vec()).unwrap().len();
    assert_eq!(feed(&parts[..3].concat()), 16);
    assert_eq!(feed(&parts[3]), 23);
    assert_eq!(feed(&parts[4]), 0);
    let (rest, last) = parts[5].split_at(parts[5].len() - 1);
    assert_eq!(feed(rest), 0);
    assert_eq!(feed(last), 0);
    assert_eq!(feed(b""), 0);
    assert!(decoder.is_complete());
    assert_eq!(decoder.finish(), Ok(Some(b'x')));
    assert_eq!(decoder.finish(), Ok(None));
}

#[test]
fn heads() {
    let upload = |kind| SampleUpload::new(kind, b"x", &[1]);
    let ask = |head: &str| match verified(&Raw::new(head)) {
        Ok(verified) => verified.auth_type().name().to_owned(),
        Err(rejection) => named(&rejection),
    };
    let head = |kind: StreamingKind, headers: &[(&str, &str)]| {
        let mut sample = upload(kind).sample;
        for (name, value) in headers {
            sample = sample.header(name, value);
        }
        sample.header_form()
    };
    let length = "x-amz-decoded-content-length";
    let trailer = "x-amz-trailer";
    for kind in KINDS {
        assert_eq!(ask(&upload(kind).head()), "v4-header");
        let with_length = |value: &str| match kind.has_trailer() {
            true => ask(&head(
                kind,
                &[(length, value), (trailer, "x-amz-checksum-sha1")],
            )),
            false => ask(&head(kind, &[(length, value)])),
        };
        assert_eq!(with_length("0"), "v4-header");
        assert_eq!(with_length("4611686018427387904"), "v4-header");
        assert_eq!(with_length("4611686018427387905"), TOO_LARGE);
        for no_length in [
            "",
            "abc",
            "-1",
            "+1",
            "1x",
            "0x1",
            "1,1",
            "18446744073709551616",
        ] {
            assert_eq!(
                with_length(no_length),
                "MissingContentLength 411",
                "{no_length}"
            );
        }
        assert_eq!(ask(&head(kind, &[])), "MissingContentLength 411");
        assert_eq!(
            ask(&head(kind, &[(length, "1"), (length, "1")])),
            "InvalidArgument 400"
        );
        let with_trailer = |value: &str| ask(&head(kind, &[(length, "1"), (trailer, value)]));
        let right = if kind.has_trailer() {
            "v4-header"
        } else {
            REQUEST
        };
        assert_eq!(with_trailer("X-Amz-Checksum-CRC32"), right);
        for wrong in [
            "",
            "x-amz-checksum-md4",
            "x-amz-meta-a",
            "crc32",
            "x-amz-trailer-signature",
        ] {
            assert_eq!(with_trailer(wrong), REQUEST, "{wrong}");
        }
        assert_eq!(
            with_trailer("x-amz-checksum-crc32,x-amz-checksum-sha1"),
            REQUEST
        );
        let without = ask(&head(kind, &[(length, "1")]));
        let right = match kind {
            StreamingKind::SignedTrailer => TRAILER,
            _ => "v4-header",
        };
        assert_eq!(without, right);
    }
    // A signature that does not match comes first.
    let mut forged = upload(StreamingKind::Signed);
    forged.sample.secret = "another".into();
    assert_eq!(ask(&forged.sample.header_form()), MISMATCH);

    let text = upload(StreamingKind::UnsignedTrailer).head();
    let raw = Raw::new(&text);
    let streaming = verified(&raw).unwrap().streaming().unwrap();
    assert_eq!(
        streaming,
        Streaming {
            kind: StreamingKind::UnsignedTrailer,
            decoded_length: 1,
            framed_length: Some(42),
            checksum: Some(ChecksumAlgorithm::Crc32),
        }
    );
    let plain = common::reference::Sample::new("PUT", "/bucket/key").header_form();
    let raw = Raw::new(&plain);
    let verified = verified(&raw).unwrap();
    assert!(verified.streaming().is_none() && verified.body(None).is_none());
}

/// What is sent to an origin: the head, and the body where it is framed again.
struct SentUpload {
    head: String,
    encoder: Option<Encoder>,
}

/// Who does not ask for an encoder does not send the client's framing on.
/// S3 takes an unsigned body that announces no trailer and has none: <https://github.com/versity/versitygw/issues/1632>
#[test]
fn no_trailer() {
    let mut sample = SampleUpload::new(StreamingKind::UnsignedTrailer, b"hello", &[5]).sample;
    sample = sample.header("x-amz-decoded-content-length", "5");
    let head = sample.header_form();
    let ask = |body: &str| answer(&head, 5, body.as_bytes());
    assert_eq!(ask("5\r\nhello\r\n0\r\n\r\n"), "ok");
    assert_eq!(ask("5\r\nhello\r\n0\r\n"), INCOMPLETE);
    assert_eq!(ask("5\r\nhellx\n0\r\n\r\n"), INCOMPLETE);
    let unannounced = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    assert_eq!(ask(unannounced), TRAILER);
    assert_eq!(ask("5\r\nhello\r\n0\r\n\r\nx"), TRAILER);

    let body = b"5\r\nhello\r\n0\r\n\r\n";
    let mut decoder = decoder(&head);
    let (data, rejection) = decode(&mut decoder, body, &[]);
    assert_eq!((data.as_slice(), rejection), (&b"hello"[..], None));
    let sent = resign(&head, Framing::Keep, None);
    assert!(!sent.head.contains("x-amz-trailer"), "{}", sent.head);
    let mut encoder = sent.encoder.unwrap();
    let (framed, _) = encode(&mut encoder, &mut decoder, &data);
    assert_eq!(framed, body);
    assert_eq!(encoder.framed_length(), 15);
}

#[test]
fn no_head_without_its_framing() {
    let head = SampleUpload::new(StreamingKind::Signed, b"x", &[1]).head();
    let raw = Raw::new(&head);
    let verified = verified(&raw).unwrap();
    let wire = b"PUT /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut room = HeadRoom::default();
    let wire = WireHead::parse(wire, &verified, &mut room).unwrap();
    for framing in [Framing::Keep, Framing::Decode] {
        let origin = origin(framing);
        let mut keys = KeyCache::new(8);
        let mut signed = sign(&verified, &wire, &origin, &mut keys, Timestamp(NOW)).unwrap();
        assert_eq!(signed.write(&mut [0; 4_096]), None);
    }
}

/// What is known of a body that was verified before the head is signed.
struct KnownBody {
    checksum: Option<Checksum>,
    chunk_size: Option<u64>,
}

impl KnownBody {
    fn of(decoder: &Decoder) -> KnownBody {
        KnownBody {
            checksum: decoder.checksum().copied(),
            chunk_size: decoder.chunk_size(),
        }
    }
}

fn resign(head: &str, framing: Framing, body: Option<KnownBody>) -> SentUpload {
    let raw = Raw::new(head);
    let mut verified = verified(&raw).unwrap();
    if let Some(body) = body {
        verified.set_body_verified(body.checksum, body.chunk_size);
    }
    let (line, headers) = head.split_once('\n').unwrap();
    let headers = headers.replace('\n', "\r\n");
    let wire = format!("{line} HTTP/1.1\r\n{headers}Accept: */*\r\n\r\n");
    let mut room = HeadRoom::default();
    let wire = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
    let origin = origin(framing);
    let mut keys = KeyCache::new(8);
    let mut signed = sign(&verified, &wire, &origin, &mut keys, Timestamp(NOW)).unwrap();
    let mut out = vec![0; signed.max_len()];
    let length = signed.body_length().unwrap();
    let (written, encoder) = signed.write_with_encoder(&mut out).unwrap();
    out.truncate(written);
    let head = String::from_utf8(out).unwrap();
    assert!(
        head.contains(&format!("\r\nContent-Length: {length}\r\n")),
        "{head}"
    );
    let lengths = head.to_lowercase().matches("\r\ncontent-length: ").count();
    assert_eq!(lengths, 1, "{head}");
    if let Some(encoder) = &encoder {
        assert_eq!(encoder.framed_length(), length);
    }
    SentUpload { head, encoder }
}

/// The origin knows its own key and region only.
fn at_origin<'r>(raw: &Raw<'r>) -> Verified<'r> {
    let rules = VerifyRules {
        region: Region::parse(b"eu-west-1"),
        ..rules()
    };
    verdict(
        raw,
        kept(Directory::new(&[(ORIGIN_KEY, ORIGIN_SECRET)])),
        kept(rules),
        NOW,
    )
    .unwrap()
}

/// Frames data for an origin; tells how many chunks had to be hashed here.
fn encode(encoder: &mut Encoder, decoder: &mut Decoder, data: &[u8]) -> (Vec<u8>, usize) {
    let mut body = Vec::new();
    let mut rest = data;
    let mut hashed = 0;
    while encoder.next_length() > 0 {
        assert_eq!(encoder.clone().end(decoder.checksum()), Err(Misframed));
        let length = encoder.next_length();
        let (chunk, after) = rest.split_at(length as usize);
        rest = after;
        let known = decoder.chunk_hash(encoder.offset(), length);
        if known.is_none() && encoder.is_signed() {
            assert_eq!(encoder.clone().chunk(None), Err(Misframed));
            chunk.chunks(4_000).for_each(|piece| encoder.hash(piece));
            hashed += 1;
        }
        body.extend(encoder.chunk(known.as_ref()).unwrap());
        body.extend(chunk);
    }
    assert_eq!(encoder.clone().chunk(None), Err(Misframed));
    body.extend(encoder.end(decoder.checksum()).unwrap());
    (body, hashed)
}

/// Through the proxy and into an origin, while it arrives; gives how many chunks were hashed twice.
fn through(upload: &SampleUpload, pieces: &[usize]) -> usize {
    signed_before_or_after(upload, pieces, |_| None)
}

/// The same once it has arrived.
fn through_buffer(upload: &SampleUpload) -> usize {
    signed_before_or_after(upload, &[], |decoder| Some(KnownBody::of(decoder)))
}

fn signed_before_or_after(
    upload: &SampleUpload,
    pieces: &[usize],
    known: impl Fn(&Decoder) -> Option<KnownBody>,
) -> usize {
    let head = upload.head();
    let mut decoder = decoder(&head);
    let (data, rejection) = decode(&mut decoder, &upload.body(&head), pieces);
    assert_eq!(rejection, None);
    assert!(data == upload.payload);

    let mut sent = resign(&head, Framing::Keep, known(&decoder));
    let encoder = sent.encoder.as_mut().unwrap();
    let (body, hashed) = encode(encoder, &mut decoder, &data);
    assert_eq!(body.len() as u64, encoder.framed_length());
    let text = sent.head.replace("\r\n", "\n");
    let raw = Raw::new(&text);
    let origin = at_origin(&raw);
    assert_eq!(
        origin.streaming().unwrap().framed_length,
        Some(body.len() as u64)
    );
    let mut decoder = upload::decoder(&origin).unwrap();
    let (data, rejection) = decode(&mut decoder, &body, pieces);
    assert_eq!(rejection, None);
    assert!(data == upload.payload);
    hashed
}

#[test]
fn kept_framing() {
    let upload = SampleUpload::even(StreamingKind::SignedTrailer, &[b'x'; 100_000], 8_192);
    let sent = resign(&upload.head(), Framing::Keep, None).head;
    for line in [
        "\r\nContent-Encoding: aws-chunked\r\n",
        "\r\nx-amz-decoded-content-length: 100000\r\n",
        "\r\nx-amz-trailer: x-amz-checksum-crc32\r\n",
        "\r\nX-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\r\n",
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-trailer, ",
    ] {
        assert!(sent.contains(line), "{sent}");
    }
    // In HTTP's own chunks it has no length.
    let head = upload.head();
    let length = format!("Content-Length: {}\n", upload.body(&head).len());
    let chunked = head.replace(&length, "Transfer-Encoding: chunked\n");
    assert!(chunked != head);
    let sent = resign(&chunked, Framing::Keep, None).head;
    assert!(!sent.contains("Transfer-Encoding"), "{sent}");
    for encoding in ["gzip,AWS-chunked", "aws-chunked, br", "gzip"] {
        let sent = resign(&with_encoding(encoding), Framing::Keep, None).head;
        let line = format!("\r\ncontent-encoding: {encoding}\r\n");
        assert!(sent.contains(&line), "{sent}");
    }
}

/// A head of which content-encoding is not signed, as by restic.
fn with_encoding(encoding: &str) -> String {
    SampleUpload::new(StreamingKind::UnsignedTrailer, b"x", &[1])
        .sample
        .header("x-amz-decoded-content-length", "1")
        .header("x-amz-trailer", "x-amz-checksum-sha256")
        .header("x-amz-sdk-checksum-algorithm", "SHA256")
        .unsigned("content-length", "100")
        .unsigned("content-encoding", encoding)
        .header_form()
}

#[test]
fn decoded_framing() {
    let many = ["a"; 1_000].join(",");
    let many_framed = ["a"; 1_000].join(",") + ",aws-chunked";
    let many_spaced = ["a"; 1_000].join(", ");
    for (encoding, left) in [
        ("aws-chunked", None),
        ("AWS-Chunked, ", None),
        ("", None),
        ("gzip", Some("gzip")),
        ("gzip,aws-chunked", Some("gzip")),
        ("aws-chunked,  br;q=1 , gzip", Some("br;q=1, gzip")),
        ("aws-chunkedx", Some("aws-chunkedx")),
        ("aws-chunked,Aws-Chunked, aws-chunked", None),
        ("foo, aws-chunked, bar", Some("foo, bar")),
        ("gzip,br;q=1", Some("gzip,br;q=1")),
        (", gzip ,", Some(", gzip ,")),
        (&many, Some(&many)),
        (&many_framed, Some(&many_spaced)),
    ] {
        let SentUpload { head, encoder } = resign(&with_encoding(encoding), Framing::Decode, None);
        assert!(encoder.is_none());
        let found = head
            .split("\r\n")
            .find_map(|line| line.strip_prefix("Content-Encoding: "));
        assert_eq!(found, left, "{head}");
        assert!(!head.contains("content-encoding"), "{head}");
        assert!(head.contains("\r\nContent-Length: 1\r\n"), "{head}");
        assert!(
            head.contains("\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n"),
            "{head}"
        );
        // S3 would miss the checksum.
        assert!(
            !head.contains("decoded") && !head.contains("trailer") && !head.contains("sdk"),
            "{head}"
        );
        assert!(
            at_origin(&Raw::new(&head.replace("\r\n", "\n")))
                .streaming()
                .is_none()
        );
    }
}

#[test]
fn decoded_framing_with_its_checksum() {
    let upload = SampleUpload::new(StreamingKind::UnsignedTrailer, b"abcdefg", &[7]);
    for algorithm in ChecksumAlgorithm::ALL {
        let mut upload = upload.clone().with(algorithm);
        let named = upload.trailer_name()["x-amz-checksum-".len()..].to_uppercase();
        upload.sample = upload.sample.header("x-amz-sdk-checksum-algorithm", &named);
        let head = upload.head();
        let mut decoder = decoder(&head);
        decode(&mut decoder, &upload.body(&head), &[]);
        let sent = resign(&head, Framing::Decode, Some(KnownBody::of(&decoder))).head;
        let header = upload.trailer().replace(':', ": ");
        assert!(sent.contains(&format!("\r\n{header}\r\n")), "{sent}");
        let name = upload.trailer_name();
        assert!(
            sent.contains(&format!(
                "SignedHeaders=host;{name};x-amz-content-sha256;x-amz-date;\
                 x-amz-sdk-checksum-algorithm, "
            )),
            "{sent}"
        );
        at_origin(&Raw::new(&sent.replace("\r\n", "\n")));
        // It is not needed twice.
        let kept = resign(&head, Framing::Keep, Some(KnownBody::of(&decoder))).head;
        assert!(!kept.contains(&header), "{kept}");
    }
}

/// Where the client's chunks can be told from its lengths, none is hashed twice, nor where all are there.
#[test]
fn chunks_of_the_client_are_kept() {
    for kind in [StreamingKind::Signed, StreamingKind::SignedTrailer] {
        for size in [8_192, 65_536, 131_072, 1 << 20] {
            for length in [1, size - 1, size, size + 1, 3 * size, 3 * size + 100] {
                let upload = SampleUpload::even(kind, &vec![b'x'; length], size);
                let upload = upload.with(ChecksumAlgorithm::Sha1);
                assert_eq!(through(&upload, &[]), 0, "{kind:?} {size} {length}");
                assert_eq!(through_buffer(&upload), 0, "{kind:?} {size} {length}");
            }
        }
        // Of other sizes only then.
        let upload = SampleUpload::even(kind, &[b'x'; 100_000], 30_000);
        assert_eq!(through(&upload, &[]), 2);
        assert_eq!(through_buffer(&upload), 0);
        // Sizes that S3 would not have.
        let upload = SampleUpload::even(kind, &[b'x'; 100_000], 4_096);
        assert_eq!(through(&upload, &[]), 2);
        assert_eq!(through_buffer(&upload), 2);
    }
}

/// How large the chunks are, and those that go out once all are there.
#[test]
fn sizes_of_chunks() {
    for (chunks, expected, out) in [
        (&[5][..], Some(5), 5),
        (&[100, 100, 7], Some(100), 207),
        (&[10_000, 10_000], Some(10_000), 10_000),
        (&[10_000, 10_000, 1], Some(10_000), 10_000),
        (&[10_000, 10_000, 10_001], None, 30_001),
        (&[10_000, 9_999, 10_000], None, 29_999),
        (&[9_000, 10_000], None, 19_000),
        (&[1, 2], None, 3),
    ] {
        let payload = vec![b'x'; chunks.iter().sum()];
        let upload = SampleUpload::new(StreamingKind::Signed, &payload, chunks);
        let head = upload.head();
        let mut decoder = decoder(&head);
        let body = upload.body(&head);
        let (all_but_one, last) = body.split_at(body.len() - 1);
        decoder.decode(&mut all_but_one.to_vec()).unwrap();
        assert_eq!(decoder.chunk_size(), None);
        decoder.decode(&mut last.to_vec()).unwrap();
        decoder.finish().unwrap();
        assert_eq!(decoder.chunk_size(), expected, "{chunks:?}");
        let sent = resign(&head, Framing::Keep, Some(KnownBody::of(&decoder)));
        assert_eq!(sent.encoder.unwrap().next_length(), out, "{chunks:?}");
        // An unsigned one has no hashes.
        let upload = SampleUpload::new(StreamingKind::UnsignedTrailer, &payload, chunks);
        assert_eq!(whole(&upload).chunk_size(), None);
    }
    for (count, expected) in [(2_048, Some(10)), (2_049, None)] {
        let upload = SampleUpload::even(StreamingKind::Signed, &vec![b'x'; count * 10], 10);
        assert_eq!(whole(&upload).chunk_size(), expected);
    }
}

/// What has decoded all of an upload.
fn whole(upload: &SampleUpload) -> Decoder {
    let head = upload.head();
    let mut decoder = decoder(&head);
    decode(&mut decoder, &upload.body(&head), &[]);
    decoder
}

/// The head alone, of a body of that length in one chunk.
fn in_one_chunk(kind: StreamingKind, length: u64) -> String {
    let mut sample = SampleUpload::new(kind, b"", &[]).sample;
    sample = sample
        .header("Content-Encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", &length.to_string());
    let signature = if kind.is_signed() { 17 + 64 } else { 0 };
    let digits = format!("{length:x}0").len() as u64;
    let mut framed = length + digits + 2 * (signature + 2) + 2 + 2;
    if kind.has_trailer() {
        sample = sample.header("x-amz-trailer", "x-amz-checksum-crc32");
        framed += "x-amz-checksum-crc32:AAAAAA==\r\n".len() as u64;
    }
    if kind == StreamingKind::SignedTrailer {
        framed += "x-amz-trailer-signature:\r\n".len() as u64 + 64;
    }
    sample
        .unsigned("Content-Length", &framed.to_string())
        .header_form()
}

/// The checksum of another upload of that kind, which is as long.
fn some_checksum(kind: StreamingKind) -> Option<Checksum> {
    whole(&SampleUpload::new(kind, b"x", &[1]))
        .checksum()
        .copied()
}

/// Up to what MinIO takes it stays as it is; what is longer goes out in many, and so does a signed one that would have
/// to be gathered. By lengths alone.
#[test]
fn a_body_in_one_chunk() {
    const MIB: u64 = 1 << 20;
    for kind in KINDS {
        for (length, expected, gathered) in [
            (1, 1, 1),
            (9_000, 9_000, 9_000),
            (MIB, MIB, MIB),
            (MIB + 1, MIB + 1, 65_536),
            (9 * MIB, 9 * MIB, 65_536),
            (16 * MIB, 16 * MIB, 65_536),
            (16 * MIB + 1, 65_536, 65_536),
            (17 * MIB, 65_536, 65_536),
            (100 * MIB, 65_536, 65_536),
            (5 << 30, 65_536, 65_536),
            (1 << 62, 65_536, 65_536),
        ] {
            let head = in_one_chunk(kind, length);
            let early = resign(&head, Framing::Keep, None).encoder.unwrap();
            let gathered = if kind.is_signed() { gathered } else { expected };
            assert_eq!(early.next_length(), gathered, "{kind:?} {length}");
            let checksum = some_checksum(kind);
            let body = KnownBody {
                checksum,
                chunk_size: kind.is_signed().then_some(length),
            };
            let sent = resign(&head, Framing::Keep, Some(body));
            let mut encoder = sent.encoder.unwrap();
            assert_eq!(encoder.next_length(), expected, "{kind:?} {length}");
            assert!(expected <= MAX_CHUNK);
            if length > 100 * MIB || encoder.is_signed() && length > 17 * MIB {
                continue;
            }
            // As much goes out as the head says.
            let mut sent = length;
            while encoder.next_length() > 0 {
                assert!(encoder.next_length() <= MAX_CHUNK);
                sent += encoder.chunk(Some(&[0; 32])).unwrap().len() as u64;
            }
            sent += encoder.end(checksum.as_ref()).unwrap().len() as u64;
            assert_eq!(sent, encoder.framed_length(), "{kind:?} {length}");
        }
    }
}

/// The hashes of a body that is there serve each try.
#[test]
fn hashes_for_each_try() {
    const MIB: usize = 1 << 20;
    let upload = SampleUpload::even(StreamingKind::Signed, &vec![b'x'; 5 * MIB], 2 * MIB);
    let head = upload.head();
    let mut decoder = decoder(&head);
    let (data, _) = decode(&mut decoder, &upload.body(&head), &[]);
    for _ in 0..2 {
        let sent = resign(&head, Framing::Keep, Some(KnownBody::of(&decoder)));
        let mut encoder = sent.encoder.unwrap();
        assert_eq!(encoder.next_length(), 2 << 20);
        let (_, hashed) = encode(&mut encoder, &mut decoder, &data);
        assert_eq!(hashed, 0);
    }
}

/// Only so many hashes are kept; those missing are made again, and no wrong one is used.
#[test]
fn more_chunks_than_hashes() {
    let upload = SampleUpload::even(StreamingKind::Signed, &vec![b'x'; 2_064 * 8_192], 8_192);
    assert_eq!(through(&upload, &[]), 16);
}

fn upload() -> impl Strategy<Value = SampleUpload> {
    let piece = prop_oneof![1_usize..300, 8_000_usize..9_000];
    (
        select(&KINDS),
        select(&ChecksumAlgorithm::ALL),
        vec(piece, 0..6),
        any::<u64>(),
    )
        .prop_map(|(kind, algorithm, chunks, seed)| {
            let length = chunks.iter().sum();
            let mut state = seed | 1;
            let payload: Vec<u8> = std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Much of it looks like framing.
                b"\r\n0;a"[state as usize % 5]
            })
            .take(length)
            .collect();
            SampleUpload::new(kind, &payload, &chunks).with(algorithm)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_upload_arrives(upload in upload(), pieces in vec(0_usize..400, 0..60)) {
        through(&upload, &pieces);
    }

    #[test]
    fn no_bytes_panic(
        upload in upload(),
        bytes in vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        pieces in vec(0_usize..400, 0..20),
    ) {
        let head = upload.head();
        let body = upload.body(&head);
        let mut changed = body.clone();
        let at = at.index(body.len());
        let end = body.len().min(at + bytes.len());
        changed.splice(at..end, bytes);
        let mut decoder = decoder(&head);
        let (data, rejection) = decode(&mut decoder, &changed, &pieces);
        prop_assert!(rejection.is_some() || data == upload.payload);
        prop_assert!(rejection.is_none() || data.len() < upload.payload.len().max(1));
    }

    #[test]
    fn no_framing_panics(kind in select(&KINDS), body in "([0-9a-f]{1,3}|;chunk-signature=|[0]{64}|\r\n|x-amz-|[ -~]){0,20}") {
        let head = SampleUpload::new(kind, b"xyz", &[3]).head();
        let (_, rejection) = decode(&mut decoder(&head), body.as_bytes(), &[3, 5]);
        prop_assert!(rejection.is_some());
    }
}
