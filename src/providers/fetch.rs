//! Gets keys, one step after the other.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>,
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use std::path::PathBuf;
use std::rc::Rc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sigv4::{Credential, STS_CONTENT_TYPE, SecretKey, StsCall, Timestamp, sign_sts};
use zeroize::Zeroizing;

use crate::keys::ProvidedKeys;
use crate::provider::{ContainerToken, Provider, Role, Service, Source};
use crate::{Answer, Endpoint, json, profile, xml};

/// What is to be done next for keys, or for something else that is fetched so.
#[derive(Debug)]
pub enum Step<T = ProvidedKeys> {
    /// Read that file, as much as [`MAX_FILE`](crate::MAX_FILE) of it, and go on with [`Fetch::has_read`].
    Read(PathBuf),
    /// Ask, and go on with [`Fetch::heard`].
    Ask(Ask),
    Done(T),
    /// And why, as a part of a sentence: no secret is in it.
    Failed(String),
}

/// A request; it holds secrets.
pub struct Ask {
    pub service: Service,
    /// All of it.
    pub request: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// The getting of keys from a provider.
#[derive(Debug)]
pub struct Fetch {
    provider: Rc<Provider>,
    stage: Stage,
}

/// What is awaited.
#[derive(Debug)]
enum Stage {
    MetadataToken,
    InstanceRole(MetadataToken),
    InstanceKeys,
    ContainerToken,
    ContainerKeys,
    IdentityToken,
    IdentityKeys,
    Profile,
    RoleKeys,
    Ended,
}

/// A session with the metadata service. Zeroised when dropped, redacted in Debug.
struct MetadataToken(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for MetadataToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetadataToken(redacted)")
    }
}

/// The longest token that a service gives, or that is read from a file: in bytes.
const MAX_TOKEN: usize = 32 << 10;
/// The roles of an instance.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

impl Fetch {
    /// Begins with the first step.
    pub fn begin(provider: Rc<Provider>, now: Timestamp) -> (Fetch, Step) {
        let mut fetch = Fetch {
            provider: Rc::clone(&provider),
            stage: Stage::Ended,
        };
        let step = match &provider.source {
            Source::Imds { endpoint } => {
                let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\nContent-Length: 0\r\n";
                let head = head("PUT", endpoint, "/latest/api/token", ttl.as_bytes());
                fetch.ask(Stage::MetadataToken, Service::Source, head)
            }
            Source::Container {
                token: Some(ContainerToken::File(path)),
                ..
            } => fetch.read_file(Stage::ContainerToken, path.clone()),
            Source::Container {
                token: Some(ContainerToken::Value(token)),
                ..
            } => fetch.ask_container(Some(&token.0)),
            Source::Container { token: None, .. } => fetch.ask_container(None),
            Source::WebIdentity { token_file, .. } => {
                fetch.read_file(Stage::IdentityToken, token_file.clone())
            }
            Source::File { path, .. } => fetch.read_file(Stage::Profile, path.clone()),
            Source::Fixed {
                credential,
                session_token,
            } => fetch.assume(credential, session_token.as_ref(), now),
        };
        (fetch, step)
    }

    /// Goes on after the file that was to be read.
    pub fn has_read(&mut self, file: &[u8], now: Timestamp) -> Step {
        let provider = Rc::clone(&self.provider);
        match (self.leave(), &provider.source) {
            (Stage::ContainerToken, _) => match token_in(file) {
                Some(token) => self.ask_container(Some(token)),
                None => Step::Failed("the file of the container's token has no token".into()),
            },
            (Stage::IdentityToken, Source::WebIdentity { role, .. }) => match token_in(file) {
                Some(token) => self.ask_for_identity(role, token),
                None => Step::Failed("the file of the web identity's token has no token".into()),
            },
            (Stage::Profile, Source::File { path, profile }) => {
                match profile::read_profile(file, profile) {
                    Ok(keys) => self.has(keys, now),
                    Err(why) => Step::Failed(format!("\"{}\" {why}", path.display())),
                }
            }
            _ => out_of_turn(),
        }
    }

    /// Goes on after an answer.
    pub fn heard(&mut self, answer: &Answer, now: Timestamp) -> Step {
        let provider = Rc::clone(&self.provider);
        let stage = self.leave();
        if answer.status != 200 {
            return Step::Failed(fault(&stage, answer));
        }
        let (keys, source) = match (stage, &provider.source) {
            (Stage::MetadataToken, Source::Imds { endpoint }) => {
                let Some(token) = token_in(&answer.body) else {
                    return Step::Failed("it answered with no token".into());
                };
                let token = MetadataToken(Zeroizing::new(token.to_vec()));
                let head = head("GET", endpoint, ROLES, &token.header());
                return self.ask(Stage::InstanceRole(token), Service::Source, head);
            }
            (Stage::InstanceRole(token), Source::Imds { endpoint }) => {
                let Some(role) = role_in(&answer.body) else {
                    return Step::Failed("it answered with no name of a role".into());
                };
                let head = head("GET", endpoint, &format!("{ROLES}{role}"), &token.header());
                return self.ask(Stage::InstanceKeys, Service::Source, head);
            }
            (Stage::InstanceKeys | Stage::ContainerKeys, _) => {
                (json::read_keys(&answer.body), true)
            }
            (Stage::IdentityKeys, _) => (
                xml::read_keys(&answer.body, "AssumeRoleWithWebIdentity"),
                true,
            ),
            (Stage::RoleKeys, _) => (xml::read_keys(&answer.body, "AssumeRole"), false),
            _ => return out_of_turn(),
        };
        match keys {
            Ok(keys) if source => self.has(keys, now),
            Ok(keys) => Step::Done(keys),
            Err(why) => Step::Failed(why),
        }
    }

    fn leave(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Ended)
    }

    fn read_file(&mut self, stage: Stage, path: PathBuf) -> Step {
        self.stage = stage;
        Step::Read(path)
    }

    fn ask(&mut self, stage: Stage, service: Service, request: Zeroizing<Vec<u8>>) -> Step {
        self.stage = stage;
        Step::Ask(Ask { service, request })
    }

    fn ask_container(&mut self, token: Option<&[u8]>) -> Step {
        let provider = Rc::clone(&self.provider);
        let Some(endpoint) = provider.endpoint(Service::Source) else {
            return out_of_turn();
        };
        let header = match token {
            Some(token) => Zeroizing::new([&b"Authorization: "[..], token, b"\r\n"].concat()),
            None => Zeroizing::default(),
        };
        let head = head_at("GET", endpoint, path_of(endpoint), &header);
        self.ask(Stage::ContainerKeys, Service::Source, head)
    }

    fn ask_for_identity(&mut self, role: &Role, token: &[u8]) -> Step {
        let token = Zeroizing::new(String::from_utf8_lossy(token).into_owned());
        let body = form(
            "AssumeRoleWithWebIdentity",
            role,
            Some(("WebIdentityToken", &token)),
        );
        let head = post(&role.sts, b"", &body);
        self.ask(Stage::IdentityKeys, Service::Source, head)
    }

    /// The source has given its keys, which are what is wanted, or what a role is taken with.
    fn has(&mut self, keys: ProvidedKeys, now: Timestamp) -> Step {
        if self.provider.role.is_none() {
            return Step::Done(keys);
        }
        let (credential, token) = keys.to_credential();
        self.assume(&credential, token.as_ref(), now)
    }

    fn assume(
        &mut self,
        credential: &Credential,
        session_token: Option<&SecretKey>,
        now: Timestamp,
    ) -> Step {
        let provider = Rc::clone(&self.provider);
        let Some(role) = &provider.role else {
            return out_of_turn();
        };
        let external_id = role.external_id.as_deref();
        let body = form("AssumeRole", role, external_id.map(|id| ("ExternalId", id)));
        let authority = role.sts.authority();
        let call = StsCall {
            host: authority.as_bytes(),
            path: path_of(&role.sts).as_bytes(),
            region: &role.region,
            body: &body,
        };
        let signed = sign_sts(&call, credential, session_token, now);
        let head = post(&role.sts, &signed, &body);
        self.ask(Stage::RoleKeys, Service::Role, head)
    }
}

impl MetadataToken {
    fn header(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([b"X-aws-ec2-metadata-token: ", self.0.as_slice(), b"\r\n"].concat())
    }
}

/// It was told of what it had not asked for.
fn out_of_turn() -> Step {
    Step::Failed("it was not asked".into())
}

/// Tells what an answer with another status than 200 says.
fn fault(stage: &Stage, answer: &Answer) -> String {
    let status = answer.status;
    match stage {
        Stage::MetadataToken => format!("it answered {status} to the request for a token (IMDSv2)"),
        Stage::InstanceRole(_) if status == 404 => "the instance has no role".into(),
        Stage::IdentityKeys | Stage::RoleKeys => match xml::error_code(&answer.body) {
            Some(code) => format!("it answered {status} {code}"),
            None => format!("it answered {status}"),
        },
        _ => format!("it answered {status}"),
    }
}

/// Returns what is in a file with a token, or in an answer that is one; `None` if it cannot stand in a header.
fn token_in(text: &[u8]) -> Option<&[u8]> {
    let token = text.trim_ascii();
    let is_token = (1..=MAX_TOKEN).contains(&token.len())
        && token
            .iter()
            .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    is_token.then_some(token)
}

/// Returns the first role of a list:
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html> says what a name may have.
fn role_in(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let role = text.lines().next()?.trim();
    let is_role = (1..=64).contains(&role.len())
        && role
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
    is_role.then_some(role)
}

fn path_of(endpoint: &Endpoint) -> &str {
    match &*endpoint.path {
        "" => "/",
        path => path,
    }
}

/// Writes a request for what an endpoint itself names.
pub(crate) fn get(endpoint: &Endpoint) -> Zeroizing<Vec<u8>> {
    head_at("GET", endpoint, path_of(endpoint), b"")
}

/// Writes a request without a body, for a path below the endpoint's.
fn head(method: &str, endpoint: &Endpoint, path: &str, more: &[u8]) -> Zeroizing<Vec<u8>> {
    head_at(method, endpoint, &format!("{}{path}", endpoint.path), more)
}

fn head_at(method: &str, endpoint: &Endpoint, path: &str, more: &[u8]) -> Zeroizing<Vec<u8>> {
    let beginning = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: */*\r\n\
         User-Agent: ngx_http_s3_resign\r\n",
        endpoint.authority()
    );
    Zeroizing::new([beginning.as_bytes(), more, b"\r\n"].concat())
}

/// Writes the request of a form, which `signed` signs.
fn post(endpoint: &Endpoint, signed: &[u8], body: &[u8]) -> Zeroizing<Vec<u8>> {
    let about = format!(
        "Content-Type: {STS_CONTENT_TYPE}\r\nContent-Length: {}\r\n",
        body.len()
    );
    let more = Zeroizing::new([about.as_bytes(), signed].concat());
    let head = head_at("POST", endpoint, path_of(endpoint), &more);
    Zeroizing::new([&head, body].concat())
}

/// What is not encoded in a form: RFC 3986 section 2.3.
const FORM: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn form(action: &str, role: &Role, more: Option<(&str, &str)>) -> Zeroizing<Vec<u8>> {
    let fields = [
        ("Action", action),
        ("Version", "2011-06-15"),
        ("RoleArn", &role.arn),
        ("RoleSessionName", &role.session_name),
    ];
    // Of one size from the beginning: what grows leaves a copy behind.
    let fields = fields.into_iter().chain(more);
    let longest = fields
        .clone()
        .map(|(name, value)| name.len() + 3 * value.len() + 2)
        .sum();
    let mut body = Zeroizing::new(Vec::with_capacity(longest));
    for (name, value) in fields {
        if !body.is_empty() {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        for piece in utf8_percent_encode(value, &FORM) {
            body.extend_from_slice(piece.as_bytes());
        }
    }
    body
}

#[cfg(test)]
mod tests;
