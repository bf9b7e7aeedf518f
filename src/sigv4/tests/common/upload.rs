//! A client of its own that uploads in `aws-chunked` framing, written from AWS's description with
//! strings and vectors: what it sends, the core must take.
use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use sigv4::*;
use twox_hash::{XxHash3_64, XxHash3_128, XxHash64};

use super::reference::{EMPTY, Sample, hex};

/// An upload, and how it is cut into chunks.
#[derive(Debug, Clone)]
pub struct SampleUpload {
    pub kind: StreamingKind,
    pub algorithm: ChecksumAlgorithm,
    pub payload: Vec<u8>,
    pub chunks: Vec<usize>,
    pub sample: Sample,
}

impl SampleUpload {
    pub fn new(kind: StreamingKind, payload: &[u8], chunks: &[usize]) -> SampleUpload {
        let mut sample = Sample::new("PUT", "/bucket/key");
        sample.payload = kind.name().into();
        SampleUpload {
            kind,
            algorithm: ChecksumAlgorithm::Crc32,
            payload: payload.into(),
            chunks: chunks.into(),
            sample,
        }
    }

    /// Chunks of one size, but the last.
    pub fn even(kind: StreamingKind, payload: &[u8], size: usize) -> SampleUpload {
        let chunks: Vec<_> = payload.chunks(size).map(<[u8]>::len).collect();
        SampleUpload::new(kind, payload, &chunks)
    }

    pub fn with(mut self, algorithm: ChecksumAlgorithm) -> SampleUpload {
        self.algorithm = algorithm;
        self
    }

    /// The head as text, with the usual headers.
    pub fn head(&self) -> String {
        let length = self.body_parts("").concat().len();
        let mut sample = self
            .sample
            .clone()
            .header("Content-Encoding", "aws-chunked")
            .unsigned("Content-Length", &length.to_string())
            .header(
                "x-amz-decoded-content-length",
                &self.payload.len().to_string(),
            );
        if self.kind.has_trailer() {
            sample = sample.header("x-amz-trailer", self.trailer_name());
        }
        sample.header_form()
    }

    pub fn trailer_name(&self) -> &str {
        std::str::from_utf8(self.algorithm.header()).unwrap()
    }

    pub fn trailer(&self) -> String {
        format!(
            "{}:{}",
            self.trailer_name(),
            checksum(self.algorithm, &self.payload)
        )
    }

    /// The body that follows a head.
    pub fn body(&self, head: &str) -> Vec<u8> {
        self.body_parts(signature_of(head)).concat()
    }

    /// Alternately framing and data, beginning and ending with framing. The last but one piece of
    /// framing is the zero chunk, the last all that is after it.
    pub fn body_parts(&self, seed: &str) -> Vec<Vec<u8>> {
        let mut previous = seed.to_owned();
        let mut line = |chunk: &[u8]| {
            if !self.kind.is_signed() {
                return format!("{:x}\r\n", chunk.len());
            }
            previous = self.sign("PAYLOAD", &[&previous, EMPTY, &hex(&Sha256::digest(chunk))]);
            format!("{:x};chunk-signature={previous}\r\n", chunk.len())
        };
        let mut parts = Vec::new();
        let mut rest = self.payload.as_slice();
        let mut end = "";
        for &length in &self.chunks {
            let (chunk, after) = rest.split_at(length);
            rest = after;
            parts.push((end.to_owned() + &line(chunk)).into_bytes());
            parts.push(chunk.to_vec());
            end = "\r\n";
        }
        assert!(rest.is_empty());
        parts.push((end.to_owned() + &line(b"")).into_bytes());
        let mut trailer = String::new();
        if self.kind.has_trailer() {
            trailer = self.trailer() + "\r\n";
        }
        if self.kind == StreamingKind::SignedTrailer {
            let signature = self.trailer_signature(&previous, &self.trailer());
            trailer += &format!("x-amz-trailer-signature:{signature}\r\n");
        }
        parts.push((trailer + "\r\n").into_bytes());
        parts
    }

    pub fn trailer_signature(&self, previous: &str, trailer: &str) -> String {
        let hash = hex(&Sha256::digest(format!("{trailer}\n")));
        self.sign("TRAILER", &[previous, &hash])
    }

    fn sign(&self, what: &str, lines: &[&str]) -> String {
        let sample = &self.sample;
        let scope = [
            &sample.day,
            &sample.region,
            &sample.service,
            &sample.terminator,
        ];
        let text = format!(
            "AWS4-HMAC-SHA256-{what}\n{}\n{}\n{}",
            sample.date,
            scope.map(String::as_str).join("/"),
            lines.join("\n")
        );
        let mut key = format!("AWS4{}", sample.secret).into_bytes();
        for part in scope.into_iter().chain([&text]) {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(part.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        hex(&key)
    }
}

/// The signature in a head's Authorization.
pub fn signature_of(head: &str) -> &str {
    let (_, after) = head.rsplit_once("Signature=").unwrap();
    after.split_whitespace().next().unwrap()
}

pub fn checksum(algorithm: ChecksumAlgorithm, data: &[u8]) -> String {
    let crc = |width: u32, polynomial: u64| {
        let ones = u64::MAX >> (64 - width);
        let state = data.iter().fold(ones, |state, &byte| {
            (0..8).fold(state ^ u64::from(byte), |state, _| {
                state >> 1 ^ if state & 1 == 1 { polynomial } else { 0 }
            })
        });
        let bytes = (state ^ ones).to_be_bytes();
        Base64::encode_string(&bytes[8 - width as usize / 8..])
    };
    match algorithm {
        ChecksumAlgorithm::Crc32 => crc(32, 0xedb8_8320),
        ChecksumAlgorithm::Crc32c => crc(32, 0x82f6_3b78),
        ChecksumAlgorithm::Crc64nvme => crc(64, 0x9a6c_9329_ac4b_c9b5),
        ChecksumAlgorithm::Md5 => Base64::encode_string(&Md5::digest(data)),
        ChecksumAlgorithm::Sha1 => Base64::encode_string(&Sha1::digest(data)),
        ChecksumAlgorithm::Sha256 => Base64::encode_string(&Sha256::digest(data)),
        ChecksumAlgorithm::Sha512 => Base64::encode_string(&Sha512::digest(data)),
        ChecksumAlgorithm::Xxhash3 => {
            Base64::encode_string(&XxHash3_64::oneshot(data).to_be_bytes())
        }
        ChecksumAlgorithm::Xxhash64 => {
            Base64::encode_string(&XxHash64::oneshot(0, data).to_be_bytes())
        }
        ChecksumAlgorithm::Xxhash128 => {
            Base64::encode_string(&XxHash3_128::oneshot(data).to_be_bytes())
        }
    }
}

/// The decoder for a request whose body is in `aws-chunked` framing.
pub fn decoder(verified: &Verified<'_>) -> Option<Decoder> {
    match verified.body(None) {
        Some(BodyVerifier::Framed(decoder)) => Some(decoder),
        _ => None,
    }
}

/// Decodes a body that arrives in pieces of the given lengths, then the rest; gives what was handed
/// out in any case.
pub fn decode(
    decoder: &mut Decoder,
    body: &[u8],
    pieces: &[usize],
) -> (Vec<u8>, Option<Rejection>) {
    let mut data = Vec::new();
    let mut rest = body;
    for &length in pieces.iter().chain(&[usize::MAX]) {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        let mut buf = piece.to_vec();
        match decoder.decode(&mut buf) {
            Ok(range) => data.extend_from_slice(&buf[range]),
            Err(rejection) => return (data, Some(rejection)),
        }
    }
    match decoder.finish() {
        Ok(last) => {
            data.extend(last);
            (data, None)
        }
        Err(rejection) => (data, Some(rejection)),
    }
}
