//! The hashes of a body in the pieces in which it goes out, made while it is verified.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{KEY, NOW, SECRET},
    upload::{self, SampleUpload},
    *,
};
use proptest::{collection::vec, prelude::*, sample::select};
use sha2::{Digest, Sha256};
use sigv4::*;

fn decoder(sent: &SampleUpload) -> Decoder {
    let head = sent.head();
    let raw = Raw::new(&head);
    let clients = kept(Directory::new(&[(KEY, SECRET)]));
    let verified = verdict(&raw, clients, kept(rules()), NOW).unwrap();
    upload::decoder(&verified).unwrap()
}

fn hash(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever chunks a body comes in, however it is cut, and whenever the pieces are asked for: each that begins to
    /// arrive after that has its hash, which is that of its data, and no other stretch has one.
    #[test]
    fn each_piece_has_its_hash(
        kind in select([StreamingKind::Signed, StreamingKind::SignedTrailer].as_slice()),
        algorithm in select([ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Sha256].as_slice()),
        chunks in vec(prop_oneof![1_usize..300, select([64, 128, 1_024, 4_096].as_slice())], 0..12),
        cuts in vec(1_usize..3_000, 1..8),
        size in prop_oneof![100_u64..2_000, select([64, 128, 1_024, 1 << 40].as_slice())],
        asked_at in 0_usize..4_000,
        is_read_late in any::<bool>(),
    ) {
        let length: usize = chunks.iter().sum();
        let payload: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
        let sent = SampleUpload::new(kind, &payload, &chunks).with(algorithm);
        let mut body = sent.body(&sent.head());
        let mut decoder = decoder(&sent);

        let mut cuts = cuts.iter().copied().cycle();
        let mut rest = body.as_mut_slice();
        // Bytes of the body when pieces were asked for, and of its data.
        let (mut arrived, mut decoded, mut asked) = (0, 0, None);
        let mut plain = Vec::new();
        let mut found = Vec::new();
        while !rest.is_empty() {
            if asked.is_none() && arrived >= asked_at {
                decoder.hash_pieces(size);
                asked = Some(decoded);
            }
            let (piece, after) = rest.split_at_mut(cuts.next().unwrap().min(rest.len()));
            rest = after;
            arrived += piece.len();
            let data = decoder.decode(piece).unwrap();
            plain.extend_from_slice(&piece[data]);
            // All has been handed out but the last byte, which is held back.
            decoded = if plain.len() + 1 < length { plain.len() } else { length } as u64;
            if !is_read_late {
                found.extend(look(&mut decoder, &found, size, length as u64));
            }
        }
        plain.extend(decoder.finish().unwrap());
        prop_assert!(plain == payload);
        found.extend(look(&mut decoder, &found, size, length as u64));

        for (offset, hashed) in &found {
            let end = length.min(*offset as usize + size as usize);
            prop_assert_eq!(*hashed, hash(&payload[*offset as usize..end]), "{} to {}", offset, end);
        }
        let Some(asked) = asked else { return Ok(()) };
        let due = (0..length as u64).step_by(size as usize).filter(|offset| *offset >= asked);
        // No more than 64 are kept unless they are taken.
        let most = if is_read_late { 64 } else { usize::MAX };
        for offset in due.take(most) {
            prop_assert!(found.iter().any(|(at, _)| *at == offset), "{}", offset);
        }
        let between = (1..length as u64).find(|at| at % size != 0 && decoder.chunk_hash(*at, size).is_some());
        if let Some(between) = between {
            let mut ends = chunks.iter().scan(0, |at, chunk| Some((std::mem::replace(at, *at + chunk), *chunk)));
            prop_assert!(ends.any(|(at, chunk)| at as u64 == between && chunk as u64 == size));
        }
    }
}

/// Asks for the hash of each piece after those that were found.
fn look(
    decoder: &mut Decoder,
    found: &[(u64, [u8; 32])],
    size: u64,
    length: u64,
) -> Vec<(u64, [u8; 32])> {
    let mut at = found.last().map_or(0, |(at, _)| at + size);
    let mut more = Vec::new();
    while at < length {
        if let Some(hash) = decoder.chunk_hash(at, size.min(length - at)) {
            more.push((at, hash));
        }
        at += size;
    }
    more
}

/// One chunk that goes out in many: once its origin is known, no byte is hashed in a pass of its own.
#[test]
fn only_what_came_before_is_hashed_again() {
    const PIECE: usize = 64 << 10;
    let payload: Vec<u8> = (0..10 * PIECE + 1_000)
        .map(|at| (at * 31 / 7) as u8)
        .collect();
    let sent = SampleUpload::new(StreamingKind::Signed, &payload, &[payload.len()]);
    let mut body = sent.body(&sent.head());
    let mut decoder = decoder(&sent);
    let (first, rest) = body.split_at_mut(10_000);
    decoder.decode(first).unwrap();
    decoder.hash_pieces(PIECE as u64);
    let mut known = 0;
    for piece in rest.chunks_mut(16 << 10) {
        decoder.decode(piece).unwrap();
        while let Some(expected) = payload.chunks(PIECE).nth(1 + known)
            && let Some(found) =
                decoder.chunk_hash(((1 + known) * PIECE) as u64, expected.len() as u64)
        {
            assert_eq!(found, hash(expected));
            known += 1;
        }
    }
    assert!(decoder.finish().unwrap().is_some());
    assert_eq!(known, 10);
    assert_eq!(decoder.chunk_hash(0, PIECE as u64), None);
}
