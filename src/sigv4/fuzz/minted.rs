//! Minted keys: access keys and tokens of any text, and scopes of any words that are minted and used.
#![no_main]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{
    Raw,
    minting::{ISSUER, Mint, id, issuer},
    reference::{NOW, Sample},
    rules,
};
use libfuzzer_sys::fuzz_target;
use sigv4::*;

// Lines: an access key and a token, or nothing and nothing for those that are minted with what follows: `allow=`,
// `buckets=`, and how a byte of the token is changed, as `PLACE BYTE`.
fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (access_key, token, allow, buckets, change) = (line(), line(), line(), line(), line());
    let mint = Mint::new(vec![issuer()]);
    if !access_key.is_empty() {
        if let Some(minted) = MintedAccessKey::parse(access_key.as_bytes()) {
            assert!(access_key.len() <= MAX_ACCESS_KEY && is_issuer_name(minted.issuer));
            assert!(access_key.ends_with(&minted.id.to_string()));
        }
        // Who has no secret cannot have it accepted.
        let claim = claim(access_key.as_bytes(), token.as_bytes());
        assert!(!is_found(&mint, &claim), "{text}");
        return;
    }
    fn part(text: &str) -> Option<&[u8]> {
        (!text.is_empty()).then_some(text.as_bytes())
    }
    let scope = Scope {
        allow: part(allow),
        buckets: part(buckets),
    };
    let (issued, expires) = (Timestamp(NOW), Timestamp(NOW + 60));
    let Ok(key) = mint.issuers[0].mint(scope, id(1), issued, expires) else {
        return;
    };
    assert!(key.access_key.contains(ISSUER));
    let mut token = key.session_token.clone().into_bytes();
    let access_key = key.access_key.as_bytes();
    assert!(is_found(&mint, &claim(access_key, &token)));
    let mut sample = Sample::new("GET", "/bucket/key");
    sample.key.clone_from(&key.access_key);
    sample.secret.clone_from(&key.secret_key);
    let sample = sample.header("x-amz-security-token", &key.session_token);
    let request = sample.header_form();
    let raw = Raw::new(&request);
    let (rules, mut keys) = (rules(), KeyCache::new(1));
    let outcome = verify(&raw.request(), &mint, &rules, &mut keys, Timestamp(NOW));
    // Its grant decides, and nothing else.
    if let Err(rejected) = outcome {
        assert_eq!(rejected.rejection, Rejection::AccessDenied, "{text}");
    }
    if let Some((place, byte)) = change.split_once(' ')
        && let (Ok(place), [byte]) = (place.parse::<usize>(), byte.as_bytes())
    {
        let length = token.len();
        let place = &mut token[place % length];
        if *place != *byte {
            *place = *byte;
            assert!(!is_found(&mint, &claim(access_key, &token)), "{text}");
        }
    }
});

fn claim<'a>(access_key: &'a [u8], token: &'a [u8]) -> Claim<'a> {
    Claim {
        access_key,
        session_token: Some(SessionToken::plain(token)),
        now: Timestamp(NOW),
    }
}

fn is_found(mint: &Mint, claim: &Claim<'_>) -> bool {
    mint.find(claim).is_ok_and(|found| !found.is_empty())
}
