//! Why a request is rejected, with S3's codes, statuses and texts.
mod checksum;
mod malformed;
mod message;
mod server;
mod table;
mod unsignable;

pub use self::{
    checksum::ChecksumFault, malformed::Malformed, server::ServerError, unsignable::Unsignable,
};
use crate::{auth_type::AuthType, checksum::ChecksumAlgorithm, region::Region};

/// Why a request was rejected.
///
/// Codes, statuses and texts are those of S3:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Not signed, or not granted to this client.
    AccessDenied,
    /// An `x-amz-*` header, or `host`, is not among the signed ones.
    UnsignedHeaders,
    /// Headers that are wanted in the answer to a request which nobody has signed.
    ResponseHeaders,
    /// A V2 signature does not cover this query parameter.
    UnsignedParameter,
    /// A V2 signature of this query parameter could also be the signature of two others.
    AmbiguousParameter,
    /// Neither `x-amz-date` nor `Date`, or not readable.
    MissingDate,
    /// A presigned request after its end.
    RequestExpired,
    /// A presigned request before its beginning.
    NotYetValid,
    /// A V2 query without one of its three parameters.
    IncompleteV2Query,
    RequestTimeTooSkewed,
    InvalidAccessKeyId,
    /// A session token that is not the one of its access key.
    InvalidToken,
    /// A session token that was made in the future.
    TokenNotYetValid,
    /// A session token that is valid for longer than its issuer may make one.
    TokenLifetime,
    /// An access key, or a session token, after its end.
    ExpiredToken,
    /// A minted access key that was ended before its time.
    Revoked,
    SignatureDoesNotMatch,
    /// The `Authorization` header could not be read.
    HeaderMalformed(Malformed),
    /// The query parameters of a presigned request could not be read.
    QueryMalformed(Malformed),
    /// The credential scope names another region than the one expected here.
    WrongRegion {
        expected: Region,
        auth_type: AuthType,
    },
    /// A `%` without two hexadecimal digits, a raw `#`, or a path that does not begin with `/` and a name.
    InvalidUri,
    /// A path, or the key of a form, that leaves its bucket.
    LeavesBucket,
    /// A copy source that leaves its bucket.
    InvalidSource,
    /// A path that begins with a name which no bucket has here.
    ReservedName,
    /// An unsigned request for an object that is encrypted with a key of the operator's.
    UnsignedKey,
    /// A client whose account no origin has keys for.
    NoKeysOfAccount,
    /// A bucket of this name that no origin has.
    NoSuchBucket(Box<str>),
    /// An operation whose documents name buckets, where origins have other names than clients.
    NamesNotMapped,
    /// A host with the name of a bucket in front, where buckets are in the path.
    BucketInHost,
    /// A host that is none of the server's, or with something in front that is no name of a bucket.
    UnknownHost,
    /// A preflight for what a page of that origin may not do.
    CorsNotAllowed,
    MissingPayloadHash,
    /// A V2 request where `signature_v2` is off.
    SignatureV4Required,
    /// More than one way of signing in one request.
    SeveralMechanisms,
    /// An `Authorization` scheme that S3 does not know.
    UnknownMechanism,
    /// An `Authorization` header that is one word: it has no credentials.
    NoCredentials,
    /// `x-amz-content-sha256` is neither a hash nor a known word.
    InvalidPayloadHash,
    /// A body in signed chunks, in a request that is not signed.
    AnonymousStreaming,
    /// `x-amz-content-sha256` differs between header and query.
    PayloadHashConflict,
    /// A header that must occur once is repeated.
    RepeatedHeader,
    /// A header name or value with a line break.
    InvalidHeader,
    TooManyParameters,
    TooManyHeaders,
    /// A form of upload that is not supported.
    NotImplemented,
    /// For the caller: a browser's form, whose signature is in its body. Only
    /// [`verify_form`](crate::verify_form) can accept it.
    ProofInBody,
    /// A method that S3 lacks, or has not there: a browser's form is for a bucket.
    MethodNotAllowed,
    /// A browser's form that cannot be read, or that two readers could read differently.
    MalformedForm,
    /// Too many fields before a form's file, or too long ones.
    FormFieldsTooLong,
    /// A form without a file, or with several.
    NotOneFile,
    /// A form without a key.
    MissingKey,
    /// A form without one of the fields that its way of signing needs.
    MissingField(&'static str),
    /// A form with the same field twice.
    RepeatedField,
    /// A form's field that must not be there, or not with such a value.
    InvalidField,
    KeyTooLong,
    /// The signature's parts in a form could not be read.
    FormMalformed(Malformed),
    /// A form's policy could not be read.
    InvalidPolicy,
    PolicyExpired,
    /// This condition of its policy does not hold for a form.
    PolicyCondition(Box<str>),
    /// This field of a form is not in its policy.
    ExtraField(Box<str>),
    EntityTooSmall,
    /// `x-amz-decoded-content-length` is missing or no length.
    MissingDecodedLength,
    /// A body that is too long.
    EntityTooLarge,
    /// The checksums that a head announces do not fit together.
    Checksums(ChecksumFault),
    /// A body in `aws-chunked` framing that has another length than announced, or breaks off.
    IncompleteBody,
    /// A chunk that is too small, and is not the last one.
    SmallChunk {
        /// The number of the next one, from 1 on.
        followed_by: u64,
        length: u64,
    },
    /// A body whose `aws-chunked` framing cannot be read.
    MalformedChunk,
    /// Other trailers than those announced, or a signed one that was not.
    MalformedTrailer,
    /// A trailer that is no checksum of its algorithm.
    InvalidChecksum(ChecksumAlgorithm),
    /// A header that is no checksum of its algorithm.
    InvalidChecksumHeader(ChecksumAlgorithm),
    /// A checksum that does not match the data.
    BadDigest(ChecksumAlgorithm),
    /// The body of CreateBucket is not one that all readers read alike, or is too long.
    MalformedXml,
    /// An upload id that was sealed for no origin here, or for another bucket or key.
    NoSuchUpload,
    /// As `NoSuchUpload`, of `upload-id-marker`.
    WrongUploadIdMarker,
    /// As `NoSuchUpload`, of `version-id-marker`.
    WrongVersionIdMarker,
    /// As `NoSuchUpload`, of a continuation token.
    WrongContinuationToken,
    /// A bucket in another region than the one that clients sign for.
    IllegalLocationConstraint,
    /// A body whose hash is not the one in `x-amz-content-sha256`; its own, in hexadecimal digits, if it has been made.
    PayloadMismatch(Option<Box<[u8; 64]>>),
    /// For the caller: no fault of the request.
    InternalError,
    /// For the caller: an error of the server's own, see [`of_status`](Rejection::of_status).
    Server(ServerError),
}

impl Rejection {
    /// Every [`code`](Rejection::code) that there is, for tables of them.
    pub const CODES: [&'static str; 41] = [
        "AccessDenied",
        "RequestTimeTooSkewed",
        "InvalidAccessKeyId",
        "InvalidToken",
        "ExpiredToken",
        "SignatureDoesNotMatch",
        "AuthorizationHeaderMalformed",
        "AuthorizationQueryParametersError",
        "InvalidURI",
        "InvalidRequest",
        "InvalidArgument",
        "RequestHeaderSectionTooLarge",
        "NotImplemented",
        "MissingContentLength",
        "EntityTooLarge",
        "EntityTooSmall",
        "IncompleteBody",
        "MalformedTrailerError",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "IncorrectNumberOfFilesInPostRequest",
        "InvalidPolicyDocument",
        "KeyTooLongError",
        "MalformedPOSTRequest",
        "MaxPostPreDataLengthExceededError",
        "MethodNotAllowed",
        "UserKeyMustBeSpecified",
        "AccessForbidden",
        "MalformedXML",
        "IllegalLocationConstraintException",
        "BadRequest",
        "InvalidRange",
        "NoSuchKey",
        "NoSuchBucket",
        "NoSuchUpload",
        "PreconditionFailed",
        "ServiceUnavailable",
        "SlowDown",
        "400",
        "InvalidChunkSizeError",
        "InternalError",
    ];

    /// Returns the error code in S3's XML.
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// Returns the HTTP status that S3 answers with.
    pub fn status(&self) -> u16 {
        self.row().1
    }

    /// Returns the HTTP status that s3proxy answers with: 400 for an unknown access key too.
    pub fn status_s3proxy(&self) -> u16 {
        match self {
            Rejection::InvalidAccessKeyId => 400,
            other => other.status(),
        }
    }

    /// Returns the region to sign for, if another one was signed for.
    pub fn expected_region(&self) -> Option<&Region> {
        match self {
            Rejection::WrongRegion { expected, .. } => Some(expected),
            _ => None,
        }
    }

    /// Whether it is the signature that is wrong, which [`explain`](crate::explain) helps with.
    pub fn is_mismatch(&self) -> bool {
        *self == Rejection::SignatureDoesNotMatch
    }
}
