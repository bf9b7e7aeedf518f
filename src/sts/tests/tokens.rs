//! Tokens of identity providers: those that have a role, and all attacks on them that have a name.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::*;
use proptest::prelude::*;
use ring::hmac;
use sts::*;

const HEAD: &str = r#"{"alg": "EdDSA", "kid": "ed"}"#;

/// What becomes of a head and claims that the provider has signed.
fn signed(head: &str, claims: &str) -> Result<Subject, TokenFault> {
    let provider = Provider::new(1);
    let token = provider.sign(head, claims, !head.contains("ES256"));
    judge(&trust(&["sub:*"]), token.as_bytes(), &provider.keys(), NOW)
}

#[test]
fn a_token_has_its_role() {
    let expected = Subject {
        issuer: ISSUER.into(),
        subject: "me".into(),
        audience: AUDIENCE.into(),
    };
    for head in [
        HEAD,
        r#"{"alg": "EdDSA"}"#,
        r#"{"alg": "Ed25519", "typ": "JWT"}"#,
        r#"{"alg": "EdDSA", "typ": "jwt"}"#,
        r#"{"alg": "EdDSA", "typ": "application/at+jwt"}"#,
        r#"{"alg": "ES256", "kid": "ec"}"#,
        // Keys in it are nobody's, and so is what it says besides.
        r#"{"alg": "ES256", "kid": "ec", "jwk": {}, "jku": "http://evil.example", "x5c": [], "new": 1}"#,
    ] {
        assert_eq!(signed(head, &claims("")), Ok(expected.clone()), "{head}");
    }
}

#[test]
fn heads() {
    use TokenFault::{Algorithm, Malformed, Signature, UnknownKey};
    for (head, fault) in [
        ("", Malformed),
        ("{}", Malformed),
        ("[]", Malformed),
        ("null", Malformed),
        (r#"{"alg": null}"#, Malformed),
        (r#"{"alg": ["EdDSA"]}"#, Malformed),
        (r#"{"alg": "none"}"#, Algorithm),
        (r#"{"alg": "None"}"#, Algorithm),
        (r#"{"alg": ""}"#, Algorithm),
        (r#"{"alg": "eddsa"}"#, Algorithm),
        (r#"{"alg": "HS256"}"#, Algorithm),
        (r#"{"alg": "RS384"}"#, Algorithm),
        (r#"{"alg": "PS256"}"#, Algorithm),
        (r#"{"alg": "ES256K"}"#, Algorithm),
        // The key is of another kind.
        (r#"{"alg": "RS256"}"#, Signature),
        (r#"{"alg": "RS256", "kid": "ed"}"#, Signature),
        (r#"{"alg": "ES256", "kid": "ed"}"#, Signature),
        (r#"{"alg": "EdDSA", "kid": "ec"}"#, Signature),
        (r#"{"alg": "EdDSA", "kid": "no"}"#, UnknownKey),
        (r#"{"alg": "EdDSA", "kid": ""}"#, UnknownKey),
        (r#"{"alg": "EdDSA", "kid": "../../dev/null"}"#, UnknownKey),
        (r#"{"alg": "EdDSA", "kid": "ed' OR 1=1"}"#, UnknownKey),
        (r#"{"alg": "EdDSA", "kid": null}"#, Malformed),
        (r#"{"alg": "EdDSA", "kid": ["ed"]}"#, Malformed),
        // Members twice: readers differ in which one they take.
        (r#"{"alg": "none", "alg": "EdDSA"}"#, Malformed),
        (r#"{"alg": "EdDSA", "kid": "no", "kid": "ed"}"#, Malformed),
        (
            r#"{"alg": "EdDSA", "k\u0069d": "no", "kid": "ed"}"#,
            Malformed,
        ),
        (r#"{"alg": "EdDSA", "a": {"b": 1, "b": 1}}"#, Malformed),
        // Extensions.
        (r#"{"alg": "EdDSA", "crit": ["exp"], "exp": 1}"#, Malformed),
        (r#"{"alg": "EdDSA", "crit": []}"#, Malformed),
        (
            r#"{"alg": "EdDSA", "b64": false, "crit": ["b64"]}"#,
            Malformed,
        ),
        (r#"{"alg": "EdDSA", "b64": false}"#, Malformed),
        (r#"{"alg": "EdDSA", "typ": "logout+jwt"}"#, Malformed),
        (r#"{"alg": "EdDSA", "typ": "dpop+jwt"}"#, Malformed),
        (r#"{"alg": "EdDSA", "typ": 1}"#, Malformed),
        ("{\"alg\": \"EdDSA\"} ", Malformed),
        ("\u{feff}{\"alg\": \"EdDSA\"}", Malformed),
    ] {
        // A blank after a document is none of it for JSON, and a token is JSON.
        let fault = if head.ends_with("} ") {
            None
        } else {
            Some(fault)
        };
        assert_eq!(signed(head, &claims("")).err(), fault, "{head}");
    }
}

#[test]
fn claims_that_are_wrong() {
    use TokenFault::{Audience, Claim, Expired, Issuer, Malformed, NotYetValid};
    let all = |iss: &str, aud: &str, sub: &str, exp: &str| {
        format!(r#"{{"iss": {iss}, "aud": {aud}, "sub": {sub}, "exp": {exp}}}"#)
    };
    let (iss, aud, sub) = (format!("\"{ISSUER}\""), format!("\"{AUDIENCE}\""), "\"me\"");
    let exp = (NOW + 60).to_string();
    let of_issuer = |iss: &str| all(iss, &aud, sub, &exp);
    let of_audience = |aud: &str| all(&iss, aud, sub, &exp);
    let of_subject = |sub: &str| all(&iss, &aud, sub, &exp);
    let until = |exp: &str| all(&iss, &aud, sub, exp);
    for (claims, fault) in [
        ("{}".into(), Issuer),
        ("[]".into(), Malformed),
        (claims("\"sub\": \"me\""), Malformed),
        (claims("\"a\": {\"b\": 1, \"b\": 2}"), Malformed),
        (claims("\"a\": \"\\ud800\""), Malformed),
        (claims(&format!("\"a\": {}", "[".repeat(200))), Malformed),
        (of_issuer("null"), Issuer),
        (of_issuer("\"https://issuer.example/\""), Issuer),
        (of_issuer("\"https://issuer.example/a/\""), Issuer),
        (of_issuer("\"https://issuer.example/A\""), Issuer),
        (of_issuer(&format!("[{iss}]")), Issuer),
        (of_audience("\"\""), Audience),
        (of_audience("null"), Audience),
        (of_audience("{}"), Audience),
        (of_audience("\"sts.example.evil.example\""), Audience),
        (of_audience("\"STS.example\""), Audience),
        (of_audience("[]"), Audience),
        (of_audience("[\"a\", \"b\"]"), Audience),
        (of_audience(&format!("[[{aud}]]")), Audience),
        (of_audience(&format!("[{aud}, 1]")), Audience),
        (of_audience(&format!("\"x\", \"azp\": {aud}")), Audience),
        (of_subject("\"\""), Claim("sub")),
        (of_subject("1"), Claim("sub")),
        (of_subject("\"a\\u0000b\""), Claim("sub")),
        (of_subject("\"a\\nb\""), Claim("sub")),
        (
            of_subject(&format!("\"{}\"", "x".repeat(1_025))),
            Claim("sub"),
        ),
        (until("null"), Claim("exp")),
        (until(&format!("\"{exp}\"")), Claim("exp")),
        (until("1e400"), Malformed),
        (until("1e300"), Claim("exp")),
        (until("99999999999999999999999999"), Claim("exp")),
        (until("18446744073709551615"), Claim("exp")),
        (until("-1"), Expired),
        (until(&NOW.to_string()), Expired),
        (until(&format!("{NOW}.9")), Expired),
        (claims(&format!("\"nbf\": {}", NOW + 301)), NotYetValid),
        (claims(&format!("\"iat\": {}", NOW + 301)), NotYetValid),
        (claims(&format!("\"nbf\": {}.5", NOW + 301)), NotYetValid),
        (claims("\"nbf\": \"1\""), Claim("nbf")),
        (claims("\"iat\": null"), Claim("iat")),
    ] {
        assert_eq!(signed(HEAD, &claims).err(), Some(fault), "{claims}");
    }
    let without = |name: &str| claims("").replace(&format!("\"{name}\""), "\"x\"");
    assert_eq!(signed(HEAD, &without("sub")), Err(Claim("sub")));
    assert_eq!(signed(HEAD, &without("exp")), Err(Claim("exp")));
    assert_eq!(signed(HEAD, &without("aud")), Err(Audience));
    for claims in [
        until(&(NOW + 1).to_string()),
        until(&format!("{}.5", NOW + 1)),
        until("1.9e9"),
        of_audience(&format!("[\"x\", {aud}]")),
        of_subject(&format!("\"{}\"", "x".repeat(1_024))),
        of_subject("\"\\u00e4 b\""),
        claims(&format!("\"nbf\": {0}, \"iat\": {0}", NOW + 300)),
        claims("\"nbf\": -5"),
    ] {
        assert!(signed(HEAD, &claims).is_ok(), "{claims}");
    }
}

#[test]
fn shapes() {
    let provider = Provider::new(1);
    let good = provider.token(&claims(""));
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = parts[..] else {
        panic!("{good}");
    };
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        head.into(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{signature}"),
        format!(".{body}.{signature}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}.."),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}="),
        format!("Bearer {good}"),
        format!("{head}=.{body}.{signature}"),
        good.replace('.', " ."),
        // The other forms of RFC 7515.
        format!(r#"{{"payload": "{body}", "protected": "{head}", "signature": "{signature}"}}"#),
        // Two signatures in one.
        format!("{head}.{body}.{signature}{signature}"),
        format!("{}.{}", good, "A".repeat(20_000)),
        format!("{head}.{}.{signature}", "A".repeat(20_000)),
    ] {
        let judged = judge(&trust(&["sub:*"]), token.as_bytes(), &provider.keys(), NOW);
        let fault = judged.err();
        let is_fault = matches!(fault, Some(TokenFault::Malformed | TokenFault::Signature));
        assert!(is_fault, "{token}: {fault:?}");
    }
}

/// As long as AWS accepts, and one more.
#[test]
fn the_longest() {
    let provider = Provider::new(1);
    let token = |length| provider.token(&claims(&format!("\"a\": \"{}\"", "x".repeat(length))));
    let mut length = 14_000;
    while token(length + 1).len() <= MAX_TOKEN {
        length += 1;
    }
    let judge = |token: &str| judge(&trust(&["sub:*"]), token.as_bytes(), &provider.keys(), NOW);
    assert!(judge(&token(length)).is_ok());
    assert_eq!(judge(&token(length + 1)), Err(TokenFault::Malformed));
}

/// The public key as a secret, in every form in which someone could have it.
#[test]
fn a_public_key_is_no_secret() {
    let provider = Provider::new(1);
    let (jwks, public) = (provider.jwks(), base64(provider.ed_public()));
    for secret in [
        provider.ed_public(),
        public.as_bytes(),
        jwks.as_bytes(),
        b"",
    ] {
        let text = format!(
            "{}.{}",
            base64(r#"{"alg": "HS256", "kid": "ed"}"#),
            base64(claims(""))
        );
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        let token = format!("{text}.{}", base64(mac));
        let judged = judge(&trust(&["sub:*"]), token.as_bytes(), &provider.keys(), NOW);
        assert_eq!(judged, Err(TokenFault::Algorithm));
    }
}

#[test]
fn a_token_of_someone_else() {
    let (provider, other) = (Provider::new(1), Provider::new(2));
    for head in [HEAD, r#"{"alg": "EdDSA"}"#] {
        let token = other.sign(head, &claims(""), true);
        let judged = judge(&trust(&["sub:*"]), token.as_bytes(), &provider.keys(), NOW);
        assert_eq!(judged, Err(TokenFault::Signature));
    }
    // It brings its key along.
    let jwk = format!(
        r#"{{"kty": "OKP", "crv": "Ed25519", "x": "{}"}}"#,
        base64(other.ed_public())
    );
    let head = format!(r#"{{"alg": "EdDSA", "jwk": {jwk}}}"#);
    let token = other.sign(&head, &claims(""), true);
    let judged = judge(&trust(&["sub:*"]), token.as_bytes(), &provider.keys(), NOW);
    assert_eq!(judged, Err(TokenFault::Signature));
}

/// Strangers learn nothing of conditions, and no key is looked for before all else is right.
#[test]
fn what_is_told_first() {
    let (provider, other) = (Provider::new(1), Provider::new(2));
    let trust = trust(&["sub:you"]);
    let keys = provider.keys();
    let judge = |token: String| judge(&trust, token.as_bytes(), &keys, NOW);
    let (good, bad) = (claims(""), claims("\"nbf\": 9999999999"));
    assert_eq!(judge(other.token(&good)), Err(TokenFault::Signature));
    assert_eq!(judge(provider.token(&good)), Err(TokenFault::Condition));
    let unknown = provider.sign(r#"{"alg": "EdDSA", "kid": "new"}"#, &bad, true);
    assert_eq!(judge(unknown), Err(TokenFault::NotYetValid));
}

#[test]
fn conditions() {
    let claims = claims(
        r#""a": "x:y", "n": 5, "big": 18446744073709551615, "neg": -7, "real": 5.0, "exponent": 1e2, "yes": true, "no": false,
        "null": null, "list": ["p", 7, true, null, ["deep"], {"o": 1}], "o": {"": "e", "a/b": {"m~n": "q"}, "0": "zero"},
        "https://x.example/group": "g", "empty": """#,
    );
    let provider = Provider::new(1);
    let token = provider.token(&claims);
    for (condition, holds) in [
        ("sub:*", true),
        ("sub:me", true),
        ("sub:m*", true),
        ("sub:*e", true),
        ("sub:ME", false),
        ("sub:m", false),
        ("sub:me*e", false),
        ("a:x:y", true),
        ("a:x%3Ay", false),
        ("%61:x:*", true),
        ("https%3A//x.example/group:g", true),
        ("n:5", true),
        ("n:5*", true),
        ("n:05", false),
        ("big:18446744073709551615", true),
        ("neg:-7", true),
        // Other spellings of a number could be of the same one.
        ("real:5", false),
        ("real:5.0", false),
        ("real:*", false),
        ("exponent:*", false),
        ("yes:true", true),
        ("yes:True", false),
        ("no:false", true),
        ("no:*", true),
        ("null:*", false),
        ("null:null", false),
        ("list:p", true),
        ("list:7", true),
        ("list:true", true),
        ("list:deep", false),
        ("list:null", false),
        ("o:*", false),
        ("absent:*", false),
        ("empty:*", true),
        ("/a:x:y", true),
        ("/o/:e", true),
        ("/o/a~1b/m~0n:q", true),
        ("/o/a%7E1b/m~0n:q", true),
        ("/o/0:zero", true),
        ("/list/0:p", true),
        ("/list/1:7", true),
        ("/list/4/0:deep", true),
        ("/list/4:deep", true),
        ("/list/5/o:1", true),
        ("/list/00:p", false),
        ("/list/+0:p", false),
        ("/list/-:*", false),
        ("/list/6:*", false),
        ("/list/99999999999999999999:*", false),
        ("/sub/0:*", false),
        ("/:*", false),
    ] {
        let judged = judge(
            &trust(&[condition]),
            token.as_bytes(),
            &provider.keys(),
            NOW,
        );
        let expected = if holds {
            None
        } else {
            Some(TokenFault::Condition)
        };
        assert_eq!(judged.err(), expected, "{condition}");
    }
    for (conditions, holds) in [
        (["sub:me", "n:5"], true),
        (["sub:me", "n:6"], false),
        (["n:6", "sub:me"], false),
    ] {
        let judged = judge(&trust(&conditions), token.as_bytes(), &provider.keys(), NOW);
        assert_eq!(judged.is_ok(), holds, "{conditions:?}");
    }
}

#[test]
fn conditions_that_are_none() {
    use ConditionFault::{Claim, EmptyPattern, NoPattern, Pointer};
    for (text, fault) in [
        ("", NoPattern),
        ("sub", NoPattern),
        (":x", Claim),
        ("sub:", EmptyPattern),
        ("su%b:x", Claim),
        ("su%2:x", Claim),
        ("%ff:x", Claim),
        ("/a~b:x", Pointer),
        ("/a~:x", Pointer),
        ("/a~2:x", Pointer),
    ] {
        assert_eq!(Condition::parse(text.as_bytes()), Err(fault), "{text}");
    }
}

#[test]
fn trust_needs_all_of_it() {
    let condition = || vec![Condition::parse(b"sub:*").unwrap()];
    let make = |issuer, audiences: &[&str], conditions| {
        WebIdentityTrust::new(issuer, audiences, conditions, None).err()
    };
    assert_eq!(make("i", &["a"], condition()), None);
    assert_eq!(make("", &["a"], condition()), Some(RoleFault::Issuer));
    assert_eq!(make("i", &[], condition()), Some(RoleFault::Audience));
    assert_eq!(
        make("i", &["a", ""], condition()),
        Some(RoleFault::Audience)
    );
    assert_eq!(make("i", &["a"], vec![]), Some(RoleFault::Condition));
}

#[test]
fn every_byte_of_a_token_counts() {
    let provider = Provider::new(1);
    let (keys, trust) = (provider.keys(), trust(&["sub:*"]));
    for head in [HEAD, r#"{"alg": "ES256"}"#] {
        let token = provider.sign(head, &claims("\"a\": \"b\""), head == HEAD);
        assert!(judge(&trust, token.as_bytes(), &keys, NOW).is_ok());
        let mut other = token.clone().into_bytes();
        for at in 0..other.len() {
            let byte = other[at];
            // In the last one of a part, there are bits of no byte.
            let is_last = token[at + 1..].starts_with('.') || at + 1 == token.len();
            let bytes: Vec<u8> = match is_last {
                true => (0..=255).collect(),
                false => b"AZaz09-_+/=. \0\xff".to_vec(),
            };
            for changed in bytes.into_iter().filter(|changed| *changed != byte) {
                other[at] = changed;
                assert!(judge(&trust, &other, &keys, NOW).is_err(), "{at} {changed}");
            }
            other[at] = byte;
        }
        for length in 0..token.len() {
            assert!(judge(&trust, &token.as_bytes()[..length], &keys, NOW).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    /// Signed by the provider, so that they are read to the end; whatever has a role has what it needs.
    #[test]
    fn claims_of_any_text(text in r#"\{("(iss|aud|sub|exp|nbf|a)": ?("(https://issuer.example/a|sts.example|me)"|[0-9]{1,12}(\.5|e9)?|null|\[\]|\{\}), ?){0,6}"exp": 9999999999\}"#) {
        if let Ok(subject) = signed(HEAD, &text) {
            prop_assert!(text.contains(ISSUER) && text.contains(AUDIENCE));
            prop_assert!(!subject.subject.is_empty());
        }
    }

    #[test]
    fn bytes_of_any_kind(text: Vec<u8>, parts in "[A-Za-z0-9_=.-]{0,80}") {
        let _ = JwkSet::parse(&text);
        let _ = Condition::parse(&text);
        prop_assert!(Jwt::parse(&text).is_err());
        let _ = Jwt::parse(parts.as_bytes());
        let wrapped = format!("{}.{}.{parts}", base64(HEAD), base64(&text));
        let judged = judge(&trust(&["sub:*"]), wrapped.as_bytes(), &Provider::new(1).keys(), NOW);
        prop_assert!(judged.is_err());
    }
}
