//! Bodies of any bytes, in any framing, in any pieces: no more is handed out than was announced, and no
//! body is complete that has another length.
#![no_main]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{
    Directory, Raw,
    reference::{KEY, SECRET},
    upload::SampleUpload,
    *,
};
use libfuzzer_sys::fuzz_target;
use sigv4::*;

// The kind and the checksum, the announced length, the length of a piece, and the body.
fuzz_target!(|input: &[u8]| {
    let [choice, announced, piece, body @ ..] = input else {
        return;
    };
    let kinds = [
        StreamingKind::UnsignedTrailer,
        StreamingKind::Signed,
        StreamingKind::SignedTrailer,
    ];
    let algorithm = ChecksumAlgorithm::ALL[usize::from(choice / 3) % ChecksumAlgorithm::ALL.len()];
    let payload = vec![0; usize::from(*announced)];
    let upload = SampleUpload::even(kinds[usize::from(choice % 3)], &payload, 64).with(algorithm);
    let head = upload.head();
    let raw = Raw::new(&head);
    let (clients, rules) = (Directory::new(&[(KEY, SECRET)]), rules());
    let verified =
        verdict(&raw, &clients, &rules, reference::NOW).expect("the head is signed right");
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
