//! Clients with accounts: what goes out for one has the keys of its account, or does not go out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::{
    asking::{Asking, Dice, Thrower},
    reading::Head,
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use proptest::{collection::vec, prelude::*};
use sigv4::*;

/// Without an account, and three of them: two whose names begin alike, and one with the keys of another.
const ACCOUNTS: [&str; 4] = ["", "acme", "acme-2", "twin"];

fn account(name: &str) -> Option<Account> {
    (!name.is_empty()).then(|| Account::parse(name.as_bytes()).unwrap())
}

fn access_key(name: &str) -> String {
    let name = if name == "twin" { "acme" } else { name };
    format!("AKIDOF{}", name.to_uppercase())
}

fn secret(name: &str) -> String {
    format!("secret of {}", access_key(name))
}

/// An origin for each account, all at the same host.
fn origins() -> [Origin; 4] {
    ACCOUNTS.map(|name| Origin {
        account: account(name),
        ..Origin::new(
            credential(&access_key(name), &secret(name)),
            b"s3.origin.example:9000",
        )
    })
}

fn client_of(name: &str) -> Directory {
    let mut clients = Directory::new(&[(KEY, SECRET)]);
    clients.0.get_mut(KEY.as_bytes()).unwrap().account = account(name);
    clients
}

fn sent(verified: &Verified<'_>, wire: &[u8], origin: &Origin) -> Result<Vec<u8>, Unsignable> {
    let mut room = HeadRoom::default();
    let head = WireHead::parse(wire, verified, &mut room)?;
    let mut keys = KeyCache::new(2);
    let mut signed = sign(verified, &head, origin, &mut keys, Timestamp(NOW))?;
    let mut out = vec![0; signed.max_len()];
    let (length, _) = signed.write_with_encoder(&mut out).unwrap();
    out.truncate(length);
    Ok(out)
}

/// A head, or the fields of a form, with the keys of this account and of no other. The policy of a form has them too,
/// in Base64.
fn has_keys_of(sent: &[u8], name: &str) -> bool {
    let text = String::from_utf8_lossy(sent);
    let names = |key: &str| {
        [format!("{key}/"), format!("{key}%2F")]
            .iter()
            .any(|spelled| text.contains(spelled.as_str()))
    };
    ACCOUNTS
        .iter()
        .all(|other| names(&access_key(other)) == (access_key(other) == access_key(name)))
}

/// Whether it went out at all.
fn goes_out_with_its_own_keys(dice: &[u8]) -> bool {
    let mut dice = Dice(dice);
    let name = dice.pick(&ACCOUNTS);
    let asking = Asking::roll(&mut dice);
    let text = asking.text();
    let head = Head::parse(text.as_bytes()).unwrap();
    let clients = client_of(name);
    let rules = VerifyRules {
        signature_v2: true,
        endpoint: asking.endpoint(),
        ..rules()
    };
    let mut keys = KeyCache::new(2);
    let Ok(verified) = verify(&head.request(), &clients, &rules, &mut keys, Timestamp(NOW)) else {
        return false;
    };
    assert_eq!(verified.account(), account(name).as_ref());
    let mut went_out = false;
    for (origin, of) in origins().iter().zip(ACCOUNTS) {
        let is_own = of == name;
        assert_eq!(verified.may_use_keys_of(origin), is_own, "{text}");
        assert_eq!(verified.goes_to(origin), is_own, "{text}");
        let checked = verified.check_account([origin].into_iter());
        assert_eq!(checked.is_ok(), is_own, "{text}");
        match sent(&verified, &head.wire(""), origin) {
            Ok(sent) => {
                assert!(
                    is_own && has_keys_of(&sent, name),
                    "{}",
                    sent.escape_ascii()
                );
                went_out = true;
            }
            Err(why) => assert_eq!(why == Unsignable::OtherAccount, !is_own, "{why}: {text}"),
        }
    }
    let all = origins();
    assert_eq!(verified.check_account(all.iter()), Ok(()));
    assert_eq!(
        verified
            .check_account([].into_iter())
            .map_err(|why| why.code()),
        Err("AccessDenied")
    );
    went_out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_are_those_of_the_account(dice in vec(any::<u8>(), 160)) {
        goes_out_with_its_own_keys(&dice);
    }
}

/// Else the property would hold for few.
#[test]
fn most_go_out() {
    let mut thrower = Thrower::new();
    let mut throw = || thrower.throw(160);
    let gone = (0..400)
        .filter(|_| goes_out_with_its_own_keys(&throw()))
        .count();
    assert!(gone > 200, "{gone}");
}

#[test]
fn forms() {
    let form = form::SampleForm::new("k");
    let text = form.head();
    let raw = Raw::new(&text);
    let (decoder, stored) = form::decode(&raw, &form.body(), &[]).unwrap();
    let head = decoder.head().unwrap().to_vec();
    let rules = rules();
    for name in ACCOUNTS {
        let clients = client_of(name);
        let verified = form::verdict_under(&raw, &decoder, &head, &clients, &rules, NOW).unwrap();
        let wire = text
            .replacen("/bucket", "/bucket HTTP/1.1", 1)
            .replace('\n', "\r\n")
            + "\r\n";
        for (origin, of) in origins().iter().zip(ACCOUNTS) {
            match sent(&verified, wire.as_bytes(), origin) {
                Ok(mut sent) => {
                    assert_eq!(of, name);
                    sent.extend(&stored);
                    assert!(has_keys_of(&sent, name), "{}", sent.escape_ascii());
                }
                Err(why) => assert!(why == Unsignable::OtherAccount && of != name, "{of} {name}"),
            }
        }
    }
}

/// A location's own account, for requests that it signs for nobody; and what goes out unsigned uses no keys.
#[test]
fn without_a_signature() {
    let text = "GET /b/k\nHost: h\n";
    let raw = Raw::new(text);
    let clients = Directory::new(&[]);
    let wire = text.replacen('\n', " HTTP/1.1\n", 1).replace('\n', "\r\n") + "\r\n";
    for name in ACCOUNTS {
        let rules = VerifyRules {
            anonymous: Anonymous::Signed {
                grant: Arc::new(grant("read", "")),
                account: account(name),
            },
            ..rules()
        };
        let verified = verdict(&raw, &clients, &rules, NOW).unwrap();
        assert_eq!(verified.account(), account(name).as_ref());
        for (origin, of) in origins().iter().zip(ACCOUNTS) {
            match sent(&verified, wire.as_bytes(), origin) {
                Ok(sent) => assert!(of == name && has_keys_of(&sent, name)),
                Err(why) => assert!(why == Unsignable::OtherAccount && of != name, "{of} {name}"),
            }
        }
    }
    let open = VerifyRules {
        anonymous: Anonymous::PassedOn,
        ..rules()
    };
    let preflight =
        "OPTIONS /b/k\nHost: h\nOrigin: https://a\nAccess-Control-Request-Method: PUT\n";
    for text in [text, preflight] {
        let raw = Raw::new(text);
        let verified = verdict(&raw, &clients, &open, NOW).unwrap();
        let wire = text.replacen('\n', " HTTP/1.1\n", 1).replace('\n', "\r\n") + "\r\n";
        for origin in &origins() {
            assert!(verified.goes_to(origin) && verified.account().is_none());
            let sent = sent(&verified, wire.as_bytes(), origin).unwrap();
            assert!(!String::from_utf8_lossy(&sent).contains("AKIDOF"));
        }
    }
}

/// An id that was sealed for one account is none of another's, be the keys the same.
#[test]
fn sealed_ids() {
    let origins = origins();
    // Two hosts for each account, so that ids are sealed.
    let elsewhere = ACCOUNTS.map(|name| Origin {
        account: account(name),
        ..Origin::new(
            credential(&access_key(name), &secret(name)),
            b"other.example",
        )
    });
    let sealed: Vec<String> = (origins.iter().zip(ACCOUNTS))
        .map(|(origin, name)| {
            let text = Sample::new("POST", "/b/k?uploads=").header_form();
            let raw = Raw::new(&text);
            let clients = client_of(name);
            let rules = rules();
            let verified = verdict(&raw, &clients, &rules, NOW).unwrap();
            verified.sealer(origin).own_upload_id("id")
        })
        .collect();
    for (id, giver) in sealed.iter().zip(ACCOUNTS) {
        assert_eq!(
            sealed.iter().filter(|other| *other == id).count(),
            1,
            "{giver}"
        );
        for (at, asks) in ACCOUNTS.into_iter().enumerate() {
            let target = format!("/b/k?partNumber=1&uploadId={id}");
            let text = Sample::new("PUT", &target).header_form();
            let raw = Raw::new(&text);
            let (clients, rules) = (client_of(asks), rules());
            let mut verified = verdict(&raw, &clients, &rules, NOW).unwrap();
            let own = [&origins[at], &elsewhere[at]];
            let opened = verified.open_id(own.into_iter());
            match asks == giver {
                true => {
                    assert_eq!(opened, Ok(()));
                    let goes: Vec<bool> = origins
                        .iter()
                        .map(|origin| verified.goes_to(origin))
                        .collect();
                    let wanted: Vec<bool> = ACCOUNTS.iter().map(|of| *of == asks).collect();
                    assert_eq!(goes, wanted);
                }
                false => assert_eq!(opened, Err(Rejection::NoSuchUpload), "{giver} {asks}"),
            }
        }
    }
}

/// Accounts see different objects: each has entries of its own in a cache.
#[test]
fn caches() {
    let text = Sample::new("GET", "/b/k").header_form();
    let raw = Raw::new(&text);
    let mut found = Vec::new();
    for name in ACCOUNTS {
        let (clients, rules) = (client_of(name), rules());
        let verified = verdict(&raw, &clients, &rules, NOW).unwrap();
        let key = verified.cache_key(&raw.request(), b"o").unwrap();
        let claimed = cache_key(
            &raw.request(),
            &Address::PATH_STYLE,
            AuthType::V4Header,
            account(name).as_ref(),
            b"o",
            None,
        );
        assert_eq!(claimed.as_ref(), Some(&key));
        let head = Head::parse(text.as_bytes()).unwrap();
        let mut room = HeadRoom::default();
        let wire = head.wire("");
        let wire = WireHead::parse(&wire, &verified, &mut room).unwrap();
        assert_eq!(wire.cache_key(&verified, b"o").as_ref(), Some(&key));
        found.push(String::from_utf8(key).unwrap());
    }
    assert_eq!(
        found,
        [
            "signed o /b/k",
            "signed o /b/k account=acme",
            "signed o /b/k account=acme-2",
            "signed o /b/k account=twin"
        ]
    );
    // No key of an object ends as that of an account does.
    let mut sample = Sample::new("GET", "/b/k%20account=acme");
    sample.key = KEY.into();
    let text = sample.header_form();
    let raw = Raw::new(&text);
    let (clients, rules) = (client_of(""), rules());
    let verified = verdict(&raw, &clients, &rules, NOW).unwrap();
    let key = verified.cache_key(&raw.request(), b"o").unwrap();
    assert_eq!(key, b"signed o /b/k%20account%3Dacme");
}

#[test]
fn names() {
    for name in ["a", "acme-1.eu_x", &"x".repeat(64)] {
        assert_eq!(account(name).unwrap().as_str(), name);
    }
    for name in ["", "a b", "a/b", "\u{e9}", "a\n", &"x".repeat(65)] {
        assert_eq!(Account::parse(name.as_bytes()), None, "{name}");
    }
}
