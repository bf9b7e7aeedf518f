//! `s3_origin`, of an upstream and of a location.

use std::rc::Rc;

use sigv4::{Addressing, Credential, Dialect, Framing, Region, SecretKey};

use crate::{
    credentials::{self, ProviderLine},
    host::{Host, NOT_A_HOST},
    location::NOT_A_REGION,
    params::{Params, missing},
    reading::Reading,
    word, words_from,
};

/// One `s3_origin` line.
#[derive(Debug)]
pub struct OriginLine {
    /// The `server` line that it is for; `None` is `default`.
    pub server: Option<Box<[u8]>>,
    /// Nobody's with a `provider`.
    pub credential: Credential,
    pub session_token: Option<SecretKey>,
    /// Where the keys come from, if they change.
    pub provider: Option<Rc<ProviderLine>>,
    pub region: Option<Region>,
    pub host: Option<Box<[u8]>>,
    pub addressing: Addressing,
    pub framing: Framing,
    pub dialect: Dialect,
}

/// Reads `s3_origin SERVER|default access_key=V secret_key=V ...`, in an upstream.
pub fn upstream_origin(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<OriginLine, String> {
    let server = word(words, 1);
    let mut parts = server.split(|c| *c == b'=');
    if let (Some(name), Some(_)) = (parts.next(), parts.next()) {
        return Err(format!(
            "\"s3_origin\" in an upstream begins with a server, not with \"{}\": \
             write \"s3_origin SERVER access_key=... secret_key=...;\", or \"default\" for SERVER",
            name.escape_ascii()
        ));
    }
    let named = named(server);
    let server = (server != DEFAULT).then(|| server.into());
    origin(&named, server, words_from(words, 2), reading)
}

/// Reads `s3_origin [default] access_key=V secret_key=V ...`, for a `proxy_pass` that names a host.
pub fn location_origin(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<OriginLine, String> {
    let params = match word(words, 1) {
        DEFAULT => words_from(words, 2),
        _ => words_from(words, 1),
    };
    origin("\"s3_origin\"", None, params, reading)
}

const DEFAULT: &[u8] = b"default";

fn named(server: &[u8]) -> String {
    format!("\"s3_origin {}\"", server.escape_ascii())
}

fn origin(
    named: &str,
    server: Option<Box<[u8]>>,
    words: &[&[u8]],
    reading: &mut Reading<'_>,
) -> Result<OriginLine, String> {
    let mut params = Params::new(named, words);
    let access_key =
        params.take_key("access_key", |named, text| reading.access_key(named, text))?;
    let secret = params.take_key("secret_key", |named, text| reading.secret_key(named, text))?;
    let session_token = params.take_key("session_token", |named, text| {
        reading.session_token(named, text)
    })?;
    let region = params.take("region")?;
    let host = params.take("host")?;
    let addressing = params.take("addressing")?;
    let framing = params.take("framing")?;
    let dialect = params.take("dialect")?;
    let provided = credentials::Words::take(&mut params)?;
    params.done()?;

    let region = region.map(|name| read_region(named, name)).transpose()?;
    let mut keys = match (access_key, secret) {
        (None, None) if session_token.is_none() && provided.name_a_provider() => None,
        _ if provided.name_a_provider() => return Err(credentials::both(named)),
        (access_key, secret) => {
            let access_key = access_key.ok_or_else(|| missing(named, "access_key"))?;
            let secret = secret.ok_or_else(|| missing(named, "secret_key"))?;
            Some((Credential::new(&access_key, secret), session_token))
        }
    };
    let provider = provided.read(named, &mut keys, region, reading)?;
    let (credential, session_token) = keys.unwrap_or_else(|| (Credential::none(), None));
    let dialect = read_dialect(named, dialect)?;
    Ok(OriginLine {
        server,
        credential,
        session_token,
        provider: provider.map(Rc::new),
        region,
        host: host.map(|host| read_host(named, host)).transpose()?,
        addressing: one_of(
            named,
            "addressing",
            addressing,
            [("path", Addressing::Path), ("virtual", Addressing::Virtual)],
        )?,
        framing: match framing {
            None => dialect.framing,
            framing => one_of(
                named,
                "framing",
                framing,
                [("keep", Framing::Keep), ("decode", Framing::Decode)],
            )?,
        },
        dialect,
    })
}

fn read_region(named: &str, name: &[u8]) -> Result<Region, String> {
    let region = Region::parse_name(name);
    region.ok_or_else(|| {
        format!(
            "{named}: \"region={}\" {NOT_A_REGION}: {}",
            name.escape_ascii(),
            Region::RULE
        )
    })
}

fn read_dialect(named: &str, name: Option<&[u8]>) -> Result<Dialect, String> {
    let Some(name) = name else {
        return Ok(Dialect::default());
    };
    Dialect::named(name).ok_or_else(|| {
        let names = Dialect::NAMES.map(|name| format!("\"{name}\""));
        format!(
            "{named}: \"dialect={}\" is none that is known: write one of {}",
            name.escape_ascii(),
            names.join(", ")
        )
    })
}

fn read_host(named: &str, host: &[u8]) -> Result<Box<[u8]>, String> {
    match Host::parse(host) {
        Some(_) => Ok(host.into()),
        None => Err(format!(
            "{named}: \"host={}\" {NOT_A_HOST}",
            host.escape_ascii()
        )),
    }
}

/// Reads one of two words, of which the first is the default.
fn one_of<T: Copy>(
    named: &str,
    param: &str,
    value: Option<&[u8]>,
    [(first, default), (second, other)]: [(&str, T); 2],
) -> Result<T, String> {
    match value {
        None => Ok(default),
        Some(value) if value == first.as_bytes() => Ok(default),
        Some(value) if value == second.as_bytes() => Ok(other),
        Some(value) => Err(format!(
            "{named}: \"{param}={}\" is neither \"{first}\" nor \"{second}\"",
            value.escape_ascii()
        )),
    }
}

/// The `s3_origin` lines of an upstream: at most one for each server.
#[derive(Debug, Default)]
pub struct OriginLines(Vec<OriginLine>);

impl OriginLines {
    /// Adds a line; an error if its server has one.
    pub fn push(&mut self, line: OriginLine) -> Result<(), String> {
        if self.find(line.server.as_deref()).is_some() {
            return Err(format!(
                "{} is duplicate: keep one line for each server",
                named(line.server.as_deref().unwrap_or(DEFAULT))
            ));
        }
        self.0.push(line);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line of a server: its own, or that of all others.
    pub fn of_server(&self, server: &[u8]) -> Option<&OriginLine> {
        self.find(Some(server)).or_else(|| self.find(None))
    }

    /// The servers that have a line of their own.
    pub fn servers(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter_map(|line| line.server.as_deref())
    }

    fn find(&self, server: Option<&[u8]>) -> Option<&OriginLine> {
        self.0.iter().find(|line| line.server.as_deref() == server)
    }
}
