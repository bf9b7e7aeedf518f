//! The texts of rejections.
use std::borrow::Cow;

use super::Rejection;

pub(super) const RESPONSE_HEADERS: &str =
    "Request specific response headers cannot be used for anonymous GET requests.";

pub(super) const CORS_NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because the \
     evaluation of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not \
     whitelisted by the resource's CORS spec.";
pub(super) const NAMES_NOT_MAPPED: &str = "Buckets have other names at the origin, and those in the documents of this \
     operation are not mapped.";
pub(super) const UNSIGNED_KEY: &str =
    "Objects here are encrypted with a key that is not for unsigned requests.";
pub(super) const NO_KEYS_OF_ACCOUNT: &str =
    "No origin here has keys for the account of this client.";

impl Rejection {
    /// Returns the text in S3's XML; holds nothing secret, and nothing of the request but, where a form is
    /// not what its policy says, names of its fields and a condition.
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Rejection::HeaderMalformed(what)
            | Rejection::QueryMalformed(what)
            | Rejection::FormMalformed(what) => {
                format!("{}; {}.", self.row().2, what.text()).into()
            }
            Rejection::WrongRegion { expected, .. } => format!(
                "{}; the region is wrong; expecting '{expected}'",
                self.row().2
            )
            .into(),
            Rejection::MissingField(name) => format!(
                "Bucket POST must contain a field named '{name}'. If it is specified, please check \
                 the order of the fields."
            )
            .into(),
            Rejection::PolicyCondition(condition) => {
                format!("Invalid according to Policy: Policy Condition failed: {condition}").into()
            }
            Rejection::ExtraField(name) => {
                format!("Invalid according to Policy: Extra input fields: {name}").into()
            }
            Rejection::InvalidChecksum(algorithm) => format!(
                "Value for {} trailing header is invalid.",
                algorithm.header().escape_ascii()
            )
            .into(),
            Rejection::InvalidChecksumHeader(algorithm) => format!(
                "Value for {} header is invalid.",
                algorithm.header().escape_ascii()
            )
            .into(),
            Rejection::BadDigest(algorithm) => format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            )
            .into(),
            other => other.row().2.into(),
        }
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

impl std::error::Error for Rejection {}
