//! Where an origin's keys come from: good lines, and bad ones with their messages.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    time::Duration,
};

use directives::{OriginLine, Reading, location_origin, seal_key};
use providers::{Service, Source};
use secrets::Outside;

/// The environment of a task, a pod and a CI job; `S3_NONE` stands for one without any of it.
fn variable(name: &OsStr) -> Option<OsString> {
    match name.to_str()? {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" => Some("/v2/credentials/1".into()),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI" => Some("http://169.254.170.23/v1/credentials".into()),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => Some("/run/token".into()),
        "AWS_WEB_IDENTITY_TOKEN_FILE" => Some("/run/jwt".into()),
        "AWS_ROLE_ARN" => Some("arn:aws:iam::1:role/of-pod".into()),
        "AWS_REGION" => Some("eu-west-2".into()),
        "AWS_ROLE_SESSION_NAME" => Some("job".into()),
        _ => None,
    }
}

fn read(line: &str, has_environment: bool) -> Result<OriginLine, String> {
    let nothing = |_: &OsStr| None;
    let outside = Outside {
        variable: if has_environment { &variable } else { &nothing },
        folder: Path::new("/etc/nginx"),
        wait: Duration::ZERO,
        process: "nginx's master process",
    };
    let words: Vec<_> = ["s3_origin"].into_iter().chain(line.split(' ')).collect();
    let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
    location_origin(&words, &mut Reading::new(&outside))
}

fn identity(line: &str, has_environment: bool) -> String {
    let line = read(line, has_environment).unwrap();
    assert!(line.credential.access_key().is_empty() && line.session_token.is_none());
    line.provider.unwrap().provider.identity()
}

#[test]
fn providers() {
    let session = "in us-east-1 as ngx_http_s3_resign";
    for (line, expected) in [
        ("credentials=imds", "imds at http://169.254.169.254"),
        (
            "credentials=imds endpoint=http://127.0.0.1:1/x",
            "imds at http://127.0.0.1:1/x",
        ),
        (
            "credentials=ecs endpoint=https://h/keys",
            "ecs of https://h/keys at https://h/keys",
        ),
        ("credentials=file:keys", "file:/etc/nginx/keys#default"),
        ("credentials=file:/keys#my#one", "file:/keys#my#one"),
        (
            "assume_role=arn:aws:iam::1:role/r access_key=AKID secret_key=s",
            &format!(
                "assume_role=arn:aws:iam::1:role/r by AKID at https://sts.us-east-1.amazonaws.com {session} "
            ),
        ),
        (
            "credentials=assume_role=arn:aws:iam::1:role/r access_key=AKID secret_key=s external_id=a/1",
            &format!(
                "assume_role=arn:aws:iam::1:role/r by AKID at https://sts.us-east-1.amazonaws.com {session} a/1"
            ),
        ),
        (
            "credentials=imds assume_role=arn:minio:x sts_endpoint=https://minio:9000 sts_region=us-east-1",
            &format!(
                "imds assume_role=arn:minio:x at http://169.254.169.254 at https://minio:9000 {session} "
            ),
        ),
    ] {
        assert_eq!(identity(line, false), *expected, "{line}");
    }
}

#[test]
fn what_an_environment_says() {
    for (line, expected) in [
        (
            "credentials=ecs",
            "ecs at http://169.254.170.2/v2/credentials/1",
        ),
        (
            "credentials=pod_identity",
            "pod_identity at http://169.254.170.23/v1/credentials",
        ),
        (
            "credentials=web_identity",
            "web_identity for arn:aws:iam::1:role/of-pod at https://sts.eu-west-2.amazonaws.com with /run/jwt",
        ),
        (
            "credentials=web_identity region=cn-north-1",
            "web_identity for arn:aws:iam::1:role/of-pod at https://sts.cn-north-1.amazonaws.com.cn with /run/jwt",
        ),
    ] {
        assert_eq!(identity(line, true), expected, "{line}");
    }
    let line = read("credentials=pod_identity credentials_ca=ca.pem", true).unwrap();
    let provider = line.provider.unwrap();
    assert_eq!(provider.ca.as_deref(), Some(Path::new("/etc/nginx/ca.pem")));
    let source = &provider.provider.source;
    assert!(matches!(
        source,
        Source::Container {
            token: Some(_),
            is_named: false,
            ..
        }
    ));
    assert!(provider.provider.endpoint(Service::Role).is_none());
}

#[test]
fn bad_lines() {
    let none = "names no provider that is known: write one of \"imds\", \"ecs\", \"pod_identity\", \
                \"web_identity\", \"file:PATH\", or \"assume_role=ARN\"";
    let is_attached =
        "is not set for nginx's master process, as it is where a role is attached: attach one, or";
    for (line, why) in [
        ("credentials=", format!(": \"credentials=\" {none}")),
        ("credentials=IMDS", format!(": \"credentials=\" {none}")),
        ("credentials=AKIDHIDDEN", format!(": \"credentials=\" {none}")),
        (
            "credentials=imds access_key=a secret_key=HIDDEN",
            " has \"credentials=\" and a key of its own: keep \"credentials=\", or \"access_key=\", \
             \"secret_key=\" and \"session_token=\""
                .into(),
        ),
        (
            "credentials=imds session_token=HIDDEN",
            " has \"credentials=\" and a key of its own: keep \"credentials=\", or \"access_key=\", \
             \"secret_key=\" and \"session_token=\""
                .into(),
        ),
        (
            "credentials=ecs",
            ": \"credentials=ecs\": neither \"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI\" nor \
             \"AWS_CONTAINER_CREDENTIALS_FULL_URI\" is set for nginx's master process, as it is where a role is \
             attached: attach one, or add \"endpoint=URL\""
                .into(),
        ),
        (
            "credentials=pod_identity",
            format!(
                ": \"credentials=pod_identity\": \"AWS_CONTAINER_CREDENTIALS_FULL_URI\" {is_attached} add \
                 \"endpoint=URL\""
            ),
        ),
        (
            "credentials=web_identity",
            format!(": \"credentials=web_identity\": \"AWS_ROLE_ARN\" {is_attached} set it"),
        ),
        (
            "credentials=file:",
            ": \"credentials=file:\" names no file: write \"file:PATH\" or \"file:PATH#PROFILE\"".into(),
        ),
        (
            "credentials=file:a#",
            ": \"credentials=file:\" names no profile: write \"file:PATH\" or \"file:PATH#PROFILE\"".into(),
        ),
        (
            "credentials=imds endpoint=http://10.0.0.1/HIDDEN",
            ": the URL of \"endpoint\" would have keys sent over the network in clear: write \"https://\"; without TLS \
             only loopback, 169.254.169.254, 169.254.170.2, 169.254.170.23, [fd00:ec2::23] and [fd00:ec2::254] are \
             asked"
                .into(),
        ),
        (
            "credentials=file:a endpoint=http://127.0.0.1",
            ": \"endpoint=\" has no effect without \"credentials=\" of \"imds\", \"ecs\" or \"pod_identity\": remove it"
                .into(),
        ),
        (
            "credentials=imds external_id=a1",
            ": \"external_id=\" has no effect without \"assume_role=ARN\": remove it".into(),
        ),
        (
            "credentials=imds sts_region=eu",
            ": \"sts_region=\" has no effect without \"assume_role=ARN\" or \"credentials=web_identity\": remove it".into(),
        ),
        (
            "access_key=a secret_key=b credentials_ca=x",
            ": \"credentials_ca=\" has no effect without \"credentials=\" or \"assume_role=ARN\": remove it".into(),
        ),
        (
            "credentials=imds assume_role=role",
            ": \"assume_role\" is no ARN: write that of a role, as \"arn:aws:iam::123456789012:role/NAME\"".into(),
        ),
        (
            "credentials=imds assume_role=arn:x external_id=a\"",
            ": \"external_id=\" is none: write 2 to 1224 letters, digits, and characters of \"_+=,.@:/-\"".into(),
        ),
        (
            "assume_role=arn:x",
            " lacks \"access_key=\": add \"access_key=VALUE\", \"access_key=env:NAME\" or \"access_key=file:PATH\"".into(),
        ),
    ] {
        let told = read(line, false).map(|_| ()).unwrap_err();
        assert_eq!(told, format!("\"s3_origin\"{why}"), "{line}");
    }
}

#[test]
fn keys_that_seal() {
    let outside = Outside {
        variable: &|_| None,
        folder: Path::new("/"),
        wait: Duration::ZERO,
        process: "x",
    };
    let read = |value: &str| {
        let words = [b"s3_seal_key", value.as_bytes()];
        seal_key(&words, &mut Reading::new(&outside)).map(|_| ())
    };
    assert_eq!(read("0123456789abcdef"), Ok(()));
    let short = "\"s3_seal_key\" has fewer than 16 bytes, which can be guessed: write what \"openssl rand -hex 32\" prints";
    assert_eq!(read("0123456789abcde"), Err(short.into()));
    assert!(
        read("env:NONE")
            .unwrap_err()
            .contains("\"NONE\" is not set")
    );
}
