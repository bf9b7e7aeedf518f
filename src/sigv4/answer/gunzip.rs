//! Unpacks an answer that an origin has compressed, so that it can be read.
//!
//! RFC 9110 section 8.4.1.3, RFC 1952.
use std::io::Write;

use flate2::write::GzDecoder;

use super::xml::Unreadable;

/// The most bytes that a piece may become: 250 times what nginx has in one by default.
const MAX_UNPACKED: usize = 4 << 20;
/// The most bytes that are unpacked at a time; each may become a thousand.
const STEP: usize = 1 << 10;

/// Unpacks a body while it arrives.
#[derive(Debug)]
pub struct Gunzip(GzDecoder<Vec<u8>>);

impl Default for Gunzip {
    fn default() -> Gunzip {
        Gunzip(GzDecoder::new(Vec::new()))
    }
}

impl Gunzip {
    /// Whether a body with this Content-Encoding can be unpacked.
    pub fn reads(encoding: &[u8]) -> bool {
        let names: [&[u8]; 2] = [b"gzip", b"x-gzip"];
        names.iter().any(|name| encoding.eq_ignore_ascii_case(name))
    }

    /// Returns what a piece is when it is unpacked.
    ///
    /// # Errors
    /// If it is not what was compressed, or becomes too long.
    pub fn unpack(&mut self, piece: &[u8]) -> Result<Vec<u8>, Unreadable> {
        for part in piece.chunks(STEP) {
            self.0.write_all(part).map_err(|_| Unreadable)?;
            if self.0.get_ref().len() > MAX_UNPACKED {
                return Err(Unreadable);
            }
        }
        self.0.flush().map_err(|_| Unreadable)?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    /// Ends the body, and returns the rest of it.
    ///
    /// # Errors
    /// If it is not whole.
    pub fn finish(&mut self) -> Result<Vec<u8>, Unreadable> {
        self.0.try_finish().map_err(|_| Unreadable)?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(packed: &[u8], size: usize) -> Result<Vec<u8>, Unreadable> {
        let mut gunzip = Gunzip::default();
        let mut text = Vec::new();
        for piece in packed.chunks(size) {
            text.extend(gunzip.unpack(piece)?);
        }
        text.extend(gunzip.finish()?);
        Ok(text)
    }

    #[test]
    fn in_pieces() {
        let text = b"<ListBucketResult><Name>acme-media</Name></ListBucketResult>".repeat(300);
        let packed = gzip(&text);
        for size in [1, 7, 100, packed.len()] {
            assert_eq!(unpacked(&packed, size).as_deref(), Ok(&*text), "{size}");
        }
    }

    #[test]
    fn what_is_not_whole() {
        let packed = gzip(b"<a>text</a>");
        for length in 0..packed.len() {
            assert_eq!(unpacked(&packed[..length], 5), Err(Unreadable), "{length}");
        }
        for at in 0..packed.len() {
            let mut other = packed.clone();
            other[at] ^= 0x20;
            // Flags, time and system in the header say nothing, nor do the bits that fill the last byte.
            if !(3..10).contains(&at) && at != packed.len() - 9 {
                assert_eq!(unpacked(&other, 5), Err(Unreadable), "{at}");
            }
        }
        assert_eq!(unpacked(b"<a>text</a>", 5), Err(Unreadable));
    }

    #[test]
    fn bombs() {
        let packed = gzip(&vec![b' '; 64 << 20]);
        assert_eq!(unpacked(&packed, packed.len()), Err(Unreadable));
        let packed = gzip(&vec![b' '; MAX_UNPACKED]);
        assert_eq!(
            unpacked(&packed, packed.len()).map(|text| text.len()),
            Ok(MAX_UNPACKED)
        );
    }
}
