//! What is known of a minted key beside what it may do: who it is for, and which keys it was made with.
use crate::date::Timestamp;

use super::access_key::KeyId;

/// The most keys that a key descends from: each was made with the one before.
pub(super) const MAX_ANCESTORS: usize = 8;

/// The longest name of a role or a session, in bytes.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const MAX_NAME: usize = 64;

/// A minted key, as revocations tell keys apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// The issuer's name.
    pub issuer: Box<[u8]>,
    pub id: KeyId,
    pub issued: Timestamp,
}

/// What is known of a minted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    pub key: Ancestor,
    /// The minted keys that it was made with, the last one first: it is revoked if one of them is.
    pub ancestors: Vec<Ancestor>,
    /// The role that it was made for.
    pub role: Option<Box<str>>,
    /// What whoever asked for it called it.
    pub session: Option<Box<str>>,
}

impl Lineage {
    /// Returns the key, and those that it was made with: what a key descends from that is made with this one.
    pub(super) fn with_ancestors(&self) -> impl Iterator<Item = &Ancestor> {
        std::iter::once(&self.key).chain(&self.ancestors)
    }
}

/// Whether a text can be the name of a role or a session: it gets into logs.
pub(super) fn is_name(text: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(byte))
}
