//! Runs the program and asks the core whether it would let the URL in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    process::{Command, Output},
    time::{SystemTime, UNIX_EPOCH},
};

use sigv4::{
    AuthType, Claim, Claimants, Client, ClientRequest, Clients, Credential, Grant, Header,
    KeyCache, Rejection, SecretKey, Timestamp, VerifyRules, verify,
};

const KEY: &str = "AKIDCLIENT";
const SECRET: &str = "a/secret+key";

struct One(Client);

impl<'c> Clients<'c> for &'c One {
    fn find(self, claim: &Claim<'_>) -> Result<Claimants<'c>, Rejection> {
        let is_its = claim.access_key == self.0.credential.access_key();
        Ok(is_its.then_some(&self.0).into_iter().collect())
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
    let credential = Credential::new(KEY.as_bytes(), SecretKey::new(SECRET.into()));
    let clients = One(Client::new(credential, Grant::default()));
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
