//! The names of buckets in what goes out: in its path or its host, in the source of a copy, and in the query of a
//! list of buckets.
use arrayvec::ArrayVec;

use crate::{
    address::{Address, BucketName},
    bucket_map::MappedName,
    error::Unsignable,
    grant::names_source,
    header_fate::BodyHeaders,
    operation::Operation,
    origin::{Addressing, Origin},
    request::Header,
    resource::SourceObject,
    sse_c::AddedKeys,
    text::{
        query::ReplacedValue,
        sink::Sink,
        uri::{self, Part},
    },
    verified::Verified,
    wire::WireHead,
};

/// Whose names a request has for buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketNames {
    /// Those of clients, which are mapped.
    Clients,
    /// The origin's own.
    Origins,
}

/// Where a request goes, from which kind of address.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    pub(super) origin: &'a Origin,
    address: &'a Address<'a>,
    /// What its query has there in the place of an id that was sealed.
    pub(super) replaced: Option<ReplacedValue<'a>>,
    /// Buckets are listed whose region is another one to the client.
    drops_region: bool,
    /// The keys with which its objects are encrypted.
    pub(super) added_keys: AddedKeys<'a>,
    /// `None` if the origin has the same names as its clients.
    names: Option<NamesToMap<'a>>,
}

/// What of the clients' names goes out in another way.
#[derive(Clone, Copy)]
struct NamesToMap<'a> {
    /// Names that no bucket may get at the beginning of a path.
    reserved: &'a [Box<[u8]>],
    /// It is a list of buckets.
    is_bucket_list: bool,
}

/// Where the names of buckets go.
#[derive(Default)]
pub(super) struct PlacedNames<'a> {
    path: OutgoingPath<'a>,
    bucket: PlacedBucket,
    source: Option<MappedSource<'a>>,
    /// The `prefix` is one of clients' names.
    drops_prefix: bool,
    /// The `bucket-region` is that of clients.
    drops_region: bool,
}

/// What path goes out.
#[derive(Default)]
enum OutgoingPath<'a> {
    /// The one on the wire.
    #[default]
    AsSent,
    /// One of these, raw, where the client or the origin has its bucket in another place.
    Of {
        /// Empty if it is in the host.
        bucket: &'a [u8],
        key: &'a [u8],
    },
    /// The origin's name of the bucket, and this raw key.
    Mapped { key: &'a [u8] },
}

/// The bucket, where it is not what is on the wire.
#[derive(Default)]
enum PlacedBucket {
    #[default]
    AsSent,
    /// The origin's name of it.
    InPath(MappedName),
    /// The host with the bucket in front, where the origin wants it there.
    InHost(ArrayVec<u8, 320>),
}

/// The source of a copy, by the origin's name of its bucket.
struct MappedSource<'a> {
    name: &'a [u8],
    value: Vec<u8>,
}

impl<'a> Destination<'a> {
    /// Returns the way of a request with clients' names.
    pub(super) fn of(
        verified: &'a Verified<'_>,
        origin: &'a Origin,
        replaced: Option<ReplacedValue<'a>>,
    ) -> Destination<'a> {
        Destination {
            origin,
            address: verified.address(),
            replaced,
            drops_region: verified.operation() == Operation::ListBuckets
                && verified.told_region().is_some(),
            added_keys: AddedKeys::default(),
            names: (!origin.buckets.is_empty()).then(|| NamesToMap {
                reserved: &verified.request.rules.reserved,
                is_bucket_list: verified.operation() == Operation::ListBuckets,
            }),
        }
    }

    /// Returns the way of a request of the proxy's own.
    pub(super) fn of_own(names: BucketNames, origin: &'a Origin) -> Destination<'a> {
        let is_mapped = names == BucketNames::Clients && !origin.buckets.is_empty();
        Destination {
            origin,
            address: &Address::PATH_STYLE,
            replaced: None,
            drops_region: false,
            added_keys: AddedKeys::default(),
            names: is_mapped.then_some(NamesToMap {
                reserved: &[],
                is_bucket_list: false,
            }),
        }
    }

    /// Returns the origin's name of a form's bucket; `None` if it is the client's.
    pub(super) fn form_bucket(&self, bucket: &str) -> Result<Option<MappedName>, Unsignable> {
        let Some(names) = self.names else {
            return Ok(None);
        };
        let name = (self.origin).decoded_bucket_name(bucket.as_bytes(), names.reserved);
        name.map(Some).ok_or(Unsignable::NoSuchBucket)
    }

    /// Checks that a request names no bucket but where its names are mapped.
    ///
    /// # Errors
    /// If it may name others.
    pub(super) fn check_mappable(
        &self,
        verified: &Verified<'_>,
        head: &WireHead<'_, '_>,
        operation: Operation,
    ) -> Result<(), Unsignable> {
        if self.names.is_none() {
            return Ok(());
        }
        let path = self.address.resource(head.path);
        let path = path.ok_or(Unsignable::Target)?;
        let has_source = head.source().is_some();
        if !verified.is_mappable(operation, head.method, path, has_source, self.origin) {
            return Err(Unsignable::NamesNotMapped);
        }
        let sources = head.to_sign(BodyHeaders::Untouched.into());
        let sources = sources.filter(|header| names_source(header.name));
        // Another one than S3's own goes to a server of another kind, which has buckets too.
        match sources.count() == usize::from(operation.has_source()) {
            true => Ok(()),
            false => Err(Unsignable::Source),
        }
    }
}

impl<'a> PlacedNames<'a> {
    /// Moves the bucket from where the client has it to where the origin wants it, and maps all names.
    #[inline(always)]
    pub(super) fn place(
        &mut self,
        head: &'a WireHead<'a, 'a>,
        to: &Destination<'a>,
    ) -> Result<(), Unsignable> {
        let Destination {
            origin,
            address,
            names,
            drops_region,
            ..
        } = *to;
        self.drops_region = drops_region;
        if names.is_none() && origin.addressing == Addressing::Path && address.is_path_style() {
            return Ok(());
        }
        self.place_bucket(head, address, origin, names)?;
        match names {
            Some(names) => self.map_others(head, origin, names),
            None => Ok(()),
        }
    }

    fn place_bucket(
        &mut self,
        head: &'a WireHead<'a, 'a>,
        address: &'a Address<'a>,
        origin: &Origin,
        names: Option<NamesToMap<'_>>,
    ) -> Result<(), Unsignable> {
        let path = address.resource(head.path).ok_or(Unsignable::Target)?;
        let (bucket, key) = (path.raw_bucket(), path.raw_key());
        if bucket.is_empty() && !key.is_empty() {
            return Err(Unsignable::Bucket);
        }
        self.path = OutgoingPath::Of { bucket, key };
        if bucket.is_empty() {
            return Ok(());
        }
        let mapped = match names {
            Some(names) => {
                let name = origin.bucket_name(bucket, names.reserved);
                Some(name.ok_or(Unsignable::NoSuchBucket)?)
            }
            None => None,
        };
        match (origin.addressing, mapped) {
            (Addressing::Path, None) => {}
            (Addressing::Path, Some(name)) => {
                self.path = OutgoingPath::Mapped { key };
                self.bucket = PlacedBucket::InPath(name);
            }
            (Addressing::Virtual, mapped) => {
                let name = match mapped {
                    Some(name) => BucketName::parse(name.as_bytes()),
                    None => BucketName::collect(uri::decoded(bucket, Part::Path)),
                };
                let name = name.ok_or(Unsignable::Bucket)?;
                let mut host = ArrayVec::new();
                for part in [name.as_bytes(), b".", &origin.host] {
                    host.try_extend_from_slice(part)
                        .map_err(|_| Unsignable::Bucket)?;
                }
                self.path = OutgoingPath::Of { bucket: b"", key };
                self.bucket = PlacedBucket::InHost(host);
            }
        }
        Ok(())
    }

    fn map_others(
        &mut self,
        head: &'a WireHead<'a, 'a>,
        origin: &Origin,
        names: NamesToMap<'_>,
    ) -> Result<(), Unsignable> {
        self.drops_prefix = names.is_bucket_list;
        if let Some(Header { name, value }) = head.source() {
            let source = SourceObject::parse(value).ok_or(Unsignable::Source)?;
            let bucket = origin.bucket_name(source.bucket, names.reserved);
            let bucket = bucket.ok_or(Unsignable::NoSuchBucket)?;
            let value = source.in_bucket(bucket.as_bytes());
            self.source = Some(MappedSource { name, value });
        }
        Ok(())
    }

    /// Counts the bytes by which the path that goes out may be longer than the one on the wire.
    pub(super) fn max_len(&self) -> usize {
        match (&self.path, &self.bucket) {
            (OutgoingPath::AsSent, _) => 0,
            (OutgoingPath::Of { bucket, .. }, _) => bucket.len() + 2,
            (OutgoingPath::Mapped { .. }, PlacedBucket::InPath(name)) => name.as_bytes().len() + 2,
            (OutgoingPath::Mapped { .. }, _) => 2,
        }
    }

    /// Puts the canonical path.
    pub(super) fn put_path(&self, sink: &mut impl Sink, head: &WireHead<'_, '_>) {
        let canonical = head.canonical_path;
        let (bucket, key) = match (&self.path, &self.bucket) {
            (OutgoingPath::AsSent, _) => return uri::put_path(sink, head.path, canonical),
            (OutgoingPath::Of { bucket, key }, _) => (*bucket, *key),
            // It has no byte that would be encoded.
            (OutgoingPath::Mapped { key }, PlacedBucket::InPath(name)) => (name.as_bytes(), *key),
            (OutgoingPath::Mapped { key }, _) => (b"".as_slice(), *key),
        };
        sink.put(b"/");
        uri::put_path(sink, bucket, canonical);
        if !bucket.is_empty() && !key.is_empty() {
            sink.put(b"/");
        }
        uri::put_path(sink, key, canonical);
    }

    pub(super) fn host<'h>(&'h self, origin: &'h Origin) -> &'h [u8] {
        match &self.bucket {
            PlacedBucket::InHost(host) => host,
            PlacedBucket::AsSent | PlacedBucket::InPath(_) => &origin.host,
        }
    }

    /// Returns the source of a copy, where it is another one than on the wire.
    pub(super) fn source(&self) -> Option<Header<'_>> {
        let source = self.source.as_ref()?;
        Some(Header {
            name: source.name,
            value: &source.value,
        })
    }

    /// Returns the names of the parameters that do not go out.
    pub(super) fn dropped(&self) -> &'static [&'static [u8]] {
        match (self.drops_prefix, self.drops_region) {
            (false, false) => &[],
            (true, false) => &[b"prefix"],
            (false, true) => &[b"bucket-region"],
            (true, true) => &[b"prefix", b"bucket-region"],
        }
    }
}
