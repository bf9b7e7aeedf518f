//! Why a token of an identity provider has no role.
use crate::fault::{Fault, FaultKind};

/// Why a token has no role, with what AWS says to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFault {
    /// It is no JWT in the one form that is read here: the compact one, signed, without extensions.
    Malformed,
    /// It is signed by another algorithm than `RS256`, `ES256` and `EdDSA`.
    Algorithm,
    /// It is of another issuer than the role's.
    Issuer,
    /// It is for another audience than the role's.
    Audience,
    /// This claim is not there, or of another kind.
    Claim(&'static str),
    Expired,
    /// It is not valid yet, or was issued in the future.
    NotYetValid,
    /// The provider has no key that its head names: get its keys again if they are old.
    UnknownKey,
    /// None of the provider's keys has signed it.
    Signature,
    /// A condition of the role does not hold.
    Condition,
    /// For the caller: the provider's keys are not there.
    NoKeys,
}

impl TokenFault {
    /// Returns a word for it, for logs.
    pub fn reason(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (FaultKind, &'static str) {
        use FaultKind::{
            AccessDenied, ExpiredTokenException, IdpCommunicationError, InvalidIdentityToken,
        };
        match self {
            TokenFault::Malformed => (
                InvalidIdentityToken,
                "The ID Token provided is not a valid JWT",
            ),
            TokenFault::Algorithm => (
                InvalidIdentityToken,
                "The algorithm of the token is none of RS256, ES256 and EdDSA",
            ),
            TokenFault::Issuer => (
                InvalidIdentityToken,
                "The issuer of the token is not that of the role",
            ),
            TokenFault::Audience => (InvalidIdentityToken, "Incorrect token audience"),
            TokenFault::Claim("sub") => (InvalidIdentityToken, "Missing a required claim: sub"),
            TokenFault::Claim("exp") => (InvalidIdentityToken, "Missing a required claim: exp"),
            TokenFault::Claim(_) => (
                InvalidIdentityToken,
                "A claim of the token is of another kind than it has to be",
            ),
            TokenFault::Expired => (ExpiredTokenException, "Token expired"),
            TokenFault::NotYetValid => (InvalidIdentityToken, "Token is not yet valid"),
            TokenFault::UnknownKey => (
                InvalidIdentityToken,
                "No key of the identity provider has the name that the token tells",
            ),
            TokenFault::Signature => (
                InvalidIdentityToken,
                "The signature of the token is none of its identity provider's",
            ),
            TokenFault::Condition => (
                AccessDenied,
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            ),
            TokenFault::NoKeys => (
                IdpCommunicationError,
                "Couldn't retrieve verification key from your identity provider, please try again",
            ),
        }
    }
}

impl From<TokenFault> for Fault {
    fn from(fault: TokenFault) -> Fault {
        let (kind, message) = fault.row();
        Fault::new(kind, message)
    }
}
