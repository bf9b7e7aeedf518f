//! Which operation, bucket and key a request names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{operations::OPERATIONS, *};
use sigv4::*;

fn named(request: &str) -> String {
    match S3Request::of(&Raw::new(request).request(), &Address::PATH_STYLE) {
        Ok(asked) => asked.operation().name().to_owned(),
        Err(rejection) => rejection.code().to_owned(),
    }
}

/// As AWS's model has them, with every parameter that they may have, and however they are spelled.
#[test]
fn every_operation() {
    assert_eq!(OPERATIONS.len() + 1, Operation::ALL.len(), "and PostObject");
    for sent in OPERATIONS {
        let header = match sent.source {
            "" => String::new(),
            source => format!("\nx-amz-{source}-source: b/k"),
        };
        let ask = |query: &str| named(&format!("{} {}?{query}{header}", sent.method, sent.path));
        assert_eq!(ask(sent.query), sent.name);
        let x_id = format!("{}&x-id={}", sent.query, sent.name);
        assert_eq!(ask(&x_id), sent.name);
        let optional = sent.optional.split(' ').filter(|name| !name.is_empty());
        let all = optional
            .map(|name| format!("&{name}=x"))
            .collect::<String>();
        assert_eq!(ask(&format!("{}{all}", sent.query)), sent.name);
        let encoded = |text: &str| {
            text.bytes()
                .map(|b| format!("%{b:02x}"))
                .collect::<String>()
        };
        let spelled = sent
            .query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                format!("&{}={}", encoded(name), encoded(value))
            });
        assert_eq!(ask(&spelled.collect::<String>()), sent.name);
        // What is unknown, doubled, or not as it should be, makes another request of it.
        for bad in [
            "unheard",
            "unheard=of",
            "X-ID=",
            "x-amz-copy-source=b/k",
            "x_amz_acl=private",
        ] {
            assert_eq!(
                ask(&format!("{}&{bad}", sent.query)),
                "Unknown",
                "{} {bad}",
                sent.name
            );
        }
        for pair in sent.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let others = sent.query.replace(pair, "");
            let twice = format!("{others}&{pair}&{name}={value}");
            assert_eq!(ask(&twice), "Unknown", "{}", sent.name);
            let other_value = if value.is_empty() { "x" } else { "" };
            let changed = ask(&format!("{others}&{name}={other_value}"));
            assert!(
                changed == "Unknown" || name == "max-directory-buckets",
                "{changed}"
            );
        }
    }
}

/// Two sub-resources at once are not the one nor the other.
#[test]
fn sub_resources_exclude_each_other() {
    for a in OPERATIONS {
        for b in OPERATIONS
            .iter()
            .filter(|b| b.method == a.method && b.path == a.path)
        {
            let (one, other) = (flags(a.query), flags(b.query));
            if one.is_empty() || other.is_empty() || one == other {
                continue;
            }
            let request = format!("{} {}?{}&{}", a.method, a.path, a.query, b.query);
            assert_eq!(named(&request), "Unknown", "{request}");
        }
    }
}

fn flags(query: &str) -> Vec<&str> {
    let names = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default());
    names
        .filter(|name| !matches!(*name, "" | "id" | "annotationName" | "select-type"))
        .collect()
}

#[test]
fn operations() {
    for (request, expected) in [
        ("GET /", "ListBuckets"),
        ("GET /?x-id=ListBuckets", "ListBuckets"),
        ("GET /?x-id=ListDirectoryBuckets", "ListDirectoryBuckets"),
        ("GET /?x-id=GetObject", "InvalidRequest"),
        ("HEAD /", "Unknown"),
        ("OPTIONS /", "Unknown"),
        ("PUT /", "MethodNotAllowed"),
        ("POST /", "MethodNotAllowed"),
        ("DELETE /", "MethodNotAllowed"),
        ("POST /?Action=ListUsers", "MethodNotAllowed"),
        ("PATCH /create-user", "MethodNotAllowed"),
        ("PATCH /b/k", "MethodNotAllowed"),
        ("TRACE /b/k", "MethodNotAllowed"),
        ("PROPFIND /b", "MethodNotAllowed"),
        ("GET //k", "InvalidURI"),
        ("GET /%2Fb/k", "InvalidURI"),
        ("GET /b/../c", "400"),
        ("GET /../b", "InvalidURI"),
        ("GET /b/a/../c", "GetObject"),
        ("GET /b?%6Cocation", "GetBucketLocation"),
        ("GET /b?location&%70olicy", "Unknown"),
        ("PUT /b?%70olicy", "PutBucketPolicy"),
        ("POST /b/k?%73elect&select-type=2", "SelectObjectContent"),
        ("POST /b/k?select&select-type=1&%75ploadId=ID", "Unknown"),
        ("POST /b/k?select&select-type=2&tagging", "Unknown"),
        ("POST /b/k?select", "Unknown"),
        ("GET /b/k?uploadId=", "Unknown"),
        ("GET /b/k?acl=x", "Unknown"),
        ("GET /b?list-type=1", "Unknown"),
        ("GET /b?list-type=%32", "ListObjectsV2"),
        ("GET /b?prefix=a&prefix=b", "Unknown"),
        ("GET /b/k?x-amz-checksum-mode=ENABLED", "GetObject"),
        (
            "PUT /b/k?x-amz-acl=private&x-amz-sdk-checksum-algorithm=CRC32&x-id=PutObject",
            "PutObject",
        ),
        ("PUT /photo?x-id=PutObject", "InvalidRequest"),
        ("GET /photo?x-id=GetObject", "InvalidRequest"),
        ("GET /b/k?x-id=HeadObject", "Unknown"),
        (
            "GET /b?lifecycle&x-id=GetBucketLifecycle",
            "GetBucketLifecycleConfiguration",
        ),
        ("PUT /b\nx-amz-copy-source: b/k", "Unknown"),
        ("PUT /b/k\nx-amz-rename-source: b/k", "Unknown"),
        ("PUT /b/k?renameObject\nx-amz-copy-source: b/k", "Unknown"),
        ("PUT /b/k?acl\nx-amz-copy-source: b/k", "Unknown"),
        (
            "PUT /b/k\nx-amz-copy-source: b/../../c/k",
            "InvalidArgument",
        ),
        ("PUT /b/k\nx-amz-copy-source: /../c/k", "InvalidArgument"),
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
        ("POST /b", "Unknown"),
        (
            "POST /b\ncontent-type: Multipart/form-data; boundary=x",
            "PostObject",
        ),
        (
            "POST /b\ncontent-type: multipart/form-data\nauthorization: AWS4-HMAC-SHA256 x",
            "Unknown",
        ),
        ("POST /b/k\ncontent-type: multipart/form-data", "Unknown"),
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
        ("get /b/k", "MethodNotAllowed"),
        ("GET /b/k?%", "InvalidURI"),
    ] {
        assert_eq!(named(request), expected, "{request}");
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
