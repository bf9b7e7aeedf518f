//! Answers of success, which may be errors: what is done with the body as it arrives, as the module does it.
use sigv4::*;

use crate::{
    common::answered::{Told, told, told_whole},
    error, packed,
    setting::{BUCKET, Cut, LOCATION, REGION, Setting},
    text, tree,
};

/// What the module needs to see of each.
const OPERATIONS: [Operation; 10] = [
    Operation::ListBuckets,
    Operation::ListObjects,
    Operation::ListObjectsV2,
    Operation::ListObjectVersions,
    Operation::ListMultipartUploads,
    Operation::ListParts,
    Operation::CreateMultipartUpload,
    Operation::CompleteMultipartUpload,
    Operation::DeleteObjects,
    Operation::PostObject,
];

/// How the answer to an operation is written again; another one's goes on as it came.
fn named(operation: Option<Operation>, setting: &Setting) -> Option<NamedDocument> {
    let names = DocumentNames {
        bucket: setting.is_naming().then(|| BUCKET.into()),
        location: Some(LOCATION.into()),
        sealer: setting.sealer(),
    };
    NamedDocument::of(operation?, names)
}

pub fn check(body: &[u8], kind: u8, setting: &Setting, cut: Cut) {
    let operation = OPERATIONS.get(usize::from(kind) % (OPERATIONS.len() + 1));
    let operation = operation.copied();
    let reading = || AnswerBody::outcome(named(operation, setting));
    let whole = told_whole(reading, setting, body, cut.pieces(body));
    if kind >= 128 {
        let packed = packed::gzip(body);
        let unpacked = told(reading().compressed(), setting, cut.pieces(&packed));
        match &whole {
            Told::AsItCame(_) => assert_eq!(unpacked, Told::Failure),
            whole => assert_eq!(unpacked, *whole),
        }
    }
    let there = tree::parsed(body);
    match whole {
        Told::Failure => {}
        Told::Error(xml) => error::check_rewritten(&xml, setting),
        Told::AsItCame(_) => {
            let is_read = named(operation, setting).is_some();
            let is_hidden = |there| is_read || error::is_error(&there);
            assert!(!there.is_some_and(is_hidden), "{}", body.escape_ascii());
        }
        Told::Document(out) => {
            let operation = operation.expect("is read");
            check_document(operation, body, &out, setting);
            if let Some(there) = there {
                let here = tree::parsed(&out).expect("is read by others");
                let roots = [there.root_element(), here.root_element()];
                tree::compare(roots, &mut Vec::new(), &mut |path, there, here| {
                    check_text(operation, path, there, here, setting);
                });
            }
        }
    }
}

fn check_document(operation: Operation, body: &[u8], out: &[u8], setting: &Setting) {
    // The longest that takes the place of something, which has at least two tags of three letters around it.
    let longest = LOCATION.len();
    let ids = if setting.sealer().is_some() { 2 } else { 1 };
    let most = ids * body.len() + (body.len() / 14 + 1) * longest;
    assert!(out.len() <= most, "{}", out.escape_ascii());
    let again = AnswerBody::outcome(named(Some(operation), setting));
    let again = told(again, setting, [out].into_iter());
    match setting.sealer() {
        None => assert_eq!(again, Told::Document(out.into())),
        Some(_) => assert!(matches!(again, Told::Document(_)), "{again:?}"),
    }
}

/// What has another name for the client, by the elements in the root that it stands in.
#[derive(Clone, Copy)]
enum Named {
    Bucket,
    Location,
    Id,
    Marker,
    Message,
}

const NAMES: [(Operation, &[&str], Named); 22] = {
    use {Named::*, Operation::*};
    [
        (ListBuckets, &["ContinuationToken"], Id),
        (ListObjects, &["Name"], Bucket),
        (ListObjects, &["NextMarker"], Marker),
        (ListObjectsV2, &["Name"], Bucket),
        (ListObjectsV2, &["ContinuationToken"], Id),
        (ListObjectsV2, &["NextContinuationToken"], Id),
        (ListObjectVersions, &["Name"], Bucket),
        (ListObjectVersions, &["VersionIdMarker"], Id),
        (ListObjectVersions, &["NextVersionIdMarker"], Id),
        (ListMultipartUploads, &["Bucket"], Bucket),
        (ListMultipartUploads, &["UploadIdMarker"], Id),
        (ListMultipartUploads, &["NextUploadIdMarker"], Id),
        (ListMultipartUploads, &["Upload", "UploadId"], Id),
        (ListParts, &["Bucket"], Bucket),
        (ListParts, &["UploadId"], Id),
        (CreateMultipartUpload, &["Bucket"], Bucket),
        (CreateMultipartUpload, &["UploadId"], Id),
        (CompleteMultipartUpload, &["Bucket"], Bucket),
        (CompleteMultipartUpload, &["Location"], Location),
        (DeleteObjects, &["Error", "Message"], Message),
        (PostObject, &["Bucket"], Bucket),
        (PostObject, &["Location"], Location),
    ]
};

/// Checks a text that stands in these elements.
fn check_text(operation: Operation, path: &[String], there: &str, here: &str, setting: &Setting) {
    let named = NAMES.iter().find(|(of, names, _)| {
        *of == operation
            && path[1..]
                .iter()
                .map(|name| &**name)
                .eq(names.iter().copied())
    });
    let named = named.map(|(_, _, named)| *named);
    let is_sealing = setting.sealer().is_some();
    match named.filter(|_| !there.is_empty()) {
        Some(Named::Bucket) if setting.is_naming() => assert_eq!(here, BUCKET),
        Some(Named::Location) => assert_eq!(here, LOCATION),
        Some(Named::Message) => text::check_message(here, setting),
        Some(Named::Marker) if is_sealing => assert!(there.starts_with(here), "{here:?}"),
        // What is longer is none of a store's.
        Some(Named::Id) if is_sealing && there.len() < 3_000 => {
            assert!(here.starts_with("s3r1_"), "{path:?} {here:?}");
        }
        _ => assert_eq!(here, there, "{path:?}"),
    }
}

pub fn check_location(body: &[u8], cut: Cut) {
    let setting = Setting::of(0b101);
    let region = setting.region.expect("is set");
    let reading = || AnswerBody::location(&region);
    match told_whole(reading, &setting, body, cut.pieces(body)) {
        Told::Error(xml) => error::check_rewritten(&xml, &setting),
        Told::Document(out) => {
            let is_error = tree::parsed(body).is_some_and(|there| error::is_error(&there));
            assert!(!is_error, "{}", body.escape_ascii());
            let out = tree::parsed(&out).expect("is read by others");
            assert_eq!(tree::text(out.root_element()), REGION);
        }
        Told::Failure => {}
        whole @ Told::AsItCame(_) => panic!("{whole:?}"),
    }
}
