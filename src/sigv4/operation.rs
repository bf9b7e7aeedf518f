//! The operations of S3: what each looks like on the wire, and which classes of a grant it is in.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>
use crate::parameter::{ParameterSet, S3Parameter};

/// What an address names, with what decides between operations of one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Service,
    Bucket,
    Object,
    /// An object that is written from another one, named in a header.
    Copy,
    /// An object to which another one, named in a header, is moved.
    Rename,
    /// A bucket to which a browser's form is posted.
    Form,
    /// The path of Object Lambda's answers.
    Response,
}

impl Level {
    /// Whether a key is named.
    pub(crate) fn is_of_object(self) -> bool {
        matches!(self, Level::Object | Level::Copy | Level::Rename)
    }
}

/// The methods of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
    /// A browser's preflight, which is no operation.
    Options,
}

impl Method {
    pub(crate) fn parse(method: &[u8]) -> Option<Method> {
        match method {
            b"GET" => Some(Method::Get),
            b"HEAD" => Some(Method::Head),
            b"PUT" => Some(Method::Put),
            b"POST" => Some(Method::Post),
            b"DELETE" => Some(Method::Delete),
            b"OPTIONS" => Some(Method::Options),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }
}

/// Which classes of a grant an operation is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantClass {
    /// `read`.
    Read,
    /// `read` and `list`.
    List,
    /// `write`.
    Write,
    /// `write` and `delete`.
    Delete,
    /// `read` together with `write`.
    Copy,
    /// `write`, but for clients that are confined to buckets: it changes what others may do there, or
    /// what becomes of the bucket.
    Configure,
    /// As `Configure`, for `write` and `delete`.
    Unconfigure,
    /// `write`, but for clients that are confined to buckets only by its own name: its body may name
    /// other buckets.
    Elsewhere,
    /// None: only by its own name, since it hands out credentials of the origin's.
    Credentials,
    /// Only `all`.
    Other,
}

struct OperationRow {
    operation: Operation,
    required: ParameterSet,
    allowed: ParameterSet,
}

macro_rules! operations {
    ($($level:ident $method:ident {
        $($operation:ident $class:ident [$($required:ident)*] [$($optional:ident)*];)*
    })*) => {
        /// An operation of S3.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Operation {
            $($($operation,)*)*
            /// An unknown operation, or several at once.
            Unknown,
        }

        impl Operation {
            /// Each with its name but `Unknown`.
            pub const ALL: &[Operation] = &[$($(Operation::$operation,)*)*];

            /// Returns AWS's name of it, `GetObject`.
            pub fn name(self) -> &'static str {
                match self {
                    $($(Operation::$operation => stringify!($operation),)*)*
                    Operation::Unknown => "Unknown",
                }
            }

            pub(crate) fn class(self) -> GrantClass {
                match self {
                    $($(Operation::$operation => GrantClass::$class,)*)*
                    Operation::Unknown => GrantClass::Other,
                }
            }

            fn level(self) -> Option<Level> {
                match self {
                    $($(Operation::$operation => Some(Level::$level),)*)*
                    Operation::Unknown => None,
                }
            }
        }

        fn rows(level: Level, method: Method) -> &'static [OperationRow] {
            match (level, method) {
                $((Level::$level, Method::$method) => const {
                    &[$(OperationRow {
                        operation: Operation::$operation,
                        required: ParameterSet::of(&[$(S3Parameter::$required,)*]),
                        allowed: ParameterSet::of(&[
                            S3Parameter::XId,
                            $(S3Parameter::$required,)*
                            $(S3Parameter::$optional,)*
                        ]),
                    },)*]
                },)*
                _ => &[],
            }
        }
    };
}

// Operation, class, parameters that it must have, and that it may have.
operations! {
    Service Get {
        ListBuckets List [] [BucketRegion ContinuationToken MaxBuckets Prefix];
        ListDirectoryBuckets List [MaxDirectoryBuckets] [ContinuationToken];
    }
    Response Post {
        WriteGetObjectResponse Other [] [];
    }
    Form Post {
        PostObject Write [] [];
    }
    Bucket Get {
        ListObjects List [] [Delimiter EncodingType Marker MaxKeys Prefix];
        ListObjectsV2 List [ListType] [ContinuationToken Delimiter EncodingType FetchOwner MaxKeys Metadata Prefix StartAfter];
        ListObjectVersions List [Versions] [Delimiter EncodingType KeyMarker MaxKeys Metadata Prefix VersionIdMarker];
        ListMultipartUploads List [Uploads] [Delimiter EncodingType KeyMarker MaxUploads Prefix UploadIdMarker];
        GetBucketAbac Read [Abac] [];
        GetBucketAccelerateConfiguration Read [Accelerate] [];
        GetBucketAcl Read [Acl] [];
        GetBucketAnalyticsConfiguration Read [Analytics Id] [];
        ListBucketAnalyticsConfigurations Read [Analytics] [ContinuationToken];
        GetBucketCors Read [Cors] [];
        GetBucketEncryption Read [Encryption] [];
        GetBucketIntelligentTieringConfiguration Read [IntelligentTiering Id] [];
        ListBucketIntelligentTieringConfigurations Read [IntelligentTiering] [ContinuationToken];
        GetBucketInventoryConfiguration Read [Inventory Id] [];
        ListBucketInventoryConfigurations Read [Inventory] [ContinuationToken];
        GetBucketLifecycleConfiguration Read [Lifecycle] [];
        GetBucketLocation List [Location] [];
        GetBucketLogging Read [Logging] [];
        GetBucketMetadataConfiguration Read [MetadataConfiguration] [];
        GetBucketMetadataTableConfiguration Read [MetadataTable] [];
        GetBucketMetricsConfiguration Read [Metrics Id] [];
        ListBucketMetricsConfigurations Read [Metrics] [ContinuationToken];
        GetBucketNotificationConfiguration Read [Notification] [];
        GetObjectLockConfiguration Read [ObjectLock] [];
        GetBucketOwnershipControls Read [OwnershipControls] [];
        GetBucketPolicy Read [Policy] [];
        GetBucketPolicyStatus Read [PolicyStatus] [];
        GetPublicAccessBlock Read [PublicAccessBlock] [];
        GetBucketReplication Read [Replication] [];
        GetBucketRequestPayment Read [RequestPayment] [];
        CreateSession Credentials [Session] [];
        GetBucketTagging Read [Tagging] [];
        GetBucketVersioning Read [Versioning] [];
        GetBucketWebsite Read [Website] [];
    }
    Bucket Head {
        HeadBucket List [] [];
    }
    Bucket Put {
        CreateBucket Write [] [];
        PutBucketAbac Configure [Abac] [];
        PutBucketAccelerateConfiguration Configure [Accelerate] [];
        PutBucketAcl Configure [Acl] [];
        PutBucketAnalyticsConfiguration Elsewhere [Analytics Id] [];
        PutBucketCors Configure [Cors] [];
        PutBucketEncryption Configure [Encryption] [];
        PutBucketIntelligentTieringConfiguration Configure [IntelligentTiering Id] [];
        PutBucketInventoryConfiguration Elsewhere [Inventory Id] [];
        PutBucketLifecycleConfiguration Configure [Lifecycle] [];
        PutBucketLogging Elsewhere [Logging] [];
        UpdateBucketMetadataAnnotationTableConfiguration Configure [MetadataAnnotationTable] [];
        UpdateBucketMetadataInventoryTableConfiguration Configure [MetadataInventoryTable] [];
        UpdateBucketMetadataJournalTableConfiguration Configure [MetadataJournalTable] [];
        PutBucketMetricsConfiguration Configure [Metrics Id] [];
        PutBucketNotificationConfiguration Configure [Notification] [];
        PutObjectLockConfiguration Configure [ObjectLock] [];
        PutBucketOwnershipControls Configure [OwnershipControls] [];
        PutBucketPolicy Configure [Policy] [];
        PutPublicAccessBlock Configure [PublicAccessBlock] [];
        PutBucketReplication Elsewhere [Replication] [];
        PutBucketRequestPayment Configure [RequestPayment] [];
        PutBucketTagging Configure [Tagging] [];
        PutBucketVersioning Configure [Versioning] [];
        PutBucketWebsite Configure [Website] [];
    }
    Bucket Post {
        DeleteObjects Delete [Delete] [];
        CreateBucketMetadataConfiguration Elsewhere [MetadataConfiguration] [];
        CreateBucketMetadataTableConfiguration Elsewhere [MetadataTable] [];
    }
    Bucket Delete {
        DeleteBucket Delete [] [];
        DeleteBucketAnalyticsConfiguration Unconfigure [Analytics Id] [];
        DeleteBucketCors Unconfigure [Cors] [];
        DeleteBucketEncryption Unconfigure [Encryption] [];
        DeleteBucketIntelligentTieringConfiguration Unconfigure [IntelligentTiering Id] [];
        DeleteBucketInventoryConfiguration Unconfigure [Inventory Id] [];
        DeleteBucketLifecycle Unconfigure [Lifecycle] [];
        DeleteBucketMetadataConfiguration Unconfigure [MetadataConfiguration] [];
        DeleteBucketMetadataTableConfiguration Unconfigure [MetadataTable] [];
        DeleteBucketMetricsConfiguration Unconfigure [Metrics Id] [];
        DeleteBucketOwnershipControls Unconfigure [OwnershipControls] [];
        DeleteBucketPolicy Unconfigure [Policy] [];
        DeletePublicAccessBlock Unconfigure [PublicAccessBlock] [];
        DeleteBucketReplication Unconfigure [Replication] [];
        DeleteBucketTagging Unconfigure [Tagging] [];
        DeleteBucketWebsite Unconfigure [Website] [];
    }
    Object Get {
        GetObject Read [] [PartNumber ResponseCacheControl ResponseContentDisposition ResponseContentEncoding ResponseContentLanguage ResponseContentType ResponseExpires VersionId];
        GetObjectAcl Read [Acl] [VersionId];
        GetObjectAnnotation Read [Annotation AnnotationName] [VersionId];
        ListObjectAnnotations Read [Annotation] [AnnotationPrefix ContinuationToken MaxAnnotationResults VersionId];
        GetObjectAttributes Read [Attributes] [VersionId];
        GetObjectLegalHold Read [LegalHold] [VersionId];
        GetObjectRetention Read [Retention] [VersionId];
        GetObjectTagging Read [Tagging] [VersionId];
        GetObjectTorrent Read [Torrent] [];
        ListParts List [UploadId] [MaxParts PartNumberMarker];
    }
    Object Head {
        HeadObject Read [] [PartNumber ResponseCacheControl ResponseContentDisposition ResponseContentEncoding ResponseContentLanguage ResponseContentType ResponseExpires VersionId];
    }
    Object Put {
        PutObject Write [] [];
        UploadPart Write [PartNumber UploadId] [];
        PutObjectAcl Configure [Acl] [VersionId];
        PutObjectAnnotation Write [Annotation AnnotationName] [VersionId];
        UpdateObjectEncryption Write [Encryption] [VersionId];
        PutObjectLegalHold Write [LegalHold] [VersionId];
        PutObjectRetention Write [Retention] [VersionId];
        PutObjectTagging Write [Tagging] [VersionId];
    }
    Copy Put {
        CopyObject Copy [] [];
        UploadPartCopy Copy [PartNumber UploadId] [];
    }
    Rename Put {
        RenameObject Copy [RenameObject] [];
    }
    Object Post {
        CompleteMultipartUpload Write [UploadId] [];
        CreateMultipartUpload Write [Uploads] [];
        RestoreObject Elsewhere [Restore] [VersionId];
        SelectObjectContent Read [Select SelectType] [];
    }
    Object Delete {
        AbortMultipartUpload Delete [UploadId] [];
        DeleteObject Delete [] [VersionId];
        DeleteObjectAnnotation Delete [Annotation AnnotationName] [VersionId];
        DeleteObjectTagging Delete [Tagging] [VersionId];
    }
}

/// Former names of operations.
const ALIASES: [(&str, Operation); 4] = [
    (
        "GetBucketLifecycle",
        Operation::GetBucketLifecycleConfiguration,
    ),
    (
        "GetBucketNotification",
        Operation::GetBucketNotificationConfiguration,
    ),
    (
        "PutBucketLifecycle",
        Operation::PutBucketLifecycleConfiguration,
    ),
    (
        "PutBucketNotification",
        Operation::PutBucketNotificationConfiguration,
    ),
];

impl Operation {
    /// Finds the operation of a request with these parameters; each operation has parameters that no other
    /// of its level and method takes.
    pub(crate) fn of(level: Level, method: Method, parameters: ParameterSet) -> Operation {
        let takes = |row: &&OperationRow| {
            row.required.is_subset_of(parameters) && parameters.is_subset_of(row.allowed)
        };
        let row = rows(level, method).iter().find(takes);
        row.map_or(Operation::Unknown, |row| row.operation)
    }

    /// Returns the names by which a grant may call it.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let aliases = ALIASES
            .iter()
            .filter(move |(_, operation)| *operation == self);
        std::iter::once(self.name()).chain(aliases.map(|(alias, _)| *alias))
    }

    /// Whether it is about one object.
    pub(crate) fn is_of_object(self) -> bool {
        matches!(
            self.level(),
            Some(Level::Object | Level::Copy | Level::Rename)
        )
    }

    /// Whether it is about another object, too, that a header names.
    pub(crate) fn has_source(self) -> bool {
        matches!(self.level(), Some(Level::Copy | Level::Rename))
    }

    /// Whether its body or its answer may name buckets, or parts of their names, where these are not mapped: in
    /// policies and other documents that name resources, and for a caller that has no bucket.
    pub(crate) fn names_buckets(self) -> bool {
        use Operation as Op;
        self.class() == GrantClass::Elsewhere
            || matches!(
                self,
                Op::ListDirectoryBuckets
                    | Op::WriteGetObjectResponse
                    | Op::GetBucketAnalyticsConfiguration
                    | Op::ListBucketAnalyticsConfigurations
                    | Op::GetBucketInventoryConfiguration
                    | Op::ListBucketInventoryConfigurations
                    | Op::GetBucketLogging
                    | Op::GetBucketMetadataConfiguration
                    | Op::GetBucketMetadataTableConfiguration
                    | Op::GetBucketPolicy
                    | Op::PutBucketPolicy
                    | Op::GetBucketReplication
                    | Op::GetObjectTorrent
            )
    }

    /// Whether it lists keys, of which all begin with the request's `prefix`.
    pub(crate) fn lists_keys(self) -> bool {
        matches!(
            self,
            Operation::ListObjects
                | Operation::ListObjectsV2
                | Operation::ListObjectVersions
                | Operation::ListMultipartUploads
        )
    }
}

/// A set of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OperationSet([u64; 4]);

impl OperationSet {
    pub(crate) fn insert(&mut self, operation: Operation) {
        self.0[operation as usize / 64] |= 1 << (operation as usize % 64);
    }

    pub(crate) fn contains(&self, operation: Operation) -> bool {
        self.0[operation as usize / 64] >> (operation as usize % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [Level; 7] = [
        Level::Service,
        Level::Bucket,
        Level::Object,
        Level::Copy,
        Level::Rename,
        Level::Form,
        Level::Response,
    ];
    const METHODS: [Method; 6] = [
        Method::Get,
        Method::Head,
        Method::Put,
        Method::Post,
        Method::Delete,
        Method::Options,
    ];

    /// Whatever the parameters: at most one operation of a level and method takes them.
    #[test]
    fn no_request_is_two_operations() {
        let mut seen = 0;
        for (level, method) in LEVELS
            .iter()
            .flat_map(|l| METHODS.iter().map(move |m| (*l, *m)))
        {
            let rows = rows(level, method);
            seen += rows.len();
            for (at, a) in rows.iter().enumerate() {
                assert_eq!(Operation::of(level, method, a.required), a.operation);
                for b in &rows[..at] {
                    let both = a.required.union(b.required);
                    let overlap = both.is_subset_of(a.allowed) && both.is_subset_of(b.allowed);
                    assert!(!overlap, "{:?} and {:?}", a.operation, b.operation);
                }
            }
        }
        assert_eq!(seen, Operation::ALL.len());
    }

    /// Two sub-resources are no operation, whichever they are.
    #[test]
    fn parameters_that_exclude_each_other_are_no_operation() {
        for (level, method) in LEVELS
            .iter()
            .flat_map(|l| METHODS.iter().map(move |m| (*l, *m)))
        {
            for row in rows(level, method) {
                for (parameter, _) in S3Parameter::ALL {
                    let mut parameters = row.required;
                    if row.allowed.contains(*parameter) || !parameters.insert(*parameter) {
                        continue;
                    }
                    let operation = Operation::of(level, method, parameters);
                    // One that has the parameter as its own, and takes all the others too.
                    let taken = rows(level, method).iter().any(|other| {
                        other.operation == operation && other.required.contains(*parameter)
                    });
                    assert!(
                        operation == Operation::Unknown || taken,
                        "{:?} with {parameter:?} is {operation:?}",
                        row.operation
                    );
                }
            }
        }
    }
}
