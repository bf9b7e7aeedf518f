//! Verifies a client's S3 request and signs it anew for an origin.
//!
//! [`verify`] lets a request in or refuses it; what it returns is the only thing that [`sign`]
//! takes. A browser's form, whose signature is in the body, is for [`verify_form`] to decide on, and
//! [`sign_own`] is for requests that no client has made.
//!
//! Nothing here reads a clock, does I/O or logs. But for forms, neither `verify` nor `sign` allocates
//! once the signing keys are cached.
#![forbid(unsafe_code)]

mod authorization;
mod body;
mod bytes;
mod canonical;
mod chunked;
mod date;
mod error;
mod form;
mod grant;
mod keys;
mod operation;
mod payload;
mod presign;
mod query;
mod request;
mod scope;
mod sha256;
mod sign;
mod sink;
#[cfg(test)]
mod suite;
mod uri;
mod v2;
mod verify;
mod wire;

pub use crate::{
    body::{Body, HashCheck},
    chunked::{
        Checksum, ChecksumAlgorithm, Decoder, Encoder, Frame, Framing, MAX_CHUNK, Misframed,
        Streaming, StreamingKind,
    },
    date::Timestamp,
    error::{Malformed, Rejection, Unsignable},
    form::{FormDecoder, FormStream, PendingForm, Tail, verify_form},
    grant::{Allow, BucketPattern, Client, Clients, Grant},
    keys::{Credential, KeyCache, SecretKey},
    operation::{Encoded, Operation, ResourcePath, operation},
    presign::{Presign, Unpresignable},
    request::{Header, Headers, MAX_HEADERS, Request},
    scope::Region,
    sign::{Addressing, Origin, SignedHead, sign, sign_own},
    verify::{Explanation, Form, Refused, Rules, Verified, explain, verify},
    wire::{HeadRoom, WireHead},
};
