//! Takes framing off.
use std::ops::Range;

use arrayvec::ArrayVec;

use crate::{
    checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher},
    chunked::chain::Chain,
    chunked::fault::{BodyFault, Fault},
    chunked::hashes::ChunkHashes,
    chunked::pieces::Pieces,
    chunked::streaming::Streaming,
    crypto::sha256_stream::Sha256Stream,
    error::Rejection,
};

/// The longest line of framing, in bytes; none that is well-formed has more than 130.
const MAX_LINE: usize = 256;

/// The least size of a chunk that is not the last one, in bytes.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
const LEAST_CHUNK: u64 = 8192;

/// Takes the framing off a client's body and verifies it as it arrives.
///
/// A chunk may be as long as the body, and needs no more memory then: its hash is made as it passes. S3 names
/// the least length of a chunk, and no greatest one
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>). It takes unsigned ones of more than
/// 16 MiB (<https://github.com/minio/minio/issues/21303>), as the SDK for Go makes one of a whole part
/// (<https://github.com/minio/minio/issues/21611>). Of signed ones nothing public says that it takes less; the
/// limits of other servers are for the memory in which they gather a chunk
/// (<https://github.com/s3s-project/s3s/pull/709>), and versitygw and Ceph have none.
pub struct Decoder {
    streaming: Streaming,
    /// Signs chunks. `None` for unsigned chunks. In a box, so that no move of a decoder copies the key.
    chain: Option<Box<Chain>>,
    state: DecoderState,
    /// What has arrived of a line of framing.
    line: ArrayVec<u8, MAX_LINE>,
    /// Data that has arrived.
    decoded: u64,
    /// Of it, what was before this chunk.
    chunk_start: u64,
    chunks: Chunks,
    /// The last byte of the data, once it has arrived.
    held: Option<u8>,
    /// Hashes the data of a signed chunk.
    hash: Sha256Stream,
    summing: Option<ChecksumHasher>,
    hashes: ChunkHashes,
    pieces: Pieces,
    checksum: Option<Checksum>,
    failure: Option<BodyFault>,
}

/// The chunks that have begun.
#[derive(Default)]
struct Chunks {
    /// Bytes of data that each but the last one must have.
    least: u64,
    count: u64,
    /// That of the latest.
    length: u64,
}

impl Chunks {
    fn begin(&mut self, length: u64) -> Result<(), Fault> {
        let before = (self.count > 0).then_some(self.length);
        self.count += 1;
        self.length = length;
        match before {
            Some(length) if length < self.least => Err(Fault::Small {
                followed_by: self.count,
                length,
            }),
            _ => Ok(()),
        }
    }
}

/// What is expected next.
#[derive(Debug, Clone, Copy)]
enum DecoderState {
    /// The line before a chunk's data.
    ChunkHead,
    Data {
        left: u64,
        length: u64,
        /// Zeros for an unsigned chunk.
        signature: [u8; 64],
    },
    /// The line break after a chunk's data.
    DataEnd,
    Trailer,
    /// The line break that some clients (minio-go) send after a trailer that ends in a line feed.
    TrailerBreak(ClaimedChecksum),
    TrailerSignature(ClaimedChecksum),
    /// The line break at the very end.
    LastBreak,
    Complete,
}

/// What the client says that the checksum is.
type ClaimedChecksum = Checksum;

impl Decoder {
    /// Starts. `chain` is for signed kinds.
    pub(crate) fn new(streaming: Streaming, chain: Option<Chain>) -> Decoder {
        let mut hashes = ChunkHashes::default();
        if chain.is_some() {
            hashes.reserve();
        }
        Decoder {
            streaming,
            chain: chain.map(Box::new),
            state: DecoderState::ChunkHead,
            line: ArrayVec::new(),
            decoded: 0,
            chunk_start: 0,
            chunks: Chunks::default(),
            held: None,
            hash: Sha256Stream::default(),
            summing: streaming.checksum.map(ChecksumHasher::new),
            hashes,
            pieces: Pieces::default(),
            checksum: None,
            failure: None,
        }
    }

    /// Rejects chunks that S3 rejects for their size, which other servers take.
    pub(crate) fn reject_small_chunks(&mut self) {
        self.chunks.least = LEAST_CHUNK;
    }

    /// Takes the next bytes of the body, however it is cut, and decodes them in place: data is in
    /// the returned part of `buf`, everything outside of it is spent.
    ///
    /// Data may be handed out before the signature over its chunk can be checked, but the last
    /// byte of a chunk is not, and the last byte of the body is left to [`Decoder::finish`]. A body
    /// that fails thus lacks a part of the length that was announced for it.
    ///
    /// # Errors
    /// With the [`Rejection`] to answer; the same again from then on. The bytes are then worthless.
    pub fn decode(&mut self, buf: &mut [u8]) -> Result<Range<usize>, Rejection> {
        self.check_failure()?;
        self.take(buf).map_err(|fault| self.fail(fault))
    }

    /// Ends the body; returns the last byte of its data, if it has any. The line break at the
    /// very end may be missing after a trailer, as some clients have it.
    ///
    /// # Errors
    /// `IncompleteBody`, or what [`Decoder::decode`] said.
    pub fn finish(&mut self) -> Result<Option<u8>, Rejection> {
        self.check_failure()?;
        let may_end = match self.state {
            DecoderState::Complete => true,
            DecoderState::LastBreak => self.streaming.checksum.is_some() && self.line.is_empty(),
            _ => false,
        };
        if !may_end {
            let missing = self.missing();
            return Err(self.fail(Fault::BreaksOff { missing }));
        }
        self.state = DecoderState::Complete;
        Ok(self.held.take())
    }

    /// Whether the body has arrived whole and was verified, up to bytes after its end.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, DecoderState::Complete) && self.failure.is_none()
    }

    /// Returns what is wrong with a rejected body, and where.
    pub fn fault(&self) -> Option<BodyFault> {
        self.failure
    }

    /// Returns the trailing checksum, once the body is complete.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref().filter(|_| self.is_complete())
    }

    /// Asks for the hashes of signed data in pieces of that size, but the last, in addition to those of the
    /// client's chunks. They are made in the same pass, of data that is still to arrive.
    pub fn hash_pieces(&mut self, size: u64) {
        self.pieces.ask_for(size);
    }

    /// Returns how many bytes of data each of the client's signed chunks has but the last, if all have arrived, are of
    /// one size, and their hashes are kept.
    pub fn chunk_size(&self) -> Option<u64> {
        match self.is_complete() {
            true => self.hashes.size(self.streaming.decoded_length),
            false => None,
        }
    }

    /// Returns the SHA-256 of the `length` bytes of data from `offset` on, if a signed chunk of the client's
    /// was just these, or a piece ([`Decoder::hash_pieces`]). At most 2,048 of each are kept; while the body arrives,
    /// those of data before these bytes are forgotten, and those of a complete body serve each try.
    pub fn chunk_hash(&mut self, offset: u64, length: u64) -> Option<[u8; 32]> {
        let is_complete = self.is_complete();
        [&mut self.hashes, self.pieces.hashes()]
            .into_iter()
            .find_map(|hashes| {
                if !is_complete {
                    hashes.forget_before(offset);
                }
                hashes.find(offset, length)
            })
    }

    /// # Errors
    /// With what the body was rejected for.
    fn check_failure(&self) -> Result<(), Rejection> {
        match self.failure {
            Some(failure) => Err(failure.rejection()),
            None => Ok(()),
        }
    }

    /// Takes note of what is wrong, and returns what to answer.
    fn fail(&mut self, fault: Fault) -> Rejection {
        let failure = BodyFault {
            offset: self.chunk_start,
            fault,
        };
        self.failure = Some(failure);
        failure.rejection()
    }

    /// Counts the bytes of data that have not arrived.
    fn missing(&self) -> u64 {
        self.streaming.decoded_length - self.decoded
    }

    fn take(&mut self, buf: &mut [u8]) -> Result<Range<usize>, Fault> {
        let mut data = 0..0;
        let mut at = 0;
        while at < buf.len() {
            let rest = buf.get(at..).unwrap_or_default();
            if let DecoderState::Data { .. } = self.state {
                let (taken, handed_out) = self.take_data(rest)?;
                data = join(buf, data, at..at + handed_out);
                at += taken;
            } else {
                at += self.take_text(rest)?;
            }
        }
        Ok(data)
    }

    /// Takes data of a chunk; tells how much it took, and how much of it may be handed out.
    fn take_data(&mut self, rest: &[u8]) -> Result<(usize, usize), Fault> {
        let DecoderState::Data {
            left,
            length,
            signature,
        } = self.state
        else {
            return Ok((0, 0));
        };
        let together = match self.chain {
            Some(_) => {
                let end = self.decoded + left;
                let total = self.streaming.decoded_length;
                self.pieces.begin(self.decoded, end - length..end, total)
            }
            None => left,
        };
        let taken = usize::try_from(together).map_or(rest.len(), |most| most.min(rest.len()));
        let data = rest.get(..taken).unwrap_or_default();
        self.hash_data(data);
        self.decoded += taken as u64;
        let left = left - taken as u64;
        self.state = DecoderState::Data {
            left,
            length,
            signature,
        };
        if left == 0 {
            self.verify_chunk(length, &signature)?;
            self.state = DecoderState::DataEnd;
        }
        self.pieces.end(self.decoded, self.streaming.decoded_length);
        if self.decoded == self.streaming.decoded_length {
            self.held = data.last().copied();
        }
        Ok((taken, taken - usize::from(self.held.is_some())))
    }

    /// Hashes the next bytes of data, which are of one chunk and of one piece, in all ways that are needed.
    fn hash_data(&mut self, data: &[u8]) {
        let mut streams = ArrayVec::<_, 3>::new();
        if self.chain.is_some() {
            streams.push(&mut self.hash);
            streams.extend(self.pieces.stream());
        }
        match self.summing.as_mut().map(ChecksumHasher::as_sha256) {
            Some(Ok(sha256)) => streams.push(sha256),
            Some(Err(other)) => other.update(data),
            None => {}
        }
        Sha256Stream::update_all(&mut streams, data);
    }

    fn verify_chunk(&mut self, length: u64, signature: &[u8; 64]) -> Result<(), Fault> {
        let Some(chain) = &mut self.chain else {
            return Ok(());
        };
        let hash = self.hash.finish();
        if !chain.sign_chunk(&hash).matches(signature) {
            return Err(Fault::Signature { length });
        }
        if length > 0 {
            self.hashes.push(self.decoded - length, length, hash);
        }
        Ok(())
    }

    /// Takes a line of framing, or the part of it that is there.
    fn take_text(&mut self, rest: &[u8]) -> Result<usize, Fault> {
        if let DecoderState::Complete = self.state {
            return Err(self.misplaced());
        }
        let room = rest.get(..self.line.remaining_capacity()).unwrap_or(rest);
        let end = memchr::memchr(b'\n', room);
        let part = end.map_or(room, |end| room.get(..=end).unwrap_or_default());
        if self.line.try_extend_from_slice(part).is_err() || end.is_none() && self.line.is_full() {
            return Err(self.misplaced());
        }
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            self.state = self.read_line(&line)?;
        }
        Ok(part.len())
    }

    /// Reads a line, and tells what comes next.
    fn read_line(&mut self, line: &[u8]) -> Result<DecoderState, Fault> {
        let is_break = line == b"\r\n";
        match self.state {
            DecoderState::ChunkHead => self.read_chunk_head(line),
            DecoderState::DataEnd if is_break => {
                self.chunk_start = self.decoded;
                Ok(DecoderState::ChunkHead)
            }
            DecoderState::Trailer => self.read_trailer(line),
            DecoderState::TrailerBreak(claim) if is_break => self.after_trailer(claim),
            DecoderState::TrailerSignature(claim) => self.read_trailer_signature(line, claim),
            DecoderState::LastBreak if is_break => Ok(DecoderState::Complete),
            _ => Err(self.misplaced()),
        }
    }

    /// Reads `size;chunk-signature=<signature>` of signed chunks, `size` of others.
    fn read_chunk_head(&mut self, line: &[u8]) -> Result<DecoderState, Fault> {
        let line = line.strip_suffix(b"\r\n").ok_or(Fault::Head)?;
        let (size, signature) = match self.chain {
            Some(_) => line
                .split_last_chunk()
                .and_then(|(before, signature)| {
                    Some((before.strip_suffix(b";chunk-signature=")?, *signature))
                })
                .ok_or(Fault::Head)?,
            None => (line, [0; 64]),
        };
        let length = hexadecimal(size).ok_or(Fault::Head)?;
        let missing = self.missing();
        if length > missing {
            return Err(Fault::TooLong { length, missing });
        }
        if length > 0 {
            self.chunks.begin(length)?;
            return Ok(DecoderState::Data {
                left: length,
                length,
                signature,
            });
        }
        self.verify_chunk(0, &signature)?;
        match self.streaming.checksum {
            _ if missing > 0 => Err(Fault::Early { missing }),
            Some(_) => Ok(DecoderState::Trailer),
            None => Ok(DecoderState::LastBreak),
        }
    }

    /// Reads `name:value`, where space may be around the value.
    fn read_trailer(&mut self, line: &[u8]) -> Result<DecoderState, Fault> {
        let algorithm = self.algorithm()?;
        let value = line
            .split_at_checked(algorithm.header().len())
            .filter(|(name, _)| name.eq_ignore_ascii_case(algorithm.header()))
            .and_then(|(_, value)| value.strip_prefix(b":"))
            .ok_or(Fault::Trailer)?;
        let claim =
            Checksum::parse(algorithm, value.trim_ascii()).ok_or(Fault::NoChecksum(algorithm))?;
        if line.ends_with(b"\r\n") {
            self.after_trailer(claim)
        } else {
            Ok(DecoderState::TrailerBreak(claim))
        }
    }

    fn after_trailer(&mut self, claim: ClaimedChecksum) -> Result<DecoderState, Fault> {
        match self.chain {
            Some(_) => Ok(DecoderState::TrailerSignature(claim)),
            None => self.verify_checksum(claim),
        }
    }

    fn read_trailer_signature(
        &mut self,
        line: &[u8],
        claim: ClaimedChecksum,
    ) -> Result<DecoderState, Fault> {
        let signature = line
            .strip_prefix(b"x-amz-trailer-signature:")
            .and_then(|value| value.strip_suffix(b"\r\n"))
            .map(<[u8]>::trim_ascii)
            .filter(|value| value.len() == 64)
            .ok_or(Fault::Trailer)?;
        let matches = match &mut self.chain {
            Some(chain) => chain.sign_trailer(&claim).matches(signature),
            None => false,
        };
        if !matches {
            return Err(Fault::TrailerSignature);
        }
        self.verify_checksum(claim)
    }

    fn verify_checksum(&mut self, claim: ClaimedChecksum) -> Result<DecoderState, Fault> {
        if self.summing.as_ref().map(ChecksumHasher::finish) != Some(claim) {
            return Err(Fault::OtherChecksum(claim.algorithm()));
        }
        self.checksum = Some(claim);
        Ok(DecoderState::LastBreak)
    }

    fn algorithm(&self) -> Result<ChecksumAlgorithm, Fault> {
        self.streaming.checksum.ok_or(Fault::Trailer)
    }

    /// Returns what is wrong with text that does not belong where it stands.
    fn misplaced(&self) -> Fault {
        match self.state {
            DecoderState::ChunkHead | DecoderState::Data { .. } => Fault::Head,
            DecoderState::DataEnd => Fault::NoBreak,
            DecoderState::Trailer
            | DecoderState::TrailerBreak(_)
            | DecoderState::TrailerSignature(_) => Fault::Trailer,
            DecoderState::LastBreak | DecoderState::Complete => {
                match self.streaming.kind.has_trailer() {
                    true => Fault::AfterTrailer,
                    false => Fault::AfterChunks,
                }
            }
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("streaming", &self.streaming)
            .field("decoded", &self.decoded)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// Closes the gap between two pieces of data by moving the shorter one; tells where they are then.
fn join(buf: &mut [u8], first: Range<usize>, second: Range<usize>) -> Range<usize> {
    if first.is_empty() {
        return second;
    }
    if first.end == second.start {
        first.start..second.end
    } else if first.len() < second.len() {
        let start = second.start - first.len();
        buf.copy_within(first, start);
        start..second.end
    } else {
        let end = first.end + second.len();
        buf.copy_within(second, first.end);
        first.start..end
    }
}

/// Reads a hexadecimal number of at most 64 bits and 16 digits.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if !(1..=16).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |number, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(number << 4 | u64::from(value))
    })
}
