//! SSE-C: an origin encrypts objects with a key of the operator's, which goes out with each request for them and
//! which the origin does not keep. Clients know nothing of it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html>
mod own;
mod verified;

use base64ct::{Base64, Encoding};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

pub(crate) use self::own::OwnKeys;
pub use self::own::is_customer_key_header;
use crate::{
    credential::SecretKey,
    crypto::{hex::hex, sha256::Sha256Sink},
    grant::BucketPattern,
    operation::Operation,
    request::Header,
    resource::{ResourcePath, SourceObject},
    text::sink::Sink,
    text::uri::{self, Part},
};

/// Which objects of a request S3 takes a key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyedObjects {
    /// The one that it is about.
    Target,
    /// That one, and the one that it is copied from.
    TargetAndSource,
}

/// The operations that take a key: each has the headers in AWS's reference, `API_NAME.html` for its name, and
/// PostObject has fields of these names in `RESTObjectPOST.html`.
///
/// All others of objects take none: they are about something else than the data (tags, ACLs, locks, torrents), or
/// move and delete it as it is. WriteGetObjectResponse only repeats what an object was encrypted with.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>
const TAKE_A_KEY: [(Operation, KeyedObjects); 12] = [
    (Operation::CompleteMultipartUpload, KeyedObjects::Target),
    (Operation::CopyObject, KeyedObjects::TargetAndSource),
    (Operation::CreateMultipartUpload, KeyedObjects::Target),
    (Operation::GetObject, KeyedObjects::Target),
    (Operation::GetObjectAttributes, KeyedObjects::Target),
    (Operation::HeadObject, KeyedObjects::Target),
    (Operation::ListParts, KeyedObjects::Target),
    (Operation::PostObject, KeyedObjects::Target),
    (Operation::PutObject, KeyedObjects::Target),
    (Operation::SelectObjectContent, KeyedObjects::Target),
    (Operation::UploadPart, KeyedObjects::Target),
    (Operation::UploadPartCopy, KeyedObjects::TargetAndSource),
];

/// The only algorithm.
const ALGORITHM: &[u8] = b"AES256";

/// The headers with a key, sorted: algorithm, key, and the MD5 of the key.
const TARGET_HEADERS: [&[u8]; 3] = [
    b"x-amz-server-side-encryption-customer-algorithm",
    b"x-amz-server-side-encryption-customer-key",
    b"x-amz-server-side-encryption-customer-key-md5",
];

/// As [`TARGET_HEADERS`], with the key of the object that is copied.
const SOURCE_HEADERS: [&[u8]; 3] = [
    b"x-amz-copy-source-server-side-encryption-customer-algorithm",
    b"x-amz-copy-source-server-side-encryption-customer-key",
    b"x-amz-copy-source-server-side-encryption-customer-key-md5",
];

/// A key for SSE-C: 256 bits. Zeroised when dropped, redacted in Debug.
pub struct CustomerKey {
    /// In base64, as it is sent.
    value: SecretKey,
    /// Likewise.
    md5: String,
    /// Tells keys apart, and does not tell them.
    fingerprint: String,
}

impl CustomerKey {
    /// Bytes of a key.
    const LENGTH: usize = 32;

    /// Takes a key in base64. `None` if it is not 32 bytes.
    pub fn parse(value: SecretKey) -> Option<CustomerKey> {
        // With room for what is too long by a little, which is no key either.
        let mut room = Zeroizing::new([0; CustomerKey::LENGTH + 3]);
        let key = Base64::decode(value.expose(), &mut *room).ok()?;
        if key.len() != CustomerKey::LENGTH {
            return None;
        }
        let md5 = Base64::encode_string(&Md5::digest(key));
        let mut hash = Sha256Sink::default();
        hash.put(b"s3_sse_c fingerprint\n");
        hash.put(md5.as_bytes());
        let digits = hex(&hash.finish());
        Some(CustomerKey {
            value,
            md5,
            fingerprint: digits.iter().take(32).copied().map(char::from).collect(),
        })
    }

    /// Lists the headers, or fields of a form, with which it is sent.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Header<'_>> {
        self.headers(TARGET_HEADERS)
    }

    fn headers(&self, names: [&'static [u8]; 3]) -> impl Iterator<Item = Header<'_>> {
        let values = [ALGORITHM, self.value.expose(), self.md5.as_bytes()];
        let named = names.into_iter().zip(values);
        named.map(|(name, value)| Header { name, value })
    }

    pub(crate) fn secret(&self) -> &SecretKey {
        &self.value
    }

    pub(crate) fn md5(&self) -> &[u8] {
        self.md5.as_bytes()
    }
}

impl std::fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CustomerKey(redacted)")
    }
}

/// The objects that one key is for: `BUCKET` or `BUCKET/KEY`, in which `*` stands for any characters.
#[derive(Debug)]
pub struct CustomerKeyRule {
    place: BucketPattern,
    key: CustomerKey,
    is_cached: bool,
}

impl CustomerKeyRule {
    /// Whether a text can be the pattern of a rule, and not a key in the wrong place.
    pub fn is_pattern(text: &[u8]) -> bool {
        let is_key = || CustomerKey::parse(SecretKey::new(text.to_vec())).is_some();
        BucketPattern::parse(text).is_some() && !is_key()
    }

    /// Reads the pattern. `is_cached`: a cache may keep objects. `None` if it is no pattern.
    pub fn new(pattern: &[u8], key: CustomerKey, is_cached: bool) -> Option<CustomerKeyRule> {
        Some(CustomerKeyRule {
            place: BucketPattern::parse(pattern)?,
            key,
            is_cached,
        })
    }
}

/// The keys of a location: which objects each is for, by the names that clients have for them.
#[derive(Debug, Default)]
pub struct CustomerKeys {
    /// In the order in which they are tried, the most specific first.
    rules: Vec<CustomerKeyRule>,
}

impl CustomerKeys {
    /// Adds a rule; returns it if there is one with its pattern.
    pub fn push(&mut self, rule: CustomerKeyRule) -> Result<(), CustomerKeyRule> {
        if self.rules.iter().any(|other| other.place == rule.place) {
            return Err(rule);
        }
        let after = |other: &CustomerKeyRule| other.place.precedence() >= rule.place.precedence();
        let at = self.rules.iter().take_while(|other| after(other)).count();
        self.rules.insert(at, rule);
        Ok(())
    }

    /// Whether no object has a key.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &CustomerKey> {
        self.rules.iter().map(|rule| &rule.key)
    }

    /// Finds the rule for an object, whose name is decoded.
    fn find(&self, bucket: &[u8], key: &[u8]) -> Option<&CustomerKeyRule> {
        self.rules.iter().find(|rule| rule.place.fits(bucket, key))
    }

    /// As [`CustomerKeys::find`], of parts of a path as sent.
    fn find_raw(&self, bucket: &[u8], key: &[u8]) -> Option<&CustomerKeyRule> {
        let decoded = |raw: &[u8]| {
            let mut name = Vec::new();
            uri::put_decoded(&mut name, raw, Part::Path);
            name
        };
        self.find(&decoded(bucket), &decoded(key))
    }

    /// Selects the keys that a request lacks.
    pub(crate) fn added_to(&self, request: &KeyedRequest<'_>) -> AddedKeys<'_> {
        let Some(objects) = request.objects() else {
            return AddedKeys::default();
        };
        let find = |bucket, key| self.find_raw(bucket, key).map(|rule| &rule.key);
        let path = request.path;
        let source = (request.source)
            .filter(|_| objects == KeyedObjects::TargetAndSource && !request.own.source)
            .and_then(SourceObject::parse);
        AddedKeys {
            target: match request.own.target {
                true => None,
                false => find(path.raw_bucket(), path.raw_key()),
            },
            source: source.and_then(|source| find(source.bucket, source.key)),
        }
    }

    /// Says what an object's key means for a cache.
    pub(crate) fn caching(&self, path: ResourcePath<'_>) -> CachingWithKey<'_> {
        match self.find_raw(path.raw_bucket(), path.raw_key()) {
            None => CachingWithKey::NoKey,
            Some(rule) if rule.is_cached => CachingWithKey::Keep(&rule.key.fingerprint),
            Some(_) => CachingWithKey::Discard,
        }
    }
}

/// What the key of an object means for a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CachingWithKey<'a> {
    NoKey,
    /// It is kept apart from what other keys give.
    Keep(&'a str),
    Discard,
}

/// A request that may lack keys.
pub(crate) struct KeyedRequest<'a> {
    pub(crate) operation: Operation,
    pub(crate) method: &'a [u8],
    pub(crate) path: ResourcePath<'a>,
    /// What is copied, as a header names it.
    pub(crate) source: Option<&'a [u8]>,
    /// The keys that it has.
    pub(crate) own: OwnKeys,
}

impl KeyedRequest<'_> {
    fn objects(&self) -> Option<KeyedObjects> {
        if self.operation == Operation::Unknown {
            // An origin may take it for one of those below, by what it does not know in it, and then an object would
            // be stored in clear.
            let is_of_data = matches!(self.method, b"GET" | b"HEAD" | b"PUT" | b"POST");
            let is_of_object = is_of_data && !self.path.raw_key().is_empty();
            return is_of_object.then_some(KeyedObjects::TargetAndSource);
        }
        let row = (TAKE_A_KEY.iter()).find(|(operation, _)| *operation == self.operation);
        row.map(|(_, objects)| *objects)
    }
}

/// The keys that are added to a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AddedKeys<'a> {
    target: Option<&'a CustomerKey>,
    source: Option<&'a CustomerKey>,
}

impl<'a> AddedKeys<'a> {
    /// The most headers that there are.
    pub(crate) const MOST_HEADERS: usize = SOURCE_HEADERS.len() + TARGET_HEADERS.len();

    pub(crate) fn is_empty(&self) -> bool {
        self.target.is_none() && self.source.is_none()
    }

    /// Lists the headers with them, sorted.
    pub(crate) fn headers(self) -> impl Iterator<Item = Header<'a>> {
        let of = |key: Option<&'a CustomerKey>, names| {
            key.into_iter().flat_map(move |key| key.headers(names))
        };
        of(self.source, SOURCE_HEADERS).chain(of(self.target, TARGET_HEADERS))
    }

    /// Counts the bytes of the headers' names, each with a separator.
    pub(crate) fn names_length(self) -> usize {
        self.headers().map(|header| header.name.len() + 1).sum()
    }
}
