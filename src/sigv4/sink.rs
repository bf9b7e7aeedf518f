//! Where canonical text goes: into a hash, a count, a slice or a vector.
use arrayvec::ArrayVec;
use sha2::{Digest, Sha256};

/// Takes text piece by piece.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

/// Hashes what it is given. Pieces are gathered first, since most are shorter than a block.
pub(crate) struct Hashing {
    hash: Sha256,
    gathered: [u8; 512],
    length: usize,
}

impl Default for Hashing {
    fn default() -> Hashing {
        Hashing {
            hash: Sha256::new(),
            gathered: [0; 512],
            length: 0,
        }
    }
}

impl Hashing {
    /// The hash of all that was put.
    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.flush();
        self.hash.finalize().into()
    }

    fn flush(&mut self) {
        self.hash
            .update(self.gathered.get(..self.length).unwrap_or_default());
        self.length = 0;
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        self.flush();
        match self.gathered.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length = bytes.len();
            }
            None => self.hash.update(bytes),
        }
    }
}

impl Sink for Hashing {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        match self
            .gathered
            .get_mut(self.length..self.length + bytes.len())
        {
            Some(place) => {
                copy(place, bytes);
                self.length += bytes.len();
            }
            None => self.spill(bytes),
        }
    }
}

/// Copies as many bytes as there are on both sides. Most pieces are short: a call costs more than
/// the copy then.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    if !copy_ends::<16>(to, from) && !copy_ends::<8>(to, from) && !copy_ends::<4>(to, from) {
        if from.len() > 32 {
            return to.copy_from_slice(from);
        }
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// Copies N to 2 N bytes as two pieces of N, which may overlap.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
    if from.len() > 2 * N {
        return false;
    }
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    if let Some(to) = to.first_chunk_mut() {
        *to = *first;
    }
    if let Some(to) = to.last_chunk_mut() {
        *to = *last;
    }
    true
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

/// For text whose length the types bound; what does not fit is dropped.
impl<const N: usize> Sink for ArrayVec<u8, N> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let fitting = bytes.len().min(self.remaining_capacity());
        let _ = self.try_extend_from_slice(bytes.get(..fitting).unwrap_or_default());
    }
}
