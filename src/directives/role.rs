//! `s3_sts` and `s3_role`: keys by AWS's Security Token Service.

use std::path::PathBuf;

use providers::{Endpoint, EndpointFault, KeySetSource};
use sigv4::{MAX_ISSUER_NAME, Scope, is_issuer_name};
use sts::{
    Condition, ConditionFault, MAX_ROLE_LIFETIME, Role, RoleFault, Roles, Trust, WebIdentityTrust,
    is_role_name,
};

use crate::{
    account::read_account, grant::grant, params::Params, reading::Reading, time, word, words_from,
};

/// `s3_role`: a role, and where the keys are that sign the tokens by which it is had.
#[derive(Debug)]
pub struct RoleLine {
    pub role: Role,
    /// `None` for one that clients have by their own keys.
    pub key_set: Option<KeySetLine>,
}

/// Where the keys of an issuer of tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetLine {
    pub source: KeySetSource,
    /// Who issues the certificate of the service, if not those that the system trusts.
    pub ca: Option<PathBuf>,
}

/// In seconds, if nothing is said.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
const LIFETIME: i64 = 3_600;

/// The longest issuer of tokens, or audience, in bytes: a URL's.
const MAX_TEXT: usize = 2_048;

/// Reads `s3_sts [ISSUER]`, where `ISSUER` is the name of an `s3_issuer`.
pub fn sts(words: &[&[u8]]) -> Result<Option<Box<[u8]>>, String> {
    let Some(name) = words.get(1) else {
        return Ok(None);
    };
    match is_issuer_name(name) {
        true => Ok(Some((*name).into())),
        false => Err(format!(
            "\"s3_sts {}\" names no issuer: write the name of an \"s3_issuer\", of 1 to {MAX_ISSUER_NAME} letters and \
             digits",
            name.escape_ascii()
        )),
    }
}

/// Reads `s3_role NAME [issuer=URL audience=A[,A] jwks=URL|file:PATH [jwks_ca=PATH] condition=CLAIM:PATTERN ...]
/// [allow=CLASS|OPERATION,...] [buckets=BUCKET[/KEY],...] [lifetime=TIME] [account=NAME]`.
pub fn role(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<RoleLine, String> {
    let name = word(words, 1);
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| is_role_name(name))
        .ok_or_else(|| {
            format!(
                "\"s3_role {}\" has no name of a role: write one of 1 to 64 letters, digits, and characters of \
                 \"+=,.@_-\"",
                name.escape_ascii()
            )
        })?;
    let named = format!("\"s3_role {name}\"");
    let mut params = Params::new(&named, words_from(words, 2));
    let identity = WebIdentityParams {
        issuer: params.take("issuer")?,
        audience: params.take("audience")?,
        jwks: params.take("jwks")?,
        jwks_ca: params.take("jwks_ca")?,
        conditions: params.take_all("condition"),
        account: params.take("account")?,
    };
    let allow = params.take("allow")?;
    let buckets = params.take("buckets")?;
    let lifetime = params.take("lifetime")?;
    params.done()?;

    grant(&named, allow, buckets)?;
    let seconds = lifetime.map_or(Some(LIFETIME), time::seconds);
    let seconds = seconds.filter(|seconds| (1..=MAX_ROLE_LIFETIME).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        format!(
            "{named}: \"lifetime={}\" is not a time of a second to 12 hours: write one as \"1h\"",
            lifetime.unwrap_or_default().escape_ascii()
        )
    })?;
    let (trust, key_set) = match identity.read(&named, reading)? {
        None => (Trust::Clients, None),
        Some((trust, key_set)) => (Trust::WebIdentity(trust), Some(key_set)),
    };
    let role = Role::new(name, Scope { allow, buckets }, seconds, trust);
    let role = role.map_err(|_| format!("{named} cannot be read"))?;
    Ok(RoleLine { role, key_set })
}

/// What says whose tokens have a role.
struct WebIdentityParams<'a> {
    issuer: Option<&'a [u8]>,
    audience: Option<&'a [u8]>,
    jwks: Option<&'a [u8]>,
    jwks_ca: Option<&'a [u8]>,
    conditions: Vec<&'a [u8]>,
    account: Option<&'a [u8]>,
}

impl WebIdentityParams<'_> {
    /// Reads them; `None` if there is none.
    fn read(
        &self,
        named: &str,
        reading: &Reading<'_>,
    ) -> Result<Option<(WebIdentityTrust, KeySetLine)>, String> {
        let Some(issuer) = self.issuer else {
            return self.check_absent(named).map(|()| None);
        };
        let lacks = |param: &str, what: &str| format!("{named} lacks \"{param}=\": add {what}");
        let issuer = read_text(issuer).ok_or_else(|| {
            format!(
                "{named}: \"issuer=\" is none: write what tokens have as \"iss\", as \"issuer=https://HOST/PATH\""
            )
        })?;
        let audience = self.audience.ok_or_else(|| {
            lacks(
                "audience",
                "\"audience=NAME\", as tokens have it in \"aud\"",
            )
        })?;
        let audiences = audience.split(|byte| *byte == b',').map(read_text);
        let audiences: Option<Vec<&str>> = audiences.collect();
        let audiences = audiences.ok_or_else(|| {
            format!(
                "{named}: \"audience=\" has an empty name, or a character that none has: write what tokens have as \
                 \"aud\", separated by commas"
            )
        })?;
        let jwks = self
            .jwks
            .ok_or_else(|| lacks("jwks", "\"jwks=https://HOST/PATH\" or \"jwks=file:PATH\""))?;
        let key_set = self.key_set(named, jwks, reading)?;
        if self.conditions.is_empty() {
            return Err(format!(
                "{named} lacks \"condition=\": add \"condition=sub:PATTERN\", or \"condition=sub:*\" for all tokens \
                 of the issuer"
            ));
        }
        let conditions = self.conditions.iter().map(|text| condition(named, text));
        let account = self.account.map(|name| read_account(named, name));
        let trust = WebIdentityTrust::new(
            issuer,
            &audiences,
            conditions.collect::<Result<_, _>>()?,
            account.transpose()?,
        );
        let trust = trust.map_err(|fault| {
            let what = match fault {
                RoleFault::Issuer => "issuer",
                RoleFault::Audience => "audience",
                _ => "condition",
            };
            format!("{named}: \"{what}=\" cannot be read")
        })?;
        Ok(Some((trust, key_set)))
    }

    /// Checks that a role for clients has nothing that is for tokens.
    fn check_absent(&self, named: &str) -> Result<(), String> {
        let for_tokens = [
            ("audience", self.audience.is_some()),
            ("jwks", self.jwks.is_some()),
            ("jwks_ca", self.jwks_ca.is_some()),
            ("condition", !self.conditions.is_empty()),
        ];
        if let Some((param, _)) = for_tokens.iter().find(|(_, is_there)| *is_there) {
            return Err(format!(
                "{named} has \"{param}=\", which is for tokens of an issuer: add \"issuer=URL\", or remove it"
            ));
        }
        match self.account {
            None => Ok(()),
            Some(_) => Err(format!(
                "{named} has \"account=\", and is for clients, whose own it stays: remove it, or add \"issuer=URL\" for \
                 tokens of an issuer"
            )),
        }
    }

    fn key_set(
        &self,
        named: &str,
        jwks: &[u8],
        reading: &Reading<'_>,
    ) -> Result<KeySetLine, String> {
        let source = match jwks.strip_prefix(b"file:") {
            Some(path) => {
                let named = format!("{named}: \"jwks=file:\"");
                KeySetSource::File(reading.file(&named, path)?)
            }
            None => {
                let url = std::str::from_utf8(jwks).unwrap_or_default();
                let endpoint = Endpoint::parse_document(url).map_err(|fault| match fault {
                    EndpointFault::Clear => format!(
                        "{named}: the URL of \"jwks\" would be asked in clear, where others could answer with keys of \
                         their own: write \"https://\"; without TLS only this machine is asked"
                    ),
                    fault => format!("{named}: the URL of \"jwks\" {fault}, or \"file:PATH\""),
                })?;
                KeySetSource::Url(endpoint)
            }
        };
        let speaks_tls = matches!(&source, KeySetSource::Url(endpoint) if endpoint.tls);
        if self.jwks_ca.is_some() && !speaks_tls {
            return Err(format!(
                "{named}: \"jwks_ca=\" is for \"jwks=https://...\": remove it"
            ));
        }
        let ca = self.jwks_ca.map(|path| {
            let named = format!("{named}: \"jwks_ca=\"");
            reading.file(&named, path)
        });
        Ok(KeySetLine {
            source,
            ca: ca.transpose()?,
        })
    }
}

/// Reads an issuer of tokens, or an audience.
fn read_text(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let is_text = (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control);
    is_text.then_some(text)
}

fn condition(named: &str, text: &[u8]) -> Result<Condition, String> {
    Condition::parse(text).map_err(|fault| {
        let shown = text.escape_ascii();
        let what = match fault {
            ConditionFault::NoPattern => {
                "has no colon: write \"CLAIM:PATTERN\", as \"condition=sub:repo/*\""
            }
            ConditionFault::EmptyPattern => {
                "has nothing after its colon: write \"CLAIM:PATTERN\", with \"*\" for any run of characters"
            }
            ConditionFault::Pointer => {
                "has a \"~\" in its JSON pointer without \"0\" or \"1\" after it: write \"~0\" for \"~\""
            }
            _ => {
                "names no claim: write its name, with \"%3A\" for a colon and \"%25\" for \"%\", or a JSON pointer \
                 as \"/a/b\""
            }
        };
        format!("{named}: \"condition={shown}\" {what}")
    })
}

/// The roles of one level, by name, each with what `K` says of its key set.
#[derive(Debug)]
pub struct RoleMap<K> {
    roles: Roles,
    key_sets: Vec<(Box<str>, K)>,
}

impl<K> Default for RoleMap<K> {
    fn default() -> RoleMap<K> {
        RoleMap {
            roles: Roles::default(),
            key_sets: Vec::new(),
        }
    }
}

impl<K> RoleMap<K> {
    /// Adds a role; an error if there is one of its name.
    pub fn insert(&mut self, role: Role, key_set: Option<K>) -> Result<(), String> {
        let name: Box<str> = role.name().into();
        self.roles.insert(role).map_err(|_| {
            format!("\"s3_role {name}\" is duplicate: keep one line for each name at each level")
        })?;
        self.key_sets.extend(key_set.map(|key_set| (name, key_set)));
        Ok(())
    }

    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// Returns what is known of the key set of a role.
    pub fn key_set(&self, name: &str) -> Option<&K> {
        let mut key_sets = self.key_sets.iter();
        let found = key_sets.find(|(role, _)| **role == *name);
        found.map(|(_, key_set)| key_set)
    }
}
