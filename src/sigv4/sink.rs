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
    /// The hash of all that was put.
    pub(crate) fn finish(&mut self) -> [u8; 32] {
        self.hash.update(&self.gathered);
        self.gathered.clear();
        self.hash.finalize_reset().into()
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
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Fills a slice from its beginning.
pub(crate) struct Filling<'a> {
    out: &'a mut [u8],
    filled: usize,
    overflow: bool,
}

impl<'a> Filling<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Filling<'a> {
        Filling {
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

impl Sink for Filling<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        match self.out.get_mut(self.filled..self.filled + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
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

/// For text whose length the types bound; what does not fit is dropped.
impl<const N: usize> Sink for ArrayVec<u8, N> {
    fn put(&mut self, bytes: &[u8]) {
        let fitting = bytes.len().min(self.remaining_capacity());
        let _ = self.try_extend_from_slice(bytes.get(..fitting).unwrap_or_default());
    }
}
