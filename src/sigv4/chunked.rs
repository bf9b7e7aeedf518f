//! Uploads in `aws-chunked` framing: a body in chunks, each with its length and, where the payload
//! is signed, a signature over its data and over the signature before it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
//!
//! A [`Decoder`] takes the client's framing off and verifies it; an [`Encoder`] frames the plain
//! body again for an origin. They need not agree on where chunks end; where they do, no byte is
//! hashed twice. Where they do not, the decoder makes both hashes in one pass as soon as it knows how the body goes
//! out, which costs little more. An origin may get chunks, signed for it, of a client's chunk whose
//! signature is still to come: never the last byte of the body, without which the origin cannot finish.
pub(crate) mod chain;
pub(crate) mod decoder;
pub(crate) mod encoder;
#[cfg(test)]
mod examples;
pub(crate) mod fault;
pub(crate) mod framer;
mod hashes;
mod pieces;
pub(crate) mod streaming;
