//! The query parameters and `x-amz-` headers that S3 knows.
//!
//! An unknown one may mean anything to an origin, so whatever has one is an unknown request.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>
use arrayvec::ArrayVec;

use crate::text::uri::{self, Part};

/// What the value of a parameter must be like, so that no server can take the parameter for absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueRule {
    /// None: the name of a sub-resource.
    Absent,
    /// One that is not empty.
    Present,
    /// The digit 2: a version of an operation.
    Two,
    Any,
}

macro_rules! parameters {
    ($($parameter:ident $name:literal $value:ident,)*) => {
        /// A query parameter of S3 that is none of a signature's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum S3Parameter {
            $($parameter,)*
        }

        impl S3Parameter {
            pub(super) fn named(name: &[u8]) -> Option<S3Parameter> {
                const { assert!([$($name.len(),)*].len() <= 128) };
                $(const $parameter: &[u8] = $name.as_bytes();)*
                match name {
                    $($parameter => Some(S3Parameter::$parameter),)*
                    _ => None,
                }
            }

            /// Returns what its value must be like.
            pub(crate) fn value(self) -> ValueRule {
                match self {
                    $(S3Parameter::$parameter => ValueRule::$value,)*
                }
            }

            #[cfg(test)]
            pub(crate) const ALL: &[(S3Parameter, &str)] = &[$((S3Parameter::$parameter, $name),)*];
        }
    };
}

impl S3Parameter {
    /// Whether the value goes into a header of the answer to GetObject.
    pub(crate) fn sets_answer_header(self) -> bool {
        matches!(
            self,
            S3Parameter::ResponseCacheControl
                | S3Parameter::ResponseContentDisposition
                | S3Parameter::ResponseContentEncoding
                | S3Parameter::ResponseContentLanguage
                | S3Parameter::ResponseContentType
                | S3Parameter::ResponseExpires
        )
    }

    /// Whether the value is an id that an origin has given, which may be sealed.
    pub(crate) fn is_id(self) -> bool {
        matches!(
            self,
            S3Parameter::UploadId
                | S3Parameter::UploadIdMarker
                | S3Parameter::VersionIdMarker
                | S3Parameter::ContinuationToken
        )
    }
}

#[allow(
    non_upper_case_globals,
    reason = "a constant for each variant, to match by"
)]
mod table {
    use super::ValueRule;

    parameters! {
        Abac "abac" Absent,
        Accelerate "accelerate" Absent,
        Acl "acl" Absent,
        Analytics "analytics" Absent,
        Annotation "annotation" Absent,
        AnnotationName "annotationName" Present,
        AnnotationPrefix "annotation-prefix" Any,
        Attributes "attributes" Absent,
        BucketRegion "bucket-region" Any,
        ContinuationToken "continuation-token" Any,
        Cors "cors" Absent,
        Delete "delete" Absent,
        Delimiter "delimiter" Any,
        EncodingType "encoding-type" Any,
        Encryption "encryption" Absent,
        FetchOwner "fetch-owner" Any,
        Id "id" Present,
        IntelligentTiering "intelligent-tiering" Absent,
        Inventory "inventory" Absent,
        KeyMarker "key-marker" Any,
        LegalHold "legal-hold" Absent,
        Lifecycle "lifecycle" Absent,
        ListType "list-type" Two,
        Location "location" Absent,
        Logging "logging" Absent,
        Marker "marker" Any,
        MaxAnnotationResults "max-annotation-results" Any,
        MaxBuckets "max-buckets" Any,
        MaxDirectoryBuckets "max-directory-buckets" Any,
        MaxKeys "max-keys" Any,
        MaxParts "max-parts" Any,
        MaxUploads "max-uploads" Any,
        // MinIO's: a listing with the metadata of each object.
        Metadata "metadata" Any,
        MetadataAnnotationTable "metadataAnnotationTable" Absent,
        MetadataConfiguration "metadataConfiguration" Absent,
        MetadataInventoryTable "metadataInventoryTable" Absent,
        MetadataJournalTable "metadataJournalTable" Absent,
        MetadataTable "metadataTable" Absent,
        Metrics "metrics" Absent,
        Notification "notification" Absent,
        ObjectLock "object-lock" Absent,
        OwnershipControls "ownershipControls" Absent,
        PartNumber "partNumber" Present,
        PartNumberMarker "part-number-marker" Any,
        Policy "policy" Absent,
        PolicyStatus "policyStatus" Absent,
        Prefix "prefix" Any,
        PublicAccessBlock "publicAccessBlock" Absent,
        RenameObject "renameObject" Absent,
        Replication "replication" Absent,
        RequestPayment "requestPayment" Absent,
        ResponseCacheControl "response-cache-control" Any,
        ResponseContentDisposition "response-content-disposition" Any,
        ResponseContentEncoding "response-content-encoding" Any,
        ResponseContentLanguage "response-content-language" Any,
        ResponseContentType "response-content-type" Any,
        ResponseExpires "response-expires" Any,
        Restore "restore" Absent,
        Retention "retention" Absent,
        Select "select" Absent,
        SelectType "select-type" Two,
        Session "session" Absent,
        StartAfter "start-after" Any,
        Tagging "tagging" Absent,
        Torrent "torrent" Absent,
        UploadId "uploadId" Present,
        UploadIdMarker "upload-id-marker" Any,
        Uploads "uploads" Absent,
        VersionId "versionId" Any,
        VersionIdMarker "version-id-marker" Any,
        Versioning "versioning" Absent,
        Versions "versions" Absent,
        Website "website" Absent,
        // The name of the operation, which some SDKs add.
        XId "x-id" Any,
    }
}
pub(crate) use table::S3Parameter;

/// A set of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ParameterSet(u128);

impl ParameterSet {
    pub(crate) const fn of(parameters: &[S3Parameter]) -> ParameterSet {
        let mut set = 0;
        let mut at = 0;
        while at < parameters.len() {
            set |= 1 << parameters[at] as u8;
            at += 1;
        }
        ParameterSet(set)
    }

    /// Inserts a parameter; returns `false` if it was there.
    pub(crate) fn insert(&mut self, parameter: S3Parameter) -> bool {
        let bit = 1 << parameter as u8;
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new
    }

    pub(crate) fn is_subset_of(self, other: ParameterSet) -> bool {
        self.0 & !other.0 == 0
    }

    #[cfg(test)]
    pub(crate) fn union(self, other: ParameterSet) -> ParameterSet {
        ParameterSet(self.0 | other.0)
    }

    #[cfg(test)]
    pub(crate) fn contains(self, parameter: S3Parameter) -> bool {
        self.0 & 1 << parameter as u8 != 0
    }
}

/// What the name of a query parameter stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterName {
    Known(S3Parameter),
    /// A header in the query, where presigned requests of some SDKs have it.
    Header(AmzHeader),
    Unknown,
}

impl ParameterName {
    /// Finds what a name stands for, as it was sent.
    pub(crate) fn of(raw: &[u8]) -> ParameterName {
        if let Some(parameter) = S3Parameter::named(raw) {
            return ParameterName::Known(parameter);
        }
        // One byte more than the longest that is known.
        let mut decoded = ArrayVec::<u8, { AmzHeader::LONGEST + 1 }>::new();
        if uri::decoded(raw, Part::Query)
            .try_for_each(|byte| decoded.try_push(byte))
            .is_err()
        {
            return ParameterName::Unknown;
        }
        if let Some(parameter) = S3Parameter::named(&decoded) {
            return ParameterName::Known(parameter);
        }
        AmzHeader::named(&decoded).map_or(ParameterName::Unknown, ParameterName::Header)
    }
}

/// What a header of S3's own can do to a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AmzHeader {
    /// Names an object to read from or to move.
    Source,
    /// Names a canned access control list.
    CannedAcl,
    /// Names someone who may do something.
    AclGrant,
    /// Holds a key of the client's by which the object is encrypted.
    CustomerKey,
    Other,
}

impl AmzHeader {
    const PREFIX: &[u8] = b"x-amz-";
    const LONGEST: usize = 80;

    /// Finds a header by its name. `None` if S3 has no such header. A name in which `_` stands for `-` is
    /// none either, although some servers read it as one.
    pub(crate) fn named(name: &[u8]) -> Option<AmzHeader> {
        let mut lower = ArrayVec::<u8, { AmzHeader::LONGEST }>::new();
        let name = name.get(AmzHeader::PREFIX.len()..).filter(|_| {
            name.get(..AmzHeader::PREFIX.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(AmzHeader::PREFIX))
        })?;
        // Metadata is of any name, but by this one MinIO and RustFS unpack an archive into the bucket, whose
        // keys are in the body.
        if let Some((start, rest)) = name.split_at_checked(5)
            && start.eq_ignore_ascii_case(b"meta-")
        {
            let unpacks = rest.eq_ignore_ascii_case(b"snowball-auto-extract");
            return (!unpacks).then_some(AmzHeader::Other);
        }
        lower.try_extend_from_slice(name).ok()?;
        lower.make_ascii_lowercase();
        let known = match lower.as_slice() {
            b"copy-source" | b"rename-source" => AmzHeader::Source,
            b"acl" => AmzHeader::CannedAcl,
            b"grant-full-control"
            | b"grant-read"
            | b"grant-read-acp"
            | b"grant-write"
            | b"grant-write-acp" => AmzHeader::AclGrant,
            b"server-side-encryption-customer-algorithm"
            | b"server-side-encryption-customer-key"
            | b"server-side-encryption-customer-key-md5"
            | b"copy-source-server-side-encryption-customer-algorithm"
            | b"copy-source-server-side-encryption-customer-key"
            | b"copy-source-server-side-encryption-customer-key-md5" => AmzHeader::CustomerKey,
            // What an Object Lambda function says of its answer.
            [b'f', b'w', b'd', b'-', ..] => AmzHeader::Other,
            name if OTHERS.binary_search(&name).is_ok() => AmzHeader::Other,
            _ => return None,
        };
        Some(known)
    }
}

/// The rest, without `x-amz-`, sorted.
#[rustfmt::skip]
const OTHERS: &[&[u8]] = &[
    b"api-version", b"bucket-namespace", b"bucket-object-lock-enabled", b"bucket-object-lock-token",
    b"bypass-governance-retention", b"checksum-algorithm", b"checksum-crc32", b"checksum-crc32c",
    b"checksum-crc64nvme", b"checksum-md5", b"checksum-mode", b"checksum-sha1", b"checksum-sha256",
    b"checksum-sha512", b"checksum-type", b"checksum-xxhash128", b"checksum-xxhash3",
    b"checksum-xxhash64", b"client-token", b"confirm-remove-self-bucket-access", b"content-sha256",
    b"copy-source-if-match", b"copy-source-if-modified-since", b"copy-source-if-none-match",
    b"copy-source-if-unmodified-since", b"copy-source-range", b"create-session-mode", b"date",
    b"decoded-content-length", b"expected-bucket-owner", b"if-match-initiated-time",
    b"if-match-last-modified-time", b"if-match-size", b"max-parts", b"metadata-directive", b"mfa",
    b"mp-object-size", b"object-annotation-directive", b"object-attributes", b"object-if-match",
    b"object-lock-event-hold", b"object-lock-event-hold-duration-days",
    b"object-lock-event-hold-duration-years", b"object-lock-legal-hold", b"object-lock-mode",
    b"object-lock-retain-until-date", b"object-ownership", b"optional-object-attributes",
    b"part-number-marker", b"rename-source-if-match", b"rename-source-if-modified-since",
    b"rename-source-if-none-match", b"rename-source-if-unmodified-since", b"request-payer",
    b"request-route", b"request-token", b"sdk-checksum-algorithm", b"security-token",
    b"server-side-encryption", b"server-side-encryption-aws-kms-key-id",
    b"server-side-encryption-bucket-key-enabled", b"server-side-encryption-context",
    b"skip-destination-validation", b"source-expected-bucket-owner", b"storage-class", b"tagging",
    b"tagging-directive", b"trailer", b"transition-default-minimum-object-size", b"user-agent",
    b"website-redirect-location", b"write-offset-bytes",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_sorted_and_fit() {
        assert!(OTHERS.is_sorted_by(|a, b| a < b));
        let longest = b"copy-source-server-side-encryption-customer-algorithm".len();
        assert!(OTHERS.iter().all(|name| name.len() <= longest));
        assert!(longest + AmzHeader::PREFIX.len() <= AmzHeader::LONGEST);
    }

    #[test]
    fn every_parameter_is_found_in_any_spelling() {
        for (parameter, name) in S3Parameter::ALL {
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
            assert_eq!(
                ParameterName::of(name.as_bytes()),
                ParameterName::Known(*parameter)
            );
            assert_eq!(
                ParameterName::of(encoded.as_bytes()),
                ParameterName::Known(*parameter)
            );
            // A sub-resource in upper case is another one.
            assert_ne!(
                ParameterName::of(name.to_uppercase().as_bytes()),
                ParameterName::Known(*parameter)
            );
        }
    }
}
