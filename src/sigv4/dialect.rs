//! What an origin cannot read of a request that a current client sends, and what it is sent instead.
//!
//! Until January 2025 the SDKs of AWS sent no checksum unless they were asked to, and `Content-MD5` with the documents
//! that need a digest. Since then they send a CRC32, in a header or after the body, and no `Content-MD5`
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html>). A dialect makes of such a request
//! what they sent before. It takes nothing away but what is about the integrity of a body, and that has been checked
//! here then; any other header that a store does not know might be why the client is content to store something there.
use crate::{chunked::streaming::Framing, operation::Operation};

/// The dialect of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// The framing in which it can read a body, where its `s3_origin` says nothing of that.
    pub framing: Framing,
    pub checksums: Checksums,
    pub documents: DocumentDigest,
}

/// What becomes of `x-amz-checksum-*` and `x-amz-sdk-checksum-algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksums {
    /// They go out as they came.
    #[default]
    Keep,
    /// They do not go out, and the data is checked here. An MD5 becomes `Content-MD5`.
    Drop,
}

/// How a document that a digest must go with is sent, such as the one of DeleteObjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DocumentDigest {
    /// With what the client has sent with it.
    #[default]
    AsSent,
    /// With `Content-MD5`, which is computed here if the client has sent none.
    ContentMd5,
}

/// What the SDKs sent before 2025, to a store that reads no `aws-chunked` framing.
const PLAIN: Dialect = Dialect {
    framing: Framing::Decode,
    checksums: Checksums::Drop,
    documents: DocumentDigest::ContentMd5,
};

/// The same for a store that reads signed chunks, but nothing after the last of them.
const SIGNED_CHUNKS: Dialect = Dialect {
    framing: Framing::DecodeTrailers,
    ..PLAIN
};

impl Dialect {
    /// The dialects by name, each with where it is written what that store rejects.
    pub const ALL: [(&'static str, Dialect); 7] = [
        // Backblaze B2: 400 "Unsupported header 'x-amz-checksum-crc32' received for this API call", and the same of
        // `x-amz-sdk-checksum-algorithm` and, with a GET, of `x-amz-checksum-mode`.
        // <https://www.backblaze.com/docs/cloud-storage-s3-compatible-api>,
        // <https://github.com/diced/zipline/issues/746>, <https://github.com/home-assistant/core/issues/143995>
        ("b2", PLAIN),
        // Ceph's gateway before Squid (19): XAmzContentSHA256Mismatch of what has a trailer, some versions also of
        // signed chunks, and checksums are not looked at. 16 needs no `Content-MD5`, but SDKs have always sent it.
        // <https://github.com/fleetdm/fleet/issues/47850>, <https://github.com/minio/mc/issues/3723>,
        // <https://github.com/ceph/ceph/pull/49986>
        ("ceph", PLAIN),
        // Google Cloud Storage's XML API: 400 ExcessHeaderValues of an upload with a checksum, and DeleteObjects needs
        // `Content-MD5`, or a CRC32. Its front end rewrites Accept-Encoding, which is signed for no origin.
        // <https://github.com/milvus-io/milvus-storage/pull/480>, <https://github.com/aws/aws-sdk-go-v2/issues/1816>
        ("gcs", PLAIN),
        // MinIO before 2023, which reads no trailers, and before February 2025 demands `Content-MD5` of documents.
        // <https://github.com/minio/minio/pull/16484>, <https://github.com/minio/minio/issues/20845>
        ("minio-old", SIGNED_CHUNKS),
        // Alibaba OSS: 400 of `aws-chunked` framing but for STREAMING-AWS4-HMAC-SHA256-PAYLOAD; checksums are not
        // looked at; DeleteObjects needs `Content-MD5`.
        // <https://www.alibabacloud.com/help/en/oss/user-guide/0017-00000804>,
        // <https://help.aliyun.com/zh/oss/support/0016-00000606>,
        // <https://github.com/milvus-io/milvus-storage/pull/500>
        ("oss", SIGNED_CHUNKS),
        // Cloudflare R2: 501 of signed chunks, of some checksums and of the checksum of a multipart upload, and 400
        // of a checksum beside `Content-MD5`.
        // <https://developers.cloudflare.com/r2/examples/aws/aws-sdk-net/>,
        // <https://github.com/cloudflare/cloudflare-docs/pull/19236>,
        // <https://juanvasquez.dev/blog/cloudflare-r2-rails-activestorage>
        ("r2", PLAIN),
        // OpenStack Swift before 2025: 501 of any `aws-chunked` framing, checksums are not looked at, and DeleteObjects
        // needs `Content-MD5`.
        // <https://github.com/openstack/swift/commit/1a51604>,
        // <https://github.com/cloudnative-pg/plugin-barman-cloud/issues/613>
        ("swift", PLAIN),
    ];

    /// Their names.
    pub const NAMES: [&'static str; Dialect::ALL.len()] = {
        let mut names = [""; Dialect::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Dialect::ALL[at].0;
            at += 1;
        }
        names
    };

    /// Finds a dialect by its name.
    pub fn named(name: &[u8]) -> Option<Dialect> {
        let mut all = Dialect::ALL.iter();
        let found = all.find(|(known, _)| known.as_bytes() == name);
        found.map(|(_, dialect)| *dialect)
    }

    pub(crate) fn drops_checksums(self) -> bool {
        self.checksums == Checksums::Drop
    }

    pub(crate) fn adds_md5(self) -> bool {
        self.documents == DocumentDigest::ContentMd5
    }
}

/// Whether S3 demands a digest with the body of an operation: those of `httpChecksumRequired` in its model.
pub(crate) fn needs_digest(operation: Operation) -> bool {
    use Operation::*;
    matches!(
        operation,
        CreateBucketMetadataConfiguration
            | CreateBucketMetadataTableConfiguration
            | DeleteObjects
            | PutBucketAcl
            | PutBucketCors
            | PutBucketEncryption
            | PutBucketLifecycleConfiguration
            | PutBucketLogging
            | PutBucketNotificationConfiguration
            | PutBucketOwnershipControls
            | PutBucketPolicy
            | PutBucketReplication
            | PutBucketRequestPayment
            | PutBucketTagging
            | PutBucketVersioning
            | PutBucketWebsite
            | PutObjectAcl
            | PutObjectLegalHold
            | PutObjectLockConfiguration
            | PutObjectRetention
            | PutObjectTagging
            | PutPublicAccessBlock
            | UpdateBucketMetadataAnnotationTableConfiguration
            | UpdateBucketMetadataInventoryTableConfiguration
            | UpdateBucketMetadataJournalTableConfiguration
            | UpdateObjectEncryption
    )
}
