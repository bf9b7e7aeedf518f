//! How a request says which bucket it is for: in its host or in its path, and below which path its
//! endpoint is.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
use arrayvec::ArrayVec;

use crate::{
    error::Rejection,
    resource::ResourcePath,
    text::uri::{self, Part},
};

/// Where clients reach the server, and how they name buckets there.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Names of the server itself, in lower case. Without `domains`, a host below one of them is rejected: it has
    /// a bucket in front, and its key would be taken for a bucket.
    pub server_names: Vec<Box<[u8]>>,
    /// The only hosts that there are, and what they say of buckets. Without any, buckets are in the path.
    pub domains: Vec<Domain>,
    /// What each path begins with, decoded, as `/s3`; empty if with nothing.
    pub prefix: Box<[u8]>,
}

/// A domain under which clients reach the server, in lower case and without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Domain {
    /// Buckets are in front of it, or in the path.
    Endpoint(Box<[u8]>),
    /// All of the host is for one bucket.
    Bucket { host: Box<[u8]>, bucket: BucketName },
}

/// The name of a bucket that can be part of a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketName(ArrayVec<u8, 63>);

impl BucketName {
    /// Parses a name of at most 63 lower-case letters, digits, inner hyphens and dots (RFC 1123 section
    /// 2.1). `None` if it is another.
    pub fn parse(name: &[u8]) -> Option<BucketName> {
        BucketName::collect(name.iter().copied())
    }

    pub(crate) fn collect(mut name: impl Iterator<Item = u8>) -> Option<BucketName> {
        let mut text = ArrayVec::new();
        name.try_for_each(|byte| text.try_push(byte)).ok()?;
        is_host_name(&text).then_some(BucketName(text))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How one request is addressed.
#[derive(Debug, Clone)]
pub struct Address<'r> {
    /// The bucket in its host.
    bucket: Option<BucketName>,
    /// Of the endpoint.
    prefix: &'r [u8],
}

impl Endpoint {
    /// Reads the host that a client signed.
    ///
    /// # Errors
    /// If it is none of the server's, or has a bucket in front that it may not have.
    pub fn address(&self, host: &[u8]) -> Result<Address<'_>, Rejection> {
        let bucket = match self.domains.is_empty() {
            true if has_bucket(host, &self.server_names) => return Err(Rejection::BucketInHost),
            true => None,
            false => self.bucket_of(host)?,
        };
        Ok(Address {
            bucket,
            prefix: &self.prefix,
        })
    }

    fn bucket_of(&self, host: &[u8]) -> Result<Option<BucketName>, Rejection> {
        let host = name_of(host);
        for domain in &self.domains {
            match domain {
                Domain::Endpoint(name) if host.eq_ignore_ascii_case(name) => return Ok(None),
                Domain::Bucket { host: name, bucket } if host.eq_ignore_ascii_case(name) => {
                    return Ok(Some(bucket.clone()));
                }
                _ => {}
            }
        }
        let under = self.domains.iter().filter_map(|domain| match domain {
            Domain::Endpoint(name) => bucket_under(host, name),
            Domain::Bucket { .. } => None,
        });
        // Under the longest name, if one of them is under another.
        let label = under.min_by_key(|label| label.len());
        let label = label.ok_or(Rejection::UnknownHost)?;
        BucketName::collect(label.iter().map(u8::to_ascii_lowercase))
            .map(Some)
            .ok_or(Rejection::UnknownHost)
    }
}

impl Address<'_> {
    /// The address of a request with its bucket in the path, and nothing before it.
    pub const PATH_STYLE: Address<'static> = Address {
        bucket: None,
        prefix: b"",
    };

    /// Whether all of the path says which bucket and key are meant.
    pub fn is_path_style(&self) -> bool {
        self.bucket.is_none() && self.prefix.is_empty()
    }

    /// Returns bucket and key of a raw path. `None` if it is not below the endpoint's.
    pub fn resource<'a>(&'a self, path: &'a [u8]) -> Option<ResourcePath<'a>> {
        let path = self.strip_prefix(path)?;
        match &self.bucket {
            None => ResourcePath::of(path),
            Some(bucket) => ResourcePath::in_bucket(bucket.as_bytes(), path),
        }
    }

    /// Strips what the endpoint's paths begin with, in any spelling.
    fn strip_prefix<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        if self.prefix.is_empty() {
            return Some(path);
        }
        let mut decoder = uri::decoded(path, Part::Path);
        if !self.prefix.iter().all(|byte| decoder.next() == Some(*byte)) {
            return None;
        }
        match decoder.rest() {
            b"" => Some(b"/"),
            rest => rest.starts_with(b"/").then_some(rest),
        }
    }

    /// Returns the path under which the client finds what is at a path of an origin's, which has the bucket
    /// in front. A bucket alone keeps its name, as it does in S3's answer to CreateBucket.
    pub(crate) fn path_for(&self, path: Vec<u8>) -> Vec<u8> {
        let key = self.bucket.as_ref().and_then(|bucket| {
            let key = path.strip_prefix(b"/")?.strip_prefix(bucket.as_bytes())?;
            key.strip_prefix(b"/").filter(|key| !key.is_empty())
        });
        let mut whole = Vec::with_capacity(self.prefix.len() + path.len());
        uri::put_encoded(&mut whole, self.prefix, Part::Path);
        match key {
            Some(key) => {
                whole.push(b'/');
                whole.extend_from_slice(key);
            }
            None => whole.extend_from_slice(&path),
        }
        whole
    }

    /// Returns the bucket in the host.
    pub(crate) fn bucket(&self) -> Option<&BucketName> {
        self.bucket.as_ref()
    }
}

/// Whether a host seems to begin with the name of a bucket. `endpoints` are names of the server itself,
/// in lower case.
fn has_bucket(host: &[u8], endpoints: &[Box<[u8]>]) -> bool {
    let host = name_of(host);
    if endpoints.iter().any(|name| host.eq_ignore_ascii_case(name)) {
        return false;
    }
    let is_under = |name: &[u8]| bucket_under(host, name).is_some();
    endpoints.iter().any(|name| is_under(name)) || is_under_s3(host)
}

/// Returns what stands in front of a name, less its dot; `None` if the host is not below it.
fn bucket_under<'h>(host: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let (front, tail) = host.split_at_checked(host.len().checked_sub(name.len())?)?;
    let front = front.strip_suffix(b".")?;
    tail.eq_ignore_ascii_case(name).then_some(front)
}

/// Whether a host is like `bucket.s3.example.com`: most endpoints begin with `s3`. One with such a name
/// in the middle has to be a name of the server.
fn is_under_s3(host: &[u8]) -> bool {
    // As most hosts have none: that is seen at once.
    memchr::memchr(b'3', host).is_some() && has_s3_label(host)
}

/// Whether a label but the first is `s3`, or begins with `s3-`.
fn has_s3_label(host: &[u8]) -> bool {
    let is_s3 = |label: &[u8]| {
        label.split_first_chunk::<2>().is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(b"s3") && matches!(rest, [] | [b'-', ..])
        })
    };
    let mut labels = host.split(|byte| *byte == b'.').peekable();
    if labels.next().is_none_or(is_s3) {
        return false;
    }
    while let Some(label) = labels.next() {
        // A service in a namespace of Kubernetes is `NAME.NAMESPACE`, perhaps with `.svc`.
        if let Some(next) = labels.peek()
            && is_s3(label)
            && !next.eq_ignore_ascii_case(b"svc")
        {
            return true;
        }
    }
    false
}

/// Returns the name in `HOST` or `HOST:PORT`, less a dot at its end.
fn name_of(host: &[u8]) -> &[u8] {
    let host = without_port(host);
    host.strip_suffix(b".").unwrap_or(host)
}

/// Whether labels are of lower-case letters, digits and inner hyphens (RFC 1123 section 2.1).
fn is_host_name(name: &[u8]) -> bool {
    name.split(|&byte| byte == b'.').all(|label| {
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        !label.is_empty()
            && label.iter().all(inner)
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
    })
}

/// Returns the host of `HOST` or `HOST:PORT`.
fn without_port(host: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', host).and_then(|at| host.split_at_checked(at)) {
        Some((name, [_, port @ ..])) if port.iter().all(u8::is_ascii_digit) => name,
        _ => host,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ties::each_text;

    #[test]
    fn a_host_without_a_3_has_no_label_with_one() {
        each_text(b"sS3.-vc", 6, &mut |host| {
            assert_eq!(
                is_under_s3(host),
                has_s3_label(host),
                "{}",
                host.escape_ascii()
            );
        });
    }

    fn domain(name: &[u8]) -> Domain {
        Domain::Endpoint(name.into())
    }

    /// Where the bucket of a host is found, with these domains.
    #[test]
    fn domains() {
        let endpoint = Endpoint {
            server_names: vec![b"eu.s3.example.com".as_slice().into()],
            domains: vec![
                domain(b"s3.example.com"),
                domain(b"eu.s3.example.com"),
                domain(b"localhost"),
                Domain::Bucket {
                    host: b"media.example.com".as_slice().into(),
                    bucket: BucketName::parse(b"media-files").unwrap(),
                },
                Domain::Bucket {
                    host: b"www.s3.example.com".as_slice().into(),
                    bucket: BucketName::parse(b"site").unwrap(),
                },
            ],
            prefix: Box::default(),
        };
        let long = "b".repeat(63) + ".s3.example.com";
        let longer = "b".repeat(64) + ".s3.example.com";
        for (host, expected) in [
            ("s3.example.com", Ok(None)),
            ("S3.Example.com.:8443", Ok(None)),
            ("localhost:8080", Ok(None)),
            ("b.s3.example.com", Ok(Some("b"))),
            ("b.s3.example.com:8080", Ok(Some("b"))),
            ("b.s3.example.com.", Ok(Some("b"))),
            ("B.S3.EXAMPLE.COM", Ok(Some("b"))),
            ("a.b-c.s3.example.com", Ok(Some("a.b-c"))),
            ("b.eu.s3.example.com", Ok(Some("b"))),
            ("eu.s3.example.com", Ok(None)),
            ("b.localhost", Ok(Some("b"))),
            (&long, Ok(Some(&long[..63]))),
            ("media.example.com", Ok(Some("media-files"))),
            ("Media.example.com.:443", Ok(Some("media-files"))),
            ("www.s3.example.com", Ok(Some("site"))),
            ("b.media.example.com", Err(Rejection::UnknownHost)),
            ("example.com", Err(Rejection::UnknownHost)),
            ("s3.example.com.example.org", Err(Rejection::UnknownHost)),
            ("xs3.example.com", Err(Rejection::UnknownHost)),
            (".s3.example.com", Err(Rejection::UnknownHost)),
            ("..s3.example.com", Err(Rejection::UnknownHost)),
            ("a..b.s3.example.com", Err(Rejection::UnknownHost)),
            ("a_b.s3.example.com", Err(Rejection::UnknownHost)),
            ("-b.s3.example.com", Err(Rejection::UnknownHost)),
            ("a/b.s3.example.com", Err(Rejection::UnknownHost)),
            ("%62.s3.example.com", Err(Rejection::UnknownHost)),
            ("s3.example.com..", Err(Rejection::UnknownHost)),
            ("10.0.0.1", Err(Rejection::UnknownHost)),
            ("", Err(Rejection::UnknownHost)),
            (&longer, Err(Rejection::UnknownHost)),
        ] {
            let address = endpoint.address(host.as_bytes());
            let bucket = address.as_ref().map(|address| {
                address
                    .bucket()
                    .map(|bucket| std::str::from_utf8(bucket.as_bytes()).unwrap())
            });
            assert_eq!(bucket, expected.as_ref().copied(), "{host}");
        }
    }

    /// What is left of a path, and what it names, in each way to address it.
    #[test]
    fn resources() {
        let bucket = || BucketName::parse(b"b");
        for (bucket, prefix, path, expected) in [
            (None, "", "/b/k", Some(("b", "k"))),
            (None, "", "b/k", None),
            (bucket(), "", "/", Some(("b", ""))),
            (bucket(), "", "/k/l", Some(("b", "k/l"))),
            (bucket(), "", "//k", Some(("b", "/k"))),
            (bucket(), "", "/b/k", Some(("b", "b/k"))),
            (bucket(), "", "", None),
            (None, "/s3", "/s3/b/k", Some(("b", "k"))),
            (None, "/s3", "/s3/b//k/../l", Some(("b", "/k/../l"))),
            (None, "/s3", "/s3", Some(("", ""))),
            (None, "/s3", "/s3/", Some(("", ""))),
            (None, "/s3", "/%733/b", Some(("b", ""))),
            (None, "/s3", "/s3//b/k", Some(("", "b/k"))),
            (None, "/s3", "/s3b/k", None),
            (None, "/s3", "/s3%2Fb/k", None),
            (None, "/s3", "/S3/b/k", None),
            (None, "/s3", "/x/../s3/b/k", None),
            (None, "/s3", "//s3/b/k", None),
            (None, "/s3", "/s", None),
            (None, "/s3", "/b/k", None),
            (None, "/a/s3", "/a%2Fs3/b/k", Some(("b", "k"))),
            (bucket(), "/s3", "/s3/k", Some(("b", "k"))),
            (bucket(), "/s3", "/s3", Some(("b", ""))),
        ] {
            let address = Address {
                bucket: bucket.clone(),
                prefix: prefix.as_bytes(),
            };
            let resource = address.resource(path.as_bytes());
            let found = resource.map(|found| (found.raw_bucket(), found.raw_key()));
            let expected = expected.map(|(b, k)| (b.as_bytes(), k.as_bytes()));
            assert_eq!(found, expected, "{bucket:?} {prefix} {path}");
        }
    }

    /// What an origin calls `/b/k` in the client's words.
    #[test]
    fn paths_for_clients() {
        let bucket = || BucketName::parse(b"b");
        for (bucket, prefix, path, expected) in [
            (None, "", "/b/k", "/b/k"),
            (bucket(), "", "/b/k?a", "/k?a"),
            (bucket(), "", "/b//k", "//k"),
            (bucket(), "", "/b", "/b"),
            (bucket(), "", "/b/", "/b/"),
            (bucket(), "", "/bc/k", "/bc/k"),
            (None, "/s3", "/b/k", "/s3/b/k"),
            (bucket(), "/s3", "/b/k", "/s3/k"),
        ] {
            let address = Address {
                bucket: bucket.clone(),
                prefix: prefix.as_bytes(),
            };
            let path_for = address.path_for(path.into());
            assert_eq!(path_for, expected.as_bytes(), "{bucket:?} {prefix} {path}");
        }
    }

    #[test]
    fn hosts() {
        let endpoints: [Box<[u8]>; 2] = [
            b"storage.example.com".as_slice().into(),
            b"eu.s3.example.org".as_slice().into(),
        ];
        for (host, expected) in [
            ("storage.example.com", false),
            ("Storage.Example.COM.:8443", false),
            ("bucket.storage.example.com", true),
            ("a.b.Storage.example.com:80", true),
            ("xstorage.example.com", false),
            ("s3.mydomain.com", false),
            ("bucket.s3.mydomain.com", true),
            ("bucket.S3.mydomain.com:9000", true),
            ("bucket.s3-eu-west-1.example.net", true),
            ("s3-eu-west-1.example.net", false),
            ("eu.s3.example.org", false),
            ("bucket.eu.s3.example.org", true),
            ("proxy.s3", false),
            ("proxy.s3.svc", false),
            ("proxy.s3.svc.cluster.local", false),
            ("media.example.com", false),
            ("localhost:8080", false),
            ("127.0.0.1:8080", false),
            ("[::1]:8080", false),
            ("", false),
        ] {
            assert_eq!(has_bucket(host.as_bytes(), &endpoints), expected, "{host}");
        }
    }
}
