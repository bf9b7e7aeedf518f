//! Origins: who requests are signed for.
use crate::{
    account::Account,
    bucket_map::BucketMap,
    chunked::streaming::Framing,
    credential::{Credential, SecretKey},
    crypto::{hex::hex, sha256::Sha256Sink},
    dialect::Dialect,
    identity::Identity,
    region::Region,
    text::sink::Sink,
};

/// How an origin is told the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// As the first segment of the path.
    #[default]
    Path,
    /// As the first label of the host.
    Virtual,
}

/// What stays of an origin whose keys change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastingName {
    /// Tells it apart from origins of the same host that have other objects. It holds no secret.
    pub name: Box<[u8]>,
    /// What its ids are sealed with, where any are.
    pub seal_key: Option<SecretKey>,
}

/// One `s3_origin`.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Whose keys these are; `None` for those of all clients without an account.
    pub account: Option<Account>,
    /// Nobody's in an origin that has no keys yet.
    pub credential: Credential,
    pub session_token: Option<SecretKey>,
    /// What stays when its keys change; `None` where they do not.
    pub lasting: Option<LastingName>,
    /// The client's where not set.
    pub region: Option<Region>,
    /// The Host header, with a port where it is not the scheme's default.
    pub host: Box<[u8]>,
    pub addressing: Addressing,
    pub buckets: BucketMap,
    pub framing: Framing,
    pub dialect: Dialect,
    /// By which heads are kept: nothing above changes once it is in use.
    pub identity: Identity,
}

impl Origin {
    /// Makes one that has the region of its clients, and buckets in the path.
    pub fn new(credential: Credential, host: &[u8]) -> Origin {
        Origin {
            account: None,
            credential,
            session_token: None,
            lasting: None,
            region: None,
            host: host.into(),
            addressing: Addressing::default(),
            buckets: BucketMap::default(),
            framing: Framing::default(),
            dialect: Dialect::default(),
            identity: Identity::default(),
        }
    }

    /// Returns the same origin with other keys.
    pub fn with_keys(&self, credential: Credential, session_token: Option<SecretKey>) -> Origin {
        Origin {
            credential,
            session_token,
            ..self.clone()
        }
    }

    /// Whether the data is compared here with a checksum in a header: an origin that reads no framing may be one that
    /// reads no checksums, or not all of them.
    pub(crate) fn may_ignore_checksums(&self) -> bool {
        self.dialect.drops_checksums() || self.framing == Framing::Decode
    }

    /// Tells whether there are keys to sign with.
    pub(crate) fn has_keys(&self) -> bool {
        !self.credential.access_key().is_empty()
    }

    /// Returns the region to sign for, for a client that has signed for `region`.
    pub(crate) fn region_for<'a>(&'a self, region: &'a Region) -> &'a Region {
        match self.region.as_ref().unwrap_or(region) {
            region if region.as_bytes().is_empty() => &Region::US_EAST_1,
            region => region,
        }
    }

    /// Tells origins apart that have other objects: other keys, or another host. It holds no secret, and stays
    /// when keys change.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256Sink::default();
        let keys = match &self.lasting {
            Some(lasting) => &lasting.name,
            None => self.credential.access_key(),
        };
        for part in [keys, b"\n", &self.host] {
            hash.put(part);
        }
        let digits = hex(&hash.finish());
        digits.iter().take(16).copied().map(char::from).collect()
    }
}
