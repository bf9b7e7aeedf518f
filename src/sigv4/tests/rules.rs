//! For each rule of verification a request that breaks only that rule, and its neighbours that do
//! not.
//!
//! A long file, since each one here is linked to a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use common::{
    reference::{EMPTY, KEY, NOW, SECRET, Sample},
    *,
};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sigv4::*;

fn clients() -> Directory {
    Directory::new(&[(KEY, SECRET)])
}

fn ask_under(text: &str, rules: &VerifyRules) -> Result<AuthType, Rejection> {
    verdict(&Raw::new(text), &clients(), rules, NOW).map(|verified| verified.auth_type())
}

fn ask(text: &str) -> Result<AuthType, Rejection> {
    ask_under(text, &rules())
}

fn in_region(name: &str) -> VerifyRules {
    VerifyRules {
        region: Region::parse(name.as_bytes()),
        ..rules()
    }
}

/// The outcome as `code status`, or the form.
fn outcome(answer: Result<AuthType, Rejection>) -> String {
    match answer {
        Ok(form) => form.name().into(),
        Err(rejection) => format!("{} {}", rejection.code(), rejection.status()),
    }
}

#[track_caller]
fn expect(text: &str, expected: &str) {
    assert_eq!(outcome(ask(text)), expected, "{text}");
}

const MALFORMED: &str = "AuthorizationHeaderMalformed 400";
const QUERY: &str = "AuthorizationQueryParametersError 400";
const DENIED: &str = "AccessDenied 403";
const MISMATCH: &str = "SignatureDoesNotMatch 403";
const ARGUMENT: &str = "InvalidArgument 400";

fn get() -> Sample {
    Sample::new("GET", "/bucket/key")
}

#[test]
fn which_form() {
    let header = get().header_form();
    let query = get().query_form();
    expect(&header, "v4-header");
    expect(&query, "v4-query");
    // s3cmd's spelling, and others that the header's grammar allows.
    for comma in [",", " ,\t"] {
        expect(&header.replace(", ", comma), "v4-header");
    }
    for field in [", SignedHeaders=", ", Signature="] {
        let text = header.replace(field, &format!(" {field}"));
        expect(&text, "v4-header");
    }
    expect(&header.replace(" Credential", "  Credential"), "v4-header");
    let (start, signature) = header.split_once(", Signature=").unwrap();
    let (signature, end) = signature.split_at(64);
    expect(
        &format!(
            "{}{end}",
            start.replace("Credential", &format!("Signature={signature}, Credential"))
        ),
        "v4-header",
    );
    for after in [",", ", X=1", ", Signature=1", " 1"] {
        let text = format!("{start}, Signature={signature}{after}{end}");
        assert_ne!(outcome(ask(&text)), "v4-header", "{text}");
    }
    // Malformed after the prefix never falls back to another form.
    for broken in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256X Credential=a",
        "AWS4-HMAC-SHA256 Credential=a/20260102/us-east-1/s3/aws4_request",
    ] {
        let text = format!("GET /b/k\nHost: h\nAuthorization: {broken}\n");
        let rules = VerifyRules {
            anonymous: Anonymous::PassedOn,
            ..rules()
        };
        assert_eq!(outcome(ask_under(&text, &rules)), MALFORMED, "{text}");
    }
    expect(&header.replace("Signature=", "Signatur="), MALFORMED);
    expect(
        &header.replace(", Signature", ", Signature=1, Signature"),
        MALFORMED,
    );
    // Both mechanisms.
    let both = get()
        .header("Authorization", "AWS4-HMAC-SHA256 Credential=a")
        .query_form();
    expect(&both, ARGUMENT);
    expect(
        &get().header("Authorization", "AWS a:b").query_form(),
        ARGUMENT,
    );
    expect(
        &Sample::new("GET", "/b/k?AWSAccessKeyId=a").header_form(),
        ARGUMENT,
    );
    expect(
        &Sample::new("GET", "/b/k?Signature=a").query_form(),
        ARGUMENT,
    );
    expect(
        &Sample::new("GET", "/b/k?X-Amz-Date=20260102T030405Z").header_form(),
        ARGUMENT,
    );
    expect(
        &Sample::new("GET", "/b/k?x%2Damz-DATE=1").header_form(),
        ARGUMENT,
    );
    // A foreign scheme beside a presigned query is ignored, alone it is nothing.
    expect(
        &get().unsigned("Authorization", "Bearer x").query_form(),
        "v4-query",
    );
    expect("GET /b/k\nHost: h\nAuthorization: Bearer x\n", DENIED);
    // Nothing at all, and one word: a scheme without credentials, or credentials without a scheme.
    expect("GET /b/k\nHost: h\nAuthorization: \n", DENIED);
    for word in ["Bearer", "eyJhbGciOiJub25lIn0"] {
        expect(
            &format!("GET /b/k\nHost: h\nAuthorization: {word}\n"),
            ARGUMENT,
        );
    }
    expect(
        "GET /b/k\nHost: h\nAuthorization: AWS4-ECDSA-P256-SHA256 a\n",
        ARGUMENT,
    );
    expect(
        "GET /b/k\nHost: h\nAuthorization: aws4-hmac-sha256 a\n",
        ARGUMENT,
    );
    // Browser forms.
    let form = "POST /b\nHost: h\nContent-Type: Multipart/form-data; boundary=1\n";
    expect(form, "NotImplemented 501");
    // Nothing.
    expect("GET /b/k\nHost: h\n", DENIED);
    let open = VerifyRules {
        anonymous: Anonymous::PassedOn,
        ..rules()
    };
    assert_eq!(
        ask_under("GET /b/k\nHost: h\n", &open),
        Ok(AuthType::Anonymous)
    );
    let wrong = header.replace("key", "yek");
    assert_eq!(
        ask_under(&wrong, &open),
        Err(Rejection::SignatureDoesNotMatch)
    );
    assert_eq!(
        outcome(ask_under("GET /b/k?X-Amz-Expires=1\nHost: h\n", &open)),
        QUERY
    );
}

#[test]
fn path() {
    for path in [
        "/",
        "/bucket",
        "/b//k",
        "/b/a/../k",
        "/b/.",
        "/b/a/%2E%2e/k",
        "/b/%ff%00",
        "/b/a+b",
        "/b/ü",
    ] {
        expect(&Sample::new("GET", path).header_form(), "v4-header");
        expect(&Sample::new("GET", path).query_form(), "v4-query");
    }
    // Other spellings of one path have one signature; other paths do not.
    let text = Sample::new("GET", "/b/a%2Fb~%7E").header_form();
    expect(&text.replace("/b/a%2Fb~%7E", "/b/a/b%7e~"), "v4-header");
    expect(&text.replace("/b/a%2Fb~%7E", "/b/a//b~~"), MISMATCH);
    expect(&text.replace("/b/a%2Fb~%7E", "/b/./a/b~~"), MISMATCH);
    for path in ["/b/%", "/b/%2", "/b/%zz", "/b/%2x", "bucket", "*"] {
        expect(&Sample::new("GET", path).header_form(), "InvalidURI 400");
    }
    expect(
        &Sample::new("GET", "/b/k?a=%2").header_form(),
        "InvalidURI 400",
    );
    expect(
        &Sample::new("GET", "/b/k?%=1").header_form(),
        "InvalidURI 400",
    );
    expect("G\tT /b/k\nHost: h\n", "MethodNotAllowed 405");
    for path in ["//b", "/../b", "/b/k#f"] {
        expect(&Sample::new("GET", path).header_form(), "InvalidURI 400");
    }
    for path in ["/b/..", "/b/../k", "/b/%2E%2e/k", "/b/a/../../k"] {
        expect(&Sample::new("GET", path).header_form(), "400 400");
    }
}

#[test]
fn query() {
    for query in [
        "acl",
        "acl=",
        "a=b=c",
        "b=2&a=1&b=1",
        "a=+",
        "a=%2B",
        "a=%20",
        "&&a=1&",
        "=x",
        "ü=ü",
    ] {
        let target = format!("/bucket/key?{query}");
        expect(&Sample::new("GET", &target).header_form(), "v4-header");
        expect(&Sample::new("GET", &target).query_form(), "v4-query");
    }
    let text = Sample::new("GET", "/b?prefix=a+b&acl").header_form();
    expect(
        &text.replace("prefix=a+b&acl", "acl=&prefix=a%20b"),
        "v4-header",
    );
    expect(
        &text.replace("prefix=a+b&acl", "acl=&prefix=a%2Bb"),
        MISMATCH,
    );
    expect(&text.replace("&acl", "&acl&acl"), MISMATCH);
    expect(&text.replace("&acl", ""), MISMATCH);
    let presigned = get().query_form();
    for name in [
        "Algorithm",
        "Credential",
        "Date",
        "Expires",
        "SignedHeaders",
    ] {
        let gone = format!("X-Amz-{name}=");
        expect(&presigned.replacen(&gone, "X-Other=", 1), QUERY);
        let twice = format!("X-Amz-{name}=1&{gone}");
        expect(&presigned.replacen(&gone, &twice, 1), QUERY);
    }
    expect(
        &presigned.replace("&X-Amz-Signature=", "&X-Amz-Signature=&X-Amz-Signature="),
        QUERY,
    );
    expect(&presigned.replace("&X-Amz-Signature=", "&X="), QUERY);
    expect(&presigned.replace("HMAC-SHA256", "HMAC-SHA1"), QUERY);
    // One spelling of each name.
    for spelling in ["x-amz-signature", "X%2DAmz-Signature"] {
        expect(&presigned.replace("X-Amz-Signature", spelling), QUERY);
    }
    let many = |count: usize| format!("/b?{}", "a=1&".repeat(count));
    expect(&Sample::new("GET", &many(128)).header_form(), "v4-header");
    expect(&Sample::new("GET", &many(129)).header_form(), ARGUMENT);
}

#[test]
fn headers() {
    let text = get()
        .header("X-Amz-Meta-A", "one   two")
        .header("x-amz-meta-a", "THREE")
        .header("Content-Length", "3")
        .header("expect", "100-continue")
        .header_form();
    expect(&text, "v4-header");
    expect(&text.replace("one   two", "one two"), "v4-header");
    expect(&text.replace("one   two", "onetwo"), MISMATCH);
    // What goes out as it is must not be read as a space.
    for other in ["one \ttwo", "one \u{b}two", "one \u{c} two"] {
        expect(&text.replace("one   two", other), MISMATCH);
    }
    expect(&text.replace("THREE", "three"), MISMATCH);
    expect(
        &text.replace(
            "X-Amz-Meta-A: one   two\nx-amz-meta-a: THREE\n",
            "x-amz-meta-a: one two,THREE\n",
        ),
        "v4-header",
    );
    expect(
        &text.replace(
            "X-Amz-Meta-A: one   two\nx-amz-meta-a: THREE\n",
            "x-amz-meta-a: THREE,one two\n",
        ),
        MISMATCH,
    );
    expect(&text.replace("expect: 100-continue\n", ""), MISMATCH);
    expect(
        &text.replace("Content-Length: 3", "Content-Length: 4"),
        MISMATCH,
    );
    // The host as sent, port included, or what stands for it.
    let port = text.replace("s3.mydomain.com", "s3.mydomain.com:8080");
    expect(&port, MISMATCH);
    let mut raw = Raw::new(&port);
    raw.host = Some(b"s3.mydomain.com");
    assert!(verdict(&raw, &clients(), &rules(), NOW).is_ok());
    raw.headers.retain(|header| header.name != b"Host");
    assert!(verdict(&raw, &clients(), &rules(), NOW).is_ok());
    // Signed or not.
    let mut hostless = get();
    hostless.unsigned.push("Host".into());
    expect(&hostless.clone().header("a", "b").header_form(), DENIED);
    expect(&hostless.header("a", "b").query_form(), DENIED);
    for name in [
        "x-amz-copy-source",
        "X-AMZ-ACL",
        "x-amz-",
        "x_amz_acl",
        "X-Amz-Security-Token",
        "x-minio-force-delete",
        "X-Minio-Replication-Server-Side-Encryption-Iv",
        "X_MINIO_EXTRACT",
        "x-rustfs-force-delete",
        "x-vgw-owner",
        "x-rgw-object-type",
        "Rgwx-Copy-If-Newer",
        "x-emc-namespace",
        "x-copy-from",
        "x-oss-copy-source",
        "x_goog_copy_source",
    ] {
        expect(&get().unsigned(name, "/other/key").header_form(), DENIED);
        expect(&get().unsigned(name, "/other/key").query_form(), DENIED);
        expect(&get().header(name, "/other/key").header_form(), "v4-header");
    }
    // Whatever the query calls the operation.
    let named = Sample::new("PUT", "/bucket/key?x-id=PutObject");
    let copy = named.unsigned("x-amz-copy-source", "/other/key");
    expect(&copy.clone().query_form(), DENIED);
    expect(&copy.header_form(), DENIED);
    for name in [
        "x-amzn-trace-id",
        "content-type",
        "range",
        "x-amz",
        "x",
        "x-minio",
        "x-forwarded-for",
        "x-goog-iap-jwt-assertion",
        "x-request-id",
        "referer",
        "copy-source",
    ] {
        expect(&get().unsigned(name, "1").header_form(), "v4-header");
    }
    let mut hash = get();
    hash.unsigned.push("x-amz-content-sha256".into());
    expect(&hash.header_form(), "v4-header");
    // Lists of names.
    let list = "SignedHeaders=host;x-amz-content-sha256;x-amz-date";
    let text = get().header_form();
    for other in [
        "",
        "Host",
        "host;host;x-amz-date",
        "x-amz-date;host",
        "host;;x-amz-date",
        "host;a b",
    ] {
        expect(
            &text.replace(list, &format!("SignedHeaders={other}")),
            MALFORMED,
        );
        let presigned = get().query_form().replace(
            "SignedHeaders=host",
            &format!("SignedHeaders={}", other.replace(' ', "%20")),
        );
        expect(&presigned, QUERY);
    }
    let names: String = (0..2_000).map(|at| format!("a{at:04};")).collect();
    expect(
        &text.replace(list, &format!("SignedHeaders={names}{}", &list[14..])),
        MISMATCH,
    );
    // Once only.
    for repeated in [
        "Host: s3.mydomain.com",
        "x-amz-date: 20260102T030405Z",
        "Authorization: Bearer x",
    ] {
        expect(&format!("{text}{repeated}\n"), ARGUMENT);
    }
    expect(&format!("{text}X-Amz-Content-SHA256: {EMPTY}\n"), ARGUMENT);
    // Line breaks, which no server passes on.
    let mut raw = Raw::new(&text);
    raw.headers[0].value = b"s3.mydomain.com\nx:y";
    assert_eq!(
        verdict(&raw, &clients(), &rules(), NOW).unwrap_err(),
        Rejection::InvalidHeader
    );
    // How many.
    let many = |count: usize| format!("{text}{}", "a: b\n".repeat(count - 4));
    expect(&many(256), "v4-header");
    expect(&many(257), "RequestHeaderSectionTooLarge 400");
}

#[test]
fn payload() {
    let with = |payload: &str| {
        let mut sample = Sample::new("PUT", "/bucket/key");
        sample.payload = payload.into();
        sample.header_form()
    };
    expect(&with("UNSIGNED-PAYLOAD"), "v4-header");
    expect(&with(&EMPTY.to_uppercase()), "v4-header");
    for streaming in [
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
    ] {
        // What must be in the head of a streaming upload, see the tests of those.
        expect(
            &with(streaming),
            if streaming.contains("ECDSA") {
                "NotImplemented 501"
            } else {
                "MissingContentLength 411"
            },
        );
        let target = format!("/bucket/key?X-Amz-Content-Sha256={streaming}");
        expect(
            &Sample::new("PUT", &target).query_form(),
            "NotImplemented 501",
        );
        let text = format!("PUT /bucket/key\nHost: h\nx-amz-content-sha256: {streaming}\n");
        let open = VerifyRules {
            anonymous: Anonymous::PassedOn,
            ..rules()
        };
        expect(&text, DENIED);
        let expected = match streaming {
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Rejection::NotImplemented,
            // No signature of the request that those of the chunks could follow.
            _ => Rejection::AnonymousStreaming,
        };
        assert_eq!(ask_under(&text, &open), Err(expected), "{streaming}");
    }
    for unknown in [
        "",
        "unsigned-payload",
        "STREAMING-UNSIGNED-PAYLOAD",
        &EMPTY[1..],
        &format!("{EMPTY}0"),
        &EMPTY.replace('e', "g"),
    ] {
        expect(&with(unknown), ARGUMENT);
        // What nobody has signed may have anything there, which is then not the hash of the body.
        let text = format!("PUT /bucket/key\nHost: h\nx-amz-content-sha256: {unknown}\n");
        for anonymous in [
            Anonymous::PassedOn,
            Anonymous::Signed {
                grant: Arc::default(),
                account: None,
            },
        ] {
            let open = VerifyRules {
                anonymous,
                ..rules()
            };
            assert_eq!(
                ask_under(&text, &open),
                Err(Rejection::PayloadMismatch(None))
            );
        }
        expect(&text, DENIED);
    }
    let mut gone = get();
    gone.payload = EMPTY.into();
    let text = gone
        .header_form()
        .replace("x-amz-content-sha256: ", "x-other: ");
    expect(&text, "InvalidRequest 400");
    // Presigned: the query's, which is signed, wins and may not be contradicted.
    let target = format!("/bucket/key?X-Amz-Content-Sha256={EMPTY}");
    let presigned = Sample::new("PUT", &target);
    expect(&presigned.clone().query_form(), "v4-query");
    expect(
        &presigned
            .clone()
            .unsigned("x-amz-content-sha256", EMPTY)
            .query_form(),
        "v4-query",
    );
    expect(
        &presigned
            .unsigned("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .query_form(),
        ARGUMENT,
    );
    // In the header alone it is not what the URL was signed with.
    expect(
        &get().unsigned("x-amz-content-sha256", EMPTY).query_form(),
        MISMATCH,
    );
}

#[test]
fn time() {
    let at = |change: &dyn Fn(&mut Sample)| {
        let mut sample = get();
        change(&mut sample);
        (sample.clone().header_form(), sample.query_form())
    };
    for (date, header, query) in [
        ("20260102T031905Z", "v4-header", "v4-query"),
        ("20260102T031906Z", "RequestTimeTooSkewed 403", DENIED),
        ("20260102T024905Z", "v4-header", "v4-query"),
        ("20260102T024904Z", "RequestTimeTooSkewed 403", DENIED),
        ("20260102T030465Z", DENIED, QUERY),
        ("20260132T030405Z", DENIED, QUERY),
        ("2026-01-02T03:04:05Z", DENIED, QUERY),
    ] {
        let (as_header, as_query) = at(&|sample| sample.date = date.into());
        expect(&as_header, header);
        expect(&as_query, query);
    }
    let rejection = |text: &str| ask(text).unwrap_err();
    let (_, late) = at(&|sample| sample.date = "20260102T024904Z".into());
    assert_eq!(rejection(&late), Rejection::RequestExpired);
    let (_, early) = at(&|sample| sample.date = "20260102T031906Z".into());
    assert_eq!(rejection(&early), Rejection::NotYetValid);
    for (expires, expected) in [
        ("1", "v4-query"),
        ("604800", "v4-query"),
        ("604801", QUERY),
        ("0", QUERY),
        ("-1", QUERY),
        ("%2B1", QUERY),
        ("1.5", QUERY),
        ("", QUERY),
        ("99999999999999999999", QUERY),
    ] {
        let (_, text) = at(&|sample| sample.expires = expires.into());
        expect(&text, expected);
    }
    // Without x-amz-date, Date.
    let dated = |date: &str| {
        let mut sample = get().header("Date", date);
        sample.date = String::new();
        sample.header_form()
    };
    expect(&dated("Fri, 02 Jan 2026 03:04:05 GMT"), "v4-header");
    expect(&dated("20260102T030405Z"), "v4-header");
    expect(&dated("Fri, 02 Jan 2026 03:04:05 CET"), DENIED);
    expect(&dated("yesterday"), DENIED);
    let mut none = get();
    none.date = String::new();
    assert_eq!(rejection(&none.header_form()), Rejection::MissingDate);
}

#[test]
fn scope() {
    let at = |change: &dyn Fn(&mut Sample)| {
        let mut sample = get();
        change(&mut sample);
        (sample.clone().header_form(), sample.query_form())
    };
    let both = |change: &dyn Fn(&mut Sample), header: &str, query: &str| {
        let (as_header, as_query) = at(change);
        expect(&as_header, header);
        expect(&as_query, query);
    };
    both(&|s| s.region = String::new(), "v4-header", "v4-query");
    both(&|s| s.region = "eu-west-1".into(), "v4-header", "v4-query");
    both(&|s| s.region = "eu west".into(), MALFORMED, QUERY);
    both(&|s| s.region = "r".repeat(65), MALFORMED, QUERY);
    both(&|s| s.service = "ec2".into(), MALFORMED, QUERY);
    both(&|s| s.terminator = "aws5_request".into(), MALFORMED, QUERY);
    both(&|s| s.day = "20260101".into(), MALFORMED, QUERY);
    both(&|s| s.day = "2026012".into(), MALFORMED, QUERY);
    both(
        &|s| s.key = "nobody".into(),
        "InvalidAccessKeyId 403",
        "InvalidAccessKeyId 403",
    );
    both(&|s| s.key = String::new(), MALFORMED, QUERY);
    both(&|s| s.secret = "wrong".into(), MISMATCH, MISMATCH);
    // An access key with slashes.
    let clients = Directory::new(&[("a/b/c", SECRET)]);
    let (header, query) = at(&|s| s.key = "a/b/c".into());
    let verified = verdict(&Raw::new(&header), &clients, kept(rules()), NOW).unwrap();
    assert_eq!(verified.access_key(), b"a/b/c");
    let verified = verdict(&Raw::new(&query), &clients, kept(rules()), NOW).unwrap();
    assert_eq!(verified.access_key(), b"a/b/c");
    // In a query it has any spelling, and is known by one.
    let rejected = |query: &str| {
        let (raw, rules, nobody) = (Raw::new(query), rules(), Directory::new(&[]));
        let keys = &mut KeyCache::new(2);
        let rejected = verify(&raw.request(), &nobody, &rules, keys, Timestamp(NOW)).unwrap_err();
        rejected.decoded_access_key()
    };
    for spelled in ["a/b/c", "a%2fb%2Fc", "%61/b%2f%63"] {
        let query = query.replace("Credential=a%2Fb%2Fc", &format!("Credential={spelled}"));
        let verified = verdict(&Raw::new(&query), &clients, kept(rules()), NOW).unwrap();
        assert_eq!(verified.access_key(), b"a/b/c", "{spelled}");
        assert_eq!(rejected(&query).unwrap(), b"a/b/c", "{spelled}");
    }
    // What no key has is nothing that a log or a header should get.
    for (spelled, decoded) in [
        ("A", None),
        ("%41", Some(b"ACLIENT".to_vec())),
        ("A%0d%0a", None),
        ("A%20", None),
    ] {
        let query = get()
            .query_form()
            .replace("Credential=AKID", &format!("Credential={spelled}"));
        assert_eq!(rejected(&query), decoded, "{spelled}");
    }
    // A region that is asked for.
    for (region, target, expected) in [
        ("eu-west-1", "/bucket/key", "v4-header"),
        ("us-east-1", "/bucket/key", MALFORMED),
        ("", "/bucket/key", MALFORMED),
        ("us-east-1", "/", "v4-header"),
        ("us-east-1", "/bucket?location", "v4-header"),
        ("us-east-1", "/bucket?location&acl", MALFORMED),
        ("us-east-2", "/", MALFORMED),
    ] {
        let mut sample = Sample::new("GET", target);
        sample.region = region.into();
        let answer = ask_under(&sample.header_form(), &in_region("eu-west-1"));
        assert_eq!(outcome(answer.clone()), expected, "{region} {target}");
        if let Err(rejection) = answer {
            assert!(rejection.message().contains("expecting 'eu-west-1'"));
        }
    }
}

#[test]
fn wrong_signatures() {
    let text = get().header_form();
    let (start, signature) = text.split_once("Signature=").unwrap();
    for wrong in [
        &signature[..63],
        &signature[1..64],
        &signature[..64].to_uppercase(),
        "x",
        &"0".repeat(64),
    ] {
        expect(&format!("{start}Signature={wrong}\n"), MISMATCH);
    }
    expect(&format!("{start}Signature=\n"), MALFORMED);
    // The same work and no difference but the code for a key that nobody has.
    let rejected = |text: &str| {
        let mut keys = KeyCache::new(8);
        let raw = Raw::new(text);
        let answer = verify(
            &raw.request(),
            kept(clients()),
            kept(rules()),
            &mut keys,
            Timestamp(NOW),
        );
        let rejected = answer.unwrap_err();
        (
            rejected.access_key.to_vec(),
            rejected.auth_type,
            keys.derivations(),
        )
    };
    let wrong = rejected(&text.replace("key", "yek"));
    assert_eq!(wrong, (KEY.into(), Some(AuthType::V4Header), 1));
    let unknown = rejected(&text.replace(KEY, "nobody"));
    assert_eq!(unknown, ("nobody".into(), Some(AuthType::V4Header), 1));
}

#[test]
fn statuses_as_s3proxy_has_them() {
    let mut sample = get();
    sample.key = "nobody".into();
    for (text, status) in [
        (sample.header_form(), 400),
        (get().header_form().replace("Signature=", "Sig="), 400),
        (get().header_form().replace("/key", "/%"), 400),
        (get().header_form().replace("/key", "/yek"), 403),
        ("GET /b/k\nHost: h\n".into(), 403),
    ] {
        assert_eq!(ask(&text).unwrap_err().status_s3proxy(), status, "{text}");
    }
    assert!(
        ask(&get().header_form().replace("/key", "/yek"))
            .unwrap_err()
            .is_mismatch()
    );
    assert!(!Rejection::InvalidAccessKeyId.is_mismatch());
}

/// A key made up by a stranger is derived, but never kept.
#[test]
fn strangers_do_not_flush_the_cache() {
    let (mut keys, clients, rules) = (KeyCache::new(2), clients(), rules());
    let mut ask = |text: &str| {
        let raw = Raw::new(text);
        let answer = verify(&raw.request(), &clients, &rules, &mut keys, Timestamp(NOW)).is_ok();
        (answer, keys.derivations(), keys.hits())
    };
    assert_eq!(ask(&get().header_form()), (true, 1, 0));
    for made_up in 0..8_u64 {
        let mut sample = get();
        sample.region = format!("made-up-{made_up}");
        sample.secret = "guessed".into();
        assert_eq!(ask(&sample.header_form()), (false, 2 + made_up, 0));
    }
    assert_eq!(ask(&get().query_form()), (true, 9, 1));
}

/// What S3 returns is what the reference has signed, and holds neither secret nor signature.
#[test]
fn explanation() {
    let text = Sample::new("GET", "/b/a%20b?b&a=1")
        .header("x-amz-meta-a", "b")
        .header_form();
    let signature = text.rsplit_once('=').unwrap().1.trim();
    for (text, payload) in [(&text, EMPTY), (&get().query_form(), "UNSIGNED-PAYLOAD")] {
        let explained = explain(&Raw::new(text).request()).unwrap();
        let request = String::from_utf8(explained.canonical_request.unwrap()).unwrap();
        let to_sign = String::from_utf8(explained.string_to_sign).unwrap();
        assert!(
            request.ends_with(payload) && request.starts_with("GET\n/b"),
            "{request}"
        );
        assert!(to_sign.starts_with("AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/us-east-1/s3/"));
        assert!(!request.contains(signature) && !to_sign.contains(signature));
    }
    assert!(explain(&Raw::new("GET /b/k\nHost: h\n").request()).is_none());
    let raw = Raw::new(&text);
    let rejected = verify(
        &raw.request(),
        kept(clients()),
        kept(in_region("x")),
        &mut KeyCache::new(1),
        Timestamp(NOW),
    );
    assert!(!format!("{rejected:?} {:?}", clients().0[KEY.as_bytes()]).contains(SECRET));
}

fn v2_rules() -> VerifyRules {
    VerifyRules {
        signature_v2: true,
        ..rules()
    }
}

fn v2_query(key: &str, expires: u32) -> String {
    let presign = Presign {
        method: b"GET",
        host: b"s3.mydomain.com",
        bucket: b"bucket",
        key: b"a b",
        headers: &[],
        session_token: None,
        region: Region::parse(b"").unwrap(),
        expires,
    };
    let target = presign
        .v2(&credential(key, SECRET), Timestamp(NOW))
        .unwrap();
    let target = String::from_utf8(target).unwrap();
    format!("GET {target}\nHost: s3.mydomain.com\n")
}

#[test]
fn signature_v2() {
    let text = v2_query(KEY, 60);
    let ask = |text: &str| outcome(ask_under(text, &v2_rules()));
    assert_eq!(ask(&text), "v2-query");
    assert_eq!(
        ask_under(&text, &rules()),
        Err(Rejection::SignatureV4Required)
    );
    expect(&text, "InvalidRequest 400");
    expect(
        "GET /b/k\nHost: h\nAuthorization: AWS a:b\n",
        "InvalidRequest 400",
    );
    // A raw plus sign in the signature, as some clients send it.
    assert_eq!(
        ask(&text.replace("%2B", "+").replace("%2F", "/")),
        "v2-query"
    );
    assert_eq!(ask(&text.replace("GET", "PUT")), MISMATCH);
    assert_eq!(ask(&text.replace("a%20b", "a%20c")), MISMATCH);
    assert_eq!(ask(&text.replace("Signature=", "Signature=x")), MISMATCH);
    assert_eq!(ask(&format!("{text}x-amz-acl: public-read\n")), MISMATCH);
    assert_eq!(ask(&format!("{text}Content-Type: text/plain\n")), MISMATCH);
    assert_eq!(ask(&v2_query("nobody", 60)), "InvalidAccessKeyId 403");
    for missing in ["AWSAccessKeyId", "Signature", "Expires"] {
        assert_eq!(ask(&text.replace(missing, "prefix")), DENIED, "{missing}");
    }
    assert_eq!(ask(&text.replace("Expires=", "Expires=1&Expires=")), QUERY);
    assert_eq!(ask(&text.replace("KeyId=AKID", "KeyId=%41KID")), "v2-query");
    // A token is one of V2's in V2's spelling, and in a V4 query none at all.
    let token = "x-amz-security-token=t";
    let with = |token: &str| text.replace("Signature=", &format!("{token}&Signature="));
    assert_eq!(ask(&with(token)), MISMATCH);
    let v4 = Sample::new("GET", &format!("/b/k?{token}")).query_form();
    assert_eq!(ask(&v4), QUERY);
    assert_eq!(
        ask_under(&with(token), &rules()),
        Err(Rejection::SignatureV4Required)
    );
    assert_eq!(ask(&with(&format!("{token}&{token}"))), QUERY);
    assert_eq!(ask(&with("%78-amz-security-token=t")), QUERY);
    assert_eq!(
        ask(&format!("{}{token}\n", with(token)).replace("token=t\n", "token: t\n")),
        QUERY
    );
    assert_eq!(ask(&with("X-Amz-Security-Token=t")), "InvalidArgument 400");
    assert_eq!(
        ask(&format!(
            "GET /b/k?{token}\nHost: h\nAuthorization: AWS a:b\n"
        )),
        "InvalidArgument 400"
    );
    // Signed parameters, harmless ones, and those that would lend the origin's authority.
    let with = |parameter: &str| text.replace("a%20b?", &format!("a%20b?{parameter}&"));
    assert_eq!(ask(&with("versionId=1")), MISMATCH);
    assert_eq!(ask(&with("response-content-type=a")), MISMATCH);
    for harmless in [
        "prefix=a",
        "delimiter=/",
        "max-keys=1",
        "list-type=2",
        "x-id=GetObject",
    ] {
        assert_eq!(ask(&with(harmless)), "v2-query", "{harmless}");
    }
    for other in [
        "attributes",
        "publicAccessBlock",
        "x-amz-acl=public-read",
        "session",
        "ACL",
        "%61cl",
    ] {
        let answer = ask_under(&with(other), &v2_rules());
        assert_eq!(answer, Err(Rejection::UnsignedParameter), "{other}");
    }
    // Time.
    let at = |text: &str, now: i64| {
        let answer = verdict(&Raw::new(text), kept(clients()), kept(v2_rules()), now);
        answer
            .map(|_| ())
            .map_err(|rejection| rejection.message().into_owned())
    };
    assert_eq!(at(&text, NOW + 60), Ok(()));
    assert_eq!(at(&text, NOW + 61), Err("Request has expired".into()));
    // No one can tell when it was made.
    let within = |age, now| {
        let rules = VerifyRules {
            max_age: Some(age),
            ..v2_rules()
        };
        let answer = verdict(&Raw::new(&text), kept(clients()), kept(rules), now);
        answer.map(|_| ()).map_err(|rejection| rejection.code())
    };
    assert_eq!(within(60, NOW), Ok(()));
    assert_eq!(within(59, NOW), Err("AccessDenied"));
    assert_eq!(within(59, NOW + 1), Ok(()));
    assert_eq!(within(i64::MAX, NOW), Ok(()));
    let header = |date: &str| {
        let head = format!("GET /b/k\nHost: h\n{date}Authorization: AWS {KEY}:wrong\n");
        outcome(ask_under(&head, &v2_rules()))
    };
    assert_eq!(header("Date: Fri, 02 Jan 2026 03:04:05 GMT\n"), MISMATCH);
    assert_eq!(
        header("Date: Fri, 02 Jan 2026 03:20:05 GMT\n"),
        "RequestTimeTooSkewed 403"
    );
    assert_eq!(header(""), DENIED);
    // The payload kinds count here too.
    let streaming = format!("{text}x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\n");
    assert_eq!(ask(&streaming), "NotImplemented 501");
    assert_eq!(
        ask("GET /b/k\nHost: h\nAuthorization: AWS nocolon\n"),
        MALFORMED
    );
}

/// Each key that a client may be given is accepted in each form, whatever its bytes and its length.
#[test]
fn access_keys() {
    let printable = (b'!'..=b'~').map(char::from).filter(|byte| *byte != ',');
    let mut keys: Vec<String> = printable.map(|byte| format!("A{byte}{byte}")).collect();
    keys.extend([MAX_ACCESS_KEY, 1].map(|length| "/".repeat(length)));
    let longest_region = "r".repeat(64);
    for key in &keys {
        assert!(Credential::is_access_key(key.as_bytes()), "{key}");
        let clients = Directory::new(&[(key, SECRET)]);
        let sample = Sample {
            key: key.clone(),
            region: longest_region.clone(),
            ..Sample::new("GET", "/b/k")
        };
        let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(b"GET\n\n\nFri, 02 Jan 2026 03:04:05 GMT\n/b/k");
        let signature = Base64::encode_string(&mac.finalize().into_bytes());
        let v2_header = format!(
            "GET /b/k\nHost: h\nDate: Fri, 02 Jan 2026 03:04:05 GMT\nAuthorization: AWS {key}:{signature}\n"
        );
        for (text, form) in [
            (sample.clone().header_form(), AuthType::V4Header),
            (sample.query_form(), AuthType::V4Query),
            (v2_header, AuthType::V2Header),
            (v2_query(key, 60), AuthType::V2Query),
        ] {
            let rules = v2_rules();
            let answer = verdict(&Raw::new(&text), &clients, &rules, NOW);
            assert_eq!(
                answer.map(|verified| verified.auth_type()),
                Ok(form),
                "{text}"
            );
        }
    }
    let other = (0..=255).filter(|byte| !(b'!'..=b'~').contains(byte) || *byte == b',');
    for key in other.map(|byte| [b'A', byte]) {
        assert!(!Credential::is_access_key(&key), "{}", key.escape_ascii());
    }
    assert!(!Credential::is_access_key(b""));
    assert!(!Credential::is_access_key(&[b'A'; MAX_ACCESS_KEY + 1]));
}
