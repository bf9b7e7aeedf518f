//! Verifies a client's S3 request and re-signs it for an origin.
//!
//! [`verify`] accepts a request or rejects it; what it returns is the only thing that [`sign`]
//! takes. A browser's form, whose signature is in the body, is for [`verify_form`] to verify, and
//! [`sign_own`] is for requests that no client has made.
//!
//! Nothing here reads a clock, does I/O or logs. Except for forms, and where objects are encrypted with
//! keys of the operator's, neither `verify` nor `sign` allocates once the signing keys are cached.
#![forbid(unsafe_code)]

mod account;
mod address;
mod admission;
mod answer;
mod auth_type;
mod authorization;
mod body;
mod bucket_configuration;
mod bucket_map;
mod bucket_names;
mod cache;
mod canonical;
mod checksum;
mod chunked;
mod client;
mod completed_parts;
mod cors;
mod credential;
mod crypto;
mod date;
mod destinations;
mod dialect;
mod digests;
mod document;
mod error;
mod grant;
mod header_fate;
mod headers;
mod identity;
mod keys;
mod known_heads;
mod lent;
mod lifetime;
mod link_verdict;
mod minted;
mod naming;
mod opened;
mod operation;
mod operation_in_log;
mod origin;
mod parameter;
mod payload;
mod post_object;
mod preflight;
mod presign;
mod proof;
mod region;
mod request;
mod resource;
mod rules;
mod s3_request;
mod scope;
mod sealed;
mod seen_links;
mod sign;
mod sse_c;
mod sts;
#[cfg(test)]
mod suite;
mod text;
#[cfg(test)]
mod ties;
mod upload;
mod v2;
mod verified;
mod verify;
mod wire;
mod written_body;

pub use crate::{
    account::Account,
    address::{Address, BucketName, Domain, Endpoint},
    answer::{
        AnswerBody, AnswerFault, AnswerHead, AskedId, BodyStep, BucketList, ClientNames,
        ClientWords, DocumentNames, ErrorBody, Gunzip, MAX_ERROR, NamedDocument, ToldInErrors,
        Traces, Unreadable, Verdict, WhyRejected, XML_DECLARATION, judge, mentions_origin,
        put_element, read_leaves, told_message,
    },
    auth_type::AuthType,
    body::{BodyVerifier, HashCheck},
    bucket_map::{BucketMap, BucketMapFault, BucketRule, MappedName},
    cache::cache_key,
    checksum::{Checksum, ChecksumAlgorithm},
    chunked::{
        decoder::Decoder,
        encoder::{Encoder, Frame, MAX_CHUNK, MAX_FRAME, Misframed},
        fault::BodyFault,
        framer::{FrameStep, Framer},
        streaming::{Framing, Streaming, StreamingKind},
    },
    client::{Claim, Claimants, Client, Clients, MAX_SECRETS, RequiredToken, SessionToken},
    cors::{CorsFault, CorsHeader, CorsLists, CorsRule, CorsRules, varies_by_origin},
    credential::{Credential, MAX_ACCESS_KEY, SecretKey},
    date::Timestamp,
    dialect::{Checksums, Dialect, DocumentDigest},
    document::GatheredBody,
    error::{ChecksumFault, Malformed, Rejection, ServerError, Unsignable},
    grant::{Grant, GrantFault, Scope, is_match},
    headers::SignedElsewhere,
    identity::Identity,
    keys::KeyCache,
    minted::{
        AccountOfKey, Ancestor, Issuer, IssuerAccount, IssuerFault, KeyId, KeyTerms, Lineage,
        MAX_ISSUER_NAME, MIN_ISSUER_SECRET, MintedAccessKey, MintedKey, MintedKeys, Revocations,
        Unmintable, is_issuer_name,
    },
    operation::Operation,
    origin::{Addressing, LastingName, Origin},
    post_object::{
        decoder::FormDecoder,
        pending::PendingForm,
        stream::{FormStream, Tail},
        verify::{explain_form, verify_form},
    },
    preflight::Preflight,
    presign::{Presign, Unpresignable},
    region::Region,
    request::{ClientRequest, Header, Headers, MAX_HEADERS, Target},
    resource::{Encoded, ResourcePath},
    rules::{Anonymous, VerifyRules},
    s3_request::S3Request,
    sealed::{Sealer, seals_ids},
    sign::{BucketNames, SignedHead, known_head, note_head, sign, sign_own},
    sse_c::{CustomerKey, CustomerKeyRule, CustomerKeys, is_customer_key_header},
    sts::{STS_CONTENT_TYPE, StsCall, sign_sts},
    upload::{PlainPiece, Upload},
    verified::Verified,
    verify::{
        Details, Explanation, Rejected, RejectedRequest, ServiceRequest, body_hash, details,
        explain, verify, verify_service,
    },
    wire::{HeadRoom, WireHead},
};

/// Writes a decoded path in canonical percent-encoding.
pub fn encode_path(path: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    text::uri::put_encoded(&mut encoded, path, text::uri::Part::Path);
    encoded
}

/// Returns the SHA-256 of a text, in hexadecimal digits.
pub fn sha256_hex(text: &[u8]) -> String {
    use text::sink::Sink;

    let mut hash = crypto::sha256::Sha256Sink::default();
    hash.put(text);
    let digits = crypto::hex::hex(&hash.finish());
    digits.map(char::from).iter().collect()
}
