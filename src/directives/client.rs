//! `s3_client`, and the same in a file.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::path::PathBuf;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use secrets::{Kind, check_literal};
use sigv4::{Account, Claimants, Client, Credential, Grant, MAX_SECRETS, Timestamp};

use crate::{
    account::read_account,
    grant::grant,
    params::{Params, missing},
    reading::Reading,
    word, words_from,
};

/// Reads `s3_client KEY secret_key=V [session_token=V] [allow=CLASS|OPERATION,...] [buckets=BUCKET[/KEY],...]
/// [expires=TIME] [account=NAME]`.
pub fn client(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<Client, String> {
    let access_key = reading.access_key("\"s3_client\" access key", word(words, 1))?;
    let named = named(&access_key);
    let params = ClientParams::read(&named, words_from(words, 2))?;
    let secret = params.secret_key.map(|text| {
        let named = format!("{named} \"secret_key=\"");
        reading.secret_key(&named, text)
    });
    let secret = secret.unwrap_or_else(|| Err(missing(&named, "secret_key")))?;
    let session_token = params.session_token.map(|text| {
        let named = format!("{named} \"session_token=\"");
        reading.session_token(&named, text)
    });
    let credential = Credential::new(&access_key, secret);
    Ok(Client {
        session_token: session_token.transpose()?.into(),
        expires: params.expires,
        account: (params.account)
            .map(|name| read_account(&named, name))
            .transpose()?,
        ..Client::new(credential, grant(&named, params.allow, params.buckets)?)
    })
}

fn named(access_key: &[u8]) -> String {
    format!("\"s3_client {}\"", access_key.escape_ascii())
}

/// What follows the access key.
struct ClientParams<'a> {
    secret_key: Option<&'a [u8]>,
    session_token: Option<&'a [u8]>,
    allow: Option<&'a [u8]>,
    buckets: Option<&'a [u8]>,
    expires: Option<Timestamp>,
    account: Option<&'a [u8]>,
}

impl<'a> ClientParams<'a> {
    fn read(
        named: &(impl Display + ?Sized),
        words: &[&'a [u8]],
    ) -> Result<ClientParams<'a>, String> {
        let mut params = Params::new(named, words);
        let read = ClientParams {
            secret_key: params.take("secret_key")?,
            session_token: params.take("session_token")?,
            allow: params.take("allow")?,
            buckets: params.take("buckets")?,
            expires: match params.take("expires")? {
                None => None,
                Some(text) => Some(Timestamp::parse_iso(text).ok_or_else(|| {
                    format!(
                        "{named}: \"expires=\" is no time: write it in UTC, as \
                         \"expires=2026-12-31T23:59:59Z\""
                    )
                })?),
            },
            account: params.take("account")?,
        };
        params.done()?;
        Ok(read)
    }
}

/// A client as a line of a file has it: everything stands there literally.
#[derive(Clone, Copy)]
pub struct ClientLine<'a> {
    pub access_key: &'a [u8],
    pub secret_key: &'a [u8],
    pub session_token: Option<&'a [u8]>,
    /// For [`ClientLine::grant`], and [`ClientLine::account`]: many lines have the same.
    pub allow: Option<&'a [u8]>,
    pub buckets: Option<&'a [u8]>,
    pub expires: Option<Timestamp>,
    pub account: Option<&'a [u8]>,
}

impl fmt::Debug for ClientLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLine")
            .field("access_key", &self.access_key.escape_ascii())
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl<'a> ClientLine<'a> {
    /// Reads the words of a line. `named` is what messages call the line.
    pub fn read(named: &impl Display, words: &[&'a [u8]]) -> Result<ClientLine<'a>, String> {
        let access_key = word(words, 0);
        check_literal(access_key, Kind::AccessKey)
            .map_err(|why| format!("{named}: access key {why}"))?;
        let params = ClientParams::read(named, words_from(words, 1))?;
        let check = |name: &str, value, kind| {
            check_literal(value, kind).map_err(|why| format!("{named}: \"{name}=\" {why}"))
        };
        let secret_key = params.secret_key.ok_or_else(|| {
            format!("{named}: \"secret_key=\" is not there: add \"secret_key=VALUE\"")
        })?;
        check("secret_key", secret_key, Kind::SecretKey)?;
        if let Some(token) = params.session_token {
            check("session_token", token, Kind::SessionToken)?;
        }
        Ok(ClientLine {
            access_key,
            secret_key,
            session_token: params.session_token,
            allow: params.allow,
            buckets: params.buckets,
            expires: params.expires,
            account: params.account,
        })
    }

    /// Reads what the client may do.
    pub fn grant(&self, named: &impl Display) -> Result<Grant, String> {
        grant(named, self.allow, self.buckets)
    }

    /// Reads whose keys it has at the origins.
    pub fn account(&self, named: &impl Display) -> Result<Option<Account>, String> {
        let account = self.account.map(|name| read_account(named, name));
        account.transpose()
    }

    /// Tells what is likely to be a mistake.
    pub fn doubt(&self) -> Option<String> {
        let doubt = secrets::doubt(self.secret_key)?;
        Some(format!("\"secret_key=\" {doubt}"))
    }
}

/// Reads the path of `s3_client_file PATH`.
pub fn client_file(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<PathBuf, String> {
    reading.file("\"s3_client_file\"", word(words, 1))
}

/// The clients of one level, by access key: several of one key, each with a secret of its own, while that is
/// replaced. A fast hash is safe: the configuration alone puts keys there, so whatever strangers ask for makes
/// none collide.
#[derive(Debug, Default)]
pub struct ClientMap(HashMap<Box<[u8]>, ArrayVec<Client, MAX_SECRETS>, RandomState>);

impl ClientMap {
    /// Adds a client; an error if as many have its access key as may, or one has its secret too.
    pub fn insert(&mut self, client: Client) -> Result<(), String> {
        let access_key = client.credential.access_key();
        let duplicate = |what| Err(format!("{} is duplicate: {what}", named(access_key)));
        let clients = self.0.entry(access_key.into()).or_default();
        let has_secret = |other: &Client| other.credential.has_secret_of(&client.credential);
        if clients.iter().any(has_secret) {
            return duplicate("keep one line for each secret of an access key");
        }
        if clients.is_full() {
            return duplicate(
                "keep two lines for an access key, with its old secret and its new one",
            );
        }
        clients.push(client);
        Ok(())
    }

    pub fn find(&self, access_key: &[u8]) -> Claimants<'_> {
        let clients = self.0.get(access_key);
        clients.into_iter().flatten().collect()
    }

    /// Finds a client whose account, or lack of one, is none that `is_known`; the first by access key.
    pub fn find_stray(&self, is_known: impl Fn(Option<&Account>) -> bool) -> Option<&Client> {
        let clients = self.0.values().flatten();
        let strays = clients.filter(|client| !is_known(client.account.as_ref()));
        strays.min_by_key(|client| client.credential.access_key())
    }
}
