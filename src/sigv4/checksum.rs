//! Checksums of an object's data.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>
use std::hash::Hasher;

use arrayvec::ArrayVec;
use base64ct::{Base64, Encoding};
use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha512};
use twox_hash::{XxHash3_64, XxHash3_128, XxHash64};

use crate::crypto::sha256_stream::Sha256Stream;

/// What S3 can check an object's data by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Md5,
    Sha1,
    Sha256,
    Sha512,
    /// XXH3 of 64 bits.
    Xxhash3,
    /// XXH64, which is older than XXH3 and another function.
    Xxhash64,
    /// XXH3 of 128 bits.
    Xxhash128,
}

/// The bytes of the longest checksum.
const MAX_SIZE: usize = 64;

/// Its base64 digits.
const MAX_VALUE: usize = MAX_SIZE.div_ceil(3) * 4;

impl ChecksumAlgorithm {
    pub const ALL: [ChecksumAlgorithm; 10] = [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32c,
        ChecksumAlgorithm::Crc64nvme,
        ChecksumAlgorithm::Md5,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
        ChecksumAlgorithm::Sha512,
        ChecksumAlgorithm::Xxhash3,
        ChecksumAlgorithm::Xxhash64,
        ChecksumAlgorithm::Xxhash128,
    ];

    /// Returns the name that S3's messages and `x-amz-sdk-checksum-algorithm` give it, the name of its
    /// header, and the bytes of a checksum. Headers have them in base64, the highest byte of a number first.
    const fn row(self) -> (&'static str, &'static [u8], usize) {
        match self {
            ChecksumAlgorithm::Crc32 => ("CRC32", b"x-amz-checksum-crc32", 4),
            ChecksumAlgorithm::Crc32c => ("CRC32C", b"x-amz-checksum-crc32c", 4),
            ChecksumAlgorithm::Crc64nvme => ("CRC64NVME", b"x-amz-checksum-crc64nvme", 8),
            ChecksumAlgorithm::Md5 => ("MD5", b"x-amz-checksum-md5", 16),
            ChecksumAlgorithm::Sha1 => ("SHA1", b"x-amz-checksum-sha1", 20),
            ChecksumAlgorithm::Sha256 => ("SHA256", b"x-amz-checksum-sha256", 32),
            ChecksumAlgorithm::Sha512 => ("SHA512", b"x-amz-checksum-sha512", MAX_SIZE),
            ChecksumAlgorithm::Xxhash3 => ("XXHASH3", b"x-amz-checksum-xxhash3", 8),
            ChecksumAlgorithm::Xxhash64 => ("XXHASH64", b"x-amz-checksum-xxhash64", 8),
            ChecksumAlgorithm::Xxhash128 => ("XXHASH128", b"x-amz-checksum-xxhash128", 16),
        }
    }

    /// Finds an algorithm by the name of its header, in any case.
    pub(crate) fn of_header(name: &[u8]) -> Option<ChecksumAlgorithm> {
        ChecksumAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// Returns the name of the header, and of the trailer.
    pub fn header(self) -> &'static [u8] {
        self.row().1
    }

    /// Returns the name that S3's messages give it.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// Counts the bytes of a checksum.
    fn size(self) -> usize {
        self.row().2
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
        let mut digest = [0; MAX_SIZE];
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
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256Stream),
    Sha512(Sha512),
    Xxhash3(XxHash3_64),
    Xxhash64(XxHash64),
    Xxhash128(XxHash3_128),
}

impl ChecksumHasher {
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> ChecksumHasher {
        let crc = |algorithm| ChecksumState::Crc(crc_fast::Digest::new(algorithm));
        let state = match algorithm {
            ChecksumAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc64nvme => crc(CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Md5 => ChecksumState::Md5(Md5::new()),
            ChecksumAlgorithm::Sha1 => ChecksumState::Sha1(Sha1::new()),
            ChecksumAlgorithm::Sha256 => ChecksumState::Sha256(Sha256Stream::default()),
            ChecksumAlgorithm::Sha512 => ChecksumState::Sha512(Sha512::new()),
            ChecksumAlgorithm::Xxhash3 => ChecksumState::Xxhash3(XxHash3_64::new()),
            ChecksumAlgorithm::Xxhash64 => ChecksumState::Xxhash64(XxHash64::with_seed(0)),
            ChecksumAlgorithm::Xxhash128 => ChecksumState::Xxhash128(XxHash3_128::new()),
        };
        ChecksumHasher { algorithm, state }
    }

    /// Returns the SHA-256 that it is, or itself if it is another function.
    pub(crate) fn as_sha256(&mut self) -> Result<&mut Sha256Stream, &mut ChecksumHasher> {
        match self.state {
            ChecksumState::Sha256(ref mut sha256) => Ok(sha256),
            _ => Err(self),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            ChecksumState::Crc(crc) => crc.update(data),
            ChecksumState::Md5(md5) => md5.update(data),
            ChecksumState::Sha1(sha1) => sha1.update(data),
            ChecksumState::Sha256(sha256) => sha256.update(data),
            ChecksumState::Sha512(sha512) => sha512.update(data),
            ChecksumState::Xxhash3(xxhash3) => xxhash3.write(data),
            ChecksumState::Xxhash64(xxhash64) => xxhash64.write(data),
            ChecksumState::Xxhash128(xxhash128) => xxhash128.write(data),
        }
    }

    /// Computes the checksum of all the data.
    pub(crate) fn finish(&self) -> Checksum {
        let mut digest = ArrayVec::<u8, MAX_SIZE>::new();
        match &self.state {
            ChecksumState::Crc(crc) => {
                let bytes = crc.finalize().to_be_bytes();
                digest.extend(bytes.into_iter().skip(8 - self.algorithm.size()));
            }
            ChecksumState::Md5(md5) => digest.extend(<[u8; 16]>::from(md5.clone().finalize())),
            ChecksumState::Sha1(sha1) => digest.extend(<[u8; 20]>::from(sha1.clone().finalize())),
            ChecksumState::Sha256(sha256) => digest.extend(sha256.clone().finish()),
            ChecksumState::Sha512(sha512) => {
                digest.extend(<[u8; MAX_SIZE]>::from(sha512.clone().finalize()))
            }
            ChecksumState::Xxhash3(xxhash3) => digest.extend(xxhash3.finish().to_be_bytes()),
            ChecksumState::Xxhash64(xxhash64) => digest.extend(xxhash64.finish().to_be_bytes()),
            ChecksumState::Xxhash128(xxhash128) => {
                digest.extend(xxhash128.finish_128().to_be_bytes())
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{Base64, Checksum, ChecksumAlgorithm, ChecksumHasher, Encoding, MAX_SIZE};

    fn sum(algorithm: ChecksumAlgorithm, pieces: &[&[u8]]) -> Checksum {
        let mut hasher = ChecksumHasher::new(algorithm);
        pieces.iter().for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    fn hex(algorithm: ChecksumAlgorithm, data: &[u8]) -> String {
        let mut digest = [0; MAX_SIZE];
        let sum = sum(algorithm, &[data]);
        hex::encode(Base64::decode(sum.value(), &mut digest).unwrap())
    }

    /// RFC 1321, FIPS 180-4, and the check values of the CRC catalogue (of `123456789`).
    #[test]
    fn published_values() {
        for (algorithm, data, digest) in [
            (ChecksumAlgorithm::Crc32, "123456789", "cbf43926"),
            (ChecksumAlgorithm::Crc32c, "123456789", "e3069283"),
            (
                ChecksumAlgorithm::Crc64nvme,
                "123456789",
                "ae8b14860a799888",
            ),
            (
                ChecksumAlgorithm::Md5,
                "message digest",
                "f96b697d7cb7938d525a2f31aaf161d0",
            ),
            (
                ChecksumAlgorithm::Sha1,
                "abc",
                "a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            (
                ChecksumAlgorithm::Sha256,
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                ChecksumAlgorithm::Sha512,
                "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            assert_eq!(hex(algorithm, data.as_bytes()), digest, "{algorithm:?}");
        }
    }

    /// As the reference implementation has them (by awscrt), at lengths that it hashes in different ways.
    #[test]
    fn xxhash_at_every_kind_of_length() {
        let data: Vec<u8> = (0..=250).cycle().take(5_000).collect();
        for (length, xxhash3, xxhash64, xxhash128) in [
            (
                0,
                "LQaABTjTlMI=",
                "70bbN1HY6Zk=",
                "maoG0wFHmNhgAcMkRo1Jfw==",
            ),
            (
                3,
                "X0KZ/BYcnLs=",
                "5ce7RTO8Zd0=",
                "47VfV5RaF89fQpn8Fhycuw==",
            ),
            (
                8,
                "OhwtfIWviPg=",
                "iEoXNhS4G40=",
                "4eRDKmIhf+TP1QxhyLuYwQ==",
            ),
            (
                16,
                "g1XjpvYXcNs=",
                "RLbvL7hBafc=",
                "cpUGMYJ2B+KEKBLMhw3K4g==",
            ),
            (
                32,
                "NSNYH+luTAU=",
                "y/WcURb/MrQ=",
                "JefJs0JM7tJFfZVmtvzWlw==",
            ),
            (
                128,
                "hcYXTH/0xGs=",
                "en/hRke5q5I=",
                "FHkvw6+I3GwFMhoLZNZ7QQ==",
            ),
            (
                240,
                "N1o4TZV/6GU=",
                "ASlH8NpqJ7E=",
                "ZbW+htpVQOfJK2jhb4O7tg==",
            ),
            (
                241,
                "AujNlUIcbQI=",
                "jWQ/I78oCOE=",
                "HaHLYby4oqEC6M2VQhxtAg==",
            ),
            (
                1_024,
                "5deLr6RbKqU=",
                "E44mxlBIzik=",
                "0Kwfe5O/V7nl14uvpFsqpQ==",
            ),
            (
                5_000,
                "tBhQD8QjIO4=",
                "poM9ZI/WozI=",
                "uS7ALDnTPOe0GFAPxCMg7g==",
            ),
        ] {
            for (algorithm, value) in [
                (ChecksumAlgorithm::Xxhash3, xxhash3),
                (ChecksumAlgorithm::Xxhash64, xxhash64),
                (ChecksumAlgorithm::Xxhash128, xxhash128),
            ] {
                let found = sum(algorithm, &[&data[..length]]);
                assert_eq!(found.value(), value.as_bytes(), "{algorithm:?} of {length}");
            }
        }
    }

    #[test]
    fn names_and_lengths() {
        for algorithm in ChecksumAlgorithm::ALL {
            let header = format!("x-amz-checksum-{}", algorithm.name().to_lowercase());
            assert_eq!(algorithm.header(), header.as_bytes());
            let found = ChecksumAlgorithm::of_header(header.to_uppercase().as_bytes());
            assert_eq!(found, Some(algorithm));
            let value = sum(algorithm, &[b"a"]);
            assert_eq!(value.value().len(), algorithm.value_length());
            assert_eq!(Checksum::parse(algorithm, value.value()), Some(value));
            let short = &value.value()[4..];
            assert_eq!(Checksum::parse(algorithm, short), None);
            let long = [value.value(), b"AAAA"].concat();
            assert_eq!(Checksum::parse(algorithm, &long), None);
        }
    }

    proptest! {
        /// However the data is cut.
        #[test]
        fn cuts_do_not_matter(
            algorithm in select(&ChecksumAlgorithm::ALL),
            data in vec(any::<u8>(), 0..3_000),
            cuts in vec(0_usize..700, 0..20),
        ) {
            let mut rest = data.as_slice();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(sum(algorithm, &pieces), sum(algorithm, &[&data]));
        }
    }
}
