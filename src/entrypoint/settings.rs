//! All that the variables say.

use secrets::Kind;
use sigv4::Region;

use crate::{
    address::Address,
    environment::{Environment, Outside},
    error::Error,
    origins::{Origins, Scheme},
    variables::Variables,
};

const DEFAULT_PORT: u16 = 8080;

/// The variables of flags, each with its directive.
const FLAGS: [(&str, &str); 3] = [
    ("S3_SIGNATURE_V2", "s3_signature_v2"),
    ("S3_VERIFY_PAYLOAD", "s3_verify_payload"),
    ("S3_DEBUG_ERRORS", "s3_debug_errors"),
];

#[derive(Debug)]
pub struct Settings {
    /// Where nginx finds the clients' keys.
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) origins: Origins,
    /// `None` for one for each processor.
    pub(crate) workers: Option<String>,
    pub(crate) port: u16,
    pub(crate) region: Option<Region>,
    pub(crate) host: Option<Address>,
    /// Separated by spaces.
    pub(crate) domains: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) max_skew: Option<String>,
    /// What `s3_anonymous` says, if not `off`.
    pub(crate) anonymous: Option<String>,
    pub(crate) errors: &'static str,
    /// The directives of the flags that are on.
    pub(crate) flags: Vec<&'static str>,
    pub(crate) health_check: HealthCheck,
    pub(crate) tls: Tls,
    pub(crate) upload_buffering: bool,
    pub(crate) shutdown_timeout: String,
    pub(crate) log_level: &'static str,
    pub(crate) access_log: bool,
    /// Addresses and networks.
    pub(crate) status_allow: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum HealthCheck {
    On,
    Off,
    With(String),
}

#[derive(Debug)]
pub(crate) enum Tls {
    None,
    Unverified,
    /// The path of the CAs' certificates.
    Verified(String),
}

impl Settings {
    pub fn read(environment: &Environment, outside: &dyn Outside) -> Result<Settings, Error> {
        let variables = Variables {
            environment,
            outside,
        };
        let access_key = variables.key("CLIENT_ACCESS_KEY", Kind::AccessKey)?;
        let secret_key = variables.key("CLIENT_SECRET_KEY", Kind::SecretKey)?;
        let workers = read_workers(variables)?;
        let origins = Origins::read(variables)?;
        let mut flags = Vec::new();
        for (name, directive) in FLAGS {
            if variables.flag(name, false)? {
                flags.push(directive);
            }
        }
        let shutdown_timeout = variables.time("S3_SHUTDOWN_TIMEOUT")?;
        Ok(Settings {
            access_key,
            secret_key,
            workers,
            port: read_port(variables)?,
            region: variables.region("S3_REGION")?,
            host: variables.address("S3_HOST")?,
            domains: variables.domains("S3_DOMAIN")?,
            prefix: variables.prefix("S3_PREFIX")?,
            max_skew: variables.time("S3_MAX_SKEW")?,
            anonymous: variables.anonymous("S3_ANONYMOUS")?,
            errors: variables.word("S3_ERRORS", &["s3", "s3proxy"], "s3")?,
            flags,
            health_check: HealthCheck::read(variables)?,
            tls: Tls::read(variables, origins.scheme)?,
            origins,
            upload_buffering: variables.flag("S3_UPLOAD_BUFFERING", false)?,
            shutdown_timeout: shutdown_timeout.unwrap_or_else(|| "1h".into()),
            log_level: variables.word(
                "S3_LOG_LEVEL",
                &["debug", "info", "notice", "warn", "error", "crit"],
                "notice",
            )?,
            access_log: variables.flag("S3_ACCESS_LOG", true)?,
            status_allow: read_status_allow(variables)?,
        })
    }
}

/// The port that nginx listens on.
pub fn port(environment: &Environment, outside: &dyn Outside) -> Result<u16, Error> {
    read_port(Variables {
        environment,
        outside,
    })
}

fn read_port(variables: Variables<'_>) -> Result<u16, Error> {
    Ok(variables.port("PORT")?.unwrap_or(DEFAULT_PORT))
}

fn read_workers(variables: Variables<'_>) -> Result<Option<String>, Error> {
    let is_it = |text: &str| text == "auto" || text.bytes().all(|c| c.is_ascii_digit());
    let what = "a number of workers: write one, or auto";
    let workers = variables.text("S3_WORKERS", is_it, what)?;
    Ok(workers.filter(|workers| workers != "auto"))
}

fn read_status_allow(variables: Variables<'_>) -> Result<Vec<String>, Error> {
    let is_separator = |c: char| c == ' ' || c == ',';
    let is_it = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_hexdigit() || ".:/".contains(c) || is_separator(c))
    };
    let what = "a list of addresses: write them as 10.0.0.0/8, with spaces between";
    let list = variables.text("S3_STATUS_ALLOW", is_it, what)?;
    let list = list.unwrap_or_default();
    let addresses = list
        .split(is_separator)
        .filter(|address| !address.is_empty());
    Ok(addresses.map(str::to_owned).collect())
}

impl HealthCheck {
    fn read(variables: Variables<'_>) -> Result<HealthCheck, Error> {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"=.,/_%~?&+: -".contains(&c);
        let is_it = |text: &str| {
            matches!(text, "on" | "off") || text.bytes().all(is_plain) && text.contains('=')
        };
        let what = "on, off or parameters of s3_health_check";
        let text = variables.text("S3_HEALTH_CHECK", is_it, what)?;
        Ok(match text.as_deref() {
            None | Some("on") => HealthCheck::On,
            Some("off") => HealthCheck::Off,
            Some(parameters) => HealthCheck::With(parameters.into()),
        })
    }
}

impl Tls {
    fn read(variables: Variables<'_>, scheme: Scheme) -> Result<Tls, Error> {
        let is_verified = variables.flag("S3_TLS_VERIFY", true)?;
        match (scheme, is_verified) {
            (Scheme::Http, _) => Ok(Tls::None),
            (Scheme::Https, false) => Ok(Tls::Unverified),
            (Scheme::Https, true) => {
                let path = variables.path("S3_TLS_CA")?;
                let path = path.unwrap_or_else(|| "/etc/ssl/certs/ca-certificates.crt".into());
                let user = variables.outside.user();
                match variables.outside.can_read(path.as_ref()) {
                    true => Ok(Tls::Verified(path)),
                    false => Err(Error::Authorities { user }),
                }
            }
        }
    }
}
