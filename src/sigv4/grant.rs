//! What an authenticated client may do.
mod scope;
mod size;

use std::sync::Arc;

use arrayvec::ArrayVec;

use self::scope::GrantText;
pub use self::scope::Scope;
pub(crate) use self::size::heap;
use crate::{
    headers::steers_server,
    operation::{GrantClass, Operation, OperationSet},
    parameter::AmzHeader,
    request::Header,
    resource::{SourceObject, has_parent_segment, is_bucket_byte},
    s3_request::S3Request,
    text::query::Query,
    text::token::dashed,
    text::uri::{self, Part},
};

/// What a client may do: which operations, and where. Copies share their memory.
#[derive(Debug, Clone)]
pub struct Grant {
    operations: OperationSet,
    /// It may do anything anywhere, but for operations that have to be named.
    is_unconfined: bool,
    /// Where; anywhere if empty.
    places: Arc<[BucketPattern]>,
    /// Grants that it stays within: what one of them does not permit, it does not permit either.
    outer: Vec<Arc<Grant>>,
    /// What it was read from, without `outer`.
    text: GrantText,
}

impl Default for Grant {
    fn default() -> Grant {
        Grant::new(&Allow::ALL, Vec::new())
    }
}

/// What of a grant cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantFault<'a> {
    /// This is neither a class nor the name of an operation.
    Allow(&'a [u8]),
    /// This is no pattern of a bucket, or of keys in one.
    Place(&'a [u8]),
}

impl Grant {
    /// Reads `allow=` and `buckets=`; an absent one is no limit.
    ///
    /// # Errors
    /// With the first word that cannot be read.
    pub fn parse<'a>(
        allow: Option<&'a [u8]>,
        buckets: Option<&'a [u8]>,
    ) -> Result<Grant, GrantFault<'a>> {
        let text = GrantText::of(&Scope { allow, buckets });
        let allow = allow.map_or(Ok(Allow::ALL), Allow::parse)?;
        let places = buckets.map_or(Ok(Vec::new()), |list| {
            let places = list.split(|byte| *byte == b',');
            places
                .map(|place| BucketPattern::parse(place).ok_or(GrantFault::Place(place)))
                .collect()
        })?;
        Ok(Grant {
            text,
            ..Grant::new(&allow, places)
        })
    }

    fn new(allow: &Allow, places: Vec<BucketPattern>) -> Grant {
        let is_confined = !places.is_empty();
        let mut operations = OperationSet::default();
        let all = Operation::ALL.iter().copied().chain([Operation::Unknown]);
        all.filter(|operation| allow.includes(*operation, is_confined))
            .for_each(|operation| operations.insert(operation));
        Grant {
            operations,
            is_unconfined: allow.all && !is_confined,
            places: places.into(),
            outer: Vec::new(),
            text: GrantText::default(),
        }
    }

    /// Narrows it to what another one permits too. Each question is asked of both, so it is never wider than
    /// either, whatever their words mean together.
    #[must_use]
    pub fn within(mut self, outer: Arc<Grant>) -> Grant {
        self.outer.push(outer);
        self
    }

    /// Whether a request may be made. `headers` are all that it has, and `query` may hold more.
    pub(crate) fn permits<'h>(
        &self,
        request: &S3Request<'_>,
        query: &Query<'_, '_>,
        headers: impl Iterator<Item = Header<'h>> + Clone,
    ) -> bool {
        let operation = request.operation();
        let mut outer = self.outer.iter();
        outer.all(|outer| outer.permits(request, query, headers.clone()))
            && self.operations.contains(operation)
            && (self.is_unconfined
                || self.permits_headers(operation, query, headers)
                    && self.permits_place(request, request.path.raw_key()))
    }

    /// Whether a form may store its file as `key`, which is percent-encoded.
    pub(crate) fn permits_form(
        &self,
        request: &S3Request<'_>,
        key: &[u8],
        fields: &[Header<'_>],
    ) -> bool {
        let headers = fields.iter().map(|field| match field.name {
            // A form's field has the header's meaning under another name.
            name if name.eq_ignore_ascii_case(b"acl") => Header {
                name: b"x-amz-acl",
                value: field.value,
            },
            _ => *field,
        });
        let mut outer = self.outer.iter();
        outer.all(|outer| outer.permits_form(request, key, fields))
            && self.operations.contains(request.operation())
            && (self.is_unconfined
                || self.permits_headers(request.operation(), &Query::NONE, headers)
                    && self.permits_place(request, key))
    }

    /// Whether the client may see that there is a bucket with this name.
    pub fn shows_bucket(&self, name: &[u8]) -> bool {
        let is_shown = |place: &BucketPattern| place.is_in_bucket(name);
        self.outer.iter().all(|outer| outer.shows_bucket(name))
            && (self.places.is_empty() || self.places.iter().any(is_shown))
    }

    /// Whether it permits what hands out credentials.
    pub fn gives_credentials(&self) -> bool {
        self.outer.iter().all(|outer| outer.gives_credentials())
            && self.operations.contains(Operation::CreateSession)
    }

    pub(crate) fn is_confined_to_buckets(&self) -> bool {
        !self.places.is_empty()
            || self
                .outer
                .iter()
                .any(|outer| outer.is_confined_to_buckets())
    }

    /// Whether S3's own headers are permitted, wherever they stand. An unknown one could name another object,
    /// or give it away.
    fn permits_headers<'h>(
        &self,
        operation: Operation,
        query: &Query<'_, '_>,
        mut headers: impl Iterator<Item = Header<'h>>,
    ) -> bool {
        let in_query = query
            .others()
            .all(|(name, value)| self.permits_parameter(operation, name, value));
        in_query
            && headers.all(|header| match AmzHeader::named(header.name) {
                Some(AmzHeader::Source) => self.permits_source(header.value),
                Some(AmzHeader::CannedAcl) => {
                    is_private(header.value.iter().copied()) || self.permits_acl(operation)
                }
                Some(AmzHeader::AclGrant) => self.permits_acl(operation),
                Some(AmzHeader::CustomerKey | AmzHeader::Other) => true,
                None => !steers_server(header.name) && !names_source(header.name),
            })
    }

    /// Whether a query parameter is permitted: some servers take headers out of the query.
    fn permits_parameter(&self, operation: Operation, name: &[u8], value: Option<&[u8]>) -> bool {
        let mut decoded = ArrayVec::<u8, 96>::new();
        if uri::decoded(name, Part::Query)
            .try_for_each(|byte| decoded.try_push(byte))
            .is_err()
        {
            return false;
        }
        match AmzHeader::named(&decoded) {
            Some(AmzHeader::Source) => false,
            Some(AmzHeader::CannedAcl) => {
                is_private(uri::decoded(value.unwrap_or_default(), Part::Query))
                    || self.permits_acl(operation)
            }
            Some(AmzHeader::AclGrant) => self.permits_acl(operation),
            Some(AmzHeader::CustomerKey | AmzHeader::Other) => true,
            None => !steers_server(&decoded) && !names_source(&decoded),
        }
    }

    /// Whether an access control list is permitted: with a new object or bucket it is as good as one put
    /// later.
    fn permits_acl(&self, operation: Operation) -> bool {
        let needed = match operation {
            Operation::CreateBucket => Operation::PutBucketAcl,
            operation if operation == Operation::PutBucketAcl => operation,
            _ => Operation::PutObjectAcl,
        };
        self.places.is_empty() || self.operations.contains(needed)
    }

    fn permits_source(&self, source: &[u8]) -> bool {
        SourceObject::parse(source).is_some_and(|source| {
            self.permits_path(source.bucket, |place| place.has_key(source.key))
        })
    }

    /// Whether a bucket and a key are permitted. `key` is from the request or its form, percent-encoded.
    fn permits_place(&self, request: &S3Request<'_>, key: &[u8]) -> bool {
        let operation = request.operation();
        if self.places.is_empty() || operation == Operation::ListBuckets {
            return true;
        }
        request.path.stays_on_windows()
            && self.permits_path(request.path.raw_bucket(), |place| match operation {
                Operation::Unknown => place.is_whole_bucket(),
                // What clients ask before they ask anything.
                Operation::HeadBucket
                | Operation::GetBucketLocation
                | Operation::GetBucketVersioning => true,
                operation if operation.lists_keys() => {
                    place.has_all_keys(request.prefix.unwrap_or_default())
                }
                operation if operation.is_of_object() || operation == Operation::PostObject => {
                    place.has_key(key)
                }
                _ => place.is_whole_bucket(),
            })
    }

    fn permits_path(&self, raw_bucket: &[u8], has: impl Fn(&BucketPattern) -> bool) -> bool {
        if self.places.is_empty() {
            return true;
        }
        // Bucket names have at most 63 bytes, old ones 255.
        let mut name = ArrayVec::<u8, 255>::new();
        uri::decoded(raw_bucket, Part::Path)
            .try_for_each(|byte| name.try_push(byte))
            .is_ok()
            && !name.is_empty()
            && name.iter().copied().all(is_bucket_byte)
            && self
                .places
                .iter()
                .any(|place| place.is_in_bucket(&name) && has(place))
    }
}

/// `allow=`: classes, and operations by name.
#[derive(Debug, Clone, Default)]
struct Allow {
    all: bool,
    read: bool,
    write: bool,
    list: bool,
    delete: bool,
    /// Names, in which `*` stands for any run of characters.
    names: Vec<Box<[u8]>>,
}

impl Allow {
    const ALL: Allow = Allow {
        all: true,
        read: false,
        write: false,
        list: false,
        delete: false,
        names: Vec::new(),
    };

    fn parse(list: &[u8]) -> Result<Allow, GrantFault<'_>> {
        let mut allow = Allow::default();
        for word in list.split(|byte| *byte == b',') {
            match word {
                b"all" => allow.all = true,
                b"read" => allow.read = true,
                b"write" => allow.write = true,
                b"list" => allow.list = true,
                b"delete" => allow.delete = true,
                name => {
                    let is_named = |operation: &Operation| {
                        operation
                            .names()
                            .any(|known| is_match(name, known.as_bytes()))
                    };
                    if !Operation::ALL.iter().any(is_named) {
                        return Err(GrantFault::Allow(word));
                    }
                    allow.names.push(name.into());
                }
            }
        }
        Ok(allow)
    }

    /// Whether an operation is included. `is_confined`: to buckets.
    fn includes(&self, operation: Operation, is_confined: bool) -> bool {
        let class = operation.class();
        // What can reach beyond a bucket has to be named in full.
        let is_special =
            class == GrantClass::Credentials || class == GrantClass::Elsewhere && is_confined;
        let is_named = operation.names().any(|known| {
            let known = known.as_bytes();
            let is_it = |name: &[u8]| match is_special {
                true => name == known,
                false => is_match(name, known),
            };
            operation != Operation::Unknown && self.names.iter().any(|name| is_it(name))
        });
        let in_class = match class {
            GrantClass::Read => self.read,
            GrantClass::List => self.read || self.list,
            GrantClass::Write => self.write,
            GrantClass::Delete => self.write || self.delete,
            GrantClass::Copy => self.read && self.write,
            GrantClass::Configure => self.write && !is_confined,
            GrantClass::Unconfigure => (self.write || self.delete) && !is_confined,
            GrantClass::Elsewhere => self.write,
            GrantClass::Credentials | GrantClass::Other => false,
        };
        is_named || !is_special && (self.all || in_class)
    }
}

/// One pattern of `buckets=`: `BUCKET` or `BUCKET/KEY`, in which `*` stands for any run of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BucketPattern {
    bucket: Box<[u8]>,
    /// `None`: all of the bucket.
    key: Option<Box<[u8]>>,
}

impl BucketPattern {
    pub(crate) fn parse(pattern: &[u8]) -> Option<BucketPattern> {
        let slash = memchr::memchr(b'/', pattern);
        let (bucket, key) = pattern.split_at(slash.unwrap_or(pattern.len()));
        let key = key.get(1..);
        let valid = bucket
            .iter()
            .all(|&byte| byte == b'*' || is_bucket_byte(byte));
        (valid && !bucket.is_empty() && key != Some(b"")).then(|| BucketPattern {
            bucket: bucket.into(),
            key: key.map(Into::into),
        })
    }

    /// Whether an object of this decoded name is here. Unlike for a grant, a `..` in a key is only a part of its name.
    pub(crate) fn fits(&self, bucket: &[u8], key: &[u8]) -> bool {
        let mut keys = self.key.iter();
        is_match(&self.bucket, bucket) && keys.all(|pattern| is_match(pattern, key))
    }

    /// How specific it is. A whole name precedes all patterns, and a pattern those with fewer characters; in the same
    /// bucket, keys precede the bucket itself.
    pub(crate) fn precedence(&self) -> (usize, bool, usize) {
        let of = |pattern: &[u8]| {
            let stars = pattern.iter().filter(|byte| **byte == b'*').count();
            match stars {
                0 => usize::MAX,
                stars => pattern.len() - stars,
            }
        };
        let key = self.key.as_deref();
        (of(&self.bucket), key.is_some(), key.map_or(0, of))
    }

    fn is_in_bucket(&self, name: &[u8]) -> bool {
        is_match(&self.bucket, name)
    }

    fn is_whole_bucket(&self) -> bool {
        self.key.is_none()
    }

    /// Whether a percent-encoded key is here.
    fn has_key(&self, raw: &[u8]) -> bool {
        let Some(pattern) = &self.key else {
            return true;
        };
        // A server that resolves a key like a file's name would find another one.
        !has_parent_segment(raw)
            && decode_key(raw, Part::Path).is_some_and(|key| is_match(pattern, &key))
    }

    /// Whether all keys that begin with a percent-encoded prefix are here.
    fn has_all_keys(&self, prefix: &[u8]) -> bool {
        let Some(pattern) = &self.key else {
            return true;
        };
        pattern.ends_with(b"*")
            && !has_parent_segment(prefix)
            && decode_key(prefix, Part::Query).is_some_and(|prefix| is_match(pattern, &prefix))
    }
}

/// Decodes a key. `None` if it is longer than any key.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
fn decode_key(raw: &[u8], part: Part) -> Option<ArrayVec<u8, 1024>> {
    let mut key = ArrayVec::new();
    uri::decoded(raw, part)
        .try_for_each(|byte| key.try_push(byte))
        .ok()?;
    Some(key)
}

/// Whether a text is what a pattern says, in which `*` stands for any run of bytes. Finds the pieces
/// between them from left to right, each as early as can be: no piece is looked for twice.
pub fn is_match(pattern: &[u8], text: &[u8]) -> bool {
    let mut pieces = pattern.split(|&byte| byte == b'*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
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

/// Whether a canned access control list gives nobody access who would not have it without.
fn is_private(canned: impl Iterator<Item = u8> + Clone) -> bool {
    let names: [&[u8]; 3] = [
        b"private",
        b"bucket-owner-read",
        b"bucket-owner-full-control",
    ];
    names
        .iter()
        .any(|name| canned.clone().eq(name.iter().copied()))
}

/// Whether a header names an object to read from or to move, to a server of another kind than S3, or in a
/// spelling that only some servers read.
pub(crate) fn names_source(name: &[u8]) -> bool {
    const ENDS: [&[u8]; 3] = [b"-copy-source", b"-rename-source", b"-move-source"];
    let is_end = |end: &&[u8]| {
        let start = name.len().checked_sub(end.len());
        let tail = start
            .and_then(|start| name.get(start..))
            .unwrap_or_default();
        tail.iter().copied().map(dashed).eq(end.iter().copied())
    };
    ENDS.iter().any(is_end)
}
