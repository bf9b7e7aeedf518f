//! Preflights: what becomes of them, and of what only looks like one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use sigv4::*;

const PAGE: &str =
    "Host: s3.example.com\nOrigin: https://app.example\nAccess-Control-Request-Method: PUT";

fn origin(addressing: Addressing) -> Origin {
    Origin {
        session_token: Some(SecretKey::new(b"token".to_vec())),
        addressing,
        ..Origin::new(
            credential("AKIDORIGIN", "origin/secret"),
            b"s3.origin.example",
        )
    }
}

fn rules() -> VerifyRules {
    VerifyRules {
        reserved: vec![b"minio".as_slice().into()],
        region: Region::parse(b"eu-west-1"),
        ..common::rules()
    }
}

/// The auth type and the head that goes out, or why there is none.
fn sent(text: &str, addressing: Addressing) -> Result<(AuthType, String), Rejection> {
    let (raw, rules) = (Raw::new(text), rules());
    let clients = Directory::new(&[(KEY, SECRET)]);
    let verified = verdict(&raw, &clients, &rules, NOW)?;
    let (line, headers) = text.split_once('\n').unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\n{}\r\n\r\n",
        headers.replace('\n', "\r\n")
    );
    let mut room = HeadRoom::default();
    let head = WireHead::parse(head.as_bytes(), &verified, &mut room).unwrap();
    assert_eq!(head.cache_key(&verified, b"o"), None);
    assert_eq!(verified.cache_key(&raw.request(), b"o"), None);
    assert!(verified.access_key().is_empty() && verified.check_body().is_err());
    let (origin, mut keys) = (origin(addressing), KeyCache::new(2));
    let mut signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW)).unwrap();
    let mut out = vec![0; signed.max_len()];
    let length = signed.write(&mut out).unwrap();
    out.truncate(length);
    Ok((verified.auth_type(), String::from_utf8(out).unwrap()))
}

fn presigned(target: &str) -> String {
    let text = Sample::new("PUT", target).query_form();
    let line = text.lines().next().unwrap();
    line.replacen("PUT ", "OPTIONS ", 1)
}

#[test]
fn a_preflight_goes_out_without_a_signature() {
    let expected = |target: &str| {
        format!(
            "OPTIONS {target} HTTP/1.1\r\nHost: s3.origin.example\r\nOrigin: https://app.example\r\n\
             Access-Control-Request-Method: PUT\r\n\r\n"
        )
    };
    let queries = [
        presigned("/bucket/a%20key?x-id=PutObject"),
        "OPTIONS /bucket/a%20key?x-id=PutObject".into(),
        "OPTIONS /bucket/a%20key?X-Amz-Signature=a&x-id=PutObject&x-amz-signature=b&Signature=c"
            .into(),
        "OPTIONS /bucket/a%20key?%58-Amz-Security-Token=secret&x-id=PutObject&AWSAccessKeyId=a"
            .into(),
    ];
    for line in queries {
        let line = line.strip_suffix(" HTTP/1.1").unwrap_or(&line);
        let (auth_type, head) = sent(&format!("{line}\n{PAGE}"), Addressing::Path).unwrap();
        assert_eq!(auth_type, AuthType::Preflight);
        assert!(!auth_type.is_signed());
        assert_eq!(head, expected("/bucket/a%20key?x-id=PutObject"), "{line}");
    }
    let (_, head) = sent(&format!("OPTIONS /\n{PAGE}"), Addressing::Path).unwrap();
    assert_eq!(head, expected("/"));
    let (_, head) = sent(&format!("OPTIONS /bucket/k\n{PAGE}"), Addressing::Virtual).unwrap();
    assert!(
        head.starts_with("OPTIONS /k HTTP/1.1\r\nHost: bucket.s3.origin.example\r\n"),
        "{head}"
    );
}

#[test]
fn what_it_asks_for_is_told() {
    let text = format!("OPTIONS /bucket/key\n{PAGE}\nAccess-Control-Request-Headers: content-type");
    let (raw, rules) = (Raw::new(&text), rules());
    let clients = Directory::new(&[]);
    let verified = verdict(&raw, &clients, &rules, NOW).unwrap();
    let asked = verified.preflight().unwrap();
    assert_eq!(asked.origin, b"https://app.example");
    assert_eq!(
        (asked.method, asked.headers),
        (b"PUT".as_slice(), Some(b"content-type".as_slice()))
    );
    assert_eq!(verified.operation(), Operation::Unknown);
}

#[test]
fn nobody_vouches_for_it_so_it_may_go_nowhere_else() {
    for (target, rejection) in [
        ("/minio/admin/v3", Rejection::ReservedName),
        ("/%6Dinio/admin/v3", Rejection::ReservedName),
        ("/bucket/../other", Rejection::LeavesBucket),
        ("/bucket/%2e%2e/%2E./other", Rejection::LeavesBucket),
        ("/bucket/key#a", Rejection::InvalidUri),
        ("/bucket/%zz", Rejection::InvalidUri),
    ] {
        let text = format!("OPTIONS {target}\n{PAGE}");
        assert_eq!(sent(&text, Addressing::Path), Err(rejection), "{target}");
    }
    let in_host = PAGE.replace("Host: s3", "Host: bucket.s3");
    let text = format!("OPTIONS /key\n{in_host}");
    assert_eq!(sent(&text, Addressing::Path), Err(Rejection::BucketInHost));
}

#[test]
fn what_only_looks_like_one_needs_a_signature() {
    for line in ["OPTIONS /bucket/key", "PUT /bucket/key", "GET /bucket/key"] {
        let more: &[&str] = match line.starts_with("OPTIONS") {
            true => &[
                "x-amz-acl: private",
                "Content-Length: 5",
                "Transfer-Encoding: chunked",
                "Origin: b",
            ],
            false => &["Content-Length: 0"],
        };
        for header in more {
            let text = format!("{line}\n{PAGE}\n{header}");
            assert_eq!(
                sent(&text, Addressing::Path),
                Err(Rejection::AccessDenied),
                "{text}"
            );
        }
    }
    let text = format!(
        "{}\nHost: s3.example.com\nOrigin: https://app.example",
        presigned("/bucket/key")
    );
    let rejected = sent(&text.replacen(" HTTP/1.1", "", 1), Addressing::Path);
    assert!(rejected.is_err(), "{rejected:?}");
}
