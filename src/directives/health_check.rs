//! `s3_health_check` and `s3_healthz`

use health::{Expected, Thresholds};
use sigv4::BucketNames;

use crate::{is_name_byte, params::Params, time, word, words_from};

const NAMED: &str = "\"s3_health_check\"";

/// An `s3_health_check` line. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheckLine {
    pub interval: u64,
    pub timeout: u64,
    pub rules: Thresholds,
    pub expected: Expected,
    /// The request, to be signed for an origin.
    pub head: Vec<u8>,
    /// Whose name it has for its bucket: that of `bucket=` is the clients', and a `uri=` is the origin's own.
    pub names: BucketNames,
    /// It is a `HEAD`.
    pub is_head: bool,
}

/// Reads `s3_health_check [interval=5s] [timeout=5s] [rise=2] [fall=3] [uri=/] [method=GET] [bucket=B]
/// [expect=2xx,...]`.
pub fn health_check(words: &[&[u8]]) -> Result<HealthCheckLine, String> {
    let mut params = Params::new(NAMED, words_from(words, 1));
    let interval = params.take("interval")?;
    let timeout = params.take("timeout")?;
    let rise = params.take("rise")?;
    let fall = params.take("fall")?;
    let uri = params.take("uri")?;
    let method = params.take("method")?;
    let bucket = params.take("bucket")?;
    let expect = params.take("expect")?;
    params.done()?;

    let names = match bucket {
        Some(_) => BucketNames::Clients,
        None => BucketNames::Origins,
    };
    let (method, target) = request(method, uri, bucket)?;
    let is_head = method == b"HEAD";
    Ok(HealthCheckLine {
        expected: expected(expect, is_head)?,
        interval: duration("interval", interval)?,
        timeout: duration("timeout", timeout)?,
        rules: Thresholds {
            rise: count("rise", rise, 2)?,
            fall: count("fall", fall, 3)?,
        },
        head: [
            method,
            b" ",
            &target,
            b" HTTP/1.1\r\nUser-Agent: s3_health_check\r\nConnection: close\r\n\r\n",
        ]
        .concat(),
        names,
        is_head,
    })
}

/// Reads method and target of a check.
fn request(
    method: Option<&[u8]>,
    uri: Option<&[u8]>,
    bucket: Option<&[u8]>,
) -> Result<(&'static [u8], Vec<u8>), String> {
    if let Some(bucket) = bucket {
        if method.is_some() || uri.is_some() {
            return Err(format!(
                "{NAMED}: \"bucket=\" is a \"HEAD\" of that bucket: remove \"method=\" and \"uri=\", \
                 or write \"uri=/BUCKET\" instead"
            ));
        }
        if bucket.is_empty() || !bucket.iter().all(|c| is_name_byte(*c)) {
            return Err(format!(
                "{NAMED}: \"bucket={}\" is not the name of a bucket: write one of letters, digits, \
                 dashes and dots",
                bucket.escape_ascii()
            ));
        }
        return Ok((b"HEAD", [b"/", bucket].concat()));
    }
    let method = match method {
        None | Some(b"GET") => b"GET".as_slice(),
        Some(b"HEAD") => b"HEAD",
        Some(other) => {
            return Err(format!(
                "{NAMED}: \"method={}\" is neither \"GET\" nor \"HEAD\"",
                other.escape_ascii()
            ));
        }
    };
    let uri = uri.unwrap_or(b"/");
    if !uri.starts_with(b"/") || !uri.iter().all(u8::is_ascii_graphic) || uri.contains(&b'#') {
        return Err(format!(
            "{NAMED}: \"uri={}\" is not a path: write it with a slash in front and percent-encoded, \
             as \"/bucket/a%20key\"",
            uri.escape_ascii()
        ));
    }
    Ok((method, uri.to_vec()))
}

fn expected(list: Option<&[u8]>, is_head: bool) -> Result<Expected, String> {
    let Some(list) = list else {
        return Ok(Expected::default());
    };
    match Expected::parse(list) {
        None => Err(format!(
            "{NAMED}: \"expect={}\" is not a list of statuses and error codes: write \"2xx\", \
             \"200,404\", \"2xx,AccessDenied\" or the like",
            list.escape_ascii()
        )),
        Some(expected) if is_head && expected.has_codes() => Err(format!(
            "{NAMED}: \"expect={}\" names an error code, and the answer to a HEAD has none: write its \
             status instead, as 403",
            list.escape_ascii()
        )),
        Some(expected) => Ok(expected),
    }
}

/// Reads a time, in milliseconds.
fn duration(name: &str, text: Option<&[u8]>) -> Result<u64, String> {
    let text = text.unwrap_or(b"5s");
    time::milliseconds(text)
        .and_then(|time| u64::try_from(time).ok())
        .filter(|time| (100..=86_400_000).contains(time))
        .ok_or_else(|| {
            format!(
                "{NAMED}: \"{name}={}\" is not such a time: write one from \"100ms\" to \"1d\"",
                text.escape_ascii()
            )
        })
}

fn count(name: &str, text: Option<&[u8]>, default: u32) -> Result<u32, String> {
    let Some(text) = text else {
        return Ok(default);
    };
    std::str::from_utf8(text)
        .ok()
        .filter(|text| text.bytes().all(|c| c.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|count| (1..=1000).contains(count))
        .ok_or_else(|| {
            format!(
                "{NAMED}: \"{name}={}\" is not a number of checks: write one from 1 to 1000",
                text.escape_ascii()
            )
        })
}

/// An `s3_healthz` line: whose health it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthzLine {
    /// The health of every upstream that is checked.
    All,
    /// The name of an upstream.
    Of(Box<[u8]>),
}

/// Reads `s3_healthz [UPSTREAM]`.
pub fn healthz(words: &[&[u8]]) -> HealthzLine {
    match words.len() {
        0 | 1 => HealthzLine::All,
        _ => HealthzLine::Of(word(words, 1).into()),
    }
}
