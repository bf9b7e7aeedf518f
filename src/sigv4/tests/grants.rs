//! What a client may do.
//!
//! A long file, since each one here is linked to a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    operations::{Class, OPERATIONS, Sent},
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use sigv4::*;

/// `allow` and `buckets` are empty where they are not given.
fn permitted(allow: &str, buckets: &str, sample: &Sample) -> bool {
    let ask = |text: String| {
        let clients = Directory::with_grant(KEY, SECRET, grant(allow, buckets));
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

/// The request of an operation, for bucket `b` and key `k`.
fn sample(sent: &Sent) -> Sample {
    let sample = Sample::new(sent.method, &format!("{}?{}", sent.path, sent.query));
    match sent.source {
        "" => sample,
        source => sample.header(&format!("x-amz-{source}-source"), "/b/k2"),
    }
}

fn has_bucket(sent: &Sent) -> bool {
    sent.path.starts_with("/b")
}

#[test]
fn every_operation_in_every_class() {
    for sent in OPERATIONS {
        let of = |classes: &[Class]| classes.contains(&sent.class);
        use Class::*;
        let writes = of(&[Write, Delete, Configure, Unconfigure, Elsewhere]);
        for (allow, anywhere, in_bucket) in [
            ("", !of(&[Credentials]), !of(&[Credentials, Elsewhere])),
            ("all", !of(&[Credentials]), !of(&[Credentials, Elsewhere])),
            ("read", of(&[Read, List]), of(&[Read, List])),
            ("list", of(&[List]), of(&[List])),
            ("write", writes, of(&[Write, Delete])),
            ("delete", of(&[Delete, Unconfigure]), of(&[Delete])),
            (
                "read,write",
                writes || of(&[Read, List, Copy]),
                of(&[Read, List, Write, Delete, Copy]),
            ),
            (
                "list,delete",
                of(&[List, Delete, Unconfigure]),
                of(&[List, Delete]),
            ),
            (sent.name, true, true),
            (
                "HeadObject",
                sent.name == "HeadObject",
                sent.name == "HeadObject",
            ),
        ] {
            let sample = sample(sent);
            let asked = format!("{} by allow={allow}", sent.name);
            assert_eq!(permitted(allow, "", &sample), anywhere, "{asked}");
            // A list of buckets is cut to those that the client may see.
            let in_bucket = in_bucket && (has_bucket(sent) || sent.name == "ListBuckets");
            assert_eq!(permitted(allow, "a,b*", &sample), in_bucket, "{asked} in b");
            let elsewhere = in_bucket && sent.name == "ListBuckets";
            assert_eq!(permitted(allow, "a,c", &sample), elsewhere, "{asked} in c");
            // Keys that begin with `k`, and so the bucket only as far as it is about those.
            let of_keys = sent.path == "/b/k"
                || [
                    "HeadBucket",
                    "GetBucketLocation",
                    "GetBucketVersioning",
                    "ListBuckets",
                ]
                .contains(&sent.name);
            assert_eq!(
                permitted(allow, "b/k*", &sample),
                in_bucket && of_keys,
                "{asked} of k*"
            );
            assert_eq!(
                permitted(allow, "b/other*", &sample),
                in_bucket && of_keys && sent.path != "/b/k",
                "{asked} of other*"
            );
        }
    }
}

#[test]
fn names_of_operations() {
    let get = Sample::new("GET", "/b/k");
    for (allow, expected) in [
        ("GetObject", true),
        ("GetObject*", true),
        ("Get*", true),
        ("*", true),
        ("*Object", true),
        ("GetObjectAcl", false),
        ("GetObjectA*", false),
        ("ListObject*,HeadObject", false),
        ("PutObject,GetObject", true),
    ] {
        assert_eq!(permitted(allow, "", &get), expected, "{allow}");
    }
    let lifecycle = Sample::new("PUT", "/b?lifecycle");
    assert!(permitted("PutBucketLifecycle", "b", &lifecycle));
    // What reaches beyond a bucket, or gives credentials, is not meant by a pattern.
    let session = Sample::new("GET", "/b?session");
    let replication = Sample::new("PUT", "/b?replication");
    for allow in ["*", "Create*", "all,*"] {
        assert!(!permitted(allow, "", &session), "{allow}");
    }
    for allow in ["*", "Put*", "all,PutBucket*"] {
        assert!(!permitted(allow, "b", &replication), "{allow}");
    }
    assert!(permitted("Put*", "", &replication));
    for (allow, word) in [
        ("", ""),
        ("read,", ""),
        ("getobject", "getobject"),
        ("read,wirte", "wirte"),
        ("Nothing*", "Nothing*"),
        ("Unknown", "Unknown"),
        ("read, write", " write"),
    ] {
        let fault = Grant::parse(Some(allow.as_bytes()), None).err();
        assert_eq!(fault, Some(GrantFault::Allow(word.as_bytes())), "{allow}");
    }
}

/// The faults that were seen: what a request was taken for differed from what it was.
#[test]
fn spellings_do_not_change_what_is_asked() {
    for (allow, method, target, expected) in [
        ("write", "POST", "/b/k?%73elect&select-type=2", false),
        ("read", "POST", "/b/k?%73elect&select-type=2", true),
        (
            "read",
            "POST",
            "/b/k?select&select-type=1&%75ploadId=ID",
            false,
        ),
        (
            "write",
            "POST",
            "/b/k?select&select-type=1&%75ploadId=ID",
            false,
        ),
        ("write", "POST", "/b/k?select&select-type=2&tagging", false),
        ("read", "POST", "/b/k?select&select-type=2&tagging", false),
        ("CreateBucket", "PUT", "/b?%70olicy", false),
        ("PutBucketPolicy", "PUT", "/b?%70olicy", true),
        (
            "WriteGetObjectResponse",
            "POST",
            "/%57riteGetObjectResponse",
            true,
        ),
        ("list", "GET", "/b/k?uploadId=", false),
        ("UploadPart", "PUT", "/b/k?uploadId=&partNumber=1", false),
        ("read", "GET", "/b/k?unheard-of", false),
        ("read", "GET", "/b/k?ACL", false),
        ("all", "GET", "/b/k?unheard-of", true),
        ("read", "OPTIONS", "/b/k", false),
        ("all", "OPTIONS", "/b/k", true),
    ] {
        assert_eq!(
            permitted(allow, "", &Sample::new(method, target)),
            expected,
            "{allow}: {method} {target}"
        );
    }
    // An unknown request is about all of its bucket, as far as anyone can tell.
    let unknown = Sample::new("GET", "/b/k?unheard-of");
    assert!(permitted("all", "b", &unknown));
    assert!(!permitted("read", "b", &unknown));
    assert!(!permitted("all", "b/k*", &unknown));
}

#[test]
fn buckets() {
    for (target, expected) in [
        ("/media", true),
        ("/media/k", true),
        ("/%6Dedia/k", true),
        ("/media%2Fk", true),
        ("/logs-2026/k", true),
        ("/logs-/k", true),
        ("/logs-2026%2Fk", true),
        ("/logs/k", false),
        ("/medi", false),
        ("/media2/k", false),
        ("/Media/k", false),
        ("/logs-x:other/k", false),
        ("/logs-%00/k", false),
        ("/secret/k", false),
        // Its buckets are shown, and no others.
        ("/", true),
    ] {
        let sample = Sample::new("GET", target);
        assert_eq!(permitted("", "media,logs-*", &sample), expected, "{target}");
    }
    let long = format!("/logs-{}/k", "x".repeat(251));
    assert!(!permitted("", "logs-*", &Sample::new("GET", &long)));
    let shown = grant("", "media,logs-*,data/2026/*");
    for (name, expected) in [
        ("media", true),
        ("logs-1", true),
        ("data", true),
        ("secret", false),
        ("", false),
    ] {
        assert_eq!(shown.shows_bucket(name.as_bytes()), expected, "{name}");
    }
}

#[test]
fn prefixes() {
    let places = "media/2026/*,logs/*.gz,data/a*z*";
    for (target, expected) in [
        ("/media/2026/k", true),
        ("/media/2026/", true),
        ("/media/2026", false),
        ("/media/2025/k", false),
        ("/media/%32026/k", true),
        ("/media/2026%2Fk", true),
        ("/media/2026/a/../../2025/k", false),
        ("/media/2026/..", false),
        ("/media/2026/%2e%2E/2025", false),
        ("/media/2026/a..b/k", true),
        ("/media//2026/k", false),
        ("/logs/a/b.gz", true),
        ("/logs/a/b.txt", false),
        ("/media?prefix=2026/", true),
        ("/media?prefix=2026%2Fx&list-type=2&delimiter=/", true),
        ("/media?list-type=2&prefix=%32026/x", true),
        ("/media?prefix=2026", false),
        ("/media?prefix=", false),
        ("/media", false),
        ("/media?prefix=2025/", false),
        ("/media?prefix=2026/&prefix=", false),
        ("/media?prefix=2026/../", false),
        ("/media?versions&prefix=2026/", true),
        ("/media?uploads&prefix=2026/", true),
        ("/media?uploads", false),
        // Not every key that begins so ends so.
        ("/logs?prefix=a", false),
        ("/data?prefix=ab", false),
        ("/data?prefix=abz", true),
        ("/media?policy", false),
        ("/media?location", true),
    ] {
        let sample = Sample::new("GET", target);
        assert_eq!(permitted("", places, &sample), expected, "{target}");
    }
    for (method, target, expected) in [
        ("HEAD", "/media", true),
        ("PUT", "/media", false),
        ("DELETE", "/media", false),
        ("POST", "/media?delete", false),
        ("PUT", "/media?tagging", false),
        ("PUT", "/media/2026/k?tagging", true),
    ] {
        let sample = Sample::new(method, target);
        assert_eq!(
            permitted("", places, &sample),
            expected,
            "{method} {target}"
        );
    }
    let long = format!("/media/2026/{}", "x".repeat(1020));
    assert!(!permitted("", places, &Sample::new("GET", &long)));
}

#[test]
fn sources_of_copies() {
    for (source, in_bucket, with_prefix) in [
        ("media/a/k", true, true),
        ("/media/a/k", true, true),
        ("%2Fmedia%2Fa%2Fk", true, true),
        ("%6Dedia/a/k", true, true),
        ("media/a/k?versionId=1", true, true),
        ("media/b/k", true, false),
        ("media/a/../b/k", true, false),
        ("media/a%2F..%2Fb", true, false),
        ("logs-1/k?versionId=1", true, false),
        ("media/a/k?versionId=1&x=y", false, false),
        ("media/a/k?other", false, false),
        ("secret/k", false, false),
        ("/secret/k", false, false),
        ("%2Fsecret%2Fk", false, false),
        ("//media/a/k", false, false),
        ("//secret/media/a/k", false, false),
        ("http://media/a/k", false, false),
        ("media", false, false),
        ("media/", false, false),
        ("", false, false),
        ("/", false, false),
        (
            "arn:aws:s3:us-east-1:1:accesspoint/media/object/k",
            false,
            false,
        ),
        ("arn:aws:s3:::media/a/k", false, false),
        ("media%00/k", false, false),
        ("me%dia/k", false, false),
        ("media/a/k#x", false, false),
    ] {
        for (query, name) in [
            ("", "x-amz-copy-source"),
            ("?partNumber=1&uploadId=1", "X-Amz-Copy-Source"),
            ("?renameObject", "x-amz-rename-source"),
        ] {
            let target = format!("/media/a/new{query}");
            let copy = Sample::new("PUT", &target).header(name, source);
            assert_eq!(permitted("", "media,logs-*", &copy), in_bucket, "{source}");
            assert_eq!(permitted("", "media/a/*", &copy), with_prefix, "{source}");
            assert!(!permitted("write", "media", &copy), "{source}");
            assert!(!permitted("read", "media", &copy), "{source}");
            assert!(permitted("", "", &copy), "{source}");
        }
        // What only some servers take for a source is none that could be permitted.
        for name in [
            "X-Amz-Copy_Source",
            "x_amz_copy_source",
            "x-goog-copy-source",
        ] {
            let copy = Sample::new("PUT", "/media/a/new").header(name, source);
            assert!(!permitted("", "media,logs-*", &copy), "{name}: {source}");
        }
    }
    for query in [
        "x-amz-copy-source=media/k",
        "X%2DAmz-Copy-Source=media/k",
        "x-goog-copy-source=media/k",
    ] {
        let sample = Sample::new("PUT", &format!("/media/new?{query}"));
        assert!(!permitted("", "*", &sample), "{query}");
        assert!(!permitted("write", "", &sample), "{query}");
        assert!(permitted("", "", &sample), "{query}");
    }
}

/// An access control list that comes with an object, wherever it stands.
#[test]
fn access_control_lists() {
    for (name, value, is_private) in [
        ("x-amz-acl", "private", true),
        ("x-amz-acl", "bucket-owner-full-control", true),
        ("X-AMZ-ACL", "public-read", false),
        ("x-amz-acl", "authenticated-read", false),
        ("x-amz-acl", "", false),
        (
            "x-amz-grant-read",
            "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"",
            false,
        ),
        ("x-amz-grant-full-control", "id=\"x\"", false),
    ] {
        let header = Sample::new("PUT", "/b/k").header(name, value);
        let in_query = |value: String| Sample::new("PUT", &format!("/b/k?{name}={value}"));
        let query = in_query(reference::encode(value.as_bytes(), false));
        let spelled = in_query(value.bytes().map(|byte| format!("%{byte:02x}")).collect());
        for sample in [header, query, spelled] {
            assert_eq!(
                permitted("write", "b", &sample),
                is_private,
                "{name}: {value}"
            );
            assert!(permitted("write", "", &sample), "{name}: {value}");
            assert!(
                permitted("write,PutObjectAcl", "b", &sample),
                "{name}: {value}"
            );
            assert!(permitted("all", "b", &sample), "{name}: {value}");
        }
        let bucket = Sample::new("PUT", "/b").header(name, value);
        assert_eq!(
            permitted("write", "b", &bucket),
            is_private,
            "{name}: {value}"
        );
        assert!(permitted("write,PutBucketAcl", "b", &bucket));
    }
}

/// A header of S3's that is not known could do anything.
#[test]
fn unknown_headers() {
    for (name, known) in [
        ("x-amz-meta-anything", true),
        ("x-amz-storage-class", true),
        ("x-amz-checksum-xxhash128", true),
        ("x-amz-object-lock-mode", true),
        ("x-amz-fwd-status", true),
        ("x-amz-unheard-of", false),
        ("x_amz_storage_class", false),
        ("x-amz-meta-snowball-auto-extract", false),
        ("X-Amz-Meta-Snowball-Auto-Extract", false),
        ("x-amz-meta-snowball", true),
        ("x-minio-force-delete", false),
        ("X-Rustfs-Force-Delete", false),
        ("x-vgw-owner", false),
        ("x-copy-from", false),
        ("x-minio", true),
        ("x-amz-move-source", false),
    ] {
        let sample = Sample::new("PUT", "/b/k").header(name, "x");
        assert_eq!(permitted("", "b", &sample), known, "{name}");
        assert_eq!(permitted("write", "", &sample), known, "{name}");
        assert!(permitted("", "", &sample), "{name}");
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
            permitted("", pattern, &sample),
            expected,
            "{pattern} {name}"
        );
        let sample = Sample::new("GET", &format!("/bucket/{name}"));
        let pattern = format!("bucket/{pattern}");
        assert_eq!(
            permitted("", &pattern, &sample),
            expected,
            "{pattern} {name}"
        );
    }
    // Would take ages with a matcher that goes back.
    let pattern = "a*".repeat(100);
    let sample = Sample::new("GET", &format!("/{}b/k", "a".repeat(99)));
    assert!(!permitted("", &format!("{pattern}c"), &sample));
    for invalid in ["", "a b", "ü", "a\0", "/", "/k", "a/", "a,", "a,,b"] {
        let fault = Grant::parse(None, Some(invalid.as_bytes())).err();
        assert!(matches!(fault, Some(GrantFault::Place(_))), "{invalid}");
    }
}

/// A backslash separates too on Windows, where such a key would be one of another bucket.
#[test]
fn keys_that_leave_their_bucket_on_windows() {
    for (key, leaves) in [
        ("..\\k", true),
        ("..%5Ck", true),
        ("a\\..\\..\\k", true),
        ("..\\u2215..\\u2215etc", true),
        ("a\\..\\k", false),
        ("a\\k", false),
        ("..a\\k", false),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let sample = Sample::new(method, &format!("/b/{key}"));
            assert!(permitted("", "", &sample), "{method} {key}");
            assert!(permitted("all", "", &sample), "{method} {key}");
            assert_eq!(permitted("", "b", &sample), !leaves, "{method} {key}");
            assert_eq!(permitted("", "*", &sample), !leaves, "{method} {key}");
        }
    }
}

/// What is admitted is what goes out, where nginx has made another request of it.
#[test]
fn rewritten_requests() {
    let ask = |buckets: &str, target: &str, path: &str, query: &str| {
        let text = Sample::new("GET", target).header_form();
        let raw = Raw::new(&text);
        let rewritten = Some(Target {
            path: path.as_bytes(),
            query: query.as_bytes(),
        });
        let request = ClientRequest {
            rewritten,
            ..raw.request()
        };
        let clients = Directory::with_grant(KEY, SECRET, grant("", buckets));
        let keys = &mut KeyCache::new(2);
        let rules = rules();
        verify(&request, &clients, &rules, keys, Timestamp(NOW))
            .map(|verified| verified.operation().name())
            .map_err(|rejected| rejected.rejection)
    };
    assert_eq!(ask("mine", "/s3/mine/k", "/mine/k", ""), Ok("GetObject"));
    assert_eq!(
        ask("s3", "/s3/mine/k", "/mine/k", ""),
        Err(Rejection::AccessDenied)
    );
    assert_eq!(ask("s3", "/s3/", "/", ""), Ok("ListBuckets"));
    assert_eq!(
        ask("mine", "/mine/k", "/mine", "policy"),
        Ok("GetBucketPolicy")
    );
    assert_eq!(
        ask("mine/k", "/mine/k", "/mine", "policy"),
        Err(Rejection::AccessDenied)
    );
    assert_eq!(
        ask("mine", "/mine/k", "//other/k", ""),
        Err(Rejection::InvalidUri)
    );
    assert_eq!(
        ask("mine", "/mine/k", "/mine/%", ""),
        Err(Rejection::InvalidUri)
    );
}

/// What is not what was admitted when it goes out, is asked for once more.
#[test]
fn heads_that_changed() {
    let signs = |buckets: &str, (method, target): (&str, &str), line: &str, added: &str| {
        let text = Sample::new(method, target).header_form();
        let raw = Raw::new(&text);
        let clients = Directory::with_grant(KEY, SECRET, grant("", buckets));
        let rules = VerifyRules {
            reserved: vec![b"admin".as_slice().into()],
            ..rules()
        };
        let verified = verdict(&raw, &clients, &rules, NOW).unwrap();
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\n{added}\r\n");
        let mut room = HeadRoom::default();
        let head = WireHead::parse(head.as_bytes(), &verified, &mut room).unwrap();
        let origin = Origin::new(credential("AKIDORIGIN", "origin/secret"), b"origin");
        let mut keys = KeyCache::new(2);
        let signed = sign(&verified, &head, &origin, &mut keys, Timestamp(NOW));
        signed.map(|_| ())
    };
    let get = ("GET", "/mine/k");
    let rejected = Err(Unsignable::NotAdmitted);
    assert_eq!(signs("mine", get, "GET /mine/k", ""), Ok(()));
    assert_eq!(signs("mine", get, "GET /mine/other", ""), Ok(()));
    assert_eq!(signs("mine", get, "GET /%6dine/k", ""), Ok(()));
    assert_eq!(signs("mine", get, "GET /other/k", ""), rejected);
    assert_eq!(signs("mine/k", get, "GET /mine/other", ""), rejected);
    assert_eq!(signs("", get, "GET /other/k", ""), Ok(()));
    assert_eq!(signs("", get, "GET /admin/user", ""), rejected);
    assert_eq!(signs("", get, "PATCH /mine/k", ""), rejected);
    assert_eq!(signs("", get, "POST /", ""), rejected);
    assert_eq!(signs("", get, "GET /mine/../k", ""), rejected);
    let source = "X-Amz-Copy-Source: other/k\r\n";
    assert_eq!(
        signs("mine", ("PUT", "/mine/k"), "PUT /mine/k", source),
        rejected
    );
    assert_eq!(signs("", ("PUT", "/mine/k"), "PUT /mine/k", source), Ok(()));
    assert_eq!(
        signs("", ("PUT", "/mine/k"), "PUT /mine/k", &source.repeat(2)),
        rejected
    );
    // nginx fills its cache by a GET; what the client gets is a HEAD's.
    let head = ("HEAD", "/mine/k");
    assert_eq!(signs("mine", head, "GET /mine/k", ""), Ok(()));
    assert_eq!(signs("mine/k", ("HEAD", "/mine"), "GET /mine", ""), Ok(()));
}

/// Names that are no buckets, and hosts that have one in front.
#[test]
fn addresses() {
    let ask = |method: &str, target: &str, host: &str| {
        let rules = VerifyRules {
            reserved: [b"minio".as_slice(), b"admin"].map(Into::into).to_vec(),
            endpoint: Endpoint {
                server_names: vec![b"storage.test".as_slice().into()],
                ..Default::default()
            },
            ..rules()
        };
        let mut sample = Sample::new(method, target);
        sample.headers[0].1 = host.into();
        let answers = [sample.clone().header_form(), sample.query_form()].map(|text| {
            let clients = Directory::new(&[(KEY, SECRET)]);
            verdict(&Raw::new(&text), &clients, &rules, NOW).map(|_| ())
        });
        assert_eq!(answers[0], answers[1]);
        answers[0].clone()
    };
    for (target, expected) in [
        ("/minio/admin/v3/info", Err(Rejection::ReservedName)),
        ("/minio", Err(Rejection::ReservedName)),
        ("/%6Dinio/admin/v3/info", Err(Rejection::ReservedName)),
        ("/minio%2Fadmin", Err(Rejection::ReservedName)),
        ("/admin/user?uid=x", Err(Rejection::ReservedName)),
        ("/./minio/admin", Err(Rejection::InvalidUri)),
        ("//minio/admin", Err(Rejection::InvalidUri)),
        ("/b/../minio/admin", Err(Rejection::LeavesBucket)),
        ("/minio2/k", Ok(())),
        ("/b/minio/k", Ok(())),
        ("/b/k#f", Err(Rejection::InvalidUri)),
        ("/b/k?a#f", Err(Rejection::InvalidUri)),
    ] {
        assert_eq!(ask("GET", target, "s3.test"), expected, "{target}");
    }
    for (host, expected) in [
        ("bucket.storage.test", Err(Rejection::BucketInHost)),
        ("bucket.s3.mydomain.test", Err(Rejection::BucketInHost)),
        ("storage.test:8080", Ok(())),
        ("other.test", Ok(())),
    ] {
        assert_eq!(ask("PUT", "/photo", host), expected, "{host}");
    }
}
