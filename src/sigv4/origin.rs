//! Origins: who requests are signed for.
use crate::{
    bucket_map::BucketMap,
    chunked::streaming::Framing,
    crypto::{hex::hex, sha256::Sha256Sink},
    dialect::Dialect,
    keys::{Credential, SecretKey},
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

/// One `s3_origin`.
#[derive(Debug)]
pub struct Origin {
    pub credential: Credential,
    pub session_token: Option<SecretKey>,
    /// The client's where not set.
    pub region: Option<Region>,
    /// The Host header, with a port where it is not the scheme's default.
    pub host: Box<[u8]>,
    pub addressing: Addressing,
    pub buckets: BucketMap,
    pub framing: Framing,
    pub dialect: Dialect,
}

impl Origin {
    /// Makes one that has the region of its clients, and buckets in the path.
    pub fn new(credential: Credential, host: &[u8]) -> Origin {
        Origin {
            credential,
            session_token: None,
            region: None,
            host: host.into(),
            addressing: Addressing::default(),
            buckets: BucketMap::default(),
            framing: Framing::default(),
            dialect: Dialect::default(),
        }
    }

    /// Returns the region to sign for, for a client that has signed for `region`.
    pub(crate) fn region_for<'a>(&'a self, region: &'a Region) -> &'a Region {
        match self.region.as_ref().unwrap_or(region) {
            region if region.as_bytes().is_empty() => &Region::US_EAST_1,
            region => region,
        }
    }

    /// Tells origins apart that have other objects: other keys, or another host. It holds no secret.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256Sink::default();
        for part in [self.credential.access_key(), b"\n", &self.host] {
            hash.put(part);
        }
        let digits = hex(&hash.finish());
        digits.iter().take(16).copied().map(char::from).collect()
    }
}
