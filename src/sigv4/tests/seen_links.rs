//! A link that was seen gets what it got when it was new, and so does any other request after it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

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
}

impl Door {
    fn new() -> Door {
        Door {
            clients: Directory::new(&[(KEY, SECRET)]),
            rules: rules(),
            origins: origins(),
            now: NOW,
        }
    }

    fn ask(&self, text: &str, keys: &mut KeyCache) -> Outcome {
        let now = Timestamp(self.now);
        let raw = Raw::new(text);
        let verified = verify(&raw.request(), &self.clients, &self.rules, keys, now)
            .map_err(|rejected| rejected.rejection)?;
        let head = head_of(text);
        let sent = self.origins.iter().map(|origin| {
            let mut room = HeadRoom::default();
            let head = WireHead::parse(head.as_bytes(), &verified, &mut room)?;
            let mut signed = sign(&verified, &head, origin, keys, now)?;
            let mut out = vec![0; signed.max_len()];
            let length = signed.write(&mut out).unwrap();
            out.truncate(length);
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
    for time in 1..=4 {
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
        // It ends, is not there before its time, and is forgotten once it has ended.
        door.now += later;
        check(&door, &text);
        door.now = NOW - later;
        check(&door, &text);
        door.now = NOW;
        prop_assert_eq!(door.ask(&text, &mut keys), expected);
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
