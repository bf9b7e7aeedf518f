//! Bodies that an origin has compressed.
use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sigv4::*;

use crate::setting::Cut;

/// The most bytes that a piece may become.
const MAX_UNPACKED: usize = 4 << 20;

fn unpacked<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Result<Vec<u8>, Unreadable> {
    let mut gunzip = Gunzip::default();
    let mut whole = Vec::new();
    for piece in pieces {
        let piece = gunzip.unpack(piece)?;
        assert!(piece.len() <= MAX_UNPACKED);
        whole.extend(piece);
    }
    let rest = gunzip.finish()?;
    assert!(rest.len() <= MAX_UNPACKED);
    whole.extend(rest);
    Ok(whole)
}

/// A body is unpacked to the same in all pieces, unless it is too long for one of them; so is what was packed.
pub fn check(body: &[u8], cut: Cut) {
    let whole = unpacked([body].into_iter());
    let pieces = unpacked(cut.pieces(body));
    let mut other = Vec::new();
    let read = GzDecoder::new(body).read_to_end(&mut other);
    if other.len() < MAX_UNPACKED {
        assert_eq!(pieces, whole);
    }
    if let Ok(whole) = &whole {
        assert!(read.is_ok() && other == *whole);
    }
    assert_eq!(unpacked(cut.pieces(&gzip(body))).as_deref(), Ok(body));
}

pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}
