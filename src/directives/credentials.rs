//! `credentials=` and what goes with it in `s3_origin`, and `s3_seal_key`.

use std::path::PathBuf;
use std::rc::Rc;

use providers::{ContainerToken, Endpoint, Provider, Role, SecretToken, Source};
use sigv4::{Credential, Region, SecretKey};

use crate::{location::NOT_A_REGION, params::Params, reading::Reading, word};

/// Where the keys of an `s3_origin` line come from.
#[derive(Debug)]
pub struct ProviderLine {
    pub provider: Rc<Provider>,
    /// Whose certificates are trusted; `None` leaves that to the system.
    pub ca: Option<PathBuf>,
}

/// The keys of a line, with the session token.
type Keys = (Credential, Option<SecretKey>);

/// The words of a line that are about its provider.
pub(crate) struct Words<'a> {
    credentials: Option<&'a [u8]>,
    role: Option<&'a [u8]>,
    external_id: Option<&'a [u8]>,
    endpoint: Option<&'a [u8]>,
    sts_endpoint: Option<&'a [u8]>,
    sts_region: Option<&'a [u8]>,
    ca: Option<&'a [u8]>,
}

/// The metadata service of EC2.
const METADATA: &str = "http://169.254.169.254";
/// The service of ECS.
const CONTAINER: &str = "http://169.254.170.2";
/// The shortest key that seals, in bytes.
const SHORTEST_SEAL_KEY: usize = 16;

/// What an environment says of a container's keys, and of a web identity.
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const IDENTITY_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE_ARN: &str = "AWS_ROLE_ARN";
const SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";

impl<'a> Words<'a> {
    pub(crate) fn take(params: &mut Params<'_, 'a>) -> Result<Words<'a>, String> {
        let credentials = params.take("credentials")?;
        let role = params.take("assume_role")?;
        // It may be written as one of the providers, too.
        let (credentials, role) =
            match credentials.and_then(|text| text.strip_prefix(b"assume_role=")) {
                Some(arn) if role.is_none() => (None, Some(arn)),
                _ => (credentials, role),
            };
        Ok(Words {
            credentials,
            role,
            external_id: params.take("external_id")?,
            endpoint: params.take("endpoint")?,
            sts_endpoint: params.take("sts_endpoint")?,
            sts_region: params.take("sts_region")?,
            ca: params.take("credentials_ca")?,
        })
    }

    /// Tells whether keys come from elsewhere than from the line.
    pub(crate) fn name_a_provider(&self) -> bool {
        self.credentials.is_some()
    }

    /// Reads what they say; `None` where they say nothing. The line's own `keys` are taken for a role.
    pub(crate) fn read(
        self,
        named: &str,
        keys: &mut Option<Keys>,
        region: Option<Region>,
        reading: &Reading<'_>,
    ) -> Result<Option<ProviderLine>, String> {
        let is_web_identity = self.credentials == Some(b"web_identity");
        let has_sts = self.role.is_some() || is_web_identity;
        for (value, param, is_of_use, of) in [
            (
                self.external_id,
                "external_id",
                self.role.is_some(),
                "\"assume_role=ARN\"",
            ),
            (
                self.sts_endpoint,
                "sts_endpoint",
                has_sts,
                "\"assume_role=ARN\" or \"credentials=web_identity\"",
            ),
            (
                self.sts_region,
                "sts_region",
                has_sts,
                "\"assume_role=ARN\" or \"credentials=web_identity\"",
            ),
            (
                self.endpoint,
                "endpoint",
                matches!(self.credentials, Some(b"imds" | b"ecs" | b"pod_identity")),
                "\"credentials=\" of \"imds\", \"ecs\" or \"pod_identity\"",
            ),
            (
                self.ca,
                "credentials_ca",
                has_sts || self.credentials.is_some(),
                "\"credentials=\" or \"assume_role=ARN\"",
            ),
        ] {
            if value.is_some() && !is_of_use {
                return Err(format!(
                    "{named}: \"{param}=\" has no effect without {of}: remove it"
                ));
            }
        }
        let role = self
            .role
            .map(|arn| self.assumed(named, arn, region, reading))
            .transpose()?;
        let source = match self.credentials {
            None if role.is_none() => return Ok(None),
            None => {
                let (credential, session_token) = keys.take().ok_or_else(|| lacks_source(named))?;
                Source::Fixed {
                    credential,
                    session_token,
                }
            }
            Some(b"imds") => Source::Imds {
                endpoint: match self.endpoint {
                    Some(url) => read_endpoint(named, "endpoint", url)?,
                    None => own(METADATA)?,
                },
            },
            Some(b"ecs") => self.container(named, "ecs", reading)?,
            Some(b"pod_identity") => self.container(named, "pod_identity", reading)?,
            Some(b"web_identity") => Source::WebIdentity {
                role: self.identified(named, region, reading)?,
                token_file: lookup(named, "web_identity", IDENTITY_FILE, reading)?.into(),
            },
            Some(text) => match text.strip_prefix(b"file:") {
                Some(rest) => read_file(named, rest, reading)?,
                None => {
                    return Err(format!(
                        "{named}: \"credentials=\" names no provider that is known: write one of \"imds\", \
                         \"ecs\", \"pod_identity\", \"web_identity\", \"file:PATH\", or \"assume_role=ARN\""
                    ));
                }
            },
        };
        Ok(Some(ProviderLine {
            provider: Rc::new(Provider { source, role }),
            ca: self.ca.map(|path| reading.path(path)),
        }))
    }

    fn container(
        &self,
        named: &str,
        kind: &'static str,
        reading: &Reading<'_>,
    ) -> Result<Source, String> {
        let endpoint = match self.endpoint {
            Some(url) => read_endpoint(named, "endpoint", url)?,
            None => match (reading.variable(RELATIVE_URI), reading.variable(FULL_URI)) {
                (Some(path), _) if kind == "ecs" => {
                    let url = format!("{CONTAINER}/{}", path.trim_start_matches('/'));
                    read_endpoint(named, RELATIVE_URI, url.as_bytes())?
                }
                (_, Some(url)) => read_endpoint(named, FULL_URI, url.as_bytes())?,
                (_, None) => {
                    let needed = match kind {
                        "ecs" => format!("neither \"{RELATIVE_URI}\" nor \"{FULL_URI}\" is"),
                        _ => format!("\"{FULL_URI}\" is not"),
                    };
                    return Err(format!(
                        "{named}: \"credentials={kind}\": {needed} set for {}, as it is where a role is \
                         attached: attach one, or add \"endpoint=URL\"",
                        reading.process()
                    ));
                }
            },
        };
        let token = match (reading.variable(TOKEN_FILE), reading.variable(TOKEN)) {
            (Some(path), _) => Some(ContainerToken::File(path.into())),
            (None, Some(token)) => {
                if !token
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() || byte == b' ')
                {
                    return Err(format!(
                        "{named}: \"credentials={kind}\": the value of \"{TOKEN}\" has a character that no \
                         header has: correct it"
                    ));
                }
                Some(ContainerToken::Value(SecretToken::new(token.into_bytes())))
            }
            (None, None) => None,
        };
        Ok(Source::Container {
            kind,
            endpoint,
            is_named: self.endpoint.is_some(),
            token,
        })
    }

    /// Reads `assume_role=`.
    fn assumed(
        &self,
        named: &str,
        arn: &[u8],
        region: Option<Region>,
        reading: &Reading<'_>,
    ) -> Result<Role, String> {
        let arn = read_arn(named, "assume_role", arn)?;
        let external_id = self.external_id.map(|id| {
            // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
            let is_id = (2..=1224).contains(&id.len())
                && id
                    .iter()
                    .all(|c| c.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(c));
            let text = std::str::from_utf8(id).ok().filter(|_| is_id);
            text.map(Box::from).ok_or_else(|| {
                format!(
                    "{named}: \"external_id=\" is none: write 2 to 1224 letters, digits, and \
                     characters of \"_+=,.@:/-\""
                )
            })
        });
        self.role(named, arn, external_id.transpose()?, region, reading)
    }

    /// Reads what the environment says of a web identity's role.
    fn identified(
        &self,
        named: &str,
        region: Option<Region>,
        reading: &Reading<'_>,
    ) -> Result<Role, String> {
        let arn = lookup(named, "web_identity", ROLE_ARN, reading)?;
        let arn = read_arn(named, ROLE_ARN, arn.as_bytes())?;
        self.role(named, arn, None, region, reading)
    }

    fn role(
        &self,
        named: &str,
        arn: Box<str>,
        external_id: Option<Box<str>>,
        region: Option<Region>,
        reading: &Reading<'_>,
    ) -> Result<Role, String> {
        let variable = || {
            let name = reading.variable("AWS_REGION");
            let name = name.or_else(|| reading.variable("AWS_DEFAULT_REGION"))?;
            Region::parse_name(name.as_bytes())
        };
        let region = match self.sts_region {
            Some(name) => Region::parse_name(name).ok_or_else(|| {
                let shown = name.escape_ascii();
                format!(
                    "{named}: \"sts_region={shown}\" {NOT_A_REGION}: {}",
                    Region::RULE
                )
            })?,
            None => region.or_else(variable).unwrap_or(DEFAULT_REGION),
        };
        let sts = match self.sts_endpoint {
            Some(url) => read_endpoint(named, "sts_endpoint", url)?,
            None => {
                let name = String::from_utf8_lossy(region.as_bytes());
                let domain = match name.starts_with("cn-") {
                    true => "amazonaws.com.cn",
                    false => "amazonaws.com",
                };
                own(&format!("https://sts.{name}.{domain}"))?
            }
        };
        let session_name = reading.variable(SESSION_NAME);
        let session_name = session_name.unwrap_or_else(|| "ngx_http_s3_resign".into());
        let is_name = (2..=64).contains(&session_name.len())
            && session_name
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"_+=,.@-".contains(&c));
        if !is_name {
            return Err(format!(
                "{named}: the value of \"{SESSION_NAME}\" is no name of a session: set it to 2 to 64 \
                 letters, digits, and characters of \"_+=,.@-\""
            ));
        }
        Ok(Role {
            arn,
            session_name: session_name.into(),
            external_id,
            sts,
            region,
        })
    }
}

/// The region of STS where none is named.
const DEFAULT_REGION: Region = Region::US_EAST_1;

/// The message about a line that has keys of its own and a provider.
pub(crate) fn both(named: &str) -> String {
    format!(
        "{named} has \"credentials=\" and a key of its own: keep \"credentials=\", or \"access_key=\", \
         \"secret_key=\" and \"session_token=\""
    )
}

fn lacks_source(named: &str) -> String {
    format!(
        "{named}: \"assume_role=\" needs keys to take the role with: add \"access_key=\" and \
         \"secret_key=\", or \"credentials=\""
    )
}

/// Reads an endpoint that is in this file.
fn own(url: &str) -> Result<Endpoint, String> {
    Endpoint::parse(url).map_err(|fault| format!("\"{url}\" {fault}"))
}

fn read_endpoint(named: &str, param: &str, url: &[u8]) -> Result<Endpoint, String> {
    let text = std::str::from_utf8(url).unwrap_or_default();
    // The URL is not shown: a query may hold what is meant to be secret.
    Endpoint::parse(text).map_err(|fault| format!("{named}: the URL of \"{param}\" {fault}"))
}

fn read_arn(named: &str, param: &str, arn: &[u8]) -> Result<Box<str>, String> {
    let is_arn = arn.starts_with(b"arn:")
        && arn.len() <= 2048
        && arn.iter().all(|byte| byte.is_ascii_graphic());
    let text = std::str::from_utf8(arn).ok().filter(|_| is_arn);
    text.map(Box::from).ok_or_else(|| {
        format!(
            "{named}: \"{param}\" is no ARN: write that of a role, as \
             \"arn:aws:iam::123456789012:role/NAME\""
        )
    })
}

fn lookup(
    named: &str,
    kind: &str,
    variable: &str,
    reading: &Reading<'_>,
) -> Result<String, String> {
    reading.variable(variable).ok_or_else(|| {
        format!(
            "{named}: \"credentials={kind}\": \"{variable}\" is not set for {}, as it is where a role is \
             attached: attach one, or set it",
            reading.process()
        )
    })
}

/// Reads `PATH[#PROFILE]`.
fn read_file(named: &str, text: &[u8], reading: &Reading<'_>) -> Result<Source, String> {
    let mut parts = text.splitn(2, |byte| *byte == b'#');
    let path = parts.next().unwrap_or_default();
    let profile = std::str::from_utf8(parts.next().unwrap_or(b"default")).unwrap_or_default();
    if path.is_empty() || profile.is_empty() {
        return Err(format!(
            "{named}: \"credentials=file:\" names no {}: write \"file:PATH\" or \"file:PATH#PROFILE\"",
            if path.is_empty() { "file" } else { "profile" }
        ));
    }
    Ok(Source::File {
        path: reading.path(path),
        profile: profile.into(),
    })
}

/// Reads `s3_seal_key VALUE`.
pub fn seal_key(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<SecretKey, String> {
    let named = "\"s3_seal_key\"";
    reading.seal_key(named, word(words, 1), SHORTEST_SEAL_KEY)
}
