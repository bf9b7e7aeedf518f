//! The signatures of chunks, each made over the one before it.
use sha2::{Digest, Sha256};

use crate::{
    checksum::Checksum, crypto::hex::hex, crypto::sha256::EMPTY, crypto::signature::SignatureV4,
    date::AmzDate, keys::SigningKey, text::sink::Sink,
};

/// Makes the signatures of one body's chunks, in their order.
#[derive(Clone)]
pub(crate) struct Chain {
    /// Zeroised when dropped.
    key: SigningKey,
    date: AmzDate,
    previous: SignatureV4,
}

impl Chain {
    /// Begins a chain with the signature of the request's head.
    pub(crate) fn new(key: SigningKey, date: AmzDate, seed: SignatureV4) -> Chain {
        Chain {
            key,
            date,
            previous: seed,
        }
    }

    /// Signs the next chunk.
    pub(crate) fn sign_chunk(&mut self, hash: &[u8; 32]) -> &SignatureV4 {
        self.sign(b"AWS4-HMAC-SHA256-PAYLOAD", &[EMPTY, &hex(hash)])
    }

    /// Signs the trailer, after the last chunk.
    pub(crate) fn sign_trailer(&mut self, checksum: &Checksum) -> &SignatureV4 {
        let mut hash = Sha256::new();
        for part in [checksum.algorithm().header(), b":", checksum.value(), b"\n"] {
            hash.update(part);
        }
        let hash = hex(&hash.finalize().into());
        self.sign(b"AWS4-HMAC-SHA256-TRAILER", &[&hash])
    }

    fn sign(&mut self, algorithm: &[u8], hashes: &[&[u8]]) -> &SignatureV4 {
        self.previous = SignatureV4::of_mac(&self.key.mac().sign_text(|sink| {
            sink.put(algorithm);
            sink.put(b"\n");
            sink.put(self.date.as_bytes());
            sink.put(b"\n");
            sink.put(self.key.scope().as_bytes());
            sink.put(b"\n");
            self.previous.put(sink);
            for hash in hashes {
                sink.put(b"\n");
                sink.put(hash);
            }
        }));
        &self.previous
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}
