//! Whatever services and files say: it is read in one way, and nothing that is none goes into a header.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::rc::Rc;

use proptest::{collection::vec, prelude::*};
use providers::{
    Answer, AnswerBuffer, Endpoint, Fetch, MAX_BODY, ProvidedKeys, Provider, Reading, Role, Source,
    Step, read_profile,
};
use sigv4::{Credential, Region, SecretKey, Timestamp};

const NOW: Timestamp = Timestamp(1_780_000_496);
const JSON: &str = r#"{"Code": "Success", "AccessKeyId": "ASIA1", "SecretAccessKey": "s/e+c", "Token": "t==",
    "Expiration": "2026-05-28T20:34:56Z"}"#;
const XML: &str = "<AssumeRoleResponse xmlns=\"u:v\"><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
    <SecretAccessKey>s/e+c</SecretAccessKey><SessionToken>t==</SessionToken><Expiration>2026-05-28T20:34:56Z</Expiration>\
    </Credentials></AssumeRoleResult></AssumeRoleResponse>";
const FILE: &str =
    "[default]\naws_access_key_id = AKID1\naws_secret_access_key=s1\naws_session_token = t\n";
const HTTP: &str =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\n\r\n";

/// A text with some of its bytes replaced, left out or doubled, by numbers that choose place and byte.
fn changed(text: &str, changes: &[(u16, u8, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (place, kind, byte) in changes {
        let place = usize::from(*place) % bytes.len().max(1);
        match kind % 4 {
            0 if place < bytes.len() => bytes[place] = *byte,
            1 => bytes.insert(place, *byte),
            2 if place < bytes.len() => drop(bytes.remove(place)),
            _ => bytes.truncate(bytes.len() - place / 8),
        }
    }
    bytes
}

/// Keys can go into the head of a request.
fn is_sound(keys: &ProvidedKeys) -> bool {
    let (credential, _) = keys.to_credential();
    Credential::is_access_key(credential.access_key())
}

fn role() -> Role {
    Role {
        arn: "arn:aws:iam::1:role/r".into(),
        session_name: "name".into(),
        external_id: None,
        sts: Endpoint::parse("https://sts.example.com").unwrap(),
        region: Region::US_EAST_1,
    }
}

/// Fetches with the same answer to everything that is asked.
fn fetch(
    source: Source,
    role: Option<Role>,
    status: u16,
    body: &[u8],
) -> Result<ProvidedKeys, String> {
    let (mut fetch, mut step) = Fetch::begin(Rc::new(Provider { source, role }), NOW);
    for _ in 0..9 {
        let answer = Answer {
            max_age: None,
            status,
            body: body.to_vec().into(),
        };
        step = match step {
            Step::Ask(ask) => {
                let head = ask
                    .request
                    .windows(4)
                    .position(|end| end == b"\r\n\r\n")
                    .unwrap();
                assert_eq!(
                    ask.request[..head]
                        .windows(2)
                        .filter(|end| end == b"\r\n")
                        .count()
                        + 1,
                    ask.request[..head].split(|byte| *byte == b'\n').count()
                );
                fetch.heard(&answer, NOW)
            }
            Step::Read(_) => fetch.has_read(body, NOW),
            Step::Done(keys) => return Ok(keys),
            Step::Failed(why) => return Err(why),
        };
    }
    panic!("it does not end");
}

fn sources() -> [(Source, Option<Role>); 5] {
    let imds = || Source::Imds {
        endpoint: Endpoint::parse("http://127.0.0.1").unwrap(),
    };
    [
        (imds(), None),
        (imds(), Some(role())),
        (
            Source::Container {
                kind: "ecs",
                endpoint: Endpoint::parse("http://127.0.0.1/x").unwrap(),
                is_named: true,
                token: None,
            },
            None,
        ),
        (
            Source::WebIdentity {
                role: role(),
                token_file: "/jwt".into(),
            },
            None,
        ),
        (
            Source::Fixed {
                credential: Credential::new(b"AKID", SecretKey::new(b"s".to_vec())),
                session_token: None,
            },
            Some(role()),
        ),
    ]
}

/// Reads an answer in pieces of that length.
fn read(answer: &[u8], length: usize) -> Result<(u16, Vec<u8>), String> {
    let mut buffer = AnswerBuffer::default();
    for piece in answer.chunks(length) {
        match buffer.read(piece) {
            Reading::More => {}
            Reading::Whole(answer) => return Ok((answer.status, answer.body.to_vec())),
            Reading::Bad(why) => return Err(why.into()),
        }
    }
    match buffer.close() {
        Reading::Whole(answer) => Ok((answer.status, answer.body.to_vec())),
        Reading::Bad(why) => Err(why.into()),
        Reading::More => panic!("it goes on after its end"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_bodies(changes in vec(any::<(u16, u8, u8)>(), 0..6), status in prop_oneof![3 => Just(200_u16), 1 => 200..600_u16]) {
        for text in [JSON, XML, FILE] {
            let body = changed(text, &changes);
            for (source, role) in sources() {
                if let Ok(keys) = fetch(source, role, status, &body) {
                    prop_assert!(is_sound(&keys) && status == 200);
                }
            }
            if let Ok(keys) = read_profile(&body, "default") {
                prop_assert!(is_sound(&keys));
            }
        }
    }

    #[test]
    fn any_bodies(body in vec(any::<u8>(), 0..300)) {
        for (source, role) in sources() {
            prop_assert!(fetch(source, role, 200, &body).is_err());
        }
        prop_assert!(read_profile(&body, "default").is_err());
    }

    /// However it arrives, an answer is the same, or is none.
    #[test]
    fn answers_in_pieces(changes in vec(any::<(u16, u8, u8)>(), 0..4), length in 1..60_usize) {
        let answer = changed(HTTP, &changes);
        let (slowly, in_pieces) = (read(&answer, 1), read(&answer, length));
        if let Ok((status, body)) = &slowly {
            prop_assert!((200..600).contains(status) && body.len() <= MAX_BODY);
            // What follows an answer is seen only if it comes with it.
            prop_assert!(in_pieces == slowly || in_pieces == Err("its answer is longer than it says".into()));
        } else {
            prop_assert!(in_pieces.is_err());
        }
    }

    #[test]
    fn endpoints(url in "(https?://)?[a-z0-9.:@/\\[\\]%? \r\n-]{0,40}") {
        if let Ok(endpoint) = Endpoint::parse(&url) {
            let shown = endpoint.to_string();
            prop_assert!(Endpoint::parse(&shown).is_ok(), "{}", shown);
            prop_assert!(!shown.contains(['\r', '\n', ' ', '@']) || endpoint.path.contains('@'));
        }
    }
}

#[test]
fn what_is_not_changed() {
    let [(imds, _), (_, _), (container, _), _, (fixed, assumed)] = sources();
    assert!(
        fetch(imds, None, 200, JSON.as_bytes()).is_err(),
        "it is no token"
    );
    assert!(fetch(container, None, 200, JSON.as_bytes()).is_ok());
    assert!(fetch(fixed, assumed, 200, XML.as_bytes()).is_ok());
    assert_eq!(read(HTTP.as_bytes(), 1), Ok((200, b"helloyou".to_vec())));
}
