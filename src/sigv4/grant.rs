//! What a client may do once it is known who it is.
use arrayvec::ArrayVec;

use crate::{
    error::Rejection,
    keys::Credential,
    operation::{ResourcePath, classify},
    query::Query,
    request::{Field, Fields, Request},
    uri::{self, Part},
};

/// A client of the proxy.
#[derive(Debug)]
pub struct Client {
    pub credential: Credential,
    pub grant: Grant,
}

/// Where client credentials are looked up.
pub trait Clients {
    fn find(&self, access_key: &[u8]) -> Option<&Client>;
}

/// Whom a request says that it is from. One from nobody costs what any other costs, and is told so
/// only when its signature has been computed.
pub(crate) struct Claimant<'c>(Option<&'c Client>);

impl<'c> Claimant<'c> {
    pub(crate) fn find(clients: &'c impl Clients, access_key: &[u8]) -> Claimant<'c> {
        Claimant(clients.find(access_key))
    }

    /// What to compute the signature with.
    pub(crate) fn credential(&self) -> &'c Credential {
        self.0
            .map_or(Credential::nobody(), |client| &client.credential)
    }

    /// The client, where the signature is its own.
    pub(crate) fn admit(self, matches: bool) -> Result<&'c Client, Rejection> {
        let client = self.0.ok_or(Rejection::InvalidAccessKeyId)?;
        match matches {
            true => Ok(client),
            false => Err(Rejection::SignatureDoesNotMatch),
        }
    }
}

/// The kinds of requests that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allow {
    /// GET, HEAD, and queries on an object (SelectObjectContent).
    Read,
    /// PUT, POST and DELETE, but no copying, which reads.
    Write,
    #[default]
    All,
}

/// What a client may do.
#[derive(Debug, Default)]
pub struct Grant {
    pub allow: Allow,
    /// The buckets it may name; all where empty.
    pub buckets: Vec<BucketPattern>,
}

impl Grant {
    pub(crate) fn permits(
        &self,
        request: &Request<'_, '_>,
        query: &Query<'_, '_>,
        fields: &Fields<'_>,
    ) -> bool {
        if self.allow == Allow::All && self.buckets.is_empty() {
            return true;
        }
        // Some servers take headers out of the query; what cannot be checked is refused.
        if query.others().any(|(name, _)| is_source(name)) {
            return false;
        }
        let copies = request
            .headers
            .iter()
            .filter(|header| is_source(header.name));
        let copy_permitted = copies
            .clone()
            .all(|header| self.permits_source(header.value));
        let bucket = ResourcePath::of(request.path).map(|path| path.raw_bucket());
        let copy = fields.value(Field::CopySource).is_some();
        self.permits_method(request.method, classify(request, query, copy).name())
            && copy_permitted
            && (self.buckets.is_empty() || bucket.is_some_and(|raw| self.permits_bucket(raw)))
    }

    fn permits_method(&self, method: &[u8], operation: &str) -> bool {
        let reads = matches!(method, b"GET" | b"HEAD") || operation == "SelectObjectContent";
        match self.allow {
            Allow::Read => reads,
            Allow::Write => !reads && matches!(method, b"PUT" | b"POST" | b"DELETE"),
            Allow::All => true,
        }
    }

    /// `x-amz-copy-source`: `[/]bucket/key[?versionId=...]`, percent-encoded.
    fn permits_source(&self, source: &[u8]) -> bool {
        let mut decoder = uri::decoded(source, Part::Path);
        let mut ahead = decoder.clone();
        if ahead.next() == Some(b'/') {
            decoder = ahead;
        }
        let start = decoder.rest();
        let length = loop {
            let rest = decoder.rest();
            match decoder.next() {
                Some(b'/') => break start.len() - rest.len(),
                Some(byte) if is_bucket_byte(byte) => {}
                _ => return false,
            }
        };
        let bucket = start.get(..length).unwrap_or_default();
        self.allow == Allow::All
            && !bucket.is_empty()
            && !decoder.rest().is_empty()
            && (self.buckets.is_empty() || self.permits_bucket(bucket))
    }

    fn permits_bucket(&self, raw: &[u8]) -> bool {
        // Bucket names have at most 63 bytes, old ones 255.
        let mut name = ArrayVec::<u8, 255>::new();
        uri::decoded(raw, Part::Path)
            .try_for_each(|byte| name.try_push(byte))
            .is_ok()
            && !name.is_empty()
            && self.buckets.iter().any(|pattern| pattern.matches(&name))
    }
}

/// A header that names an object to read from or to move.
pub(crate) fn is_source(name: &[u8]) -> bool {
    let mut spelled = ArrayVec::<u8, 32>::new();
    let fits = uri::decoded(name, Part::Query)
        .map(|byte| {
            if byte == b'_' {
                b'-'
            } else {
                byte.to_ascii_lowercase()
            }
        })
        .try_for_each(|byte| spelled.try_push(byte));
    fits.is_ok()
        && matches!(
            spelled.as_slice(),
            b"x-amz-copy-source" | b"x-amz-rename-source"
        )
}

/// A bucket name, in which `*` stands for any run of bytes.
#[derive(Debug)]
pub struct BucketPattern(Box<[u8]>);

impl BucketPattern {
    /// `None` where it is empty or holds a byte that no bucket name has.
    pub fn parse(pattern: &[u8]) -> Option<BucketPattern> {
        let valid = pattern
            .iter()
            .all(|&byte| byte == b'*' || is_bucket_byte(byte));
        (valid && !pattern.is_empty()).then(|| BucketPattern(pattern.into()))
    }

    /// Finds the pieces between the `*` from left to right, each as early as can be: no piece is
    /// looked for twice.
    fn matches(&self, name: &[u8]) -> bool {
        let mut pieces = self.0.split(|&byte| byte == b'*');
        let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        for piece in pieces {
            match memchr::memmem::find(rest, piece).and_then(|at| rest.get(at + piece.len()..)) {
                Some(tail) => rest = tail,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

fn is_bucket_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}
