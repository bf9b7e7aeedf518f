//! Session tokens, ends, and secrets that are being replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{KEY, NOW, SECRET},
    sending::{Parts, Way},
    *,
};
use sigv4::*;

struct Ring(Vec<Client>);

impl<'c> Clients<'c> for &'c Ring {
    fn find(self, claim: &Claim<'_>) -> Result<Claimants<'c>, Rejection> {
        let is_its = |client: &&Client| client.credential.access_key() == claim.access_key;
        Ok(self.0.iter().filter(is_its).collect())
    }
}

fn client(secret: &str, token: Option<&str>, expires: Option<i64>) -> Client {
    Client {
        session_token: token.map(|token| SecretKey::new(token.into())).into(),
        expires: expires.map(Timestamp),
        ..Client::new(credential(KEY, secret), Grant::default())
    }
}

/// As base64 has them: what a query percent-encodes.
const TOKEN: &str = "FwoGZXIvYXdz/a+b==";

/// What comes of a request with a secret and a token.
fn sent(way: Way, clients: &Ring, secret: &str, token: Option<&str>) -> String {
    let parts = Parts {
        access_key: KEY.into(),
        secret: secret.into(),
        token: token.map(Into::into),
    };
    sending::sent(way, clients, &parts)
}

#[test]
fn a_session_token_is_that_of_its_key() {
    let clients = Ring(vec![client(SECRET, Some(TOKEN), None)]);
    let near = TOKEN.replace('=', "-");
    for way in Way::ALL {
        assert_eq!(
            sent(way, &clients, SECRET, Some(TOKEN)),
            "accepted",
            "{way:?}"
        );
        for other in [&near, &TOKEN[1..], &[TOKEN, "="].concat(), "", "x"] {
            let code = sent(way, &clients, SECRET, Some(other));
            assert_eq!(code, "InvalidToken", "{way:?} {other}");
        }
        assert_eq!(
            sent(way, &clients, SECRET, None),
            "InvalidAccessKeyId",
            "{way:?}"
        );
    }
}

/// As S3, to which a token beside a key that is no temporary one is a mistake. An empty one is none: some clients send
/// a variable of their environment that is set, and empty.
#[test]
fn a_token_that_is_not_asked_for_is_invalid() {
    let clients = Ring(vec![client(SECRET, None, None)]);
    for way in Way::ALL {
        for (token, expected) in [
            (TOKEN, "InvalidToken"),
            ("any", "InvalidToken"),
            ("", "accepted"),
        ] {
            let code = sent(way, &clients, SECRET, Some(token));
            assert_eq!(code, expected, "{way:?} {token:?}");
        }
    }
}

/// Whatever the signature, as of all clients with the key: S3 looks at the token first.
#[test]
fn of_such_a_token_it_is_told_first() {
    let (permanent, temporary) = (client("old", None, None), client("new", Some(TOKEN), None));
    for (clients, expected) in [
        (Ring(vec![permanent]), "InvalidToken"),
        (
            Ring(vec![client("old", None, None), temporary]),
            "SignatureDoesNotMatch",
        ),
    ] {
        for way in Way::ALL {
            assert_eq!(sent(way, &clients, "x", Some("t")), expected, "{way:?}");
            for token in [None, Some("")] {
                let code = sent(way, &clients, "x", token);
                assert_eq!(code, "SignatureDoesNotMatch", "{way:?}");
            }
        }
    }
}

#[test]
fn a_wrong_signature_says_nothing_of_the_token() {
    let clients = Ring(vec![client("other", Some(TOKEN), Some(NOW - 1))]);
    for way in Way::ALL {
        for token in [None, Some("any")] {
            let code = sent(way, &clients, SECRET, token);
            assert_eq!(code, "SignatureDoesNotMatch", "{way:?} {token:?}");
        }
    }
}

#[test]
fn a_key_ends() {
    for (expires, expected) in [
        (NOW - 1, "ExpiredToken"),
        (NOW, "ExpiredToken"),
        (NOW + 1, "accepted"),
    ] {
        let clients = Ring(vec![client(SECRET, None, Some(expires))]);
        for way in Way::ALL {
            assert_eq!(sent(way, &clients, SECRET, None), expected, "{way:?}");
        }
    }
}

#[test]
fn an_old_and_a_new_secret() {
    for clients in [
        [client("old", None, None), client("new", None, None)],
        [client("new", None, None), client("old", None, None)],
    ] {
        let clients = Ring(clients.into());
        for way in [Way::V4Header, Way::V4Query, Way::V2Header, Way::V2Query] {
            for secret in ["old", "new"] {
                assert_eq!(sent(way, &clients, secret, None), "accepted", "{way:?}");
            }
            let code = sent(way, &clients, "other", None);
            assert_eq!(code, "SignatureDoesNotMatch", "{way:?}");
        }
    }
}

/// The grant is that of the secret which has signed.
#[test]
fn each_secret_has_its_grant() {
    let may = |secret: &str, allow: &str| Client::new(credential(KEY, secret), grant(allow, ""));
    let clients = Ring(vec![may("old", "write"), may("new", "read")]);
    assert_eq!(sent(Way::V4Header, &clients, "new", None), "accepted");
    assert_eq!(sent(Way::V4Header, &clients, "old", None), "AccessDenied");
}
