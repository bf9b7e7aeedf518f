//! The one table of rejections.
use super::{Rejection, message, server};
use crate::auth_type::AuthType;

impl Rejection {
    /// Returns code, status and text.
    pub(super) fn row(&self) -> (&'static str, u16, &'static str) {
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
            Rejection::InvalidToken => (
                "InvalidToken",
                400,
                "The provided token is malformed or otherwise invalid.",
            ),
            Rejection::TokenNotYetValid => {
                ("InvalidToken", 400, "The provided token is not valid yet.")
            }
            Rejection::TokenLifetime => (
                "InvalidToken",
                400,
                "The provided token is valid for longer than is allowed here.",
            ),
            Rejection::Revoked => ("AccessDenied", 403, "The access key has been revoked."),
            Rejection::ExpiredToken => ("ExpiredToken", 400, "The provided token has expired."),
            Rejection::SignatureDoesNotMatch => (
                "SignatureDoesNotMatch",
                403,
                "The request signature we calculated does not match the signature you provided. \
                 Check your key and signing method.",
            ),
            Rejection::QueryMalformed(_)
            | Rejection::WrongRegion {
                auth_type: AuthType::V4Query,
                ..
            } => (
                "AuthorizationQueryParametersError",
                400,
                "Error parsing the query parameters",
            ),
            Rejection::MissingField(_)
            | Rejection::FormMalformed(_)
            | Rejection::WrongRegion {
                auth_type: AuthType::PostPolicy,
                ..
            } => ("InvalidArgument", 400, "Error parsing the form fields"),
            Rejection::HeaderMalformed(_) | Rejection::WrongRegion { .. } => (
                "AuthorizationHeaderMalformed",
                400,
                "The authorization header is malformed",
            ),
            Rejection::InvalidUri => ("InvalidURI", 400, "Couldn't parse the specified URI."),
            // S3 says nothing but the status, of which the AWS CLI and boto3 make this code.
            Rejection::LeavesBucket => ("400", 400, "Bad Request: the path leaves its bucket."),
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
            Rejection::UnsignedKey => ("AccessDenied", 403, message::UNSIGNED_KEY),
            Rejection::NoKeysOfAccount => ("AccessDenied", 403, message::NO_KEYS_OF_ACCOUNT),
            Rejection::NoSuchBucket(_) => {
                ("NoSuchBucket", 404, "The specified bucket does not exist")
            }
            Rejection::NamesNotMapped => ("NotImplemented", 501, message::NAMES_NOT_MAPPED),
            Rejection::BucketInHost => (
                "InvalidRequest",
                400,
                "The host seems to begin with the name of a bucket. Please use path-style addressing.",
            ),
            Rejection::UnknownHost => ("InvalidRequest", 400, "The host is none of this server's."),
            Rejection::CorsNotAllowed => ("AccessForbidden", 403, message::CORS_NOT_ALLOWED),
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
            Rejection::NoCredentials => (
                "InvalidArgument",
                400,
                "Authorization header is invalid -- one and only one ' ' (space) required.",
            ),
            Rejection::AnonymousStreaming => (
                "InvalidRequest",
                400,
                "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD.",
            ),
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
            Rejection::WrongVersionIdMarker => {
                ("InvalidArgument", 400, "Invalid version id specified")
            }
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
            Rejection::SmallChunk { .. } => (
                "InvalidChunkSizeError",
                403,
                "Only the last chunk is allowed to have a size less than 8192 bytes",
            ),
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
            Rejection::PayloadMismatch(_) => (
                "XAmzContentSHA256Mismatch",
                400,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            Rejection::InternalError => ("InternalError", 500, server::INTERNAL_ERROR),
            Rejection::Server(error) => error.row(),
        }
    }
}
