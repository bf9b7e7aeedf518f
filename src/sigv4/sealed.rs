//! Ids that know the origin which gave them: upload ids and continuation tokens, as clients see them where
//! requests may go to several origins.
//!
//! An id is encrypted and authenticated with a key of its origin's, together with what it belongs to. So it needs
//! no table, no worker or node has to be told of it, and it is of no use for another bucket or key. It is
//! sealed by AES-SIV (RFC 5297), which is deterministic, because a store lists the same id again and again.
#[cfg(test)]
mod tests;

use std::fmt;

use aes_siv::{KeyInit, siv::Aes128Siv};
use base32ct::{Base32Unpadded, Encoding};
use zeroize::Zeroizing;

use crate::{
    crypto::hmac::HmacKey,
    origin::Origin,
    text::{
        sink::Sink,
        uri::{self, Part},
    },
};

/// How a sealed id begins. No store's id does, and what follows is Base32 (RFC 4648 section 6): all of it is letters,
/// digits and `_`, which is a word to whoever picks it out of a document, and never percent-encoded.
const PREFIX: &str = "s3r1_";

/// The longest id that is sealed, in bytes. S3's own are of about 1 KiB, and each of several proxies in a row
/// makes them longer.
const MAX_ID: usize = 3_070 - TAG;

/// The bytes of authentication before a sealed id.
const TAG: usize = 16;

/// The longest sealed id, in bytes.
const MAX_SEALED: usize = PREFIX.len() + (MAX_ID + TAG) / 5 * 8;

/// What an id belongs to. Names are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner<'a> {
    /// A multipart upload of this object.
    Upload { bucket: &'a [u8], key: &'a [u8] },
    /// The place in a bucket's list of multipart uploads where the next page begins.
    UploadMarker { bucket: &'a [u8] },
    /// Likewise in its list of versions.
    VersionMarker { bucket: &'a [u8] },
    /// A list of objects; of buckets where `bucket` is empty.
    List { bucket: &'a [u8] },
}

impl<'a> Owner<'a> {
    /// Returns what is authenticated with an id. AES-SIV takes each by itself, so none can be read as a part of
    /// another one.
    fn parts(self) -> [&'a [u8]; 3] {
        match self {
            Owner::Upload { bucket, key } => [b"upload", bucket, key],
            Owner::UploadMarker { bucket } => [b"upload marker", bucket, b""],
            Owner::VersionMarker { bucket } => [b"version marker", bucket, b""],
            Owner::List { bucket } => [b"list", bucket, b""],
        }
    }
}

/// The key that ids of an origin are sealed with: zeroised when dropped, redacted in Debug.
pub(crate) struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// Computes `HMAC-SHA256(secret key, label + 0 + host)`, with 0 and the account after it if there is one: as long as
    /// the two keys of AES-128-SIV. It is not kept, since nearly no request has an id, and it takes less than a
    /// microsecond.
    ///
    /// Where keys change, the secret is one that does not, which several origins may have: so what they are known
    /// by goes in too, and `None` is returned where there is no such secret.
    pub(crate) fn of(origin: &Origin) -> Option<SealKey> {
        const LABEL: &[u8] = b"ngx_http_s3_resign sealed id 1\0";
        const LASTING_LABEL: &[u8] = b"ngx_http_s3_resign sealed id 2\0";

        let secret = match &origin.lasting {
            None => origin.credential.secret(),
            Some(lasting) => lasting.seal_key.as_ref()?.expose(),
        };
        let key = HmacKey::new(&[secret]).sign_text(|text| {
            match &origin.lasting {
                None => text.put(LABEL),
                Some(lasting) => {
                    text.put(LASTING_LABEL);
                    text.put(&lasting.name);
                    text.put(b"\0");
                }
            }
            text.put(&origin.host);
            // No host has a NUL.
            if let Some(account) = &origin.account {
                text.put(b"\0");
                text.put(account.as_str().as_bytes());
            }
        });
        Some(SealKey(Zeroizing::new(key)))
    }

    fn cipher(&self) -> Aes128Siv {
        Aes128Siv::new((&*self.0).into())
    }

    /// Seals an id. It stays as it is if it is empty, or longer than any store's.
    pub(crate) fn seal(&self, owner: Owner<'_>, id: &str) -> String {
        if id.is_empty() || id.len() > MAX_ID {
            return id.into();
        }
        let sealed = self.cipher().encrypt(owner.parts(), id.as_bytes());
        let Ok(sealed) = sealed else {
            return id.into();
        };
        let mut text = String::from(PREFIX);
        text.push_str(&Base32Unpadded::encode_string(&sealed));
        text
    }

    /// Opens what `seal` has made with the same key for the same owner; `None` if it is anything else.
    pub(crate) fn open(&self, owner: Owner<'_>, text: &[u8]) -> Option<Vec<u8>> {
        let sealed = Some(text).filter(|text| text.len() <= MAX_SEALED)?;
        let sealed = std::str::from_utf8(sealed.strip_prefix(PREFIX.as_bytes())?).ok()?;
        let bytes = Base32Unpadded::decode_vec(sealed).ok()?;
        // An id has one spelling: its last digit may have bits that the decoder ignores.
        if Base32Unpadded::encode_string(&bytes) != sealed {
            return None;
        }
        let id = self.cipher().decrypt(owner.parts(), &bytes).ok()?;
        // An empty parameter is one that some servers take for absent.
        (!id.is_empty()).then_some(id)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(redacted)")
    }
}

/// Whether the raw value of a parameter begins as sealed ids do.
pub(crate) fn is_sealed_value(raw: &[u8]) -> bool {
    let mut id = uri::decoded(raw, Part::Query);
    PREFIX.bytes().all(|byte| id.next() == Some(byte))
}

impl Origin {
    /// Whether ids of one are ids of the other: the same secret, host and account, as nodes of one
    /// cluster have. Keys that
    /// change are the same if they come from the same place.
    pub(crate) fn shares_ids_with(&self, other: &Origin) -> bool {
        let is_same = match (&self.lasting, &other.lasting) {
            (None, None) => self.credential.has_secret_of(&other.credential),
            (one, another) => one == another,
        };
        self.host == other.host && self.account == other.account && is_same
    }
}

/// Whether ids are sealed in what these origins answer: where one of them does not know the ids of another one.
pub fn seals_ids<'o>(mut origins: impl Iterator<Item = &'o Origin>) -> bool {
    let first = origins.next();
    first.is_some_and(|first| origins.any(|other| !other.shares_ids_with(first)))
}

/// Seals the ids in an answer to one request, for the origin that gave it.
pub struct Sealer {
    /// `None` leaves ids as they are: nothing could open them.
    seal_key: Option<SealKey>,
    /// As the client names them, decoded; empty if the service itself, or a bucket, is asked.
    bucket: Vec<u8>,
    key: Vec<u8>,
}

impl Sealer {
    pub(crate) fn new(origin: &Origin, (bucket, key): (Vec<u8>, Vec<u8>)) -> Sealer {
        Sealer {
            seal_key: SealKey::of(origin),
            bucket,
            key,
        }
    }

    fn seal(&self, owner: Owner<'_>, id: &str) -> String {
        match &self.seal_key {
            Some(seal_key) => seal_key.seal(owner, id),
            None => id.into(),
        }
    }

    /// Seals the id of a multipart upload of the key that the request is for, whatever the origin calls it.
    pub fn own_upload_id(&self, id: &str) -> String {
        self.upload_id(&self.key, id)
    }

    /// Seals the id of a multipart upload of a key in a list, which is decoded.
    pub fn upload_id(&self, key: &[u8], id: &str) -> String {
        let bucket = &self.bucket;
        self.seal(Owner::Upload { bucket, key }, id)
    }

    /// Seals a `NextUploadIdMarker`.
    pub fn marker(&self, id: &str) -> String {
        let bucket = &self.bucket;
        self.seal(Owner::UploadMarker { bucket }, id)
    }

    /// Seals a `NextVersionIdMarker`.
    pub fn version_marker(&self, id: &str) -> String {
        let bucket = &self.bucket;
        self.seal(Owner::VersionMarker { bucket }, id)
    }

    /// Returns a `NextMarker` that any origin can read: the key alone. MinIO adds a note to itself, as
    /// `[minio_cache:v2,return:]`, which others take for a part of the key, and leave out keys that come before that.
    pub fn key_marker(&self, marker: &str) -> String {
        let notes = [("[minio_cache:", "]"), ("%5Bminio_cache%3A", "%5D")];
        let key = notes.iter().find_map(|(start, end)| {
            let (key, _) = marker.strip_suffix(end)?.rsplit_once(start)?;
            Some(key)
        });
        key.unwrap_or(marker).into()
    }

    /// Seals a `NextContinuationToken`, or a `ContinuationToken` in a list of buckets.
    pub fn token(&self, token: &str) -> String {
        let bucket = &self.bucket;
        self.seal(Owner::List { bucket }, token)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("bucket", &self.bucket.escape_ascii().to_string())
            .field("key", &self.key.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}
