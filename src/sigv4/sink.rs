//! Where canonical text goes: into a hash, a count, a slice or a vector.
use std::ops::Deref;

use arrayvec::ArrayVec;

use crate::sha256;

/// Takes text piece by piece.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

/// Hashes what it is given. Pieces are gathered first, since most are shorter than a block.
pub(crate) struct Hashing {
    state: [u32; 8],
    /// Bytes that have led to that state.
    hashed: u64,
    gathered: Text<GATHERED>,
}

/// Whole blocks.
const GATHERED: usize = 512;

impl Default for Hashing {
    fn default() -> Hashing {
        Hashing {
            state: sha256::INITIAL_STATE,
            hashed: 0,
            gathered: Text::default(),
        }
    }
}

impl Hashing {
    /// The hash of all that was put.
    pub(crate) fn finish(&self) -> [u8; 32] {
        sha256::digest_from(&self.state, self.hashed, &self.gathered)
    }

    /// Takes more than there is room for.
    #[cold]
    fn spill(&mut self, mut bytes: &[u8]) {
        while let Some((now, later)) = bytes.split_at_checked(GATHERED - self.gathered.length) {
            self.gathered.put(now);
            bytes = later;
            sha256::compress(&mut self.state, self.gathered.bytes.as_chunks().0);
            self.hashed += GATHERED as u64;
            self.gathered.length = 0;
        }
        self.gathered.put(bytes);
    }
}

impl Sink for Hashing {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        if !self.gathered.try_put(bytes) {
            self.spill(bytes);
        }
    }
}

/// Copies as many bytes as there are on both sides. Most pieces are short: a call costs more than
/// the copy then.
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
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

/// Text in place, whose length the types of its parts bound; what does not fit is dropped.
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Text<N> {
        Text {
            bytes: [0; N],
            length: 0,
        }
    }
}

impl<const N: usize> Text<N> {
    /// False where there is no room for all of it.
    #[inline(always)]
    fn try_put(&mut self, bytes: &[u8]) -> bool {
        let Some(place) = self.bytes.get_mut(self.length..self.length + bytes.len()) else {
            return false;
        };
        copy(place, bytes);
        self.length += bytes.len();
        true
    }
}

impl<const N: usize> Sink for Text<N> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.try_put(bytes);
    }
}

impl<const N: usize> Deref for Text<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// As for `Text`.
impl<const N: usize> Sink for ArrayVec<u8, N> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let fitting = bytes.len().min(self.remaining_capacity());
        let _ = self.try_extend_from_slice(bytes.get(..fitting).unwrap_or_default());
    }
}
