//! Browsers' forms, written as text.
use std::ops::Range;

use base64ct::{Base64, Encoding};
use sigv4::*;

use super::{
    Directory, Raw,
    reading::{Asked, Head, find, read, split_once},
    reference::{KEY, SECRET, sign},
    rules,
};

pub const BOUNDARY: &str = "bOuNdArY";
pub const FAR: &str = "2099-01-01T00:00:00Z";

/// A form about to be written, with the fields of a V4 signature.
#[derive(Debug, Clone)]
pub struct SampleForm {
    pub target: String,
    pub fields: Vec<(String, String)>,
    /// Besides those of the fields, in JSON.
    pub conditions: Vec<String>,
    pub expiration: String,
    /// What follows the name of each field: another parameter, and further lines of the part's head.
    pub field_head: String,
    /// What follows the name of the file.
    pub disposition: String,
    pub file: Vec<u8>,
    pub access_key: String,
    pub secret: String,
}

impl SampleForm {
    pub fn new(key: &str) -> SampleForm {
        SampleForm {
            target: "/bucket".into(),
            fields: vec![("key".into(), key.into())],
            conditions: vec![r#"{"bucket":"bucket"}"#.into()],
            expiration: FAR.into(),
            field_head: String::new(),
            disposition: "; filename=\"f.txt\"".into(),
            file: b"hello".into(),
            access_key: KEY.into(),
            secret: SECRET.into(),
        }
    }

    pub fn field(mut self, name: &str, value: &str) -> SampleForm {
        self.fields.push((name.into(), value.into()));
        self
    }

    pub fn condition(mut self, json: &str) -> SampleForm {
        self.conditions.push(json.into());
        self
    }

    pub fn file(mut self, file: &[u8]) -> SampleForm {
        self.file = file.into();
        self
    }

    pub fn head(&self) -> String {
        head(&self.target)
    }

    /// The body, with a condition for each field but those that `conditions` names.
    pub fn body(&self) -> Vec<u8> {
        let mut fields = self.fields.clone();
        fields.extend(
            [
                ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
                (
                    "x-amz-credential",
                    &format!("{}/20260102/us-east-1/s3/aws4_request", self.access_key),
                ),
                ("x-amz-date", "20260102T030405Z"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let named = |name: &str| self.conditions.iter().any(|json| json.contains(name));
        let equal = fields
            .iter()
            .filter(|(name, _)| !named(name) && !name.starts_with("x-ignore-"))
            .map(|(name, value)| serde_json::json!(["eq", format!("${name}"), value]).to_string());
        let conditions: Vec<_> = self.conditions.iter().cloned().chain(equal).collect();
        let policy = format!(
            "{{\"expiration\":\"{}\",\"conditions\":[{}]}}",
            self.expiration,
            conditions.join(",")
        );
        let policy = Base64::encode_string(policy.as_bytes());
        fields.push((
            "x-amz-signature".into(),
            sign_policy_with(&self.secret, &policy),
        ));
        fields.push(("policy".into(), policy));
        body_with(&fields, &self.field_head, &self.disposition, &self.file)
    }
}

pub fn head(target: &str) -> String {
    format!("POST {target}\nHost: h\nContent-Type: multipart/form-data; boundary={BOUNDARY}\n")
}

pub fn body(fields: &[(String, String)], disposition: &str, file: &[u8]) -> Vec<u8> {
    body_with(fields, "", disposition, file)
}

/// A body in which `field_head` follows the name of each field.
pub fn body_with(
    fields: &[(String, String)],
    field_head: &str,
    disposition: &str,
    file: &[u8],
) -> Vec<u8> {
    let mut body = Vec::new();
    let mut part = |name: &str, rest: &str, value: &[u8]| {
        body.extend_from_slice(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{rest}\r\n\r\n"
            )
            .as_bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    };
    for (name, value) in fields {
        part(name, field_head, value.as_bytes());
    }
    part("file", disposition, file);
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

pub fn sign_policy(policy: &str) -> String {
    sign_policy_with(SECRET, policy)
}

fn sign_policy_with(secret: &str, policy: &str) -> String {
    sign(
        secret,
        ["20260102", "us-east-1", "s3", "aws4_request", policy],
    )
}

/// Has a body taken piece by piece; what is left of the pieces.
pub fn in_pieces(
    body: &[u8],
    pieces: &[usize],
    mut take: impl FnMut(&mut [u8]) -> Result<Range<usize>, Rejection>,
) -> Result<Vec<u8>, Rejection> {
    let mut left = Vec::new();
    let mut body = body.to_vec();
    let mut rest = body.as_mut_slice();
    let mut pieces = pieces.iter();
    while !rest.is_empty() {
        let length = pieces.next().map_or(rest.len(), |at| rest.len().min(*at));
        let (piece, tail) = rest.split_at_mut(length);
        let data = take(piece)?;
        left.extend_from_slice(&piece[data]);
        rest = tail;
    }
    Ok(left)
}

/// A form that has been taken apart: its decoder, and what was stored.
pub fn decode(
    raw: &Raw<'_>,
    body: &[u8],
    pieces: &[usize],
) -> Result<(FormDecoder, Vec<u8>), Rejection> {
    let mut decoder = FormDecoder::new(&raw.request(), &Address::PATH_STYLE)?;
    let stored = in_pieces(body, pieces, |piece| decoder.decode(piece))?;
    decoder.finish()?;
    Ok((decoder, stored))
}

/// What comes of a form; `head` is that of its decoder.
pub fn verdict<'r>(
    raw: &Raw<'r>,
    decoder: &FormDecoder,
    head: &'r [u8],
    now: i64,
) -> Result<Verified<'r>, Rejection> {
    verdict_under(
        raw,
        decoder,
        head,
        super::kept(Directory::new(&[(KEY, SECRET)])),
        super::kept(rules()),
        now,
    )
}

pub fn verdict_under<'r>(
    raw: &Raw<'r>,
    decoder: &FormDecoder,
    head: &'r [u8],
    clients: &'r Directory,
    rules: &'r VerifyRules,
    now: i64,
) -> Result<Verified<'r>, Rejection> {
    let keys = &mut KeyCache::new(8);
    verify_form(
        &raw.request(),
        decoder,
        head,
        clients,
        rules,
        keys,
        Timestamp(now),
    )
    .map_err(|rejected| rejected.rejection)?
    .complete(decoder)
}

/// What an origin reads in a form: that it is a PUT, of a key and of headers that are in its fields.
pub fn read_sent(sent: &[u8], endpoint: Option<&str>) -> Asked {
    let (head, body) = split_once(sent, b"\r\n\r\n").unwrap();
    let mut asked = read(&Head::parse(head).unwrap(), endpoint);
    assert_eq!(
        (asked.method.as_slice(), asked.key.as_slice()),
        (b"POST".as_slice(), b"".as_slice())
    );
    asked.operation = "PostObject";
    asked.amz.clear();
    let mut rest = body;
    while let Some(at) = find(rest, b"name=\"") {
        let (name, after) = split_once(&rest[at + 6..], b"\"").unwrap();
        let (_, value) = split_once(after, b"\r\n\r\n").unwrap();
        let (value, after) = split_once(value, b"\r\n--").unwrap();
        let name = name.to_ascii_lowercase();
        let is_new = [
            "x-amz-algorithm",
            "x-amz-credential",
            "x-amz-date",
            "x-amz-signature",
        ];
        match name.as_slice() {
            b"file" => break,
            b"bucket" => assert_eq!(value, asked.bucket),
            b"policy" => assert_eq!(bucket_of_policy(value), asked.bucket),
            b"key" => asked.key = value.into(),
            b"acl" => asked.amz.push((b"x-amz-acl".into(), value.into())),
            name if is_new.iter().any(|new| new.as_bytes() == name) => {}
            name => asked.amz.push((name.into(), value.into())),
        }
        rest = after;
    }
    asked
}

/// The bucket that a policy allows.
fn bucket_of_policy(policy: &[u8]) -> Vec<u8> {
    let policy = Base64::decode_vec(std::str::from_utf8(policy).unwrap()).unwrap();
    let policy: serde_json::Value = serde_json::from_slice(&policy).unwrap();
    let conditions = policy["conditions"].as_array().unwrap();
    let mut buckets = conditions.iter().filter_map(|c| c["bucket"].as_str());
    buckets.next().unwrap().as_bytes().to_vec()
}
