//! The `Location` of an answer: no client is sent to the origin itself, where its credentials are
//! unknown, and none is told the origin's name.
use percent_encoding::percent_decode;

use super::{
    host::{Host, Reference, domain},
    names::ClientNames,
};
use crate::address::Address;

/// What the head of an answer says of where to go on.
#[derive(Debug, Clone, Copy)]
pub struct AnswerHead<'a> {
    /// How the client has addressed its request.
    pub address: &'a Address<'a>,
    pub status: u16,
    pub location: Option<&'a [u8]>,
    /// There is another `Location`.
    pub has_more_locations: bool,
    pub names: &'a ClientNames,
    /// The client's bucket, raw, if the origin was asked for it in its host.
    pub bucket_in_host: Option<&'a [u8]>,
    /// The URL of what a form has made.
    pub url_of_new: Option<&'a str>,
}

/// What becomes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// It goes without its `Location`.
    RemoveLocation,
    /// It goes with this `Location`: what is new, at the client's own endpoint.
    Relocate(Vec<u8>),
    Reject(WhyRejected),
}

/// Why an answer is none that the client could use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyRejected {
    /// The head of no answer, or of one that is still to come.
    NoAnswer,
    /// A switch to another protocol: nothing of what follows would be verified or signed.
    OtherProtocol,
    /// A redirect to the origin's own domain: the wrong region or endpoint.
    ToOrigin,
    /// A redirect without a `Location`, as S3 answers for a bucket of another region.
    NoLocation,
    /// A redirect with two of them, or with one that two readers could read differently.
    UnclearLocation,
}

impl std::fmt::Display for WhyRejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            WhyRejected::NoAnswer => "without a status of an answer",
            WhyRejected::OtherProtocol => "with a switch to another protocol",
            WhyRejected::ToOrigin => "with a redirect to its own domain",
            WhyRejected::NoLocation => "with a redirect without a \"Location\"",
            WhyRejected::UnclearLocation => "with a redirect that is not clear",
        })
    }
}

/// Decides on an answer by its head; `hosts` are all hosts, with their ports, that the origins are known by.
pub fn judge<'h>(head: &AnswerHead<'_>, hosts: impl Iterator<Item = &'h [u8]> + Clone) -> Verdict {
    match head.status {
        101 => return Verdict::Reject(WhyRejected::OtherProtocol),
        ..200 => return Verdict::Reject(WhyRejected::NoAnswer),
        _ => {}
    }
    let Some(location) = head.location else {
        return match head.status {
            301..=303 | 307 | 308 => Verdict::Reject(WhyRejected::NoLocation),
            _ => Verdict::Pass,
        };
    };
    if let (200..300, Some(url)) = (head.status, head.url_of_new) {
        return Verdict::Relocate(url.into());
    }
    if head.has_more_locations {
        return head.unclear();
    }
    let (host, path) = match Reference::parse(location) {
        Reference::Path => return head.pass_path(location),
        Reference::Unreadable => return head.unclear(),
        Reference::Elsewhere(host, path) => (host, path),
    };
    let mut origins = hosts.filter_map(Host::of_origin);
    let mut near = origins.clone().filter(|origin| host.is_near(origin));
    match near.next() {
        None => Verdict::Pass,
        Some(_) if head.is_redirect() => Verdict::Reject(WhyRejected::ToOrigin),
        Some(_) if head.status >= 300 => Verdict::RemoveLocation,
        Some(_) => {
            let bucket = origins.find_map(|origin| host.bucket_at(&origin));
            head.relocate(bucket.unwrap_or_default(), &path)
        }
    }
}

impl AnswerHead<'_> {
    /// Clients follow the first five of these; the others are obsolete, or a choice.
    fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308 | 300 | 305 | 306)
    }

    /// Decides on a location that could lead anywhere.
    fn unclear(&self) -> Verdict {
        match self.is_redirect() {
            true => Verdict::Reject(WhyRejected::UnclearLocation),
            false => Verdict::RemoveLocation,
        }
    }

    /// Passes a path of what is new, or of where to go on, as one of the client's endpoint.
    fn pass_path(&self, location: &[u8]) -> Verdict {
        let is_new = (200..300).contains(&self.status);
        if !location.starts_with(b"/") || !(is_new || self.is_redirect()) {
            return Verdict::Pass;
        }
        match self.bucket_in_host {
            // A new bucket is told with its name all the same.
            Some(bucket) if !is_new => self.place([b"/", bucket, location].concat()),
            _ if self.address.is_path_style() && self.names.is_empty() => Verdict::Pass,
            _ => self.relocate(b"", location),
        }
    }

    /// Returns the path of a bucket or an object at the client's endpoint.
    fn relocate(&self, bucket: &[u8], path: &[u8]) -> Verdict {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let separator: &[u8] = if bucket.is_empty() { b"" } else { b"/" };
        let path = [b"/", bucket, separator, path].concat();
        let path = match str::from_utf8(&path) {
            Ok(text) => self.names.in_path(text).into_owned().into(),
            Err(_) => path,
        };
        self.place(path)
    }

    /// Returns a path with the client's name of the bucket in front as one of its endpoint.
    fn place(&self, path: Vec<u8>) -> Verdict {
        let location = self.address.path_for(path);
        match Reference::parse(&location) {
            Reference::Path => Verdict::Relocate(location),
            // With an empty first segment it would name a host.
            Reference::Elsewhere(..) | Reference::Unreadable => self.unclear(),
        }
    }
}

/// Whether a value that may hold a URL anywhere (`Refresh`, `Link`, ...) has the domain of an origin in it.
pub fn mentions_origin<'h>(value: &[u8], hosts: impl Iterator<Item = &'h [u8]>) -> bool {
    let text: Vec<u8> = percent_decode(value)
        .filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'))
        .map(|byte| byte.to_ascii_lowercase())
        .collect();
    hosts.filter_map(Host::of_origin).any(|host| match host {
        Host::Address(address) => {
            memchr::memmem::find(&text, address.to_string().as_bytes()).is_some()
        }
        Host::Name(name) => memchr::memmem::find(&text, domain(&name)).is_some(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{BucketRule, Credential, Domain, Endpoint, Origin, SecretKey};
    use Verdict::{Pass, Reject, RemoveLocation};

    const HOSTS: [&[u8]; 2] = [b"s3.us-west-2.example.com:9000", b"10.0.0.5:9000"];
    const TO_ORIGIN: Verdict = Reject(WhyRejected::ToOrigin);
    const UNCLEAR: Verdict = Reject(WhyRejected::UnclearLocation);

    fn at(status: u16, location: Option<&[u8]>) -> Verdict {
        let head = AnswerHead {
            address: &Address::PATH_STYLE,
            status,
            location,
            has_more_locations: false,
            names: &ClientNames::default(),
            bucket_in_host: None,
            url_of_new: None,
        };
        judge(&head, HOSTS.into_iter())
    }

    const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

    #[test]
    fn statuses() {
        for status in (0..200).filter(|status| *status != 101) {
            assert_eq!(at(status, None), Reject(WhyRejected::NoAnswer), "{status}");
        }
        assert_eq!(at(101, None), Reject(WhyRejected::OtherProtocol));
        assert_eq!(at(101, Some(b"/")), Reject(WhyRejected::OtherProtocol));
        for status in 200..1000 {
            let expected = match REDIRECTS.contains(&status) {
                true => Reject(WhyRejected::NoLocation),
                false => Pass,
            };
            assert_eq!(at(status, None), expected, "{status}");
        }
    }

    #[test]
    fn locations_of_redirects() {
        for (location, expected) in [
            ("", Pass),
            ("/other/key", Pass),
            ("other?a", Pass),
            ("https://www.example.org/page", Pass),
            ("//www.example.org/page", Pass),
            (
                "https://www.example.org/?from=s3.us-west-2.example.com",
                Pass,
            ),
            ("https://example.com.example.org/", Pass),
            ("http://10.0.0.6:9000/", Pass),
            ("http://s3.us-west-2.example.com/b/k", TO_ORIGIN),
            ("http://s3.us-west-2.example.com:9000/b/k", TO_ORIGIN),
            ("http://b.s3.us-west-2.example.com/k", TO_ORIGIN),
            ("https://s3.eu-west-1.example.com/b/k", TO_ORIGIN),
            ("HTTP://S3.US-WEST-2.EXAMPLE.COM/b/k", TO_ORIGIN),
            ("http://user:pass@s3.us-west-2.example.com/b/k", TO_ORIGIN),
            ("http://s3.us-west-2.example.com./b/k", TO_ORIGIN),
            (" \thttp://s3.us-west-2.example.com/b/k", TO_ORIGIN),
            ("http:\\\\s3.us-west-2.example.com\\b", TO_ORIGIN),
            ("\\\\s3.us-west-2.example.com\\b", TO_ORIGIN),
            ("/\\s3.us-west-2.example.com/b", TO_ORIGIN),
            ("//s3.us-west-2.example.com/b", TO_ORIGIN),
            ("http:s3.us-west-2.example.com/b", TO_ORIGIN),
            ("http://10.0.0.5/b", TO_ORIGIN),
            ("http://[::ffff:10.0.0.5]/b", TO_ORIGIN),
            ("http://10.0.5/b", UNCLEAR),
            ("http://\u{ff53}3.us-west-2.example.com/", UNCLEAR),
        ] {
            for status in REDIRECTS.into_iter().chain([300, 305, 306]) {
                let verdict = at(status, Some(location.as_bytes()));
                assert_eq!(verdict, expected, "{status} {location:?}");
            }
        }
    }

    #[test]
    fn locations_of_what_is_new() {
        let relocate = |to: &str| Verdict::Relocate(to.into());
        for (location, expected) in [
            ("/b", Pass),
            ("https://www.example.org/b/k", Pass),
            (
                "http://s3.us-west-2.example.com:9000/b/k?a",
                relocate("/b/k?a"),
            ),
            ("http://s3.us-west-2.example.com/b//k", relocate("/b//k")),
            ("HTTP://B.S3.us-west-2.example.com/k", relocate("/b/k")),
            ("http://b.s3.us-west-2.example.com", relocate("/b/")),
            ("http://b.c.s3.us-west-2.example.com/k", relocate("/b.c/k")),
            ("http://s3.eu-west-1.example.com/b/k", relocate("/b/k")),
            ("http://10.0.0.5:9000/b/k", relocate("/b/k")),
            ("http://10.0.0.5:9000//www.example.org/", RemoveLocation),
            ("http://10.0.0.5:9000/\\www.example.org/", RemoveLocation),
            ("http://10.0.0.5:9000\\\\www.example.org/", RemoveLocation),
            ("http://10.0.5:9000/b", RemoveLocation),
        ] {
            for status in [200, 201, 202, 204] {
                let verdict = at(status, Some(location.as_bytes()));
                assert_eq!(verdict, expected, "{status} {location:?}");
            }
        }
    }

    /// A bucket that the origin calls `acme-b`, and what a form has made.
    #[test]
    fn locations_in_the_clients_words() {
        let secret = SecretKey::new(b"secret".into());
        let mut origin = Origin::new(
            Credential::new(b"AKID", secret),
            b"s3.us-west-2.example.com",
        );
        let rule = BucketRule::parse(b"b", b"acme-b").unwrap();
        origin.buckets.push(rule).unwrap();
        let mut names = ClientNames::default();
        names.add(b"b", &origin);
        for (status, url_of_new, location, expected) in [
            (200, None, "/acme-b", "/b"),
            (200, None, "/acme-b/acme-b", "/b/acme-b"),
            (200, None, "http://acme-b.s3.us-west-2.example.com/", "/b/"),
            (307, None, "/acme-b/k?a", "/b/k?a"),
            (302, None, "/other/k", "/other/k"),
            (
                201,
                Some("https://h/b/k"),
                "http://10.0.0.5/acme-b/k",
                "https://h/b/k",
            ),
            (204, Some("https://h/b/k"), "/acme-b/k", "https://h/b/k"),
            (204, Some("https://h/b/k"), "http://other/", "https://h/b/k"),
        ] {
            let head = AnswerHead {
                address: &Address::PATH_STYLE,
                status,
                location: Some(location.as_bytes()),
                has_more_locations: false,
                names: &names,
                bucket_in_host: None,
                url_of_new,
            };
            let verdict = judge(&head, HOSTS.into_iter());
            assert_eq!(
                verdict,
                Verdict::Relocate(expected.into()),
                "{status} {location}"
            );
        }
    }

    /// A path at the origin is one below the client's endpoint, wherever either has the bucket.
    #[test]
    fn paths_to_go_on_at() {
        let endpoint = Endpoint {
            domains: vec![Domain::Endpoint(b"s3.mydomain.com".as_slice().into())],
            prefix: b"/s3".as_slice().into(),
            ..Endpoint::default()
        };
        for (host, bucket_in_host, location, expected) in [
            ("s3.mydomain.com", None, "/b/k", Some("/s3/b/k")),
            ("s3.mydomain.com", Some("b"), "/k", Some("/s3/b/k")),
            ("b.s3.mydomain.com", None, "/b/k", Some("/s3/k")),
            ("b.s3.mydomain.com", Some("b"), "/b/k", Some("/s3/b/k")),
            ("b.s3.mydomain.com", Some("b"), "/", Some("/s3/b/")),
            ("b.s3.mydomain.com", Some("b"), "k", None),
        ] {
            let address = endpoint.address(host.as_bytes()).unwrap();
            for status in REDIRECTS {
                let head = AnswerHead {
                    address: &address,
                    status,
                    location: Some(location.as_bytes()),
                    has_more_locations: false,
                    names: &ClientNames::default(),
                    bucket_in_host: bucket_in_host.map(str::as_bytes),
                    url_of_new: None,
                };
                let expected = expected.map_or(Pass, |path| Verdict::Relocate(path.into()));
                let verdict = judge(&head, HOSTS.into_iter());
                assert_eq!(
                    verdict, expected,
                    "{status} {host} {bucket_in_host:?} {location}"
                );
            }
        }
    }

    #[test]
    fn locations_of_errors() {
        for status in [304, 400, 404, 500, 503] {
            assert_eq!(at(status, Some(b"/b")), Pass, "{status}");
            assert_eq!(
                at(status, Some(b"http://10.0.0.5/")),
                RemoveLocation,
                "{status}"
            );
            assert_eq!(
                at(status, Some(b"http://10.5/")),
                RemoveLocation,
                "{status}"
            );
        }
    }

    #[test]
    fn two_locations() {
        for (status, expected) in [(200, RemoveLocation), (307, UNCLEAR), (404, RemoveLocation)] {
            let head = AnswerHead {
                address: &Address::PATH_STYLE,
                status,
                location: Some(b"/"),
                has_more_locations: true,
                names: &ClientNames::default(),
                bucket_in_host: None,
                url_of_new: None,
            };
            assert_eq!(judge(&head, HOSTS.into_iter()), expected, "{status}");
        }
    }

    #[test]
    fn values_with_urls() {
        for (value, expected) in [
            ("0; url=https://www.example.org/", false),
            ("5", false),
            ("0; url=HTTP://S3.eu-west-1.EXAMPLE.com/", true),
            ("</b>; rel=next, <http://10.0.0.5:9000/b>; rel=x", true),
            ("0;url='http://s3.us%2dwest-2.exa\tmple.com'", true),
        ] {
            let found = mentions_origin(value.as_bytes(), HOSTS.into_iter());
            assert_eq!(found, expected, "{value}");
        }
    }
}
