//! The hashes of a body's chunks that are kept.
use std::collections::VecDeque;

/// How many hashes of chunks are kept, of 48 bytes each: those of 128 MiB in chunks of 64 KiB, as most clients have
/// them.
const MAX_HASHES: usize = 2048;

/// For how many there is room from the beginning. A body that is sent on in signed chunks as it arrives needs no more;
/// of others more are kept.
const FIRST_HASHES: usize = 64;

/// The hashes of chunks, in their order.
#[derive(Default)]
pub(super) struct ChunkHashes(VecDeque<ChunkHash>);

/// The SHA-256 of a stretch of data.
struct ChunkHash {
    offset: u64,
    length: u64,
    hash: [u8; 32],
}

impl ChunkHashes {
    /// Makes room, so that few chunks cost an allocation.
    pub(super) fn reserve(&mut self) {
        self.0.reserve(FIRST_HASHES);
    }

    pub(super) fn are_full(&self) -> bool {
        self.0.len() >= MAX_HASHES
    }

    /// Adds the hash of data after that of all others, if there is room for it.
    pub(super) fn push(&mut self, offset: u64, length: u64, hash: [u8; 32]) {
        if !self.are_full() {
            self.0.push_back(ChunkHash {
                offset,
                length,
                hash,
            });
        }
    }

    /// Forgets those of data before `offset`.
    pub(super) fn forget_before(&mut self, offset: u64) {
        while self.0.front().is_some_and(|hash| hash.offset < offset) {
            self.0.pop_front();
        }
    }

    /// Returns the length of each but the last, if they are those of all of `total` bytes and are of one length.
    pub(super) fn size(&self, total: u64) -> Option<u64> {
        let size = self.0.front()?.length;
        let mut end = 0;
        for hash in &self.0 {
            if hash.offset != end || hash.length != size.min(total - end) {
                return None;
            }
            end += hash.length;
        }
        (end == total).then_some(size)
    }

    /// Finds the hash of just that data.
    pub(super) fn find(&self, offset: u64, length: u64) -> Option<[u8; 32]> {
        let found = self.0.binary_search_by_key(&offset, |hash| hash.offset);
        let hash = self.0.get(found.ok()?)?;
        (hash.length == length).then_some(hash.hash)
    }
}
