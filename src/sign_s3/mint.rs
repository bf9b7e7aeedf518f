//! `sign_s3 mint`: makes a key of an issuer, for a while and for some of what that may give.

use std::{ffi::OsString, fs::File, io::Read, os::unix::ffi::OsStrExt};

use directives::{MAX_LIFETIME, seconds, weak_secret};
use lexopt::{Arg, Parser, ValueExt};
use secrets::Kind;
use sigv4::{
    Account, AccountOfKey, Grant, GrantFault, Issuer, IssuerAccount, IssuerFault, KeyId, KeyTerms,
    MAX_ISSUER_NAME, MintedKey, Scope, SecretKey, Timestamp, Unmintable,
};

use crate::{now, read_key};

pub(crate) const HELP: &str = "\
Mints a key: temporary credentials that a proxy with the same s3_issuer accepts,
without being told of them.

usage: sign_s3 mint [options]

      --issuer NAME        name of the issuer ($S3_ISSUER)
      --secret SECRET      its secret (env:S3_ISSUER_SECRET); may be env:NAME or
                           file:PATH, to stay out of the list of processes
      --allow LIST         what the key may do, as in s3_client (all that its
                           issuer may give)
      --buckets PATTERNS   and where, likewise
      --account NAME       whose keys it has at the origins; the issuer's line has
                           account=* or the same (that of the issuer)
      --role NAME          what logs call it, as they do keys of STS, and its
      --session NAME       session
      --expires TIME       how long it lives, as 15m or 12h (1h)
      --max-lifetime TIME  what the issuer's line in nginx says (12h)
      --id ID              16 of A-Z and 2-7, for s3_revoke (random); the end of
                           the access key
      --format FORMAT      env, env-no-export, json for credential_process, or
                           profile for ~/.aws/credentials (env)
      --profile NAME       name of the profile (default)
  -h, --help               print this

example: sign_s3 mint --issuer ci --allow read --buckets 'media/2026*' --expires 1h
";

/// How a key is printed: the first two as `aws configure export-credentials` has them.
#[derive(Clone, Copy)]
enum Format {
    Env,
    EnvNoExport,
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
    Json,
    Profile,
}

/// Returns what is to be printed.
pub(crate) fn run(mut parser: Parser) -> Result<String, lexopt::Error> {
    let mut issuer = std::env::var_os("S3_ISSUER");
    let mut secret = OsString::from("env:S3_ISSUER_SECRET");
    let (mut allow, mut buckets) = (None, None);
    let (mut account, mut role, mut session) = (None, None, None);
    let (mut lifetime, mut max_lifetime) = (3_600, MAX_LIFETIME);
    let mut id = None;
    let mut format = Format::Env;
    let mut profile = OsString::from("default");
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(HELP.to_owned()),
            Arg::Long("issuer") => issuer = Some(parser.value()?),
            Arg::Long("secret") => secret = parser.value()?,
            Arg::Long("allow") => allow = Some(parser.value()?),
            Arg::Long("buckets") => buckets = Some(parser.value()?),
            Arg::Long("account") => account = Some(read_account(&parser.value()?)?),
            Arg::Long("role") => role = Some(parser.value()?.string()?),
            Arg::Long("session") => session = Some(parser.value()?.string()?),
            Arg::Long("expires") => lifetime = time("--expires", &parser.value()?)?,
            Arg::Long("max-lifetime") => max_lifetime = time("--max-lifetime", &parser.value()?)?,
            Arg::Long("id") => {
                let text = parser.value()?;
                let read = KeyId::parse(text.as_bytes());
                id = Some(read.ok_or("--id is 16 characters, each of A-Z or 2-7")?);
            }
            Arg::Long("format") => {
                format = match parser.value()?.as_bytes() {
                    b"env" => Format::Env,
                    b"env-no-export" => Format::EnvNoExport,
                    b"json" | b"process" => Format::Json,
                    b"profile" => Format::Profile,
                    _ => return Err("--format is env, env-no-export, json or profile".into()),
                };
            }
            Arg::Long("profile") => profile = parser.value()?,
            Arg::Value(_) => return Err("\"sign_s3 mint\" takes options alone".into()),
            other => return Err(other.unexpected()),
        }
    }
    let name = issuer.ok_or("--issuer is missing: give the name of an s3_issuer")?;
    let secret = read_key("--secret", &secret, Kind::SecretKey)?;
    let secret = SecretKey::new(secret.to_vec());
    let issuer = Issuer::new(name.as_bytes(), &secret, max_lifetime, Grant::default());
    let issuer = issuer.map_err(|fault| match fault {
        IssuerFault::WeakSecret => weak_secret("--secret"),
        _ => format!("--issuer is 1 to {MAX_ISSUER_NAME} letters and digits"),
    })?;
    // Which accounts there may be is for the proxy to say.
    let issuer = issuer.with_account(IssuerAccount::Any);
    let terms = KeyTerms {
        scopes: vec![Scope {
            allow: allow.as_deref().map(OsStrExt::as_bytes),
            buckets: buckets.as_deref().map(OsStrExt::as_bytes),
        }],
        account: (account.as_ref()).map_or(AccountOfKey::OfIssuer, AccountOfKey::Named),
        role: role.as_deref(),
        session: session.as_deref(),
        parent: None,
    };
    let id = match id {
        Some(id) => id,
        None => random_id()?,
    };
    let now = now()?;
    let expires = Timestamp(now.0.saturating_add(lifetime));
    let key = issuer
        .mint_with(&terms, id, now, expires)
        .map_err(|why| told(why, max_lifetime))?;
    let profile = profile
        .to_str()
        .filter(|name| !name.is_empty() && !name.contains(|c: char| c.is_control() || c == ']'))
        .ok_or("--profile is not the name of a profile")?;
    Ok(print(&key, format, profile))
}

fn time(named: &str, text: &OsString) -> Result<i64, String> {
    let read = seconds(text.as_bytes()).filter(|seconds| *seconds > 0);
    read.ok_or_else(|| format!("{named} is a time of at least a second, as 15m or 12h"))
}

fn read_account(name: &OsString) -> Result<Account, String> {
    let account = Account::parse(name.as_bytes());
    account.ok_or_else(|| format!("--account is a name of {}", Account::RULE))
}

/// Draws from the system's random numbers.
fn random_id() -> Result<KeyId, String> {
    let mut bits = [0; 10];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bits));
    read.map_err(|error| format!("cannot read \"/dev/urandom\": {error}"))?;
    Ok(KeyId::of(bits))
}

/// Says why a key cannot be minted.
fn told(why: Unmintable<'_>, max_lifetime: i64) -> String {
    match why {
        Unmintable::Scope(GrantFault::Allow(word)) => format!(
            "\"{}\" in --allow is neither a class nor an operation: write read, write, list, delete, all, or names \
             as GetObject or ListObject*, separated by commas",
            word.escape_ascii()
        ),
        Unmintable::Scope(GrantFault::Place(pattern)) => format!(
            "\"{}\" in --buckets is not a pattern: write BUCKET or BUCKET/PREFIX* with * for any run of characters, \
             separated by commas",
            pattern.escape_ascii()
        ),
        Unmintable::Lifetime => format!(
            "--expires is longer than {max_lifetime} seconds: write less, or what \"max_lifetime=\" of the issuer \
             says as --max-lifetime"
        ),
        Unmintable::Name => {
            "--role and --session are each 1 to 64 letters, digits and +=,.@_-".into()
        }
        Unmintable::TooLong => {
            "--allow and --buckets are too long for a session token: write shorter patterns".into()
        }
        _ => "--allow or --buckets cannot be read".into(),
    }
}

fn print(key: &MintedKey, format: Format, profile: &str) -> String {
    let MintedKey {
        access_key,
        session_token,
        id,
        ..
    } = key;
    let secret_key = key.secret_key.as_str();
    let expires = key.expires.to_iso();
    // Nothing in them is special to a shell, nor in JSON.
    match format {
        // The comment is the last line, so that it comments nothing out where lines are joined.
        Format::Env => format!(
            "export AWS_ACCESS_KEY_ID={access_key}\n\
             export AWS_SECRET_ACCESS_KEY={secret_key}\n\
             export AWS_SESSION_TOKEN={session_token}\n\
             export AWS_CREDENTIAL_EXPIRATION={expires}\n\
             # id {id}\n"
        ),
        Format::EnvNoExport => format!(
            "AWS_ACCESS_KEY_ID={access_key}\n\
             AWS_SECRET_ACCESS_KEY={secret_key}\n\
             AWS_SESSION_TOKEN={session_token}\n\
             AWS_CREDENTIAL_EXPIRATION={expires}\n"
        ),
        Format::Json => format!(
            "{{\"Version\": 1, \"AccessKeyId\": \"{access_key}\", \"SecretAccessKey\": \"{secret_key}\", \
             \"SessionToken\": \"{session_token}\", \"Expiration\": \"{expires}\"}}\n"
        ),
        Format::Profile => format!(
            "# id {id}, until {expires}\n\
             [{profile}]\n\
             aws_access_key_id = {access_key}\n\
             aws_secret_access_key = {secret_key}\n\
             aws_session_token = {session_token}\n"
        ),
    }
}
