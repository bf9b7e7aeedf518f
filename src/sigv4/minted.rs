//! Minted keys: access keys that are verified without a table, since they bring all that is known of them.
//!
//! An [`Issuer`] is a name and a secret that proxies share with whoever mints. A minted key has the three parts of
//! temporary credentials of AWS, so every S3 client takes it:
//!
//! - The access key is `S3M1`, the issuer's name, when the key ends, and its id, all letters and digits. The last 16
//!   characters are the id: 80 bits in Base32 (RFC 4648 section 6). The 7 before them are the end in seconds since 1970,
//!   a number of 35 bits in Base32, its first digit first. What is between is the name.
//! - The session token is what the key may do, encrypted and authenticated together with the access key by AES-SIV
//!   (RFC 5297), in base64url without padding (RFC 4648 section 5). What is encrypted is in `sealed_scope`.
//! - The secret is the first 30 bytes of an HMAC-SHA256 over the length of the access key in one byte, the access key
//!   and the sealed bytes, in base64url. So it is the secret of that access key with that token alone.
//!
//! The keys for both are HMAC-SHA256 of the issuer's secret with labels of their own. So nothing is of use with the
//! parts of another key, nor at another issuer, even if that has the same secret.
mod access_key;
mod cache;
mod issuer;
mod lineage;
mod revocation;
mod sealed_scope;
mod terms;

pub use self::{
    access_key::{KeyId, MAX_ISSUER_NAME, MintedAccessKey, is_issuer_name},
    cache::MintedKeys,
    issuer::{Issuer, IssuerAccount, IssuerFault, MIN_ISSUER_SECRET, MintedKey},
    lineage::{Ancestor, Lineage},
    revocation::Revocations,
    terms::{AccountOfKey, KeyTerms, Unmintable},
};
