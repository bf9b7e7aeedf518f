//! Where clients have the bucket, and at which server.
use sigv4::{BucketName, Domain, Endpoint};

use super::asking::{Asking, Dice};

/// Where a client has the bucket, and what its paths begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientAddressing {
    /// In the path, as of old.
    Path,
    /// In the path, at a server that knows buckets in hosts.
    PathInDomain,
    /// In front of the domain.
    Domain,
    /// It has a domain of its own.
    OwnDomain,
    Prefix,
    DomainAndPrefix,
}

const DOMAIN: &str = "s3.mydomain.com";
const OWN_DOMAIN: &str = "files.example.org";
const PREFIX: &str = "/s3/v.1";

impl ClientAddressing {
    /// One that a bucket's name can have.
    pub fn roll(dice: &mut Dice<'_>, bucket: &str) -> ClientAddressing {
        let addressing = dice.pick(&[
            ClientAddressing::Path,
            ClientAddressing::PathInDomain,
            ClientAddressing::Domain,
            ClientAddressing::OwnDomain,
            ClientAddressing::Prefix,
            ClientAddressing::DomainAndPrefix,
        ]);
        let is_byte =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        match addressing {
            addressing if !bucket.is_empty() && bucket.bytes().all(is_byte) => addressing,
            ClientAddressing::Domain | ClientAddressing::OwnDomain => {
                ClientAddressing::PathInDomain
            }
            ClientAddressing::DomainAndPrefix => ClientAddressing::Prefix,
            addressing => addressing,
        }
    }
}

impl Asking {
    /// Moves the bucket from the path to where the client has it; `way` is how the host is spelled.
    pub fn address(mut self, way: usize) -> Asking {
        use ClientAddressing as Way;
        let host = match self.addressing {
            Way::Path | Way::PathInDomain | Way::Prefix => DOMAIN.to_owned(),
            Way::Domain | Way::DomainAndPrefix => format!("{}.{DOMAIN}", self.bucket),
            Way::OwnDomain => OWN_DOMAIN.to_owned(),
        };
        let host = match way {
            1 => host.to_uppercase(),
            2 => format!("{host}:8443"),
            3 => format!("{host}."),
            _ => host,
        };
        if self.addressing != Way::Path {
            self.sample.headers[0].1 = host;
        }
        if matches!(
            self.addressing,
            Way::Domain | Way::OwnDomain | Way::DomainAndPrefix
        ) {
            self.sample.bucket_in_host = self.bucket.clone();
            let path = self.sample.path[1..].to_owned();
            let slash = [("/", 1), ("%2F", 3), ("%2f", 3)];
            let slash = slash
                .iter()
                .filter_map(|(text, length)| Some((path.find(text)?, *length)));
            let key = slash.min().map_or("", |(at, length)| &path[at + length..]);
            self.sample.path = format!("/{key}");
        }
        if matches!(self.addressing, Way::Prefix | Way::DomainAndPrefix) {
            let prefix = [PREFIX, "/%733/v%2e1", "/s3%2Fv.1"][way % 3];
            self.sample.path = format!("{prefix}{}", self.sample.path);
        }
        self
    }

    pub fn in_path_style(&self) -> Asking {
        Asking {
            addressing: ClientAddressing::Path,
            sample: self.path_style.clone(),
            ..self.clone()
        }
    }

    /// The server that it is for.
    pub fn endpoint(&self) -> Endpoint {
        use ClientAddressing as Way;
        let mut endpoint = Endpoint::default();
        if matches!(
            self.addressing,
            Way::PathInDomain | Way::Domain | Way::OwnDomain | Way::DomainAndPrefix
        ) {
            endpoint
                .domains
                .push(Domain::Endpoint(DOMAIN.as_bytes().into()));
            endpoint
                .domains
                .extend(BucketName::parse(self.bucket.as_bytes()).map(|bucket| {
                    let host = OWN_DOMAIN.as_bytes().into();
                    Domain::Bucket { host, bucket }
                }));
        }
        if matches!(self.addressing, Way::Prefix | Way::DomainAndPrefix) {
            endpoint.prefix = PREFIX.as_bytes().into();
        }
        endpoint
    }
}
