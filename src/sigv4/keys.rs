//! Secrets, signing keys, and the cache of the latter.
use std::{
    fmt,
    num::NonZeroUsize,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use lru::LruCache;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    date::Day,
    scope::{Region, Scope},
    sha256,
    sink::{Hashing, Sink},
};

/// A secret access key or session token: zeroised when dropped, redacted in Debug.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

impl SecretKey {
    pub fn new(secret: Vec<u8>) -> SecretKey {
        SecretKey(Zeroizing::new(secret))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// An access key with its secret; each has an identity of its own in the process, by which signing
/// keys are cached. A clone keeps the identity.
#[derive(Debug, Clone)]
pub struct Credential {
    id: u64,
    access_key: Box<[u8]>,
    secret: SecretKey,
}

impl Credential {
    pub fn new(access_key: &[u8], secret: SecretKey) -> Credential {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Credential {
            id,
            access_key: access_key.into(),
            secret,
        }
    }

    pub fn access_key(&self) -> &[u8] {
        &self.access_key
    }

    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.expose()
    }

    /// Stands in for an access key that nobody has, so that such a request costs what any other
    /// costs. No request is let in by it.
    pub(crate) fn nobody() -> &'static Credential {
        static NOBODY: LazyLock<Credential> =
            LazyLock::new(|| Credential::new(b"", SecretKey::new(vec![b'x'; 40])));
        &NOBODY
    }
}

/// A key of HMAC-SHA256 (RFC 2104), taken in already: the states of SHA-256 behind the inner and
/// the outer block of the key, so that a signature needs no other work than its own blocks.
/// Zeroised when dropped.
#[derive(Clone)]
pub(crate) struct SigningKey {
    inner: Zeroizing<[u32; 8]>,
    outer: Zeroizing<[u32; 8]>,
}

impl SigningKey {
    /// With the concatenation of `parts` as the key: padded to a block, or hashed where it is longer.
    pub(crate) fn new(parts: &[&[u8]]) -> SigningKey {
        let mut block = Zeroizing::new([0_u8; 64]);
        if parts.iter().map(|part| part.len()).sum::<usize>() <= block.len() {
            let bytes = parts.iter().copied().flatten();
            block
                .iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
        } else {
            let mut hash = Sha256::new();
            parts.iter().for_each(|part| hash.update(part));
            let mut digest: [u8; 32] = hash.finalize().into();
            block
                .iter_mut()
                .zip(&digest)
                .for_each(|(to, from)| *to = *from);
            digest.zeroize();
        }
        let state_behind = |pad: u8| {
            let mut state = Zeroizing::new(sha256::INITIAL_STATE);
            let padded = Zeroizing::new(block.map(|byte| byte ^ pad));
            sha256::compress(&mut state, &[*padded]);
            state
        };
        SigningKey {
            inner: state_behind(0x36),
            outer: state_behind(0x5c),
        }
    }

    /// The HMAC of a message.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.sign_text(|sink| sink.put(message))
    }

    /// The HMAC of what is put.
    pub(crate) fn sign_text(&self, put: impl FnOnce(&mut Hashing)) -> [u8; 32] {
        let mut inner = Hashing::behind(&self.inner, 64);
        put(&mut inner);
        sha256::digest_behind_block(&self.outer, &inner.finish())
    }
}

/// Signing keys, bounded; one per worker. The least recently used one is dropped first.
pub struct KeyCache {
    keys: LruCache<CacheKey, SigningKey>,
    derivations: u64,
    hits: u64,
}

type CacheKey = (u64, Day, Region);

impl KeyCache {
    /// A cache of at most `capacity` keys, at least one.
    pub fn new(capacity: usize) -> KeyCache {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        KeyCache {
            keys: LruCache::new(capacity),
            derivations: 0,
            hits: 0,
        }
    }

    /// How many signing keys were derived, four HMACs each.
    pub fn derivations(&self) -> u64 {
        self.derivations
    }

    /// How many signing keys were found.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// The key for signing; derived and kept where it is not there.
    pub(crate) fn signing_key(&mut self, credential: &Credential, scope: &Scope) -> SigningKey {
        let (key, derived) = self.untrusted_key(credential, scope);
        if derived {
            self.keep(credential, scope, key.clone());
        }
        key
    }

    /// The key for a scope that anyone may have made up, and whether it was derived. It must be
    /// kept only once the signature has matched, else strangers could flush the cache.
    pub(crate) fn untrusted_key(
        &mut self,
        credential: &Credential,
        scope: &Scope,
    ) -> (SigningKey, bool) {
        match self.keys.get(&cache_key(credential, scope)) {
            Some(key) => {
                self.hits += 1;
                (key.clone(), false)
            }
            None => {
                self.derivations += 1;
                (derive(credential.secret(), scope), true)
            }
        }
    }

    pub(crate) fn keep(&mut self, credential: &Credential, scope: &Scope, key: SigningKey) {
        self.keys.put(cache_key(credential, scope), key);
    }
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

fn cache_key(credential: &Credential, scope: &Scope) -> CacheKey {
    (credential.id, scope.day, scope.region)
}

/// `HMAC(HMAC(HMAC(HMAC("AWS4" + secret, day), region), service), "aws4_request")`
pub(crate) fn derive(secret: &[u8], scope: &Scope) -> SigningKey {
    let mut key = SigningKey::new(&[b"AWS4", secret]);
    for part in [
        scope.day.as_bytes(),
        scope.region.as_bytes(),
        scope.service,
        b"aws4_request",
    ] {
        let next = Zeroizing::new(key.sign(part));
        key = SigningKey::new(&[&*next]);
    }
    key
}
