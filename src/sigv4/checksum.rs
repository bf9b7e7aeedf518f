//! Checksums of an object's data.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>
use arrayvec::ArrayVec;
use base64ct::{Base64, Encoding};
use crc_fast::CrcAlgorithm;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What S3 can check an object's data by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}

/// The base64 digits of the longest checksum.
const MAX_VALUE: usize = 44;

impl ChecksumAlgorithm {
    pub const ALL: [ChecksumAlgorithm; 5] = [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32c,
        ChecksumAlgorithm::Crc64nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ];

    /// Finds an algorithm by the name of its header, in any case.
    pub(crate) fn of_header(name: &[u8]) -> Option<ChecksumAlgorithm> {
        ChecksumAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// Returns the name of the header, and of the trailer.
    pub fn header(self) -> &'static [u8] {
        match self {
            ChecksumAlgorithm::Crc32 => b"x-amz-checksum-crc32",
            ChecksumAlgorithm::Crc32c => b"x-amz-checksum-crc32c",
            ChecksumAlgorithm::Crc64nvme => b"x-amz-checksum-crc64nvme",
            ChecksumAlgorithm::Sha1 => b"x-amz-checksum-sha1",
            ChecksumAlgorithm::Sha256 => b"x-amz-checksum-sha256",
        }
    }

    /// Returns the name that S3's messages give it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ChecksumAlgorithm::Crc32 => "CRC32",
            ChecksumAlgorithm::Crc32c => "CRC32C",
            ChecksumAlgorithm::Crc64nvme => "CRC64NVME",
            ChecksumAlgorithm::Sha1 => "SHA1",
            ChecksumAlgorithm::Sha256 => "SHA256",
        }
    }

    /// Counts the bytes of a checksum.
    fn size(self) -> usize {
        match self {
            ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => 4,
            ChecksumAlgorithm::Crc64nvme => 8,
            ChecksumAlgorithm::Sha1 => 20,
            ChecksumAlgorithm::Sha256 => 32,
        }
    }

    /// Counts the bytes of a checksum in base64.
    pub(crate) fn value_length(self) -> usize {
        self.size().div_ceil(3) * 4
    }
}

/// A checksum that was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    value: [u8; MAX_VALUE],
}

impl Checksum {
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Returns it in base64.
    pub fn value(&self) -> &[u8] {
        self.value
            .get(..self.algorithm.value_length())
            .unwrap_or_default()
    }

    /// Whether it is a checksum of that algorithm is all that is known of it.
    pub(crate) fn parse(algorithm: ChecksumAlgorithm, text: &[u8]) -> Option<Checksum> {
        let mut digest = [0; 32];
        let length = Base64::decode(text, &mut digest).ok()?.len();
        let mut value = [0; MAX_VALUE];
        value.get_mut(..text.len())?.copy_from_slice(text);
        (length == algorithm.size()).then_some(Checksum { algorithm, value })
    }
}

/// A checksum in the making.
pub(crate) struct ChecksumHasher {
    algorithm: ChecksumAlgorithm,
    state: ChecksumState,
}

enum ChecksumState {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl ChecksumHasher {
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> ChecksumHasher {
        let crc = |algorithm| ChecksumState::Crc(crc_fast::Digest::new(algorithm));
        let state = match algorithm {
            ChecksumAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc64nvme => crc(CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Sha1 => ChecksumState::Sha1(Sha1::new()),
            ChecksumAlgorithm::Sha256 => ChecksumState::Sha256(Sha256::new()),
        };
        ChecksumHasher { algorithm, state }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            ChecksumState::Crc(crc) => crc.update(data),
            ChecksumState::Sha1(sha1) => sha1.update(data),
            ChecksumState::Sha256(sha256) => sha256.update(data),
        }
    }

    /// Computes the checksum of all the data.
    pub(crate) fn finish(&self) -> Checksum {
        let mut digest = ArrayVec::<u8, 32>::new();
        match &self.state {
            ChecksumState::Crc(crc) => {
                let bytes = crc.finalize().to_be_bytes();
                digest.extend(bytes.into_iter().skip(8 - self.algorithm.size()));
            }
            ChecksumState::Sha1(sha1) => digest.extend(<[u8; 20]>::from(sha1.clone().finalize())),
            ChecksumState::Sha256(sha256) => {
                digest.extend(<[u8; 32]>::from(sha256.clone().finalize()))
            }
        }
        let mut value = [0; MAX_VALUE];
        // The longest digest just fits.
        let _ = Base64::encode(&digest, &mut value);
        Checksum {
            algorithm: self.algorithm,
            value,
        }
    }
}
