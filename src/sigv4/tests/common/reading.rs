//! What an origin reads: a request taken apart with strings and vectors, by AWS's description and the
//! table of operations. The core must have read the same.
use std::collections::BTreeSet;

use sigv4::{ClientRequest, Header};

use super::{
    operations::{Class, OPERATIONS, Sent},
    reference::decode,
};

/// A request head as bytes: a request line, then a header a line.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    pub method: &'a [u8],
    pub path: &'a [u8],
    pub query: &'a [u8],
    pub headers: Vec<Header<'a>>,
}

impl<'a> Head<'a> {
    pub fn parse(text: &'a [u8]) -> Option<Head<'a>> {
        let mut lines = text.split(|&byte| byte == b'\n');
        let mut lines = std::iter::from_fn(|| {
            let line = lines.next()?;
            Some(line.strip_suffix(b"\r").unwrap_or(line))
        });
        let line = lines.next()?;
        let line = line.strip_suffix(b" HTTP/1.1").unwrap_or(line);
        let (method, target) = split_once(line, b" ")?;
        let (path, query) = split_once(target, b"?").unwrap_or((target, b""));
        let headers = lines
            .map_while(|line| split_once(line, b":"))
            .map(|(name, value)| Header {
                name,
                value: trim(value),
            })
            .collect();
        Some(Head {
            method,
            path,
            query,
            headers,
        })
    }

    pub fn request(&self) -> ClientRequest<'_, 'a> {
        ClientRequest {
            method: self.method,
            path: self.path,
            query: self.query,
            host: None,
            path_with_plus: None,
            rewritten: None,
            headers: &self.headers,
        }
    }

    /// With these lines between the headers and their end.
    pub fn wire(&self, added: &str) -> Vec<u8> {
        let question: &[u8] = if self.query.is_empty() { b"" } else { b"?" };
        let mut wire = [self.method, b" ", self.path, question, self.query].concat();
        wire.extend(b" HTTP/1.1\r\n");
        for Header { name, value } in &self.headers {
            wire.extend([name, b": ".as_slice(), value, b"\r\n"].concat());
        }
        wire.extend(added.as_bytes());
        wire.extend(b"\r\n");
        wire
    }

    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        let is_it = |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().find(is_it).map(|header| header.value)
    }
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

pub fn split_once<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

pub fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

pub type Pair = (Vec<u8>, Vec<u8>);

/// What a request asks, all of it decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Asked {
    pub operation: &'static str,
    pub method: Vec<u8>,
    pub bucket: Vec<u8>,
    pub key: Vec<u8>,
    /// Buckets and keys of what is copied or moved: two where there is a header for each.
    pub sources: Vec<Pair>,
    /// Every server finds the same ones in them.
    pub is_source_clear: bool,
    /// A source for servers of another kind.
    pub has_foreign_source: bool,
    /// Something for servers of another kind.
    pub has_foreign_header: bool,
    pub prefix: Option<Vec<u8>>,
    /// Those that are none of a signature's, sorted.
    pub parameters: Vec<Pair>,
    /// S3's own but those that are made again, in lower case, sorted.
    pub amz: Vec<Pair>,
    pub payload: Option<Vec<u8>>,
}

/// Reads a request whose bucket is in the path or, under `endpoint`, in the host.
pub fn read(head: &Head<'_>, endpoint: Option<&str>) -> Asked {
    let host = head.header("host").unwrap_or_default();
    let in_host =
        endpoint.and_then(|endpoint| host.strip_suffix(format!(".{endpoint}").as_bytes()));
    let path = decode(head.path, false);
    let path = path.strip_prefix(b"/").expect("an absolute path");
    let (bucket, key) = match in_host {
        Some(bucket) => (bucket, path),
        None => split_once(path, b"/").unwrap_or((path, b"")),
    };
    let mut parameters: Vec<Pair> = head
        .query
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| split_once(pair, b"=").unwrap_or((pair, b"")))
        .map(|(name, value)| (decode(name, true), decode(value, true)))
        .filter(|(name, _)| !is_of_signature(name))
        .collect();
    parameters.sort();
    let mut amz: Vec<Pair> = head
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec()))
        .filter(|(name, _)| name.starts_with(b"x-amz-") && !is_made_again(name))
        .collect();
    amz.sort();
    let value = |wanted: &[u8]| {
        let mut pairs = parameters.iter().rev();
        let found = pairs.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let source = |what: &str| head.header(&format!("x-amz-{what}-source"));
    let mut asked = Asked {
        operation: "Unknown",
        method: head.method.into(),
        bucket: bucket.into(),
        key: key.into(),
        sources: Vec::new(),
        is_source_clear: true,
        has_foreign_source: head.header("x-goog-copy-source").is_some(),
        has_foreign_header: head.headers.iter().any(is_foreign),
        prefix: value(b"prefix"),
        payload: head.header("x-amz-content-sha256").map(Into::into),
        parameters,
        amz,
    };
    for source in ["copy", "rename"].into_iter().filter_map(source) {
        let (source, is_clear) = split_source(source);
        asked.sources.push(source);
        asked.is_source_clear &= is_clear;
    }
    // However it is spelled, and whatever the bucket.
    for (name, value) in &mut asked.amz {
        if asked.is_source_clear && name.ends_with(b"-source") {
            *value = split_once(value, b"?").unwrap_or_default().1.into();
        }
    }
    asked.name_operation();
    asked
}

impl Asked {
    pub fn name_operation(&mut self) {
        let is_named = |what: &&str| {
            let wanted = format!("x-amz-{what}-source");
            self.amz.iter().any(|(name, _)| name == wanted.as_bytes())
        };
        let sources: Vec<_> = ["copy", "rename"].into_iter().filter(is_named).collect();
        self.operation = match sources.as_slice() {
            [] => self.operation_of(""),
            [source] => self.operation_of(source),
            _ => "Unknown",
        };
    }

    fn operation_of(&self, source: &str) -> &'static str {
        let mut names = self.parameters.clone();
        names.retain(|(name, _)| !is_known_header(name));
        let x_id: Vec<_> = names.extract_if(.., |(name, _)| name == b"x-id").collect();
        let takes = |sent: &&Sent| {
            sent.method.as_bytes() == self.method
                && sent.path == self.level()
                && sent.source == source
                && takes(sent, &names)
        };
        let found = OPERATIONS.iter().find(takes).map(|sent| sent.name);
        match (found, x_id.as_slice()) {
            (Some(name), []) => name,
            (Some("ListBuckets"), [(_, value)]) if value == b"ListDirectoryBuckets" => {
                "ListDirectoryBuckets"
            }
            (Some(name), [(_, value)]) if value == name.as_bytes() => name,
            _ => "Unknown",
        }
    }

    /// As in the table.
    fn level(&self) -> &'static str {
        match (self.bucket.as_slice(), self.key.as_slice()) {
            (b"", _) => "/",
            (b"WriteGetObjectResponse", b"") => "/WriteGetObjectResponse",
            (_, b"") => "/b",
            _ => "/b/k",
        }
    }

    pub fn is_object(&self) -> bool {
        self.level() == "/b/k"
    }

    /// Whether it is a request of S3 that stays where it says.
    pub fn is_of_s3(&self) -> bool {
        let methods: [&[u8]; 6] = [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS"];
        let of_service = self.level() == "/";
        let reads = [b"GET".as_slice(), b"HEAD", b"OPTIONS"];
        let stays = |bucket: &[u8], key: &[u8]| {
            ![b".".as_slice(), b".."].contains(&bucket)
                && segments(bucket).count() == 1
                && !leaves(key.split(|byte| *byte == b'/'))
        };
        let mut sources = self.sources.iter();
        let sources_stay =
            sources.all(|(bucket, key)| stays(bucket, key) && !leaves(segments(key)));
        let named = |name: &[u8]| OPERATIONS.iter().find(|sent| sent.name.as_bytes() == name);
        // A client that has its bucket in the host, and asks for an object.
        let in_host = self.operation == "Unknown"
            && !self.is_object()
            && (self.parameters.iter().rev())
                .find(|(name, _)| name == b"x-id")
                .and_then(|(_, value)| named(value))
                .is_some_and(|sent| sent.path == "/b/k");
        let mut names = self.amz.windows(2);
        let is_repeated =
            names.any(|pair| pair[0].0 == pair[1].0 && pair[0].0.ends_with(b"e-source"));
        methods.contains(&self.method.as_slice())
            && !is_repeated
            && (!of_service || reads.contains(&self.method.as_slice()))
            && stays(&self.bucket, &self.key)
            && sources_stay
            && !in_host
    }

    pub fn class(&self) -> Class {
        if self.operation == "PostObject" {
            return Class::Write;
        }
        let sent = OPERATIONS.iter().find(|sent| sent.name == self.operation);
        sent.map_or(Class::Other, |sent| sent.class)
    }

    /// Each header, wherever it is.
    pub fn headers(&self) -> impl Iterator<Item = (String, &[u8])> {
        let all = self.amz.iter().chain(&self.parameters);
        all.map(|(name, value)| {
            (
                String::from_utf8_lossy(name).to_lowercase(),
                value.as_slice(),
            )
        })
        .filter(|(name, _)| name.starts_with("x-amz-"))
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let texts = |pairs: &[Pair]| -> Vec<_> {
            pairs
                .iter()
                .map(|(name, value)| (text(name), text(value)))
                .collect()
        };
        f.debug_struct(self.operation)
            .field("method", &text(&self.method))
            .field("bucket", &text(&self.bucket))
            .field("key", &text(&self.key))
            .field("sources", &texts(&self.sources))
            .field("is_source_clear", &self.is_source_clear)
            .field("has_foreign_header", &self.has_foreign_header)
            .field("parameters", &texts(&self.parameters))
            .field("amz", &texts(&self.amz))
            .field("payload", &self.payload.as_deref().map(text))
            .finish()
    }
}

/// Whether an operation has these parameters, each once.
fn takes(sent: &Sent, parameters: &[Pair]) -> bool {
    let required: Vec<_> = sent
        .query
        .split('&')
        .filter(|name| !name.is_empty())
        .map(|name| name.split_once('=').unwrap_or((name, "")))
        .collect();
    let names: BTreeSet<_> = parameters.iter().map(|(name, _)| name).collect();
    let fits = |(name, value): &Pair| {
        let wanted = required
            .iter()
            .find(|(wanted, _)| wanted.as_bytes() == name);
        match wanted {
            Some((_, "1")) => !value.is_empty(),
            Some((_, fixed)) => value == fixed.as_bytes(),
            None => {
                let is_optional = |optional: &str| optional.as_bytes() == name;
                sent.optional.split(' ').any(is_optional)
                    && !name.is_empty()
                    && (name != b"partNumber" || !value.is_empty())
            }
        }
    };
    names.len() == parameters.len()
        && required
            .iter()
            .all(|(wanted, _)| names.contains(&wanted.as_bytes().to_vec()))
        && parameters.iter().all(fits)
}

fn is_of_signature(name: &[u8]) -> bool {
    let names = ["AWSAccessKeyId", "Expires", "Signature"];
    let v4 = [
        "algorithm",
        "content-sha256",
        "credential",
        "date",
        "expires",
        "security-token",
        "signature",
        "signedheaders",
    ];
    let lower = name.to_ascii_lowercase();
    names.iter().any(|of_it| of_it.as_bytes() == name)
        || lower
            .strip_prefix(b"x-amz-")
            .is_some_and(|rest| v4.iter().any(|of_it| of_it.as_bytes() == rest))
}

fn is_made_again(name: &[u8]) -> bool {
    let made: [&[u8]; 3] = [
        b"x-amz-date",
        b"x-amz-content-sha256",
        b"x-amz-security-token",
    ];
    made.contains(&name)
}

/// Whether it is one that the requests of the tests have in their query.
fn is_known_header(name: &[u8]) -> bool {
    let known = ["acl", "expected-bucket-owner", "meta-a", "storage-class"];
    let lower = name.to_ascii_lowercase();
    let rest = lower.strip_prefix(b"x-amz-");
    rest.is_some_and(|rest| known.iter().any(|name| name.as_bytes() == rest))
}

/// Whether a header is an order to servers of another kind, or looks like one.
fn is_foreign(header: &Header<'_>) -> bool {
    let lower = header.name.to_ascii_lowercase();
    !lower.starts_with(b"x-amz-") && (is_of_maker(&lower) || lower.ends_with(b"-copy-source"))
}

/// Whether it is one that the requests of the tests have.
pub fn is_of_maker(lower: &[u8]) -> bool {
    [b"x-goog-copy-source".as_slice(), b"x-minio-force-delete"].contains(&lower)
}

/// Bucket and key of `bucket/key?versionId=1`, encoded, with or without a slash in front; and whether
/// it is that.
fn split_source(source: &[u8]) -> (Pair, bool) {
    let (path, version) = split_once(source, b"?").unwrap_or((source, b"versionId="));
    let path = decode(path, false);
    let path = path.strip_prefix(b"/").unwrap_or(&path);
    let (bucket, key) = split_once(path, b"/").unwrap_or((path, b""));
    let is_clear = version.starts_with(b"versionId=") && is_bucket_name(bucket) && !key.is_empty();
    ((bucket.into(), key.into()), is_clear)
}

pub fn is_bucket_name(name: &[u8]) -> bool {
    let is_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    !name.is_empty() && name.iter().all(is_byte)
}

/// The segments of a key, for a server that takes it for a file's name, also on Windows.
fn segments(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    key.split(|byte| b"/\\".contains(byte))
}

pub fn has_parent(key: &[u8]) -> bool {
    segments(key).any(|segment| segment == b"..")
}

pub fn leaves_on_windows(key: &[u8]) -> bool {
    leaves(segments(key))
}

fn leaves<'a>(mut segments: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut depth = 0;
    segments.any(|segment| {
        depth += match segment {
            b"" | b"." => 0,
            b".." => -1,
            _ => 1,
        };
        depth < 0
    })
}
