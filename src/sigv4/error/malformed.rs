//! What is wrong with a V4 authorization, or with a query.
use super::Rejection;
use crate::text::query::QueryFault;

/// What about a V4 authorization is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    Syntax,
    Algorithm,
    Credential,
    Service,
    Terminator,
    Region,
    /// The scope's date is not the request's.
    ScopeDate,
    Date,
    Expires,
    SignedHeaders,
    Signature,
    Missing,
    Repeated,
}

impl Malformed {
    pub(super) fn text(self) -> &'static str {
        match self {
            Malformed::Syntax => "expecting Credential, SignedHeaders and Signature",
            Malformed::Algorithm => "the algorithm must be AWS4-HMAC-SHA256",
            Malformed::Credential => {
                "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\""
            }
            Malformed::Service => "incorrect service; this endpoint belongs to \"s3\"",
            Malformed::Terminator => "incorrect terminal; this endpoint uses \"aws4_request\"",
            Malformed::Region => "the region is not a region name",
            Malformed::ScopeDate => {
                "invalid credential date; this date is not the same as X-Amz-Date"
            }
            Malformed::Date => {
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
            }
            Malformed::Expires => {
                "X-Amz-Expires must be a whole number of seconds from 1 to 604800"
            }
            Malformed::SignedHeaders => {
                "SignedHeaders must be header names in lower case, sorted and not repeated"
            }
            Malformed::Signature => "the signature is empty",
            Malformed::Missing => {
                "query-string authentication version 4 requires the X-Amz-Algorithm, \
                 X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
                 X-Amz-Expires parameters"
            }
            Malformed::Repeated => "a signature parameter is repeated or misspelt",
        }
    }
}

impl From<QueryFault> for Rejection {
    fn from(fault: QueryFault) -> Rejection {
        match fault {
            QueryFault::TooMany => Rejection::TooManyParameters,
            QueryFault::Escape => Rejection::InvalidUri,
        }
    }
}
