//! Requests to another service than S3: the Security Token Service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    minting::{Mint, issuer, mint},
    reference::{EMPTY, KEY, NOW, SECRET, Sample, encode},
    *,
};
use proptest::prelude::*;
use sigv4::*;

const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

fn sample(method: &str, target: &str) -> Sample {
    let mut sample = Sample::new(method, target);
    sample.service = "sts".into();
    sample
}

fn posted(body: &str) -> Sample {
    let mut sample = sample("POST", "/");
    sample.payload = hash(body);
    sample.header("Content-Type", "application/x-www-form-urlencoded")
}

/// The text of a presigned request, whose payload is the empty body.
fn presigned(sample: Sample) -> String {
    sample.query_form()
}

fn hash(body: &str) -> String {
    String::from_utf8(body_hash(body.as_bytes()).to_vec()).unwrap()
}

fn outcome_at<'c>(
    text: &str,
    body: &str,
    clients: impl Clients<'c>,
    now: i64,
) -> Result<Vec<u8>, Rejection> {
    let text = kept(text.to_owned());
    let raw = Raw::new(text);
    let request = ServiceRequest {
        request: &raw.request(),
        service: "sts",
        body_hash: kept(body_hash(body.as_bytes())),
    };
    let verified = verify_service(&request, clients, &rules(), Timestamp(now));
    verified
        .map(|client| client.credential.access_key().to_vec())
        .map_err(|rejected| rejected.rejection)
}

fn outcome(text: &str, body: &str) -> Result<(), Rejection> {
    let clients = kept(Directory::new(&[(KEY, SECRET)]));
    outcome_at(text, body, clients, NOW).map(|key| assert_eq!(key, KEY.as_bytes()))
}

#[test]
fn requests_that_are_accepted() {
    assert_eq!(outcome(&posted(BODY).header_form(), BODY), Ok(()));
    let get = sample("GET", &format!("/?{BODY}"));
    assert_eq!(outcome(&get.clone().header_form(), ""), Ok(()));
    assert_eq!(outcome(&presigned(get), ""), Ok(()));
    // Whatever region a client is set to, the path of the location, and what EKS has signed besides.
    for region in ["eu-west-1", "aws-global", "local"] {
        let mut sample = posted(BODY);
        sample.region = region.into();
        sample.path = "/a/sts_1.0~-/".into();
        let sample = sample.header("x-k8s-aws-id", "cluster");
        assert_eq!(outcome(&sample.header_form(), BODY), Ok(()), "{region}");
    }
}

/// As SDKs sign for all services but S3: nothing tells the hash of the body.
#[test]
fn as_sdks_sign() {
    let clients = kept(Directory::new(&[(KEY, SECRET)]));
    let token = SecretKey::new(b"ignored/where+there-is-none".to_vec());
    for token in [None, Some(&token)] {
        let call = StsCall {
            host: b"sts.example:8080",
            path: b"/",
            region: &Region::US_EAST_1,
            body: BODY.as_bytes(),
        };
        let credential = credential(KEY, SECRET);
        let head = sign_sts(&call, &credential, token, Timestamp(NOW));
        let head = String::from_utf8(head.to_vec()).unwrap();
        let text = format!(
            "POST / HTTP/1.1\nHost: sts.example:8080\nContent-Type: {STS_CONTENT_TYPE}\n{head}"
        );
        assert_eq!(outcome_at(&text, BODY, clients, NOW), Ok(KEY.into()));
        let other = outcome_at(&text, "Action=AssumeRole", clients, NOW);
        assert_eq!(other, Err(Rejection::SignatureDoesNotMatch));
    }
}

fn mismatch(body: &str) -> Rejection {
    let hash: [u8; 64] = hash(body).as_bytes().try_into().unwrap();
    Rejection::PayloadMismatch(Some(hash.into()))
}

#[test]
fn bodies() {
    let text = posted(BODY).header_form();
    for other in [
        "",
        "Action=AssumeRole&Version=2011-06-15",
        &format!("{BODY}&"),
    ] {
        assert_eq!(outcome(&text, other), Err(mismatch(other)));
    }
    for payload in [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        EMPTY,
        "",
        &hash(BODY)[1..],
    ] {
        let mut sample = posted(BODY);
        sample.payload = payload.into();
        let rejected = outcome(&sample.header_form(), BODY);
        assert_eq!(rejected, Err(mismatch(BODY)), "{payload}");
    }
    let mut upper = posted(BODY);
    upper.payload = upper.payload.to_ascii_uppercase();
    assert_eq!(outcome(&upper.header_form(), BODY), Ok(()));
    // A presigned one whose body nobody has signed.
    let text = presigned(sample("POST", "/?a=b"));
    assert_eq!(outcome(&text, ""), Ok(()));
    assert_eq!(outcome(&text, BODY), Err(Rejection::SignatureDoesNotMatch));
}

#[test]
fn services_are_kept_apart() {
    for service in ["s3", "iam", "st", "stss", "STS", ""] {
        let mut header = posted(BODY);
        header.service = service.into();
        let rejected = outcome(&header.header_form(), BODY).unwrap_err();
        assert!(
            matches!(rejected, Rejection::HeaderMalformed(_)),
            "{service}: {rejected:?}"
        );
        let mut query = sample("GET", "/?a=b");
        query.service = service.into();
        let rejected = outcome(&presigned(query), "").unwrap_err();
        assert!(
            matches!(rejected, Rejection::QueryMalformed(_)),
            "{service}"
        );
    }
    // What is signed for it is of no use for S3.
    for text in [
        sample("GET", "/bucket/key").header_form(),
        presigned(sample("GET", "/bucket/key")),
    ] {
        let raw = Raw::new(&text);
        let (clients, rules) = (Directory::new(&[(KEY, SECRET)]), rules());
        let rejected = verdict(&raw, &clients, &rules, NOW).unwrap_err();
        let is_malformed = matches!(
            rejected,
            Rejection::HeaderMalformed(Malformed::Service)
                | Rejection::QueryMalformed(Malformed::Service)
        );
        assert!(is_malformed, "{rejected:?}");
    }
}

#[test]
fn times() {
    let clients = kept(Directory::new(&[(KEY, SECRET)]));
    let header = posted(BODY).header_form();
    let mut short = sample("GET", &format!("/?{BODY}"));
    // It is not heeded, as at AWS.
    short.expires = "60".into();
    let query = presigned(short);
    for (after, of_header, of_query) in [
        (
            -901,
            Some(Rejection::RequestTimeTooSkewed),
            Some(Rejection::NotYetValid),
        ),
        (-900, None, None),
        (900, None, None),
        (
            901,
            Some(Rejection::RequestTimeTooSkewed),
            Some(Rejection::RequestExpired),
        ),
    ] {
        let at = |text, body| outcome_at(text, body, clients, NOW + after).err();
        assert_eq!(at(&header, BODY), of_header, "{after}");
        assert_eq!(at(&query, ""), of_query, "{after}");
    }
    let mut sample = posted(BODY);
    sample.day = "20260103".into();
    let rejected = outcome(&sample.header_form(), BODY);
    assert_eq!(
        rejected,
        Err(Rejection::HeaderMalformed(Malformed::ScopeDate))
    );
}

#[test]
fn paths() {
    for (path, is_good) in [
        ("/", true),
        ("/sts", true),
        ("/sts/", true),
        ("/a.b/..c/...", true),
        ("//", false),
        ("//sts", false),
        ("/sts//", false),
        ("/a//b", false),
        ("/./", false),
        ("/a/.", false),
        ("/..", false),
        ("/a/../b", false),
        ("/a%20b", false),
        ("/%73ts", false),
        ("/a:b", false),
    ] {
        let accepted = outcome(&sample("POST", path).header_form(), "").is_ok();
        assert_eq!(accepted, is_good, "{path}");
    }
}

#[test]
fn signatures_that_do_not_count() {
    let outcome_of = |text: &str| {
        let clients = kept(Directory::new(&[(KEY, SECRET)]));
        let raw = Raw::new(kept(text.to_owned()));
        let request = ServiceRequest {
            request: &raw.request(),
            service: "sts",
            body_hash: kept(body_hash(b"")),
        };
        let rejected = verify_service(&request, clients, &rules(), Timestamp(NOW)).unwrap_err();
        (rejected.rejection, rejected.auth_type)
    };
    let unsigned = "POST / HTTP/1.1\nHost: a\n";
    for more in ["", "Content-Type: multipart/form-data; boundary=a\n"] {
        let (rejection, auth_type) = outcome_of(&format!("{unsigned}{more}"));
        assert_eq!(rejection, Rejection::AccessDenied);
        assert!(!matches!(
            auth_type,
            None | Some(AuthType::V4Header | AuthType::V4Query)
        ));
    }
    let (rejection, _) = outcome_of(&sample("GET", "/").v2_header_form());
    assert_eq!(rejection, Rejection::SignatureV4Required);
    let both = sample("GET", "/?X-Amz-Signature=1").header_form();
    assert_eq!(outcome_of(&both).0, Rejection::SeveralMechanisms);
    let foreign = sample("GET", "/").unsigned("x-amz-new", "1").header_form();
    assert_eq!(outcome_of(&foreign).0, Rejection::UnsignedHeaders);
    let mut stranger = sample("GET", "/");
    stranger.key = "AKSTRANGER".into();
    assert_eq!(
        outcome_of(&stranger.header_form()).0,
        Rejection::InvalidAccessKeyId
    );
    let mut wrong = sample("GET", "/");
    wrong.secret = "other".into();
    assert_eq!(
        outcome_of(&wrong.header_form()).0,
        Rejection::SignatureDoesNotMatch
    );
}

#[test]
fn minted_keys() {
    let clients: &Mint = kept(Mint::new(vec![issuer()]));
    let key = mint(&clients.issuers[0], "read", "bucket");
    let mut by_header = posted(BODY);
    by_header.key.clone_from(&key.access_key);
    by_header.secret.clone_from(&key.secret_key);
    let without = by_header.clone().header_form();
    let token = key.session_token.as_str();
    let good = by_header
        .header("x-amz-security-token", token)
        .header_form();
    let is_it = Ok(key.access_key.clone().into_bytes());
    assert_eq!(outcome_at(&good, BODY, clients, NOW), is_it);
    let rejected = |text: &str, now| outcome_at(text, BODY, clients, now).unwrap_err();
    assert_eq!(rejected(&without, NOW), Rejection::InvalidAccessKeyId);
    let other = good.replace(token, &token.replace(&token[..4], "AAAA"));
    assert_eq!(rejected(&other, NOW), Rejection::InvalidToken);
    let mut query = sample(
        "GET",
        &format!("/?X-Amz-Security-Token={}", encode(token.as_bytes(), false)),
    );
    query.key.clone_from(&key.access_key);
    query.secret.clone_from(&key.secret_key);
    assert_eq!(outcome_at(&presigned(query), "", clients, NOW), is_it);
}

/// What is changed after it was signed is not accepted, but for the case of a header's name and of an escape.
#[test]
fn every_byte_counts() {
    for (text, body) in [
        (presigned(sample("GET", &format!("/?{BODY}"))), ""),
        (posted(BODY).header_form(), BODY),
    ] {
        assert_eq!(outcome(&text, body), Ok(()));
        for at in 0..text.len() {
            let byte = text.as_bytes()[at];
            let others = b"aXf09-".iter().filter(|other| **other != byte);
            for other in others.filter(|_| byte.is_ascii_alphanumeric()) {
                let mut changed = text.clone().into_bytes();
                changed[at] = *other;
                let changed = String::from_utf8(changed).unwrap();
                if outcome(&changed, body).is_ok() {
                    assert!(other.eq_ignore_ascii_case(&byte), "{at} {changed}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn heads_of_any_text(
        target in "/?[a-z/.%]{0,6}(\\?[A-Za-z=&%-]{0,20}(X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature)=[a-zA-Z0-9/%-]{0,12}&?){0,6})?",
        value in "(AWS4-HMAC-SHA256 )?(Credential=|SignedHeaders=|Signature=)?[ -~]{0,60}",
    ) {
        let text = format!("GET {target} HTTP/1.1\nHost: a\nAuthorization: {value}\n");
        prop_assert!(outcome(&text, "").is_err());
    }
}
