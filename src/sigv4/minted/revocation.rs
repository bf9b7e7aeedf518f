//! Keys that are ended before their time.
use std::collections::{HashMap, HashSet};

use crate::date::Timestamp;

use super::{access_key::KeyId, lineage::Ancestor};

/// Which minted keys are revoked: of each issuer, by its name, these, and those minted before some time.
#[derive(Debug, Clone, Default)]
pub struct Revocations(HashMap<Box<[u8]>, OfIssuer>);

#[derive(Debug, Clone, Default)]
struct OfIssuer {
    ids: HashSet<KeyId>,
    before: Option<Timestamp>,
}

impl Revocations {
    /// Revokes one key.
    pub fn revoke(&mut self, issuer: &[u8], id: KeyId) {
        self.of(issuer).ids.insert(id);
    }

    /// Revokes those minted before a time.
    pub fn revoke_before(&mut self, issuer: &[u8], time: Timestamp) {
        let of_issuer = self.of(issuer);
        of_issuer.before = of_issuer.before.max(Some(time));
    }

    /// Adds all that are revoked elsewhere.
    pub fn add(&mut self, others: &Revocations) {
        for (issuer, other) in &others.0 {
            let of_issuer = self.of(issuer);
            of_issuer.ids.extend(&other.ids);
            of_issuer.before = of_issuer.before.max(other.before);
        }
    }

    /// Lists the names of issuers that have revoked keys.
    pub fn issuers(&self) -> impl Iterator<Item = &[u8]> {
        self.0.keys().map(|name| &**name)
    }

    pub(super) fn has_any<'a>(&self, mut keys: impl Iterator<Item = &'a Ancestor>) -> bool {
        keys.any(|key| self.has(key))
    }

    fn has(&self, key: &Ancestor) -> bool {
        !self.0.is_empty()
            && self.0.get(&key.issuer).is_some_and(|of_issuer| {
                of_issuer.before.is_some_and(|before| key.issued < before)
                    || of_issuer.ids.contains(&key.id)
            })
    }

    fn of(&mut self, issuer: &[u8]) -> &mut OfIssuer {
        self.0.entry(issuer.into()).or_default()
    }
}
