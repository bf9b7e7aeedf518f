//! Copies and compares short text in place: a call would cost more than the work.

/// Copies between slices of one length.
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    let copied = copy_ends::<16>(to, from)
        || copy_ends::<8>(to, from)
        || copy_ends::<4>(to, from)
        || copy_ends::<2>(to, from)
        || copy_ends::<1>(to, from);
    if !copied && !from.is_empty() {
        to.copy_from_slice(from);
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

/// Compares two texts.
#[inline(always)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() || a.len() > 64 {
        return a == b;
    }
    // In words, the last of which may overlap the one before.
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    words.fold(true, |all, (a, b)| all & (a == b))
        && match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
            (Some(a), Some(b)) => a == b,
            _ => a.iter().zip(b).all(|(a, b)| a == b),
        }
}

#[cfg(test)]
mod tests {
    use super::{copy, same};

    #[test]
    fn every_byte_is_copied() {
        for length in 0..70 {
            let text: Vec<u8> = (1..=length).collect();
            let mut copied = vec![0; text.len()];
            copy(&mut copied, &text);
            assert_eq!(copied, text);
        }
    }

    #[test]
    fn a_difference_anywhere() {
        for length in 0..130 {
            let text: Vec<u8> = (0..length).collect();
            assert!(same(&text, &text.clone()), "{length}");
            assert!(!same(&text, &[&*text, b"x"].concat()), "{length}");
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!same(&text, &other), "{at} of {length}");
            }
        }
    }
}
