//! Answers of success, which may be errors: what is done with the body as it arrives, as the module does it.
use sigv4::*;

use crate::{
    error,
    setting::{BUCKET, Cut, LOCATION, Setting},
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

/// What the client gets, less what stands before a document's root, which is sent on before more is known.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    AsItCame,
    Document(Vec<u8>),
    Error(String),
    Location,
    /// An error of the module's.
    Failure,
}

/// What is done with an answer of success.
enum Reading<'s> {
    AsItCame,
    Document(Box<NamedDocument>, &'s Setting),
    /// The bucket's location is told whatever it is.
    Location,
}

impl Reading<'_> {
    fn read<'p>(self, setting: &Setting, mut pieces: impl Iterator<Item = &'p [u8]>) -> Told {
        let mut outcome = Outcome::default();
        let mut sent = Vec::new();
        let mut first = None;
        for piece in pieces.by_ref() {
            let (beginning, left) = outcome.take(piece, &mut sent);
            if beginning != Beginning::Open {
                first = Some((beginning, outcome.held(), &piece[piece.len() - left..]));
                break;
            }
        }
        check_sent(&sent);
        let Some((beginning, held, rest)) = first else {
            assert!(outcome.held().len() <= 512);
            return match self {
                Reading::Location => Told::Location,
                _ => Told::AsItCame,
            };
        };
        assert!(held.len() <= 512);
        let is_document = !held.is_empty();
        let first = [&*held, rest].concat();
        match (beginning, self) {
            (Beginning::Error, reading) => {
                let mut body = first;
                pieces.for_each(|piece| body.extend(piece));
                match ErrorBody::of(&body, &setting.traces, &setting.told()) {
                    ErrorBody::Rewrite(xml) => Told::Error(xml),
                    ErrorBody::Keep if matches!(reading, Reading::AsItCame) => Told::AsItCame,
                    ErrorBody::Keep | ErrorBody::Replace => Told::Failure,
                }
            }
            (_, Reading::Location) => Told::Location,
            (_, Reading::Document(mut document, setting)) if is_document => {
                let told = |text: &str| told_message(text, &setting.traces, &setting.names);
                let mut out = Vec::new();
                let mut write = |piece: &[u8]| document.write(piece, told, &mut out);
                let written = write(&first).and_then(|()| pieces.try_for_each(write));
                if written.is_err() {
                    return Told::Failure;
                }
                match document.finish() {
                    Ok(()) => Told::Document(out),
                    Err(Unreadable) => Told::Failure,
                }
            }
            _ => Told::AsItCame,
        }
    }
}

/// Checks what is sent on before the root is known: a mark, or a part of one, blanks, and a declaration of nothing but
/// UTF-8.
fn check_sent(sent: &[u8]) {
    assert!(sent.len() <= (16 << 10) + 512);
    let is_mark = |(place, byte): &(usize, &u8)| "\u{feff}".as_bytes().get(*place) == Some(*byte);
    let mark = sent.iter().enumerate().take_while(is_mark).count();
    let text = str::from_utf8(&sent[mark..]).expect("is ASCII");
    let (before, declaration) = text.split_once('<').unwrap_or((text, ""));
    assert!(before.trim().is_empty(), "{text:?}");
    if let Some(rest) = declaration.strip_prefix("?xml") {
        let (inner, after) = rest.split_once("?>").expect("is whole");
        assert!(after.trim().is_empty() && inner.contains("1.0"), "{text:?}");
        let encoding = inner
            .split_once("encoding")
            .map(|(_, of)| of.to_ascii_lowercase());
        assert!(encoding.is_none_or(|of| of.contains("utf-8")), "{text:?}");
    }
}

/// How the answer to an operation is read; another one's goes on as it came.
fn reading(operation: Option<Operation>, setting: &Setting) -> Reading<'_> {
    let names = DocumentNames {
        bucket: setting.is_naming().then(|| BUCKET.into()),
        location: Some(LOCATION.into()),
        sealer: setting.sealer(),
    };
    match operation.and_then(|operation| NamedDocument::of(operation, names)) {
        Some(document) => Reading::Document(Box::new(document), setting),
        None => Reading::AsItCame,
    }
}

pub fn check(body: &[u8], kind: u8, setting: &Setting, cut: Cut) {
    let operation = OPERATIONS.get(usize::from(kind) % (OPERATIONS.len() + 1));
    let operation = operation.copied();
    let whole = reading(operation, setting).read(setting, [body].into_iter());
    let told = reading(operation, setting).read(setting, cut.pieces(body));
    assert_eq!(told, whole);
    let there = tree::parsed(body);
    match whole {
        Told::Failure => {}
        Told::Location => panic!("{told:?}"),
        Told::Error(xml) => error::check_rewritten(&xml, setting),
        Told::AsItCame => {
            let is_read = matches!(reading(operation, setting), Reading::Document(..));
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
    let again = reading(Some(operation), setting).read(setting, [out].into_iter());
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
    let whole = Reading::Location.read(&setting, [body].into_iter());
    assert_eq!(Reading::Location.read(&setting, cut.pieces(body)), whole);
    match whole {
        Told::Error(xml) => error::check_rewritten(&xml, &setting),
        Told::Location => {
            let is_error = tree::parsed(body).is_some_and(|there| error::is_error(&there));
            assert!(!is_error, "{}", body.escape_ascii());
        }
        Told::Failure => {}
        Told::AsItCame | Told::Document(_) => panic!("{whole:?}"),
    }
}
