//! Requests that nobody has signed, and that the location signs for the origin within its own grant.
//!
//! A long file, since each one here is linked to a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::{
    allowance::Allowance,
    asking::{Asking, Dice, Thrower},
    operations::{Class, OPERATIONS, Sent},
    reading::{Head, is_of_maker, read},
    reference::{EMPTY, KEY, NOW, SECRET, Sample},
    *,
};
use proptest::{collection::vec, prelude::*};
use sigv4::*;

fn granting(allow: &str, buckets: &str) -> VerifyRules {
    VerifyRules {
        anonymous: Anonymous::Signed {
            grant: Arc::new(grant(allow, buckets)),
            account: None,
        },
        reserved: vec![b"minio".as_slice().into()],
        ..rules()
    }
}

fn clients() -> &'static Directory {
    kept(Directory::new(&[(KEY, SECRET)]))
}

fn origin() -> Origin {
    Origin::new(
        credential("AKIDORIGIN", "origin/secret"),
        b"s3.origin.example",
    )
}

fn ask(text: &str, rules: &VerifyRules) -> Result<AuthType, Rejection> {
    verdict(&Raw::new(text), clients(), rules, NOW).map(|verified| verified.auth_type())
}

/// An unsigned request: a method and a target, then headers.
fn unsigned(line: &str, headers: &str) -> String {
    format!("{line}\nHost: s3.mydomain.com\n{headers}")
}

fn request_of(sent: &Sent) -> String {
    let line = format!("{} {}?{}", sent.method, sent.path, sent.query);
    match sent.source {
        "" => unsigned(&line, ""),
        source => unsigned(&line, &format!("x-amz-{source}-source: /b/k2\n")),
    }
}

fn head_of(text: &str) -> String {
    let (line, headers) = text.split_once('\n').unwrap();
    let headers = headers.trim_end().replace('\n', "\r\n");
    format!("{line} HTTP/1.1\r\n{headers}\r\n\r\n")
}

/// What goes out where nginx sends `wire` for a request; the origin must find it signed by its key.
fn sent_as(text: &str, wire: &str, rules: &VerifyRules) -> Result<String, Unsignable> {
    let raw = Raw::new(text);
    let verified = verdict(&raw, clients(), rules, NOW).expect(text);
    let wire = head_of(wire);
    let mut room = HeadRoom::default();
    let head = WireHead::parse(wire.as_bytes(), &verified, &mut room)?;
    let (origin, mut keys) = (origin(), KeyCache::new(8));
    let mut signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW))?;
    let mut out = vec![0; signed.max_len()];
    let length = signed.write(&mut out).unwrap();
    out.truncate(length);
    let out = String::from_utf8(out).unwrap();
    let (received, open) = (out.replace("\r\n", "\n"), common::rules());
    let there = Directory::with_grant("AKIDORIGIN", "origin/secret", grant("", ""));
    let found = verdict(&Raw::new(&received), &there, &open, NOW).map(|found| found.auth_type());
    assert_eq!(found, Ok(AuthType::V4Header), "{out}");
    Ok(out)
}

fn sent(text: &str, rules: &VerifyRules) -> String {
    sent_as(text, text, rules).expect(text)
}

/// As for a client with the same grant, but for what no grant gives to strangers.
#[test]
fn every_operation_in_every_grant() {
    for sent in OPERATIONS {
        let never = matches!(sent.class, Class::Other | Class::Credentials);
        for allow in [
            "read",
            "list",
            "write",
            "delete",
            "read,write",
            "all",
            sent.name,
            "GetObject,HeadObject",
        ] {
            for buckets in ["", "a,b*", "c", "b/k*", "b/other*"] {
                let text = request_of(sent);
                let found = ask(&text, &granting(allow, buckets));
                let (line, _) = text.split_once('\n').unwrap();
                let (method, target) = line.split_once(' ').unwrap();
                let mut sample = Sample::new(method, target);
                if !sent.source.is_empty() {
                    sample = sample.header(&format!("x-amz-{}-source", sent.source), "/b/k2");
                }
                let client = Directory::with_grant(KEY, SECRET, grant(allow, buckets));
                let signed = sample.header_form();
                let open = rules();
                let by_client = verdict(&Raw::new(&signed), &client, &open, NOW);
                let expected = match by_client {
                    Ok(_) if !never => Ok(AuthType::Granted),
                    _ => Err(Rejection::AccessDenied),
                };
                assert_eq!(found, expected, "{} by {allow} in {buckets}", sent.name);
            }
        }
    }
}

#[test]
fn what_is_no_operation_is_for_nobody() {
    for line in [
        "GET /b/k?unheard-of",
        "GET /b/k?v=3",
        "GET /b/k?acl&tagging",
        "GET /b/k?versionId=1&versionId=2",
        "OPTIONS /b/k",
        "PUT /b/k?x-minio-extract=true",
    ] {
        let found = ask(&unsigned(line, ""), &granting("all", ""));
        assert_eq!(found, Err(Rejection::AccessDenied), "{line}");
    }
    let all = granting("all", "");
    let found = ask(&unsigned("BREW /b/k", ""), &all);
    assert_eq!(found, Err(Rejection::MethodNotAllowed));
    let found = ask(&unsigned("GET /minio/admin/v3/info", ""), &all);
    assert_eq!(found, Err(Rejection::ReservedName));
    let found = ask(&unsigned("GET /b/../c/k", ""), &all);
    assert_eq!(found, Err(Rejection::LeavesBucket));
}

const READ: &str = "GET /b/k";
const WRITE: &str = "PUT /b/k";

/// Each header with what it may be sent with: `*` for anything, `w` for writing, `-` for nothing, `f` for framing, which
/// is not implemented.
const HEADERS: &str = "
    * x-amz-date: 20260102T030405Z
    * x-amz-content-sha256: UNSIGNED-PAYLOAD
    * x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    * X-Amz-Checksum-Mode: ENABLED
    * x-amz-expected-bucket-owner: 1
    * x-amz-user-agent: a
    * x-amz-object-attributes: ETag
    * Range: bytes=0-1
    * If-None-Match: a
    * If-Match: a
    * Cookie: session=1
    * Authorization: Basic dXNlcjpwYXNz
    * Authorization: Bearer eyJh
    * Proxy-Authorization: Basic dXNlcjpwYXNz
    * X-Auth-Token: t
    * X-HTTP-Method-Override: DELETE
    * x-amzn-trace-id: Root=1
    * Content-Encoding: gzip
    * Content-Type: text/html
    * Content-MD5: XUFAKrxLKna5cZ2REBfFkg==
    w x-amz-meta-a: b
    w X-Amz-Acl: public-read
    w x-amz-grant-read: id=1
    w x-amz-tagging: a=b
    w x-amz-storage-class: STANDARD_IA
    w x-amz-server-side-encryption: AES256
    w x-amz-checksum-crc32: AAAAAA==
    - x-amz-security-token: t
    - x-amz-request-payer: requester
    - x-amz-bypass-governance-retention: true
    - x-amz-mfa: 1 2
    - x-amz-object-lock-mode: COMPLIANCE
    - x-amz-object-lock-legal-hold: ON
    - x-amz-server-side-encryption-customer-key: a
    - x-amz-server-side-encryption-customer-algorithm: AES256
    - x-amz-server-side-encryption-aws-kms-key-id: a
    - x-amz-website-redirect-location: https://other.example/
    - x-amz-meta-snowball-auto-extract: true
    - x-amz-fwd-status: 200
    - x-amz-unknown: 1
    - x_amz_acl: private
    - x_amz_meta_a: b
    - X-Minio-Force-Delete: true
    - x-rgw-a: b
    - rgwx-a: b
    - x-goog-copy-source: b/k
    - x-copy-from: b/k
    f x-amz-trailer: x-amz-checksum-crc32
    f x-amz-decoded-content-length: 5
    f Content-Encoding: aws-chunked
    f Content-Encoding: gzip, AWS-Chunked
    f content_encoding: aws-chunked
    f x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD
    f x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
    f x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER
";

#[test]
fn every_header() {
    let all = granting("all", "");
    for row in HEADERS.trim().lines() {
        let (kind, header) = row.trim().split_once(' ').unwrap();
        for (line, is_write) in [(READ, false), ("HEAD /b/k", false), (WRITE, true)] {
            let expected = match kind {
                "*" => Ok(AuthType::Granted),
                "w" if is_write => Ok(AuthType::Granted),
                "f" if header.contains("STREAMING-AWS4") => Err(Rejection::AnonymousStreaming),
                "f" => Err(Rejection::NotImplemented),
                _ => Err(Rejection::UnsignedHeaders),
            };
            let found = ask(&unsigned(line, header), &all);
            assert_eq!(found, expected, "{line} {header}");
        }
        let (name, value) = header.split_once(": ").unwrap();
        // In the query, where some servers read them.
        if name.to_ascii_lowercase().starts_with("x-amz-") && !header.contains("content-sha256") {
            let found = ask(&unsigned(&format!("{WRITE}?{name}={value}"), ""), &all);
            let signs = ["x-amz-date", "x-amz-security-token"];
            match kind {
                _ if signs.contains(&name) => assert!(found.is_err(), "{header}"),
                "*" => assert_eq!(found, Ok(AuthType::Granted), "{header}"),
                _ => assert!(found.is_err(), "{header}"),
            }
        }
    }
}

/// S3 does not take them either without a signature.
#[test]
fn no_link_says_what_headers_an_answer_has() {
    for name in [
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "response-content%2dtype",
    ] {
        for method in ["GET", "HEAD"] {
            let text = unsigned(&format!("{method} /b/k?{name}=text/html"), "");
            let found = ask(&text, &granting("all", ""));
            assert_eq!(found, Err(Rejection::ResponseHeaders), "{text}");
        }
    }
}

/// Nothing that is signed, or seems to be, is taken for a request that is not.
#[test]
fn what_has_a_signature_is_verified() {
    let granted = VerifyRules {
        signature_v2: true,
        ..granting("all", "")
    };
    let sample = || Sample::new("GET", "/b/k");
    let right = [
        (sample().header_form(), AuthType::V4Header),
        (sample().query_form(), AuthType::V4Query),
        (sample().v2_header_form(), AuthType::V2Header),
        (sample().v2_query_form(), AuthType::V2Query),
    ];
    for (text, auth_type) in right {
        assert_eq!(ask(&text, &granted), Ok(auth_type), "{text}");
        let wrong = text.replace("/b/k", "/b/other");
        let found = ask(&wrong, &granted);
        assert_eq!(found, Err(Rejection::SignatureDoesNotMatch), "{wrong}");
        let nobody = text.replace(KEY, "AKIDNOBODY");
        assert!(ask(&nobody, &granted).is_err(), "{nobody}");
        // A client with less than the location grants has that, and no more.
        let narrow = Directory::with_grant(KEY, SECRET, grant("write", ""));
        let found = verdict(&Raw::new(&text), &narrow, &granted, NOW).map(|_| ());
        assert_eq!(found, Err(Rejection::AccessDenied), "{text}");
    }
    for (target, header) in [
        ("/b/k", "Authorization: AWS4-HMAC-SHA256"),
        ("/b/k", "Authorization: AWS4-HMAC-SHA256 nonsense"),
        ("/b/k", "Authorization: AWS4-ECDSA-P256-SHA256 a"),
        ("/b/k", "Authorization: aws a:b"),
        ("/b/k", "Authorization: AWS a:b"),
        ("/b/k?X-Amz-Signature=1", ""),
        ("/b/k?x-amz-signature=1", ""),
        ("/b/k?X-Amz-Expires=1", ""),
        ("/b/k?X-Amz-Security-Token=1", ""),
        ("/b/k?AWSAccessKeyId=a", ""),
        ("/b/k?Signature=a", ""),
    ] {
        let text = unsigned(&format!("GET {target}"), header);
        for rules in [&granted, &granting("all", "")] {
            assert!(ask(&text, rules).is_err(), "{text}");
        }
    }
}

#[test]
fn a_form_needs_its_policy() {
    let text = unsigned("POST /b", "Content-Type: multipart/form-data; boundary=a\n");
    let found = ask(&text, &granting("all", ""));
    assert_eq!(found, Err(Rejection::ProofInBody));
}

#[test]
fn what_goes_out() {
    let all = granting("all", "");
    let private = "Authorization: Basic dXNlcjpwYXNz\nCookie: session=1\nCOOKIE: b=2\nProxy-Authorization: Basic a\n\
                   X-Auth-Token: t\nX-HTTP-Method-Override: DELETE\nx_original_url: /c/k\n\
                   x-amz-date: 20000101T000000Z\n";
    let more = "Range: bytes=0-1\nIf-None-Match: a\nx-amz-checksum-mode: ENABLED\nAccept: */*\n";
    let out = sent(
        &unsigned("GET /b/a%20b?versionId=1", &[private, more].concat()),
        &all,
    );
    assert!(
        out.starts_with("GET /b/a%20b?versionId=1 HTTP/1.1\r\nHost: s3.origin.example\r\n"),
        "{out}"
    );
    for line in more.lines() {
        assert!(out.contains(&format!("\r\n{line}\r\n")), "{line} in {out}");
    }
    let lower = out.to_ascii_lowercase();
    for gone in [
        "basic", "cookie", "token", "override", "original", "20000101", "mydomain",
    ] {
        assert!(!lower.contains(gone), "{gone} in {out}");
    }
    assert!(out.contains("Credential=AKIDORIGIN/20260102/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date,"), "{out}");
    for (line, headers, payload) in [
        ("GET /b/k", "", EMPTY),
        ("HEAD /b/k", "", EMPTY),
        ("DELETE /b/k", "", EMPTY),
        ("PUT /b/k", "Content-Length: 0\n", EMPTY),
        ("PUT /b/k", "Content-Length: 5\n", "UNSIGNED-PAYLOAD"),
        (
            "PUT /b/k",
            "Transfer-Encoding: chunked\n",
            "UNSIGNED-PAYLOAD",
        ),
        (
            "PUT /b/k",
            "Content-Length: 5\nx-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n",
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        ),
    ] {
        let out = sent(&unsigned(line, headers), &all);
        assert!(
            out.contains(&format!("\r\nX-Amz-Content-Sha256: {payload}\r\n")),
            "{out}"
        );
    }
}

#[test]
fn the_region_is_the_origins_or_that_of_clients() {
    for (of_clients, of_origin, expected) in [
        (None, None, "us-east-1"),
        (Some("eu-west-1"), None, "eu-west-1"),
        (Some("eu-west-1"), Some("eu-central-1"), "eu-central-1"),
        (None, Some("eu-central-1"), "eu-central-1"),
    ] {
        let region = |name: &str| Region::parse_name(name.as_bytes()).unwrap();
        let rules = VerifyRules {
            region: of_clients.map(region),
            ..granting("read", "")
        };
        let (text, origin) = (
            unsigned("GET /b/k", ""),
            Origin {
                region: of_origin.map(region),
                ..origin()
            },
        );
        let raw = Raw::new(&text);
        let verified = verdict(&raw, clients(), &rules, NOW).unwrap();
        let (wire, mut room, mut keys) = (head_of(&text), HeadRoom::default(), KeyCache::new(2));
        let head = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
        let mut signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW)).unwrap();
        let mut out = vec![0; signed.max_len()];
        let _ = signed.write(&mut out).unwrap();
        let out = String::from_utf8_lossy(&out);
        let scope = format!("AKIDORIGIN/20260102/{expected}/s3/aws4_request,");
        assert!(out.contains(&scope), "{out}");
    }
}

/// The client of a location is not kept from what it sends.
#[test]
fn a_signed_request_keeps_its_cookies() {
    let text = Sample::new("GET", "/b/k")
        .unsigned("Cookie", "a=b")
        .header_form();
    let out = sent(&text, &granting("read", ""));
    assert!(out.contains("\r\nCookie: a=b\r\n"), "{out}");
}

/// The grant holds for what goes out, too.
#[test]
fn nothing_else_goes_out() {
    let rules = granting("read,write", "b/public/*");
    let get = unsigned("GET /b/public/k", "");
    for wire in [
        "GET /b/private/k",
        "GET /c/public/k",
        "GET /b/public/../private/k",
        "DELETE /b/private/k",
        "GET /b/public/k?unheard-of",
        "GET /b",
    ] {
        let found = sent_as(&get, &unsigned(wire, ""), &rules);
        assert_eq!(found, Err(Unsignable::NotAdmitted), "{wire}");
    }
    for (source, expected) in [
        ("/b/public/k2", Ok(AuthType::Granted)),
        ("b/public/k2?versionId=1", Ok(AuthType::Granted)),
        ("/b/private/k2", Err(Rejection::AccessDenied)),
        ("/c/public/k2", Err(Rejection::AccessDenied)),
    ] {
        let text = unsigned("PUT /b/public/k", &format!("x-amz-copy-source: {source}"));
        assert_eq!(ask(&text, &rules), expected, "{source}");
        // Where copies are not permitted at all.
        let found = ask(&text, &granting("write", "b/public/*"));
        assert_eq!(found, Err(Rejection::AccessDenied), "{source}");
    }
    let put = unsigned("PUT /b/public/k", "");
    let stolen = unsigned("PUT /b/public/k", "x-amz-copy-source: /c/k");
    assert_eq!(sent_as(&put, &stolen, &rules), Err(Unsignable::NotAdmitted));
}

/// What nginx makes of a path is what is asked for: nobody has signed the client's.
#[test]
fn rewritten_paths() {
    let rules = granting("GetObject", "site");
    for (came, target) in [
        ("/", "/site/index.html"),
        ("/a//b/./c%23", "/site/a/b/c%23"),
        ("/x/..", "/site/index.html"),
        ("/site/k?v=3", "/site/k"),
    ] {
        let text = unsigned(&format!("GET {came}"), "");
        let raw = Raw::new(&text);
        let request = ClientRequest {
            rewritten: Some(Target {
                path: target.as_bytes(),
                query: b"",
            }),
            ..raw.request()
        };
        let mut keys = KeyCache::new(8);
        let verified = verify(&request, clients(), &rules, &mut keys, Timestamp(NOW)).expect(came);
        let wire = head_of(&unsigned(&format!("GET {target}"), ""));
        let mut room = HeadRoom::default();
        let head = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
        let (origin, mut keys) = (origin(), KeyCache::new(8));
        let signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW));
        assert!(signed.is_ok(), "{came}");
        // And it must be granted.
        let elsewhere = ClientRequest {
            rewritten: Some(Target {
                path: b"/other/k",
                query: b"",
            }),
            ..raw.request()
        };
        let mut keys = KeyCache::new(8);
        let found = verify(&elsewhere, clients(), &rules, &mut keys, Timestamp(NOW));
        assert_eq!(
            found.map(|_| ()).map_err(|rejected| rejected.rejection),
            Err(Rejection::AccessDenied)
        );
    }
}

/// What is left of a signature in it does not go out, so it does not matter how it is spelled.
#[test]
fn a_rewritten_query_is_read_in_one_way() {
    let (text, rules) = (unsigned("GET /b/k", ""), granting("read", ""));
    let raw = Raw::new(&text);
    let request = ClientRequest {
        rewritten: Some(Target {
            path: b"/b/k",
            query: b"tagging&Signature=%&X-Amz-Date=%0",
        }),
        ..raw.request()
    };
    let mut keys = KeyCache::new(2);
    let verified = verify(&request, clients(), &rules, &mut keys, Timestamp(NOW)).unwrap();
    assert_eq!(verified.operation(), Operation::GetObjectTagging);
    let shown = S3Request::of(&request, &Address::PATH_STYLE).map(|asked| asked.operation());
    assert_eq!(shown, Ok(Operation::GetObjectTagging));
}

#[test]
fn a_list_of_buckets_is_cut_to_those_of_the_grant() {
    let sees = |allow: &str, buckets: &str| {
        let (text, rules) = (unsigned("GET /", ""), granting(allow, buckets));
        let verified = verdict(&Raw::new(&text), clients(), kept(rules), NOW);
        verified.map(|verified| {
            verified
                .sees_some_buckets()
                .map(|grant| ["a", "b"].map(|name| grant.shows_bucket(name.as_bytes())))
        })
    };
    assert_eq!(sees("read", ""), Ok(None));
    assert_eq!(sees("list", "a*"), Ok(Some([true, false])));
    assert_eq!(sees("GetObject", ""), Err(Rejection::AccessDenied));
}

#[test]
fn who_it_is_from() {
    let (text, rules) = (unsigned("GET /b/k", ""), granting("read", ""));
    let raw = Raw::new(&text);
    let verified = verdict(&raw, clients(), &rules, NOW).unwrap();
    assert_eq!(verified.access_key(), b"");
    assert_eq!(verified.auth_type().name(), "granted");
    assert!(!verified.auth_type().is_signed());
    assert!(verified.auth_type().is_signed_for_origins());
    let key = verified.cache_key(&raw.request(), b"o");
    assert_eq!(key.unwrap(), b"granted o /b/k");
}

/// Sends a random request of no client's, with headers of all kinds. Whether it goes out, and then within the grant, with
/// no header that could claim more.
fn stays_within_its_grant(bytes: &[u8]) -> bool {
    let mut dice = Dice(bytes);
    let mut of_grant = dice.split(20);
    let asking = Asking::roll(&mut dice).in_path_style();
    let allowance = Allowance::roll(&mut of_grant, asking.sent.name, &asking.bucket, &asking.key);
    let text: String = (asking.sample.clone().header_form().lines())
        .filter(|line| !line.starts_with("Authorization: "))
        .map(|line| format!("{line}\n"))
        .collect();
    let head = Head::parse(text.as_bytes()).unwrap();
    let rules = VerifyRules {
        anonymous: Anonymous::Signed {
            grant: Arc::new(allowance.grant()),
            account: None,
        },
        ..rules()
    };
    let mut keys = KeyCache::new(2);
    let found = verify(
        &head.request(),
        clients(),
        &rules,
        &mut keys,
        Timestamp(NOW),
    );
    let Ok(verified) = found else {
        return false;
    };
    let asked = read(&head, None);
    assert!(
        asked.is_of_s3() && allowance.permits(&asked),
        "{allowance:?} {text} {asked:?}"
    );
    assert_ne!(verified.operation(), Operation::Unknown, "{text}");
    let wire = head.wire("");
    let mut room = HeadRoom::default();
    let wire = WireHead::parse(&wire, &verified, &mut room).unwrap();
    let origin = origin();
    let mut signed = sign(&verified, &wire, &origin, &mut keys, Timestamp(NOW)).expect(&text);
    let mut out = vec![0; signed.max_len()];
    let length = signed.write(&mut out).unwrap();
    let out = Head::parse(&out[..length]).unwrap();
    // What was rolled may have become another operation by a stray parameter.
    let operation = OPERATIONS.iter().find(|sent| sent.name == asked.operation);
    let class = operation.expect("is a known operation").class;
    let is_write = !matches!(class, Class::Read | Class::List);
    for header in &out.headers {
        let name = String::from_utf8_lossy(header.name).to_lowercase();
        assert!(!is_of_maker(header.name), "{text} {name}");
        let Some(rest) = name
            .replace('_', "-")
            .strip_prefix("x-amz-")
            .map(str::to_owned)
        else {
            continue;
        };
        let is_for_all = [
            "date",
            "content-sha256",
            "checksum-mode",
            "expected-bucket-owner",
            "user-agent",
        ]
        .contains(&rest.as_str());
        assert!(is_for_all || is_write, "{text} {name}");
        assert!(
            !rest.contains("customer") && rest != "security-token",
            "{text} {name}"
        );
    }
    let goes = read(&out, None);
    assert_eq!(
        (goes.operation, goes.bucket, goes.key, goes.sources),
        (asked.operation, asked.bucket, asked.key, asked.sources),
        "{text}"
    );
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_is_asked_stays_within_the_grant(bytes in vec(any::<u8>(), 160)) {
        stays_within_its_grant(&bytes);
    }
}

/// Else what holds for all requests would hold for few.
#[test]
fn some_of_them_go_out() {
    let mut thrower = Thrower::new();
    let mut throw = || thrower.throw(160);
    let gone = (0..400)
        .filter(|_| stays_within_its_grant(&throw()))
        .count();
    assert!((20..380).contains(&gone), "{gone}");
}
