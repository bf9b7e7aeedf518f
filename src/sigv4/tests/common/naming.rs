//! What origins call buckets, by hand: what goes out to one that has other names must be what came but for these.
use sigv4::{Addressing, BucketMap, BucketRule, Origin, Unsignable, Verified};

use super::reading::{Asked, is_bucket_name};

/// What an origin calls its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// As clients do.
    Same,
    /// With something in front.
    Prefixed,
    /// It has only some, one of which it may not have.
    Some,
}

/// A name that stands for no bucket.
pub const RESERVED: &str = "minio";

/// Those whose bodies or answers name buckets, by AWS's description of them.
const NAMING: [&str; 20] = [
    "CreateBucketMetadataConfiguration",
    "CreateBucketMetadataTableConfiguration",
    "GetBucketAnalyticsConfiguration",
    "GetBucketInventoryConfiguration",
    "GetBucketLogging",
    "GetBucketMetadataConfiguration",
    "GetBucketMetadataTableConfiguration",
    "GetBucketPolicy",
    "GetBucketReplication",
    "GetObjectTorrent",
    "ListBucketAnalyticsConfigurations",
    "ListBucketInventoryConfigurations",
    "ListDirectoryBuckets",
    "PutBucketAnalyticsConfiguration",
    "PutBucketInventoryConfiguration",
    "PutBucketLogging",
    "PutBucketPolicy",
    "PutBucketReplication",
    "RestoreObject",
    "WriteGetObjectResponse",
];

impl Naming {
    pub const ALL: [Naming; 3] = [Naming::Same, Naming::Prefixed, Naming::Some];

    pub fn map(self) -> BucketMap {
        let rules: &[(&str, &str)] = match self {
            Naming::Same => &[],
            Naming::Prefixed => &[("*", "acme-*")],
            Naming::Some => &[("media", "b"), ("logs-*", "*.web"), ("bb", RESERVED)],
        };
        let mut map = BucketMap::default();
        for (client, origin) in rules {
            let rule = BucketRule::parse(client.as_bytes(), origin.as_bytes()).unwrap();
            map.push(rule).unwrap();
        }
        map
    }

    /// The name at the origin.
    pub fn name(self, client: &[u8], addressing: Addressing) -> Option<Vec<u8>> {
        let client = std::str::from_utf8(client).ok()?;
        let name = match self {
            Naming::Same => return Some(client.into()),
            Naming::Prefixed => format!("acme-{client}"),
            Naming::Some if client == "media" => "b".into(),
            Naming::Some if client == "bb" && addressing == Addressing::Virtual => RESERVED.into(),
            Naming::Some => format!("{}.web", client.strip_prefix("logs-")?),
        };
        let is_label = !name.contains(|c: char| c.is_uppercase() || c == '_');
        let fits = addressing == Addressing::Path || is_label;
        (fits && is_bucket_name(name.as_bytes())).then(|| name.into_bytes())
    }

    /// Puts the clients' names into what has gone out.
    pub fn undo(self, sent: &mut Asked) {
        if self != Naming::Prefixed {
            return;
        }
        let sources = sent.sources.iter_mut().map(|(bucket, _)| bucket);
        for bucket in sources.chain([&mut sent.bucket]) {
            if !bucket.is_empty() {
                *bucket = bucket.strip_prefix(b"acme-").unwrap().to_vec();
            }
        }
    }

    /// What goes out where this came.
    pub fn goes(self, came: &Asked, addressing: Addressing) -> Result<Asked, Unsignable> {
        let mut goes = came.clone();
        if self == Naming::Same {
            return Ok(goes);
        }
        let is_plain_get = came.is_object()
            && came.sources.is_empty()
            && [b"GET".as_slice(), b"HEAD"].contains(&came.method.as_slice());
        if NAMING.contains(&came.operation) || came.operation == "Unknown" && !is_plain_get {
            return Err(Unsignable::NamesNotMapped);
        }
        if came.has_foreign_source {
            return Err(Unsignable::Source);
        }
        let name = |name: &[u8]| self.name(name, addressing).ok_or(Unsignable::NoSuchBucket);
        if !came.bucket.is_empty() {
            goes.bucket = name(&came.bucket)?;
        }
        if !came.is_source_clear {
            return Err(Unsignable::Source);
        }
        for (bucket, _) in &mut goes.sources {
            *bucket = name(bucket)?;
        }
        if came.operation == "ListBuckets" {
            goes.parameters.retain(|(name, _)| name != b"prefix");
            goes.prefix = None;
        }
        Ok(goes)
    }
}

/// Checks what is said of a request before it is signed.
pub fn check(verified: &Verified<'_>, came: &Asked, naming: Naming, origin: &Origin) {
    let wanted = naming.goes(came, origin.addressing);
    let has = |name: &[u8]| naming.name(name, origin.addressing).is_some();
    let mut sources = came.sources.iter();
    let has_all = (came.bucket.is_empty() || has(&came.bucket))
        && came.is_source_clear
        && sources.all(|(bucket, _)| has(bucket));
    assert_eq!(
        verified.maps_at(origin),
        naming == Naming::Same || has_all,
        "{naming:?} {came:?}"
    );
    // It has not seen all headers.
    if !came.has_foreign_source {
        let checked = verified.check_buckets(std::iter::once(origin));
        assert_eq!(checked.is_ok(), wanted.is_ok(), "{naming:?} {came:?}");
    }
    let is_list = came.operation == "ListBuckets";
    let prefix = came.prefix.clone().filter(|_| is_list);
    assert_eq!(verified.listed_prefix(), prefix, "{came:?}");
}
