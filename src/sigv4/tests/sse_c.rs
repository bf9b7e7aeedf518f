//! Keys for SSE-C that are added to what goes to the origin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use common::{
    form::{self, SampleForm},
    operations::OPERATIONS,
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use sigv4::*;

const TARGET: &str = "x-amz-server-side-encryption-customer-";
const SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer-";

/// Takes from AWS's model of the service (botocore's of 2026-11): the operations that have these headers, and those
/// that have them for what is copied, too.
const TAKE_A_KEY: [&str; 11] = [
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "GetObject",
    "GetObjectAttributes",
    "HeadObject",
    "ListParts",
    "PutObject",
    "SelectObjectContent",
    "UploadPart",
    "UploadPartCopy",
];
const COPY: [&str; 2] = ["CopyObject", "UploadPartCopy"];

/// A key of the same bytes all over, and its MD5 by openssl.
fn key(byte: u8) -> String {
    Base64::encode_string(&[byte; 32])
}

fn customer_key(byte: u8) -> CustomerKey {
    CustomerKey::parse(SecretKey::new(key(byte).into_bytes())).unwrap()
}

fn keys(rules: &[(&str, u8, bool)]) -> Option<Arc<CustomerKeys>> {
    let mut keys = CustomerKeys::default();
    for (pattern, byte, is_cached) in rules {
        let rule = CustomerKeyRule::new(pattern.as_bytes(), customer_key(*byte), *is_cached);
        keys.push(rule.unwrap()).unwrap();
    }
    Some(Arc::new(keys))
}

fn rules_with(rules: &[(&str, u8)]) -> VerifyRules {
    let rules: Vec<_> = rules.iter().map(|(p, b)| (*p, *b, false)).collect();
    VerifyRules {
        customer_keys: keys(&rules),
        anonymous: Anonymous::PassedOn,
        signature_v2: true,
        ..common::rules()
    }
}

fn origin() -> Origin {
    Origin::new(
        credential("AKIDORIGIN", "origin/secret"),
        b"s3.origin.example",
    )
}

fn clients() -> &'static Directory {
    kept(Directory::with_grant(
        KEY,
        SECRET,
        grant("all,CreateSession", ""),
    ))
}

fn head_of(text: &str) -> String {
    let (line, headers) = text.split_once('\n').unwrap();
    let headers = headers.trim_end().replace('\n', "\r\n");
    format!("{line} HTTP/1.1\r\n{headers}\r\n\r\n")
}

/// Verifies a request, and signs it for the origin; what was sent must verify there. Gives what is sent, and whether
/// answers lose what they say of a key.
fn sent(text: &str, rules: &VerifyRules) -> Result<(String, bool), Rejection> {
    let verified =
        verdict(&Raw::new(text), clients(), rules, NOW).map(|verified| verified.auth_type())?;
    let (out, is_hidden) = sent_unread(text, rules);
    if verified.is_signed_for_origins() {
        let (received, rules) = (out.replace("\r\n", "\n"), common::rules());
        let received = Raw::new(&received);
        let any = grant("all,CreateSession", "");
        let there = Directory::with_grant("AKIDORIGIN", "origin/secret", any);
        let found = verdict(&received, &there, &rules, NOW);
        assert_eq!(found.map(|_| ()).map_err(|_| &out), Ok(()));
    }
    Ok((out, is_hidden))
}

/// As `sent`, where nobody verifies what was sent: it may have more headers than are accepted.
fn sent_unread(text: &str, rules: &VerifyRules) -> (String, bool) {
    let raw = Raw::new(text);
    let verified = verdict(&raw, clients(), rules, NOW).expect(text);
    let wire = head_of(text);
    let mut room = HeadRoom::default();
    let head = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
    let (origin, mut keys) = (origin(), KeyCache::new(8));
    let mut signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW)).expect(text);
    let mut out = vec![0; signed.max_len()];
    let length = signed.write(&mut out).expect(text);
    out.truncate(length);
    let out = String::from_utf8(out).unwrap();
    (out, verified.hides_customer_key())
}

/// The key in a head for its object, or for what is copied. It must be whole, and there once.
fn key_in(head: &str, prefix: &str) -> Option<String> {
    let values = |name: &str| -> Vec<_> {
        let start = format!("{prefix}{name}: ").to_ascii_lowercase();
        let is_it = |line: &&str| line.to_ascii_lowercase().starts_with(&start);
        let lines = head.split("\r\n").filter(is_it);
        lines.map(|line| line[start.len()..].to_owned()).collect()
    };
    let found = ["algorithm", "key", "key-md5"].map(values);
    let [algorithm, key, md5] = found.each_ref().map(|values| values.first());
    assert!(found.iter().all(|values| values.len() <= 1), "{head}");
    if let (Some(algorithm), Some(key), Some(md5)) = (algorithm, key, md5) {
        assert_eq!(algorithm, "AES256");
        assert_eq!(Base64::decode_vec(md5).unwrap().len(), 16);
        return Some(key.clone());
    }
    assert_eq!((algorithm, key, md5), (None, None, None), "{head}");
    None
}

/// Headers with a key, as a client sends them.
fn own(prefix: &str) -> String {
    format!(
        "{prefix}algorithm: AES256\n{prefix}key: {}\n{prefix}key-MD5: AAAAAAAAAAAAAAAAAAAAAA==",
        key(9)
    )
}

/// Each operation, with a key for its object, for what is copied, for both and for none, and with keys of the client's
/// own for either.
#[test]
fn every_operation() {
    let mut took = Vec::new();
    for asked in OPERATIONS.iter().filter(|asked| asked.name != "PostObject") {
        let takes = TAKE_A_KEY.contains(&asked.name);
        let copies = COPY.contains(&asked.name);
        let target = [asked.path, "?", asked.query].concat();
        let target = target.trim_end_matches('?');
        // What takes no key does so in each case.
        let is_tried = |bits: &u32| takes || matches!(bits, 3 | 15);
        for (has_target, has_source, own_target, own_source) in
            (0..16_u32).filter(is_tried).map(|bits| {
                let bit = |at: u32| bits >> at & 1 == 1;
                (bit(0), bit(1), bit(2), bit(3))
            })
        {
            let mut lines = vec![("other", 3)];
            lines.extend(has_target.then_some(("b", 1)));
            lines.extend(has_source.then_some(("src", 2)));
            let rules = rules_with(&lines);
            let mut sample = Sample::new(asked.method, target);
            if !asked.source.is_empty() {
                sample = sample.header(&format!("x-amz-{}-source", asked.source), "/src/k%20l");
            }
            for (is_sent, prefix) in [(own_target, TARGET), (own_source, SOURCE)] {
                let lines = own(prefix);
                let lines = lines.lines().filter(|_| is_sent);
                for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
                    sample = sample.header(name, value);
                }
            }
            for text in [sample.clone().header_form(), sample.query_form()] {
                let (head, is_hidden) = sent(&text, &rules).expect(&text);
                let expected = |is_own, is_added, byte| match (is_own, is_added) {
                    (true, _) => Some(key(9)),
                    (false, true) => Some(key(byte)),
                    (false, false) => None,
                };
                let (at_target, at_source) = (key_in(&head, TARGET), key_in(&head, SOURCE));
                assert_eq!(
                    at_target,
                    expected(own_target, takes && has_target, 1),
                    "{head}"
                );
                assert_eq!(
                    at_source,
                    expected(own_source, copies && has_source, 2),
                    "{head}"
                );
                assert_eq!(is_hidden, !own_target, "{head}");
                if at_target == Some(key(1)) {
                    took.push(asked.name);
                }
            }
        }
    }
    took.dedup();
    let mut expected = TAKE_A_KEY.to_vec();
    expected.sort_unstable();
    took.sort_unstable();
    assert_eq!(took, expected);
}

#[test]
fn header_values() {
    let text = Sample::new("PUT", "/b/k").header_form();
    let (head, _) = sent(&text, &rules_with(&[("b", b'k')])).unwrap();
    // printf 'k%.0s' {1..32} | openssl md5 -binary | base64
    for line in [
        "x-amz-server-side-encryption-customer-algorithm: AES256\r\n",
        "x-amz-server-side-encryption-customer-key: a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\r\n",
        "x-amz-server-side-encryption-customer-key-md5: mT2HRsMGJ5IX5C+0rreZ8Q==\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    let names = "host;x-amz-content-sha256;x-amz-date;x-amz-server-side-encryption-customer-algorithm;\
                 x-amz-server-side-encryption-customer-key;x-amz-server-side-encryption-customer-key-md5,";
    assert!(head.contains(names), "{head}");
}

/// By V2 too.
#[test]
fn other_signatures() {
    let rules = rules_with(&[("b", 1)]);
    for text in [
        Sample::new("GET", "/b/k").v2_header_form(),
        Sample::new("GET", "/b/k").v2_query_form(),
    ] {
        let (head, is_hidden) = sent(&text, &rules).unwrap();
        assert_eq!(key_in(&head, TARGET), Some(key(1)), "{head}");
        assert!(is_hidden);
    }
}

/// What is not whole is the client's own all the same.
#[test]
fn keys_of_clients() {
    let rules = rules_with(&[("*", 1)]);
    for name in [
        "X-Amz-Server-Side-Encryption-Customer-Algorithm",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-MD5",
    ] {
        let own = Sample::new("GET", "/b/k").header(name, "a");
        for text in [own.clone().header_form(), own.query_form()] {
            let (head, is_hidden) = sent(&text, &rules).unwrap();
            assert!(!head.contains(&key(1)) && !is_hidden, "{head}");
        }
    }
}

/// What some origins do not take for a key would let a client store in clear.
#[test]
fn no_keys_of_clients() {
    let rules = rules_with(&[("*", 1)]);
    for name in [
        "x-amz-server-side-encryption",
        "x_amz_server_side_encryption_customer_key",
        "x-amz-server-side-encryption-customer-other",
        "x-amz-copy-source-server-side-encryption-customer-key",
    ] {
        let text = Sample::new("PUT", "/b/k")
            .header(name, "AES256")
            .header_form();
        let (head, is_hidden) = sent(&text, &rules).unwrap();
        assert_eq!(
            (key_in(&head, TARGET), is_hidden),
            (Some(key(1)), true),
            "{name}"
        );
    }
    for query in [
        "x-amz-server-side-encryption-customer-key=a",
        "%58-amz-server-side-encryption-customer-algorithm=AES256",
    ] {
        let text = Sample::new("PUT", &format!("/b/k?{query}")).query_form();
        let (head, is_hidden) = sent(&text, &rules).unwrap();
        assert_eq!(
            (key_in(&head, TARGET), is_hidden),
            (Some(key(1)), true),
            "{query}"
        );
    }
}

/// There is room for the keys beside as many headers as there may be.
#[test]
fn many_headers() {
    let rules = rules_with(&[("b", 1), ("src", 2)]);
    let mut sample = Sample::new("PUT", "/b/k").header("x-amz-copy-source", "src/k");
    for number in 0..MAX_HEADERS - 5 {
        sample = sample.header(&format!("x-amz-meta-{number}"), "v");
    }
    for text in [sample.clone().header_form(), sample.query_form()] {
        let (head, _) = sent_unread(&text, &rules);
        assert_eq!(
            (key_in(&head, TARGET), key_in(&head, SOURCE)),
            (Some(key(1)), Some(key(2)))
        );
    }
}

#[test]
fn the_most_specific_pattern_counts() {
    let lines = [
        ("*", 1),
        ("logs-*", 2),
        ("*-long-end", 3),
        ("media", 4),
        ("media/private/*", 5),
        ("media/private/k", 6),
        ("*/tmp/*", 7),
    ];
    let mut reversed = lines;
    reversed.reverse();
    for rules in [rules_with(&lines), rules_with(&reversed)] {
        for (path, byte) in [
            ("/other/k", 1),
            ("/other/tmp/k", 7),
            ("/logs-web/tmp/k", 2),
            ("/logs-", 0),
            ("/logs-/k", 2),
            ("/logs-long-end/k", 3),
            ("/media/k", 4),
            ("/m%65dia/k", 4),
            ("/Media/k", 1),
            ("/media/private", 4),
            ("/media/private/", 5),
            ("/media/private/a/b", 5),
            ("/media/private%2Fk", 6),
            ("/media%2Fprivate/k", 6),
            ("/media/private/%6b", 6),
            ("/media/a/../private/k", 4),
            ("/a:b/k", 1),
        ] {
            let (head, _) = sent(&Sample::new("GET", path).header_form(), &rules).unwrap();
            let expected = (byte > 0).then(|| key(byte));
            assert_eq!(key_in(&head, TARGET), expected, "{path}");
        }
        let long = format!("/media/private/{}", "k".repeat(2000));
        let (head, _) = sent(&Sample::new("GET", &long).header_form(), &rules).unwrap();
        assert_eq!(key_in(&head, TARGET), Some(key(5)));
    }
    let (head, is_hidden) =
        sent(&Sample::new("GET", "/b/k").header_form(), &rules_with(&[])).unwrap();
    assert_eq!((key_in(&head, TARGET), is_hidden), (None, false));
}

#[test]
fn patterns() {
    for (pattern, is_one) in [
        ("b", true),
        ("*", true),
        ("b/k", true),
        ("b/a*b*", true),
        ("", false),
        ("b/", false),
        ("/k", false),
        ("a b", false),
        ("a,b", false),
    ] {
        let rule = CustomerKeyRule::new(pattern.as_bytes(), customer_key(1), false);
        assert_eq!(rule.is_some(), is_one, "{pattern}");
    }
    let mut keys = CustomerKeys::default();
    for (pattern, is_new) in [
        ("b", true),
        ("b*", true),
        ("b", false),
        ("b/b", true),
        ("b/b", false),
    ] {
        let rule = CustomerKeyRule::new(pattern.as_bytes(), customer_key(1), false).unwrap();
        assert_eq!(keys.push(rule).is_ok(), is_new, "{pattern}");
    }
}

#[test]
fn keys_are_32_bytes() {
    let is_key = |text: &str| CustomerKey::parse(SecretKey::new(text.into())).is_some();
    for length in 0..80 {
        let text = Base64::encode_string(&vec![7; length]);
        assert_eq!(is_key(&text), length == 32, "{length}");
    }
    let good = key(255);
    for bad in [
        good.trim_end_matches('=').to_owned(),
        good.replace('/', "_"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        // The last digit has bits that are not part of any byte.
        good.replace("8=", "9="),
        "k".repeat(32),
        "0f".repeat(32),
    ] {
        assert!(!is_key(&bad), "{bad}");
    }
    assert!(is_key(&good));
    let shown = format!("{:?}", keys(&[("b", 1, false)]));
    assert!(!shown.contains(&key(1)[..8]), "{shown}");
}

/// What an origin may take for an operation with data is not stored in clear.
#[test]
fn unknown_operations() {
    let rules = rules_with(&[("b", 1), ("src", 2)]);
    for (method, target, byte) in [
        ("PUT", "/b/k?unknown", 1),
        ("PUT", "/b/k?acl&tagging", 1),
        ("GET", "/b/k?unknown=1", 1),
        ("HEAD", "/b/k?unknown=1", 1),
        ("POST", "/b/k?unknown", 1),
        ("DELETE", "/b/k?unknown", 0),
        ("PUT", "/b?unknown", 0),
        ("PUT", "/c/k?unknown", 0),
    ] {
        let (head, _) = sent(&Sample::new(method, target).header_form(), &rules).unwrap();
        assert_eq!(
            key_in(&head, TARGET),
            (byte > 0).then(|| key(byte)),
            "{target}"
        );
    }
    let copy = Sample::new("PUT", "/b/k?unknown").header("x-amz-copy-source", "src/k");
    let (head, _) = sent(&copy.header_form(), &rules).unwrap();
    assert_eq!(key_in(&head, TARGET), Some(key(1)));
    assert_eq!(key_in(&head, SOURCE), Some(key(2)));
}

#[test]
fn sources() {
    let rules = rules_with(&[("src", 1), ("src/private/*", 2)]);
    for (source, byte) in [
        ("src/k", 1),
        ("/src/k", 1),
        ("%2Fsrc%2Fk?versionId=1", 1),
        ("src/private/k", 2),
        ("src/private%2Fk?versionId=/k", 2),
        ("other/k", 0),
        ("arn:aws:s3:us-east-1:1:accesspoint/src/object/k", 0),
    ] {
        let copy = Sample::new("PUT", "/b/k").header("x-amz-copy-source", source);
        let (head, _) = sent(&copy.header_form(), &rules).unwrap();
        assert_eq!(
            key_in(&head, SOURCE),
            (byte > 0).then(|| key(byte)),
            "{source}"
        );
        assert_eq!(key_in(&head, TARGET), None);
    }
}

/// The operator's key opens nothing to those who are not known, and nothing of theirs is stored in clear.
/// The location has granted what its key signs, and so what its key for the object encrypts.
#[test]
fn requests_that_the_location_signs() {
    let rules = VerifyRules {
        anonymous: Anonymous::Signed {
            grant: Arc::new(grant("read,write", "b,c")),
            account: None,
        },
        ..rules_with(&[("b", 1)])
    };
    for (text, target, source) in [
        ("GET /b/k\nHost: h\n", Some(key(1)), None),
        ("HEAD /b/k\nHost: h\n", Some(key(1)), None),
        ("PUT /b/k\nHost: h\n", Some(key(1)), None),
        ("GET /c/k\nHost: h\n", None, None),
        ("GET /b/k?tagging\nHost: h\n", None, None),
        (
            "PUT /c/k\nHost: h\nx-amz-copy-source: b/k\n",
            None,
            Some(key(1)),
        ),
    ] {
        let (head, is_hidden) = sent(text, &rules).expect(text);
        assert_eq!(key_in(&head, TARGET), target, "{text}");
        assert_eq!(key_in(&head, SOURCE), source, "{text}");
        assert!(is_hidden);
    }
    // It brings no key of its own: nobody has signed that it is one.
    let own = format!("GET /b/k\nHost: h\n{}\n", own(TARGET));
    assert_eq!(sent(&own, &rules).err(), Some(Rejection::UnsignedHeaders));
}

#[test]
fn unsigned_requests() {
    let rules = rules_with(&[("b", 1)]);
    for (text, is_rejected) in [
        ("GET /b/k\nHost: h\n".to_owned(), true),
        ("HEAD /b/k\nHost: h\n".to_owned(), true),
        ("PUT /b/k\nHost: h\n".to_owned(), true),
        ("PUT /b/k?unknown\nHost: h\n".to_owned(), true),
        (
            "PUT /c/k\nHost: h\nx-amz-copy-source: b/k\n".to_owned(),
            true,
        ),
        ("GET /c/k\nHost: h\n".to_owned(), false),
        ("GET /b\nHost: h\n".to_owned(), false),
        ("GET /b/k?tagging\nHost: h\n".to_owned(), false),
        (format!("GET /b/k\nHost: h\n{}\n", own(TARGET)), false),
        (
            format!(
                "PUT /c/k\nHost: h\nx-amz-copy-source: b/k\n{}\n",
                own(TARGET)
            ),
            true,
        ),
        (
            format!(
                "PUT /c/k\nHost: h\nx-amz-copy-source: b/k\n{}\n",
                own(SOURCE)
            ),
            false,
        ),
    ] {
        match sent(&text, &rules) {
            Err(rejection) => assert!(is_rejected && rejection == Rejection::UnsignedKey, "{text}"),
            Ok((head, _)) => assert!(!is_rejected && !head.contains(&key(1)), "{text}"),
        }
    }
    // A configuration may take the client's own key away on the way.
    let text = format!("GET /b/k\nHost: h\n{}\n", own(TARGET));
    let raw = Raw::new(&text);
    let verified = verdict(&raw, clients(), &rules, NOW).unwrap();
    let mut room = HeadRoom::default();
    let head = WireHead::parse(
        b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n",
        &verified,
        &mut room,
    )
    .unwrap();
    let (origin, mut keys) = (origin(), KeyCache::new(8));
    let signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW));
    assert_eq!(signed.err(), Some(Unsignable::UnsignedKey));
    let preflight =
        "OPTIONS /b/k\nHost: h\nOrigin: https://a\nAccess-Control-Request-Method: PUT\n";
    assert!(!sent(preflight, &rules).unwrap().0.contains(&key(1)));
}

/// The key goes by the names that clients have; what goes out has the origin's.
#[test]
fn names_of_clients() {
    let mut buckets = BucketMap::default();
    for (client, there) in [("b", "theirs"), ("theirs", "b")] {
        buckets
            .push(BucketRule::parse(client.as_bytes(), there.as_bytes()).unwrap())
            .unwrap();
    }
    let rules = rules_with(&[("b", 1), ("theirs", 2)]);
    let text = Sample::new("PUT", "/b/k")
        .header("x-amz-copy-source", "theirs/k")
        .header_form();
    let raw = Raw::new(&text);
    let verified = verdict(&raw, clients(), &rules, NOW).unwrap();
    let wire = head_of(&text);
    for addressing in [Addressing::Path, Addressing::Virtual] {
        let origin = Origin {
            buckets: buckets.clone(),
            addressing,
            ..origin()
        };
        let mut room = HeadRoom::default();
        let head = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
        let mut keys = KeyCache::new(8);
        let mut signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW)).unwrap();
        let mut out = vec![0; signed.max_len()];
        let length = signed.write(&mut out).unwrap();
        let out = String::from_utf8(out[..length].to_vec()).unwrap();
        assert!(out.contains("x-amz-copy-source: b/k\r\n"), "{out}");
        assert_eq!(key_in(&out, TARGET), Some(key(1)));
        assert_eq!(key_in(&out, SOURCE), Some(key(2)));
    }
}

#[test]
fn forms() {
    let with = [("bucket", 1), ("bucket/private/*", 2)];
    let field = |name: &str| [TARGET, name].concat();
    let mine = |form: SampleForm| {
        form.field(&field("algorithm"), "AES256")
            .field(&field("key"), &key(9))
            .field(&field("key-MD5"), "AAAAAAAAAAAAAAAAAAAAAA==")
    };
    for (sample, lines, expected) in [
        (SampleForm::new("k"), &with[..], Some(key(1))),
        (SampleForm::new("private/k"), &with, Some(key(2))),
        (mine(SampleForm::new("k")), &with[..], Some(key(9))),
        (SampleForm::new("k"), &[("c", 1)], None),
    ] {
        let rules = rules_with(lines);
        let head = form::head("/bucket");
        let raw = Raw::new(&head);
        let (decoder, _) = form::decode(&raw, &sample.body(), &[]).unwrap();
        let start = kept(decoder.head().unwrap().to_vec());
        let verified = form::verdict_under(&raw, &decoder, start, clients(), &rules, NOW).unwrap();
        let wire = head_of(&head);
        let mut room = HeadRoom::default();
        let wire = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
        let (origin, mut keys) = (origin(), KeyCache::new(8));
        let mut signed = sign(&verified, &wire, &origin, &mut keys, Timestamp(NOW)).unwrap();
        let mut out = vec![0; signed.max_len()];
        let (length, _) = signed.write_with_encoder(&mut out).unwrap();
        let (head, body) = std::str::from_utf8(&out[..length])
            .unwrap()
            .split_once("\r\n\r\n")
            .unwrap();
        assert_eq!(key_in(head, TARGET), None, "{head}");
        let value = |name: &str| {
            let start = format!("name=\"{name}\"\r\n\r\n").to_ascii_lowercase();
            let at = body.to_ascii_lowercase().find(&start)? + start.len();
            body[at..].split("\r\n").next()
        };
        assert_eq!(value(&field("key")), expected.as_deref(), "{body}");
        assert_eq!(value(&field("algorithm")).is_some(), expected.is_some());
        assert_eq!(value(&field("key-md5")).is_some(), expected.is_some());
        // The policy, which the origin checks, has each of the fields.
        let policy = Base64::decode_vec(value("policy").unwrap()).unwrap();
        let policy = String::from_utf8(policy).unwrap();
        assert_eq!(
            policy.contains(&field("key")),
            expected.is_some(),
            "{policy}"
        );
        assert_eq!(verified.hides_customer_key(), expected != Some(key(9)));
    }
}

/// An object that needs a key is kept only where that is said, and apart from those of other keys.
#[test]
fn caches() {
    let ask = |path: &str, rules: &[(&str, u8, bool)], form| {
        let text = format!("GET {path}\nHost: h\n");
        let keys = keys(rules);
        cache_key(
            &Raw::new(&text).request(),
            &Address::PATH_STYLE,
            form,
            None,
            b"o",
            keys.as_deref(),
        )
    };
    let signed = AuthType::V4Header;
    let plain = ask("/b/k", &[], signed).unwrap();
    assert_eq!(ask("/b/k", &[("c", 1, false)], signed), Some(plain.clone()));
    assert_eq!(ask("/b/k", &[("b", 1, false)], signed), None);
    assert_eq!(
        ask("/b/k", &[("b", 1, true), ("b/k", 1, false)], signed),
        None
    );
    let kept = |byte| ask("/b/k", &[("b", byte, true)], signed).unwrap();
    assert_eq!(kept(1), ask("/b/k", &[("*", 1, true)], signed).unwrap());
    assert_ne!(kept(1), kept(2));
    assert!(kept(1).starts_with(&[&plain[..], b" sse-c="].concat()));
    assert!(!String::from_utf8(kept(1)).unwrap().contains(&key(1)[..8]));

    // What goes out is judged as what came in.
    for (is_cached, expected) in [(false, None), (true, Some(kept(1)))] {
        let rules = VerifyRules {
            customer_keys: keys(&[("b", 1, is_cached)]),
            ..common::rules()
        };
        let text = Sample::new("GET", "/b/k").header_form();
        let raw = Raw::new(&text);
        let verified = verdict(&raw, clients(), &rules, NOW).unwrap();
        assert_eq!(verified.cache_key(&raw.request(), b"o"), expected);
        let mut room = HeadRoom::default();
        let head = WireHead::parse(
            b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n",
            &verified,
            &mut room,
        )
        .unwrap();
        assert_eq!(head.cache_key(&verified, b"o"), expected);
    }
}

/// Neither a key nor its hash is told in an error.
#[test]
fn traces_of_keys() {
    let keys = keys(&[("b", b'k', false)]).unwrap();
    let mut traces = Traces::default();
    assert!(!traces.are_in(b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="));
    traces.add_customer_keys(&keys);
    assert!(traces.are_in(b"key a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s= is"));
    assert!(traces.are_in(b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s%3D"));
    assert!(traces.are_in(b"mT2HRsMGJ5IX5C+0rreZ8Q=="));
    assert!(!traces.are_in(b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2t="));
}

#[test]
fn headers_of_answers() {
    for (name, is_one) in [
        ("x-amz-server-side-encryption-customer-algorithm", true),
        ("X-Amz-Server-Side-Encryption-Customer-Key-MD5", true),
        ("x-amz-server-side-encryption", false),
        ("x-amz-server-side-encryption-aws-kms-key-id", false),
        ("ETag", false),
    ] {
        assert_eq!(is_customer_key_header(name.as_bytes()), is_one, "{name}");
    }
}

/// Where an object begins to be stored with an operator's key, S3 confirms it.
#[test]
fn confirmations() {
    let rules = rules_with(&[("b", 1)]);
    let mine = own(TARGET);
    let (name, value) = mine.lines().next().unwrap().split_once(": ").unwrap();
    for (sample, expected) in [
        (Sample::new("PUT", "/b/k"), true),
        (Sample::new("PUT", "/b/k?partNumber=1&uploadId=u"), true),
        (Sample::new("POST", "/b/k?uploads"), false),
        (Sample::new("PUT", "/c/k"), false),
        (Sample::new("GET", "/b/k"), false),
        (Sample::new("PUT", "/b/k?tagging"), false),
        (Sample::new("PUT", "/b/k").header(name, value), true),
    ] {
        let text = sample.header_form();
        let raw = Raw::new(&text);
        let verified = verdict(&raw, clients(), &rules, NOW).unwrap();
        assert_eq!(verified.awaits_confirmed_key(), expected, "{text}");
    }
}
