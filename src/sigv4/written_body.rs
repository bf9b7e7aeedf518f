//! A document as it goes out.
use crate::{
    crypto::{hex::hex, sha256::Sha256Sink},
    text::sink::Sink,
};

/// A body that goes out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrittenBody {
    pub(crate) bytes: Vec<u8>,
    /// In hexadecimal digits.
    pub(crate) hash: [u8; 64],
}

impl WrittenBody {
    pub(crate) fn new(bytes: Vec<u8>) -> WrittenBody {
        let mut hash = Sha256Sink::default();
        hash.put(&bytes);
        WrittenBody {
            hash: hex(&hash.finish()),
            bytes,
        }
    }
}
