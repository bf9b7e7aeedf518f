//! What is wrong with a call, with the codes, statuses and texts of AWS.
use std::borrow::Cow;

use sigv4::{AuthType, Malformed, Rejected, Rejection};

/// What kind of fault it is.
///
/// Sources: [all services][common], [AssumeRole][role], [AssumeRoleWithWebIdentity][web].
///
/// [common]: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
/// [role]: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
/// [web]: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    AccessDenied,
    /// A session key after its end.
    ExpiredToken,
    /// A token of an identity provider after its end.
    ExpiredTokenException,
    /// The keys of an identity provider are not there. SDKs try again by themselves.
    IdpCommunicationError,
    IncompleteSignature,
    InternalFailure,
    InvalidAction,
    InvalidClientTokenId,
    /// A token of an identity provider that is none of it, or not for here.
    InvalidIdentityToken,
    MalformedPolicyDocument,
    MalformedQueryString,
    MissingAction,
    MissingAuthenticationToken,
    PackedPolicyTooLarge,
    RequestEntityTooLarge,
    SignatureDoesNotMatch,
    Throttling,
    ValidationError,
}

impl FaultKind {
    pub const ALL: [FaultKind; 18] = [
        FaultKind::AccessDenied,
        FaultKind::ExpiredToken,
        FaultKind::ExpiredTokenException,
        FaultKind::IdpCommunicationError,
        FaultKind::IncompleteSignature,
        FaultKind::InternalFailure,
        FaultKind::InvalidAction,
        FaultKind::InvalidClientTokenId,
        FaultKind::InvalidIdentityToken,
        FaultKind::MalformedPolicyDocument,
        FaultKind::MalformedQueryString,
        FaultKind::MissingAction,
        FaultKind::MissingAuthenticationToken,
        FaultKind::PackedPolicyTooLarge,
        FaultKind::RequestEntityTooLarge,
        FaultKind::SignatureDoesNotMatch,
        FaultKind::Throttling,
        FaultKind::ValidationError,
    ];

    /// Returns code and HTTP status: the one table of faults.
    fn row(self) -> (&'static str, u16) {
        match self {
            FaultKind::AccessDenied => ("AccessDenied", 403),
            FaultKind::ExpiredToken => ("ExpiredToken", 403),
            FaultKind::ExpiredTokenException => ("ExpiredTokenException", 400),
            FaultKind::IdpCommunicationError => ("IDPCommunicationError", 400),
            FaultKind::IncompleteSignature => ("IncompleteSignature", 400),
            FaultKind::InternalFailure => ("InternalFailure", 500),
            FaultKind::InvalidAction => ("InvalidAction", 400),
            FaultKind::InvalidClientTokenId => ("InvalidClientTokenId", 403),
            FaultKind::InvalidIdentityToken => ("InvalidIdentityToken", 400),
            FaultKind::MalformedPolicyDocument => ("MalformedPolicyDocument", 400),
            FaultKind::MalformedQueryString => ("MalformedQueryString", 404),
            FaultKind::MissingAction => ("MissingAction", 400),
            FaultKind::MissingAuthenticationToken => ("MissingAuthenticationToken", 403),
            FaultKind::PackedPolicyTooLarge => ("PackedPolicyTooLarge", 400),
            FaultKind::RequestEntityTooLarge => ("RequestEntityTooLarge", 413),
            FaultKind::SignatureDoesNotMatch => ("SignatureDoesNotMatch", 403),
            FaultKind::Throttling => ("Throttling", 400),
            FaultKind::ValidationError => ("ValidationError", 400),
        }
    }

    pub fn code(self) -> &'static str {
        self.row().0
    }

    pub fn status(self) -> u16 {
        self.row().1
    }

    /// Whether it is the caller's fault, as `Type` in an answer says.
    pub fn is_senders(self) -> bool {
        self.status() < 500
    }
}

/// What is wrong with a call. The message is shown to the caller, and has nothing secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub message: Cow<'static, str>,
}

impl Fault {
    pub fn new(kind: FaultKind, message: impl Into<Cow<'static, str>>) -> Fault {
        Fault {
            kind,
            message: message.into(),
        }
    }

    /// For the caller: no fault of the call.
    pub fn internal() -> Fault {
        Fault::new(
            FaultKind::InternalFailure,
            "The request processing has failed because of an unknown error, exception or failure.",
        )
    }

    /// For the caller: a body that is longer than [`MAX_BODY`](crate::MAX_BODY).
    pub fn too_large() -> Fault {
        Fault::new(
            FaultKind::RequestEntityTooLarge,
            "The request entity is too large.",
        )
    }

    /// For the caller: more calls than are wanted.
    pub fn throttling() -> Fault {
        Fault::new(FaultKind::Throttling, "Rate exceeded")
    }

    pub(crate) fn validation(message: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(FaultKind::ValidationError, message)
    }

    /// Returns what is said of the signature that a call has, or has not.
    pub fn of_rejected(rejected: &Rejected<'_>) -> Fault {
        let is_signed = match rejected.auth_type {
            None => true,
            Some(auth_type) => {
                matches!(auth_type, AuthType::V4Header | AuthType::V4Query)
            }
        };
        match is_signed {
            true => Fault::of_rejection(&rejected.rejection),
            false => Fault::new(
                FaultKind::MissingAuthenticationToken,
                "Request is missing Authentication Token",
            ),
        }
    }

    fn of_rejection(rejection: &Rejection) -> Fault {
        let (kind, message) = match rejection {
            Rejection::InvalidAccessKeyId
            | Rejection::InvalidToken
            | Rejection::TokenNotYetValid
            | Rejection::TokenLifetime => (
                FaultKind::InvalidClientTokenId,
                "The security token included in the request is invalid.",
            ),
            Rejection::Revoked => (FaultKind::AccessDenied, "The access key has been revoked."),
            Rejection::ExpiredToken => (
                FaultKind::ExpiredToken,
                "The security token included in the request is expired",
            ),
            Rejection::SignatureDoesNotMatch | Rejection::PayloadMismatch(_) => (
                FaultKind::SignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details.",
            ),
            Rejection::RequestTimeTooSkewed | Rejection::RequestExpired => (
                FaultKind::SignatureDoesNotMatch,
                "Signature expired: its time is too far from the server's",
            ),
            Rejection::NotYetValid => (
                FaultKind::SignatureDoesNotMatch,
                "Signature not yet current: its time is later than the server's",
            ),
            Rejection::UnsignedHeaders => (
                FaultKind::SignatureDoesNotMatch,
                "'Host' and each 'x-amz-*' header must be a 'SignedHeader' in the AWS Authorization.",
            ),
            Rejection::HeaderMalformed(Malformed::Service)
            | Rejection::QueryMalformed(Malformed::Service) => (
                FaultKind::SignatureDoesNotMatch,
                "Credential should be scoped to correct service: 'sts'.",
            ),
            Rejection::MissingDate => (
                FaultKind::IncompleteSignature,
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
            ),
            Rejection::InternalError => return Fault::internal(),
            Rejection::InvalidUri => (
                FaultKind::MalformedQueryString,
                "The path of the request is not one that can be signed in one way only.",
            ),
            _ => (
                FaultKind::IncompleteSignature,
                "The request signature does not conform to AWS standards.",
            ),
        };
        Fault::new(kind, message)
    }
}
