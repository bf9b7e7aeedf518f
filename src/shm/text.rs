//! Short texts in shared memory.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::shared_record;

shared_record! {
    /// A short text, cut where it is longer. Two processes that write at once need a lock between them,
    /// and a process that reads meanwhile may see a mixture of both texts.
    pub struct Text {
        length: AtomicU8,
        bytes: [AtomicU8; Text::MAX],
    }
}

impl Text {
    pub const MAX: usize = 95;

    pub fn set(&self, text: &[u8]) {
        let text = Text::cut(text);
        for (to, from) in self.bytes.iter().zip(text) {
            to.store(*from, Relaxed);
        }
        self.length.store(text.len() as u8, Relaxed);
    }

    pub fn read(&self) -> Vec<u8> {
        let length = usize::from(self.length.load(Relaxed));
        let bytes = self.bytes.iter().take(length);
        bytes.map(|byte| byte.load(Relaxed)).collect()
    }

    /// The text, with escapes for what is not printable ASCII.
    pub fn readable(&self) -> String {
        self.read().escape_ascii().to_string()
    }

    /// Whether it is that text, or would be after `set`.
    pub fn is(&self, text: &[u8]) -> bool {
        let text = Text::cut(text);
        let bytes = self.bytes.iter().map(|byte| byte.load(Relaxed));
        usize::from(self.length.load(Relaxed)) == text.len()
            && bytes.zip(text).all(|(here, there)| here == *there)
    }

    fn cut(text: &[u8]) -> &[u8] {
        &text[..text.len().min(Text::MAX)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Text {
        Text {
            length: AtomicU8::new(0),
            bytes: std::array::from_fn(|_| AtomicU8::new(0)),
        }
    }

    #[test]
    fn a_text_is_kept() {
        let text = empty();
        assert_eq!(text.read(), b"");
        assert!(text.is(b"") && !text.is(b"a"));
        text.set(b"longer");
        text.set(b"short");
        assert_eq!(text.read(), b"short");
        assert!(
            text.is(b"short") && !text.is(b"shor") && !text.is(b"shorr") && !text.is(b"shortr")
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = empty();
        for length in [Text::MAX - 1, Text::MAX, Text::MAX + 1, 1000] {
            let long = vec![b'x'; length];
            text.set(&long);
            assert_eq!(text.read(), vec![b'x'; length.min(Text::MAX)]);
            assert!(text.is(&long), "{length}");
        }
        assert!(text.is(&[b'x'; Text::MAX]) && !text.is(&[b'x'; Text::MAX - 1]));
    }

    #[test]
    fn what_is_not_printable_is_escaped() {
        let text = empty();
        text.set("a\"'\\\n\u{1b}\u{7f}é".as_bytes());
        assert_eq!(text.readable(), r#"a\"\'\\\n\x1b\x7f\xc3\xa9"#);
    }

    /// Another process may be writing, or have written anything.
    #[test]
    fn a_mixture_is_a_text() {
        let text = empty();
        text.set(b"aaaa");
        text.bytes[1].store(b'b', Relaxed);
        assert_eq!(text.read(), b"abaa");
        text.length.store(2, Relaxed);
        assert!(text.is(b"ab"));
        text.length.store(255, Relaxed);
        assert_eq!(text.read().len(), Text::MAX);
        assert!(!text.is(&[0; 255]));
    }
}
