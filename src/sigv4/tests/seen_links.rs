//! A link that was seen gets what it got when it was new, and so does any other request after it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::cell::Cell;

use common::{
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use sigv4::*;

fn origins() -> [Origin; 2] {
    [("AKIDORIGINA", "east"), ("AKIDORIGINB", "west")].map(|(key, region)| Origin {
        region: Region::parse(region.as_bytes()),
        session_token: (region == "west").then(|| SecretKey::new(b"a/token+".to_vec())),
        ..Origin::new(credential(key, "origin/secret"), b"s3.origin.example:9000")
    })
}

fn head_of(text: &str) -> String {
    let (line, headers) = text.split_once('\n').unwrap();
    format!("{line} HTTP/1.1\r\n{}\r\n", headers.replace('\n', "\r\n"))
}

/// What a request gets: the head that goes to each origin, or why none does; or why it is rejected.
type Outcome = Result<Vec<Result<Vec<u8>, Unsignable>>, Rejection>;

struct Door {
    clients: Directory,
    rules: VerifyRules,
    origins: [Origin; 2],
    now: i64,
    /// How many heads were known.
    known_heads: Cell<usize>,
}

impl Door {
    fn new() -> Door {
        Door {
            clients: Directory::new(&[(KEY, SECRET)]),
            rules: rules(),
            origins: origins(),
            now: NOW,
            known_heads: Cell::new(0),
        }
    }

    fn ask(&self, text: &str, keys: &mut KeyCache) -> Outcome {
        let now = Timestamp(self.now);
        let raw = Raw::new(text);
        let verified = verify(&raw.request(), &self.clients, &self.rules, keys, now)
            .map_err(|rejected| rejected.rejection)?;
        let head = head_of(text);
        let sent = self.origins.iter().map(|origin| {
            let plain = head.as_bytes();
            let known = known_head(&verified, plain, origin, keys).map(<[u8]>::to_vec);
            let mut room = HeadRoom::default();
            let head = WireHead::parse(plain, &verified, &mut room)?;
            let mut signed = sign(&verified, &head, origin, keys, now)?;
            let mut out = vec![0; signed.max_len()];
            let length = signed.write(&mut out).unwrap();
            out.truncate(length);
            match known {
                Some(known) => {
                    assert_eq!(
                        known.escape_ascii().to_string(),
                        out.escape_ascii().to_string()
                    );
                    self.known_heads.update(|count| count + 1);
                }
                None => note_head(&verified, plain, origin, &out, keys),
            }
            Ok(out)
        });
        Ok(sent.collect())
    }

    fn ask_afresh(&self, text: &str) -> Outcome {
        self.ask(text, &mut KeyCache::new(8))
    }
}

/// Asks for a link until it is known; returns what it got each time.
fn known(door: &Door, text: &str) -> (KeyCache, Outcome) {
    let mut keys = KeyCache::new(8);
    let expected = door.ask_afresh(text);
    let seen = |known, computed| {
        if expected.is_ok() {
            (known, computed)
        } else {
            (0, 0)
        }
    };
    for time in 1..=5 {
        assert_eq!(door.ask(text, &mut keys), expected, "{text}");
        assert_eq!(
            keys.links(),
            seen(u64::max(2, time) - 2, time.min(2)),
            "{text}"
        );
    }
    (keys, expected)
}

fn sample() -> impl Strategy<Value = Sample> {
    (
        "(GET|HEAD|PUT)",
        "/b([a-z+.]|%[2-7][0-9a-fA-F]|[ -~&&[^?% #]]|[à-ü]){0,12}",
        "([a-cA-C=&+]|%[0-9a-fA-F]{2}|[!-~&&[^%#]]|[à-ü]){0,24}",
        vec("[!-~]{1,3}( {0,2}[!-~]{1,3}){0,2}", 0..4),
        prop::option::of("[a-zA-Z0-9/+=]{1,40}"),
    )
        .prop_map(|(method, path, query, values, token)| {
            let mut sample = Sample::new(&method, &format!("{path}?{query}"));
            for (at, value) in values.into_iter().enumerate() {
                sample = match at {
                    0 => sample.unsigned("Range", &value),
                    _ => sample.header(&format!("x-amz-meta-{at}"), &value),
                };
            }
            match token {
                Some(token) => sample.header("X-Amz-Security-Token", &token),
                None => sample,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    /// Whatever is asked after a link that is known: with any byte of its head changed, with a header more or less,
    /// with another method or lifetime.
    #[test]
    fn never_accepts_what_is_rejected(
        sample in sample(),
        changes in vec((any::<Index>(), any::<u8>()), 30),
        later in 0..2_000_i64,
    ) {
        let mut door = Door::new();
        let text = sample.query_form();
        let (mut keys, expected) = known(&door, &text);
        let mut check = |door: &Door, text: &str| {
            let got = door.ask(text, &mut keys);
            assert_eq!(got, door.ask_afresh(text), "{text}");
        };
        for (at, byte) in changes {
            let mut bytes = text.clone().into_bytes();
            let at = at.index(bytes.len());
            // Lines stay lines, and their names and values apart.
            if b"\n\r: ".contains(&bytes[at]) || b"\n\r: ".contains(&byte) {
                continue;
            }
            bytes[at] = byte;
            if let Ok(changed) = String::from_utf8(bytes) && !changed.starts_with(' ') {
                check(&door, &changed);
            }
        }
        for (old, new) in [("GET ", "HEAD "), ("Host: s3.", "Host: s4."), ("Expires=900", "Expires=901")] {
            check(&door, &text.replacen(old, new, 1));
        }
        check(&door, &format!("{text}x-amz-acl: public-read\n"));
        check(&door, &format!("{text}Range: bytes=0-1\n"));
        check(&door, &text.replacen("X-Amz-Signature=", "X-Amz-signature=", 1));
        check(&door, &text.replacen("X-Amz-Signature=", "a&X-Amz-Signature=", 1));
        check(&door, &text.replacen("?", "?X-Amz-Signature=", 1));
        // It ends, is not there before its time, and is forgotten once it has ended.
        door.now += later;
        check(&door, &text);
        door.now = NOW - later;
        check(&door, &text);
        door.now = NOW;
        prop_assert_eq!(door.ask(&text, &mut keys), expected);
    }
}

/// The head is known from the fifth time on, at each origin: the second time makes the link known, the third one the
/// verdict, and the fourth one the head.
#[test]
fn heads_are_known() {
    let link = |method: &str, target: &str| {
        let sample = Sample::new(method, target).unsigned("Range", "bytes=0-9");
        sample.query_form()
    };
    let signed_range = Sample::new("GET", "/bucket/key").header("Range", "bytes=0-9");
    // As the SDK for JavaScript orders parameters.
    let sorted = link("GET", "/bucket/key?x-id=GetObject");
    let (start, rest) = sorted.split_once("&X-Amz-Signature=").unwrap();
    let (signature, end) = rest.split_once('\n').unwrap();
    let others = format!("&X-Amz-Signature={signature}&x-id=GetObject\n{end}");
    let sorted = start.replace("x-id=GetObject&", "") + &others;
    let with_token = link("GET", "/bucket/key?X-Amz-Security-Token=a%2Ftoken%2B");
    let cases = [
        (sorted, 2),
        (with_token, 2),
        (link("GET", "/bucket/key?versionId=1"), 2),
        (link("HEAD", "/bucket/a%20key"), 2),
        (link("PUT", "/bucket/key"), 0),
        (signed_range.query_form(), 0),
    ];
    for (text, heads) in cases {
        let door = Door::new();
        let (mut keys, _) = known(&door, &text);
        assert_eq!(door.known_heads.get(), heads, "{text}");
        let mut known_of = |text: &str| {
            door.known_heads.set(0);
            assert_eq!(door.ask(text, &mut keys), door.ask_afresh(text));
            door.known_heads.get()
        };
        for range in 0..100 {
            let other = text.replace("bytes=0-9", &format!("bytes={range}-"));
            assert_eq!(known_of(&other), 0);
            if range < 5 {
                // What is sent once takes no other's place.
                assert_eq!(known_of(&text), heads);
            }
        }
    }
}

/// Whatever header there is besides, and for clients who may do little.
#[test]
fn any_header_more() {
    let names = "accept accept-charset accept-encoding accept-language authorization cache-control connection content-length \
         content-md5 content-type cookie date dnt expect from host if-match if-modified-since if-none-match if-range \
         if-unmodified-since keep-alive oss-copy-source origin pragma priority range referer rgwx-mdsearch sec-ch-ua \
         sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site te trailer transfer-encoding upgrade \
         user-agent via x_amz_acl x-amz-acl x-amz-content-sha256 x-amz-copy-source x-amz-date x-amz-grant-read x-amz-meta-a \
         x-amz-request-payer x-amz-security-token x-amz-server-side-encryption-customer-key x-auth-token x-copy-from \
         x-forwarded-for x-forwarded-proto x-goog-copy-source x-http-method-override x-minio-extract x-oss-move-source";
    for (allow, buckets) in [("", ""), ("read", "buck*/k*"), ("GetObject", "bucket")] {
        let door = Door {
            clients: Directory::with_grant(KEY, SECRET, grant(allow, buckets)),
            ..Door::new()
        };
        let text = Sample::new("GET", "/bucket/key").query_form();
        let (mut keys, _) = known(&door, &text);
        for name in names.split_whitespace() {
            for value in ["", "0", "/other/key", "UNSIGNED-PAYLOAD"] {
                for text in [
                    format!("{text}{name}: {value}\n"),
                    format!("{text}{}: {value}\n", name.to_uppercase()),
                    text.replace("\nHost", &format!("\n{name}: {value}\nHost")),
                ] {
                    assert_eq!(door.ask(&text, &mut keys), door.ask_afresh(&text), "{text}");
                }
            }
        }
    }
}

/// The rules of other locations, for the same client.
#[test]
fn other_rules() {
    let text = Sample::new("GET", "/bucket/key").query_form();
    let mut door = Door::new();
    let in_bucket = Endpoint {
        domains: vec![Domain::Bucket {
            host: (*b"s3.mydomain.com").into(),
            bucket: BucketName::parse(b"one").unwrap(),
        }],
        ..Endpoint::default()
    };
    let below = Endpoint {
        prefix: (*b"/s3").into(),
        ..Endpoint::default()
    };
    let mut others = [
        VerifyRules {
            reserved: vec![(*b"bucket").into()],
            ..rules()
        },
        VerifyRules {
            region: Region::parse(b"elsewhere"),
            ..rules()
        },
        VerifyRules {
            max_skew: 0,
            ..rules()
        },
        VerifyRules {
            max_age: Some(0),
            ..rules()
        },
        VerifyRules {
            endpoint: in_bucket,
            ..rules()
        },
        VerifyRules {
            endpoint: below,
            ..rules()
        },
        door.rules.clone(),
    ];
    let (mut keys, _) = known(&door, &text);
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        for other in &mut others {
            std::mem::swap(&mut door.rules, other);
            let outcome = door.ask(&text, &mut keys);
            assert_eq!(outcome, door.ask_afresh(&text), "{:?}", door.rules);
            outcomes.push(outcome.is_ok());
            std::mem::swap(&mut door.rules, other);
        }
        assert!(door.ask(&text, &mut keys).is_ok());
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false));
}

/// Clients of one access key and secret that may do different things, as in two locations: what one may, the other may
/// not, however often both ask.
#[test]
fn other_grants() {
    let wide = Door::new();
    let narrow = Door {
        clients: Directory::with_grant(KEY, SECRET, grant("read", "other")),
        ..Door::new()
    };
    for pattern in [
        0b0101_0101_u32,
        0b0011_0011,
        0b0000_1111,
        0b0111_0111,
        0b0001_0001,
    ] {
        let text = Sample::new("GET", "/bucket/key").query_form();
        let mut keys = KeyCache::new(8);
        for at in 0..24 {
            let door = if pattern.rotate_right(at) & 1 == 0 {
                &wide
            } else {
                &narrow
            };
            assert_eq!(door.ask(&text, &mut keys), door.ask_afresh(&text));
        }
    }
}

/// Also where the location, and not the link, says how long it is good for.
#[test]
fn it_ends_with_its_greatest_age() {
    let mut door = Door::new();
    door.rules.max_age = Some(60);
    let text = Sample::new("GET", "/bucket/key").query_form();
    let (mut keys, expected) = known(&door, &text);
    for (now, answer) in [
        (NOW + 60, expected.clone()),
        (NOW + 61, Err(Rejection::RequestExpired)),
        (NOW + 900, Err(Rejection::RequestExpired)),
        (NOW, expected),
    ] {
        door.now = now;
        assert_eq!(door.ask(&text, &mut keys), answer, "{now}");
        assert_eq!(door.ask_afresh(&text), answer, "{now}");
    }
}

#[test]
fn it_ends() {
    let mut door = Door::new();
    let text = Sample::new("GET", "/bucket/key").query_form();
    let (mut keys, expected) = known(&door, &text);
    door.now = NOW + 900;
    assert_eq!(door.ask(&text, &mut keys), expected);
    door.now += 1;
    assert_eq!(door.ask(&text, &mut keys), Err(Rejection::RequestExpired));
    door.now = NOW;
    let (_, computed) = keys.links();
    assert_eq!(door.ask(&text, &mut keys), expected);
    assert_eq!(keys.links().1, computed + 1, "it was forgotten");
}

#[test]
fn a_client_without_its_key_or_its_grant_has_it_no_more() {
    let text = Sample::new("GET", "/bucket/key").query_form();
    for (clients, rejection) in [
        (
            Directory::new(&[(KEY, "another secret")]),
            Rejection::SignatureDoesNotMatch,
        ),
        (
            Directory::new(&[("AKIDOTHER", SECRET)]),
            Rejection::InvalidAccessKeyId,
        ),
        (
            Directory::with_grant(KEY, SECRET, grant("write", "")),
            Rejection::AccessDenied,
        ),
    ] {
        let mut door = Door::new();
        let (mut keys, _) = known(&door, &text);
        door.clients = clients;
        for _ in 0..3 {
            assert_eq!(door.ask(&text, &mut keys), Err(rejection.clone()));
        }
    }
}

/// A link is of one of them, and the other one's signature is computed first.
#[test]
fn two_secrets_of_one_key() {
    #[derive(Clone, Copy)]
    struct Both<'c>(&'c [Client; 2]);
    impl<'c> Clients<'c> for Both<'c> {
        fn find(self, _claim: &Claim<'_>) -> Result<Claimants<'c>, Rejection> {
            Ok(self.0.iter().collect())
        }
    }

    let clients =
        ["old", SECRET].map(|secret| Client::new(credential(KEY, secret), Grant::default()));
    let text = Sample::new("GET", "/bucket/key").query_form();
    let (raw, rules, mut keys) = (Raw::new(&text), rules(), KeyCache::new(8));
    for known in [0, 0, 1, 2] {
        let now = Timestamp(NOW);
        assert!(verify(&raw.request(), Both(&clients), &rules, &mut keys, now).is_ok());
        assert_eq!(keys.links().0, known);
    }
}

/// Origins change their keys.
#[test]
fn an_origin_with_other_keys() {
    let mut door = Door::new();
    let text = Sample::new("GET", "/bucket/key").query_form();
    let (mut keys, before) = known(&door, &text);
    door.origins[0] = Origin {
        region: door.origins[0].region,
        ..Origin::new(
            credential("AKIDORIGINA", "renewed"),
            b"s3.origin.example:9000",
        )
    };
    let after = door.ask(&text, &mut keys);
    assert_eq!(after, door.ask_afresh(&text));
    assert_ne!(after, before);
}

/// Links that nobody has signed leave what is known as it is.
#[test]
fn strangers_flush_nothing() {
    let door = Door::new();
    let text = Sample::new("GET", "/bucket/key").query_form();
    let (mut keys, expected) = known(&door, &text);
    let (found, computed) = keys.links();
    for at in 0..5_000 {
        let sample = Sample {
            secret: "guessed".into(),
            ..Sample::new("GET", &format!("/bucket/key{at}"))
        };
        let text = sample.query_form();
        for _ in 0..2 {
            assert_eq!(
                door.ask(&text, &mut keys),
                Err(Rejection::SignatureDoesNotMatch)
            );
        }
    }
    assert_eq!(door.ask(&text, &mut keys), expected);
    assert_eq!(keys.links(), (found + 1, computed));
}

/// However many links there are, and however long.
#[test]
fn only_some_are_kept() {
    const KEPT: u64 = 1_024;
    let door = Door::new();
    let mut keys = KeyCache::new(8);
    let links: Vec<_> = (0..2_000)
        .map(|at| Sample::new("GET", &format!("/bucket/key{at}")).query_form())
        .collect();
    for _ in 0..4 {
        let (before, _) = keys.links();
        for text in &links {
            assert!(door.ask(text, &mut keys).is_ok());
        }
        assert!(keys.links().0 - before <= KEPT);
    }
    let (before, _) = keys.links();
    assert!(before > 0);
    let long = Sample::new("GET", &format!("/bucket/{}", "k".repeat(5_000))).query_form();
    for _ in 0..4 {
        assert!(door.ask(&long, &mut keys).is_ok());
    }
    assert_eq!(keys.links().0, before, "it is too long");
}
