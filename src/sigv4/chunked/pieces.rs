//! The hashes of a body's data in the pieces in which it goes out.
use std::ops::Range;

use super::hashes::ChunkHashes;
use crate::crypto::sha256_stream::Sha256Stream;

/// Hashes data in the pieces in which it goes out, while the chunks in which it came are hashed: to do both at
/// once costs little more than one.
#[derive(Default)]
pub(super) struct Pieces {
    /// Bytes of each but the last; 0 as long as nobody asks for them.
    size: u64,
    hash: Sha256Stream,
    /// The piece that is arriving is hashed from its first byte on.
    is_hashed: bool,
    hashes: ChunkHashes,
}

impl Pieces {
    /// Asks for pieces of that size from now on.
    pub(super) fn ask_for(&mut self, size: u64) {
        if self.size != size {
            *self = Pieces {
                size,
                ..Pieces::default()
            };
        }
    }

    /// Begins a piece if one begins at `at`, which is in `chunk` and in a body of `total` bytes; tells how many bytes
    /// from there on are of the same chunk and piece.
    pub(super) fn begin(&mut self, at: u64, chunk: Range<u64>, total: u64) -> u64 {
        let Some(offset) = at.checked_rem(self.size) else {
            return chunk.end - at;
        };
        let end = total.min(at - offset + self.size);
        if offset == 0 {
            // The hash of a chunk that is a piece is made anyway.
            self.is_hashed = chunk != (at..end) && !self.hashes.are_full();
            self.hash = Sha256Stream::default();
            if self.is_hashed {
                self.hashes.reserve();
            }
        }
        chunk.end.min(end) - at
    }

    /// Returns what the data is to be added to.
    pub(super) fn stream(&mut self) -> Option<&mut Sha256Stream> {
        self.is_hashed.then_some(&mut self.hash)
    }

    /// Takes note of the hash of a piece that ends at `at`, if one does.
    pub(super) fn end(&mut self, at: u64, total: u64) {
        let is_end = at == total || at.checked_rem(self.size) == Some(0);
        if is_end && std::mem::take(&mut self.is_hashed) {
            let length = self.hash.length();
            self.hashes.push(at - length, length, self.hash.finish());
        }
    }

    pub(super) fn hashes(&mut self) -> &mut ChunkHashes {
        &mut self.hashes
    }
}
