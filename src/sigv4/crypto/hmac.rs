//! HMAC-SHA256: RFC 2104.
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::sha256::{self, Sha256Sink};
use crate::text::sink::Sink;

/// A pre-keyed HMAC-SHA256: the SHA-256 states after `key ^ ipad` and `key ^ opad` (RFC 2104), so that
/// signing compresses only the message's blocks. Zeroised when dropped.
#[derive(Clone)]
pub(crate) struct HmacKey {
    inner: Zeroizing<[u32; 8]>,
    outer: Zeroizing<[u32; 8]>,
}

impl HmacKey {
    /// Takes the concatenation of `parts` as the key: padded to a block, or hashed if it is longer.
    pub(crate) fn new(parts: &[&[u8]]) -> HmacKey {
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
        let state_after = |pad: u8| {
            let mut state = Zeroizing::new(sha256::INITIAL_STATE);
            let padded = Zeroizing::new(block.map(|byte| byte ^ pad));
            sha256::compress(&mut state, &[*padded]);
            state
        };
        HmacKey {
            inner: state_after(0x36),
            outer: state_after(0x5c),
        }
    }

    /// Computes the HMAC of a message.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.sign_text(|sink| sink.put(message))
    }

    /// Computes the HMAC of what is put.
    pub(crate) fn sign_text(&self, put: impl FnOnce(&mut Sha256Sink)) -> [u8; 32] {
        let mut inner = Sha256Sink::after(&self.inner, 64);
        put(&mut inner);
        self.finish(&inner.finish())
    }

    /// Returns the state from which a message is hashed.
    pub(crate) fn inner_state(&self) -> &Zeroizing<[u32; 8]> {
        &self.inner
    }

    /// Completes the HMAC of a message that was hashed to `inner` from the inner state.
    pub(crate) fn finish(&self, inner: &[u8; 32]) -> [u8; 32] {
        sha256::digest_after_block(&self.outer, inner)
    }
}
