#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Credential, Origin, SecretKey};

fn sealer() -> Sealer {
    let secret = SecretKey::new(b"secret".into());
    let origin = Origin::new(Credential::new(b"AKID", secret), b"s3.example");
    Sealer::new(&origin, (b"media".into(), b"a/b c".into()))
}

fn names() -> DocumentNames {
    DocumentNames {
        bucket: Some("media".into()),
        location: Some("https://s3.mydomain.com/media/a&b".into()),
        sealer: None,
    }
}

fn written(operation: Operation, document: &str) -> Result<String, Unreadable> {
    written_with(names(), operation, document)
}

fn sealed(operation: Operation, document: &str) -> Result<String, Unreadable> {
    let names = DocumentNames {
        sealer: Some(sealer()),
        ..DocumentNames::default()
    };
    written_with(names, operation, document)
}

fn written_with(
    names: DocumentNames,
    operation: Operation,
    document: &str,
) -> Result<String, Unreadable> {
    let mut rewriting = NamedDocument::of(operation, names).unwrap();
    let mut out = Vec::new();
    for piece in document.as_bytes().chunks(7) {
        rewriting.write(piece, |text| text.replace("acme", "no"), &mut out)?;
    }
    rewriting.finish()?;
    Ok(String::from_utf8(out).unwrap())
}

/// The documents as S3 has them, with the origin's names and with the client's.
#[test]
fn documents() {
    for (operation, document) in [
        (
            Operation::ListObjects,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Name>{b}</Name><Prefix>acme-media</Prefix><Marker/><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>\
             <Contents><Key>acme-media</Key><Owner><ID>1</ID><Name>acme-media</Name></Owner></Contents>\
             <CommonPrefixes><Prefix>acme-media/</Prefix></CommonPrefixes></ListBucketResult>",
        ),
        (
            Operation::ListObjectsV2,
            "<ListBucketResult>\n  <Name>{b}</Name>\n  <KeyCount>0</KeyCount>\n</ListBucketResult>",
        ),
        (
            Operation::ListObjectVersions,
            "<ListVersionsResult><Name>{b}</Name><Version><Key>k</Key></Version></ListVersionsResult>",
        ),
        (
            Operation::ListMultipartUploads,
            "<ListMultipartUploadsResult><Bucket>{b}</Bucket><Upload><Key>Bucket</Key><Initiator><ID>a</ID></Initiator>\
             </Upload></ListMultipartUploadsResult>",
        ),
        (
            Operation::ListParts,
            "<ListPartsResult><Bucket>{b}</Bucket><Key>k</Key><Part><ETag>&quot;e&quot;</ETag></Part></ListPartsResult>",
        ),
        (
            Operation::CreateMultipartUpload,
            "<InitiateMultipartUploadResult><Bucket>{b}</Bucket><Key>k</Key></InitiateMultipartUploadResult>",
        ),
        (
            Operation::CompleteMultipartUpload,
            "<CompleteMultipartUploadResult><Location>{l}</Location><Bucket>{b}</Bucket><Key>k</Key>\
             </CompleteMultipartUploadResult>",
        ),
        (
            Operation::PostObject,
            "<PostResponse><Location>{l}</Location><Bucket>{b}</Bucket><Key>k</Key><ETag>e</ETag></PostResponse>",
        ),
    ] {
        let with =
            |bucket: &str, location: &str| document.replace("{b}", bucket).replace("{l}", location);
        let there = with("acme-media", "http://acme-media.s3.example/a%26b");
        let here = with("media", "https://s3.mydomain.com/media/a&amp;b");
        assert_eq!(written(operation, &there), Ok(here), "{operation:?}");
    }
}

/// Ids, and whom each is sealed for.
#[test]
fn ids() {
    let own = sealer().own_upload_id("id&1");
    let at = |key: &str| sealer().upload_id(key.as_bytes(), "id&1");
    let (marker, token) = (sealer().marker("id&1"), sealer().token("id&1"));
    let version_marker = sealer().version_marker("id&1");
    for (operation, document, expected) in [
        (
            Operation::CreateMultipartUpload,
            "<InitiateMultipartUploadResult><UploadId>id&amp;1</UploadId></InitiateMultipartUploadResult>",
            vec![&own],
        ),
        (
            Operation::ListParts,
            "<ListPartsResult><Key>k</Key><UploadId>id&#38;1</UploadId><Part/></ListPartsResult>",
            vec![&own],
        ),
        (
            Operation::ListObjectsV2,
            "<ListBucketResult><ContinuationToken>id&amp;1</ContinuationToken>\
             <NextContinuationToken>id&amp;1</NextContinuationToken></ListBucketResult>",
            vec![&token, &token],
        ),
        (
            Operation::ListBuckets,
            "<ListAllMyBucketsResult><ContinuationToken>id&amp;1</ContinuationToken></ListAllMyBucketsResult>",
            vec![&token],
        ),
        (
            Operation::ListMultipartUploads,
            "<ListMultipartUploadsResult><UploadIdMarker>id&amp;1</UploadIdMarker>\
             <NextUploadIdMarker>id&amp;1</NextUploadIdMarker></ListMultipartUploadsResult>",
            vec![&marker, &marker],
        ),
        (
            Operation::ListObjectVersions,
            "<ListVersionsResult><VersionIdMarker>id&amp;1</VersionIdMarker>\
             <NextVersionIdMarker>id&amp;1</NextVersionIdMarker></ListVersionsResult>",
            vec![&version_marker, &version_marker],
        ),
        (
            Operation::ListMultipartUploads,
            "<ListMultipartUploadsResult><Upload>\n<Key>a/b+%20c</Key><UploadId>id&amp;1</UploadId></Upload>\
             <Upload><UploadId>id&amp;1</UploadId><A><Key>x</Key></A><Key>&#97;</Key></Upload><Upload/>\
             <Upload><Key>x</Key></Upload></ListMultipartUploadsResult>",
            vec![&at("a/b+%20c"), &at("a")],
        ),
        (
            Operation::ListMultipartUploads,
            "<ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload><Key>a/b+%20%2Bc</Key>\
             <UploadId>id&amp;1</UploadId></Upload></ListMultipartUploadsResult>",
            vec![&at("a/b  +c")],
        ),
    ] {
        let document = document.replace("id&#38;1", "id&amp;1");
        let mut ids = expected.into_iter();
        let mut parts = document.split("id&amp;1");
        let mut wanted = parts.next().unwrap().to_owned();
        for part in parts {
            wanted += ids.next().unwrap();
            wanted += part;
        }
        assert_eq!(sealed(operation, &document), Ok(wanted), "{document}");
    }
}

/// Keys that S3 writes, though XML 1.0 does not have their characters.
#[test]
fn keys_with_control_characters() {
    let [here, there] = ["media", "acme-media"].map(|bucket| {
        format!(
            "<ListBucketResult><Name>{bucket}</Name><Contents><Key>a&#1;&#x1F;b</Key></Contents></ListBucketResult>"
        )
    });
    assert_eq!(written(Operation::ListObjectsV2, &there), Ok(here));
    let deleted = "<DeleteResult><Deleted><Key>a&#1;b</Key></Deleted></DeleteResult>";
    let told = written(Operation::DeleteObjects, deleted);
    assert_eq!(told, Ok(deleted.into()));
    // What is read has to be read in one way.
    let uploads = "<ListMultipartUploadsResult><Upload><Key>&#1;</Key><UploadId>i</UploadId></Upload>\
                   </ListMultipartUploadsResult>";
    let read = sealed(Operation::ListMultipartUploads, uploads);
    assert_eq!(read, Err(Unreadable));
}

/// A marker that is a key for MinIO alone becomes one for all.
#[test]
fn markers_that_are_keys() {
    for (marker, key) in [
        ("a/b", "a/b"),
        ("a[minio_cache:v2,return:]", "a"),
        (
            "a[minio_cache:b[minio_cache:v2,id:1,return:]",
            "a[minio_cache:b",
        ),
        ("a%5Bminio_cache%3Av2%2Creturn%3A%5D", "a"),
        ("a&amp;%2B%5Bminio_cache%3Av2%2Creturn%3A%5D", "a&amp;%2B"),
        ("a[minio_cache:v2]b", "a[minio_cache:v2]b"),
        ("[x]", "[x]"),
    ] {
        let with = |marker: &str| {
            format!(
                "<ListBucketResult><Marker>m</Marker><NextMarker>{marker}</NextMarker><Contents/></ListBucketResult>"
            )
        };
        let there = with(marker);
        assert_eq!(sealed(Operation::ListObjects, &there), Ok(with(key)));
        assert_eq!(written(Operation::ListObjects, &there), Ok(there));
    }
}

/// What is said of a key that could not be deleted.
#[test]
fn messages_of_errors() {
    let with = |name: &str| {
        format!(
            "<?xml version=\"1.0\"?>\n<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Deleted><Key>acme</Key><Message>acme</Message></Deleted>\
             <Error><Key>acme</Key><Code>AccessDenied</Code><Message>&quot;{name}&quot; &amp; k</Message></Error>\
             <Error><Message>{name}</Message><Key>acme</Key><A><Message>acme</Message></A></Error>\
             <Message>acme</Message></DeleteResult>"
        )
    };
    let told = written(Operation::DeleteObjects, &with("acme"));
    assert_eq!(told, Ok(with("no")));
    for document in [
        "<DeleteResult><Error><Message>a<b/></Message></Error></DeleteResult>",
        "<DeleteResult><Error><Message><![CDATA[a]]></Message></Error></DeleteResult>",
        "<DeleteResult><Error><Message>a</Message></Error>",
        "<Other><Error/></Other>",
    ] {
        let told = written(Operation::DeleteObjects, document);
        assert_eq!(told, Err(Unreadable), "{document}");
    }
}

#[test]
fn uploads_that_cannot_be_told() {
    for upload in [
        "<UploadId>i</UploadId>",
        "<Key/><UploadId>i</UploadId>",
        "<Key>k</Key><Key>l</Key><UploadId>i</UploadId>",
        "<Key>k</Key><UploadId>i</UploadId><UploadId>j</UploadId>",
        "<Key>k<a/></Key><UploadId>i</UploadId>",
    ] {
        let document = format!(
            "<ListMultipartUploadsResult><Upload>{upload}</Upload></ListMultipartUploadsResult>"
        );
        let written = sealed(Operation::ListMultipartUploads, &document);
        assert_eq!(written, Err(Unreadable), "{upload}");
    }
    let with = |length: usize| {
        let half = "k".repeat(length / 2);
        format!(
            "<ListMultipartUploadsResult><Upload><Key>k</Key><A>{half}</A><B>{half}</B></Upload>\
             </ListMultipartUploadsResult>"
        )
    };
    let around = "<Upload><Key>k</Key><A></A><B></B></Upload>".len();
    let fits = with(MAX_UPLOAD - around - 1);
    assert_eq!(sealed(Operation::ListMultipartUploads, &fits), Ok(fits));
    let long = with(MAX_UPLOAD - around + 1);
    assert_eq!(
        sealed(Operation::ListMultipartUploads, &long),
        Err(Unreadable)
    );
}

#[test]
fn what_is_no_such_document() {
    for document in [
        "",
        "text",
        "<Error><Code>C</Code></Error>",
        "<ListVersionsResult><Name>b</Name></ListVersionsResult>",
        "<ListBucketResult><Name>b</Name>",
        "<ListBucketResult><Name>a<b/></Name></ListBucketResult>",
        "<ListBucketResult><x:Name>b</x:Name></ListBucketResult>",
        "<ListBucketResult><Name><![CDATA[b]]></Name></ListBucketResult>",
    ] {
        assert_eq!(
            written(Operation::ListObjectsV2, document),
            Err(Unreadable),
            "{document}"
        );
    }
    let empty = "<ListBucketResult><Name/></ListBucketResult>";
    assert_eq!(written(Operation::ListObjectsV2, empty), Ok(empty.into()));
}

#[test]
fn documents_that_stay_as_they_are() {
    let location = |location: &str| DocumentNames {
        location: Some(location.into()),
        ..DocumentNames::default()
    };
    assert!(NamedDocument::of(Operation::GetObject, names()).is_none());
    assert!(NamedDocument::of(Operation::CopyObject, names()).is_none());
    assert!(NamedDocument::of(Operation::ListParts, location("l")).is_none());
    assert!(NamedDocument::of(Operation::PostObject, location("l")).is_some());
    assert!(NamedDocument::of(Operation::PostObject, DocumentNames::default()).is_none());
}
