//! `s3_client`

use std::collections::{HashMap, hash_map::Entry};

use foldhash::fast::RandomState;
use sigv4::{Client, Credential};

use crate::{
    grant::grant,
    params::{Params, missing},
    reading::Reading,
    word, words_from,
};

/// Reads `s3_client KEY secret_key=V [allow=CLASS|OPERATION,...] [buckets=BUCKET[/KEY],...]`.
pub fn client(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<Client, String> {
    let access_key = reading.access_key("\"s3_client\" access key", word(words, 1))?;
    let named = named(&access_key);
    let mut params = Params::new(&named, words_from(words, 2));
    let secret = params.take_key("secret_key", |named, text| reading.secret_key(named, text))?;
    let allow = params.take("allow")?;
    let buckets = params.take("buckets")?;
    params.done()?;

    let secret = secret.ok_or_else(|| missing(&named, "secret_key"))?;
    Ok(Client {
        credential: Credential::new(&access_key, secret),
        grant: grant(&named, allow, buckets)?,
    })
}

fn named(access_key: &[u8]) -> String {
    format!("\"s3_client {}\"", access_key.escape_ascii())
}

/// The clients of one level, by access key. A fast hash is safe: the configuration alone puts keys
/// there, so whatever strangers ask for makes none collide.
#[derive(Debug, Default)]
pub struct ClientMap(HashMap<Box<[u8]>, Client, RandomState>);

impl ClientMap {
    /// Adds a client; an error if there is one with its access key.
    pub fn insert(&mut self, client: Client) -> Result<(), String> {
        match self.0.entry(client.credential.access_key().into()) {
            Entry::Vacant(place) => {
                place.insert(client);
                Ok(())
            }
            Entry::Occupied(place) => Err(format!(
                "{} is duplicate: keep one line for each access key",
                named(place.key())
            )),
        }
    }

    pub fn find(&self, access_key: &[u8]) -> Option<&Client> {
        self.0.get(access_key)
    }
}
