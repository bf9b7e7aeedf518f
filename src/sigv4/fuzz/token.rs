//! Tokens of identity providers, sets of keys, and conditions: of any text, and signed ones of any claims.
#![no_main]

#[path = "../../sts/tests/common/mod.rs"]
mod common;

use std::sync::LazyLock;

use common::{AUDIENCE, ISSUER, NOW, Provider, base64, judge};
use libfuzzer_sys::fuzz_target;
use sts::*;

/// Its keys are made once.
static PROVIDER: LazyLock<(Provider, JwkSet)> = LazyLock::new(|| {
    let provider = Provider::new(1);
    let keys = provider.keys();
    (provider, keys)
});

// Lines: a condition, a head, claims. The same text is read as a token, and as a set of keys.
fuzz_target!(|input: &[u8]| {
    let (provider, keys) = &*PROVIDER;
    let _ = JwkSet::parse(input);
    assert!(judge(&common::trust(&["sub:*"]), input, keys, NOW).is_err());
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (condition, head, claims) = (line(), line(), line());
    let Ok(condition) = Condition::parse(condition.as_bytes()) else {
        return;
    };
    let trust = WebIdentityTrust::new(ISSUER, &[AUDIENCE], vec![condition], None).unwrap();
    // Nobody has signed it.
    let unsigned = format!("{}.{}.{}", base64(head), base64(claims), base64([0; 64]));
    assert!(judge(&trust, unsigned.as_bytes(), keys, NOW).is_err());
    let token = provider.sign(head, claims, true);
    let Ok(subject) = judge(&trust, token.as_bytes(), keys, NOW) else {
        return;
    };
    assert!(
        !subject.subject.is_empty() && subject.issuer == ISSUER && subject.audience == AUDIENCE
    );
    let later = judge(&trust, token.as_bytes(), keys, i64::MAX);
    assert!(matches!(later, Err(TokenFault::Expired)));
    let mut other = token.into_bytes();
    let at = input.len() * 31 % other.len();
    other[at] = if other[at] == b'A' { b'B' } else { b'A' };
    assert!(judge(&trust, &other, keys, NOW).is_err());
});
