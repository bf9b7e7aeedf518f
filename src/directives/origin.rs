//! `s3_origin`, of an upstream and of a location.

use std::collections::BTreeMap;
use std::rc::Rc;

use sigv4::{Account, Addressing, Credential, Dialect, Framing, Region, SecretKey};

use crate::{
    account::read_account,
    credentials::{self, ProviderLine},
    host::{Host, NOT_A_HOST},
    location::NOT_A_REGION,
    once::{ONE_ORIGIN, duplicate},
    params::{Params, missing},
    reading::Reading,
    word, words_from,
};

/// One `s3_origin` line.
#[derive(Debug)]
pub struct OriginLine {
    /// The `server` line that it is for; `None` is `default`.
    pub server: Option<Box<[u8]>>,
    /// Whose keys these are; `None` for those of all clients without an account.
    pub account: Option<Account>,
    /// Nobody's with a `provider`.
    pub credential: Credential,
    pub session_token: Option<SecretKey>,
    /// Where the keys come from, if they change.
    pub provider: Option<Rc<ProviderLine>>,
    pub region: Option<Region>,
    pub host: Option<Box<[u8]>>,
    pub addressing: Option<Addressing>,
    pub framing: Option<Framing>,
    pub dialect: Option<Dialect>,
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
    let account = params.take("account")?;
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
    Ok(OriginLine {
        server,
        account: account.map(|name| read_account(named, name)).transpose()?,
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
        framing: one_of(
            named,
            "framing",
            framing,
            [("keep", Framing::Keep), ("decode", Framing::Decode)],
        )?,
        dialect: dialect.map(|name| read_dialect(named, name)).transpose()?,
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

fn read_dialect(named: &str, name: &[u8]) -> Result<Dialect, String> {
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

/// Reads one of two words.
fn one_of<T: Copy>(
    named: &str,
    param: &str,
    value: Option<&[u8]>,
    [(first, one), (second, other)]: [(&str, T); 2],
) -> Result<Option<T>, String> {
    match value {
        None => Ok(None),
        Some(value) if value == first.as_bytes() => Ok(Some(one)),
        Some(value) if value == second.as_bytes() => Ok(Some(other)),
        Some(value) => Err(format!(
            "{named}: \"{param}={}\" is neither \"{first}\" nor \"{second}\"",
            value.escape_ascii()
        )),
    }
}

/// The `s3_origin` lines of an upstream or a location, by account: at most one for each server.
#[derive(Debug, Default)]
pub struct OriginLines(BTreeMap<Option<Account>, Vec<OriginLine>>);

impl OriginLines {
    /// Adds a line of an upstream; an error if its server has one for that account.
    pub fn push(&mut self, line: OriginLine) -> Result<(), String> {
        self.add(line).map_err(|line| {
            let server = named(line.server.as_deref().unwrap_or(DEFAULT));
            match &line.account {
                None => format!("{server} is duplicate: keep one line for each server"),
                Some(account) => format!(
                    "{server}: \"account={}\" is duplicate: keep one line for each account",
                    account.as_str()
                ),
            }
        })
    }

    /// Adds a line of a location; an error if it has one for that account.
    pub fn push_only(&mut self, line: OriginLine) -> Result<(), String> {
        self.add(line).map_err(|line| match &line.account {
            None => duplicate("s3_origin", ONE_ORIGIN),
            Some(account) => duplicate(
                &format!("s3_origin account={}", account.as_str()),
                "keep one line for each account",
            ),
        })
    }

    fn add(&mut self, line: OriginLine) -> Result<(), Box<OriginLine>> {
        let lines = self.0.entry(line.account.clone()).or_default();
        if lines.iter().any(|other| other.server == line.server) {
            return Err(Box::new(line));
        }
        lines.push(line);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line of a server for an account: its own, or that of all others.
    pub fn of_server(&self, server: &[u8], account: Option<&Account>) -> Option<ServerLine<'_>> {
        let keys = self.find(server, account)?;
        let common = account.and_then(|_| self.find(server, None));
        Some(ServerLine { keys, common })
    }

    /// The servers that have a line of their own.
    pub fn servers(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.0.values().flatten();
        lines.filter_map(|line| line.server.as_deref())
    }

    /// Whether there are lines for an account, or, without one, for all clients without.
    pub fn knows(&self, account: Option<&Account>) -> bool {
        self.0.contains_key(&account.cloned())
    }

    /// The accounts that have lines.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.0.keys().flatten()
    }

    fn find(&self, server: &[u8], account: Option<&Account>) -> Option<&OriginLine> {
        let lines = self.0.get(&account.cloned())?;
        let of = |server: Option<&[u8]>| lines.iter().find(|line| line.server.as_deref() == server);
        of(Some(server)).or_else(|| of(None))
    }
}

/// What is said of a server for an account: the line with the keys and, for what that one does not say, the line of the
/// server for all clients without an account.
#[derive(Debug, Clone, Copy)]
pub struct ServerLine<'a> {
    pub keys: &'a OriginLine,
    common: Option<&'a OriginLine>,
}

impl<'a> ServerLine<'a> {
    pub fn region(self) -> Option<Region> {
        self.first(|line| line.region)
    }

    pub fn host(self) -> Option<&'a [u8]> {
        self.first(|line| line.host.as_deref())
    }

    pub fn addressing(self) -> Addressing {
        self.first(|line| line.addressing).unwrap_or_default()
    }

    pub fn framing(self) -> Framing {
        let said = self.first(|line| line.framing);
        said.unwrap_or(self.dialect().framing)
    }

    pub fn dialect(self) -> Dialect {
        self.first(|line| line.dialect).unwrap_or_default()
    }

    fn first<T>(self, said: impl Fn(&'a OriginLine) -> Option<T>) -> Option<T> {
        said(self.keys).or_else(|| self.common.and_then(said))
    }
}
