//! How much memory a grant needs.
use std::sync::Arc;

use super::{BucketPattern, Grant};

impl Grant {
    /// Tells how many bytes it has to itself: what it shares with others is not counted.
    pub(crate) fn own_size(&self) -> usize {
        let places = match Arc::strong_count(&self.places) {
            1 => self.places.iter().map(BucketPattern::size).sum(),
            _ => 0,
        };
        let outer = self
            .outer
            .iter()
            .map(|outer| match Arc::strong_count(outer) {
                1 => size_of::<Grant>() + heap(0) + outer.own_size(),
                _ => 0,
            });
        let list = self.outer.capacity() * size_of::<Arc<Grant>>();
        places + outer.sum::<usize>() + heap(list) + self.text.own_size()
    }
}

impl BucketPattern {
    fn size(&self) -> usize {
        let key = self.key.as_deref().map_or(0, |key| heap(key.len()));
        size_of::<BucketPattern>() + heap(self.bucket.len()) + key
    }
}

/// How many bytes an allocation of that many takes: it has a header, and is a multiple of 16.
pub(crate) fn heap(bytes: usize) -> usize {
    bytes.saturating_add(8).next_multiple_of(16).max(32)
}
