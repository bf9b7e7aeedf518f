//! Minted keys that were accepted lately.
use std::{fmt, num::NonZeroUsize, ptr, rc::Rc};

use arrayvec::ArrayVec;
use lru::LruCache;

use crate::{
    client::{Claim, Client, SessionToken},
    credential::MAX_ACCESS_KEY,
    date::Timestamp,
    error::Rejection,
    grant::heap,
};

use super::{
    access_key::MintedAccessKey,
    issuer::{Issuer, OpenedKey},
    revocation::Revocations,
};

/// Minted keys that were accepted lately, bounded; one cache per worker. The least recently used ones are dropped first.
/// One that is found costs no decryption, and keeps the identity by which its signing keys are cached.
pub struct MintedKeys {
    kept: LruCache<Place, KeptKey>,
    /// The memory of those that are kept, and what it may be, in bytes: clients choose how much their keys need.
    size: usize,
    max_size: usize,
    /// The key that was opened last, until its signature has matched. Only then is it kept, else strangers who have
    /// seen a token could flush the cache with the tokens that they have seen.
    opened: Option<(Place, KeptKey)>,
}

/// The number of an issuer, and an access key.
type Place = ArrayVec<u8, { 8 + MAX_ACCESS_KEY }>;

struct KeptKey {
    client: Rc<Client>,
    token: Box<[u8]>,
    /// The memory that it needs, in bytes.
    size: usize,
}

impl MintedKeys {
    /// Makes a cache of at most `capacity` keys that need at most `max_size` bytes, but of at least one.
    pub fn new(capacity: usize, max_size: usize) -> MintedKeys {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        MintedKeys {
            kept: LruCache::new(capacity),
            size: 0,
            max_size,
            opened: None,
        }
    }

    /// Finds the client that a minted access key stands for, by what its token says. `issuers` are those of its name,
    /// each with a secret of its own while that is replaced, and clocks differ by at most `max_skew` seconds. `None` if
    /// no key could be minted with this access key, or there is no such issuer, or no token. Whether the key has ended
    /// is for the client to tell, once its signature has matched.
    ///
    /// # Errors
    /// If the token is not of that access key, or the key is revoked, or one that it was made with.
    pub fn find<'i>(
        &mut self,
        issuers: impl Iterator<Item = &'i Issuer> + Clone,
        revoked: Option<&Revocations>,
        claim: &Claim<'_>,
        max_skew: i64,
    ) -> Result<Option<Rc<Client>>, Rejection> {
        let Some(token) = claim.session_token else {
            return Ok(None);
        };
        let mut all = issuers.clone();
        let kept = all.find_map(|issuer| self.kept(issuer, claim.access_key, token));
        let client = match kept {
            Some(client) => client,
            None => {
                let latest = Timestamp(claim.now.0.saturating_add(max_skew));
                match self.open(issuers, claim.access_key, token, latest)? {
                    Some(client) => client,
                    None => return Ok(None),
                }
            }
        };
        let is_revoked = |all: &Revocations| {
            let lineage = client.lineage.as_ref();
            lineage.is_some_and(|lineage| all.has_any(lineage.with_ancestors()))
        };
        match revoked.is_some_and(is_revoked) {
            true => Err(Rejection::Revoked),
            false => Ok(Some(client)),
        }
    }

    /// Keeps the key of a client whose signature has matched, if it is the one that was opened last.
    pub fn admitted(&mut self, client: &Client) {
        let is_its = |(_, key): &mut (Place, KeptKey)| ptr::eq(&*key.client, client);
        let Some((place, key)) = self.opened.take_if(is_its) else {
            return;
        };
        self.size = self.size.saturating_add(key.size);
        if let Some((_, replaced)) = self.kept.push(place, key) {
            self.size = self.size.saturating_sub(replaced.size);
        }
        while self.size > self.max_size && self.kept.len() > 1 {
            let Some((_, dropped)) = self.kept.pop_lru() else {
                break;
            };
            self.size = self.size.saturating_sub(dropped.size);
        }
    }

    /// Whether it keeps a key of one of these issuers with this access key, with which someone has signed.
    pub fn has<'i>(
        &self,
        mut issuers: impl Iterator<Item = &'i Issuer>,
        access_key: &[u8],
    ) -> bool {
        issuers.any(|issuer| {
            let place = place(issuer, access_key);
            place.is_some_and(|place| self.kept.contains(&place))
        })
    }

    fn kept(
        &mut self,
        issuer: &Issuer,
        access_key: &[u8],
        token: SessionToken<'_>,
    ) -> Option<Rc<Client>> {
        let kept = self.kept.get(&place(issuer, access_key)?)?;
        token.is(&kept.token).then(|| kept.client.clone())
    }

    fn open<'i>(
        &mut self,
        issuers: impl Iterator<Item = &'i Issuer>,
        access_key: &[u8],
        token: SessionToken<'_>,
        latest: Timestamp,
    ) -> Result<Option<Rc<Client>>, Rejection> {
        let Some(minted) = MintedAccessKey::parse(access_key) else {
            return Ok(None);
        };
        let mut rejection = None;
        for issuer in issuers {
            match issuer.open(access_key, &minted, token, latest) {
                Ok(opened) => return self.note_opened(issuer, access_key, opened).map(Some),
                // What a token says that can be opened is more than that another one cannot be.
                Err(Rejection::InvalidToken) => {
                    rejection.get_or_insert(Rejection::InvalidToken);
                }
                Err(other) => rejection = Some(other),
            }
        }
        rejection.map_or(Ok(None), Err)
    }

    fn note_opened(
        &mut self,
        issuer: &Issuer,
        access_key: &[u8],
        opened: OpenedKey,
    ) -> Result<Rc<Client>, Rejection> {
        let place = place(issuer, access_key).ok_or(Rejection::InvalidToken)?;
        let OpenedKey { client, token } = opened;
        let client = Rc::new(client);
        let key = KeptKey {
            size: size_of::<(Place, KeptKey)>()
                + size_of::<Client>()
                + heap(access_key.len())
                + heap(token.len())
                + client.grant.own_size()
                + ANY_KEY,
            client: client.clone(),
            token,
        };
        self.opened = Some((place, key));
        Ok(client)
    }
}

/// The rest of what a key needs at most, in bytes: its secret, its lineage, and what the cache has for it.
const ANY_KEY: usize = 1_024;

/// `None` if the access key is longer than any.
fn place(issuer: &Issuer, access_key: &[u8]) -> Option<Place> {
    let mut place = Place::new();
    let number = issuer.number().to_ne_bytes();
    place.try_extend_from_slice(&number).ok()?;
    place.try_extend_from_slice(access_key).ok()?;
    Some(place)
}

impl fmt::Debug for MintedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintedKeys")
            .field("kept", &self.kept.len())
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
