//! Verifies a client's S3 request and signs it anew for an origin.
#![forbid(unsafe_code)]
#![allow(missing_debug_implementations, clippy::len_without_is_empty)]

use arrayvec::ArrayVec;

/// The most headers a request may have; one with more is refused before any work.
pub const MAX_HEADERS: usize = 256;
/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// A header as it was on the wire, less the white space around the value.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
}
pub type Headers<'a> = ArrayVec<Header<'a>, MAX_HEADERS>;

/// The client's request, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'h, 'a> {
    pub method: &'a [u8],
    /// Raw bytes of the request target before `?`.
    pub path: &'a [u8],
    /// Raw bytes behind `?`, empty without one.
    pub query: &'a [u8],
    /// What the client signed as host where it is not the header's value (`s3_host`).
    pub host: Option<&'a [u8]>,
    pub headers: &'h [Header<'a>],
}

/// A region name in a credential scope: at most 64 bytes, may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region(ArrayVec<u8, 64>);
impl Region {
    pub fn parse(name: &[u8]) -> Option<Region> {
        ArrayVec::try_from(name).ok().map(Region)
    }
}

/// Zeroised when dropped, redacted in Debug.
#[derive(Clone)]
pub struct SecretKey(#[allow(dead_code)] Vec<u8>);
impl SecretKey {
    pub fn new(secret: Vec<u8>) -> SecretKey {
        SecretKey(secret)
    }
}

/// An access key with its secret; each has an identity of its own in the process, by which signing
/// keys are cached.
#[derive(Clone)]
pub struct Credential {
    access_key: Box<[u8]>,
}
impl Credential {
    pub fn new(access_key: &[u8], _secret: SecretKey) -> Credential {
        Credential {
            access_key: access_key.into(),
        }
    }
    pub fn access_key(&self) -> &[u8] {
        &self.access_key
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allow {
    Read,
    Write,
    #[default]
    All,
}

/// What a client may do.
#[derive(Debug, Default)]
pub struct Grant {
    pub allow: Allow,
    pub buckets: Vec<BucketPattern>,
}

/// A bucket name, in which `*` stands for any run of bytes.
#[derive(Debug)]
pub struct BucketPattern(#[allow(dead_code)] Box<[u8]>);
impl BucketPattern {
    pub fn parse(pattern: &[u8]) -> Option<BucketPattern> {
        Some(BucketPattern(pattern.into()))
    }
}

pub struct Client {
    pub credential: Credential,
    pub grant: Grant,
}

/// Where client credentials are looked up.
pub trait Clients {
    fn find(&self, access_key: &[u8]) -> Option<&Client>;
}

/// The location's settings.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Seconds a request's date may differ from now.
    pub max_skew: i64,
    /// The one region that clients must sign for.
    pub region: Option<Region>,
    pub anonymous: bool,
    pub signature_v2: bool,
}

/// How the request was signed: `$s3_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    V4Header,
    V4Query,
    V2Header,
    V2Query,
    Anonymous,
}
impl Form {
    pub fn name(self) -> &'static str {
        "v4-header"
    }
}

/// Signing keys, bounded; one per worker.
pub struct KeyCache {}
impl KeyCache {
    pub fn new(_capacity: usize) -> KeyCache {
        KeyCache {}
    }
}

/// Why a request was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    AccessDenied,
    TooManyHeaders,
    InternalError,
}
impl Rejection {
    pub fn code(&self) -> &'static str {
        "AccessDenied"
    }
    pub fn status(&self) -> u16 {
        403
    }
    pub fn status_s3proxy(&self) -> u16 {
        403
    }
    pub fn is_mismatch(&self) -> bool {
        false
    }
    pub fn message(&self) -> std::borrow::Cow<'static, str> {
        "Access Denied".into()
    }
}

/// A refused request: the reason, and who it claimed to be.
#[derive(Debug)]
pub struct Refused<'r> {
    pub rejection: Rejection,
    /// The access key that the request named, unverified; empty where it named none.
    pub access_key: &'r [u8],
    pub form: Option<Form>,
}

/// A verified request; only `verify` makes one and only it can be signed.
pub struct Verified<'r> {
    form: Form,
    access_key: &'r [u8],
}
impl<'r> Verified<'r> {
    pub fn form(&self) -> Form {
        self.form
    }
    pub fn access_key(&self) -> &'r [u8] {
        self.access_key
    }
}

pub fn verify<'r>(
    _request: &Request<'_, 'r>,
    _clients: &impl Clients,
    _rules: &Rules,
    _keys: &mut KeyCache,
    _now: Timestamp,
) -> Result<Verified<'r>, Refused<'r>> {
    Err(Refused {
        rejection: Rejection::AccessDenied,
        access_key: b"",
        form: None,
    })
}

/// What S3 returns with a SignatureDoesNotMatch: computed again, only where it is asked for.
pub struct Explanation {
    pub canonical_request: Vec<u8>,
    pub string_to_sign: Vec<u8>,
}
pub fn explain(_request: &Request<'_, '_>) -> Option<Explanation> {
    None
}

/// The S3 operation that a request names, for logs and grants: `GetObject`, ...
pub struct Operation;
impl Operation {
    pub fn name(&self) -> &'static str {
        ""
    }
}
pub fn operation(_request: &Request<'_, '_>) -> Operation {
    Operation
}
pub struct Encoded<'a>(&'a [u8]);
impl Encoded<'_> {
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn write(&self, _o: &mut [u8]) {}
}
#[allow(dead_code)]
pub struct ResourcePath<'a>(&'a [u8]);
impl<'a> ResourcePath<'a> {
    pub fn of(p: &'a [u8]) -> Option<ResourcePath<'a>> {
        Some(Self(p))
    }
    pub fn bucket(&self) -> Option<Encoded<'a>> {
        None
    }
    pub fn key(&self) -> Option<Encoded<'a>> {
        None
    }
}

/// Bucket and key in the canonical (percent-encoded) form of a raw path; parts of `out`.
pub fn canonical_path(_path: &[u8], _out: &mut Vec<u8>) -> bool {
    false
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    #[default]
    Path,
    Virtual,
}

/// One `s3_origin`.
pub struct Origin {
    pub credential: Credential,
    pub session_token: Option<SecretKey>,
    /// The client's where not set.
    pub region: Option<Region>,
    /// The Host header, with a port where it is not the scheme's default.
    pub host: Box<[u8]>,
    pub addressing: Addressing,
}

/// Why a head cannot be signed: logged, answered 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsignable {
    NotHttp1,
}
impl std::fmt::Display for Unsignable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not an HTTP/1 request head")
    }
}

/// The request head that nginx serialised for the upstream.
pub struct WireHead<'a>(#[allow(dead_code)] &'a [u8]);
impl<'a> WireHead<'a> {
    pub fn parse(_head: &'a [u8]) -> Result<WireHead<'a>, Unsignable> {
        Err(Unsignable::NotHttp1)
    }
    /// Content-Length on the wire.
    pub fn content_length(&self) -> Option<u64> {
        None
    }
    pub fn is_chunked(&self) -> bool {
        false
    }
}

/// The head to send: written into memory of the caller's.
pub struct SignedHead<'a>(#[allow(dead_code)] &'a [u8]);
impl SignedHead<'_> {
    /// Bytes that `write` fills.
    pub fn len(&self) -> usize {
        0
    }
    pub fn write(&self, _out: &mut [u8]) {}
}

pub fn sign<'a>(
    _verified: &'a Verified<'_>,
    _head: &'a WireHead<'a>,
    _origin: &'a Origin,
    _keys: &mut KeyCache,
    _now: Timestamp,
) -> Result<SignedHead<'a>, Unsignable> {
    Err(Unsignable::NotHttp1)
}
