//! Why a request is rejected, with S3's codes, statuses and texts.
mod checksum;
mod malformed;
mod message;
mod server;
mod unsignable;

pub use self::{
    checksum::ChecksumFault, malformed::Malformed, server::ServerError, unsignable::Unsignable,
};
use crate::{checksum::ChecksumAlgorithm, region::Region};

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
    SignatureDoesNotMatch,
    /// The `Authorization` header could not be read.
    HeaderMalformed(Malformed),
    /// The query parameters of a presigned request could not be read.
    QueryMalformed(Malformed),
    /// The credential scope names another region than the one expected here.
    WrongRegion {
        expected: Region,
    },
    /// A `%` without two hexadecimal digits, a raw `#`, or a path that does not begin with `/` or leaves
    /// its bucket.
    InvalidUri,
    /// A copy source that leaves its bucket.
    InvalidSource,
    /// A path that begins with a name which no bucket has here.
    ReservedName,
    /// An unsigned request for an object that is encrypted with a key of the operator's.
    UnsignedKey,
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
    /// `x-amz-content-sha256` is neither a hash nor a known word.
    InvalidPayloadHash,
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
    /// As `NoSuchUpload`, of a continuation token.
    WrongContinuationToken,
    /// A bucket in another region than the one that clients sign for.
    IllegalLocationConstraint,
    /// A body whose hash is not the one in `x-amz-content-sha256`.
    PayloadMismatch,
    /// For the caller: no fault of the request.
    InternalError,
    /// For the caller: an error of the server's own, see [`of_status`](Rejection::of_status).
    Server(ServerError),
}

impl Rejection {
    /// Every [`code`](Rejection::code) that there is, for tables of them.
    pub const CODES: [&'static str; 37] = [
        "AccessDenied",
        "RequestTimeTooSkewed",
        "InvalidAccessKeyId",
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
            Rejection::WrongRegion { expected } => Some(expected),
            _ => None,
        }
    }

    /// Whether it is the signature that is wrong, which [`explain`](crate::explain) helps with.
    pub fn is_mismatch(&self) -> bool {
        *self == Rejection::SignatureDoesNotMatch
    }

    /// Returns code, status and text.
    fn row(&self) -> (&'static str, u16, &'static str) {
        match self {
            Rejection::AccessDenied => ("AccessDenied", 403, "Access Denied"),
            Rejection::UnsignedHeaders => (
                "AccessDenied",
                403,
                "There were headers present in the request which were not signed",
            ),
            Rejection::ResponseHeaders => ("InvalidRequest", 400, message::RESPONSE_HEADERS),
            Rejection::UnsignedParameter => (
                "AccessDenied",
                403,
                "There were query parameters present in the request which were not signed",
            ),
            Rejection::AmbiguousParameter => (
                "InvalidArgument",
                400,
                "Signature Version 2 cannot tell this query parameter from two. Please use AWS4-HMAC-SHA256.",
            ),
            Rejection::MissingDate => (
                "AccessDenied",
                403,
                "AWS authentication requires a valid Date or x-amz-date header",
            ),
            Rejection::RequestExpired => ("AccessDenied", 403, "Request has expired"),
            Rejection::NotYetValid => ("AccessDenied", 403, "Request is not valid yet"),
            Rejection::IncompleteV2Query => (
                "AccessDenied",
                403,
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
            ),
            Rejection::RequestTimeTooSkewed => (
                "RequestTimeTooSkewed",
                403,
                "The difference between the request time and the current time is too large.",
            ),
            Rejection::InvalidAccessKeyId => (
                "InvalidAccessKeyId",
                403,
                "The AWS Access Key Id you provided does not exist in our records.",
            ),
            Rejection::SignatureDoesNotMatch => (
                "SignatureDoesNotMatch",
                403,
                "The request signature we calculated does not match the signature you provided. \
                 Check your key and signing method.",
            ),
            Rejection::HeaderMalformed(_) | Rejection::WrongRegion { .. } => (
                "AuthorizationHeaderMalformed",
                400,
                "The authorization header is malformed.",
            ),
            Rejection::QueryMalformed(_) => (
                "AuthorizationQueryParametersError",
                400,
                "Error parsing the query parameters.",
            ),
            Rejection::InvalidUri => ("InvalidURI", 400, "Couldn't parse the specified URI."),
            Rejection::InvalidSource => (
                "InvalidArgument",
                400,
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ),
            Rejection::ReservedName => (
                "AccessDenied",
                403,
                "The path is reserved, and not passed on.",
            ),
            Rejection::UnsignedKey => (
                "AccessDenied",
                403,
                "Objects here are encrypted with a key that is not for unsigned requests.",
            ),
            Rejection::NoSuchBucket(_) => {
                ("NoSuchBucket", 404, "The specified bucket does not exist")
            }
            Rejection::NamesNotMapped => (
                "NotImplemented",
                501,
                "Buckets have other names at the origin, and those in the documents of this operation are not mapped.",
            ),
            Rejection::BucketInHost => (
                "InvalidRequest",
                400,
                "The host seems to begin with the name of a bucket. Please use path-style addressing.",
            ),
            Rejection::UnknownHost => ("InvalidRequest", 400, "The host is none of this server's."),
            Rejection::CorsNotAllowed => (
                "AccessForbidden",
                403,
                "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of \
                 Origin, request method / Access-Control-Request-Method or \
                 Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            ),
            Rejection::MissingPayloadHash => (
                "InvalidRequest",
                400,
                "Missing required header for this request: x-amz-content-sha256",
            ),
            Rejection::SignatureV4Required => (
                "InvalidRequest",
                400,
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
            ),
            Rejection::SeveralMechanisms => (
                "InvalidArgument",
                400,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be specified",
            ),
            Rejection::UnknownMechanism => {
                ("InvalidArgument", 400, "Unsupported Authorization Type")
            }
            Rejection::InvalidPayloadHash => (
                "InvalidArgument",
                400,
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
                 STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value.",
            ),
            Rejection::PayloadHashConflict => (
                "InvalidArgument",
                400,
                "x-amz-content-sha256 differs between the header and the query.",
            ),
            Rejection::RepeatedHeader => (
                "InvalidArgument",
                400,
                "A header that may occur once only is repeated.",
            ),
            Rejection::InvalidHeader => (
                "InvalidArgument",
                400,
                "A header has an invalid name or value.",
            ),
            Rejection::TooManyParameters => (
                "InvalidArgument",
                400,
                "The request has too many query parameters.",
            ),
            Rejection::TooManyHeaders => (
                "RequestHeaderSectionTooLarge",
                400,
                "Your request header section exceeds the maximum allowed request header section size.",
            ),
            Rejection::MethodNotAllowed => (
                "MethodNotAllowed",
                405,
                "The specified method is not allowed against this resource.",
            ),
            Rejection::MalformedForm => (
                "MalformedPOSTRequest",
                400,
                "The body of your POST request is not well-formed multipart/form-data.",
            ),
            Rejection::FormFieldsTooLong => (
                "MaxPostPreDataLengthExceededError",
                400,
                "Your POST request fields preceding the upload file were too large.",
            ),
            Rejection::NotOneFile => (
                "IncorrectNumberOfFilesInPostRequest",
                400,
                "POST requires exactly one file upload per request.",
            ),
            Rejection::MissingKey => (
                "UserKeyMustBeSpecified",
                400,
                "The bucket POST must contain the specified field name. If it is specified, check \
                 the order of the fields.",
            ),
            Rejection::MissingField(_) | Rejection::FormMalformed(_) => {
                ("InvalidArgument", 400, "Error parsing the form fields.")
            }
            Rejection::MalformedXml => (
                "MalformedXML",
                400,
                "The XML you provided was not well-formed or did not validate against our published schema.",
            ),
            Rejection::NoSuchUpload => (
                "NoSuchUpload",
                404,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may \
                 have been aborted or completed.",
            ),
            Rejection::WrongUploadIdMarker => ("InvalidArgument", 400, "Invalid uploadId marker"),
            Rejection::WrongContinuationToken => (
                "InvalidArgument",
                400,
                "The continuation token provided is incorrect",
            ),
            Rejection::IllegalLocationConstraint => (
                "IllegalLocationConstraintException",
                400,
                "The specified location constraint is incompatible for the region specific endpoint \
                 this request was sent to.",
            ),
            Rejection::RepeatedField => ("InvalidArgument", 400, "A form field is repeated."),
            Rejection::InvalidField => (
                "InvalidArgument",
                400,
                "A form field has an invalid name or value.",
            ),
            Rejection::KeyTooLong => ("KeyTooLongError", 400, "Your key is too long"),
            Rejection::InvalidPolicy => (
                "InvalidPolicyDocument",
                400,
                "The content of the form does not meet the conditions specified in the policy \
                 document: it could not be read.",
            ),
            Rejection::PolicyExpired => (
                "AccessDenied",
                403,
                "Invalid according to Policy: Policy expired.",
            ),
            Rejection::PolicyCondition(_) | Rejection::ExtraField(_) => {
                ("AccessDenied", 403, "Invalid according to Policy")
            }
            Rejection::EntityTooSmall => (
                "EntityTooSmall",
                400,
                "Your proposed upload is smaller than the minimum allowed object size.",
            ),
            Rejection::NotImplemented | Rejection::ProofInBody => (
                "NotImplemented",
                501,
                "A header you provided implies functionality that is not implemented.",
            ),
            Rejection::MissingDecodedLength => (
                "MissingContentLength",
                411,
                "You must provide the Content-Length HTTP header.",
            ),
            Rejection::EntityTooLarge => (
                "EntityTooLarge",
                400,
                "Your proposed upload exceeds the maximum allowed size.",
            ),
            Rejection::Checksums(fault) => ("InvalidRequest", 400, fault.text()),
            Rejection::IncompleteBody => (
                "IncompleteBody",
                400,
                "You did not provide the number of bytes specified by the \
                 x-amz-decoded-content-length HTTP header.",
            ),
            Rejection::MalformedChunk => (
                "IncompleteBody",
                400,
                "The request body is not in aws-chunked framing.",
            ),
            Rejection::MalformedTrailer => (
                "MalformedTrailerError",
                400,
                "The request contained trailing data that was not well-formed or did not conform \
                 to our published schema.",
            ),
            Rejection::InvalidChecksum(_) | Rejection::InvalidChecksumHeader(_) => {
                ("InvalidRequest", 400, "The value of a checksum is invalid.")
            }
            Rejection::BadDigest(_) => (
                "BadDigest",
                400,
                "The checksum you specified did not match the calculated checksum.",
            ),
            Rejection::PayloadMismatch => (
                "XAmzContentSHA256Mismatch",
                400,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            Rejection::InternalError => ("InternalError", 500, server::INTERNAL_ERROR),
            Rejection::Server(error) => error.row(),
        }
    }
}
