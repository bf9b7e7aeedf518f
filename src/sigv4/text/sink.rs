//! Where canonical text goes: into a hash, a count, a slice or a vector.
use arrayvec::ArrayVec;

use crate::text::bytes::copy;

/// Takes text piece by piece.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
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

    /// Returns all that was put; `None` if something did not fit.
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

/// For text whose length is bounded by the types of its parts; what does not fit is dropped.
impl<const N: usize> Sink for ArrayVec<u8, N> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let fitting = bytes.len().min(self.remaining_capacity());
        let _ = self.try_extend_from_slice(bytes.get(..fitting).unwrap_or_default());
    }
}

/// Puts a number in digits.
pub(crate) fn put_number(sink: &mut impl Sink, mut number: u64) {
    // No number of 64 bits has more.
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    sink.put(digits.get(digits.len() - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for number in powers
            .chain([u64::MAX])
            .flat_map(|number| [number - 1, number])
        {
            let mut put = Vec::new();
            put_number(&mut put, number);
            assert_eq!(put, number.to_string().into_bytes());
        }
    }
}
