//! SHA-256 of short texts, on `sha2`'s compression function: what is hashed here lies in one piece or
//! behind a key that is kept as a state, and then buffering costs more than hashing.
//!
//! <https://doi.org/10.6028/NIST.FIPS.180-4>
pub(crate) use sha2::block_api::compress256 as compress;

use crate::sink::copy;

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

/// The hash of a message whose first `hashed` bytes, a multiple of 64, have led to `state` and whose
/// others are `rest`.
pub(crate) fn digest_from(state: &[u32; 8], hashed: u64, rest: &[u8]) -> [u8; 32] {
    let mut state = *state;
    let (blocks, tail) = rest.as_chunks();
    compress(&mut state, blocks);

    // Section 5.1.1: a one, zeros, and the length in bits at the end of a block.
    let mut padded = [0; 128];
    if let Some((place, behind)) = padded.split_at_mut_checked(tail.len()) {
        copy(place, tail);
        if let Some(byte) = behind.first_mut() {
            *byte = 0x80;
        }
    }
    let length = if tail.len() < 56 { 64 } else { 128 };
    let padded = padded.get_mut(..length).unwrap_or_default();
    if let Some(place) = padded.last_chunk_mut() {
        *place = (8 * (hashed + rest.len() as u64)).to_be_bytes();
    }
    compress(&mut state, padded.as_chunks().0);

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

    use super::*;
    use crate::{
        keys::SigningKey,
        sink::{Hashing, Sink},
    };

    #[test]
    fn every_length_around_a_block() {
        let text: Vec<u8> = (0..=255).cycle().take(2_000).collect();
        for length in (0..200).chain([511, 512, 513, 1_023, 1_024, 1_025, 1_999]) {
            let text = &text[..length];
            let expected: [u8; 32] = Sha256::digest(text).into();
            assert_eq!(digest_from(&INITIAL_STATE, 0, text), expected, "{length}");
            for pieces in [1, 7, 64, 600] {
                let mut hash = Hashing::default();
                text.chunks(pieces).for_each(|piece| hash.put(piece));
                assert_eq!(hash.finish(), expected, "{length} by {pieces}");
            }
            let mut mac = Hmac::<Sha256>::new_from_slice(text).unwrap();
            mac.update(text);
            let expected: [u8; 32] = mac.finalize().into_bytes().into();
            let (start, end) = text.split_at(length / 2);
            assert_eq!(
                SigningKey::new(&[start, end]).sign(text),
                expected,
                "{length}"
            );
        }
    }
}
