//! Puts framing on.
use arrayvec::ArrayVec;

use crate::{
    checksum::{Checksum, ChecksumAlgorithm},
    chunked::chain::Chain,
    chunked::streaming::{Streaming, StreamingKind},
    crypto::sha256_stream::Sha256Stream,
    text::sink::Sink,
};

/// Where it cannot be known how the client cuts the body, and what most of them do.
const USUAL_CHUNK: u64 = 64 << 10;

/// S3 rejects shorter chunks but the last.
const MIN_CHUNK: u64 = 8 << 10;

/// The longest chunk that goes out, in bytes: MinIO takes no longer one
/// (<https://github.com/minio/minio/issues/21303>).
pub const MAX_CHUNK: u64 = 16 << 20;

/// The longest signed chunk that is gathered, as one whose hash is not known has to be: its signature goes before its
/// data. To gather more, in memory that is new, takes as long as to hash it once more in small chunks; and an
/// origin waits for each.
const MAX_GATHERED: u64 = 1 << 20;

/// `;chunk-signature=` and the signature.
const CHUNK_SIGNATURE: u64 = 17 + 64;

/// `x-amz-trailer-signature:`, the signature and a line break.
const TRAILER_SIGNATURE: u64 = 24 + 64 + 2;

/// Text that goes between pieces of data.
pub type Frame = ArrayVec<u8, MAX_FRAME>;

/// Its longest, in bytes.
pub const MAX_FRAME: usize = 384;

/// What is done to a body by framing it; the chunks are all of the same size but the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    kind: StreamingKind,
    checksum: Option<ChecksumAlgorithm>,
    /// Without framing.
    length: u64,
    chunk: u64,
}

impl Shape {
    /// Returns the shape in which a client sent its body. `known` is the size of its signed chunks, where all are
    /// there and their hashes known ([`Decoder::chunk_size`](super::decoder::Decoder::chunk_size)). Else it is that
    /// shape as far as the length tells: powers of two are tried, since many sizes lead to the same number of chunks.
    /// A body in one chunk of up to 16 MiB thus stays in one. Else, and where signed chunks are too long to be
    /// gathered, 64 KiB, which costs unsigned chunks no more than a larger size; signed ones of another size are hashed
    /// once more, whatever it is.
    pub(crate) fn of(streaming: &Streaming, known: Option<u64>) -> Shape {
        let shape = |chunk| Shape {
            kind: streaming.kind,
            checksum: streaming.checksum,
            length: streaming.decoded_length,
            chunk,
        };
        let most = match streaming.kind.is_signed() {
            true => MAX_GATHERED,
            false => MAX_CHUNK,
        };
        let guessed = || {
            std::iter::successors(Some(MIN_CHUNK), |size| Some(size * 2))
                .take_while(|&size| size <= most)
                .map(shape)
                .find(|shape| Some(shape.framed_length()) == streaming.framed_length)
        };
        // The last chunk may be of any size.
        let least = MIN_CHUNK.min(streaming.decoded_length);
        known
            .filter(|size| (least..=MAX_CHUNK).contains(size))
            .map(shape)
            .or_else(guessed)
            .unwrap_or_else(|| shape(USUAL_CHUNK))
    }

    /// Counts the bytes with framing.
    pub(crate) fn framed_length(&self) -> u64 {
        let (full, rest) = (self.length / self.chunk, self.length % self.chunk);
        let last = if rest > 0 { self.framed_chunk(rest) } else { 0 };
        let trailer = match self.checksum {
            None => 0,
            // A colon and a line break.
            Some(algorithm) => (algorithm.header().len() + 1 + algorithm.value_length() + 2) as u64,
        };
        let signature = match self.kind {
            StreamingKind::SignedTrailer => TRAILER_SIGNATURE,
            _ => 0,
        };
        // The last chunk has no data, hence no line break but the one at the end of the body.
        full * self.framed_chunk(self.chunk) + last + self.framed_chunk(0) + trailer + signature
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.kind.is_signed()
    }

    fn framed_chunk(&self, length: u64) -> u64 {
        let digits = u64::from(length.max(1).ilog2() / 4 + 1);
        let signature = if self.kind.is_signed() {
            CHUNK_SIGNATURE
        } else {
            0
        };
        digits + signature + 2 + length + 2
    }
}

/// Frames a body for one try at an origin.
///
/// For each chunk: the data of [`Encoder::next_length`] bytes is got together, the frame from
/// [`Encoder::chunk`] is sent and then that data; in the end, the frame from [`Encoder::end`].
/// Nothing here allocates once it has begun.
#[derive(Debug, Clone)]
pub struct Encoder {
    shape: Shape,
    /// Signs chunks. `None` for unsigned chunks. In a box, as the decoder's.
    chain: Option<Box<Chain>>,
    /// Data framed so far.
    offset: u64,
    /// Hashes what [`Encoder::hash`] was given of the next chunk.
    hash: Sha256Stream,
}

/// The data is not what the lengths promised, so that the body must not be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misframed;

impl std::fmt::Display for Misframed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body is not as long as announced, or lacks its checksum")
    }
}

impl std::error::Error for Misframed {}

impl Encoder {
    /// Starts. `chain` is for signed kinds.
    pub(crate) fn new(shape: Shape, chain: Option<Chain>) -> Encoder {
        Encoder {
            shape,
            chain: chain.map(Box::new),
            offset: 0,
            hash: Sha256Stream::default(),
        }
    }

    /// Counts the bytes of the whole body with its framing: Content-Length of the signed head.
    pub fn framed_length(&self) -> u64 {
        self.shape.framed_length()
    }

    /// Whether chunks need the hash of their data.
    pub fn is_signed(&self) -> bool {
        self.chain.is_some()
    }

    /// Counts the bytes of data of each chunk but the last.
    pub fn chunk_size(&self) -> u64 {
        self.shape.chunk
    }

    /// Returns where in the body, without its framing, the next chunk begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Counts the bytes of data of the next chunk; 0 where there is no more data.
    pub fn next_length(&self) -> u64 {
        self.shape.chunk.min(self.shape.length - self.offset)
    }

    /// Hashes a piece of the next chunk's data, for signed chunks whose hash is not known.
    pub fn hash(&mut self, data: &[u8]) {
        self.hash.update(data);
    }

    /// Returns what precedes the data of the next chunk on the wire. A signed chunk is signed by `hash`, the
    /// SHA-256 of its data ([`Decoder::chunk_hash`](crate::Decoder::chunk_hash)), or by what
    /// [`Encoder::hash`] was given.
    ///
    /// # Errors
    /// If there is no more data, or if not all data of the chunk was hashed.
    pub fn chunk(&mut self, hash: Option<&[u8; 32]>) -> Result<Frame, Misframed> {
        let length = self.next_length();
        if length == 0 {
            return Err(Misframed);
        }
        let frame = self.head(length, hash)?;
        self.offset += length;
        Ok(frame)
    }

    /// Returns what follows the data of the last chunk, to the end of the body.
    ///
    /// # Errors
    /// If there is data left, or if the checksum for the trailer is missing.
    pub fn end(&mut self, checksum: Option<&Checksum>) -> Result<Frame, Misframed> {
        let given = checksum.map(Checksum::algorithm);
        if self.next_length() > 0 || self.shape.checksum.is_some() && self.shape.checksum != given {
            return Err(Misframed);
        }
        let mut frame = self.head(0, None)?;
        if self.shape.checksum.is_some()
            && let Some(checksum) = checksum
        {
            frame.put(checksum.algorithm().header());
            frame.put(b":");
            frame.put(checksum.value());
            frame.put(b"\r\n");
            if let Some(chain) = &mut self.chain {
                frame.put(b"x-amz-trailer-signature:");
                chain.sign_trailer(checksum).put(&mut frame);
                frame.put(b"\r\n");
            }
        }
        frame.put(b"\r\n");
        Ok(frame)
    }

    /// Puts the line break after the data of the previous chunk, and the line before the data of this chunk.
    fn head(&mut self, length: u64, hash: Option<&[u8; 32]>) -> Result<Frame, Misframed> {
        let mut frame = Frame::new();
        if self.offset > 0 {
            frame.put(b"\r\n");
        }
        put_hex(&mut frame, length);
        if let Some(chain) = &mut self.chain {
            let hashed = self.hash.length();
            let own = self.hash.finish();
            let hash = match hash {
                Some(hash) => hash,
                None if hashed == length => &own,
                None => return Err(Misframed),
            };
            frame.put(b";chunk-signature=");
            chain.sign_chunk(hash).put(&mut frame);
        }
        frame.put(b"\r\n");
        Ok(frame)
    }
}

fn put_hex(frame: &mut Frame, number: u64) {
    use std::io::Write;
    // A frame has room for much more.
    let _ = write!(frame, "{number:x}");
}
