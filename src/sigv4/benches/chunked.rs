//! Gigabytes of data a second through the `aws-chunked` codec, in buffers as nginx has them, beside
//! what any codec must do: `cargo bench -p sigv4 --bench chunked`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use common::{
    reference::{KEY, NOW, SECRET},
    upload::{self, SampleUpload},
    *,
};
use sha2::{Digest, Sha256};
use sigv4::*;

const LENGTH: usize = 16 << 20;
const ROUNDS: usize = 100;

fn main() {
    let payload: Vec<u8> = (0..LENGTH).map(|at| (at * 31 / 8) as u8).collect();
    let hash = best(|| {
        let start = Instant::now();
        payload.chunks(65_536).for_each(|chunk| {
            black_box(Sha256::digest(chunk));
        });
        start.elapsed()
    });
    report("SHA-256", hash, hash);
    let crc = best(|| {
        let start = Instant::now();
        black_box(crc_fast::checksum(
            crc_fast::CrcAlgorithm::Crc32IsoHdlc,
            &payload,
        ));
        start.elapsed()
    });
    report("CRC32", crc, crc);
    let mut copy = payload.clone();
    let memcpy = best(|| {
        let start = Instant::now();
        black_box(&mut copy).copy_from_slice(&payload);
        start.elapsed()
    });
    report("memcpy", memcpy, memcpy);

    for (kind, ideal) in [
        (StreamingKind::Signed, hash),
        (StreamingKind::SignedTrailer, hash + crc),
        (StreamingKind::UnsignedTrailer, crc + memcpy),
    ] {
        for chunk in [65_536, 1 << 20, LENGTH] {
            for buffer in [16 << 10, 1 << 20] {
                let upload = SampleUpload::even(kind, &payload, chunk);
                let name = format!(
                    "{kind:?}, chunks {}K, buffers {}K",
                    chunk >> 10,
                    buffer >> 10
                );
                measure(&name, &upload, buffer, ideal);
            }
        }
    }
}

/// Decodes, and encodes again for an origin.
fn measure(name: &str, upload: &SampleUpload, buffer: usize, ideal: Duration) {
    let head = upload.head();
    let body = upload.body(&head);
    let raw = Raw::new(&head);
    let verified = verdict(
        &raw,
        kept(Directory::new(&[(KEY, SECRET)])),
        kept(rules()),
        NOW,
    )
    .unwrap();
    let wire = head.replacen('\n', " HTTP/1.1\n", 1).replace('\n', "\r\n") + "\r\n";
    let mut room = HeadRoom::default();
    let wire = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
    let origin = Origin::new(
        credential("AKIDORIGIN", "origin/secret"),
        b"s3.origin.example:9000",
    );
    let mut received = vec![0; body.len()];
    let mut out = vec![0; 4_096];
    let mut keys = KeyCache::new(8);
    let took = best(|| {
        received.copy_from_slice(&body);
        let start = Instant::now();
        let mut decoder = upload::decoder(&verified).unwrap();
        let mut head = sign(&verified, &wire, &origin, &mut keys, Timestamp(NOW)).unwrap();
        let mut encoder = head.write_with_encoder(&mut out).unwrap().1.unwrap();
        let mut decoded = 0;
        for buffer in received.chunks_mut(buffer) {
            decoded += decoder.decode(black_box(buffer)).unwrap().len() as u64;
            // A chunk goes on once all of it is there.
            while encoder.next_length() > 0 && encoder.offset() + encoder.next_length() <= decoded {
                let hash = decoder.chunk_hash(encoder.offset(), encoder.next_length());
                black_box(encoder.chunk(hash.as_ref()).unwrap());
            }
        }
        decoded += u64::from(decoder.finish().unwrap().is_some());
        assert_eq!(decoded, LENGTH as u64);
        while encoder.next_length() > 0 {
            let hash = decoder.chunk_hash(encoder.offset(), encoder.next_length());
            black_box(encoder.chunk(hash.as_ref()).unwrap());
        }
        black_box(encoder.end(decoder.checksum()).unwrap());
        start.elapsed()
    });
    report(name, took, ideal);
}

/// The fastest round is the one least disturbed by the rest of the machine.
fn best(mut round: impl FnMut() -> Duration) -> Duration {
    (0..ROUNDS).map(|_| round()).min().unwrap()
}

fn report(name: &str, took: Duration, ideal: Duration) {
    println!(
        "{name:<45} {:>6.2} GB/s {:>5.1} % of what must be",
        LENGTH as f64 / took.as_nanos() as f64,
        100.0 * ideal.as_secs_f64() / took.as_secs_f64()
    );
}
