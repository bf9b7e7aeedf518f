//! `s3_issuer` and `s3_revoke`: minted keys.

use std::collections::HashMap;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use sigv4::{
    Account, Issuer, IssuerAccount, IssuerFault, KeyId, MAX_ISSUER_NAME, MAX_SECRETS,
    MIN_ISSUER_SECRET, MintedAccessKey, Revocations, Timestamp, is_issuer_name,
};

use crate::{
    account::read_account,
    grant::grant,
    params::{Params, missing},
    reading::Reading,
    time, word, words_from,
};

/// In seconds: as long as a session of a role at AWS.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub const MAX_LIFETIME: i64 = 12 * 3_600;

/// A week, in seconds: as long as a presigned URL.
const LONG_LIFETIME: i64 = 7 * 86_400;

/// Reads `s3_issuer NAME secret=V [max_lifetime=TIME] [allow=CLASS|OPERATION,...] [buckets=BUCKET[/KEY],...]
/// [account=NAME|*]`.
pub fn issuer(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<Issuer, String> {
    let name = issuer_name("s3_issuer", word(words, 1))?;
    let named = named("s3_issuer", name);
    let mut params = Params::new(&named, words_from(words, 2));
    let secret = params.take_key("secret", |named, text| reading.secret_key(named, text))?;
    let max_lifetime = params.take("max_lifetime")?;
    let allow = params.take("allow")?;
    let buckets = params.take("buckets")?;
    let account = params.take("account")?;
    params.done()?;

    let secret = secret.ok_or_else(|| missing(&named, "secret"))?;
    let max_lifetime = max_lifetime.map_or(Ok(MAX_LIFETIME), |text| {
        let seconds = time::seconds(text).filter(|seconds| *seconds > 0);
        seconds.ok_or_else(|| {
            format!(
                "{named}: \"max_lifetime={}\" is not a time: write one of at least a second, as \"12h\"",
                text.escape_ascii()
            )
        })
    })?;
    if max_lifetime > LONG_LIFETIME {
        reading.doubt(format!(
            "{named}: \"max_lifetime=\" lets whoever finds a key use it for that long: write at most \"7d\""
        ));
    }
    let grant = grant(&named, allow, buckets)?;
    let account = match account {
        // Its keys name one themselves.
        Some(b"*") => IssuerAccount::Any,
        account => {
            let account = account.map(|name| read_account(&named, name));
            IssuerAccount::One(account.transpose()?)
        }
    };
    let issuer = Issuer::new(name, &secret, max_lifetime, grant);
    let issuer = issuer.map_err(|fault| match fault {
        IssuerFault::WeakSecret => weak_secret(&format!("{named} \"secret=\"")),
        _ => no_name("s3_issuer"),
    })?;
    Ok(issuer.with_account(account))
}

/// The message about a secret of an issuer that could be guessed.
pub fn weak_secret(named: &str) -> String {
    format!(
        "{named} could be guessed, since it has less than {MIN_ISSUER_SECRET} bytes, or few different ones: make \
         one with \"openssl rand -base64 32\""
    )
}

/// Reads `s3_revoke ISSUER ID|ACCESS_KEY ... [before=TIME]`.
pub fn revoke(words: &[&[u8]], revoked: &mut Revocations) -> Result<(), String> {
    const WHAT: &str = "write the last 16 characters of an access key, the whole of it, or \
                        \"before=2026-01-02T03:04:05Z\"";
    let name = issuer_name("s3_revoke", word(words, 1))?;
    let named = named("s3_revoke", name);
    for (index, word) in words.iter().enumerate().skip(2) {
        if let Some(text) = word.strip_prefix(b"before=") {
            let time = Timestamp::parse_iso(text).ok_or_else(|| {
                format!(
                    "{named}: \"before={}\" is not a time: write one as \"2026-01-02T03:04:05Z\"",
                    text.escape_ascii()
                )
            })?;
            revoked.revoke_before(name, time);
            continue;
        }
        let id = match MintedAccessKey::parse(word) {
            Some(minted) if minted.issuer != name => {
                return Err(format!(
                    "{named}: \"{0}\" is an access key of \"{1}\": write \"s3_revoke {1} {0};\"",
                    word.escape_ascii(),
                    minted.issuer.escape_ascii()
                ));
            }
            Some(minted) => Some(minted.id),
            None => KeyId::parse(word),
        };
        // It is not shown, since it may be a secret.
        let id = id.ok_or_else(|| {
            format!("{named}: word {index} after \"s3_revoke\" is no id of a key: {WHAT}")
        })?;
        revoked.revoke(name, id);
    }
    Ok(())
}

/// Checks the name of an issuer, which is not shown if it is none: it may be a secret.
fn issuer_name<'a>(directive: &str, name: &'a [u8]) -> Result<&'a [u8], String> {
    match is_issuer_name(name) {
        true => Ok(name),
        false => Err(no_name(directive)),
    }
}

fn no_name(directive: &str) -> String {
    format!(
        "\"{directive}\" begins with no name of an issuer: write one of 1 to {MAX_ISSUER_NAME} letters and digits, \
         as access keys have"
    )
}

fn named(directive: &str, name: &[u8]) -> String {
    format!("\"{directive} {}\"", name.escape_ascii())
}

/// The issuers of one level, by name: several of one name, each with a secret of its own, while that is replaced.
/// A fast hash is safe, as for `ClientMap`.
#[derive(Debug, Default)]
pub struct IssuerMap(HashMap<Box<[u8]>, ArrayVec<Issuer, MAX_SECRETS>, RandomState>);

impl IssuerMap {
    /// Adds an issuer; an error if as many have its name as may, or one has its secret too.
    pub fn insert(&mut self, issuer: Issuer) -> Result<(), String> {
        let named = named("s3_issuer", issuer.name());
        let duplicate = |what| Err(format!("{named} is duplicate: {what}"));
        let issuers = self.0.entry(issuer.name().into()).or_default();
        if issuers.iter().any(|other| other.has_secret_of(&issuer)) {
            return duplicate("keep one line for each secret of an issuer");
        }
        if issuers.is_full() {
            return duplicate("keep two lines for an issuer, with its old secret and its new one");
        }
        issuers.push(issuer);
        Ok(())
    }

    /// Lists those of a name.
    pub fn named(&self, name: &[u8]) -> &[Issuer] {
        self.0.get(name).map_or(&[], |issuers| issuers)
    }

    /// Finds an issuer whose account, or lack of one, is none that `is_known`; the first by name. One whose keys name an
    /// account themselves is none of them.
    pub fn find_stray(&self, is_known: impl Fn(Option<&Account>) -> bool) -> Option<&Issuer> {
        let issuers = self.0.values().flatten();
        let strays = issuers.filter(|issuer| match issuer.account() {
            IssuerAccount::Any => false,
            IssuerAccount::One(account) => !is_known(account.as_ref()),
        });
        strays.min_by_key(|issuer| issuer.name())
    }

    /// Lists the names, in order.
    pub fn names(&self) -> Vec<&[u8]> {
        let mut names: Vec<_> = self.0.keys().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
