//! Where clients reach the server: `s3_domain` and `s3_prefix`.

use sigv4::{BucketName, Domain};

use crate::{host::Host, word, words_from};

/// Reads `s3_domain NAME ... HOST=BUCKET ...`.
pub fn domains(words: &[&[u8]]) -> Result<Vec<Domain>, String> {
    let mut domains: Vec<Domain> = Vec::new();
    for word in words_from(words, 1) {
        let domain = domain(word)?;
        if domains.iter().any(|other| name(other) == name(&domain)) {
            return Err(format!(
                "\"s3_domain {}\" is there twice: keep one",
                word.escape_ascii()
            ));
        }
        domains.push(domain);
    }
    Ok(domains)
}

fn domain(word: &[u8]) -> Result<Domain, String> {
    let (host, bucket) = match word.iter().position(|byte| *byte == b'=') {
        Some(at) => (word.get(..at), word.get(at + 1..)),
        None => (Some(word), None),
    };
    let host = host.unwrap_or_default().to_ascii_lowercase();
    let shown = word.escape_ascii();
    if host.starts_with(b"*.") || host.starts_with(b".") {
        return Err(format!(
            "\"s3_domain {shown}\": a name takes buckets in front of it as it is: write it without \
             the dot at its beginning"
        ));
    }
    match Host::parse(&host) {
        Some(Host { port: None, .. }) => {}
        Some(_) => {
            return Err(format!(
                "\"s3_domain {shown}\" is for every port: write it without one"
            ));
        }
        None => {
            return Err(format!(
                "\"s3_domain {shown}\" is not a domain: write NAME or HOST=BUCKET, without scheme, port \
                 and path"
            ));
        }
    }
    let host = host.into_boxed_slice();
    let Some(bucket) = bucket else {
        return Ok(Domain::Endpoint(host));
    };
    match BucketName::parse(bucket) {
        Some(bucket) => Ok(Domain::Bucket { host, bucket }),
        None => Err(format!(
            "\"s3_domain {shown}\" does not name a bucket: write HOST=BUCKET with at most 63 lower-case \
             letters, digits, dots and dashes"
        )),
    }
}

fn name(domain: &Domain) -> &[u8] {
    match domain {
        Domain::Endpoint(host) | Domain::Bucket { host, .. } => host,
    }
}

/// Reads `s3_prefix /PATH`.
pub fn prefix(words: &[&[u8]]) -> Result<Box<[u8]>, String> {
    let path = word(words, 1);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let is_segment =
        |segment: &[u8]| !matches!(segment, b"" | b"." | b"..") && segment.iter().all(is_plain);
    let segments = path.strip_prefix(b"/");
    match segments.is_some_and(|rest| rest.split(|byte| *byte == b'/').all(is_segment)) {
        true => Ok(path.into()),
        false => Err(format!(
            "\"s3_prefix {}\" is not the beginning of a path: write one as \"/s3\", of letters, digits, \
             dashes, dots, underscores and tildes, without a slash at its end",
            path.escape_ascii()
        )),
    }
}
