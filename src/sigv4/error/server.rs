//! What a server in front of S3 answers by itself, as S3 would say it.
use crate::error::Rejection;

/// An error of the server's own, of which the rules of S3 know nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerError {
    /// A request that is not HTTP, or not for this server.
    BadRequest,
    /// Another way than S3's of telling who a client is was asked for, and has not been used.
    Unauthorized,
    NoSuchKey,
    PreconditionFailed,
    InvalidRange,
    /// Too many requests: by S3's status, or by HTTP's.
    SlowDown,
    TooManyRequests,
    BadGateway,
    ServiceUnavailable,
    GatewayTimeout,
    /// Any other status, from 400 on.
    Other(u16),
}

impl ServerError {
    /// Returns code, status and text.
    ///
    /// SDKs try again what S3 calls an `InternalError`, `ServiceUnavailable` or `SlowDown`. S3 has neither 502
    /// nor 504; they are told apart by their statuses, by which SDKs try again, too.
    pub(super) fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            ServerError::BadRequest => (
                "BadRequest",
                400,
                "An error occurred when parsing the HTTP request.",
            ),
            ServerError::Unauthorized => ("AccessDenied", 401, "Access Denied"),
            ServerError::NoSuchKey => ("NoSuchKey", 404, "The specified key does not exist."),
            ServerError::PreconditionFailed => (
                "PreconditionFailed",
                412,
                "At least one of the pre-conditions you specified did not hold",
            ),
            ServerError::InvalidRange => (
                "InvalidRange",
                416,
                "The requested range is not satisfiable",
            ),
            ServerError::SlowDown => ("SlowDown", 503, SLOW_DOWN),
            ServerError::TooManyRequests => ("SlowDown", 429, SLOW_DOWN),
            ServerError::BadGateway => ("InternalError", 502, INTERNAL_ERROR),
            ServerError::ServiceUnavailable => (
                "ServiceUnavailable",
                503,
                "Service is unable to handle request.",
            ),
            ServerError::GatewayTimeout => ("InternalError", 504, INTERNAL_ERROR),
            ServerError::Other(status @ 500..) if status != VERSION_NOT_SUPPORTED => {
                ("InternalError", status, INTERNAL_ERROR)
            }
            ServerError::Other(status) => (
                "InvalidRequest",
                status,
                "The request is not valid for this server.",
            ),
        }
    }
}

const SLOW_DOWN: &str = "Please reduce your request rate.";
pub(super) const INTERNAL_ERROR: &str = "We encountered an internal error. Please try again.";

/// A fault of the request, although it is a 5xx: it is not to be tried again.
const VERSION_NOT_SUPPORTED: u16 = 505;

impl Rejection {
    /// Returns the error of S3's that says what a status of the server's own says. `is_limited`: it has had too
    /// many requests.
    pub fn of_status(status: u16, is_limited: bool) -> Rejection {
        let error = match status {
            400 => ServerError::BadRequest,
            401 => ServerError::Unauthorized,
            403 => return Rejection::AccessDenied,
            404 => ServerError::NoSuchKey,
            405 => return Rejection::MethodNotAllowed,
            411 => return Rejection::MissingDecodedLength,
            412 => ServerError::PreconditionFailed,
            413 => return Rejection::EntityTooLarge,
            // S3 counts the query as part of the section.
            414 | 431 => return Rejection::TooManyHeaders,
            416 => ServerError::InvalidRange,
            429 => ServerError::TooManyRequests,
            500 => return Rejection::InternalError,
            501 => return Rejection::NotImplemented,
            502 => ServerError::BadGateway,
            503 if is_limited => ServerError::SlowDown,
            503 => ServerError::ServiceUnavailable,
            504 => ServerError::GatewayTimeout,
            other => ServerError::Other(other),
        };
        Rejection::Server(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (status, is_limited, expected) in [
            (400, false, ("BadRequest", 400)),
            (401, false, ("AccessDenied", 401)),
            (403, false, ("AccessDenied", 403)),
            (404, false, ("NoSuchKey", 404)),
            (405, false, ("MethodNotAllowed", 405)),
            (409, false, ("InvalidRequest", 409)),
            (411, false, ("MissingContentLength", 411)),
            (412, false, ("PreconditionFailed", 412)),
            (413, false, ("EntityTooLarge", 400)),
            (414, false, ("RequestHeaderSectionTooLarge", 400)),
            (416, false, ("InvalidRange", 416)),
            (421, false, ("InvalidRequest", 421)),
            (429, true, ("SlowDown", 429)),
            (429, false, ("SlowDown", 429)),
            (431, false, ("RequestHeaderSectionTooLarge", 400)),
            (500, false, ("InternalError", 500)),
            (501, false, ("NotImplemented", 501)),
            (502, false, ("InternalError", 502)),
            (503, false, ("ServiceUnavailable", 503)),
            (503, true, ("SlowDown", 503)),
            (504, false, ("InternalError", 504)),
            (505, false, ("InvalidRequest", 505)),
            (507, false, ("InternalError", 507)),
        ] {
            let rejection = Rejection::of_status(status, is_limited);
            assert_eq!((rejection.code(), rejection.status()), expected, "{status}");
        }
    }

    #[test]
    fn every_code_has_a_counter() {
        for status in 400..600 {
            for is_limited in [false, true] {
                let code = Rejection::of_status(status, is_limited).code();
                assert!(Rejection::CODES.contains(&code), "{status}: {code}");
            }
        }
    }
}
