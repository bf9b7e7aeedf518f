//! Where canonical text goes: into a hash, a count, a slice or a vector.
use arrayvec::ArrayVec;
use sha2::{Digest, Sha256};

/// Takes text piece by piece.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

/// Hashes what it is given. Pieces are gathered first, since most are shorter than a block.
#[derive(Default)]
pub(crate) struct Hashing {
    hash: Sha256,
    gathered: ArrayVec<u8, 512>,
}

impl Hashing {
    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.hash.update(&self.gathered);
        self.hash.finalize().into()
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        self.hash.update(&self.gathered);
        self.gathered.clear();
        if self.gathered.try_extend_from_slice(bytes).is_err() {
            self.hash.update(bytes);
        }
    }
}

impl Sink for Hashing {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        if self.gathered.try_extend_from_slice(bytes).is_err() {
            self.spill(bytes);
        }
    }
}

/// Counts bytes.
#[derive(Default)]
pub(crate) struct Counting(pub(crate) usize);

impl Sink for Counting {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Fills a slice; what does not fit is dropped.
pub(crate) struct Filling<'a>(pub(crate) &'a mut [u8]);

impl Sink for Filling<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let slice = std::mem::take(&mut self.0);
        let (filled, rest) = slice.split_at_mut(bytes.len().min(slice.len()));
        let (fitting, _) = bytes.split_at(filled.len());
        filled.copy_from_slice(fitting);
        self.0 = rest;
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// For text whose length the types bound; what does not fit is dropped.
impl<const N: usize> Sink for ArrayVec<u8, N> {
    fn put(&mut self, bytes: &[u8]) {
        let fitting = bytes.len().min(self.remaining_capacity());
        let _ = self.try_extend_from_slice(bytes.get(..fitting).unwrap_or_default());
    }
}
