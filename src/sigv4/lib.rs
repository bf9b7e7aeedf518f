//! Verifies a client's S3 request and signs it anew for an origin.
//!
//! [`verify`] lets a request in or refuses it; what it returns is the only thing that [`sign`]
//! takes. A browser's form, whose signature is in the body, is for [`verify_form`] to decide on, and
//! [`sign_own`] is for requests that no client has made.
//!
//! Nothing here reads a clock, does I/O or logs. But for forms, neither `verify` nor `sign` allocates
//! once the signing keys are cached.
#![forbid(unsafe_code)]

mod admission;
mod answer;
mod authorization;
mod body;
mod bytes;
mod cache;
mod canonical;
mod chunked;
mod date;
mod endpoint;
mod error;
mod form;
mod grant;
mod keys;
mod operation;
mod parameter;
mod payload;
mod presign;
mod query;
mod request;
mod resource;
mod s3_request;
mod scope;
mod sha256;
mod sign;
mod signature;
mod sink;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod ties;
mod upload;
mod uri;
mod v2;
mod verified;
mod verify;
mod wire;

pub use crate::{
    answer::{
        AnswerHead, Beginning, BucketList, ErrorBody, MAX_ERROR, Outcome, Traces, Unreadable,
        Verdict, WhyRejected, XML_DECLARATION, judge, mentions_origin, put_element,
    },
    body::{BodyVerifier, HashCheck},
    cache::cache_key,
    chunked::{
        Checksum, ChecksumAlgorithm, Decoder, Encoder, Frame, FrameStep, Framer, Framing,
        MAX_CHUNK, MAX_FRAME, Misframed, Streaming, StreamingKind,
    },
    date::Timestamp,
    error::{Malformed, Rejection, Unsignable},
    form::{FormDecoder, FormStream, PendingForm, Tail, verify_form},
    grant::{Client, Clients, Grant, GrantFault},
    keys::{Credential, KeyCache, MAX_ACCESS_KEY, SecretKey},
    operation::Operation,
    presign::{Presign, Unpresignable},
    request::{ClientRequest, Header, Headers, MAX_HEADERS, Target},
    resource::{Encoded, ResourcePath},
    s3_request::S3Request,
    scope::Region,
    sign::{Addressing, Origin, SignedHead, sign, sign_own},
    upload::{PlainPiece, Upload},
    verified::Verified,
    verify::{AuthType, Explanation, Rejected, VerifyRules, explain, verify},
    wire::{HeadRoom, WireHead},
};

/// The canonical percent-encoding of a decoded path.
pub fn encode_path(path: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    uri::put_encoded(&mut encoded, path, uri::Part::Path);
    encoded
}
