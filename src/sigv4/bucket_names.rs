//! What the buckets of a request are called at an origin, and which requests may go to one that has other names
//! than its clients: those whose names are all where they can be mapped.
use arrayvec::ArrayVec;

use crate::{
    address::BucketName,
    bucket_map::MappedName,
    error::{Rejection, Unsignable},
    operation::Operation,
    origin::{Addressing, Origin},
    parameter::{ParameterName, S3Parameter},
    proof::Proof,
    resource::{ResourcePath, SourceObject},
    text::query::{Parameters, Query},
    text::uri::{self, Part},
    verified::Verified,
};

impl Origin {
    /// Returns what it calls a client's bucket, a raw part of a path; `None` if it has no such bucket.
    pub(crate) fn bucket_name(&self, raw: &[u8], reserved: &[Box<[u8]>]) -> Option<MappedName> {
        let mut client = ArrayVec::<u8, { MappedName::LONGEST }>::new();
        for byte in uri::decoded(raw, Part::Path) {
            client.try_push(byte).ok()?;
        }
        self.decoded_bucket_name(&client, reserved)
    }

    /// As [`Origin::bucket_name`], of a name that is decoded. At the beginning of a path, a reserved name is that
    /// of no bucket.
    pub(crate) fn decoded_bucket_name(
        &self,
        client: &[u8],
        reserved: &[Box<[u8]>],
    ) -> Option<MappedName> {
        let name = self.buckets.origin_name(client)?;
        let is_possible = match self.addressing {
            Addressing::Path => !reserved.iter().any(|other| **other == *name.as_bytes()),
            Addressing::Virtual => BucketName::parse(name.as_bytes()).is_some(),
        };
        is_possible.then_some(name)
    }
}

impl Verified<'_> {
    /// Checks a request that may go to any of these origins.
    ///
    /// # Errors
    /// If none of them has its buckets, or if it may name buckets where names are not mapped.
    pub fn check_buckets<'o>(
        &self,
        origins: impl Iterator<Item = &'o Origin> + Clone,
    ) -> Result<(), Rejection> {
        let mut mapped = origins.clone().filter(|origin| !origin.buckets.is_empty());
        if mapped.clone().next().is_none() {
            return Ok(());
        }
        let request = &self.request;
        let path = self.address().resource(request.target.path);
        let path = path.ok_or(Rejection::InvalidUri)?;
        if !mapped.all(|origin| {
            let has_source = request.source.is_some();
            self.is_mappable(request.operation, request.method, path, has_source, origin)
        }) {
            return Err(Rejection::NamesNotMapped);
        }
        if (request.source).is_some_and(|source| SourceObject::parse(source).is_none()) {
            return Err(Rejection::InvalidSource);
        }
        if origins.clone().any(|origin| self.maps_at(origin)) {
            return Ok(());
        }
        let has = |origin: &Origin, bucket: &[u8]| {
            let name = origin.bucket_name(bucket, &request.rules.reserved);
            name.is_some()
        };
        Err(self.no_such_bucket(|bucket| origins.clone().any(|origin| has(origin, bucket))))
    }

    /// Returns how a request is rejected that could not be signed for an origin because of the names in it; `None`
    /// if that was no fault of theirs.
    pub fn unmapped(&self, why: Unsignable, origin: &Origin) -> Option<Rejection> {
        let reserved = &self.request.rules.reserved;
        let is_there = |bucket: &[u8]| origin.bucket_name(bucket, reserved).is_some();
        match why {
            Unsignable::NoSuchBucket => Some(self.no_such_bucket(is_there)),
            Unsignable::NamesNotMapped => Some(Rejection::NamesNotMapped),
            Unsignable::Source => Some(Rejection::InvalidSource),
            _ => None,
        }
    }

    /// Names the bucket that is missing: that of the source, if the other one is there.
    fn no_such_bucket(&self, is_there: impl Fn(&[u8]) -> bool) -> Rejection {
        let path = self.address().resource(self.request.target.path);
        let bucket = path.map_or(b"".as_slice(), |path| path.raw_bucket());
        let source = self.request.source.and_then(SourceObject::parse);
        let missing = match source {
            Some(source) if is_there(bucket) => source.bucket,
            _ => bucket,
        };
        let mut name = Vec::new();
        uri::put_decoded(&mut name, missing, Part::Path);
        Rejection::NoSuchBucket(String::from_utf8_lossy(&name).into())
    }

    /// Whether an origin has all buckets that the request names: it may go nowhere else.
    pub fn maps_at(&self, origin: &Origin) -> bool {
        if origin.buckets.is_empty() {
            return true;
        }
        let reserved = &self.request.rules.reserved;
        let has = |raw: &[u8]| origin.bucket_name(raw, reserved).is_some();
        let path = self.address().resource(self.request.target.path);
        path.is_some_and(|path| path.raw_bucket().is_empty() || has(path.raw_bucket()))
            && self.request.source.is_none_or(|source| {
                SourceObject::parse(source).is_some_and(|source| has(source.bucket))
            })
    }

    /// Returns what the names of listed buckets must begin with, decoded: by the client's names. An origin that
    /// has other names is not told. `None` unless it is a list of buckets with a `prefix`.
    pub fn listed_prefix(&self) -> Option<Vec<u8>> {
        self.listed_by(S3Parameter::Prefix)
    }

    /// Whether it is a list of the buckets in another region than the one that clients are told. Origins, which are
    /// in regions of their own, are not told of either.
    pub fn lists_another_region(&self) -> bool {
        self.told_region().is_some_and(|told| {
            let asked = self.listed_by(S3Parameter::BucketRegion);
            asked.is_some_and(|asked| !asked.is_empty() && asked != told.as_bytes())
        })
    }

    /// Returns a parameter of a list of buckets, decoded.
    fn listed_by(&self, parameter: S3Parameter) -> Option<Vec<u8>> {
        if self.request.operation != Operation::ListBuckets {
            return None;
        }
        let mut room = Parameters::new();
        let query = Query::parse_others(self.request.target.query, &mut room).ok()?;
        let is_it = |name: &[u8]| ParameterName::of(name) == ParameterName::Known(parameter);
        let (_, value) = query.others().find(|(name, _)| is_it(name))?;
        let mut text = Vec::new();
        uri::put_decoded(&mut text, value.unwrap_or_default(), Part::Query);
        Some(text)
    }

    /// Whether the names in such a request, and in its answer, are all where they can be mapped for an origin.
    pub(crate) fn is_mappable(
        &self,
        operation: Operation,
        method: &[u8],
        path: ResourcePath<'_>,
        has_source: bool,
        origin: &Origin,
    ) -> bool {
        match operation {
            // Its bucket would not be the one that is mapped.
            _ if !path.stays_on_windows() => false,
            _ if matches!(self.proof, Proof::Preflight(_)) => !has_source,
            // Objects are read with parameters of any kind; what else there is may name buckets anywhere.
            Operation::Unknown => {
                matches!(method, b"GET" | b"HEAD") && !path.raw_key().is_empty() && !has_source
            }
            operation => !operation.names_buckets() || !origin.buckets.changes_names(),
        }
    }
}
