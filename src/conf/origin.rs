//! An origin, as a line and a server make it.

use std::cell::RefCell;

use directives::{BucketMapLine, ServerLine, bucket_map_of};
use metrics::OriginName;
use ngx_safe::level::without_port;
use sigv4::{Addressing, Credential, LastingName, SecretKey};

use crate::origin_keys::{ProvidedOrigin, Providers};

/// An origin with the name that users know it by.
pub(crate) struct NamedOrigin {
    /// The text of its `server` line, or of the host in `proxy_pass`.
    pub(crate) server: Box<[u8]>,
    /// Its number in `Origins`.
    pub(crate) id: usize,
    /// Without keys if they change.
    pub(crate) origin: sigv4::Origin,
    /// Where its keys are, if they change.
    pub(crate) provided: Option<ProvidedOrigin>,
}

fn without_default_port(server: &[u8]) -> &[u8] {
    server
        .strip_suffix(b":443")
        .or_else(|| server.strip_suffix(b":80"))
        .unwrap_or(server)
}

impl NamedOrigin {
    /// Returns the origin of a server, by the line that is for it, with the names that these maps give to buckets.
    pub(super) fn new<'l>(
        line: ServerLine<'_>,
        maps: impl Iterator<Item = &'l BucketMapLine>,
        server: &[u8],
        id: usize,
        (providers, seal_key): (&Providers, Option<&SecretKey>),
    ) -> Result<NamedOrigin, String> {
        let host = match line.host() {
            Some(host) => host,
            None if server.starts_with(b"unix:") => {
                return Err(format!(
                    "\"s3_origin\" of \"{}\" needs a \"host=\" parameter: a socket has no host name",
                    server.escape_ascii()
                ));
            }
            None => without_default_port(server),
        };
        let provided = line.keys.provider.as_deref();
        let named = NamedOrigin {
            server: server.into(),
            id,
            provided: provided.map(|line| providers.add(line, id)).transpose()?,
            origin: sigv4::Origin {
                lasting: provided.map(|line| LastingName {
                    name: line.provider.lasting_name().into_bytes().into(),
                    seal_key: seal_key.cloned(),
                }),
                account: line.keys.account.clone(),
                session_token: line.keys.session_token.clone(),
                region: line.region(),
                addressing: line.addressing(),
                framing: line.framing(),
                dialect: line.dialect(),
                buckets: bucket_map_of(maps, server)?,
                ..sigv4::Origin::new(line.keys.credential.clone(), host)
            },
        };
        if line.addressing() == Addressing::Virtual && !named.takes_virtual_hosts() {
            return Err(format!(
                "\"s3_origin\" of \"{}\": \"addressing=virtual\" puts buckets before the host, and \
                 \"{}\" is an address: add \"host=NAME\", or write \"addressing=path\"",
                server.escape_ascii(),
                named.origin.host.escape_ascii()
            ));
        }
        Ok(named)
    }

    /// Returns it with keys that nothing accepts if it has none yet, to find out whether something can be signed.
    pub(super) fn with_any_keys(&self) -> sigv4::Origin {
        match self.provided {
            None => self.origin.clone(),
            Some(_) => {
                let secret = SecretKey::new(b"none".to_vec());
                self.origin
                    .with_keys(Credential::new(b"none", secret), None)
            }
        }
    }

    /// Returns the host without its port: the name in its certificate.
    pub(crate) fn host_name(&self) -> &[u8] {
        without_port(&self.origin.host)
    }

    /// Tells whether buckets' names can stand before the origin's host.
    pub(crate) fn takes_virtual_hosts(&self) -> bool {
        let host = std::str::from_utf8(self.host_name()).unwrap_or_default();
        !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err()
    }
}

/// Every origin of the configuration: each has a number.
#[derive(Default)]
pub(crate) struct Origins(RefCell<Vec<OriginName>>);

impl Origins {
    /// Returns the origin's number; the same for the same name.
    pub(crate) fn id(&self, upstream: &[u8], server: &[u8]) -> usize {
        let name = OriginName {
            upstream: upstream.into(),
            server: server.into(),
        };
        let mut names = self.0.borrow_mut();
        names.iter().position(|n| *n == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    }

    /// Lists the names in the order of their numbers.
    pub(crate) fn names(&self) -> Vec<OriginName> {
        self.0.borrow().clone()
    }
}
