//! What goes to the origin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{EMPTY, KEY, NOW, SECRET, Sample},
    *,
};
use sigv4::*;

const ORIGIN_KEY: &str = "AKIDORIGIN";
const ORIGIN_SECRET: &str = "origin/secret";

fn origin() -> Origin {
    Origin {
        credential: credential(ORIGIN_KEY, ORIGIN_SECRET),
        session_token: None,
        region: Region::parse(b"eu-west-1"),
        host: b"s3.origin.example:9000".as_slice().into(),
        addressing: Addressing::Path,
    }
}

/// The head that a plain proxy would send for a request.
fn head_of(text: &str) -> String {
    let (request_line, headers) = text.split_once('\n').unwrap();
    let headers = headers.replace('\n', "\r\n");
    format!("{request_line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")
}

fn clients() -> Directory {
    Directory::new(&[(KEY, SECRET)])
}

/// Verifies a request as the client's, signs `head` for the origin, and gives what is sent.
fn resign_head(text: &str, head: &str, origin: &Origin, now: i64) -> Result<String, Unsignable> {
    let raw = Raw::new(text);
    let rules = Rules {
        anonymous: true,
        signature_v2: true,
        ..rules()
    };
    let verified = verdict(&raw, &clients(), &rules, NOW).expect(text);
    let head = WireHead::parse(head.as_bytes())?;
    let mut keys = KeyCache::new(8);
    let signed = sign(&verified, &head, origin, &mut keys, Timestamp(now))?;
    let mut out = vec![0; signed.len()];
    signed.write(&mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(out.ends_with("\r\n\r\n") && !out.contains('\0'), "{out}");
    Ok(out)
}

/// What an origin says to a head: it knows only its own key and region.
fn origin_says(head: &str, now: i64) -> Result<(), Rejection> {
    let text = head.replace("\r\n", "\n");
    let rules = Rules {
        region: Region::parse(b"eu-west-1"),
        ..rules()
    };
    let clients = Directory::new(&[(ORIGIN_KEY, ORIGIN_SECRET)]);
    verdict(&Raw::new(&text), &clients, &rules, now).map(|_| ())
}

#[test]
fn header_form_is_signed_afresh() {
    let text = Sample::new("PUT", "/bucket/a%20b+c?versionId=1&partNumber=2")
        .header("Content-Type", "text/plain")
        .header("x-amz-meta-b", "two  words")
        .header("X-Amz-Meta-A", "1")
        .header("x-amz-meta-b", "again")
        .unsigned("Range", "bytes=0-1")
        .header("x-amz-security-token", "clients")
        .header_form();
    let sent = resign_head(&text, &head_of(&text), &origin(), NOW + 60).unwrap();
    let mut lines = sent.split("\r\n");
    assert_eq!(
        lines.next(),
        Some("PUT /bucket/a%20b%2Bc?partNumber=2&versionId=1 HTTP/1.1")
    );
    let lines: Vec<_> = lines.collect();
    assert_eq!(
        lines[..7],
        [
            "Host: s3.origin.example:9000",
            "Content-Type: text/plain",
            "x-amz-meta-b: two  words",
            "X-Amz-Meta-A: 1",
            "x-amz-meta-b: again",
            "Range: bytes=0-1",
            "Connection: close",
        ]
    );
    assert_eq!(lines[7], "X-Amz-Date: 20260102T030505Z");
    assert_eq!(lines[8], format!("X-Amz-Content-Sha256: {EMPTY}"));
    assert!(
        lines[9].starts_with(
            "Authorization: AWS4-HMAC-SHA256 \
             Credential=AKIDORIGIN/20260102/eu-west-1/s3/aws4_request, \
             SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;\
             x-amz-meta-b, Signature="
        ),
        "{}",
        lines[9]
    );
    assert_eq!(lines[10..], ["", ""]);
    assert_eq!(origin_says(&sent, NOW + 60), Ok(()));
}

#[test]
fn presigned_form_keeps_date_and_end() {
    let text = Sample::new(
        "GET",
        "/bucket/key?versionId=%31&response-expires=a%20b&x=1",
    )
    .query_form();
    // An hour later, on another try: still the client's date.
    let sent = resign_head(&text, &head_of(&text), &origin(), NOW + 3_600).unwrap();
    assert!(
        sent.starts_with(
            "GET /bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDORIGIN%2F20260102%2Feu-west-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
             &response-expires=a%20b&versionId=1&x=1&X-Amz-Signature="
        ),
        "{sent}"
    );
    assert_eq!(sent.matches("Signature").count(), 1);
    assert!(!sent.contains("Authorization"), "{sent}");
    assert_eq!(origin_says(&sent, NOW + 900), Ok(()));
    assert_eq!(
        origin_says(&sent, NOW + 901),
        Err(Rejection::RequestExpired)
    );
}
