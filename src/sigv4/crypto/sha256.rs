//! The parts of SHA-256. Messages here are short, or follow a key that is kept as a state: the buffers of
//! `sha2` would cost more than its compression function.
//!
//! <https://doi.org/10.6028/NIST.FIPS.180-4>
use crate::text::{bytes::copy, sink::Sink};

pub(crate) use sha2::block_api::compress256 as compress;

/// FIPS 180-4 section 5.3.3.
pub(crate) const INITIAL_STATE: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The SHA-256 of nothing, in hexadecimal digits.
pub(crate) const EMPTY: &[u8; 64] =
    b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Zeros that `pad` may need after a message.
pub(crate) const PADDING: [u8; 72] = [0; 72];

/// Pads a message of `length` bytes, with zeros after it, of which `hashed` others have been hashed
/// already: section 5.1.1. Returns its blocks.
#[inline(always)]
pub(crate) fn pad(room: &mut [u8], length: usize, hashed: u64) -> &[[u8; 64]] {
    let bits = 8 * (hashed + length as u64);
    if let Some(after) = room.get_mut(length) {
        *after = 0x80;
    }
    let end = (length + 1 + size_of_val(&bits)).next_multiple_of(64);
    let padded = room.get_mut(..end).unwrap_or_default();
    if let Some(place) = padded.last_chunk_mut() {
        *place = bits.to_be_bytes();
    }
    padded.as_chunks().0
}

/// Hashes what it is given. Pieces are gathered first, since most are shorter than a block.
pub(crate) struct Sha256Sink {
    state: [u32; 8],
    /// Bytes that have led to that state.
    hashed: u64,
    gathered: [u8; GATHERED],
    length: usize,
}

/// Whole blocks.
const GATHERED: usize = 512;

impl Default for Sha256Sink {
    fn default() -> Sha256Sink {
        Sha256Sink::after(&INITIAL_STATE, 0)
    }
}

impl Sha256Sink {
    /// Continues a message whose first `hashed` bytes, a multiple of 64, have led to `state`.
    #[inline(always)]
    pub(crate) fn after(state: &[u32; 8], hashed: u64) -> Sha256Sink {
        Sha256Sink {
            state: *state,
            hashed,
            gathered: [0; GATHERED],
            length: 0,
        }
    }

    /// Returns the hash of all that was put. To be called once, at the end.
    #[inline(always)]
    pub(crate) fn finish(&mut self) -> [u8; 32] {
        if self.length + PADDING.len() > GATHERED {
            self.compress_whole();
        }
        if let Some(after) = self.gathered.get_mut(self.length..)
            && let Some(place) = after.first_chunk_mut()
        {
            *place = PADDING;
        }
        let blocks = pad(&mut self.gathered, self.length, self.hashed);
        compress(&mut self.state, blocks);
        to_bytes(&self.state)
    }

    #[inline(always)]
    fn try_put(&mut self, bytes: &[u8]) -> bool {
        let end = self.length + bytes.len();
        let Some(place) = self.gathered.get_mut(self.length..end) else {
            return false;
        };
        copy(place, bytes);
        self.length = end;
        true
    }

    /// Takes more than there is room for.
    #[cold]
    fn spill(&mut self, mut bytes: &[u8]) {
        while let Some((now, later)) = bytes.split_at_checked(GATHERED - self.length) {
            self.try_put(now);
            bytes = later;
            self.compress_whole();
        }
        self.try_put(bytes);
    }

    /// Compresses the whole blocks; what is after them moves to the front.
    #[cold]
    fn compress_whole(&mut self) {
        let whole = self.length - self.length % 64;
        if let Some(blocks) = self.gathered.get(..whole) {
            compress(&mut self.state, blocks.as_chunks().0);
        }
        self.gathered.copy_within(whole..self.length, 0);
        self.hashed += whole as u64;
        self.length -= whole;
    }
}

impl Sink for Sha256Sink {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        if !self.try_put(bytes) {
            self.spill(bytes);
        }
    }
}

/// Hashes a message of a block, which has led to `state`, and a hash.
pub(crate) fn digest_after_block(state: &[u32; 8], hash: &[u8; 32]) -> [u8; 32] {
    let mut block = [0; 64];
    if let Some(place) = block.first_chunk_mut() {
        *place = *hash;
    }
    let mut state = *state;
    compress(&mut state, pad(&mut block, hash.len(), 64));
    to_bytes(&state)
}

/// Writes the state at the end of a message as its hash.
pub(crate) fn to_bytes(state: &[u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    use super::Sha256Sink;
    use crate::{crypto::hmac::HmacKey, text::sink::Sink};

    #[test]
    fn every_length_around_a_block() {
        let text: Vec<u8> = (0..=255).cycle().take(2_000).collect();
        for length in (0..200).chain([511, 512, 513, 1_023, 1_024, 1_025, 1_999]) {
            let text = &text[..length];
            let expected: [u8; 32] = Sha256::digest(text).into();
            for pieces in [1, 7, 64, 600] {
                let mut hash = Sha256Sink::default();
                text.chunks(pieces).for_each(|piece| hash.put(piece));
                assert_eq!(hash.finish(), expected, "{length} by {pieces}");
            }
            let mut mac = Hmac::<Sha256>::new_from_slice(text).unwrap();
            mac.update(text);
            let expected: [u8; 32] = mac.finalize().into_bytes().into();
            let (start, end) = text.split_at(length / 2);
            assert_eq!(HmacKey::new(&[start, end]).sign(text), expected, "{length}");
        }
    }
}
