//! What the tests share: requests as text, and a directory of clients.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod addressing;
pub mod allowance;
pub mod answered;
pub mod asking;
pub mod form;
pub mod minting;
pub mod model;
pub mod naming;
pub mod operations;
pub mod reading;
pub mod reference;
pub mod sending;
pub mod upload;

use std::collections::HashMap;

use sigv4::*;

/// Clients by access key.
pub struct Directory(pub HashMap<Vec<u8>, Client>);

impl Directory {
    /// Makes one of clients that may have any session token, as origins' keys do; sessions.rs has what it must be.
    pub fn new(keys: &[(&str, &str)]) -> Directory {
        let client = |secret: &str, key: &str| Client {
            session_token: RequiredToken::Found,
            ..Client::new(credential(key, secret), Grant::default())
        };
        Directory(
            keys.iter()
                .map(|(key, secret)| (key.as_bytes().to_vec(), client(secret, key)))
                .collect(),
        )
    }

    pub fn with_grant(key: &str, secret: &str, grant: Grant) -> Directory {
        let client = Client::new(credential(key, secret), grant);
        Directory(HashMap::from([(key.as_bytes().to_vec(), client)]))
    }
}

impl<'c> Clients<'c> for &'c Directory {
    fn find(self, claim: &Claim<'_>) -> Result<Claimants<'c>, Rejection> {
        Ok(self.0.get(claim.access_key).into_iter().collect())
    }
}

/// `allow=` and `buckets=`; empty for none.
pub fn grant(allow: &str, buckets: &str) -> Grant {
    let part = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    let (allow, buckets) = (part(allow), part(buckets));
    Grant::parse(allow.as_deref(), buckets.as_deref()).unwrap()
}

pub fn credential(key: &str, secret: &str) -> Credential {
    Credential::new(key.as_bytes(), SecretKey::new(secret.as_bytes().to_vec()))
}

/// What a verdict goes by, for as long as the verdict may be asked.
pub fn kept<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

pub fn rules() -> VerifyRules {
    VerifyRules {
        max_skew: 900,
        ..VerifyRules::default()
    }
}

/// A request written as `METHOD target`, then a header a line.
#[derive(Clone)]
pub struct Raw<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub host: Option<&'a [u8]>,
    pub headers: Vec<Header<'a>>,
}

impl<'a> Raw<'a> {
    pub fn new(text: &'a str) -> Raw<'a> {
        let mut lines = text.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines
            .take_while(|line| !line.is_empty())
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| Header {
                name: name.as_bytes(),
                value: value.trim().as_bytes(),
            })
            .collect();
        Raw {
            method,
            path,
            query,
            host: None,
            headers,
        }
    }

    pub fn request(&self) -> ClientRequest<'_, 'a> {
        ClientRequest {
            method: self.method.as_bytes(),
            path: self.path.as_bytes(),
            query: self.query.as_bytes(),
            host: self.host,
            path_with_plus: None,
            rewritten: None,
            headers: &self.headers,
        }
    }
}

/// Verifies with a cache of its own.
pub fn verdict<'r>(
    raw: &Raw<'r>,
    clients: &'r Directory,
    rules: &'r VerifyRules,
    now: i64,
) -> Result<Verified<'r>, Rejection> {
    verify(
        &raw.request(),
        clients,
        rules,
        &mut KeyCache::new(8),
        Timestamp(now),
    )
    .map_err(|rejected| rejected.rejection)
}
