//! Prints a presigned S3 URL, or a key that it mints.
#![forbid(unsafe_code)]

mod mint;

use std::{
    ffi::{OsStr, OsString},
    mem,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use directives::Host;
use lexopt::{Arg, Parser, ValueExt};
use secrets::{Kind, Outside, Value};
use sigv4::{Credential, Header, Presign, Region, SecretKey, Timestamp};

/// For a key that someone types, or that a pipe brings.
const WAIT: Duration = Duration::from_secs(60);

const HELP: &str = "\
Prints a presigned S3 URL, or mints a key: see sign_s3 mint --help.

usage: sign_s3 [options] ENDPOINT KEY SECRET BUCKET OBJECT

  ENDPOINT   http://HOST[:PORT] or https://HOST[:PORT]
  KEY        access key
  SECRET     secret key
  BUCKET     bucket name
  OBJECT     key of the object, not percent-encoded

  KEY and SECRET may be env:NAME (an environment variable) or file:PATH (its
  first line), so that they stay out of the list of processes.

  -v, --version 4|2       signature version (4)
      --region REGION     region of a version 4 signature, may be empty (us-east-1)
      --method METHOD     HTTP method that the URL is good for (GET)
      --expires SECONDS   how long it is good for, 1 to 604800 (3600)
      --header 'N: V'     a header that must be sent with it; may be repeated
      --session-token T   session token of temporary credentials, of version 4;
                          may be env:NAME or file:PATH too
  -h, --help              print this

example: sign_s3 -v 4 --region \"\" http://localhost:8080 KEY SECRET bucket path/to/object.mp4
";

fn main() -> ExitCode {
    let outcome = match std::env::args_os().nth(1) {
        Some(word) if word == "mint" => {
            mint::run(Parser::from_args(std::env::args_os().skip(2))).map_err(|e| e.to_string())
        }
        _ => match Command::parse(Parser::from_env()) {
            Ok(Some(command)) => command.url(),
            Ok(None) => Ok(HELP.to_owned()),
            Err(error) => Err(error.to_string()),
        },
    };
    match outcome {
        Ok(text) => {
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("sign_s3: {reason}\nTry 'sign_s3 --help'.");
            ExitCode::from(2)
        }
    }
}

#[derive(Clone, Copy)]
enum Version {
    V2,
    V4,
}

struct Command {
    version: Version,
    region: Region,
    method: OsString,
    expires: u32,
    headers: Vec<OsString>,
    endpoint: String,
    credential: Credential,
    session_token: Option<Value>,
    bucket: OsString,
    key: OsString,
}

impl Command {
    /// `None` if help is asked for.
    fn parse(mut parser: Parser) -> Result<Option<Command>, lexopt::Error> {
        let mut version = Version::V4;
        let mut region = OsString::from("us-east-1");
        let mut method = OsString::from("GET");
        let mut expires = 3_600;
        let mut headers = Vec::new();
        let mut session_token = None;
        let mut operands = Vec::new();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Short('v') | Arg::Long("version") => {
                    version = match parser.value()?.as_bytes() {
                        b"2" => Version::V2,
                        b"4" => Version::V4,
                        _ => return Err("the signature version is 4 or 2".into()),
                    };
                }
                Arg::Long("region") => region = parser.value()?,
                Arg::Long("method") => method = parser.value()?,
                Arg::Long("expires") => {
                    let seconds = parser.value()?.parse().ok();
                    expires = seconds.ok_or("--expires is a whole number of seconds")?;
                }
                Arg::Long("header") => headers.push(parser.value()?),
                Arg::Long("session-token") => session_token = Some(parser.value()?),
                Arg::Value(operand) => operands.push(operand),
                other => return Err(other.unexpected()),
            }
        }
        let [endpoint, access_key, secret, bucket, key]: [OsString; 5] = operands
            .try_into()
            .map_err(|_| "expecting ENDPOINT KEY SECRET BUCKET OBJECT")?;
        let access_key = read_key("the access key", &access_key, Kind::AccessKey)?;
        let mut secret = read_key("the secret key", &secret, Kind::SecretKey)?;
        let session_token = session_token
            .map(|token| read_key("the session token", &token, Kind::SessionToken))
            .transpose()?;
        Ok(Some(Command {
            version,
            region: Region::parse(region.as_bytes())
                .ok_or_else(|| format!("--region is not a region: {}", Region::RULE))?,
            method,
            expires,
            headers,
            endpoint: endpoint
                .into_string()
                .map_err(|_| "the endpoint is not text")?,
            credential: Credential::new(&access_key, SecretKey::new(mem::take(&mut *secret))),
            session_token,
            bucket,
            key,
        }))
    }

    fn url(&self) -> Result<String, String> {
        let (scheme, host) = endpoint(&self.endpoint)?;
        let headers = self
            .headers
            .iter()
            .map(|header| parse_header(header))
            .collect::<Result<Vec<_>, _>>()?;
        let presign = Presign {
            method: self.method.as_bytes(),
            host: host.as_bytes(),
            bucket: self.bucket.as_bytes(),
            key: self.key.as_bytes(),
            headers: &headers,
            session_token: self.session_token.as_ref().map(|token| &***token),
            region: self.region,
            expires: self.expires,
        };
        let target = match self.version {
            Version::V4 => presign.v4(&self.credential, now()?),
            Version::V2 => presign.v2(&self.credential, now()?),
        };
        let target = target.map_err(|error| error.to_string())?;
        Ok(format!("{scheme}{host}{}", target.escape_ascii()))
    }
}

fn now() -> Result<Timestamp, String> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok();
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    seconds
        .map(Timestamp)
        .ok_or_else(|| "the clock is before 1970".into())
}

/// Reads a literal, `env:NAME` or `file:PATH`.
fn read_key(named: &str, argument: &OsStr, kind: Kind) -> Result<Value, String> {
    let outside = Outside {
        variable: &|name| std::env::var_os(name),
        folder: Path::new(""),
        wait: WAIT,
        process: "sign_s3",
    };
    let secret = secrets::read(named, argument.as_bytes(), kind, &outside)?;
    if let Some(doubt) = secret.doubt() {
        eprintln!("sign_s3: {doubt}");
    }
    Ok(secret.into_value())
}

/// Splits an endpoint into the scheme with its slashes, and the host as HTTP clients send it: without
/// the scheme's own port.
fn endpoint(url: &str) -> Result<(&'static str, &str), String> {
    let known = [("http://", ":80"), ("https://", ":443")];
    let (scheme, own_port, host) = known
        .into_iter()
        .find_map(|(scheme, port)| Some((scheme, port, url.strip_prefix(scheme)?)))
        .ok_or("the endpoint begins with http:// or https://")?;
    let host = host.strip_suffix('/').unwrap_or(host);
    if Host::parse(host.as_bytes()).is_none() {
        return Err("the endpoint is a scheme and a host, with a port where it needs one".into());
    }
    Ok((scheme, host.strip_suffix(own_port).unwrap_or(host)))
}

fn parse_header(text: &OsStr) -> Result<Header<'_>, String> {
    let text = text.as_bytes();
    let colon = text
        .iter()
        .position(|&byte| byte == b':')
        .ok_or("--header is 'name: value'")?;
    let (name, value) = text.split_at(colon);
    Ok(Header {
        name,
        value: value.strip_prefix(b":").unwrap_or(value).trim_ascii(),
    })
}
