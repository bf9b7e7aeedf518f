//! What goes to the origin.
//!
//! A long file, since each one here is linked to a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{EMPTY, KEY, NOW, SECRET, Sample},
    *,
};
use sigv4::*;

const ORIGIN_KEY: &str = "AKIDORIGIN";
const ORIGIN_SECRET: &str = "origin/secret";

fn origin() -> Origin {
    Origin {
        region: Region::parse(b"eu-west-1"),
        ..Origin::new(
            credential(ORIGIN_KEY, ORIGIN_SECRET),
            b"s3.origin.example:9000",
        )
    }
}

/// The head that a plain proxy would send for a request.
fn head_of(text: &str) -> String {
    let (request_line, headers) = text.split_once('\n').unwrap();
    let headers = headers.replace('\n', "\r\n");
    format!("{request_line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")
}

fn clients() -> &'static Directory {
    kept(Directory::new(&[(KEY, SECRET)]))
}

/// Verifies a request as the client's, signs `head` for the origin, and gives what is sent.
fn resign_head(text: &str, head: &str, origin: &Origin, now: i64) -> Result<String, Unsignable> {
    let rules = VerifyRules {
        anonymous: Anonymous::PassedOn,
        signature_v2: true,
        ..rules()
    };
    let verified = verdict(
        kept(Raw::new(kept(text.to_owned()))),
        clients(),
        kept(rules),
        NOW,
    );
    sign_head(&verified.expect(text), head, origin, now)
}

fn sign_head(
    verified: &Verified<'_>,
    head: &str,
    origin: &Origin,
    now: i64,
) -> Result<String, Unsignable> {
    let mut room = HeadRoom::default();
    let head = WireHead::parse(head.as_bytes(), verified, &mut room)?;
    let mut keys = KeyCache::new(8);
    let mut signed = sign(verified, &head, origin, &mut keys, Timestamp(now))?;
    let mut out = vec![0; signed.max_len()];
    let length = signed.write(&mut out).unwrap();
    out.truncate(length);
    let out = String::from_utf8(out).unwrap();
    assert!(out.ends_with("\r\n\r\n") && !out.contains('\0'), "{out}");
    Ok(out)
}

/// What an origin says to a head: it knows only its own key and region.
fn origin_says(head: &str, now: i64) -> Result<(), Rejection> {
    let text = head.replace("\r\n", "\n");
    let raw = Raw::new(&text);
    let hosts = raw.headers.iter().filter(|header| header.name == b"Host");
    let rules = VerifyRules {
        region: Region::parse(b"eu-west-1"),
        // It knows its buckets by their hosts.
        endpoint: Endpoint {
            server_names: hosts
                .map(|host| {
                    host.value
                        .split(|byte| *byte == b':')
                        .next()
                        .unwrap()
                        .into()
                })
                .collect(),
            ..Default::default()
        },
        ..rules()
    };
    let clients = Directory::new(&[(ORIGIN_KEY, ORIGIN_SECRET)]);
    verdict(&raw, &clients, &rules, now).map(|_| ())
}

#[test]
fn header_form_is_signed_afresh() {
    let text = Sample::new("PUT", "/bucket/a%20b+c?versionId=1&partNumber=2")
        .header("Content-Type", "text/plain")
        .header("x-amz-meta-b", "two  words")
        .header("X-Amz-Meta-A", "1")
        .header("x-amz-meta-b", "again")
        .header("X-Minio-Source-Mtime", "2")
        .unsigned("Range", "bytes=0-1")
        .header("x-amz-security-token", "clients")
        .header_form();
    let sent = resign_head(&text, &head_of(&text), &origin(), NOW + 60).unwrap();
    let mut lines = sent.split("\r\n");
    assert_eq!(
        lines.next(),
        Some("PUT /bucket/a%20b%2Bc?partNumber=2&versionId=1 HTTP/1.1")
    );
    let lines: Vec<_> = lines.collect();
    assert_eq!(
        lines[..8],
        [
            "Host: s3.origin.example:9000",
            "Content-Type: text/plain",
            "x-amz-meta-b: two  words",
            "X-Amz-Meta-A: 1",
            "x-amz-meta-b: again",
            "X-Minio-Source-Mtime: 2",
            "Range: bytes=0-1",
            "Connection: close",
        ]
    );
    assert_eq!(lines[8], format!("X-Amz-Content-Sha256: {EMPTY}"));
    assert_eq!(lines[9], "X-Amz-Date: 20260102T030505Z");
    assert!(
        lines[10].starts_with(
            "Authorization: AWS4-HMAC-SHA256 \
             Credential=AKIDORIGIN/20260102/eu-west-1/s3/aws4_request, \
             SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;\
             x-amz-meta-b;x-minio-source-mtime, Signature="
        ),
        "{}",
        lines[10]
    );
    assert_eq!(lines[11..], ["", ""]);
    assert_eq!(origin_says(&sent, NOW + 60), Ok(()));
}

#[test]
fn presigned_form_keeps_date_and_end() {
    let text = Sample::new(
        "GET",
        "/bucket/key?versionId=%31&response-expires=a%20b&x=1",
    )
    .query_form();
    // An hour later, on another try: still the client's date.
    let sent = resign_head(&text, &head_of(&text), &origin(), NOW + 3_600).unwrap();
    assert!(
        sent.starts_with(
            "GET /bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDORIGIN%2F20260102%2Feu-west-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
             &response-expires=a%20b&versionId=1&x=1&X-Amz-Signature="
        ),
        "{sent}"
    );
    assert_eq!(sent.matches("Signature").count(), 1);
    assert!(!sent.contains("Authorization"), "{sent}");
    assert_eq!(origin_says(&sent, NOW + 900), Ok(()));
    assert_eq!(
        origin_says(&sent, NOW + 901),
        Err(Rejection::RequestExpired)
    );
}

#[test]
fn presigned_payloads_stay_where_they_were() {
    let target = format!("/bucket/key?X-Amz-Content-Sha256={EMPTY}");
    let text = Sample::new("PUT", &target)
        .unsigned("x-amz-content-sha256", EMPTY)
        .query_form();
    let sent = resign_head(&text, &head_of(&text), &origin(), NOW).unwrap();
    assert!(sent.contains(&format!("&X-Amz-Content-Sha256={EMPTY}&X-Amz-Credential=")));
    assert!(
        !sent.contains("\r\nX-Amz-Content-Sha256") && !sent.contains("\r\nx-amz-"),
        "{sent}"
    );
    assert_eq!(origin_says(&sent, NOW), Ok(()));

    let text = String::from_utf8(
        Presign {
            method: b"PUT",
            host: b"s3.mydomain.com",
            bucket: b"bucket",
            key: b"key",
            headers: &[Header {
                name: b"x-amz-content-sha256",
                value: EMPTY.as_bytes(),
            }],
            session_token: None,
            region: Region::parse(b"").unwrap(),
            expires: 60,
        }
        .v4(&credential(KEY, SECRET), Timestamp(NOW))
        .unwrap(),
    )
    .unwrap();
    let text = format!("PUT {text}\nHost: s3.mydomain.com\nx-amz-content-sha256: {EMPTY}\n");
    let sent = resign_head(&text, &head_of(&text), &origin(), NOW).unwrap();
    assert!(
        sent.contains(&format!("\r\nX-Amz-Content-Sha256: {EMPTY}\r\n")),
        "{sent}"
    );
    assert!(
        sent.contains("SignedHeaders=host%3Bx-amz-content-sha256&"),
        "{sent}"
    );
    assert_eq!(origin_says(&sent, NOW), Ok(()));
}

/// A server behind a CGI-like interface reads `_` as `-`.
#[test]
fn underscores_are_dashes() {
    let text = Sample::new("GET", "/b/k")
        .header("X_Amz_Security_Token", "clients")
        .header("x-amz_date", "20260102T030405Z")
        .header("x_amz_meta", "1")
        .header_form();
    let sent = resign_head(&text, &head_of(&text), &origin(), NOW).unwrap();
    assert!(
        !sent.contains("clients") && !sent.contains("x-amz_date"),
        "{sent}"
    );
    assert!(sent.contains("x-amz-date;x_amz_meta, Signature"), "{sent}");
}

/// Everything but the signature's own headers and parameters comes through; nothing of the
/// client's signature does.
#[test]
fn nothing_of_the_client_remains() {
    let v2 = |method: &'static [u8]| {
        let presign = Presign {
            method,
            host: b"s3.mydomain.com",
            bucket: b"bucket",
            key: b"a key",
            headers: &[],
            session_token: None,
            region: Region::parse(b"").unwrap(),
            expires: 60,
        };
        String::from_utf8(
            presign
                .v2(&credential(KEY, SECRET), Timestamp(NOW))
                .unwrap(),
        )
        .unwrap()
    };
    let more = "Host: s3.mydomain.com\nProxy-Authorization: Basic AKIDCLIENT\nRange: bytes=1-2\n";
    for text in [
        Sample::new("GET", "/bucket/key?versionId=1")
            .header("Range", "bytes=1-2")
            .header_form(),
        Sample::new("GET", "/bucket/key?versionId=1")
            .header("Range", "bytes=1-2")
            .query_form(),
        Sample::new("GET", "/bucket/key?X-Amz-Security-Token=AKIDCLIENT")
            .unsigned("Range", "bytes=1-2")
            .query_form(),
        format!("GET {}\n{more}", v2(b"GET")),
        format!("GET /bucket/key?Expires=AKIDCLIENT\n{more}Authorization: Bearer AKIDCLIENT\n"),
    ] {
        for token in [None, Some("to/ken=+")] {
            let origin = Origin {
                session_token: token.map(|token| SecretKey::new(token.into())),
                ..origin()
            };
            let sent = resign_head(&text, &head_of(&text), &origin, NOW).unwrap();
            assert!(
                !sent.contains("AKIDCLIENT") && !sent.contains("mydomain"),
                "{sent}"
            );
            assert!(sent.contains("\r\nRange: bytes=1-2\r\n"), "{sent}");
            let anonymous = text.contains("Bearer");
            assert_eq!(sent.contains("AKIDORIGIN"), !anonymous, "{sent}");
            let tokens = sent
                .matches("\r\nX-Amz-Security-Token: to/ken=+\r\n")
                .count()
                + sent
                    .matches("&X-Amz-Security-Token=to%2Fken%3D%2B&")
                    .count();
            assert_eq!(tokens, usize::from(token.is_some() && !anonymous), "{sent}");
            match anonymous {
                true => assert!(sent.starts_with("GET /bucket/key HTTP/1.1\r\n"), "{sent}"),
                false => assert_eq!(origin_says(&sent, NOW), Ok(()), "{sent}"),
            }
        }
    }
}

#[test]
fn the_region_is_the_origins_or_the_clients() {
    for (client, origins, expected) in [
        ("us-west-2", None, "us-west-2"),
        ("us-west-2", Some("eu-west-1"), "eu-west-1"),
        ("", None, "us-east-1"),
        ("us-west-2", Some(""), "us-east-1"),
    ] {
        let mut sample = Sample::new("GET", "/b/k");
        sample.region = client.into();
        let origin = Origin {
            region: origins.and_then(|name: &str| Region::parse(name.as_bytes())),
            ..origin()
        };
        let text = sample.header_form();
        let sent = resign_head(&text, &head_of(&text), &origin, NOW).unwrap();
        assert!(
            sent.contains(&format!("/20260102/{expected}/s3/")),
            "{sent}"
        );
    }
}

#[test]
fn virtual_hosts() {
    let origin = Origin {
        addressing: Addressing::Virtual,
        ..origin()
    };
    let send = |target: &str| {
        let text = Sample::new("GET", target).header_form();
        resign_head(&text, &head_of(&text), &origin, NOW)
    };
    for (target, path, host) in [
        ("/", "/", "s3.origin.example:9000"),
        ("/bucket", "/", "bucket.s3.origin.example:9000"),
        ("/bucket/", "/", "bucket.s3.origin.example:9000"),
        (
            "/my.bucket-1/a//b?acl",
            "/a//b?acl=",
            "my.bucket-1.s3.origin.example:9000",
        ),
        ("/%62ucket%2Fk%2f", "/k/", "bucket.s3.origin.example:9000"),
    ] {
        let sent = send(target).unwrap();
        assert!(
            sent.starts_with(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n")),
            "{sent}"
        );
        assert_eq!(origin_says(&sent, NOW), Ok(()));
    }
    for target in [
        "/Bucket/k",
        "/b_b/k",
        "/-b/k",
        "/b-/k",
        "/b..c/k",
        "/b%0d%0aX:1/k",
        "/b%00",
    ] {
        assert_eq!(send(target), Err(Unsignable::Bucket), "{target}");
    }
    let long = format!("/{}/k", "b".repeat(64));
    assert_eq!(send(&long), Err(Unsignable::Bucket));
}

/// What nginx made of the path between verification and here.
#[test]
fn rewritten_paths() {
    let send = |verified: &str, wire: &str| {
        let text = Sample::new("GET", verified).header_form();
        let head = head_of(&text).replacen(verified, wire, 1);
        resign_head(&text, &head, &origin(), NOW).map(|sent| {
            assert_eq!(origin_says(&sent, NOW), Ok(()));
            sent.split(' ').nth(1).unwrap().to_owned()
        })
    };
    // Other spellings of one path.
    assert_eq!(send("/b/a%2Fb+", "/b/a/b%2b").as_deref(), Ok("/b/a/b%2B"));
    assert_eq!(send("/b/a/../k", "/b/a/%2E./k").as_deref(), Ok("/b/a/../k"));
    assert_eq!(send("/b//k", "/b//k").as_deref(), Ok("/b//k"));
    // An administrator's rewrite of a path that nginx leaves alone.
    assert_eq!(send("/b/k", "/prefix/b/k").as_deref(), Ok("/prefix/b/k"));
    assert_eq!(send("/b/k/", "/b/k").as_deref(), Ok("/b/k"));
    assert_eq!(send("/b/...", "/c").as_deref(), Ok("/c"));
    assert_eq!(send("/b/.k/k.", "/c").as_deref(), Ok("/c"));
    // Paths that it does not.
    for path in [
        "/b/a/../k",
        "/b/a/%2e%2E/k",
        "/b/./k",
        "/b//k",
        "/b/%2Fk",
        "/b/a/..",
        "/b/.",
        "/b/k//",
        "/b/a%23k",
    ] {
        assert_eq!(send(path, "/k"), Err(Unsignable::PathChanged), "{path}");
    }
}

#[test]
fn heads_that_must_not_be_sent() {
    let text = Sample::new("PUT", "/b/k").header_form();
    let good = head_of(&text);
    let send = |head: &str| resign_head(&text, head, &origin(), NOW).map(|_| ());
    assert_eq!(send(&good), Ok(()));
    assert_eq!(send(&good.replace("HTTP/1.1", "HTTP/1.0")), Ok(()));
    let with = |line: &str| good.replace("Connection: close", line);
    for (head, expected) in [
        (String::new(), Unsignable::NotHttp1),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
            Unsignable::NotHttp1,
        ),
        (
            "\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0".into(),
            Unsignable::NotHttp1,
        ),
        ("get /b/k\r\n".into(), Unsignable::NotHttp1),
        (good.replace("HTTP/1.1", "HTTP/2.0"), Unsignable::NotHttp1),
        (good.replace(" HTTP/1.1", ""), Unsignable::NotHttp1),
        (good.replace("/b/k", "/b k"), Unsignable::NotHttp1),
        (good.replacen("PUT", "P\tT", 1), Unsignable::NotHttp1),
        (good.replacen("\r\n", "\n", 1), Unsignable::NotHttp1),
        (good.replace("/b/k", "http://h/b/k"), Unsignable::Target),
        (good.replace("/b/k", "*"), Unsignable::Target),
        (good.replace("/b/k", "/b/%k"), Unsignable::Target),
        (good.replace("/b/k", "/b/k?%k"), Unsignable::Target),
        (
            good.replace("/b/k", &format!("/b/k?{}", "a&".repeat(129))),
            Unsignable::TooManyParameters,
        ),
        (
            with(&"a: b\r\n".repeat(300)[..1_798]),
            Unsignable::TooManyHeaders,
        ),
        (with("Connection close"), Unsignable::Header),
        (with("Connection : close"), Unsignable::Header),
        (with(": close"), Unsignable::Header),
        (
            with(&format!("{}: close", "a".repeat(65_536))),
            Unsignable::Header,
        ),
        (with("A: b\r\n c"), Unsignable::ObsoleteFold),
        (with("A: b\r\n\tc"), Unsignable::ObsoleteFold),
        (with("A: b\nB: c"), Unsignable::ControlByte),
        (with("A: b\rB: c"), Unsignable::ControlByte),
        (with("A: b\0"), Unsignable::ControlByte),
        (good[..good.len() - 2].into(), Unsignable::NoBlankLine),
        (good[..good.len() - 1].into(), Unsignable::NoBlankLine),
        (format!("{good}body"), Unsignable::TrailingBytes),
        (
            format!("{good}GET /secret/k HTTP/1.1\r\n\r\n"),
            Unsignable::TrailingBytes,
        ),
        (
            with("Content-Length: 1\r\nContent-Length: 1"),
            Unsignable::ContentLength,
        ),
        (
            with("Content-Length: 1\r\nTransfer-Encoding: chunked"),
            Unsignable::ContentLength,
        ),
        (
            with("Content-Length: 18446744073709551616"),
            Unsignable::ContentLength,
        ),
        (with("Content-Length: +1"), Unsignable::ContentLength),
        (with("Content-Length:"), Unsignable::ContentLength),
        (
            with("Transfer-Encoding: gzip, chunked"),
            Unsignable::ContentLength,
        ),
    ] {
        assert_eq!(send(&head), Err(expected), "{}", head.escape_debug());
        assert!(!expected.to_string().is_empty());
    }
    let raw = Raw::new(&text);
    let verified = verdict(&raw, clients(), kept(rules()), NOW).unwrap();
    let framing = |line: &str| {
        let head = with(line);
        let mut room = HeadRoom::default();
        let head = WireHead::parse(head.as_bytes(), &verified, &mut room).unwrap();
        (head.content_length(), head.is_chunked())
    };
    assert_eq!(
        framing("content-length: 5368709120"),
        (Some(5_368_709_120), false)
    );
    assert_eq!(framing("Transfer-Encoding: Chunked"), (None, true));
    assert_eq!(framing("A: b"), (None, false));
}

/// The most of everything.
#[test]
fn full_heads() {
    let text = Sample::new("PUT", "/b/k").header_form();
    let lines: String = (0..250)
        .rev()
        .map(|at| format!("x-amz-meta-{at}: {at}\r\n"))
        .collect();
    let head = head_of(&text).replace("Connection: close\r\n", &lines);
    let query: String = (0..128)
        .rev()
        .map(|at| format!("{at}=%{at:02}&"))
        .collect::<String>();
    let head = head.replacen("/b/k", &format!("/b/k?{}", query.replace("%1", "1")), 1);
    let sent = resign_head(&text, &head, &origin(), NOW).unwrap();
    assert_eq!(origin_says(&sent, NOW), Ok(()));
}

#[test]
fn a_short_slice_is_left_alone() {
    let text = Sample::new("GET", "/b/k").header_form();
    let raw = Raw::new(&text);
    let verified = verdict(&raw, clients(), kept(rules()), NOW).unwrap();
    let head = head_of(&text);
    let mut room = HeadRoom::default();
    let head = WireHead::parse(head.as_bytes(), &verified, &mut room).unwrap();
    let origin = origin();
    let mut keys = KeyCache::new(1);
    let mut signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW)).unwrap();
    let debug = format!("{head:?} {signed:?} {verified:?} {origin:?}");
    assert!(
        !debug.contains(ORIGIN_SECRET) && !debug.contains("Signature"),
        "{debug}"
    );
    let mut short = vec![0; signed.max_len() - 1];
    assert_eq!(signed.write(&mut short), None);
    assert!(short.iter().all(|byte| *byte == 0));
}

#[test]
fn a_request_of_ones_own() {
    let own = |origin: &Origin| {
        let head = b"HEAD /bucket?list-type=2&a HTTP/1.1\r\nConnection: close\r\n\r\n";
        let sent = sign_own(
            head,
            BucketNames::Origins,
            origin,
            &mut KeyCache::new(8),
            Timestamp(NOW),
        );
        String::from_utf8(sent.unwrap()).unwrap()
    };
    let sent = own(&origin());
    let mut lines = sent.split("\r\n");
    let mut line = || lines.next().unwrap();
    assert_eq!(line(), "HEAD /bucket?a=&list-type=2 HTTP/1.1");
    assert_eq!(line(), "Host: s3.origin.example:9000");
    assert_eq!(line(), "Connection: close");
    assert_eq!(line(), format!("X-Amz-Content-Sha256: {EMPTY}"));
    assert_eq!(line(), "X-Amz-Date: 20260102T030405Z");
    assert_eq!(origin_says(&sent, NOW), Ok(()));

    let temporary = Origin {
        session_token: Some(SecretKey::new(b"token".to_vec())),
        addressing: Addressing::Virtual,
        host: b"origin.example".as_slice().into(),
        ..origin()
    };
    let sent = own(&temporary);
    assert!(sent.starts_with("HEAD /?a=&list-type=2 HTTP/1.1\r\nHost: bucket.origin.example\r\n"));
    assert!(sent.contains("\r\nX-Amz-Security-Token: token\r\n"));
    assert_eq!(origin_says(&sent, NOW), Ok(()));

    let regionless = Origin {
        region: None,
        ..origin()
    };
    assert!(own(&regionless).contains("/20260102/us-east-1/s3/aws4_request, "));
}

#[test]
fn a_request_of_ones_own_is_a_head_alone() {
    let sign = |head: &[u8]| {
        sign_own(
            head,
            BucketNames::Origins,
            &origin(),
            &mut KeyCache::new(8),
            Timestamp(NOW),
        )
        .map(drop)
    };
    assert_eq!(sign(b"GET / HTTP/1.1\r\n\r\n"), Ok(()));
    assert_eq!(
        sign(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        Err(Unsignable::TrailingBytes)
    );
    assert!(sign(b"GET /a b HTTP/1.1\r\n\r\n").is_err());
    assert!(sign(b"GET /\n HTTP/1.1\r\n\r\n").is_err());
}

/// Clients are told another region than that of the origin, which is not asked for it.
#[test]
fn a_region_in_a_list_of_buckets() {
    for (told, target, sent, is_elsewhere) in [
        (
            "us-east-1",
            "/?bucket-region=us-east-1&max-buckets=5",
            "/?max-buckets=5",
            false,
        ),
        (
            "us-east-1",
            "/?bucket-region=eu-west-1&prefix=a",
            "/?prefix=a",
            true,
        ),
        ("us-east-1", "/?bucket%2Dregion=eu%2Dwest-1", "/", true),
        ("us-east-1", "/?bucket-region=", "/", false),
        ("us-east-1", "/?prefix=a", "/?prefix=a", false),
        (
            "us-east-1",
            "/b?bucket-region=eu-west-1",
            "/b?bucket-region=eu-west-1",
            false,
        ),
        (
            "",
            "/?bucket-region=eu-west-1",
            "/?bucket-region=eu-west-1",
            false,
        ),
    ] {
        let sample = Sample::new("GET", target);
        for text in [sample.clone().header_form(), sample.query_form()] {
            let rules = VerifyRules {
                region: Region::parse_name(told.as_bytes()),
                ..rules()
            };
            let verified = verdict(
                kept(Raw::new(kept(text.clone()))),
                clients(),
                kept(rules),
                NOW,
            );
            let verified = verified.expect(&text);
            assert_eq!(verified.lists_another_region(), is_elsewhere, "{target}");
            let out = sign_head(&verified, &head_of(&text), &origin(), NOW).unwrap();
            assert_eq!(origin_says(&out, NOW), Ok(()), "{out}");
            let (path, query) = sent.split_once('?').unwrap_or((sent, ""));
            let line = out.lines().next().unwrap();
            let asked = line.split(' ').nth(1).unwrap();
            assert!(asked.starts_with(path) && asked.contains(query), "{line}");
            assert_eq!(
                asked.contains("region="),
                sent.contains("region="),
                "{line}"
            );
        }
    }
}

/// Nor is it asked for a document that is not XML, where that is read on its way.
#[test]
fn preferences_of_what_is_read() {
    let text = Sample::new("GET", "/b?list-type=2")
        .unsigned("Accept", "application/json")
        .unsigned("accept-encoding", "gzip")
        .unsigned("Accept-Language", "de")
        .header_form();
    let raw = Raw::new(&text);
    let rules = rules();
    let mut verified = verdict(&raw, clients(), &rules, NOW).expect(&text);
    for is_read in [false, true] {
        verified.prepare(&origin(), is_read);
        let out = sign_head(&verified, &head_of(&text), &origin(), NOW).unwrap();
        let sent = ["Accept: ", "accept-encoding: "].map(|name| out.contains(name));
        assert_eq!(sent, [!is_read; 2], "{out}");
        assert!(out.contains("Accept-Language: de"), "{out}");
    }
}
