//! What holds for any request, and for any bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{KEY, NOW, SECRET, Sample, canonical_query, decode, encode},
    *,
};
use proptest::{collection::vec, prelude::*};
use sigv4::*;

fn origin(addressing: Addressing) -> Origin {
    Origin {
        region: Region::parse(b"eu-west-1"),
        addressing,
        ..Origin::new(
            credential("AKIDORIGIN", "origin/secret"),
            b"s3.origin.example:9000",
        )
    }
}

fn open() -> VerifyRules {
    VerifyRules {
        anonymous: Anonymous::PassedOn,
        signature_v2: true,
        ..rules()
    }
}

fn header_name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Content-Type".to_owned()),
        Just("range".to_owned()),
        "[xX]-[aA]mz-[a-zA-Z0-9-]{1,6}",
        "[a-z][a-zA-Z0-9_-]{0,6}z",
    ]
}

/// A request as a client signs it, with all that is awkward in keys, queries and headers.
fn sample() -> impl Strategy<Value = Sample> {
    (
        "(GET|HEAD|PUT|POST|DELETE)",
        "/(b([a-z+.]|%[0-9a-fA-F]{2}|[ -~&&[^?% #]]|[à-ü]){0,12})?",
        "([a-cA-C=&+]|%[0-9a-fA-F]{2}|[!-~&&[^%#]]|[à-ü]){0,24}",
        vec((header_name(), "[!-~]{1,3}( {0,2}[!-~]{1,3}){0,2}"), 0..6),
    )
        .prop_map(|(method, path, query, headers)| {
            let mut sample = Sample::new(&method, &format!("{path}?{query}"));
            let mut single = vec!["content-type".to_owned(), "x-amz-date".into()];
            single.push("x-amz-content-sha256".into());
            for (name, value) in headers {
                let known = single
                    .iter()
                    .position(|single| single.eq_ignore_ascii_case(&name));
                match known {
                    Some(at) if at == 0 => drop(single.remove(at)),
                    Some(_) => continue,
                    None if matches!(name.to_lowercase().as_str(), "content-type") => continue,
                    None => {}
                }
                sample = sample.header(&name, &value);
            }
            sample
        })
}

fn head_of(text: &str) -> String {
    let (line, headers) = text.split_once('\n').unwrap();
    format!("{line} HTTP/1.1\r\n{}\r\n", headers.replace('\n', "\r\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    /// What a client signs is accepted; what we then sign, the origin accepts, and both understand
    /// the same path and query.
    #[test]
    fn round_trip(sample in sample(), presigned: bool) {
        let text = if presigned { sample.clone().query_form() } else { sample.clone().header_form() };
        let clients = Directory::new(&[(KEY, SECRET)]);
        let path = decode(sample.path.as_bytes(), false);
        let bucket = path[1..].split(|byte| *byte == b'/').next().unwrap();
        let verified = match verdict(&Raw::new(&text), &clients, kept(rules()), NOW) {
            Ok(verified) => verified,
            // A name made up that is one of a signature.
            Err(Rejection::SeveralMechanisms) => return Ok(()),
            Err(Rejection::MethodNotAllowed) if sample.path == "/" => return Ok(()),
            // It may leave its bucket.
            Err(Rejection::LeavesBucket) if path.windows(2).any(|pair| pair == b"..") => return Ok(()),
            Err(Rejection::InvalidUri) if path.starts_with(b"/.") || bucket.contains(&b'\\') => return Ok(()),
            Err(other) => return Err(TestCaseError::fail(format!("{other}: {text}"))),
        };
        let head = head_of(&text);
        let mut room = HeadRoom::default();
        let head = WireHead::parse(head.as_bytes(), &verified, &mut room).unwrap();
        let origin = origin(Addressing::Path);
        let mut keys = KeyCache::new(2);
        let mut signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW)).unwrap();
        let mut out = vec![0; signed.max_len()];
        let length = signed.write(&mut out).unwrap();
        out.truncate(length);
        let sent = String::from_utf8(out).unwrap().replace("\r\n", "\n");
        let raw = Raw::new(&sent);
        let origins = Directory::new(&[("AKIDORIGIN", "origin/secret")]);
        let answer = verdict(&raw, &origins, &rules(), NOW).map(|verified| verified.auth_type());
        prop_assert_eq!(answer, Ok(verified.auth_type()), "{}", sent);

        prop_assert_eq!(raw.path, encode(&decode(sample.path.as_bytes(), false), true));
        let kept = raw.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("X-Amz-"));
        let wanted = canonical_query(&sample.query);
        prop_assert_eq!(kept.collect::<Vec<_>>().join("&"), wanted);
        // What is canonical stays as it is.
        let again = Sample::new("GET", &format!("{}?{}", raw.path, canonical_query(&sample.query)));
        let (again, request) = (again.header_form(), again_target(&sample));
        prop_assert!(again.starts_with(&request));
    }

    /// One bit of a request changed, and it is rejected.
    #[test]
    fn tampering(sample in sample(), presigned: bool, at: prop::sample::Index, bit in 0..7_u32) {
        let text = if presigned { sample.query_form() } else { sample.header_form() };
        let clients = Directory::new(&[(KEY, SECRET)]);
        let ask = |text: &str| verdict(&Raw::new(text), &clients, &rules(), NOW).map(|_| ());
        prop_assume!(ask(&text) == Ok(()));
        let line = text.find('\n').unwrap();
        let mut bytes = text.clone().into_bytes();
        let at = at.index(line);
        bytes[at] ^= 1 << bit;
        let Ok(changed) = String::from_utf8(bytes) else { return Ok(()) };
        prop_assume!(!changed[..=line].trim_end().contains(['\n', '\r']) && changed.find(' ') == text.find(' '));
        // Other spellings of the same request are the same request.
        let parts = |text: &str| {
            let raw = Raw::new(text);
            (raw.method.to_owned(), decode(raw.path.as_bytes(), false), canonical_query(raw.query))
        };
        if parts(&changed) != parts(&text) {
            prop_assert!(ask(&changed).is_err(), "{}\n{}", text, changed);
        }
    }

    /// No bytes make anything panic, whatever it is asked for.
    #[test]
    fn any_bytes(
        method in prop_oneof![Just(b"GET".to_vec()), Just(b"PUT".to_vec()), vec(any::<u8>(), 0..8)],
        mut path in vec(any::<u8>(), 0..40),
        query in prop_oneof![vec(any::<u8>(), 0..300), "(X-Amz-[A-Z]|[A-Za-z0-9%&=/;-]){0,80}".prop_map(String::into_bytes)],
        headers in vec((hostile_name(), hostile_value()), 0..12),
        host in proptest::option::of(vec(any::<u8>(), 0..8)),
        now: i64,
        skew: i64,
    ) {
        path.insert(0, b'/');
        let list: Vec<_> = headers
            .iter()
            .map(|(name, value)| Header { name, value })
            .collect();
        let request = ClientRequest { method: &method, path: &path, query: &query, host: host.as_deref(), path_with_plus: None, rewritten: None, headers: &list };
        let clients = Directory::with_grant(KEY, SECRET, grant("read", "a*b"));
        let rules = VerifyRules { max_skew: skew, region: Region::parse(b"x"), ..open() };
        let mut keys = KeyCache::new(0);
        let _ = S3Request::of(&request, &Address::PATH_STYLE);
        let _ = explain(&request);
        if let Some(path) = ResourcePath::of(&path) {
            for part in [path.bucket(), path.key()].into_iter().flatten() {
                let mut out = vec![0; part.len()];
                part.write(&mut out);
                prop_assert!(out.is_ascii() && !out.contains(&0));
            }
        }
        if let Ok(verified) = verify(&request, &clients, &rules, &mut keys, Timestamp(now)) {
            let mut head = [b"GET ".as_slice(), &path, b"?", &query, b" HTTP/1.1\r\n"].concat();
            for Header { name, value } in list {
                head.extend([name, b": ", value, b"\r\n"].concat());
            }
            head.extend(b"\r\n");
            for addressing in [Addressing::Path, Addressing::Virtual] {
                sign_whatever(&verified, &head, addressing, now);
            }
        }
    }

    /// No head makes anything panic, and none puts a second request or a line of its own making on
    /// the wire.
    #[test]
    fn any_head(
        start in prop_oneof![Just("GET /b/k?acl HTTP/1.1\r\n".to_owned()), "[A-Z]{0,4} [/a-z%0-9?&=]{0,9} HTTP/1.[01]\r\n"],
        middle in prop_oneof![vec(any::<u8>(), 0..100), "([a-zA-Z-]{1,6}: [ -~\r\n]{0,9}\r\n){0,4}".prop_map(String::into_bytes)],
    ) {
        let text = "GET /b/k?acl\nHost: h\n";
        let verified = verdict(&Raw::new(text), kept(Directory::new(&[])), kept(open()), NOW).unwrap();
        let head = [start.as_bytes(), &middle, b"\r\n\r\n"].concat();
        for head in [&head, &middle] {
            for addressing in [Addressing::Path, Addressing::Virtual] {
                sign_whatever(&verified, head, addressing, NOW);
            }
        }
    }
}

fn again_target(sample: &Sample) -> String {
    let query = canonical_query(&canonical_query(&sample.query));
    let path = encode(&decode(sample.path.as_bytes(), false), true);
    let question = if query.is_empty() { "" } else { "?" };
    format!("GET {path}{question}{query}\n")
}

fn hostile_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "(Authorization|x-amz-date|Date|host|x-amz-content-sha256|content-type|x-amz-copy-source)"
            .prop_map(String::into_bytes),
        vec(any::<u8>(), 0..20),
    ]
}

fn hostile_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "AWS4-HMAC-SHA256 Credential=[A-Z]{0,9}/2026010[12]/(us-east-1)?/s3/aws4_request, *SignedHeaders=[a-z;-]{0,20},Signature=[0-9a-f]{0,64}"
            .prop_map(String::into_bytes),
        "AWS [A-Z:]{0,9}".prop_map(String::into_bytes),
        "2026010[12]T0[0-9]{5}Z".prop_map(String::into_bytes),
        Just(b"UNSIGNED-PAYLOAD".to_vec()),
        vec(any::<u8>(), 0..60),
    ]
}

fn sign_whatever(verified: &Verified<'_>, head: &[u8], addressing: Addressing, now: i64) {
    let mut room = HeadRoom::default();
    let Ok(head) = WireHead::parse(head, verified, &mut room) else {
        return;
    };
    let origin = origin(addressing);
    let mut keys = KeyCache::new(1);
    if let Ok(mut signed) = sign(verified, &head, &origin, &mut keys, Timestamp(now)) {
        let mut out = vec![0; signed.max_len()];
        let length = signed.write(&mut out).unwrap();
        out.truncate(length);
        let end = out.windows(4).position(|window| window == b"\r\n\r\n");
        assert_eq!(end, Some(out.len() - 4), "{}", out.escape_ascii());
        let bare = |pair: &[u8]| (pair[0] == b'\r') != (pair[1] == b'\n');
        assert!(
            !out.windows(2).any(bare) && !out.contains(&0),
            "{}",
            out.escape_ascii()
        );
    }
}
