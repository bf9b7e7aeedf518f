//! Bodies of any bytes, in any framing, in any pieces: no more is handed out than was announced, and no
//! body is complete that has another length.
#![no_main]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{cell::RefCell, collections::HashMap};

use common::{
    Directory, Raw, kept,
    reference::{KEY, SECRET},
    upload::SampleUpload,
    *,
};
use libfuzzer_sys::fuzz_target;
use sigv4::*;

const KINDS: [StreamingKind; 3] = [
    StreamingKind::UnsignedTrailer,
    StreamingKind::Signed,
    StreamingKind::SignedTrailer,
];

/// The kind of an upload, its checksum, and the length that it announces.
type Announced = (usize, usize, u8);

thread_local! {
    /// A head for each, which takes longer to sign and to verify than most bodies.
    static HEADS: RefCell<HashMap<Announced, &'static Verified<'static>>> = RefCell::default();
}

fn head_of(announced: Announced) -> &'static Verified<'static> {
    HEADS.with_borrow_mut(|heads| {
        let head = heads
            .entry(announced)
            .or_insert_with(|| verified(announced));
        *head
    })
}

fn verified((kind, algorithm, announced): Announced) -> &'static Verified<'static> {
    let payload = vec![0; usize::from(announced)];
    let upload =
        SampleUpload::even(KINDS[kind], &payload, 64).with(ChecksumAlgorithm::ALL[algorithm]);
    let raw = Raw::new(kept(upload.head()));
    let clients = kept(Directory::new(&[(KEY, SECRET)]));
    let verified = verdict(&raw, clients, kept(rules()), reference::NOW);
    kept(verified.expect("the head is signed right"))
}

// The kind and the checksum, the announced length, the length of a piece, and the body.
fuzz_target!(|input: &[u8]| {
    let [choice, announced, piece, body @ ..] = input else {
        return;
    };
    let (kind, algorithm) = (
        choice % 3,
        usize::from(choice / 3) % ChecksumAlgorithm::ALL.len(),
    );
    let verified = head_of((kind.into(), algorithm, *announced));
    let mut decoder = verified.body(None).expect("an upload");

    let mut handed_out = 0;
    for piece in body.chunks(usize::from(*piece).max(1)) {
        let mut piece = piece.to_vec();
        let Ok(range) = decoder.take(&mut piece) else {
            return;
        };
        handed_out += piece[range].len();
        assert!(handed_out <= usize::from(*announced));
    }
    if let Ok(last) = decoder.finish() {
        assert!(decoder.is_complete());
        assert_eq!(
            handed_out + usize::from(last.is_some()),
            usize::from(*announced)
        );
    }
});
