//! The variables of origins: `ORIGIN_...`, or `SERVERA_...` to `SERVERZ_...`.

use secrets::Kind;
use sigv4::Dialect;

use crate::{address::Address, error::Error, variables::Variables};

/// The prefix of the variables of an origin that is the only one.
const ONE: &str = "ORIGIN";

const SUFFIXES: [&str; 10] = [
    "ACCESS_KEY",
    "SECRET_KEY",
    "SESSION_TOKEN",
    "DOMAIN",
    "HOST",
    "PORT",
    "SCHEME",
    "ADDRESSING",
    "FRAMING",
    "DIALECT",
];

/// Those that only one of several has.
const MORE_SUFFIXES: [&str; 3] = ["ENDPOINT", "REGION", "BACKUP"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Origins {
    /// That of all origins.
    pub(crate) scheme: Scheme,
    pub(crate) origins: Vec<Origin>,
}

#[derive(Debug)]
pub(crate) struct Origin {
    /// Where to connect.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The parameters of `s3_origin`.
    pub(crate) parameters: Vec<String>,
    pub(crate) is_backup: bool,
}

impl Origins {
    pub(crate) fn read(variables: Variables<'_>) -> Result<Origins, Error> {
        let prefixes = find_prefixes(variables)?;
        let mut all: Option<Origins> = None;
        for prefix in &prefixes {
            let scheme = read_scheme(variables, prefix)?;
            let all = all.get_or_insert(Origins {
                scheme,
                origins: Vec::new(),
            });
            if all.scheme != scheme {
                return Err(Error::Schemes {
                    prefix: prefix.clone(),
                    scheme: scheme.name(),
                    first: prefixes.first().cloned().unwrap_or_default(),
                    first_scheme: all.scheme.name(),
                });
            }
            let origin = Origin::read(variables, prefix, scheme, &all.origins)?;
            all.origins.push(origin);
        }
        let last = || prefixes.last().cloned().unwrap_or_default();
        match all {
            Some(all) if !all.origins.iter().all(|origin| origin.is_backup) => Ok(all),
            _ => Err(Error::AllBackups { prefix: last() }),
        }
    }
}

/// `ORIGIN`, or `SERVERA`, `SERVERB` and so on. Names of variables that are none are rejected.
fn find_prefixes(variables: Variables<'_>) -> Result<Vec<String>, Error> {
    let mut prefixes: Vec<String> = Vec::new();
    let (mut one, mut several) = (None, None);
    for name in variables.environment.names() {
        let bare = name.strip_suffix("_FILE").unwrap_or(name);
        if name.starts_with("ORIGIN_") {
            check_suffix(name, bare, ONE, &[])?;
            one.get_or_insert(name);
        } else if let Some(prefix) = prefix_of_several(name) {
            check_suffix(name, bare, prefix, &MORE_SUFFIXES)?;
            several.get_or_insert(name);
            if prefixes.last().is_none_or(|last| last != prefix) {
                prefixes.push(prefix.to_owned());
            }
        } else if is_meant_for_several(bare) {
            return Err(Error::NoOrigin { name: name.into() });
        }
    }
    match (one, several) {
        (Some(one), Some(several)) => Err(Error::OneAndSeveral {
            one: one.into(),
            several: several.into(),
        }),
        (_, Some(_)) => Ok(prefixes),
        (_, None) => Ok(vec![ONE.into()]),
    }
}

/// The `SERVERA` of `SERVERA_...`
fn prefix_of_several(name: &str) -> Option<&str> {
    let (prefix, _) = name.split_once('_')?;
    match prefix.strip_prefix("SERVER")?.as_bytes() {
        [b'A'..=b'Z'] => Some(prefix),
        _ => None,
    }
}

fn is_meant_for_several(bare: &str) -> bool {
    bare.strip_prefix("SERVER").is_some_and(|rest| {
        let ends = ["_ACCESS_KEY", "_SECRET_KEY", "_ENDPOINT"];
        ends.iter().any(|end| rest.ends_with(end))
    })
}

fn check_suffix(name: &str, bare: &str, prefix: &str, more: &[&str]) -> Result<(), Error> {
    let suffix = bare.strip_prefix(prefix).unwrap_or_default();
    let suffix = suffix.strip_prefix('_').unwrap_or_default();
    let known = || SUFFIXES.iter().chain(more).copied();
    match known().any(|known| known == suffix) {
        true => Ok(()),
        false => Err(Error::UnknownName {
            name: name.into(),
            prefix: prefix.into(),
            suffixes: known().collect::<Vec<_>>().join(" "),
        }),
    }
}

fn read_scheme(variables: Variables<'_>, prefix: &str) -> Result<Scheme, Error> {
    let name = format!("{prefix}_SCHEME");
    Ok(match variables.word(&name, &["http", "https"], "https")? {
        "http" => Scheme::Http,
        _ => Scheme::Https,
    })
}

impl Origin {
    fn read(
        variables: Variables<'_>,
        prefix: &str,
        scheme: Scheme,
        others: &[Origin],
    ) -> Result<Origin, Error> {
        let name = |suffix: &str| format!("{prefix}_{suffix}");
        let access_key = variables.key(&name("ACCESS_KEY"), Kind::AccessKey)?;
        let secret_key = variables.key(&name("SECRET_KEY"), Kind::SecretKey)?;
        let token = variables.optional_key(&name("SESSION_TOKEN"), Kind::SessionToken)?;
        let place = Place::read(variables, prefix, scheme, others)?;
        let region = match prefix {
            ONE => None,
            _ => variables.region(&name("REGION"))?,
        };
        let region = match region {
            None => variables.region("AWS_REGION")?,
            region => region,
        };
        let addressing = variables.word(&name("ADDRESSING"), &["path", "virtual"], "path")?;
        let framing = variables.word(&name("FRAMING"), &["keep", "decode"], "")?;
        let dialect = variables.word(&name("DIALECT"), &Dialect::NAMES, "")?;

        let mut parameters = vec![
            format!("access_key={access_key}"),
            format!("secret_key={secret_key}"),
        ];
        parameters.extend(token.map(|token| format!("session_token={token}")));
        parameters.push(format!("host={}", place.domain));
        parameters.extend(region.map(|region| format!("region={region}")));
        if addressing != "path" {
            parameters.push(format!("addressing={addressing}"));
        }
        if !framing.is_empty() {
            parameters.push(format!("framing={framing}"));
        }
        if !dialect.is_empty() {
            parameters.push(format!("dialect={dialect}"));
        }
        Ok(Origin {
            host: place.host,
            port: place.port,
            parameters,
            is_backup: prefix != ONE && variables.flag(&name("BACKUP"), false)?,
        })
    }

    /// As in a `server` line.
    pub(crate) fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Where an origin is.
struct Place {
    host: String,
    port: u16,
    /// The origin's name in its Host header and its certificate.
    domain: String,
}

impl Place {
    fn read(
        variables: Variables<'_>,
        prefix: &str,
        scheme: Scheme,
        others: &[Origin],
    ) -> Result<Place, Error> {
        let domain_name = format!("{prefix}_DOMAIN");
        let domain = variables.address(&domain_name)?;
        let connect = read_connect(variables, prefix)?;
        let (named, address) = match (connect, &domain) {
            (Some(connect), _) => connect,
            (None, Some(domain)) => (domain_name, domain.clone()),
            (None, None) => {
                let name = match prefix {
                    ONE => domain_name,
                    _ => format!("{prefix}_ENDPOINT"),
                };
                return Err(Error::Missing { name });
            }
        };

        let port = variables.port(&format!("{prefix}_PORT"))?;
        let port = match (port, address.port()) {
            (Some(port), Some(there)) if port != there => {
                return Err(Error::TwoPorts {
                    prefix: prefix.into(),
                    named,
                });
            }
            (port, there) => port.or(there).unwrap_or(scheme.usual_port()),
        };
        let host = address.name();
        if others
            .iter()
            .any(|other| other.host == host && other.port == port)
        {
            return Err(Error::SameAddress { named });
        }
        Ok(Place {
            domain: match domain {
                Some(domain) if domain.text() != host => domain.text().to_owned(),
                _ if port == scheme.usual_port() => host.to_owned(),
                _ => format!("{host}:{port}"),
            },
            host: host.to_owned(),
            port,
        })
    }
}

/// Where to connect, if it is said, with the name of the variable that says so.
fn read_connect(
    variables: Variables<'_>,
    prefix: &str,
) -> Result<Option<(String, Address)>, Error> {
    let host_name = format!("{prefix}_HOST");
    let endpoint_name = format!("{prefix}_ENDPOINT");
    let host = variables.address(&host_name)?;
    let endpoint = match prefix {
        ONE => None,
        _ => variables.address(&endpoint_name)?,
    };
    match (host, endpoint) {
        (Some(host), Some(endpoint)) if host != endpoint => Err(Error::TwoAddresses {
            prefix: prefix.into(),
        }),
        (_, Some(endpoint)) => Ok(Some((endpoint_name, endpoint))),
        (Some(host), None) => Ok(Some((host_name, host))),
        (None, None) => Ok(None),
    }
}
