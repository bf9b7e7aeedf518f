//! Which answers a cache may keep for other clients, and under which key.
//!
//! An answer is kept only if the origin gives the same to whoever makes the same request: an object that
//! depends on nothing in the request but what the key holds. Whatever is not known to change nothing keeps an
//! answer out of the cache. Conditions and ranges do not, since nginx applies them to the whole object.
use crate::{
    account::Account,
    address::Address,
    auth_type::AuthType,
    headers::{is_foreign, steers_server},
    operation::Operation,
    parameter::{ParameterName, S3Parameter},
    request::{ClientRequest, Header},
    s3_request::{S3Request, S3RequestParts},
    sse_c::{CachingWithKey, CustomerKeys},
    text::query::{Parameters, Query},
    text::sink::Sink,
    text::uri::{self, Part},
    verified::Verified,
    wire::WireHead,
};

/// Returns the key of the answer to a request; `None` where no answer may be kept. `account` and
/// `origin` tell apart those that have objects of their own, and `customer_keys` those with which they are encrypted.
///
/// The key is `signed`, `unsigned`, or `granted` for what the location signs, the origin, bucket and key with the
/// parameters that count, the headers that do, the account if there is one, and a fingerprint of the key with which the object is encrypted,
/// separated by spaces. All of it is percent-encoded, so no request has the key of another one.
pub fn cache_key(
    request: &ClientRequest<'_, '_>,
    address: &Address<'_>,
    auth_type: AuthType,
    account: Option<&Account>,
    origin: &[u8],
    customer_keys: Option<&CustomerKeys>,
) -> Option<Vec<u8>> {
    let asked = S3Request::of(request, address).ok()?;
    let mut room = Parameters::new();
    let query = Query::parse(request.target().query, &mut room).ok()?;
    let headers = request.headers.iter().copied();
    let key = CacheKey {
        auth_type,
        account,
        origin,
        customer_keys,
    };
    key.of(&asked, &query, headers)
}

impl Verified<'_> {
    /// Returns the key under which a cache may keep the answer for other clients, as [`cache_key`] says;
    /// `None` also if `request` has become another one since it was admitted.
    pub fn cache_key(&self, request: &ClientRequest<'_, '_>, origin: &[u8]) -> Option<Vec<u8>> {
        let is_admitted =
            request.method == self.request.method && request.target() == self.request.target;
        is_admitted
            .then(|| {
                let keys = self.request.rules.customer_keys.as_deref();
                cache_key(
                    request,
                    self.address(),
                    self.auth_type(),
                    self.account(),
                    origin,
                    keys,
                )
            })
            .flatten()
    }
}

impl WireHead<'_, '_> {
    /// As [`cache_key`], of what goes out for a verified request. It is another one where a configuration
    /// adds something that counts, and then the answer is none for the client's key.
    pub fn cache_key(&self, verified: &Verified<'_>, origin: &[u8]) -> Option<Vec<u8>> {
        let asked = S3Request::read(S3RequestParts {
            method: verified.request.asked_method(self.method),
            path: verified.address().resource(self.path)?,
            query: &self.query,
            copy_source: None,
            rename_source: None,
            is_form: false,
        });
        let key = CacheKey {
            auth_type: verified.auth_type(),
            account: verified.account(),
            origin,
            customer_keys: verified.request.rules.customer_keys.as_deref(),
        };
        key.of(&asked.ok()?, &self.query, self.headers())
    }
}

/// What a key holds beside the request.
struct CacheKey<'a> {
    auth_type: AuthType,
    account: Option<&'a Account>,
    origin: &'a [u8],
    customer_keys: Option<&'a CustomerKeys>,
}

/// Room for what few keys have more than origin, bucket and object, in bytes.
const LABELS: usize = 64;

impl CacheKey<'_> {
    /// Returns the key of the answer to what is asked; `None` where none may be kept.
    fn of<'h>(
        &self,
        asked: &S3Request<'_>,
        query: &Query<'_, '_>,
        headers: impl Iterator<Item = Header<'h>>,
    ) -> Option<Vec<u8>> {
        // nginx gets the object for both.
        if !matches!(
            asked.operation(),
            Operation::GetObject | Operation::HeadObject
        ) {
            return None;
        }
        let is_signed = self.auth_type.is_signed();
        let headers = CountingHeaders::read(headers, self.auth_type.is_signed_for_origins())?;
        // A signature is taken out before the origin sees the request, what is left of one is not.
        if !is_signed && query.has_signature_parameter() {
            return None;
        }
        let keys = self.customer_keys;
        let caching = keys.map_or(CachingWithKey::NoKey, |keys| keys.caching(asked.path));
        if caching == CachingWithKey::Discard {
            return None;
        }

        let [bucket, object] = [asked.path.raw_bucket(), asked.path.raw_key()];
        let length = LABELS + self.origin.len() + bucket.len() + object.len();
        let mut key = Vec::with_capacity(length);
        let source: &[u8] = match self.auth_type {
            AuthType::Granted => b"granted ",
            _ if is_signed => b"signed ",
            _ => b"unsigned ",
        };
        key.put(source);
        uri::put_encoded(&mut key, self.origin, Part::Query);
        key.put(b" ");
        for name in [bucket, object] {
            key.put(b"/");
            uri::put_canonical(&mut key, name, Part::Path);
        }
        let mut separator: &[u8] = b"?";
        for (name, value) in query.others() {
            if !counts(name)? {
                continue;
            }
            key.put(separator);
            uri::put_canonical(&mut key, name, Part::Query);
            key.put(b"=");
            uri::put_canonical(&mut key, value.unwrap_or_default(), Part::Query);
            separator = b"&";
        }
        headers.put(&mut key);
        if let Some(account) = self.account {
            key.put(b" account=");
            uri::put_encoded(&mut key, account.as_str().as_bytes(), Part::Query);
        }
        if let CachingWithKey::Keep(fingerprint) = caching {
            key.put(b" sse-c=");
            key.put(fingerprint.as_bytes());
        }
        Some(key)
    }
}

/// Whether an answer depends on a parameter of this raw name; `None` where it may not be kept.
fn counts(name: &[u8]) -> Option<bool> {
    let is = |header: &[u8]| {
        uri::decoded(name, Part::Query)
            .map(|byte| byte.to_ascii_lowercase())
            .eq(header.iter().copied())
    };
    match ParameterName::of(name) {
        ParameterName::Known(S3Parameter::XId) => Some(false),
        ParameterName::Known(S3Parameter::VersionId) => Some(true),
        ParameterName::Known(parameter) if parameter.sets_answer_header() => Some(true),
        // Some servers take headers out of the query, others do not.
        ParameterName::Header(_) if is(CHECKSUM_MODE) => Some(true),
        ParameterName::Header(_) if is(USER_AGENT) => Some(false),
        // A part of an object among them, which nginx would take for the whole.
        _ => None,
    }
}

/// The headers on which the answer with an object depends.
#[derive(Default)]
struct CountingHeaders<'a> {
    checksum_mode: Option<&'a [u8]>,
    /// S3 answers a page of another origin with headers for it.
    origin: Option<&'a [u8]>,
}

const CHECKSUM_MODE: &[u8] = b"x-amz-checksum-mode";
const USER_AGENT: &[u8] = b"x-amz-user-agent";
/// They say who asks and when, and go no further than to here.
const OF_SIGNATURE: [&[u8]; 3] = [
    b"x-amz-content-sha256",
    b"x-amz-date",
    b"x-amz-security-token",
];

impl<'a> CountingHeaders<'a> {
    /// Reads the headers. `None` if an answer may not be kept.
    fn read(
        headers: impl Iterator<Item = Header<'a>>,
        is_signed: bool,
    ) -> Option<CountingHeaders<'a>> {
        let mut found = CountingHeaders::default();
        for header in headers {
            let is = |name: &[u8]| header.name.eq_ignore_ascii_case(name);
            let place = if is(CHECKSUM_MODE) {
                &mut found.checksum_mode
            } else if is(b"origin") {
                &mut found.origin
            } else if is(USER_AGENT) || is_signed && OF_SIGNATURE.into_iter().any(is) {
                continue;
            } else if steers_server(header.name)
                || is_foreign(header.name)
                // It goes out as it came.
                || !is_signed && is(b"authorization")
            {
                return None;
            } else {
                continue;
            };
            if place.replace(header.value).is_some() {
                return None;
            }
        }
        Some(found)
    }

    fn put(&self, key: &mut Vec<u8>) {
        let headers = [
            (b" x-amz-checksum-mode=".as_slice(), self.checksum_mode),
            (b" origin=", self.origin),
        ];
        for (label, value) in headers {
            if let Some(value) = value {
                key.put(label);
                uri::put_encoded(key, value, Part::Query);
            }
        }
    }
}
