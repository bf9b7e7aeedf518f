//! Runs the program and asks the core whether it would let the URL in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    process::{Command, Output},
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use sigv4::{
    Account, AuthType, Claim, Claimants, Client, ClientRequest, Clients, Credential, Grant, Header,
    Issuer, IssuerAccount, KeyCache, MintedKeys, Rejection, SecretKey, SessionToken, Timestamp,
    VerifyRules, verify,
};

const KEY: &str = "AKIDCLIENT";
const SECRET: &str = "a/secret+key";

const ISSUER_SECRET: &str = "k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE";

/// A client, and an issuer of keys.
struct Known {
    client: Client,
    issuer: Issuer,
}

impl Known {
    fn new() -> Known {
        let credential = Credential::new(KEY.as_bytes(), SecretKey::new(SECRET.into()));
        let secret = SecretKey::new(ISSUER_SECRET.into());
        Known {
            client: Client::new(credential, Grant::default()),
            issuer: Issuer::new(b"ci", &secret, 3_600, Grant::default()).unwrap(),
        }
    }
}

impl<'c> Clients<'c> for &'c Known {
    fn find(self, claim: &Claim<'_>) -> Result<Claimants<'c>, Rejection> {
        if claim.access_key == self.client.credential.access_key() {
            return Ok([&self.client].into_iter().collect());
        }
        let issuers = [&self.issuer].into_iter();
        let found = MintedKeys::new(1, 0).find(issuers, None, claim, 900)?;
        let kept = |client: &Rc<Client>| -> &'c Client { Box::leak(Box::new(client.clone())) };
        Ok(found.iter().map(kept).collect())
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sign_s3"))
        .args(arguments)
        .env("SIGN_S3_TEST_SECRET", SECRET)
        .output()
        .unwrap()
}

fn url(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// Sends a URL to the core, `later` seconds from now.
fn send(
    url: &str,
    method: &str,
    host: &str,
    headers: &[(&str, &str)],
    later: i64,
) -> Result<AuthType, Rejection> {
    let clients = Known::new();
    let (_, target) = url.split_once(host).expect("the host");
    let (path, query) = target.split_once('?').unwrap();
    let mut list = vec![Header {
        name: b"Host",
        value: host.as_bytes(),
    }];
    list.extend(headers.iter().map(|(name, value)| Header {
        name: name.as_bytes(),
        value: value.as_bytes(),
    }));
    let request = ClientRequest {
        method: method.as_bytes(),
        path: path.as_bytes(),
        query: query.as_bytes(),
        host: None,
        path_with_plus: None,
        rewritten: None,
        headers: &list,
    };
    let rules = VerifyRules {
        max_skew: 900,
        signature_v2: true,
        ..VerifyRules::default()
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
        + later;
    verify(
        &request,
        &clients,
        &rules,
        &mut KeyCache::new(1),
        Timestamp(now),
    )
    .map(|verified| verified.auth_type())
    .map_err(|refused| refused.rejection)
}

#[test]
fn v4_with_an_empty_region() {
    let url = url(&[
        "-v",
        "4",
        "--region",
        "",
        "http://localhost:8080",
        KEY,
        SECRET,
        "bucket",
        "path/to/object.mp4",
    ]);
    assert!(url.starts_with("http://localhost:8080/bucket/path/to/object.mp4?X-Amz-Algorithm="));
    assert!(url.contains("%2F%2Fs3%2Faws4_request"), "{url}");
    assert_eq!(
        send(&url, "GET", "localhost:8080", &[], 0),
        Ok(AuthType::V4Query)
    );
    assert_eq!(
        send(&url, "GET", "localhost:8080", &[], 3_700),
        Err(Rejection::RequestExpired)
    );
    let put = send(&url, "PUT", "localhost:8080", &[], 0);
    assert_eq!(put, Err(Rejection::SignatureDoesNotMatch));
}

#[test]
fn v4_with_everything() {
    let url = url(&[
        "--method",
        "PUT",
        "--expires",
        "60",
        "--region",
        "eu-west-1",
        "--header",
        "Content-Type: text/plain",
        "--header",
        "x-amz-meta-a:  1  2 ",
        "https://s3.example.com:443/",
        KEY,
        "env:SIGN_S3_TEST_SECRET",
        "bucket",
        "ü +%//../é",
    ]);
    assert!(
        url.starts_with("https://s3.example.com/bucket/%C3%BC%20%2B%25//../%C3%A9?"),
        "{url}"
    );
    assert!(
        url.contains("X-Amz-Expires=60&X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-meta-a")
    );
    let headers = [("content-type", "text/plain"), ("X-Amz-Meta-A", "1 2")];
    assert_eq!(
        send(&url, "PUT", "s3.example.com", &headers, 0),
        Ok(AuthType::V4Query)
    );
    assert_eq!(
        send(&url, "PUT", "s3.example.com", &[("x-amz-meta-a", "1 2")], 0),
        Err(Rejection::SignatureDoesNotMatch)
    );
}

#[test]
fn v2() {
    let file = std::env::temp_dir().join(format!("sign_s3-{}", std::process::id()));
    std::fs::write(&file, format!("{SECRET}\nnot this line\n")).unwrap();
    let secret = format!("file:{}", file.display());
    let url = url(&[
        "-v2",
        "--header",
        "x-amz-acl: private",
        "--method",
        "PUT",
        "http://localhost:8080",
        KEY,
        &secret,
        "bucket",
        "a b",
    ]);
    std::fs::remove_file(file).unwrap();
    let acl = [("x-amz-acl", "private")];
    assert_eq!(
        send(&url, "PUT", "localhost:8080", &acl, 0),
        Ok(AuthType::V2Query)
    );
    assert_eq!(
        send(&url, "PUT", "localhost:8080", &acl, 3_700),
        Err(Rejection::RequestExpired)
    );
    assert_eq!(
        send(
            &url,
            "PUT",
            "localhost:8080",
            &[("x-amz-acl", "public-read")],
            0
        ),
        Err(Rejection::SignatureDoesNotMatch)
    );
}

#[test]
fn usage_errors_say_what_is_wrong() {
    let complete = ["http://h", KEY, SECRET, "bucket", "key"];
    for (arguments, says) in [
        (vec![], "expecting ENDPOINT KEY SECRET BUCKET OBJECT"),
        (vec!["-v", "3"], "4 or 2"),
        (vec!["--expires", "soon"], "whole number"),
        (vec!["--expires", "0"], "1 to 604800"),
        (vec!["--expires", "604801"], "1 to 604800"),
        (vec!["--region", "a/b"], "region"),
        (vec!["--header", "nothing"], "name: value"),
        (vec!["--header", "a b: c"], "invalid name"),
        (
            vec!["-v2", "--header", "range: bytes=0-1"],
            "version 2 signs no",
        ),
        (vec!["--nonsense"], "--nonsense"),
    ] {
        let operands = if arguments.is_empty() {
            &complete[..4]
        } else {
            &complete
        };
        let output = run(&[&arguments, operands].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr.contains(says) && stderr.contains("--help"),
            "{arguments:?}: {stderr}"
        );
        assert_eq!(output.stdout, b"");
    }
    for (operands, says) in [
        (["ftp://h", KEY, SECRET, "bucket", "key"], "http://"),
        (
            ["http://h/path", KEY, SECRET, "bucket", "key"],
            "scheme and a host",
        ),
        (
            ["http://h:1:2", KEY, SECRET, "bucket", "key"],
            "scheme and a host",
        ),
        (
            ["http://http://h", KEY, SECRET, "bucket", "key"],
            "scheme and a host",
        ),
        (
            ["http://h", KEY, "env:SIGN_S3_TEST_NONE", "bucket", "key"],
            "SIGN_S3_TEST_NONE",
        ),
        (
            ["http://h", KEY, "file:/nonexistent", "bucket", "key"],
            "/nonexistent",
        ),
        (
            ["http://h", "", SECRET, "bucket", "key"],
            "access key is empty",
        ),
        (
            ["http://h", "AKID,x", SECRET, "bucket", "key"],
            "the access key has a character that no access key has",
        ),
        (
            ["http://h", KEY, "secret\n", "bucket", "key"],
            "the secret key: the value has a line break",
        ),
        (["http://h", KEY, "$SECRET", "bucket", "key"], "env:NAME"),
        (["http://h", KEY, "file:", "bucket", "key"], "cannot read"),
        (
            ["http://h", KEY, "file:/dev/zero", "bucket", "key"],
            "65536",
        ),
        (["http://h", KEY, SECRET, "a/b", "key"], "bucket"),
    ] {
        let output = run(&operands);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{operands:?}");
        assert!(stderr.contains(says), "{operands:?}: {stderr}");
    }
}

#[test]
fn keys_of_files_and_pipes() {
    let endpoint = "http://localhost:8080";
    let by_pipe = Command::new("sh")
        .args([
            "-c",
            r#"printf '%s\r\nmore' "$1" | "$0" "$2" "$3" file:/dev/stdin b k"#,
        ])
        .args([env!("CARGO_BIN_EXE_sign_s3"), SECRET, endpoint, KEY])
        .output()
        .unwrap();
    assert!(by_pipe.status.success(), "{by_pipe:?}");
    let url = String::from_utf8(by_pipe.stdout).unwrap();
    assert_eq!(
        send(url.trim_end(), "GET", "localhost:8080", &[], 0),
        Ok(AuthType::V4Query)
    );

    let doubtful = run(&[endpoint, KEY, " secret", "b", "k"]);
    assert!(doubtful.status.success());
    assert_eq!(
        String::from_utf8(doubtful.stderr).unwrap(),
        "sign_s3: the secret key: the value begins or ends with a space: remove it, unless it belongs \
         to the key\n"
    );
}

/// The last part of each line that has one of these marks, in their order.
fn parts<'t>(text: &'t str, marks: [&str; 3]) -> [&'t str; 3] {
    marks.map(|mark| {
        let (_, rest) = text
            .split_once(mark)
            .unwrap_or_else(|| panic!("{mark} in {text}"));
        rest.split(['\n', '"']).next().unwrap()
    })
}

fn mint(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sign_s3"))
        .arg("mint")
        .args(arguments)
        .env("S3_ISSUER", "ci")
        .env("S3_ISSUER_SECRET", ISSUER_SECRET)
        .output()
        .unwrap()
}

/// In every format, and then with a URL that is presigned with the key.
#[test]
fn minted_keys() {
    let env = [
        "AWS_ACCESS_KEY_ID=",
        "AWS_SECRET_ACCESS_KEY=",
        "AWS_SESSION_TOKEN=",
    ];
    let json = [
        "\"AccessKeyId\": \"",
        "\"SecretAccessKey\": \"",
        "\"SessionToken\": \"",
    ];
    let profile = [
        "aws_access_key_id = ",
        "aws_secret_access_key = ",
        "aws_session_token = ",
    ];
    for (format, marks) in [
        ("env", env),
        ("env-no-export", env),
        ("json", json),
        ("profile", profile),
    ] {
        let output = mint(&["--allow", "read", "--buckets", "bucket", "--format", format]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stderr, b"");
        let text = String::from_utf8(output.stdout).unwrap();
        let [key, secret, token] = parts(&text, marks);
        assert!(key.starts_with("S3M1ci"), "{text}");
        let signed = |version: &str, bucket: &str, method: &str| {
            // Each of a key's parts may begin with a dash.
            let of_key = ["-v", version, "--session-token", token, "--method", method];
            url(&[&of_key[..], &["--", "http://h:1", key, secret, bucket, "k"]].concat())
        };
        let url = |bucket: &str, method: &str| signed("4", bucket, method);
        let sent = |url: &str, method, later| send(url, method, "h:1", &[], later);
        assert_eq!(sent(&url("bucket", "GET"), "GET", 0), Ok(AuthType::V4Query));
        let denied = Err(Rejection::AccessDenied);
        assert_eq!(sent(&url("other", "GET"), "GET", 0), denied);
        assert_eq!(sent(&url("bucket", "PUT"), "PUT", 0), denied);
        let by_v2 = signed("2", "bucket", "GET");
        assert_eq!(sent(&by_v2, "GET", 0), Ok(AuthType::V2Query));
        // A URL that is still valid, of a key that is not.
        let expired = url("bucket", "GET").replace("=3600", "=604800");
        assert_eq!(
            sent(&expired, "GET", 0),
            Err(Rejection::SignatureDoesNotMatch)
        );
    }
    let output = mint(&["--format", "json", "--expires", "60"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("{\"Version\": 1, ") && text.contains("\"Expiration\": \"20"));
    let [key, secret, token] = parts(&text, json);
    let long = ["--session-token", token, "--expires", "604800"];
    let long = url(&[&long[..], &["--", "http://h:1", key, secret, "bucket", "k"]].concat());
    let sent = |later| send(&long, "GET", "h:1", &[], later);
    assert_eq!(sent(0), Ok(AuthType::V4Query));
    assert_eq!(sent(70), Err(Rejection::ExpiredToken));
    let with_id = mint(&["--id", "ABCDEFGHIJKLMNOP"]);
    let text = String::from_utf8(with_id.stdout).unwrap();
    let [key, ..] = parts(&text, env);
    assert!(
        key.ends_with("ABCDEFGHIJKLMNOP") && text.ends_with("\n# id ABCDEFGHIJKLMNOP\n"),
        "{text}"
    );
    let ids: Vec<_> = (0..2).map(|_| mint(&[]).stdout).collect();
    assert_ne!(ids[0], ids[1]);
}

/// Whose keys it has, and what logs call it.
#[test]
fn accounts_and_names() {
    let opened = |arguments: &[&str], account: IssuerAccount| {
        let output = mint(&[arguments, &["--format", "env"]].concat());
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let marks = [
            "AWS_ACCESS_KEY_ID=",
            "AWS_SECRET_ACCESS_KEY=",
            "AWS_SESSION_TOKEN=",
        ];
        let [key, _, token] = parts(&text, marks);
        let claim = Claim {
            access_key: key.as_bytes(),
            session_token: Some(SessionToken::plain(token.as_bytes())),
            now: Timestamp(0),
        };
        let issuer = Known::new().issuer.with_account(account);
        let issuers = [&issuer].into_iter();
        MintedKeys::new(1, 0).find(issuers, None, &claim, 1 << 40)
    };
    let account = |name: &str| Account::parse(name.as_bytes());
    let named = [
        "--account",
        "tenant",
        "--role",
        "build",
        "--session",
        "job-7",
    ];
    let client = opened(&named, IssuerAccount::Any).unwrap().unwrap();
    assert_eq!(client.account, account("tenant"));
    let lineage = client.lineage.as_deref().unwrap();
    let names = (lineage.role.as_deref(), lineage.session.as_deref());
    assert_eq!(names, (Some("build"), Some("job-7")));
    for other in [None, account("other")] {
        let found = opened(&named, IssuerAccount::One(other));
        assert_eq!(found.unwrap_err(), Rejection::InvalidToken);
    }
    let client = opened(&[], IssuerAccount::One(account("other"))).unwrap();
    assert_eq!(client.unwrap().account, account("other"));
    for wrong in [["--account", "a b"], ["--role", "a b"], ["--session", ""]] {
        let output = mint(&wrong);
        assert!(!output.status.success(), "{wrong:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(wrong[0]), "{said}");
    }
}

#[test]
fn what_is_not_minted() {
    for (arguments, says) in [
        (vec!["--allow", "raed"], "\"raed\" in --allow"),
        (vec!["--buckets", "a,/b"], "\"/b\" in --buckets"),
        (
            vec!["--expires", "13h"],
            "--expires is longer than 43200 seconds",
        ),
        (vec!["--expires", "0"], "--expires is a time"),
        (vec!["--expires", "soon"], "--expires is a time"),
        (
            vec!["--max-lifetime", "30m"],
            "--expires is longer than 1800 seconds",
        ),
        (
            vec!["--issuer", "c-i"],
            "--issuer is 1 to 32 letters and digits",
        ),
        (vec!["--secret", "short"], "--secret could be guessed"),
        (
            vec!["--secret", "env:SIGN_S3_TEST_NONE"],
            "SIGN_S3_TEST_NONE",
        ),
        (vec!["--id", "abc"], "--id is 16 characters"),
        (vec!["--format", "yaml"], "--format is env"),
        (vec!["--profile", "a]b", "--format", "profile"], "--profile"),
        (vec!["bucket"], "options alone"),
        (vec!["--nonsense"], "--nonsense"),
    ] {
        let output = mint(&arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("short\""), "{stderr}");
        assert_eq!(output.stdout, b"");
    }
    let long = mint(&["--buckets", &"b".repeat(2_000)]);
    assert!(String::from_utf8(long.stderr).unwrap().contains("too long"));
}

#[test]
fn help() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("--region REGION") && text.contains("--header"),
        "{text}"
    );
}
