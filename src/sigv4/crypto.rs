//! Hashes and signatures.
pub(crate) mod hex;
pub(crate) mod hmac;
pub(crate) mod sha256;
pub(crate) mod sha256_stream;
pub(crate) mod signature;
