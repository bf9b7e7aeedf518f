//! Signing keys, and their cache.
use std::{fmt, num::NonZeroUsize};

use lru::LruCache;
use zeroize::Zeroizing;

use crate::{
    canonical,
    credential::Credential,
    crypto::sha256,
    crypto::signature::SignatureV4,
    crypto::{hex::hex, hmac::HmacKey},
    date::{AmzDate, Day, Timestamp},
    region::Region,
    scope::{ClaimedScope, Scope, ScopeText},
    seen_links::{LinkId, SeenLink, SeenLinks},
    text::bytes::same,
    text::sink::SliceSink,
};

/// The key that signs in one credential scope. Zeroised when dropped.
#[derive(Clone)]
pub(crate) struct SigningKey {
    key: HmacKey,
    scope: ScopeText,
    to_sign: StringToSignTemplate,
}

impl SigningKey {
    /// Computes `HMAC(HMAC(HMAC(HMAC("AWS4" + secret, day), region), service), "aws4_request")`.
    pub(crate) fn derive(secret: &[u8], scope: ScopeText) -> SigningKey {
        let mut key = HmacKey::new(&[b"AWS4", secret]);
        for part in scope.scope().parts() {
            let next = Zeroizing::new(key.sign(part));
            key = HmacKey::new(&[&*next]);
        }
        SigningKey {
            to_sign: StringToSignTemplate::new(&key, scope.scope()),
            key,
            scope,
        }
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        self.scope.scope()
    }

    pub(crate) fn mac(&self) -> &HmacKey {
        &self.key
    }

    /// Signs a request, by the hash of its canonical form.
    pub(crate) fn sign_request(&mut self, date: &AmzDate, hash: &[u8; 32]) -> SignatureV4 {
        let inner = self.to_sign.hash(&self.key, date, hash);
        SignatureV4::of_mac(&self.key.finish(&inner))
    }
}

/// The string to sign of a key, padded for SHA-256. Only its date and its hash change, so the rest of it
/// stays as it was written.
#[derive(Clone)]
struct StringToSignTemplate {
    /// Whole blocks, then zeros.
    text: [u8; StringToSignTemplate::ROOM],
    /// The length of the blocks, in bytes.
    length: usize,
    /// Where the hash is.
    hash: usize,
    date: AmzDate,
    /// The SHA-256 state after the first block, which has the date: most of what a key signs within a
    /// second has the same.
    opened: Zeroizing<[u32; 8]>,
    /// Bytes that have led to that state: a block, or none where the region's name is so short that
    /// the hash begins in the first one.
    opened_length: usize,
}

// There is room for any scope and for the padding (FIPS 180-4 section 5.1.1): a byte and the length.
const _: () = assert!(
    StringToSignTemplate::DATE + 16 + 1 + ScopeText::LONGEST + 1 + 64 + 1 + 8
        <= StringToSignTemplate::ROOM
);

impl StringToSignTemplate {
    const ROOM: usize = 256;

    /// Where the date is.
    const DATE: usize = canonical::ALGORITHM.len() + 1;

    fn new(key: &HmacKey, scope: Scope<'_>) -> StringToSignTemplate {
        let mut text = [0; StringToSignTemplate::ROOM];
        let date = AmzDate::from(Timestamp(0));
        let mut sink = SliceSink::new(&mut text);
        canonical::put_string_to_sign(&mut sink, &date, scope, &[0; 32]);
        let end = sink.len();
        let length = sha256::pad(&mut text, end, 64).as_flattened().len();
        let hash = end - 64;
        let mut to_sign = StringToSignTemplate {
            text,
            length,
            hash,
            date,
            opened: key.inner_state().clone(),
            opened_length: if hash < 64 { 0 } else { 64 },
        };
        to_sign.open(key);
        to_sign
    }

    /// Computes its hash from the inner state of the key.
    #[inline(always)]
    fn hash(&mut self, key: &HmacKey, date: &AmzDate, hash: &[u8; 32]) -> [u8; 32] {
        if self.date != *date {
            self.date = *date;
            self.open(key);
        }
        let after = self.text.get_mut(self.hash..).unwrap_or_default();
        if let Some(place) = after.first_chunk_mut() {
            *place = hex(hash);
        }
        let mut state = *self.opened;
        let blocks = self.text.get(self.opened_length..self.length);
        sha256::compress(&mut state, blocks.unwrap_or_default().as_chunks().0);
        sha256::to_bytes(&state)
    }

    /// Writes the date, and compresses the first block.
    fn open(&mut self, key: &HmacKey) {
        let after = self
            .text
            .get_mut(StringToSignTemplate::DATE..)
            .unwrap_or_default();
        if let Some(place) = after.first_chunk_mut() {
            *place = *self.date.as_bytes();
        }
        *self.opened = **key.inner_state();
        let opening = self.text.get(..self.opened_length).unwrap_or_default();
        sha256::compress(&mut self.opened, opening.as_chunks().0);
    }
}

/// Signing keys, bounded; one per worker. The least recently used one is dropped first.
pub struct KeyCache {
    keys: LruCache<CacheKey, SigningKey>,
    /// The keys used last, each in the place that its credential's number tells.
    recent: Box<[Option<RecentKey>; RECENT]>,
    /// The time that was written last.
    date: AmzDate,
    derivations: u64,
    hits: u64,
    pub(crate) links: SeenLinks,
}

type CacheKey = (u64, Day, Region);

const RECENT: usize = 64;

struct RecentKey {
    credential: u64,
    key: SigningKey,
}

/// Where a signing key was found.
#[expect(
    clippy::large_enum_variant,
    reason = "a stranger's request must not have memory allocated"
)]
pub(crate) enum FoundKey<'k> {
    Kept(&'k mut SigningKey),
    Derived(SigningKey),
}

impl FoundKey<'_> {
    pub(crate) fn key(&mut self) -> &mut SigningKey {
        match self {
            FoundKey::Kept(key) => key,
            FoundKey::Derived(key) => key,
        }
    }
}

impl KeyCache {
    /// Makes a cache of at most `capacity` keys, at least one.
    pub fn new(capacity: usize) -> KeyCache {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        KeyCache {
            keys: LruCache::new(capacity),
            recent: Box::new([const { None }; RECENT]),
            date: AmzDate::from(Timestamp(0)),
            derivations: 0,
            hits: 0,
            links: SeenLinks::default(),
        }
    }

    /// Returns how many signing keys were derived, with four HMACs each.
    pub fn derivations(&self) -> u64 {
        self.derivations
    }

    /// Returns how many signing keys were found.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// Counts the presigned links of V4 whose signatures were known, and those whose signatures were computed.
    pub fn links(&self) -> (u64, u64) {
        (self.links.found(), self.links.hashed())
    }

    /// Formats the time, once a second.
    pub(crate) fn date(&mut self, now: Timestamp) -> AmzDate {
        if self.date.timestamp() != now {
            self.date = AmzDate::from(now);
        }
        self.date
    }

    /// Returns the key for signing; derives and keeps it if it is not cached.
    pub(crate) fn signing_key(
        &mut self,
        credential: &Credential,
        day: Day,
        region: &Region,
    ) -> &mut SigningKey {
        self.link_signing_key(credential, day, region, None).0
    }

    /// Returns the key for signing a link, and what is kept of that.
    pub(crate) fn link_signing_key(
        &mut self,
        credential: &Credential,
        day: Day,
        region: &Region,
        link: Option<LinkId>,
    ) -> (&mut SigningKey, Option<&mut SeenLink>) {
        let found = self.look_up(credential, day, region.as_bytes());
        let place = &mut self.recent[place(credential)];
        if !found {
            *place = None;
        }
        let recent = place.get_or_insert_with(|| {
            let key = SigningKey::derive(credential.secret(), ScopeText::s3(day, region));
            self.keys.put((credential.id(), day, *region), key.clone());
            RecentKey {
                credential: credential.id(),
                key,
            }
        });
        let seen = link.and_then(|link| self.links.find(link));
        (&mut recent.key, seen)
    }

    /// Returns the key for a scope that anyone may have made up. A derived key must be kept only after the
    /// signature has matched, else strangers could flush the cache.
    pub(crate) fn untrusted_key(
        &mut self,
        credential: &Credential,
        scope: ClaimedScope<'_>,
    ) -> FoundKey<'_> {
        let found = self.look_up(credential, scope.day, scope.region);
        match &mut self.recent[place(credential)] {
            Some(recent) if found => FoundKey::Kept(&mut recent.key),
            _ => {
                let text = ScopeText::s3(scope.day, &scope.to_region());
                FoundKey::Derived(SigningKey::derive(credential.secret(), text))
            }
        }
    }

    pub(crate) fn keep(&mut self, credential: &Credential, key: SigningKey) {
        let key_of = (credential.id(), key.scope.day(), key.scope.region());
        self.keys.put(key_of, key);
    }

    /// Moves a key to the place of its credential; returns `false` if it is not cached.
    fn look_up(&mut self, credential: &Credential, day: Day, region: &[u8]) -> bool {
        let place = &mut self.recent[place(credential)];
        let is_it = |recent: &RecentKey| {
            let scope = recent.key.scope();
            recent.credential == credential.id() && scope.day == day && same(scope.region, region)
        };
        let mut found = place.as_ref().is_some_and(is_it);
        if !found
            && let Some(region) = Region::parse(region)
            && let Some(key) = self.keys.get(&(credential.id(), day, region))
        {
            *place = Some(RecentKey {
                credential: credential.id(),
                key: key.clone(),
            });
            found = true;
        }
        match found {
            true => self.hits += 1,
            false => self.derivations += 1,
        }
        found
    }
}

fn place(credential: &Credential) -> usize {
    credential.id() as usize % RECENT
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache")
            .field("keys", &self.keys.len())
            .field("derivations", &self.derivations)
            .field("hits", &self.hits)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_to_sign_with_a_region_of_any_length() {
        for length in 0..=64 {
            let region = Region::parse(&[b'r'; 64][..length]);
            let day = AmzDate::from(Timestamp(1_767_322_800)).day();
            let scope = ScopeText::s3(day, &region.unwrap_or(Region::US_EAST_1));
            let mut key = SigningKey::derive(b"secret", scope);
            for (time, byte) in [(0, 1), (0, 2), (1, 2), (1, 1), (0, 3)] {
                let date = AmzDate::from(Timestamp(1_767_322_800 + time));
                let hash = [byte; 32];
                let mac = key.mac().sign_text(|sink| {
                    canonical::put_string_to_sign(sink, &date, key.scope(), &hash);
                });
                let signature = key.sign_request(&date, &hash);
                assert!(signature.matches(&hex(&mac)), "{length}");
            }
        }
    }
}
