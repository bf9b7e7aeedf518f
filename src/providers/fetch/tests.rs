#![allow(clippy::unwrap_used)]

use sigv4::Region;

use super::*;
use crate::SecretToken;

const NOW: Timestamp = Timestamp(1_780_000_496);
const KEYS: &str = r#"{"AccessKeyId": "ASIA1", "SecretAccessKey": "sec", "Token": "tok",
    "Expiration": "2026-05-28T21:34:56Z"}"#;

fn provider(source: Source, role: Option<Role>) -> Rc<Provider> {
    Rc::new(Provider { source, role })
}

fn imds(role: Option<Role>) -> Rc<Provider> {
    let endpoint = Endpoint::parse("http://169.254.169.254").unwrap();
    provider(Source::Imds { endpoint }, role)
}

fn container(token: Option<ContainerToken>) -> Rc<Provider> {
    let endpoint = Endpoint::parse("http://169.254.170.2/v2/x?y=z").unwrap();
    provider(
        Source::Container {
            kind: "ecs",
            endpoint,
            is_named: false,
            token,
        },
        None,
    )
}

fn role() -> Role {
    Role {
        arn: "arn:aws:iam::1:role/r".into(),
        session_name: "s3 resign".into(),
        external_id: Some("e&x".into()),
        sts: Endpoint::parse("https://sts.example.com").unwrap(),
        region: Region::parse(b"eu-west-1").unwrap(),
    }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        max_age: None,
        status,
        body: Zeroizing::new(body.into()),
    }
}

fn sts(action: &str) -> Answer {
    answer(
        200,
        &format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>ASIA2</AccessKeyId>\
             <SecretAccessKey>sec2</SecretAccessKey><SessionToken>tok2</SessionToken>\
             <Expiration>2026-05-28T21:34:56Z</Expiration></Credentials></{action}Result></{action}Response>"
        ),
    )
}

fn asked(step: Step) -> String {
    match step {
        Step::Ask(ask) => String::from_utf8(ask.request.to_vec()).unwrap(),
        step => format!("{step:?}"),
    }
}

fn access_key(step: Step) -> String {
    match step {
        Step::Done(keys) => String::from_utf8(keys.access_key.to_vec()).unwrap(),
        step => format!("{step:?}"),
    }
}

fn why(step: Step) -> String {
    match step {
        Step::Failed(why) => why,
        step => format!("{step:?}"),
    }
}

const COMMON: &str = "Connection: close\r\nAccept: */*\r\nUser-Agent: ngx_http_s3_resign\r\n";

#[test]
fn of_an_instance() {
    let (mut fetch, step) = Fetch::begin(imds(None), NOW);
    assert_eq!(
        asked(step),
        format!(
            "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\n{COMMON}\
             X-aws-ec2-metadata-token-ttl-seconds: 21600\r\nContent-Length: 0\r\n\r\n"
        )
    );
    assert_eq!(
        asked(fetch.heard(&answer(200, "TOK=\n"), NOW)),
        format!(
            "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\nHost: 169.254.169.254\r\n{COMMON}\
             X-aws-ec2-metadata-token: TOK=\r\n\r\n"
        )
    );
    let next = asked(fetch.heard(&answer(200, "my-role\nother\n"), NOW));
    assert!(
        next.starts_with("GET /latest/meta-data/iam/security-credentials/my-role HTTP/1.1\r\n")
    );
    assert!(next.contains("\r\nX-aws-ec2-metadata-token: TOK=\r\n"));
    assert_eq!(access_key(fetch.heard(&answer(200, KEYS), NOW)), "ASIA1");
    assert_eq!(
        why(fetch.heard(&answer(200, KEYS), NOW)),
        "it was not asked"
    );
}

#[test]
fn an_instance_that_has_none() {
    let rows: [(&[Answer], &str); 10] = [
        (
            &[answer(401, "")],
            "it answered 401 to the request for a token (IMDSv2)",
        ),
        (
            &[answer(404, "")],
            "it answered 404 to the request for a token (IMDSv2)",
        ),
        (&[answer(200, "")], "it answered with no token"),
        (&[answer(200, "a\r\nX: y")], "it answered with no token"),
        (
            &[answer(200, &"x".repeat(MAX_TOKEN + 1))],
            "it answered with no token",
        ),
        (
            &[answer(200, "t"), answer(404, "")],
            "the instance has no role",
        ),
        (
            &[answer(200, "t"), answer(200, "\n")],
            "it answered with no name of a role",
        ),
        (
            &[answer(200, "t"), answer(200, "../../x")],
            "it answered with no name of a role",
        ),
        (
            &[answer(200, "t"), answer(200, "a HTTP/1.1")],
            "it answered with no name of a role",
        ),
        (
            &[answer(200, "t"), answer(200, "r"), answer(500, "")],
            "it answered 500",
        ),
    ];
    for (answers, expected) in rows {
        let (mut fetch, mut step) = Fetch::begin(imds(None), NOW);
        for answer in answers {
            assert!(matches!(step, Step::Ask(_)));
            step = fetch.heard(answer, NOW);
        }
        assert_eq!(why(step), expected);
    }
}

#[test]
fn of_a_container() {
    let (mut fetch, step) = Fetch::begin(container(None), NOW);
    assert_eq!(
        asked(step),
        format!("GET /v2/x?y=z HTTP/1.1\r\nHost: 169.254.170.2\r\n{COMMON}\r\n")
    );
    assert_eq!(access_key(fetch.heard(&answer(200, KEYS), NOW)), "ASIA1");

    let token = ContainerToken::Value(SecretToken::new(b"Basic abc".to_vec()));
    let (mut fetch, step) = Fetch::begin(container(Some(token)), NOW);
    assert!(asked(step).ends_with("\r\nAuthorization: Basic abc\r\n\r\n"));
    assert_eq!(
        why(fetch.heard(&answer(400, "hidden"), NOW)),
        "it answered 400"
    );

    let provider = container(Some(ContainerToken::File("/token".into())));
    let (mut fetch, step) = Fetch::begin(Rc::clone(&provider), NOW);
    assert!(matches!(step, Step::Read(path) if path.as_os_str() == "/token"));
    assert!(
        asked(fetch.has_read(b"jwt.a.b\n", NOW)).ends_with("\r\nAuthorization: jwt.a.b\r\n\r\n")
    );
    for file in [&b""[..], b"\n", b"a\r\nX: y", b"\xff"] {
        let (mut fetch, _) = Fetch::begin(Rc::clone(&provider), NOW);
        let expected = "the file of the container's token has no token";
        assert_eq!(why(fetch.has_read(file, NOW)), expected);
    }
}

#[test]
fn of_a_web_identity() {
    let source = || Source::WebIdentity {
        role: role(),
        token_file: "/jwt".into(),
    };
    let (mut fetch, step) = Fetch::begin(provider(source(), None), NOW);
    assert!(matches!(step, Step::Read(path) if path.as_os_str() == "/jwt"));
    let body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr\
                &RoleSessionName=s3%20resign&WebIdentityToken=a.b-c_d%3D";
    assert_eq!(
        asked(fetch.has_read(b"a.b-c_d=", NOW)),
        format!(
            "POST / HTTP/1.1\r\nHost: sts.example.com\r\n{COMMON}\
             Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    );
    assert_eq!(
        access_key(fetch.heard(&sts("AssumeRoleWithWebIdentity"), NOW)),
        "ASIA2"
    );
    let (mut fetch, _) = Fetch::begin(provider(source(), None), NOW);
    assert!(matches!(fetch.has_read(b"a", NOW), Step::Ask(_)));
    let error = "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>";
    let told = why(fetch.heard(&answer(400, error), NOW));
    assert_eq!(told, "it answered 400 ExpiredTokenException");
}

#[test]
fn a_role_with_keys_that_stay() {
    let credential = Credential::new(b"AKID", SecretKey::new(b"secret".to_vec()));
    let source = Source::Fixed {
        credential,
        session_token: None,
    };
    let (mut fetch, step) = Fetch::begin(provider(source, Some(role())), NOW);
    let text = asked(step);
    assert!(
        text.starts_with("POST / HTTP/1.1\r\nHost: sts.example.com\r\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/20260528/eu-west-1/sts/"
        )
    );
    assert!(text.ends_with(
        "\r\n\r\nAction=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr\
         &RoleSessionName=s3%20resign&ExternalId=e%26x"
    ));
    assert_eq!(access_key(fetch.heard(&sts("AssumeRole"), NOW)), "ASIA2");
}

#[test]
fn a_role_with_keys_of_an_instance() {
    let (mut fetch, _) = Fetch::begin(imds(Some(role())), NOW);
    for body in ["t", "r"] {
        assert!(matches!(fetch.heard(&answer(200, body), NOW), Step::Ask(_)));
    }
    let step = fetch.heard(&answer(200, KEYS), NOW);
    assert!(matches!(&step, Step::Ask(ask) if ask.service == Service::Role));
    assert!(asked(step).contains("\r\nX-Amz-Security-Token: tok\r\n"));
    assert_eq!(access_key(fetch.heard(&sts("AssumeRole"), NOW)), "ASIA2");
}

#[test]
fn of_a_file() {
    let source = || Source::File {
        path: "/keys".into(),
        profile: "p".into(),
    };
    let (mut fetch, step) = Fetch::begin(provider(source(), None), NOW);
    assert!(matches!(step, Step::Read(path) if path.as_os_str() == "/keys"));
    let file = b"[p]\naws_access_key_id=A\naws_secret_access_key=s\n";
    assert_eq!(access_key(fetch.has_read(file, NOW)), "A");
    let (mut fetch, _) = Fetch::begin(provider(source(), None), NOW);
    let told = why(fetch.has_read(b"[q]\n", NOW));
    assert!(told.starts_with("\"/keys\" has no profile \"p\""), "{told}");
}

#[test]
fn nothing_shows_a_secret() {
    let token = ContainerToken::Value(SecretToken::new(b"HIDDEN".to_vec()));
    let provider = container(Some(token));
    let (fetch, step) = Fetch::begin(provider, NOW);
    let keys = ProvidedKeys::new(b"A", b"HIDDEN", Some(b"HIDDEN"), None);
    let shown = format!("{fetch:?} {step:?} {keys:?} {:?}", answer(200, "HIDDEN"));
    assert!(!shown.contains("HIDDEN"), "{shown}");
    let stage = Stage::InstanceRole(MetadataToken(Zeroizing::new(b"HIDDEN".to_vec())));
    assert!(!format!("{stage:?}").contains("HIDDEN"));
}

#[test]
fn what_providers_are_known_by() {
    let fixed = |key: &[u8]| {
        let credential = Credential::new(key, SecretKey::new(b"HIDDEN".to_vec()));
        provider(
            Source::Fixed {
                credential,
                session_token: None,
            },
            Some(role()),
        )
    };
    let arn = "assume_role=arn:aws:iam::1:role/r";
    let web = Source::WebIdentity {
        role: role(),
        token_file: "/jwt".into(),
    };
    for (provider, shown, lasting, identity) in [
        (imds(None), "imds", "imds", "imds at http://169.254.169.254"),
        (
            container(None),
            "ecs",
            "ecs",
            &format!(
                "ecs at http://169.254.170.2/v2/x{}",
                sigv4::sha256_hex(b"/v2/x?y=z")
            ),
        ),
        (
            provider(web, None),
            "web_identity",
            "web_identity for arn:aws:iam::1:role/r",
            "web_identity for arn:aws:iam::1:role/r at https://sts.example.com with /jwt",
        ),
        (
            fixed(b"AKID"),
            arn,
            &format!("{arn} by AKID"),
            &format!("{arn} by AKID at https://sts.example.com in eu-west-1 as s3 resign e&x"),
        ),
        (
            imds(Some(role())),
            &format!("imds {arn}"),
            &format!("imds {arn}"),
            &format!(
                "imds {arn} at http://169.254.169.254 at https://sts.example.com in eu-west-1 as s3 resign e&x"
            ),
        ),
    ] {
        assert_eq!(provider.to_string(), shown);
        assert_eq!(provider.lasting_name(), lasting);
        assert_eq!(provider.identity(), identity);
    }
}
