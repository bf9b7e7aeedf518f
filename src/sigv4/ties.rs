//! Texts for tests that tie a fast reader to a slow one of the same grammar: whatever the fast one says,
//! the slow one says too.

/// Checks a text, and all texts that result from it when one byte is replaced, removed or inserted.
pub(crate) fn each_edit(text: &[u8], mut check: impl FnMut(&[u8])) {
    check(text);
    let mut edited = text.to_vec();
    for at in 0..text.len() {
        for byte in 0..=u8::MAX {
            edited[at] = byte;
            check(&edited);
        }
        edited[at] = text[at];
    }
    for at in 0..text.len() {
        let byte = edited.remove(at);
        check(&edited);
        edited.insert(at, byte);
    }
    for at in 0..=text.len() {
        edited.insert(at, 0);
        for byte in 0..=u8::MAX {
            edited[at] = byte;
            check(&edited);
        }
        edited.remove(at);
    }
}

/// Checks all texts of these bytes up to `longest`.
pub(crate) fn each_text(bytes: &[u8], longest: usize, check: &mut impl FnMut(&[u8])) {
    fn extend(text: &mut Vec<u8>, bytes: &[u8], longest: usize, check: &mut impl FnMut(&[u8])) {
        check(text);
        if text.len() < longest {
            for &byte in bytes {
                text.push(byte);
                extend(text, bytes, longest, check);
                text.pop();
            }
        }
    }
    extend(&mut Vec::new(), bytes, longest, check);
}

/// Checks texts of each length up to `longest` that repeat one byte, with any other byte in any place.
pub(crate) fn each_odd_byte(usual: u8, longest: usize, mut check: impl FnMut(&[u8])) {
    for length in 0..=longest {
        let mut text = vec![usual; length];
        check(&text);
        for at in 0..length {
            for byte in 0..=u8::MAX {
                text[at] = byte;
                check(&text);
            }
            text[at] = usual;
        }
    }
}
