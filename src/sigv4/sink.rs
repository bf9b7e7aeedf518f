//! Where canonical text goes: into a hash, a count, a slice or a vector.
use arrayvec::ArrayVec;

use crate::{bytes::copy, sha256};

/// Takes text piece by piece.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
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
        Sha256Sink::behind(&sha256::INITIAL_STATE, 0)
    }
}

impl Sha256Sink {
    /// Of a message whose first `hashed` bytes, a multiple of 64, have led to `state`.
    #[inline(always)]
    pub(crate) fn behind(state: &[u32; 8], hashed: u64) -> Sha256Sink {
        Sha256Sink {
            state: *state,
            hashed,
            gathered: [0; GATHERED],
            length: 0,
        }
    }

    /// The hash of all that was put; nothing is to be put or asked afterwards.
    #[inline(always)]
    pub(crate) fn finish(&mut self) -> [u8; 32] {
        if self.length + sha256::PADDING.len() > GATHERED {
            self.compress_whole();
        }
        if let Some(behind) = self.gathered.get_mut(self.length..)
            && let Some(place) = behind.first_chunk_mut()
        {
            *place = sha256::PADDING;
        }
        let blocks = sha256::pad(&mut self.gathered, self.length, self.hashed);
        sha256::compress(&mut self.state, blocks);
        sha256::to_bytes(&self.state)
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

    /// Compresses the whole blocks; what is behind them moves to the front.
    #[cold]
    fn compress_whole(&mut self) {
        let whole = self.length - self.length % 64;
        if let Some(blocks) = self.gathered.get(..whole) {
            sha256::compress(&mut self.state, blocks.as_chunks().0);
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

/// Counts bytes.
#[derive(Default)]
pub(crate) struct CountSink(pub(crate) usize);

impl Sink for CountSink {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Fills a slice from its beginning.
pub(crate) struct SliceSink<'a> {
    out: &'a mut [u8],
    filled: usize,
    overflow: bool,
}

impl<'a> SliceSink<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> SliceSink<'a> {
        SliceSink {
            out,
            filled: 0,
            overflow: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.filled
    }

    pub(crate) fn filled(&self) -> &[u8] {
        self.out.get(..self.filled).unwrap_or_default()
    }

    /// All that was put; None if something did not fit.
    pub(crate) fn finish(&self) -> Option<&[u8]> {
        (!self.overflow).then(|| self.filled())
    }

    /// Puts `bytes` in the place of others.
    pub(crate) fn replace(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.out.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

impl Sink for SliceSink<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        match self.out.get_mut(self.filled..self.filled + bytes.len()) {
            Some(place) => {
                copy(place, bytes);
                self.filled += bytes.len();
            }
            None => self.overflow = true,
        }
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Of text whose length the types of its parts bound; what does not fit is dropped.
impl<const N: usize> Sink for ArrayVec<u8, N> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let fitting = bytes.len().min(self.remaining_capacity());
        let _ = self.try_extend_from_slice(bytes.get(..fitting).unwrap_or_default());
    }
}
