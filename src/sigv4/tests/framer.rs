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
    let length = sent.body(&head).len() as u64;
    forward_head(&head, length)
}

/// `length` is that of the body with its framing.
fn forward_head(head: &str, length: u64) -> Forwarded {
    let clients = kept(Directory::new(&[(KEY, SECRET)]));
    let raw = Raw::new(head);
    let verified = verdict(&raw, clients, kept(rules()), NOW).unwrap();
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

/// What is done to a body on its way.
#[derive(Debug, Clone)]
enum Lie {
    None,
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    /// The data of a chunk, which is most of the body: a place by its distance to the end of the data.
    FlipData(prop::sample::Index),
}

impl Lie {
    fn tell(&self, parts: &[Vec<u8>]) -> Vec<u8> {
        let mut body = parts.concat();
        let end = body.len();
        match self {
            Lie::None => {}
            Lie::Flip(at, bits) => body[at.index(end)] ^= bits,
            Lie::Cut(at) => body.truncate(at.index(end)),
            Lie::Remove(at, count) => {
                let at = at.index(end);
                body.drain(at..end.min(at + count));
            }
            Lie::Insert(at, bytes) => {
                let at = at.index(end + 1);
                body.splice(at..at, bytes.iter().copied());
            }
            Lie::FlipData(chunk) => {
                // The last byte of a chunk: all before it may be out.
                let at = 1 + 2 * chunk.index(parts.len() / 2);
                let before: usize = parts.iter().take(at + 1).map(Vec::len).sum();
                body[before - 1] ^= 1;
            }
        }
        body
    }
}

fn lie() -> impl Strategy<Value = Lie> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        Just(Lie::None),
        (index(), 1_u8..).prop_map(|(at, bits)| Lie::Flip(at, bits)),
        index().prop_map(Lie::Cut),
        (index(), 1_usize..90_000).prop_map(|(at, count)| Lie::Remove(at, count)),
        (index(), vec(any::<u8>(), 1..100)).prop_map(|(at, bytes)| Lie::Insert(at, bytes)),
        index().prop_map(Lie::FlipData),
    ]
}

/// What an origin that knows only its own key makes of a body: its data, and why it does not store it.
fn judged(forwarded: &Forwarded, body: &[u8]) -> (Vec<u8>, Option<Rejection>) {
    let text = forwarded.head.replace("\r\n", "\n");
    let clients = kept(Directory::new(&[(ORIGIN_KEY, ORIGIN_SECRET)]));
    let raw = Raw::new(&text);
    let verified = verdict(&raw, clients, kept(rules()), NOW).unwrap();
    let framed = verified.streaming().unwrap().framed_length.unwrap();
    let (data, rejection) = decode(&mut upload::decoder(&verified).unwrap(), body, &[]);
    assert_eq!(rejection.is_none(), body.len() as u64 == framed);
    (data, rejection)
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Whatever is done to a body, of which no part is kept back for long: an origin gets all of it, as it was
    /// signed, or a part that it cannot store. Chunks that are longer than those that go out are among them, so that
    /// what goes out is signed before it is verified.
    #[test]
    fn an_origin_gets_the_truth_or_not_enough(
        kind in select(KINDS.as_slice()),
        chunks in vec(prop_oneof![1_usize..300, Just(8_192), 66_000_usize..150_000], 0..4),
        lie in lie(),
        pieces in vec(prop_oneof![1_usize..100, 1_000_usize..40_000], 1..12),
        is_buffered in any::<bool>(),
        has_end in any::<bool>(),
    ) {
        let length: usize = chunks.iter().sum();
        let payload: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
        let sent = upload::SampleUpload::new(kind, &payload, &chunks);
        let head = sent.head();
        let body = lie.tell(&sent.body_parts(upload::signature_of(&head)));

        let (mut forwarded, mut wire) = (forward(&sent), Wire::default());
        let mut plain_data = Vec::new();
        let mut rest = body.as_slice();
        let mut pieces = pieces.iter().copied().cycle();
        let mut is_accepted = true;
        while is_accepted && !rest.is_empty() {
            let (piece, after) = rest.split_at(pieces.next().unwrap().min(rest.len()));
            rest = after;
            let mut piece = piece.to_vec();
            match forwarded.upload.take(&mut piece, rest.is_empty() && has_end) {
                Ok(plain) => {
                    let data = [&piece[plain.data], &plain.tail.text].concat();
                    plain_data.extend_from_slice(&data);
                    wire.buffers.push_back(data);
                }
                Err(_) => is_accepted = false,
            }
            // What is wrong stays wrong, whoever asks for more.
            if !is_buffered {
                let _ = wire.send(&mut forwarded);
            }
        }
        let is_complete = forwarded.upload.is_complete();
        if is_buffered && is_complete {
            wire.send(&mut forwarded).unwrap();
        }

        let (data, rejection) = judged(&forwarded, &wire.sent);
        prop_assert_eq!(rejection.is_none(), is_complete);
        if is_complete {
            prop_assert!(has_end && data == payload && plain_data == payload);
        } else {
            // No chunk of it is wrong: it lacks its end. So does a plain body (framing=decode).
            prop_assert_eq!(rejection, Some(Rejection::IncompleteBody));
            prop_assert!(data.len() < length.max(1) && plain_data.len() < length.max(1));
        }
        if matches!(lie, Lie::None) {
            prop_assert_eq!(is_complete, has_end);
        }
    }
}

/// A body of 5 GiB in one chunk: with nothing to hash, that takes no time.
#[test]
fn one_chunk_of_any_length() {
    const LENGTH: u64 = 5 << 30;
    let (before, after) = (format!("{LENGTH:x}\r\n"), "\r\n0\r\n\r\n");
    let framed = (before.len() + after.len()) as u64 + LENGTH;
    let mut sample = upload::SampleUpload::new(StreamingKind::UnsignedTrailer, b"", &[]).sample;
    sample = sample
        .header("x-amz-decoded-content-length", &LENGTH.to_string())
        .unsigned("Content-Length", &framed.to_string());
    let Forwarded {
        head,
        mut upload,
        mut framer,
    } = forward_head(&sample.header_form(), framed);
    let mut sent = 0;
    let mut chunk_left = 0;
    let mut send = |upload: &mut Upload, mut input: &[u8]| {
        loop {
            let count = match framer.step(upload, input, &[]).unwrap() {
                FrameStep::SendInput(count) => count,
                FrameStep::Wait => return sent,
                step => panic!("{step:?}"),
            };
            let frame = std::str::from_utf8(framer.frame()).unwrap();
            if !frame.is_empty() {
                assert_eq!(chunk_left, 0);
                chunk_left = u64::from_str_radix(frame.trim(), 16).unwrap();
                assert!((1..=MAX_CHUNK).contains(&chunk_left));
            }
            chunk_left -= count as u64;
            sent += (framer.frame().len() + count + framer.end().len()) as u64;
            input = &input[count..];
        }
    };
    assert!(
        upload
            .take(&mut before.into_bytes(), false)
            .unwrap()
            .data
            .is_empty()
    );
    let mut piece = vec![b'x'; 64 << 20];
    for _ in 0..LENGTH / (64 << 20) {
        let plain = upload.take(&mut piece, false).unwrap();
        send(&mut upload, &piece[plain.data]);
    }
    let mut end = after.as_bytes().to_vec();
    let plain = upload.take(&mut end, true).unwrap();
    let sent = send(&mut upload, &[&end[plain.data], &plain.tail.text].concat());
    assert!(upload.is_complete());
    assert!(
        head.contains(&format!("\r\nContent-Length: {sent}\r\n")),
        "{head}"
    );
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

/// Whatever chunks the client makes: what goes out is known to the decoder as soon as the framer is there.
#[test]
fn chunks_of_another_length_are_not_copied_either() {
    let payload: Vec<u8> = (0..1_200_000).map(|i| (i * 7 % 251) as u8).collect();
    for chunks in [vec![1_200_000], vec![1_000, 1_199_000], vec![10_000; 120]] {
        let sent = upload::SampleUpload::new(StreamingKind::Signed, &payload, &chunks);
        let (forwarded, wire) = through(&sent, &[5_000, usize::MAX]);
        assert!(at_origin(&forwarded, &wire.sent) == payload);
        // But for those of which a part was there before.
        assert_eq!(wire.copied, 64 << 10, "{chunks:?}");
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
