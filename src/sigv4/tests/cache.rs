//! Which answers a cache may keep, and under which key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    operations::OPERATIONS,
    reference::{KEY, NOW, SECRET, Sample, decode},
    *,
};
use proptest::{collection::vec, prelude::*, sample::subsequence};
use sigv4::*;

/// The key of a request written as in `Raw`, also where it is a rewritten one.
fn key(text: &str, form: AuthType) -> Option<String> {
    let raw = Raw::new(text);
    let request = raw.request();
    let rewritten = ClientRequest {
        path: b"/other",
        query: b"acl",
        path_with_plus: None,
        rewritten: Some(request.target()),
        ..request
    };
    let key = cache_key(&request, &Address::PATH_STYLE, form, None, b"o", None);
    assert_eq!(
        key,
        cache_key(&rewritten, &Address::PATH_STYLE, form, None, b"o", None),
        "{text}"
    );
    key.map(|key| String::from_utf8(key).unwrap())
}

fn signed(text: &str) -> Option<String> {
    key(text, AuthType::V4Header)
}

#[test]
fn every_operation_with_every_parameter() {
    for sent in OPERATIONS {
        let is_object = matches!(sent.name, "GetObject" | "HeadObject");
        let source = match sent.source {
            "" => String::new(),
            source => format!("x-amz-{source}-source: /b/k2"),
        };
        let ask = |added: &str| {
            let query = [sent.query, added].join("&");
            let query = query.trim_matches('&');
            let text = format!("{} {}?{query}\nHost: h\n{source}", sent.method, sent.path);
            (signed(&text), key(&text, AuthType::Anonymous), text)
        };
        let (by_client, by_anyone, text) = ask("");
        assert_eq!(by_client.is_some(), is_object, "{text}");
        assert_eq!(by_anyone.is_some(), is_object, "{text}");
        if is_object {
            assert_ne!(by_client, by_anyone);
        }
        for optional in sent.optional.split_whitespace() {
            let (by_client, by_anyone, text) = ask(&format!("{optional}=1"));
            let is_kept = is_object && optional != "partNumber";
            assert_eq!(by_client.is_some(), is_kept, "{text}");
            assert_eq!(by_anyone.is_some(), is_kept, "{text}");
            assert!(!is_kept || by_client.unwrap().ends_with(&format!("?{optional}=1")));
        }
        // What no operation has, what it has twice, and another one's names beside its own.
        for added in [
            "unknown=1",
            "tagging",
            "versionId=1&versionId=2",
            "%61cl",
            "Range=bytes=0-1",
        ] {
            let (by_client, by_anyone, text) = ask(added);
            assert_eq!((by_client, by_anyone), (None, None), "{text}");
        }
    }
}

#[test]
fn keys() {
    for (text, key) in [
        ("GET /b/k", "signed o /b/k"),
        ("HEAD /b/k", "signed o /b/k"),
        ("GET /b/k?x-id=GetObject", "signed o /b/k"),
        ("GET /%62/%6b%2f%6B", "signed o /b/k/k"),
        ("GET /b/a+%20b~", "signed o /b/a%2B%20b~"),
        ("GET /b/k?versionId", "signed o /b/k?versionId="),
        (
            "GET /b/k?versionId=a+b&response%2dexpires=%41&x-id=GetObject",
            "signed o /b/k?response-expires=A&versionId=a%20b",
        ),
        (
            "GET /b/k?X-Amz-Algorithm=1&X-Amz-Signature=2&X-Amz-Security-Token=3&versionId=4",
            "signed o /b/k?versionId=4",
        ),
        ("GET /b/k?x-amz-user-agent=a", "signed o /b/k"),
        (
            "GET /b/k?X-Amz-Checksum-Mode=ENABLED",
            "signed o /b/k?X-Amz-Checksum-Mode=ENABLED",
        ),
        (
            "GET /b/k\nX-Amz-Checksum-Mode: ENABLED\nOrigin: https://a b\nx-amz-user-agent: a",
            "signed o /b/k x-amz-checksum-mode=ENABLED origin=https%3A%2F%2Fa%20b",
        ),
        (
            "GET /b/k\nx-amz-date: d\nX-Amz-Content-SHA256: e\nx-amz-security-token: t\nAuthorization: AWS4-...",
            "signed o /b/k",
        ),
        (
            "GET /b/k\nRange: bytes=0-1\nIf-Match: a\nIf-None-Match: b\nIf-Range: c\nCookie: d\nx-amzn-trace-id: e",
            "signed o /b/k",
        ),
    ] {
        assert_eq!(signed(text).as_deref(), Some(key), "{text}");
    }
    let key = cache_key(
        &Raw::new("GET /b/k").request(),
        &Address::PATH_STYLE,
        AuthType::Anonymous,
        None,
        b"h:1 /#\n",
        None,
    );
    assert_eq!(key.unwrap(), b"unsigned h%3A1%20%2F%23%0A /b/k");
}

#[test]
fn what_changes_an_answer_and_is_in_no_key() {
    for added in [
        "x-amz-server-side-encryption-customer-algorithm: AES256",
        "X-Amz-Server-Side-Encryption-Customer-Key: a",
        "x-amz-server-side-encryption-customer-key-md5: a",
        "x-amz-request-payer: requester",
        "x-amz-expected-bucket-owner: 1",
        "x-amz-meta-a: b",
        "x-amz-unknown: 1",
        "x_amz_request_payer: requester",
        "x-amz-checksum-mode: ENABLED\nx-amz-checksum-mode: ENABLED",
        "Origin: a\norigin: b",
        "X-Minio-Extract: true",
        "x_minio_extract: true",
        "X-Auth-Token: t",
        "X-HTTP-Method-Override: PUT",
    ] {
        for method in ["GET", "HEAD"] {
            let text = format!("{method} /b/k\n{added}");
            assert_eq!(signed(&text), None, "{text}");
            assert_eq!(key(&text, AuthType::Anonymous), None, "{text}");
        }
        // In the query, where some servers read them.
        let (name, value) = added.lines().next().unwrap().split_once(": ").unwrap();
        let text = format!("GET /b/k?{name}={value}");
        assert_eq!(
            signed(&text).is_some(),
            name == "x-amz-checksum-mode",
            "{text}"
        );
    }
    // An unsigned request goes out with whatever it has of a signature.
    for added in [
        "\nAuthorization: Bearer t",
        "\nx-amz-security-token: t",
        "\nx-amz-date: d",
        "?X-Amz-Security-Token=t",
        "?Expires=1",
    ] {
        let text = format!("GET /b/k{added}");
        assert!(signed(&text).is_some(), "{text}");
        assert_eq!(key(&text, AuthType::Anonymous), None, "{text}");
    }
}

/// What the location's grant has fetched goes to nobody else, and what a client shows to nginx is in no key.
#[test]
fn what_a_location_signs() {
    for (text, expected) in [
        ("GET /b/k", Some("granted o /b/k")),
        ("HEAD /b/k?versionId=1", Some("granted o /b/k?versionId=1")),
        (
            "GET /b/k\nAuthorization: Basic dXNlcjpwYXNz\nCookie: a\nx-amz-date: d\nRange: bytes=0-1",
            Some("granted o /b/k"),
        ),
        (
            "GET /b/k\nOrigin: https://a",
            Some("granted o /b/k origin=https%3A%2F%2Fa"),
        ),
        ("GET /b/k?Expires=1", None),
        ("GET /b/k?acl", None),
        ("GET /b", None),
        ("PUT /b/k", None),
        ("GET /b/k\nx-amz-request-payer: requester", None),
    ] {
        let found = key(text, AuthType::Granted);
        assert_eq!(found.as_deref(), expected, "{text}");
        for other in [AuthType::V4Header, AuthType::Anonymous, AuthType::Preflight] {
            assert!(found.is_none() || key(text, other) != found, "{text}");
        }
    }
}

#[test]
fn a_request_that_changed_after_it_was_admitted() {
    let text = Sample::new("GET", "/b/k?versionId=1").header_form();
    let (clients, rules) = (Directory::new(&[(KEY, SECRET)]), rules());
    let raw = Raw::new(&text);
    let verified = verdict(&raw, &clients, &rules, NOW).unwrap();
    let request = raw.request();
    let key = |request: &ClientRequest<'_, '_>| verified.cache_key(request, b"o");
    assert_eq!(key(&request).unwrap(), b"signed o /b/k?versionId=1");
    let target = |path: &'static [u8], query: &'static [u8]| ClientRequest {
        path_with_plus: None,
        rewritten: Some(Target { path, query }),
        ..request
    };
    assert!(key(&target(b"/b/k", b"versionId=1")).is_some());
    assert_eq!(key(&target(b"/c/k", b"versionId=1")), None);
    assert_eq!(key(&target(b"/b/k", b"versionId=2")), None);
    assert_eq!(
        key(&ClientRequest {
            method: b"HEAD",
            ..request
        }),
        None
    );
}

#[test]
fn what_goes_out_has_the_same_key() {
    let (clients, rules) = (
        Directory::new(&[(KEY, SECRET)]),
        VerifyRules {
            anonymous: Anonymous::PassedOn,
            ..rules()
        },
    );
    for (target, header) in [
        ("/b/k", ("Accept", "*/*")),
        (
            "/b/%6b%20/?versionId=%31&x-id=OPERATION",
            ("Origin", "https://a"),
        ),
        (
            "/b//k?response-expires=a+b",
            ("x-amz-checksum-mode", "ENABLED"),
        ),
    ] {
        for (method, operation) in [("GET", "GetObject"), ("HEAD", "HeadObject")] {
            let target = target.replace("OPERATION", operation);
            let sample = Sample::new(method, &target).header(header.0, header.1);
            let unsigned = format!(
                "{method} {target}\nHost: s3.mydomain.com\n{}: {}\n",
                header.0, header.1
            );
            for text in [sample.clone().header_form(), sample.query_form(), unsigned] {
                let raw = Raw::new(&text);
                let verified = verdict(&raw, &clients, &rules, NOW).unwrap();
                let (line, headers) = text.split_once('\n').unwrap();
                let sent = |added: &str| {
                    let line = line.replace("HEAD ", "GET ");
                    let head = format!("{line} HTTP/1.1\n{headers}{added}X-Real-IP: a\n\n")
                        .replace('\n', "\r\n");
                    let mut room = HeadRoom::default();
                    WireHead::parse(head.as_bytes(), &verified, &mut room)
                        .unwrap()
                        .cache_key(&verified, b"o")
                };
                let key = verified.cache_key(&raw.request(), b"o");
                assert!(key.is_some(), "{text}");
                assert_eq!(sent(""), key, "{text}");
                for added in [
                    "x-amz-server-side-encryption-customer-key: a\n",
                    "x-amz-checksum-mode: ENABLED\n",
                    "Origin: b\n",
                    "x-minio-extract: true\n",
                ] {
                    assert_ne!(sent(added), key, "{added}{text}");
                }
            }
        }
    }
}

/// One of few requests, in one of many spellings, so that keys meet.
#[derive(Debug, Clone)]
struct CacheRequest {
    form: AuthType,
    origin: &'static str,
    text: String,
}

fn asked() -> impl Strategy<Value = CacheRequest> {
    let spelled = |texts: &'static [&'static str]| proptest::sample::select(texts);
    (
        proptest::sample::select(
            &[
                AuthType::V4Header,
                AuthType::V4Query,
                AuthType::Anonymous,
                AuthType::Granted,
            ][..],
        ),
        spelled(&["o", "o /b", "o%20"]),
        spelled(&["GET", "HEAD"]),
        spelled(&[
            "/b/k",
            "/%62/k",
            "/b/%6b",
            "/b/k%3FversionId=1",
            "/b/k%20",
            "/bk/k",
            "/b/k/",
            "/b//k",
        ]),
        subsequence(
            &[
                "versionId=1",
                "version%49d=1",
                "versionId=%31",
                "versionId=",
                "versionId=1%26x-id=GetObject",
                "response-expires=1",
                "x-id=GetObject",
                "x-id=HeadObject",
                "x-amz-checksum-mode=ENABLED",
            ][..],
            0..3,
        ),
        subsequence(
            &[
                "x-amz-checksum-mode: ENABLED",
                "x-amz-checksum-mode: ENABLED ",
                "Origin: a",
                "origin: a&versionId=1",
                "Origin: ",
                "x-amz-user-agent: a",
                "Range: bytes=0-1",
            ][..],
            0..3,
        ),
        any::<bool>(),
    )
        .prop_map(
            |(form, origin, method, path, mut query, headers, reversed)| {
                if reversed {
                    query.reverse();
                }
                let text = format!(
                    "{method} {path}?{}\n{}",
                    query.join("&"),
                    headers.join("\n")
                );
                CacheRequest { form, origin, text }
            },
        )
}

type Meaning = (
    &'static str,
    &'static str,
    Vec<u8>,
    Vec<(Vec<u8>, Vec<u8>)>,
    Vec<(String, Vec<u8>)>,
);

/// All on which an answer depends, taken out of the text in another way.
fn meaning(asked: &CacheRequest) -> Meaning {
    let raw = Raw::new(&asked.text);
    let mut parameters: Vec<_> = raw
        .query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| {
            (
                decode(name.as_bytes(), true),
                decode(value.as_bytes(), true),
            )
        })
        .filter(|(name, _)| name != b"x-id")
        .collect();
    parameters.sort();
    let mut headers: Vec<_> = raw
        .headers
        .iter()
        .map(|header| {
            (
                String::from_utf8_lossy(header.name).to_lowercase(),
                header.value.to_vec(),
            )
        })
        .filter(|(name, _)| name == "origin" || name == "x-amz-checksum-mode")
        .collect();
    headers.sort();
    let vouched_for = match asked.form {
        AuthType::Anonymous => "nobody",
        AuthType::Granted => "location",
        _ => "client",
    };
    (
        vouched_for,
        asked.origin,
        decode(raw.path.as_bytes(), false),
        parameters,
        headers,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..Default::default() })]

    /// Two requests have one key just where they mean the same.
    #[test]
    fn one_key_for_one_meaning(a in asked(), b in asked()) {
        let key = |asked: &CacheRequest| cache_key(&Raw::new(&asked.text).request(), &Address::PATH_STYLE, asked.form, None, asked.origin.as_bytes(), None);
        if let (Some(key_a), Some(key_b)) = (key(&a), key(&b)) {
            prop_assert_eq!(key_a == key_b, meaning(&a) == meaning(&b), "{:?} {:?}", a, b);
            prop_assert!(key_a.iter().all(|byte| (b' '..=b'~').contains(byte)));
        }
    }

    /// Whatever the bytes of a request are, a key has nothing that could end a line or a field, and a request
    /// with a key is one for an object.
    #[test]
    fn any_bytes(path in vec(any::<u8>(), 0..30), query in "[a-zA-Z%&=+;?-]{0,20}", name in "[ -~]{0,12}", value in vec(any::<u8>(), 0..8), origin in vec(any::<u8>(), 0..8)) {
        let path = [b"/", path.as_slice()].concat();
        let headers = [Header { name: name.as_bytes(), value: &value }, Header { name: b"origin", value: &value }];
        let request = ClientRequest { method: b"GET", path: &path, query: query.as_bytes(), host: None, path_with_plus: None, rewritten: None, headers: &headers };
        if let Some(key) = cache_key(&request, &Address::PATH_STYLE, AuthType::V4Query, None, &origin, None) {
            prop_assert!(key.iter().all(|byte| (b' '..=b'~').contains(byte)));
            prop_assert_eq!(key.iter().filter(|byte| **byte == b' ').count(), 3);
            prop_assert_eq!(S3Request::of(&request, &Address::PATH_STYLE).unwrap().operation(), Operation::GetObject);
        }
    }
}
