//! Where an origin's keys come from.

use std::fmt;
use std::path::PathBuf;

use sigv4::{Credential, Region, SecretKey};

use crate::Endpoint;

/// A source of keys, and the role that is taken with them, if one is.
#[derive(Debug)]
pub struct Provider {
    pub source: Source,
    pub role: Option<Role>,
}

#[derive(Debug)]
pub enum Source {
    /// The metadata service of EC2, version 2.
    Imds { endpoint: Endpoint },
    /// The service of ECS, or of EKS Pod Identity, which speak alike.
    Container {
        /// What configurations call it.
        kind: &'static str,
        endpoint: Endpoint,
        /// Whether a configuration names the endpoint; else the environment does, for one container alone.
        is_named: bool,
        token: Option<ContainerToken>,
    },
    /// STS, for a token in a file.
    WebIdentity { role: Role, token_file: PathBuf },
    /// A profile in a file of AWS's tools.
    File { path: PathBuf, profile: Box<str> },
    /// Keys that stay, for a role.
    Fixed {
        credential: Credential,
        session_token: Option<SecretKey>,
    },
}

/// What authorizes a container.
#[derive(Debug, Clone)]
pub enum ContainerToken {
    Value(SecretToken),
    /// Read each time, since it is replaced.
    File(PathBuf),
}

/// A token. Zeroised when dropped, redacted in Debug.
#[derive(Clone)]
pub struct SecretToken(pub(crate) zeroize::Zeroizing<Vec<u8>>);

impl SecretToken {
    pub fn new(token: Vec<u8>) -> SecretToken {
        SecretToken(zeroize::Zeroizing::new(token))
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(redacted)")
    }
}

/// A role, and the STS that gives its keys.
#[derive(Debug, Clone)]
pub struct Role {
    pub arn: Box<str>,
    pub session_name: Box<str>,
    pub external_id: Option<Box<str>>,
    pub sts: Endpoint,
    /// The region that STS is signed for.
    pub region: Region,
}

/// The service that an [`Ask`](crate::Ask) is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// That of the source.
    Source,
    /// The STS of [`Provider::role`].
    Role,
}

impl Provider {
    /// Returns the service that is asked, if the provider has one.
    pub fn endpoint(&self, service: Service) -> Option<&Endpoint> {
        match (service, &self.source) {
            (Service::Role, _) => self.role.as_ref().map(|role| &role.sts),
            (_, Source::Imds { endpoint } | Source::Container { endpoint, .. }) => Some(endpoint),
            (_, Source::WebIdentity { role, .. }) => Some(&role.sts),
            (_, Source::File { .. } | Source::Fixed { .. }) => None,
        }
    }

    /// Returns what it is known by in a process that goes on with its keys: all that they depend on, but no secret.
    pub fn identity(&self) -> String {
        let mut identity = self.lasting_name();
        for service in [Service::Source, Service::Role] {
            if let Some(endpoint) = self.endpoint(service) {
                identity.push_str(&format!(" at {endpoint}"));
                if endpoint.path.contains('?') {
                    // It is not shown, since it may be meant to be secret.
                    identity.push_str(&sigv4::sha256_hex(endpoint.path.as_bytes()));
                }
            }
        }
        if let Some(role) = &self.role {
            let id = role.external_id.as_deref().unwrap_or_default();
            let region = String::from_utf8_lossy(role.region.as_bytes());
            identity.push_str(&format!(" in {region} as {} {id}", role.session_name));
        }
        if let Source::WebIdentity { token_file, .. } = &self.source {
            identity.push_str(&format!(" with {}", token_file.display()));
        }
        identity
    }

    /// Whether the keys that another provider of the same identity takes a role with are the same.
    pub fn has_secrets_of(&self, other: &Provider) -> bool {
        match (&self.source, &other.source) {
            (
                Source::Fixed {
                    credential,
                    session_token,
                },
                Source::Fixed {
                    credential: other,
                    session_token: other_token,
                },
            ) => credential.has_secret_of(other) && session_token == other_token,
            _ => true,
        }
    }

    /// Returns what its objects are known by: the same on each machine that has the same configuration.
    pub fn lasting_name(&self) -> String {
        let mut name = self.to_string();
        match &self.source {
            Source::Fixed { credential, .. } => {
                name.push_str(&format!(" by {}", credential.access_key().escape_ascii()));
            }
            Source::WebIdentity { role, .. } => name.push_str(&format!(" for {}", role.arn)),
            Source::Container {
                endpoint,
                is_named: true,
                ..
            } => name.push_str(&format!(" of {endpoint}")),
            Source::Container { .. } | Source::Imds { .. } | Source::File { .. } => {}
        }
        name
    }
}

/// As configurations write it.
impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Imds { .. } => f.write_str("imds")?,
            Source::Container { kind, .. } => f.write_str(kind)?,
            Source::WebIdentity { .. } => f.write_str("web_identity")?,
            Source::File { path, profile } => write!(f, "file:{}#{profile}", path.display())?,
            Source::Fixed { .. } => {}
        }
        match (&self.role, &self.source) {
            (Some(role), Source::Fixed { .. }) => write!(f, "assume_role={}", role.arn),
            (Some(role), _) => write!(f, " assume_role={}", role.arn),
            (None, _) => Ok(()),
        }
    }
}
