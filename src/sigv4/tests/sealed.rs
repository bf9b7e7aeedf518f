//! Requests with ids that were sealed in answers: each goes to the origin that gave its id, with the id that this
//! origin has given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use proptest::prelude::*;
use sigv4::*;

const PREFIX: &str = "s3r1_";

/// An id with whatever needs percent-encoding.
const ID: &str = "2~a.B_c-+/=&%? \u{e4}";
const ENCODED: &str = "2~a.B_c-%2B%2F%3D%26%25%3F%20%C3%A4";

fn origin(name: &str, secret: &str) -> Origin {
    let host = format!("{name}.origin.example:9000");
    Origin::new(credential("AKIDORIGIN", secret), host.as_bytes())
}

/// A, another node of A's cluster, B with another host, and C with another secret.
fn origins() -> &'static [Origin; 4] {
    kept([
        origin("a", "secret/a"),
        origin("a", "secret/a"),
        origin("b", "secret/a"),
        origin("a", "secret/c"),
    ])
}

fn verified(text: &str) -> Verified<'static> {
    let raw = kept(Raw::new(kept(text.to_owned())));
    let clients = kept(Directory::new(&[(KEY, SECRET)]));
    let rules = VerifyRules {
        signature_v2: true,
        ..rules()
    };
    verdict(raw, clients, kept(rules), NOW).expect(text)
}

/// What is sealed in the answer to a request for this bucket.
fn sealer(path: &str, origin: &Origin) -> Sealer {
    verified(&Sample::new("GET", path).header_form()).sealer(origin)
}

/// A request in each form of signing, with its id opened.
fn opened(
    method: &str,
    target: &str,
    origins: &'static [Origin],
) -> Vec<(String, Result<Verified<'static>, Rejection>)> {
    let sample = Sample::new(method, target);
    let mut texts = vec![sample.clone().header_form(), sample.clone().query_form()];
    // V2 signs neither what a list of buckets has nor what S3 does not know.
    if !target.starts_with("/?") && !target.contains("?a=b") {
        texts.extend([sample.clone().v2_header_form(), sample.v2_query_form()]);
    }
    let open = |text: String| {
        let mut verified = verified(&text);
        let open = verified.open_id(origins.iter());
        (text, open.map(|()| verified))
    };
    texts.into_iter().map(open).collect()
}

/// What is sent to an origin for a request whose target nginx has written so.
fn sent(
    verified: &Verified<'_>,
    text: &str,
    target: Option<&str>,
    origin: &Origin,
) -> Result<String, Unsignable> {
    let (line, headers) = text.split_once('\n').unwrap();
    let line = match target {
        Some(target) => format!("{} {target}", line.split(' ').next().unwrap()),
        None => line.into(),
    };
    let wire = format!("{line} HTTP/1.1\n{headers}\n").replace('\n', "\r\n");
    let mut room = HeadRoom::default();
    let head = WireHead::parse(wire.as_bytes(), verified, &mut room)?;
    let mut keys = KeyCache::new(8);
    let mut signed = sign(verified, &head, origin, &mut keys, Timestamp(NOW))?;
    let mut out = vec![0; signed.max_len()];
    let length = signed.write(&mut out).unwrap();
    out.truncate(length);
    let sent = String::from_utf8(out).unwrap();
    let asked = Raw::new(kept(sent.replace("\r\n", "\n")));
    let secret = match origin.host.starts_with(b"a.") {
        true => "secret/a",
        false => "secret/b",
    };
    let clients = kept(Directory::new(&[("AKIDORIGIN", secret)]));
    let said = verdict(&asked, clients, kept(rules()), NOW);
    assert!(said.is_ok(), "{sent}: {said:?}");
    Ok(sent)
}

/// Each operation with an id, where `ID` stands for it; and its list, bucket and key.
const OPERATIONS: [(&str, &str, &str); 12] = [
    ("PUT", "/b/a%20k?partNumber=1&uploadId=ID", "upload"),
    ("POST", "/b/a%20k?uploadId=ID", "upload"),
    (
        "DELETE",
        "/b/a%20k?uploadId=ID&x-id=AbortMultipartUpload",
        "upload",
    ),
    ("GET", "/b/a%20k?max-parts=5&uploadId=ID", "upload"),
    (
        "GET",
        "/b?key-marker=a%20k&upload-id-marker=ID&uploads=",
        "upload",
    ),
    (
        "GET",
        "/b?key-marker=other&upload-id-marker=ID&uploads=",
        "marker",
    ),
    ("GET", "/b?upload-id-marker=ID&uploads=", "marker"),
    (
        "GET",
        "/b?key-marker=a%20k&version-id-marker=ID&versions=",
        "version marker",
    ),
    (
        "GET",
        "/b?continuation-token=ID&list-type=2&prefix=p",
        "token",
    ),
    (
        "GET",
        "/?continuation-token=ID&max-buckets=5",
        "service token",
    ),
    (
        "GET",
        "/?continuation-token=ID&max-directory-buckets=5",
        "service token",
    ),
    // One that no list of S3's operations has.
    ("PUT", "/b/a%20k?a=b&uploadId=ID", "upload"),
];

fn seal(kind: &str, origin: &Origin) -> String {
    match kind {
        "upload" => {
            let id = sealer("/b/a%20k", origin).own_upload_id(ID);
            assert_eq!(id, sealer("/b", origin).upload_id(b"a k", ID));
            id
        }
        "marker" => sealer("/b", origin).marker(ID),
        "version marker" => sealer("/b", origin).version_marker(ID),
        "token" => sealer("/b", origin).token(ID),
        _ => sealer("/", origin).token(ID),
    }
}

#[test]
fn an_id_goes_to_its_origin_alone() {
    let origins = origins();
    let [a, twin, b, c] = origins;
    for (method, target, kind) in OPERATIONS {
        let id = seal(kind, a);
        assert!(id.starts_with(PREFIX));
        let spelled = id.replacen("s3r1_", "%73%33r1%5f", 1);
        for target_with_id in [target.replace("ID", &id), target.replace("ID", &spelled)] {
            for (text, verified) in opened(method, &target_with_id, origins) {
                let verified = verified.unwrap();
                for origin in [a, twin] {
                    assert!(verified.goes_to(origin));
                    let sent = sent(&verified, &text, None, origin).unwrap();
                    let target = target.replace("ID", ENCODED);
                    let (path, query) = target.split_once('?').unwrap();
                    assert!(sent.starts_with(&format!("{method} {path}?")), "{sent}");
                    let all = query.split('&').all(|parameter| sent.contains(parameter));
                    assert!(all && !sent.contains(PREFIX), "{sent}");
                }
                for origin in [b, c] {
                    assert!(!verified.goes_to(origin));
                    let refused = sent(&verified, &text, None, origin);
                    assert_eq!(refused, Err(Unsignable::OtherOrigin), "{text}");
                }
            }
        }
    }
}

#[test]
fn an_id_that_is_not_sealed_goes_anywhere() {
    let origins = origins();
    for (method, target, _) in OPERATIONS {
        for id in [ENCODED, "s3r2_aaaa", "S3R1_AAAA", "s3r1"] {
            let target = target.replace("ID", id);
            for (text, verified) in opened(method, &target, origins) {
                let verified = verified.unwrap();
                assert!(!verified.is_for_some_origins());
                for origin in &origins[..3] {
                    assert!(verified.goes_to(origin));
                    if origin.host.starts_with(b"a.") {
                        let sent = sent(&verified, &text, None, origin).unwrap();
                        assert!(sent.contains(&format!("={id}")), "{sent}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_id_of_something_else() {
    let origins = origins();
    let [a, _, b, _] = origins;
    for (method, target, kind) in OPERATIONS {
        let id = seal(kind, a);
        let mut wrong = vec![
            PREFIX.to_owned(),
            id.clone() + "a",
            id[..id.len() - 1].to_owned(),
            id.to_uppercase().replacen("S3R1", "s3r1", 1),
            // Of another key, bucket and kind.
            sealer("/b", a).upload_id(b"a k/", ID),
            sealer("/c", a).upload_id(b"a k", ID),
            sealer("/c", a).marker(ID),
            sealer("/c", a).version_marker(ID),
            sealer("/c", a).token(ID),
            // Of an origin that is gone.
            sealer("/b", &origin("d", "secret/a")).upload_id(b"a k", ID),
        ];
        let kinds = [
            "upload",
            "marker",
            "version marker",
            "token",
            "service token",
        ];
        let is_marker = target.contains("upload-id-marker=");
        let is_other = |other: &&str| match is_marker {
            // A client that knows an upload may begin after it.
            true => *other != "marker" && !(*other == "upload" && kind == "upload"),
            false => *other != kind,
        };
        let others = kinds.into_iter().filter(is_other);
        wrong.extend(others.map(|other| seal(other, a)));
        let expected = match target {
            target if target.contains("uploadId=") => Rejection::NoSuchUpload,
            target if target.contains("upload-id-marker=") => Rejection::WrongUploadIdMarker,
            target if target.contains("version-id-marker=") => Rejection::WrongVersionIdMarker,
            _ => Rejection::WrongContinuationToken,
        };
        for id in wrong {
            let target = target.replace("ID", &id);
            for (text, verified) in opened(method, &target, origins) {
                assert_eq!(verified.err().as_ref(), Some(&expected), "{text}");
            }
            // The only origin may be another such proxy: it has sealed the id itself.
            for (text, verified) in opened(method, &target, std::slice::from_ref(b)) {
                let verified = verified.unwrap();
                assert!(
                    !verified.is_for_some_origins() && verified.goes_to(b),
                    "{text}"
                );
            }
        }
    }
}

/// An upload goes on if there is but one of the origins left.
#[test]
fn an_id_of_the_only_origin() {
    let [a, ..] = origins();
    for (method, target, kind) in OPERATIONS {
        let target = target.replace("ID", &seal(kind, a));
        for (text, verified) in opened(method, &target, std::slice::from_ref(a)) {
            let sent = sent(&verified.unwrap(), &text, None, a).unwrap();
            assert!(sent.contains(ENCODED) && !sent.contains(PREFIX), "{sent}");
        }
    }
}

#[test]
fn two_ids() {
    let origins = origins();
    let id = seal("upload", &origins[0]);
    for target in [
        format!("/b/a%20k?a=b&uploadId={id}&uploadId={id}"),
        format!("/b/a%20k?a=b&uploadId={id}&uploadId=other"),
        format!("/b/a%20k?a=b&continuation-token=other&uploadId={id}"),
    ] {
        for (text, verified) in opened("PUT", &target, origins) {
            assert!(verified.is_err(), "{text}");
        }
    }
}

/// What nginx sends must ask for the id that was opened, and for no other one.
#[test]
fn a_request_that_was_changed() {
    let origins = origins();
    let a = &origins[0];
    let id = seal("upload", a);
    let spelled = id.replacen("s3r1_", "%73%33r1%5f", 1);
    let other = sealer("/b", a).upload_id(b"other", ID);
    let target = format!("/b/a%20k?partNumber=1&uploadId={id}");
    for (text, verified) in opened("PUT", &target, origins) {
        let verified = verified.unwrap();
        for (query, may_go) in [
            (format!("uploadId={id}&partNumber=1"), true),
            (format!("partNumber=2&upload%49d={spelled}"), true),
            (format!("partNumber=1&uploadId={ENCODED}"), false),
            (format!("partNumber=1&uploadId={other}"), false),
            (format!("partNumber=1&uploadId={id}&uploadId={id}"), false),
            (format!("partNumber=1&uploadId={id}&upload%49d=x"), false),
            (
                format!("partNumber=1&uploadId={id}&upload-id-marker=x"),
                false,
            ),
            (format!("partNumber=1&upload-id-marker={id}"), false),
            ("partNumber=1".into(), false),
            (String::new(), false),
        ] {
            let target = format!("/b/a%20k?{query}");
            let sent = sent(&verified, &text, Some(&target), a);
            match may_go {
                true => assert!(
                    sent.unwrap().contains(&format!("uploadId={ENCODED}")),
                    "{query}"
                ),
                false => assert_eq!(sent, Err(Unsignable::NotAdmitted), "{query}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_id_of_any_object(
        id in "\\PC{1,60}|[/ ]{2000,3000}", bucket in "[a-z]{3,9}", key in "[^/.\\p{C}][^.\\p{C}]{0,20}",
    ) {
        let origins = origins();
        let [a, _, b, _] = origins;
        let path = format!("/{bucket}/{}", String::from_utf8(encode_path(key.as_bytes())).unwrap());
        let sealed = sealer(&path, a).upload_id(key.as_bytes(), &id);
        let target = format!("{path}?partNumber=2&uploadId={sealed}");
        for (text, verified) in opened("PUT", &target, origins) {
            let verified = verified.unwrap();
            let sent = sent(&verified, &text, None, a).unwrap();
            let raw = Raw::new(&sent);
            let sent_id = raw.query.split('&').find_map(|part| part.strip_prefix("uploadId=")).unwrap();
            prop_assert_eq!(common::reference::decode(sent_id.as_bytes(), false), id.as_bytes());
            prop_assert!(!verified.goes_to(b));
        }
    }
}
