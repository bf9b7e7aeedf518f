//! Tokens of identity providers: JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, signed.
use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::{
    json::{Json, Object},
    jwk::{Algorithm, JwkSet, Verified},
    token_fault::TokenFault,
};

/// The longest token of an identity provider, in bytes.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
pub const MAX_TOKEN: usize = 20_000;

/// How names of token types end (RFC 7515 section 4.1.9): a token of another type was made for another purpose, as to log
/// someone out (RFC 8725 section 3.11).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// A token that nobody has verified yet.
pub struct Jwt<'t> {
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Object,
    /// What is signed: head and claims as they came.
    text: &'t [u8],
    signature: Vec<u8>,
}

impl<'t> Jwt<'t> {
    /// Reads a token. Keys in it (`jwk`, `jku`, `x5c`, `x5u`) are nobody's.
    ///
    /// # Errors
    /// If it is none, has a member twice, or demands what is not understood here.
    pub fn parse(token: &'t [u8]) -> Result<Jwt<'t>, TokenFault> {
        let malformed = TokenFault::Malformed;
        if token.len() > MAX_TOKEN {
            return Err(malformed);
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(head), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let text = token.get(..head.len() + 1 + claims.len());
        let head = object(head).ok_or(malformed)?;
        let algorithm = head.string("alg").ok_or(malformed)?;
        let algorithm = Algorithm::named(algorithm).ok_or(TokenFault::Algorithm)?;
        // Both change what the other parts mean (RFC 7515 section 4.1.11, RFC 7797).
        if head.get("crit").is_some() || head.get("b64").is_some() {
            return Err(malformed);
        }
        let is_known_type = |json: &Json| {
            let name = json.as_str().map(str::to_ascii_lowercase);
            let name = name.as_deref().unwrap_or_default();
            TYPES.contains(&name.strip_prefix("application/").unwrap_or(name))
        };
        if !head.get("typ").is_none_or(is_known_type) {
            return Err(malformed);
        }
        let kid = match head.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().ok_or(malformed)?.to_owned()),
        };
        Ok(Jwt {
            algorithm,
            kid,
            claims: object(claims).ok_or(malformed)?,
            text: text.ok_or(malformed)?,
            signature: decoded(signature).ok_or(malformed)?,
        })
    }

    pub(crate) fn claims(&self) -> &Object {
        &self.claims
    }

    pub(crate) fn verify(&self, keys: &JwkSet) -> Result<(), TokenFault> {
        let kid = self.kid.as_deref();
        match keys.verify(self.algorithm, kid, self.text, &self.signature) {
            Verified::Yes => Ok(()),
            Verified::No => Err(TokenFault::Signature),
            Verified::UnknownKey => Err(TokenFault::UnknownKey),
        }
    }
}

impl fmt::Debug for Jwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

fn object(part: &[u8]) -> Option<Object> {
    Object::parse(&decoded(part)?)
}

/// Decodes base64url without padding, blanks, or bits that are of no byte (RFC 7515 section 2).
fn decoded(part: &[u8]) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(std::str::from_utf8(part).ok()?).ok()
}
