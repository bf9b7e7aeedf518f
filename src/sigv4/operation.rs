//! Bucket, key and operation that a request names, with path-style addressing.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>
use crate::{
    query::{Parameters, Query},
    request::{Field, Fields, Request},
    sink::{Counting, Filling},
    uri::{self, Part},
};

/// The S3 operation that a request names, for logs and grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation(&'static str);

impl Operation {
    const UNKNOWN: Operation = Operation("Unknown");

    /// AWS's name of it, `GetObject`; `Unknown` where the request names none or several at once.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// Reads off a request which operation it names; whether it may be done is not asked.
pub fn operation(request: &Request<'_, '_>) -> Operation {
    let mut room = Parameters::new();
    match (
        Query::parse(request.query, &mut room),
        Fields::scan(request.headers),
    ) {
        (Ok(query), Ok(fields)) => {
            classify(request, &query, fields.value(Field::CopySource).is_some())
        }
        _ => Operation::UNKNOWN,
    }
}

/// Bucket and key of a raw path. Both are parts of it as sent; [`Encoded`] writes them in canonical
/// form.
#[derive(Debug, Clone, Copy)]
pub struct ResourcePath<'a> {
    bucket: &'a [u8],
    key: &'a [u8],
}

impl<'a> ResourcePath<'a> {
    /// `None` where the path does not begin with `/`.
    pub fn of(path: &'a [u8]) -> Option<ResourcePath<'a>> {
        let path = path.strip_prefix(b"/")?;
        let mut decoder = uri::decoded(path, Part::Path);
        loop {
            let before = decoder.rest();
            match decoder.next() {
                None => {
                    return Some(ResourcePath {
                        bucket: path,
                        key: b"",
                    });
                }
                Some(b'/') => {
                    let bucket = path.get(..path.len() - before.len())?;
                    let key = decoder.rest();
                    return Some(ResourcePath { bucket, key });
                }
                Some(_) => {}
            }
        }
    }

    /// The first segment; `None` where the service itself is meant.
    pub fn bucket(&self) -> Option<Encoded<'a>> {
        (!self.bucket.is_empty()).then_some(Encoded(self.bucket))
    }

    /// Everything behind the bucket's slash; `None` where the bucket itself is meant.
    pub fn key(&self) -> Option<Encoded<'a>> {
        (!self.key.is_empty()).then_some(Encoded(self.key))
    }

    pub(crate) fn raw_bucket(&self) -> &'a [u8] {
        self.bucket
    }

    pub(crate) fn raw_key(&self) -> &'a [u8] {
        self.key
    }
}

/// Part of a path, to be written in canonical percent-encoding.
#[derive(Debug, Clone, Copy)]
pub struct Encoded<'a>(&'a [u8]);

impl Encoded<'_> {
    /// Bytes that `write` fills.
    #[allow(clippy::len_without_is_empty, reason = "an empty part is None")]
    pub fn len(&self) -> usize {
        let mut count = Counting::default();
        uri::put_canonical(&mut count, self.0, Part::Path);
        count.0
    }

    /// Writes it to the beginning of `out`, as far as there is room.
    pub fn write(&self, out: &mut [u8]) {
        uri::put_canonical(&mut Filling::new(out), self.0, Part::Path);
    }
}

pub(crate) fn classify(request: &Request<'_, '_>, query: &Query<'_, '_>, copy: bool) -> Operation {
    let Some(path) = ResourcePath::of(request.path) else {
        return Operation::UNKNOWN;
    };
    let (table, plain) = match (path.bucket.is_empty(), path.key.is_empty()) {
        (true, true) if request.method == b"GET" => return Operation("ListBuckets"),
        (true, _) => return Operation::UNKNOWN,
        (false, true) => (BUCKET, BUCKET_PLAIN),
        (false, false) => (OBJECT, OBJECT_PLAIN),
    };
    let mut named = query
        .others()
        .filter_map(|(name, _)| table.iter().find(|row| row.0 == name));
    let operations = match (named.next(), named.next()) {
        (None, _) => plain,
        (Some(row), None) => &row.1,
        (Some(_), Some(_)) => return Operation::UNKNOWN,
    };
    let has = |parameter| query.others().any(|other| other == parameter);
    match (operations.of(request.method), copy) {
        ("", _) => Operation::UNKNOWN,
        ("ListObjects", _) if has((b"list-type", Some(b"2"))) => Operation("ListObjectsV2"),
        ("PutObject", true) => Operation("CopyObject"),
        ("UploadPart", true) => Operation("UploadPartCopy"),
        (name, _) => Operation(name),
    }
}

/// What each method does; empty where there is no such operation.
struct Operations {
    get: &'static str,
    head: &'static str,
    put: &'static str,
    post: &'static str,
    delete: &'static str,
}

impl Operations {
    fn of(&self, method: &[u8]) -> &'static str {
        match method {
            b"GET" => self.get,
            b"HEAD" => self.head,
            b"PUT" => self.put,
            b"POST" => self.post,
            b"DELETE" => self.delete,
            _ => "",
        }
    }
}

const BUCKET_PLAIN: &Operations = &Operations {
    get: "ListObjects",
    head: "HeadBucket",
    put: "CreateBucket",
    post: "PostObject",
    delete: "DeleteBucket",
};

const OBJECT_PLAIN: &Operations = &Operations {
    get: "GetObject",
    head: "HeadObject",
    put: "PutObject",
    post: "",
    delete: "DeleteObject",
};

type Row = (&'static [u8], Operations);

const fn row(
    subresource: &'static [u8],
    get: &'static str,
    put: &'static str,
    post: &'static str,
    delete: &'static str,
) -> Row {
    (
        subresource,
        Operations {
            get,
            head: "",
            put,
            post,
            delete,
        },
    )
}

/// Sub-resource of a bucket: GET, PUT, POST, DELETE.
#[rustfmt::skip]
const BUCKET: &[Row] = &[
    row(b"accelerate", "GetBucketAccelerateConfiguration", "PutBucketAccelerateConfiguration", "", ""),
    row(b"acl", "GetBucketAcl", "PutBucketAcl", "", ""),
    row(b"analytics", "GetBucketAnalyticsConfiguration", "PutBucketAnalyticsConfiguration", "", "DeleteBucketAnalyticsConfiguration"),
    row(b"cors", "GetBucketCors", "PutBucketCors", "", "DeleteBucketCors"),
    row(b"delete", "", "", "DeleteObjects", ""),
    row(b"encryption", "GetBucketEncryption", "PutBucketEncryption", "", "DeleteBucketEncryption"),
    row(b"intelligent-tiering", "GetBucketIntelligentTieringConfiguration", "PutBucketIntelligentTieringConfiguration", "", "DeleteBucketIntelligentTieringConfiguration"),
    row(b"inventory", "GetBucketInventoryConfiguration", "PutBucketInventoryConfiguration", "", "DeleteBucketInventoryConfiguration"),
    row(b"lifecycle", "GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration", "", "DeleteBucketLifecycle"),
    row(b"location", "GetBucketLocation", "", "", ""),
    row(b"logging", "GetBucketLogging", "PutBucketLogging", "", ""),
    row(b"metrics", "GetBucketMetricsConfiguration", "PutBucketMetricsConfiguration", "", "DeleteBucketMetricsConfiguration"),
    row(b"notification", "GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration", "", ""),
    row(b"object-lock", "GetObjectLockConfiguration", "PutObjectLockConfiguration", "", ""),
    row(b"ownershipControls", "GetBucketOwnershipControls", "PutBucketOwnershipControls", "", "DeleteBucketOwnershipControls"),
    row(b"policy", "GetBucketPolicy", "PutBucketPolicy", "", "DeleteBucketPolicy"),
    row(b"policyStatus", "GetBucketPolicyStatus", "", "", ""),
    row(b"publicAccessBlock", "GetPublicAccessBlock", "PutPublicAccessBlock", "", "DeletePublicAccessBlock"),
    row(b"replication", "GetBucketReplication", "PutBucketReplication", "", "DeleteBucketReplication"),
    row(b"requestPayment", "GetBucketRequestPayment", "PutBucketRequestPayment", "", ""),
    row(b"session", "CreateSession", "", "", ""),
    row(b"tagging", "GetBucketTagging", "PutBucketTagging", "", "DeleteBucketTagging"),
    row(b"uploads", "ListMultipartUploads", "", "", ""),
    row(b"versioning", "GetBucketVersioning", "PutBucketVersioning", "", ""),
    row(b"versions", "ListObjectVersions", "", "", ""),
    row(b"website", "GetBucketWebsite", "PutBucketWebsite", "", "DeleteBucketWebsite"),
];

/// Sub-resource of an object: GET, PUT, POST, DELETE.
#[rustfmt::skip]
const OBJECT: &[Row] = &[
    row(b"acl", "GetObjectAcl", "PutObjectAcl", "", ""),
    row(b"attributes", "GetObjectAttributes", "", "", ""),
    row(b"legal-hold", "GetObjectLegalHold", "PutObjectLegalHold", "", ""),
    row(b"renameObject", "", "RenameObject", "", ""),
    row(b"restore", "", "", "RestoreObject", ""),
    row(b"retention", "GetObjectRetention", "PutObjectRetention", "", ""),
    row(b"select", "", "", "SelectObjectContent", ""),
    row(b"tagging", "GetObjectTagging", "PutObjectTagging", "", "DeleteObjectTagging"),
    row(b"torrent", "GetObjectTorrent", "", "", ""),
    row(b"uploadId", "ListParts", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"),
    row(b"uploads", "", "", "CreateMultipartUpload", ""),
];
