//! Hashes and signatures.
pub(crate) mod hex;
pub(crate) mod hmac;
pub(crate) mod sha256;
pub(crate) mod signature;
