//! What the tests share: an identity provider, a role for its tokens, and keys that are minted.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::panic
)]

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use sigv4::*;
use sts::*;

pub const NOW: i64 = 1_780_000_496;
pub const ISSUER: &str = "https://issuer.example/a";
pub const AUDIENCE: &str = "sts.example";

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

/// Who signs tokens.
pub struct Provider {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
}

impl Provider {
    /// Makes one with keys of its own.
    pub fn new(seed: u8) -> Provider {
        let rng = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
        Provider {
            ed: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).unwrap(),
        }
    }

    pub fn ed_public(&self) -> &[u8] {
        self.ed.public_key().as_ref()
    }

    /// Its keys: `ed` and `ec`.
    pub fn jwks(&self) -> String {
        let point = self.ec.public_key().as_ref();
        format!(
            r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "{}"}},
                {{"kty": "EC", "crv": "P-256", "kid": "ec", "x": "{}", "y": "{}"}}]}}"#,
            base64(self.ed_public()),
            base64(&point[1..33]),
            base64(&point[33..])
        )
    }

    pub fn keys(&self) -> JwkSet {
        JwkSet::parse(self.jwks().as_bytes()).unwrap()
    }

    /// Signs texts whatever they are, by the algorithm of its Ed25519 key, or of the other one.
    pub fn sign(&self, head: &str, claims: &str, is_ed: bool) -> String {
        let text = format!("{}.{}", base64(head), base64(claims));
        let signature = match is_ed {
            true => base64(self.ed.sign(text.as_bytes())),
            false => {
                let rng = SystemRandom::new();
                base64(self.ec.sign(&rng, text.as_bytes()).unwrap())
            }
        };
        format!("{text}.{signature}")
    }

    /// Signs claims.
    pub fn token(&self, claims: &str) -> String {
        self.sign(r#"{"alg": "EdDSA", "kid": "ed"}"#, claims, true)
    }
}

/// Claims that are good, with more of them.
pub fn claims(more: &str) -> String {
    format!(
        r#"{{"iss": "{ISSUER}", "aud": "{AUDIENCE}", "sub": "me", "exp": {}{}{more}}}"#,
        NOW + 60,
        if more.is_empty() { "" } else { ", " }
    )
}

pub fn trust(conditions: &[&str]) -> WebIdentityTrust {
    let conditions = conditions
        .iter()
        .map(|text| Condition::parse(text.as_bytes()).unwrap());
    let audiences = ["other.example", AUDIENCE];
    WebIdentityTrust::new(ISSUER, &audiences, conditions.collect(), None).unwrap()
}

pub fn judge(
    trust: &WebIdentityTrust,
    token: &[u8],
    keys: &JwkSet,
    now: i64,
) -> Result<Subject, TokenFault> {
    trust.judge(&Jwt::parse(token)?, keys, Timestamp(now))
}

pub fn scope<'a>(allow: &'a str, buckets: &'a str) -> Scope<'a> {
    fn part(text: &str) -> Option<&[u8]> {
        (!text.is_empty()).then_some(text.as_bytes())
    }
    Scope {
        allow: part(allow),
        buckets: part(buckets),
    }
}

pub fn issuer(grant: Grant) -> Issuer {
    let secret = SecretKey::new(b"k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE".to_vec());
    Issuer::new(b"sts", &secret, 43_200, grant).unwrap()
}

pub fn id(number: u8) -> KeyId {
    KeyId::of([number; 10])
}

/// The client that a minted key makes.
pub fn client(issuer: &Issuer, key: &MintedKey) -> std::rc::Rc<Client> {
    opened(issuer, key, None, NOW).unwrap()
}

pub fn opened(
    issuer: &Issuer,
    key: &MintedKey,
    revoked: Option<&Revocations>,
    now: i64,
) -> Result<std::rc::Rc<Client>, Rejection> {
    let access_key = key.access_key.as_bytes();
    let claim = Claim {
        access_key,
        session_token: Some(SessionToken::plain(key.session_token.as_bytes())),
        now: Timestamp(now),
    };
    let issuers = std::iter::once(issuer);
    let found = MintedKeys::new(1, 0).find(issuers, revoked, &claim, 900)?;
    Ok(found.unwrap())
}
