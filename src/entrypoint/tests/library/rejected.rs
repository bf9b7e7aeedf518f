//! What is rejected, and the line that says so.

use std::collections::BTreeMap;

use crate::common::{Fake, TEMPLATE, environment, machine, made_on, one, two, with};
use entrypoint::{Places, Settings, conf};

const HOST: &str =
    "is not a host: write NAME or NAME:PORT, as s3.us-east-1.amazonaws.com, without http://";
const DOMAINS: &str = "is not a list of domains: write NAME or HOST=BUCKET, separated by spaces, \
                       each once, without scheme, port and path";
const PREFIX: &str = "is not the beginning of a path: write one as /s3, without a slash at its end";
const REGION: &str =
    "is not a region: write letters, digits, dashes, dots and underscores, as us-east-1";
const ACCESS_KEY: &str =
    "has a character that no access key has: use ASCII without spaces and commas";
const CONTROL: &str = "has a line break or another control character: remove it";
const PLACEHOLDER: &str = "is still a placeholder: set it to the real value";
const SUFFIXES: &str =
    "ACCESS_KEY SECRET_KEY SESSION_TOKEN DOMAIN HOST PORT SCHEME ADDRESSING FRAMING DIALECT";

fn message(variables: BTreeMap<String, Vec<u8>>) -> String {
    let outside = Fake {
        files: BTreeMap::from([("/empty", b"".as_slice()), ("/example", b"changeme")]),
        ..Fake::default()
    };
    match made_on(variables, &machine(), &outside) {
        Ok(text) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn rejected(variables: BTreeMap<String, Vec<u8>>, more: &[(&str, &str)], expected: &str) {
    assert_eq!(message(with(variables, more)), expected, "{more:?}");
}

#[test]
fn what_is_missing() {
    for name in [
        "CLIENT_ACCESS_KEY",
        "CLIENT_SECRET_KEY",
        "ORIGIN_ACCESS_KEY",
        "ORIGIN_SECRET_KEY",
        "ORIGIN_DOMAIN",
    ] {
        let line =
            format!("{name} is missing: set it, or {name}_FILE to the path of a file that has it");
        rejected(one(), &[(name, "")], &line);
    }
    let line = "SERVERB_ENDPOINT is missing: set it, or SERVERB_ENDPOINT_FILE to the path of a file that \
                has it";
    rejected(two(), &[("SERVERB_ENDPOINT", "")], line);
}

#[test]
fn files() {
    for (path, line) in [
        ("/none", "names a file that is not there: mount it"),
        ("/file/below", "names a file that is not there: mount it"),
        (
            "/secret",
            "names a file that user 10001 cannot read: make it readable",
        ),
        (
            "/folder",
            "names a file that user 10001 cannot read: make it readable",
        ),
        (
            "/empty",
            "names a file with an empty first line: put the value there",
        ),
        ("/example", PLACEHOLDER),
        (
            "/long",
            "names a file whose first line is longer than 65536 bytes: write the path of a file that \
             begins with the value",
        ),
        (
            "none",
            "has a path without a slash in front: write it from the root",
        ),
        (
            "/a b",
            "has a path with other characters than letters, digits and /._@%+=:,-",
        ),
        (
            "/ä",
            "has a path with other characters than letters, digits and /._@%+=:,-",
        ),
    ] {
        let more = [("ORIGIN_SECRET_KEY", ""), ("ORIGIN_SECRET_KEY_FILE", path)];
        rejected(one(), &more, &format!("ORIGIN_SECRET_KEY_FILE {line}"));
    }
    rejected(
        one(),
        &[("ORIGIN_DOMAIN_FILE", "/none")],
        "ORIGIN_DOMAIN and ORIGIN_DOMAIN_FILE are both set: unset one of them",
    );
    rejected(
        one(),
        &[("S3_TLS_CA", "/none")],
        "S3_TLS_CA is no file that user 10001 can read: set it to a bundle of CA certificates",
    );
}

/// The module's grammar of keys.
#[test]
fn keys() {
    let long = "x".repeat(129);
    let very_long = "x".repeat(65_537);
    for (name, value, line) in [
        ("CLIENT_ACCESS_KEY", "a b", ACCESS_KEY),
        ("CLIENT_ACCESS_KEY", "a,b", ACCESS_KEY),
        ("CLIENT_ACCESS_KEY", "a\n", ACCESS_KEY),
        ("CLIENT_ACCESS_KEY", "ü", ACCESS_KEY),
        (
            "CLIENT_ACCESS_KEY",
            &long,
            "has 129 bytes: write an access key of at most 128, and no other value",
        ),
        ("CLIENT_SECRET_KEY", "a\tb", CONTROL),
        ("CLIENT_SECRET_KEY", "\u{7f}", CONTROL),
        (
            "CLIENT_SECRET_KEY",
            &very_long,
            "is longer than 65536 bytes, as no key is: put the key there",
        ),
        (
            "CLIENT_SECRET_KEY",
            "\u{feff}secret",
            "begins with a byte order mark: save it without one",
        ),
        (
            "CLIENT_SECRET_KEY",
            "${SECRET}",
            "is the name of a variable, which nothing has replaced: put the key there",
        ),
        ("ORIGIN_SESSION_TOKEN", "a\nb", CONTROL),
        (
            "ORIGIN_SESSION_TOKEN",
            "a b",
            "has a character that no session token has: use ASCII without spaces",
        ),
        ("ORIGIN_SESSION_TOKEN", "changeme", PLACEHOLDER),
        ("ORIGIN_SECRET_KEY", "origin_secret_key", PLACEHOLDER),
        ("ORIGIN_DOMAIN", "s3.example.com", PLACEHOLDER),
    ] {
        rejected(one(), &[(name, value)], &format!("{name} {line}"));
    }
}

#[test]
fn names_of_origins() {
    for name in [
        "SERVERA_ENDPONT",
        "SERVERA_FILE",
        "SERVERA_KEY_FILE",
        "SERVERA_",
    ] {
        let line = format!(
            "{name} is unknown: behind SERVERA_ comes one of {SUFFIXES} ENDPOINT REGION BACKUP"
        );
        rejected(two(), &[(name, "x")], &line);
    }
    for name in [
        "ORIGIN_ENDPOINT",
        "ORIGIN_FILE",
        "ORIGIN_",
        "ORIGIN__DOMAIN",
    ] {
        let line = format!("{name} is unknown: behind ORIGIN_ comes one of {SUFFIXES}");
        rejected(one(), &[(name, "x")], &line);
    }
    for name in [
        "SERVER1_ENDPOINT",
        "SERVER_A_ACCESS_KEY",
        "SERVERa_SECRET_KEY_FILE",
        "SERVERAA_ACCESS_KEY",
    ] {
        let line = format!(
            "{name} belongs to no origin: their names begin with SERVERA_, SERVERB_ and so on to SERVERZ_"
        );
        rejected(two(), &[(name, "x")], &line);
    }
    rejected(
        two(),
        &[("ORIGIN_DOMAIN", "x")],
        "ORIGIN_DOMAIN and SERVERA_ACCESS_KEY are both set: ORIGIN_ is for one origin, SERVERA_ and so \
         on for several: unset one kind",
    );
}

#[test]
fn origins() {
    for (more, line) in [
        (
            vec![("SERVERB_SCHEME", "http")],
            "SERVERB_SCHEME is http, SERVERA_SCHEME is https: nginx speaks one of them to all origins: \
             choose one, or start an image for each",
        ),
        (
            vec![("SERVERB_HOST", "other")],
            "SERVERB_ENDPOINT and SERVERB_HOST differ, and mean the same: unset one of them",
        ),
        (
            vec![("SERVERB_ENDPOINT", "b:8"), ("SERVERB_PORT", "9")],
            "SERVERB_PORT and the port in SERVERB_ENDPOINT differ: remove one of them",
        ),
        (
            vec![("SERVERB_ENDPOINT", "a.mydomain.com:443")],
            "SERVERB_ENDPOINT is where another origin is already: name each once",
        ),
        (
            vec![("SERVERA_BACKUP", "on"), ("SERVERB_BACKUP", "on")],
            "SERVERB_BACKUP is on, as with all origins: leave one that is none",
        ),
    ] {
        rejected(two(), &more, line);
    }
}

#[test]
fn values() {
    let long = "x".repeat(65);
    let longest_name = "x".repeat(254);
    for (name, value, line) in [
        ("AWS_REGION", "us/east-1", REGION),
        ("AWS_REGION", "us east", REGION),
        (
            "S3_REGION",
            &long,
            "is not a region: write at most 64 characters",
        ),
        ("ORIGIN_DOMAIN", "http://s3", HOST),
        ("ORIGIN_DOMAIN", "-s3", HOST),
        ("ORIGIN_DOMAIN", "s3.", HOST),
        ("ORIGIN_DOMAIN", "s3:", HOST),
        ("ORIGIN_DOMAIN", "s3:0", HOST),
        ("ORIGIN_DOMAIN", "s3:080", HOST),
        ("ORIGIN_DOMAIN", "s3:65536", HOST),
        ("ORIGIN_DOMAIN", "::1", HOST),
        ("ORIGIN_DOMAIN", "[]", HOST),
        ("ORIGIN_DOMAIN", "[::1", HOST),
        ("ORIGIN_DOMAIN", "[1]", HOST),
        ("ORIGIN_DOMAIN", "[::1]x", HOST),
        ("ORIGIN_DOMAIN", &longest_name, HOST),
        ("S3_HOST", "a/b", HOST),
        ("S3_DOMAIN", "https://s3.mydomain.com", DOMAINS),
        ("S3_DOMAIN", "s3.mydomain.com;", DOMAINS),
        ("S3_DOMAIN", "s3.mydomain.com:8080", DOMAINS),
        ("S3_DOMAIN", "a a", DOMAINS),
        ("S3_DOMAIN", ",", DOMAINS),
        ("S3_PREFIX", "s3", PREFIX),
        ("S3_PREFIX", "/s3/", PREFIX),
        ("S3_PREFIX", "/s3;", PREFIX),
        ("S3_PREFIX", "/$x", PREFIX),
        ("PORT", "0", "is not a port: write a number from 1 to 65535"),
        (
            "PORT",
            "+80",
            "is not a port: write a number from 1 to 65535",
        ),
        (
            "PORT",
            "65536",
            "is not a port: write a number from 1 to 65535",
        ),
        (
            "ORIGIN_PORT",
            "1e3",
            "is not a port: write a number from 1 to 65535",
        ),
        ("ORIGIN_SCHEME", "HTTPS", "is none of these: http https"),
        ("S3_ERRORS", "json", "is none of these: s3 s3proxy"),
        (
            "S3_LOG_LEVEL",
            "alert",
            "is none of these: debug info notice warn error crit",
        ),
        (
            "S3_ANONYMOUS",
            "maybe",
            "is neither on nor off: write one of the two",
        ),
        (
            "S3_ANONYMOUS",
            "sign buckets=a;b",
            "is not what s3_anonymous takes: write sign, or as sign allow=GetObject,HeadObject buckets=media",
        ),
        (
            "S3_ANONYMOUS",
            "sign allow=raed",
            "is not what s3_anonymous takes: write sign, or as sign allow=GetObject,HeadObject buckets=media",
        ),
        (
            "S3_MAX_SKEW",
            "long",
            "is not a time: write one as 15m or 30s",
        ),
        (
            "S3_SHUTDOWN_TIMEOUT",
            "1 h",
            "is not a time: write one as 15m or 30s",
        ),
        (
            "S3_WORKERS",
            "too",
            "is not a number of workers: write one, or auto",
        ),
        (
            "S3_HEALTH_CHECK",
            "perhaps",
            "is not on, off or parameters of s3_health_check",
        ),
        (
            "S3_HEALTH_CHECK",
            "uri=/;",
            "is not on, off or parameters of s3_health_check",
        ),
        (
            "S3_STATUS_ALLOW",
            "prometheus",
            "is not a list of addresses: write them as 10.0.0.0/8, with spaces between",
        ),
        (
            "S3_RESIGN_RUN",
            "run",
            "has a path without a slash in front: write it from the root",
        ),
        (
            "S3_RESIGN_MODULE",
            "/x;",
            "has a path with other characters than letters, digits and /._@%+=:,-",
        ),
        (
            "S3_TLS_CA",
            "/x x",
            "has a path with other characters than letters, digits and /._@%+=:,-",
        ),
    ] {
        rejected(one(), &[(name, value)], &format!("{name} {line}"));
    }
}

#[test]
fn a_template_with_a_name_that_nothing_has() {
    let environment = environment(one());
    let outside = Fake::default();
    let (Ok(places), Ok(settings)) = (
        Places::read(&environment),
        Settings::read(&environment, &outside),
    ) else {
        panic!("the settings");
    };
    let template = TEMPLATE.replacen("${scheme}", "${schema}", 1);
    let text = conf(
        template.as_bytes(),
        &places,
        &machine(),
        &settings,
        &outside,
    );
    let line = 1 + TEMPLATE
        .lines()
        .take_while(|line| !line.contains("${scheme}"))
        .count();
    assert_eq!(
        text.map_err(|error| error.to_string()),
        Err(format!(
            "/usr/share/s3-resign/default.conf.template:{line}: nothing has the name schema"
        ))
    );
}
