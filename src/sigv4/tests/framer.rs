//! The way out of a body in `aws-chunked` framing: whatever pieces it comes in, what goes out is what a
//! client of the origin would have sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::VecDeque;

use common::{
    reference::{KEY, NOW, SECRET},
    upload::{self, decode},
    *,
};
use proptest::{collection::vec, prelude::*, sample::select};
use sigv4::*;

const ORIGIN_KEY: &str = "AKIDORIGIN";
const ORIGIN_SECRET: &str = "origin/secret";
const KINDS: [StreamingKind; 3] = [
    StreamingKind::Signed,
    StreamingKind::SignedTrailer,
    StreamingKind::UnsignedTrailer,
];

/// A request that goes to an origin: its head, what verifies its body, and what frames that again.
struct Forwarded {
    head: String,
    upload: Upload,
    framer: Framer,
}

fn forward(sent: &upload::SampleUpload) -> Forwarded {
    let head = sent.head();
    let clients = kept(Directory::new(&[(KEY, SECRET)]));
    let raw = Raw::new(&head);
    let verified = verdict(&raw, clients, kept(rules()), NOW).unwrap();
    let length = sent.body(&head).len() as u64;
    let upload = Upload::new(verified.body(Some(length)).unwrap());

    let (line, headers) = head.split_once('\n').unwrap();
    let wire = format!("{line} HTTP/1.1\r\n{}\r\n", headers.replace('\n', "\r\n"));
    let mut room = HeadRoom::default();
    let wire = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
    let origin = Origin::new(credential(ORIGIN_KEY, ORIGIN_SECRET), b"s3.origin.example");
    let mut keys = KeyCache::new(8);
    let mut signed = sign(&verified, &wire, &origin, &mut keys, Timestamp(NOW)).unwrap();
    let mut out = vec![0; signed.max_len()];
    let (written, encoder) = signed.write_with_encoder(&mut out).unwrap();
    out.truncate(written);
    Forwarded {
        head: String::from_utf8(out).unwrap(),
        upload,
        framer: Framer::new(encoder.unwrap()),
    }
}

/// What of the body is there and not sent, as buffers, and what has been sent.
#[derive(Default)]
struct Wire {
    buffers: VecDeque<Vec<u8>>,
    gathered: Vec<u8>,
    sent: Vec<u8>,
    /// Bytes that were copied together because a chunk's signature had to wait for them.
    copied: usize,
}

impl Wire {
    fn first(&mut self) -> Vec<u8> {
        while self.buffers.front().is_some_and(Vec::is_empty) {
            self.buffers.pop_front();
        }
        self.buffers.front().cloned().unwrap_or_default()
    }

    fn consume(&mut self, count: usize) -> Vec<u8> {
        let first = self.buffers.front_mut().unwrap();
        first.drain(..count).collect()
    }

    /// Sends as much as there is.
    fn send(&mut self, forwarded: &mut Forwarded) -> Result<(), Misframed> {
        let Forwarded { upload, framer, .. } = forwarded;
        loop {
            let input = self.first();
            assert!(self.gathered.len() as u64 <= framer.capacity());
            let data = match framer.step(upload, &input, &self.gathered)? {
                FrameStep::Wait => return Ok(()),
                FrameStep::Gather(count) => {
                    assert!((1..=input.len()).contains(&count));
                    self.copied += count;
                    let more = self.consume(count);
                    self.gathered.extend(more);
                    continue;
                }
                FrameStep::SendInput(0) => Vec::new(),
                FrameStep::SendInput(count) => self.consume(count),
                FrameStep::SendGathered => std::mem::take(&mut self.gathered),
            };
            assert!(framer.frame().len().max(framer.end().len()) <= MAX_FRAME);
            let frame = framer.frame().to_vec();
            self.sent.extend([&frame, &data, framer.end()].concat());
        }
    }
}

/// The body that goes out where it comes in pieces of these lengths, in turn.
fn through(sent: &upload::SampleUpload, pieces: &[usize]) -> (Forwarded, Wire) {
    let mut forwarded = forward(sent);
    let mut wire = Wire::default();
    let body = sent.body(&sent.head());
    let mut rest = body.as_slice();
    for length in pieces.iter().copied().cycle() {
        let (piece, after) = rest.split_at(length.clamp(1, rest.len()));
        rest = after;
        let mut piece = piece.to_vec();
        let plain = forwarded.upload.take(&mut piece, rest.is_empty()).unwrap();
        wire.buffers.push_back(piece[plain.data].to_vec());
        wire.buffers.push_back(plain.tail.text.to_vec());
        wire.send(&mut forwarded).unwrap();
        if rest.is_empty() {
            break;
        }
    }
    (forwarded, wire)
}

/// What an origin that knows only its own key gets.
fn at_origin(forwarded: &Forwarded, body: &[u8]) -> Vec<u8> {
    let text = forwarded.head.replace("\r\n", "\n");
    let clients = kept(Directory::new(&[(ORIGIN_KEY, ORIGIN_SECRET)]));
    let raw = Raw::new(&text);
    let verified = verdict(&raw, clients, kept(rules()), NOW).unwrap();
    let framed = verified.streaming().unwrap().framed_length;
    assert_eq!(framed, Some(body.len() as u64));
    let mut decoder = upload::decoder(&verified).unwrap();
    let (data, rejection) = decode(&mut decoder, body, &[]);
    assert_eq!(rejection, None);
    assert!(decoder.is_complete());
    data
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_origin_takes_what_goes_out(
        kind in select(KINDS.as_slice()),
        length in 0..70_000_usize,
        size in select([1_000, 8_192, 10_000, 16_384, 65_536].as_slice()),
        pieces in vec(1..20_000_usize, 1..12),
    ) {
        let payload: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
        let sent = upload::SampleUpload::even(kind, &payload, size);
        let (forwarded, wire) = through(&sent, &pieces);
        prop_assert!(at_origin(&forwarded, &wire.sent) == payload);
        prop_assert!(wire.gathered.is_empty());
    }
}

#[test]
fn chunks_that_stay_as_they_are_are_not_copied() {
    let payload = vec![b'x'; 100_000];
    for kind in KINDS {
        let sent = upload::SampleUpload::even(kind, &payload, 16_384);
        let whole = through(&sent, &[usize::MAX]).1;
        assert_eq!(whole.copied, 0, "{kind:?}");
        // Each chunk's signature is known once its last byte is there: but the first of a chunk has
        // to wait for that, in pieces.
        let pieces = through(&sent, &[1_000]).1;
        assert_eq!(
            pieces.copied > 0,
            kind != StreamingKind::UnsignedTrailer,
            "{kind:?}"
        );
    }
}

#[test]
fn nothing_ends_before_all_is_verified() {
    for kind in KINDS {
        let sent = upload::SampleUpload::even(kind, &[b'x'; 20_000], 8_192);
        let body = sent.body(&sent.head());
        let mut forwarded = forward(&sent);
        let mut wire = Wire::default();
        // All but the last byte of the last framing: the data is there, the proof is not.
        let mut most = body[..body.len() - 1].to_vec();
        let plain = forwarded.upload.take(&mut most, false).unwrap();
        wire.buffers.push_back(most[plain.data].to_vec());
        wire.send(&mut forwarded).unwrap();
        assert!(!forwarded.upload.is_complete());
        assert!(!wire.sent.ends_with(b"\r\n\r\n"), "{kind:?}");
        assert!(wire.sent.len() < body.len(), "{kind:?}");
        // More data than was announced is never framed.
        wire.buffers.push_back(vec![b'y'; 20_000]);
        assert_eq!(wire.send(&mut forwarded).unwrap_err(), Misframed);

        // Nor is all of it, before what proves it.
        let (mut forwarded, mut wire) = (forward(&sent), Wire::default());
        wire.buffers.push_back(vec![b'x'; 20_000]);
        assert_eq!(wire.send(&mut forwarded).unwrap_err(), Misframed);
    }
}

#[test]
fn a_body_of_no_bytes_is_an_end_alone() {
    for kind in KINDS {
        let sent = upload::SampleUpload::new(kind, b"", &[]);
        let (forwarded, wire) = through(&sent, &[usize::MAX]);
        assert!(wire.sent.starts_with(b"0"), "{kind:?}");
        assert!(at_origin(&forwarded, &wire.sent).is_empty());
    }
}
