//! What a client may do, and which operation, bucket and key a request names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use sigv4::*;

fn permitted(allow: Allow, buckets: &[&str], sample: &Sample) -> bool {
    let patterns = buckets
        .iter()
        .map(|text| BucketPattern::parse(text.as_bytes()).unwrap());
    let grant = || Grant {
        allow,
        buckets: patterns.clone().collect(),
    };
    let ask = |text: String| {
        let clients = Directory::with_grant(KEY, SECRET, grant());
        match verdict(&Raw::new(&text), &clients, &rules(), NOW) {
            Ok(_) => true,
            Err(Rejection::AccessDenied) => false,
            Err(other) => panic!("{other}: {text}"),
        }
    };
    let answer = ask(sample.clone().header_form());
    assert_eq!(answer, ask(sample.clone().query_form()), "in both forms");
    answer
}

#[test]
fn allowed_methods() {
    let copy = Sample::new("PUT", "/b/k").header("x-amz-copy-source", "b/k2");
    for (sample, read, write) in [
        (Sample::new("GET", "/b/k"), true, false),
        (Sample::new("HEAD", "/b/k"), true, false),
        (Sample::new("GET", "/"), true, false),
        (
            Sample::new("POST", "/b/k?select&select-type=2"),
            true,
            false,
        ),
        (Sample::new("POST", "/b/k?select&uploads"), false, true),
        (Sample::new("POST", "/b?select"), false, true),
        (Sample::new("PUT", "/b/k"), false, true),
        (Sample::new("DELETE", "/b/k"), false, true),
        (Sample::new("POST", "/b?delete"), false, true),
        (Sample::new("PATCH", "/b/k"), false, false),
        (copy, false, false),
    ] {
        assert_eq!(
            permitted(Allow::Read, &[], &sample),
            read,
            "read: {sample:?}"
        );
        assert_eq!(
            permitted(Allow::Write, &[], &sample),
            write,
            "write: {sample:?}"
        );
        assert!(permitted(Allow::All, &[], &sample), "{sample:?}");
    }
}

#[test]
fn granted_buckets() {
    let buckets = ["media", "logs-*"];
    for (target, expected) in [
        ("/media", true),
        ("/media/", true),
        ("/media/../secret/k", true),
        ("/%6Dedia/k", true),
        ("/logs-/k", true),
        ("/logs-2026%2Fk", true),
        ("/logs/k", false),
        ("/medi", false),
        ("/media2/k", false),
        ("/Media/k", false),
        ("/", false),
        ("//media/k", false),
        ("/%2Fmedia/k", false),
        ("/secret/k", false),
    ] {
        let sample = Sample::new("GET", target);
        assert_eq!(
            permitted(Allow::All, &buckets, &sample),
            expected,
            "{target}"
        );
    }
    let long = format!("/logs-{}/k", "x".repeat(251));
    assert!(!permitted(Allow::All, &buckets, &Sample::new("GET", &long)));
}

#[test]
fn sources_of_copies() {
    for (source, expected) in [
        ("media/k", true),
        ("/media/k", true),
        ("%2Fmedia%2Fk", true),
        ("logs-1/k?versionId=1", true),
        ("secret/k", false),
        ("/secret/k", false),
        ("%2Fsecret%2Fk", false),
        ("//media/k", false),
        ("media", false),
        ("media/", false),
        ("", false),
        ("/", false),
        ("arn:aws:s3:us-east-1:1:accesspoint/media/object/k", false),
        ("media%00/k", false),
        ("me%dia/k", false),
    ] {
        let copy = |name: &str| Sample::new("PUT", "/media/new").header(name, source);
        let buckets = ["media", "logs-*"];
        for name in ["x-amz-copy-source", "X-Amz-Copy_Source"] {
            assert_eq!(
                permitted(Allow::All, &buckets, &copy(name)),
                expected,
                "{name}: {source}"
            );
            assert!(
                !permitted(Allow::Write, &[], &copy(name)),
                "{name}: {source}"
            );
        }
    }
    for query in ["x-amz-copy-source=media/k", "X%2DAmz-Copy-Source=media/k"] {
        let sample = Sample::new("PUT", &format!("/media/new?{query}"));
        assert!(!permitted(Allow::All, &["*"], &sample), "{query}");
        assert!(permitted(Allow::All, &[], &sample), "{query}");
    }
}

#[test]
fn patterns() {
    for (pattern, name, expected) in [
        ("*", "a", true),
        ("a*", "a", true),
        ("a*b", "ab", true),
        ("a*b", "acb", true),
        ("a*b", "abc", false),
        ("ab*ba", "aba", false),
        ("ab*ba", "abba", true),
        ("*a*b*", "xaxbx", true),
        ("*a*b*", "xbxax", false),
        ("a**b", "ab", true),
        ("*aab", "aaab", true),
        ("*ab*ab", "xabab", true),
        ("*ab*ab", "xab", false),
    ] {
        let sample = Sample::new("GET", &format!("/{name}"));
        assert_eq!(
            permitted(Allow::All, &[pattern], &sample),
            expected,
            "{pattern} {name}"
        );
    }
    // Would take ages with a matcher that goes back.
    let pattern = "a*".repeat(100);
    let sample = Sample::new("GET", &format!("/{}b/k", "a".repeat(99)));
    assert!(!permitted(Allow::All, &[&format!("{pattern}c")], &sample));
    for invalid in ["", "a/b", "a b", "ü", "a\0"] {
        assert!(
            BucketPattern::parse(invalid.as_bytes()).is_none(),
            "{invalid}"
        );
    }
}

#[test]
fn operations() {
    for (request, expected) in [
        ("GET /", "ListBuckets"),
        ("GET /?x-id=ListBuckets", "ListBuckets"),
        ("PUT /", "Unknown"),
        ("GET //k", "Unknown"),
        ("GET /b", "ListObjects"),
        ("GET /b/", "ListObjects"),
        ("GET /b?list-type=2&prefix=acl", "ListObjectsV2"),
        ("GET /b?versions", "ListObjectVersions"),
        ("GET /b?uploads", "ListMultipartUploads"),
        ("GET /b?location", "GetBucketLocation"),
        ("GET /b?acl&tagging", "Unknown"),
        ("PUT /b?policy", "PutBucketPolicy"),
        ("DELETE /b?cors", "DeleteBucketCors"),
        ("GET /b?lifecycle", "GetBucketLifecycleConfiguration"),
        ("PUT /b?versioning", "PutBucketVersioning"),
        ("GET /b?object-lock", "GetObjectLockConfiguration"),
        ("HEAD /b", "HeadBucket"),
        ("PUT /b", "CreateBucket"),
        ("DELETE /b", "DeleteBucket"),
        ("POST /b", "PostObject"),
        ("POST /b?delete", "DeleteObjects"),
        ("GET /b/k", "GetObject"),
        ("GET /b/k?partNumber=1&versionId=2", "GetObject"),
        ("GET /b%2Fk", "GetObject"),
        ("HEAD /b/k/", "HeadObject"),
        ("HEAD /b/k?acl", "Unknown"),
        ("PUT /b/k", "PutObject"),
        ("PUT /b/k\nx-amz-copy-source: b/k", "CopyObject"),
        ("PUT /b/k?uploadId=1&partNumber=1", "UploadPart"),
        (
            "PUT /b/k?uploadId=1&partNumber=1\nX-Amz-Copy-Source: b/k",
            "UploadPartCopy",
        ),
        ("POST /b/k?uploads", "CreateMultipartUpload"),
        ("POST /b/k?uploadId=1", "CompleteMultipartUpload"),
        ("DELETE /b/k?uploadId=1", "AbortMultipartUpload"),
        ("GET /b/k?uploadId=1", "ListParts"),
        ("DELETE /b/k", "DeleteObject"),
        ("DELETE /b/k?tagging", "DeleteObjectTagging"),
        ("GET /b/k?acl", "GetObjectAcl"),
        ("POST /b/k?select&select-type=2", "SelectObjectContent"),
        ("POST /b/k?restore", "RestoreObject"),
        ("POST /b/k", "Unknown"),
        ("OPTIONS /b/k", "Unknown"),
        ("get /b/k", "Unknown"),
        ("GET /b/k?%", "Unknown"),
    ] {
        assert_eq!(
            operation(&Raw::new(request).request()).name(),
            expected,
            "{request}"
        );
    }
}

#[test]
fn bucket_and_key() {
    let parts = |path: &[u8]| {
        let text = |part: Option<Encoded<'_>>| {
            part.map(|part| {
                let mut out = vec![0; part.len()];
                part.write(&mut out);
                String::from_utf8(out).unwrap()
            })
        };
        let path = ResourcePath::of(path)?;
        Some((text(path.bucket()), text(path.key())))
    };
    let some = |bucket: &str, key: &str| {
        let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some((part(bucket), part(key)))
    };
    assert_eq!(parts(b"/"), some("", ""));
    assert_eq!(parts(b"/b"), some("b", ""));
    assert_eq!(parts(b"/b/"), some("b", ""));
    assert_eq!(parts(b"/b/k/"), some("b", "k/"));
    assert_eq!(
        parts(b"/b/a+b c%2f%7e%0d%0A"),
        some("b", "a%2Bb%20c/~%0D%0A")
    );
    assert_eq!(parts(b"/%62%2fk"), some("b", "k"));
    assert_eq!(parts(b"//k"), some("", "k"));
    assert_eq!(parts(b"/b//../k"), some("b", "/../k"));
    assert_eq!(parts(b"b"), None);
    assert_eq!(parts(b""), None);
}
