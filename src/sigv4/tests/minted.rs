//! Minted keys: what is minted is accepted, and nothing else is.
//!
//! A long file, since each one here is linked to a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    minting::*,
    reference::{KEY, NOW, SECRET},
    sending::{Parts, Way, sent, sent_at},
    *,
};
use proptest::prelude::*;
use sigv4::*;

fn ci() -> Mint {
    Mint::new(vec![issuer()])
}

#[test]
fn a_minted_key_is_accepted() {
    let mint = ci();
    let key = common::minting::mint(&mint.issuers[0], "", "");
    assert!(Credential::is_access_key(key.access_key.as_bytes()));
    assert!(
        key.access_key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
    );
    assert!(key.access_key.ends_with(&key.id.to_string()));
    assert_eq!(key.secret_key.len(), 40, "as AWS's");
    for way in Way::ALL {
        // Opened, then found.
        for _ in 0..2 {
            assert_eq!(sent(way, &mint, &Parts::of(&key)), "accepted", "{way:?}");
        }
    }
}

/// Written by another hand from the description: the format is a promise to whoever mints elsewhere.
#[test]
fn the_format() {
    use aes_siv::{KeyInit, siv::Aes128Siv};
    use base64ct::{Base64UrlUnpadded, Encoding};
    use hmac::{Hmac, Mac};
    use sha2::Sha256;

    let mac = |key: &[u8], text: &[u8]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().into()
    };
    let scope = Scope {
        allow: Some(b"read"),
        buckets: Some(b"media/2026*"),
    };
    let bits = [0, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf];
    let (issued, expires) = (Timestamp(1_767_323_045), Timestamp(1_767_326_645));
    let key = issuer()
        .mint(scope, KeyId::of(bits), issued, expires)
        .unwrap();
    // 1, 20, 21, 14, 16, 29 and 21 are the digits of 1767326645 to the base of 32.
    assert_eq!(key.access_key, "S3M1ciBUVOQ5VABCDEFGHIJKLMNOP");
    let subkey = |label: &str| {
        let label = format!("ngx_http_s3_resign minted key 1: {label}");
        mac(ISSUER_SECRET.as_bytes(), label.as_bytes())
    };
    let plain = b"\x01\0\x69\x57\x35\xa5\x01\0\x04read\x02\0\x0bmedia/2026*";
    let sealed = Aes128Siv::new((&subkey("session token")).into())
        .encrypt([key.access_key.as_bytes()], plain)
        .unwrap();
    assert_eq!(key.session_token, Base64UrlUnpadded::encode_string(&sealed));
    let length = [key.access_key.len() as u8];
    let text = [&length, key.access_key.as_bytes(), &sealed].concat();
    let secret = mac(&subkey("secret access key"), &text);
    let secret = Base64UrlUnpadded::encode_string(&secret[..30]);
    assert_eq!(*key.secret_key, secret);
}

/// Parts of different keys make none, whoever has them.
#[test]
fn mixed_parts() {
    let other_issuer = || issuer_with("deploy", ISSUER_SECRET, MAX_LIFETIME, Grant::default());
    let other_secret = issuer_with(
        ISSUER,
        "another secret of 32 bytes or so",
        MAX_LIFETIME,
        Grant::default(),
    );
    let mint = Mint::new(vec![issuer(), other_issuer()]);
    let (issued, expires) = (Timestamp(NOW), Timestamp(NOW + 3_600));
    let minted = |issuer: &Issuer, number, allow: Option<&'static str>, expires| {
        let scope = Scope {
            allow: allow.map(str::as_bytes),
            buckets: None,
        };
        Parts::of(&issuer.mint(scope, id(number), issued, expires).unwrap())
    };
    let keys = [
        minted(&issuer(), 1, Some("list"), expires),
        // All but the scope, the id, the end, the issuer, and the issuer's secret is the same.
        minted(&issuer(), 1, None, expires),
        minted(&issuer(), 2, Some("list"), expires),
        minted(&issuer(), 1, Some("list"), Timestamp(NOW + 3_601)),
        minted(&other_issuer(), 1, Some("list"), expires),
        minted(&other_secret, 1, Some("list"), expires),
    ];
    for way in Way::ALL {
        for (a, access_key) in keys.iter().enumerate() {
            for (b, secret) in keys.iter().enumerate() {
                for (c, token) in keys.iter().enumerate() {
                    let parts = Parts {
                        access_key: access_key.access_key.clone(),
                        secret: secret.secret.clone(),
                        token: token.token.clone(),
                    };
                    let is_same_key = |a: usize, b: usize| keys[a].access_key == keys[b].access_key;
                    let expected = match () {
                        // Of a secret that no issuer has here.
                        () if c == 5 || !is_same_key(a, c) => "InvalidToken",
                        () if b != c => "SignatureDoesNotMatch",
                        // It may list.
                        () if c == 1 => "accepted",
                        () => "AccessDenied",
                    };
                    let code = sent(way, &mint, &parts);
                    let is_form = matches!(way, Way::V4Form);
                    assert!(
                        code == expected
                            || is_form && code == "accepted" && expected == "AccessDenied",
                        "{way:?}: access key {a}, secret {b}, token {c}: {code}, not {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_byte_counts() {
    let mint = ci();
    let key = common::minting::mint(&mint.issuers[0], "read", "bucket,media/2026*");
    let parts = Parts::of(&key);
    let token = key.session_token.as_str();
    for is_cached in [false, true] {
        if is_cached {
            assert_eq!(sent(Way::V4Header, &mint, &parts), "accepted");
        }
        for at in 0..token.len() {
            // In the last one, there are bits of no byte.
            let bytes = match token.len() - at {
                1 => (b'0'..=b'z').collect(),
                _ => b"AZaz09-_+/=.".to_vec(),
            };
            for byte in bytes {
                let mut other = token.as_bytes().to_vec();
                if other[at] == byte {
                    continue;
                }
                other[at] = byte;
                let token = Some(String::from_utf8(other).unwrap());
                let other = Parts {
                    token,
                    ..parts.clone()
                };
                assert_eq!(sent(Way::V4Header, &mint, &other), "InvalidToken", "{at}");
            }
        }
        let shorter = (0..token.len()).map(|length| token[..length].to_owned());
        let longer = ["A", "AA", "AAAA", "=", " "].map(|more| token.to_owned() + more);
        for other in shorter
            .chain(longer)
            .chain(["A".repeat(2_049), "A".repeat(9_000)])
        {
            let is_same = other.trim() == token;
            let other = Parts {
                token: Some(other),
                ..parts.clone()
            };
            // A header's value is trimmed.
            let expected = if is_same { "accepted" } else { "InvalidToken" };
            assert_eq!(sent(Way::V4Header, &mint, &other), expected, "{other:?}");
        }
        for at in 0..key.access_key.len() {
            for byte in (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z') {
                let mut other = key.access_key.clone().into_bytes();
                if other[at] == byte {
                    continue;
                }
                other[at] = byte;
                let access_key = String::from_utf8(other).unwrap();
                let is_ci = MintedAccessKey::parse(access_key.as_bytes())
                    .is_some_and(|minted| minted.issuer == b"ci");
                let other = Parts {
                    access_key,
                    ..parts.clone()
                };
                let expected = match is_ci {
                    true => "InvalidToken",
                    false => "InvalidAccessKeyId",
                };
                let code = sent(Way::V4Header, &mint, &other);
                assert_eq!(code, expected, "{other:?}");
            }
        }
        let none = Parts {
            token: None,
            ..parts.clone()
        };
        for way in Way::ALL {
            assert_eq!(sent(way, &mint, &none), "InvalidAccessKeyId", "{way:?}");
        }
    }
}

#[test]
fn a_key_ends() {
    for is_cached in [false, true] {
        let mint = ci();
        let parts = Parts::of(&common::minting::mint(&mint.issuers[0], "", ""));
        if is_cached {
            assert_eq!(sent(Way::V4Header, &mint, &parts), "accepted");
        }
        for way in Way::ALL {
            for (after, expected) in [
                (3_599, "accepted"),
                (3_600, "ExpiredToken"),
                (86_400, "ExpiredToken"),
            ] {
                let code = sent_at(way, &mint, &parts, NOW + after);
                assert_eq!(code, expected, "{way:?} after {after} s");
            }
        }
        // Of a key that has ended, whoever has no secret learns nothing.
        let other = Parts {
            secret: SECRET.into(),
            ..parts
        };
        let code = sent_at(Way::V4Header, &mint, &other, NOW + 4_000);
        assert_eq!(code, "SignatureDoesNotMatch");
    }
}

#[test]
fn a_key_begins() {
    let mint = ci();
    let parts = Parts::of(&common::minting::mint(&mint.issuers[0], "", ""));
    for way in Way::ALL {
        for (before, expected) in [(901, "InvalidToken"), (900, "accepted")] {
            let code = sent_at(way, &ci(), &parts, NOW - before);
            // A presigned request may not be valid yet itself.
            let is_early = code == "AccessDenied" && matches!(way, Way::V4Query | Way::V4Form);
            assert!(
                code == expected || is_early,
                "{way:?} {before} s before: {code}"
            );
        }
    }
}

/// The issuer's limit is that of the proxy: whoever mints may have another one, or an older one.
#[test]
fn a_lifetime_is_bounded() {
    let long = issuer_with(ISSUER, ISSUER_SECRET, 1 << 34, Grant::default());
    let mint = ci();
    for (issued, expires, expected) in [
        (NOW, NOW + MAX_LIFETIME, "accepted"),
        (NOW, NOW + MAX_LIFETIME + 1, "InvalidToken"),
        (NOW - MAX_LIFETIME + 1, NOW + 1, "accepted"),
        (NOW - MAX_LIFETIME, NOW + 1, "InvalidToken"),
        (0, NOW + 1, "InvalidToken"),
        (NOW, (1 << 35) - 1, "InvalidToken"),
    ] {
        let (issued, expires) = (Timestamp(issued), Timestamp(expires));
        let key = long.mint(Scope::default(), id(1), issued, expires);
        let Ok(key) = key else {
            assert!(expires.0 - issued.0 > 1 << 34);
            continue;
        };
        let code = sent(Way::V4Header, &mint, &Parts::of(&key));
        assert_eq!(code, expected, "{issued:?} to {expires:?}");
        let here = mint.issuers[0].mint(Scope::default(), id(1), issued, expires);
        assert_eq!(here.is_ok(), expected == "accepted");
    }
}

#[test]
fn revoked_keys() {
    for is_cached in [false, true] {
        let mut mint = Mint::new(vec![
            issuer(),
            issuer_with("deploy", ISSUER_SECRET, MAX_LIFETIME, Grant::default()),
        ]);
        let keys: Vec<Parts> = (mint.issuers.iter())
            .flat_map(|issuer| {
                [(1, NOW), (2, NOW), (1, NOW - 1)].map(|(number, issued)| {
                    let (issued, expires) = (Timestamp(issued), Timestamp(issued + 60));
                    let key = issuer.mint(Scope::default(), id(number), issued, expires);
                    Parts::of(&key.unwrap())
                })
            })
            .collect();
        let all = |mint: &Mint, way| {
            let codes = keys.iter().map(|key| sent(way, mint, key));
            codes.collect::<Vec<_>>()
        };
        let (yes, no) = ("accepted", "AccessDenied");
        if is_cached {
            assert_eq!(all(&mint, Way::V4Header), [yes; 6]);
        }
        mint.revoked.revoke(b"ci", id(1));
        for way in Way::ALL {
            assert_eq!(all(&mint, way), [no, yes, no, yes, yes, yes], "{way:?}");
        }
        mint.revoked = Revocations::default();
        mint.revoked.revoke_before(b"deploy", Timestamp(NOW));
        mint.revoked.revoke_before(b"deploy", Timestamp(NOW - 5));
        for way in Way::ALL {
            assert_eq!(all(&mint, way), [yes, yes, yes, yes, yes, no], "{way:?}");
        }
        let mut more = Revocations::default();
        more.revoke(b"ci", id(2));
        more.add(&mint.revoked);
        mint.revoked = more;
        assert_eq!(all(&mint, Way::V4Header), [yes, no, yes, yes, yes, no]);
    }
}

#[test]
fn an_old_and_a_new_secret() {
    const NEW: &str = "the new secret of this issuer, of 32 bytes or more";
    let new = || issuer_with(ISSUER, NEW, MAX_LIFETIME, grant("write", ""));
    let (of_old, of_new) = (
        Parts::of(&mint(&issuer(), "", "")),
        Parts::of(&mint(&new(), "", "")),
    );
    for issuers in [vec![issuer(), new()], vec![new(), issuer()]] {
        let mint = Mint::new(issuers);
        for _ in 0..2 {
            assert_eq!(sent(Way::V4Header, &mint, &of_old), "accepted");
            // Each has a grant of its own.
            assert_eq!(sent(Way::V4Header, &mint, &of_new), "AccessDenied");
        }
    }
    let only_new = Mint::new(vec![new()]);
    assert_eq!(sent(Way::V4Header, &only_new, &of_old), "InvalidToken");
}

/// A token is opened for whoever has seen one, but only who has its secret gets it kept.
#[test]
fn strangers_keep_nothing() {
    let mint = ci();
    let issuers = || mint.issuers.iter();
    let parts = Parts::of(&common::minting::mint(&mint.issuers[0], "", ""));
    let key = parts.access_key.as_bytes();
    let is_kept = || mint.keys.borrow().has(issuers(), key);
    let stranger = Parts {
        secret: SECRET.into(),
        ..parts.clone()
    };
    for way in Way::ALL {
        assert_eq!(sent(way, &mint, &stranger), "SignatureDoesNotMatch");
        assert!(!is_kept());
    }
    // Nor is one that has ended.
    let code = sent_at(Way::V4Header, &mint, &parts, NOW + 4_000);
    assert_eq!((code.as_str(), is_kept()), ("ExpiredToken", false));
    assert_eq!(sent(Way::V4Header, &mint, &parts), "accepted");
    assert!(is_kept());
    // Nor does a flood of what strangers have seen flush it.
    for number in 0..=255 {
        let other = mint.issuers[0]
            .mint(
                Scope::default(),
                id(number),
                Timestamp(NOW),
                Timestamp(NOW + 60),
            )
            .unwrap();
        let other = Parts {
            secret: SECRET.into(),
            ..Parts::of(&other)
        };
        assert_eq!(sent(Way::V4Header, &mint, &other), "SignatureDoesNotMatch");
    }
    assert!(is_kept());
}

/// What is kept has the identity by which signing keys are cached.
#[test]
fn a_signing_key_is_derived_once() {
    let mint = ci();
    let key = common::minting::mint(&mint.issuers[0], "", "");
    let (rules, mut keys) = (rules(), KeyCache::new(8));
    for _ in 0..5 {
        let text = sample(&key, "GET", "/bucket/key").header_form();
        let raw = Raw::new(&text);
        let verified = verify(&raw.request(), &mint, &rules, &mut keys, Timestamp(NOW));
        assert!(verified.is_ok());
    }
    assert_eq!((keys.derivations(), keys.hits()), (1, 4));
}

#[test]
fn what_cannot_be_minted() {
    let issuer = issuer();
    let (now, later) = (Timestamp(NOW), Timestamp(NOW + 60));
    let mint = |allow: &'static [u8], buckets: &'static [u8], issued, expires| {
        let scope = Scope {
            allow: Some(allow),
            buckets: Some(buckets),
        };
        issuer.mint(scope, id(1), issued, expires).err()
    };
    assert_eq!(mint(b"read", b"b", now, later), None);
    let fault = |fault| Some(Unmintable::Scope(fault));
    assert_eq!(
        mint(b"read,wirte", b"b", now, later),
        fault(GrantFault::Allow(b"wirte"))
    );
    assert_eq!(mint(b"", b"b", now, later), fault(GrantFault::Allow(b"")));
    assert_eq!(
        mint(b"all", b"/b", now, later),
        fault(GrantFault::Place(b"/b"))
    );
    let lifetime = Some(Unmintable::Lifetime);
    assert_eq!(mint(b"all", b"b", now, now), lifetime);
    assert_eq!(mint(b"all", b"b", later, now), lifetime);
    let long = vec![b'b'; 1_600].leak();
    assert_eq!(mint(b"all", long, now, later), Some(Unmintable::TooLong));
    assert_eq!(mint(b"all", &long[..1_400], now, later), None);

    let new = |name: &str, secret: &str| {
        let secret = SecretKey::new(secret.into());
        Issuer::new(name.as_bytes(), &secret, 60, Grant::default()).err()
    };
    assert_eq!(new("CI2", ISSUER_SECRET), None);
    assert_eq!(new(&"x".repeat(32), ISSUER_SECRET), None);
    for bad in ["", "a-b", "a_b", "a b", "\u{e9}", &"x".repeat(33)] {
        assert_eq!(new(bad, ISSUER_SECRET), Some(IssuerFault::Name), "{bad}");
    }
    for weak in [
        "",
        &ISSUER_SECRET[1..],
        &"x".repeat(64),
        &"1234567".repeat(9),
    ] {
        assert_eq!(new("ci", weak), Some(IssuerFault::WeakSecret), "{weak}");
    }
}

#[test]
fn access_keys() {
    let parse = |text: &str| MintedAccessKey::parse(text.as_bytes()).is_some();
    assert!(parse("S3M1ciBUVOQ5VABCDEFGHIJKLMNOP"));
    assert!(parse("S3M1xAAAAAAAAAAAAAAAAAAAAAAA"));
    for bad in [
        "",
        "S3M1",
        KEY,
        "S3M1BUVOQ5VABCDEFGHIJKLMNOP",
        "S3M2ciBUVOQ5VABCDEFGHIJKLMNOP",
        "s3m1ciBUVOQ5VABCDEFGHIJKLMNOP",
        "S3M1ciBUVOQ5VABCDEFGHIJKLMNO1",
        "S3M1ciBUVO8QVABCDEFGHIJKLMNOP",
        "S3M1ciBUVOQ5Vabcdefghijklmnop",
        "S3M1c_iBUVOQ5VABCDEFGHIJKLMNOP",
        &format!("S3M1{}BUVOQ5VABCDEFGHIJKLMNOP", "x".repeat(33)),
    ] {
        assert!(!parse(bad), "{bad}");
    }
}

proptest! {
    /// Whatever is minted is read as what it was, and accepted.
    #[test]
    fn what_is_minted_is_accepted(
        name in "[A-Za-z0-9]{1,32}",
        bits in any::<[u8; 10]>(),
        before in 0..MAX_LIFETIME / 2,
        after in 1..MAX_LIFETIME / 2,
        allow in prop::option::of("(read|all|GetObject)(,(write|read|List\\*|Get\\*)){0,20}"),
        buckets in prop::option::of("buck\\*(,[a-z*]{1,9}(/[a-z0-9*/_.-]{1,9})?){0,40}"),
    ) {
        let mint = Mint::new(vec![issuer_with(&name, ISSUER_SECRET, MAX_LIFETIME, Grant::default())]);
        let (issued, expires) = (Timestamp(NOW - before), Timestamp(NOW + after));
        let scope = Scope {
            allow: allow.as_deref().map(str::as_bytes),
            buckets: buckets.as_deref().map(str::as_bytes),
        };
        let key = mint.issuers[0].mint(scope, KeyId::of(bits), issued, expires).unwrap();
        let read = MintedAccessKey::parse(key.access_key.as_bytes()).unwrap();
        prop_assert_eq!((read.issuer, read.expires, read.id), (name.as_bytes(), expires, KeyId::of(bits)));
        for way in [Way::V4Header, Way::V4Query] {
            prop_assert_eq!(sent(way, &mint, &Parts::of(&key)), "accepted");
        }
    }

    /// No text is a token that nobody has minted, and none makes the reader panic.
    #[test]
    fn no_other_token(token in "[A-Za-z0-9_-]{0,80}") {
        let parts = Parts { token: Some(token), ..Parts::of(&mint(&issuer(), "", "")) };
        prop_assert_eq!(sent(Way::V4Header, &ci(), &parts), "InvalidToken");
    }
}
