//! What operations are called in S3's server access log.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>
use crate::operation::{Method, Operation};

impl Operation {
    /// Returns the name, `REST.PUT.OBJECT`, of a request that is made by this method; `None` if it is no operation.
    pub fn name_in_log(self, method: &[u8]) -> Option<String> {
        let method = Method::parse(method)?;
        let resource = match method {
            Method::Options => "PREFLIGHT",
            _ => self.resource_type()?,
        };
        let verb = match self {
            Operation::CopyObject | Operation::UploadPartCopy => "COPY",
            _ => method.name(),
        };
        Some(format!("REST.{verb}.{resource}"))
    }

    /// Returns the kind of resource that it is about.
    fn resource_type(self) -> Option<&'static str> {
        use Operation as Op;
        Some(match self {
            Op::ListBuckets | Op::ListDirectoryBuckets => "SERVICE",
            Op::ListObjects
            | Op::ListObjectsV2
            | Op::HeadBucket
            | Op::CreateBucket
            | Op::DeleteBucket
            | Op::PostObject => "BUCKET",
            Op::GetObject
            | Op::HeadObject
            | Op::PutObject
            | Op::CopyObject
            | Op::RenameObject
            | Op::DeleteObject => "OBJECT",
            Op::UploadPart | Op::UploadPartCopy => "PART",
            Op::CompleteMultipartUpload | Op::AbortMultipartUpload | Op::ListParts => "UPLOAD",
            Op::CreateMultipartUpload | Op::ListMultipartUploads => "UPLOADS",
            Op::DeleteObjects => "MULTI_OBJECT_DELETE",
            Op::ListObjectVersions => "BUCKETVERSIONS",
            Op::GetObjectTagging | Op::PutObjectTagging | Op::DeleteObjectTagging => {
                "OBJECT_TAGGING"
            }
            Op::GetBucketTagging | Op::PutBucketTagging | Op::DeleteBucketTagging => "TAGGING",
            Op::GetBucketAcl | Op::PutBucketAcl | Op::GetObjectAcl | Op::PutObjectAcl => "ACL",
            Op::GetObjectAttributes => "OBJECT_ATTRIBUTES",
            Op::GetObjectTorrent => "TORRENT",
            Op::GetObjectLegalHold | Op::PutObjectLegalHold => "OBJECT_LOCK_LEGALHOLD",
            Op::GetObjectRetention | Op::PutObjectRetention => "OBJECT_LOCK_RETENTION",
            Op::GetObjectLockConfiguration | Op::PutObjectLockConfiguration => {
                "OBJECT_LOCK_CONFIGURATION"
            }
            Op::GetObjectAnnotation
            | Op::ListObjectAnnotations
            | Op::PutObjectAnnotation
            | Op::DeleteObjectAnnotation => "OBJECT_ANNOTATIONS",
            Op::RestoreObject => "RESTORE",
            Op::SelectObjectContent => "SELECT",
            Op::GetBucketAbac | Op::PutBucketAbac => "BUCKET_ABAC",
            Op::GetBucketAccelerateConfiguration | Op::PutBucketAccelerateConfiguration => {
                "ACCELERATE"
            }
            Op::GetBucketAnalyticsConfiguration
            | Op::ListBucketAnalyticsConfigurations
            | Op::PutBucketAnalyticsConfiguration
            | Op::DeleteBucketAnalyticsConfiguration => "ANALYTICS",
            Op::GetBucketCors | Op::PutBucketCors | Op::DeleteBucketCors => "CORS",
            Op::GetBucketEncryption
            | Op::PutBucketEncryption
            | Op::DeleteBucketEncryption
            | Op::UpdateObjectEncryption => "ENCRYPTION",
            Op::GetBucketIntelligentTieringConfiguration
            | Op::ListBucketIntelligentTieringConfigurations
            | Op::PutBucketIntelligentTieringConfiguration
            | Op::DeleteBucketIntelligentTieringConfiguration => "INTELLIGENT_TIERING",
            Op::GetBucketInventoryConfiguration
            | Op::ListBucketInventoryConfigurations
            | Op::PutBucketInventoryConfiguration
            | Op::DeleteBucketInventoryConfiguration => "INVENTORY",
            Op::GetBucketLifecycleConfiguration
            | Op::PutBucketLifecycleConfiguration
            | Op::DeleteBucketLifecycle => "LIFECYCLE",
            Op::GetBucketLocation => "LOCATION",
            Op::GetBucketLogging | Op::PutBucketLogging => "LOGGING_STATUS",
            Op::GetBucketMetadataConfiguration
            | Op::CreateBucketMetadataConfiguration
            | Op::DeleteBucketMetadataConfiguration
            | Op::UpdateBucketMetadataAnnotationTableConfiguration
            | Op::UpdateBucketMetadataInventoryTableConfiguration
            | Op::UpdateBucketMetadataJournalTableConfiguration => "BUCKET_METADATA_CONFIGURATION",
            Op::GetBucketMetadataTableConfiguration
            | Op::CreateBucketMetadataTableConfiguration
            | Op::DeleteBucketMetadataTableConfiguration => "BUCKET_METADATA_TABLE_CONFIGURATION",
            Op::GetBucketMetricsConfiguration
            | Op::ListBucketMetricsConfigurations
            | Op::PutBucketMetricsConfiguration
            | Op::DeleteBucketMetricsConfiguration => "METRICS",
            Op::GetBucketNotificationConfiguration | Op::PutBucketNotificationConfiguration => {
                "NOTIFICATION"
            }
            Op::GetBucketOwnershipControls
            | Op::PutBucketOwnershipControls
            | Op::DeleteBucketOwnershipControls => "OWNERSHIP_CONTROLS",
            Op::GetBucketPolicy | Op::PutBucketPolicy | Op::DeleteBucketPolicy => "BUCKETPOLICY",
            Op::GetBucketPolicyStatus => "POLICY_STATUS",
            Op::GetPublicAccessBlock | Op::PutPublicAccessBlock | Op::DeletePublicAccessBlock => {
                "PUBLIC_ACCESS_BLOCK"
            }
            Op::GetBucketReplication | Op::PutBucketReplication | Op::DeleteBucketReplication => {
                "REPLICATION"
            }
            Op::GetBucketRequestPayment | Op::PutBucketRequestPayment => "REQUEST_PAYMENT",
            Op::GetBucketVersioning | Op::PutBucketVersioning => "VERSIONING",
            Op::GetBucketWebsite | Op::PutBucketWebsite | Op::DeleteBucketWebsite => "WEBSITE",
            Op::CreateSession => "SESSION",
            Op::WriteGetObjectResponse => "OBJECT_LAMBDA_RESPONSE",
            Op::Unknown => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (operation, method, name) in [
            (Operation::PutObject, "PUT", "REST.PUT.OBJECT"),
            (Operation::HeadObject, "HEAD", "REST.HEAD.OBJECT"),
            (Operation::CopyObject, "PUT", "REST.COPY.OBJECT"),
            (Operation::UploadPartCopy, "PUT", "REST.COPY.PART"),
            (Operation::UploadPart, "PUT", "REST.PUT.PART"),
            (Operation::ListBuckets, "GET", "REST.GET.SERVICE"),
            (
                Operation::DeleteObjects,
                "POST",
                "REST.POST.MULTI_OBJECT_DELETE",
            ),
            (Operation::PostObject, "POST", "REST.POST.BUCKET"),
            (
                Operation::AbortMultipartUpload,
                "DELETE",
                "REST.DELETE.UPLOAD",
            ),
            (
                Operation::GetBucketLogging,
                "GET",
                "REST.GET.LOGGING_STATUS",
            ),
            (Operation::Unknown, "OPTIONS", "REST.OPTIONS.PREFLIGHT"),
        ] {
            assert_eq!(
                operation.name_in_log(method.as_bytes()).as_deref(),
                Some(name)
            );
        }
        assert_eq!(Operation::Unknown.name_in_log(b"GET"), None);
        assert_eq!(Operation::PutObject.name_in_log(b"P\"T"), None);
    }

    /// A field of the log has no space in it, nor a quote.
    #[test]
    fn every_operation_has_one() {
        for operation in Operation::ALL {
            let name = operation.name_in_log(b"PUT").unwrap_or_default();
            let is_plain = |byte: u8| byte.is_ascii_uppercase() || b"._".contains(&byte);
            assert!(
                name.starts_with("REST.") && name.bytes().all(is_plain),
                "{operation:?}"
            );
        }
    }
}
