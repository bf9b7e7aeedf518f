//! `s3_client`

use std::collections::HashMap;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use sigv4::{Claimants, Client, Credential, MAX_SECRETS};

use crate::{
    grant::grant,
    params::{Params, missing},
    reading::Reading,
    word, words_from,
};

/// Reads `s3_client KEY secret_key=V [session_token=V] [allow=CLASS|OPERATION,...] [buckets=BUCKET[/KEY],...]`.
pub fn client(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<Client, String> {
    let access_key = reading.access_key("\"s3_client\" access key", word(words, 1))?;
    let named = named(&access_key);
    let mut params = Params::new(&named, words_from(words, 2));
    let secret = params.take_key("secret_key", |named, text| reading.secret_key(named, text))?;
    let session_token = params.take_key("session_token", |named, text| {
        reading.session_token(named, text)
    })?;
    let allow = params.take("allow")?;
    let buckets = params.take("buckets")?;
    params.done()?;

    let secret = secret.ok_or_else(|| missing(&named, "secret_key"))?;
    let credential = Credential::new(&access_key, secret);
    Ok(Client {
        session_token,
        ..Client::new(credential, grant(&named, allow, buckets)?)
    })
}

fn named(access_key: &[u8]) -> String {
    format!("\"s3_client {}\"", access_key.escape_ascii())
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
}
