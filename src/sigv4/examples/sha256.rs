//! Hashes so many MiB, by the very SHA-256 that signed chunks need: what `make bench` measures them
//! against.
use std::hint::black_box;

use sha2::{Digest, Sha256};

fn main() {
    let count: usize = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1024);
    let piece = vec![b'x'; 64 << 10];
    let mut hash = Sha256::new();
    for _ in 0..count * 16 {
        hash.update(black_box(&piece));
    }
    black_box(hash.finalize());
}
