//! The public keys of an identity provider (RFC 7517), and signatures that they verify.
use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use crate::json::{Json, Object};

/// The longest set of keys, in bytes.
pub const MAX_JWKS: usize = 64 << 10;

/// The most keys of a set, usable or not.
pub const MAX_KEYS: usize = 64;

/// How many keys are tried at most for one token: those of one `kid`, or all of a kind for a token without. Providers have
/// one or two more than they sign with.
const MAX_TRIED: usize = 8;

/// Bits of an RSA key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// How a token is signed. Each is of one kind of key, so a key can never be taken for one of another algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    Rs256,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// Ed25519 (RFC 8037 section 3.1; RFC 9864 section 2.2 has the second name).
    EdDsa,
}

impl Algorithm {
    /// Finds the algorithm of a name, which is the same in tokens and keys.
    pub(crate) fn named(name: &str) -> Option<Algorithm> {
        match name {
            "RS256" => Some(Algorithm::Rs256),
            "ES256" => Some(Algorithm::Es256),
            "EdDSA" | "Ed25519" => Some(Algorithm::EdDsa),
            _ => None,
        }
    }
}

/// A set of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct JwkSet(Vec<Jwk>);

/// What is wrong with a set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwkSetFault {
    /// It is longer than [`MAX_JWKS`], or has more keys than [`MAX_KEYS`].
    TooLong,
    /// It is no JSON object, or has a member twice.
    Json,
    /// It has no array `keys` of objects.
    NoKeys,
    /// It has no key that can verify `RS256`, `ES256` or `EdDSA`.
    NoUsableKey,
}

impl fmt::Display for JwkSetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JwkSetFault::TooLong => "longer than 64 KiB, or has more than 64 keys",
            JwkSetFault::Json => "no JSON object, or has a member twice",
            JwkSetFault::NoKeys => "no set of keys: it has no array \"keys\"",
            JwkSetFault::NoUsableKey => {
                "without a key that is of use: it has none for RS256, ES256 or EdDSA"
            }
        })
    }
}

impl std::error::Error for JwkSetFault {}

#[derive(Clone, PartialEq, Eq)]
struct Jwk {
    kid: Option<Box<str>>,
    key: PublicKey,
}

#[derive(Clone, PartialEq, Eq)]
enum PublicKey {
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
    /// As SEC 1 section 2.3.3 writes a point: 4, x and y.
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

/// What a set of keys says of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verified {
    Yes,
    No,
    /// The set has no key of that name: the provider may have a new one.
    UnknownKey,
}

impl JwkSet {
    /// Reads a set (RFC 7517 section 5). Keys that are of no use here are left out, as that section says.
    ///
    /// # Errors
    /// If none is left.
    pub fn parse(text: &[u8]) -> Result<JwkSet, JwkSetFault> {
        if text.len() > MAX_JWKS {
            return Err(JwkSetFault::TooLong);
        }
        let set = Object::parse(text).ok_or(JwkSetFault::Json)?;
        let Some(Json::Array(keys)) = set.get("keys") else {
            return Err(JwkSetFault::NoKeys);
        };
        if keys.len() > MAX_KEYS {
            return Err(JwkSetFault::TooLong);
        }
        let read = keys.iter().map(|key| match key {
            Json::Object(key) => Ok(Jwk::read(key)),
            _ => Err(JwkSetFault::NoKeys),
        });
        let keys = read.collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<Jwk> = keys.into_iter().flatten().collect();
        match keys.is_empty() {
            true => Err(JwkSetFault::NoUsableKey),
            false => Ok(JwkSet(keys)),
        }
    }

    /// Returns how many keys are of use; at least one.
    pub fn keys(&self) -> usize {
        self.0.len()
    }

    /// Verifies a signature with the keys that a token may mean.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        text: &[u8],
        signature: &[u8],
    ) -> Verified {
        let is_meant = |key: &&Jwk| kid.is_none() || key.kid.as_deref() == kid;
        let mut meant = self.0.iter().filter(is_meant).peekable();
        if meant.peek().is_none() {
            return Verified::UnknownKey;
        }
        let mut tried = meant
            .filter(|key| key.key.algorithm() == algorithm)
            .take(MAX_TRIED);
        match tried.any(|key| key.key.verifies(text, signature)) {
            true => Verified::Yes,
            false => Verified::No,
        }
    }
}

impl fmt::Debug for JwkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.kid))
            .finish()
    }
}

impl Jwk {
    /// Reads a key; `None` if it is of no use here.
    fn read(key: &Object) -> Option<Jwk> {
        let public = match key.string("kty")? {
            "RSA" => rsa(key)?,
            "EC" if key.string("crv") == Some("P-256") => {
                let (x, y) = (bytes(key, "x")?, bytes(key, "y")?);
                let point = [&[4], &*x, &*y].concat();
                let is_point = x.len() == 32;
                PublicKey::P256(point.try_into().ok().filter(|_| is_point)?)
            }
            "OKP" if key.string("crv") == Some("Ed25519") => {
                PublicKey::Ed25519(bytes(key, "x")?.try_into().ok()?)
            }
            _ => return None,
        };
        // What it says of its use has to be this one (RFC 7517 sections 4.2 to 4.4).
        let is_its_algorithm = |json: &Json| {
            let algorithm = json.as_str().and_then(Algorithm::named);
            algorithm == Some(public.algorithm())
        };
        let is_sig = |json: &Json| json.as_str() == Some("sig");
        let has_verify = |json: &Json| match json {
            Json::Array(all) => all.iter().any(|it| it.as_str() == Some("verify")),
            _ => false,
        };
        let is_usable = key.get("alg").is_none_or(is_its_algorithm)
            && key.get("use").is_none_or(is_sig)
            && key.get("key_ops").is_none_or(has_verify);
        let kid = match key.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.into()),
        };
        is_usable.then_some(Jwk { kid, key: public })
    }
}

impl PublicKey {
    fn algorithm(&self) -> Algorithm {
        match self {
            PublicKey::Rsa { .. } => Algorithm::Rs256,
            PublicKey::P256(_) => Algorithm::Es256,
            PublicKey::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            PublicKey::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, text, signature)
            }
            PublicKey::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text, signature)
            }
            PublicKey::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(text, signature)
            }
        };
        verified.is_ok()
    }
}

/// Reads an RSA key (RFC 7518 section 6.3.1). A leading zero, as some write it, is none of the number.
fn rsa(key: &Object) -> Option<PublicKey> {
    let number = |name| {
        let bytes = bytes(key, name)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(Box::<[u8]>::from(bytes.get(zeros..)?))
    };
    let (n, e) = (number("n")?, number("e")?);
    let first = n.first()?;
    let bits = n.len() * 8 - first.leading_zeros() as usize;
    RSA_BITS.contains(&bits).then_some(PublicKey::Rsa { n, e })
}

fn bytes(key: &Object, name: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(key.string(name)?).ok()
}

#[cfg(test)]
mod tests;
