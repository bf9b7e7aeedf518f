//! A signer of its own, written from AWS's description with strings and maps: what it signs, the
//! core must accept.
use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const KEY: &str = "AKIDCLIENT";
pub const SECRET: &str = "client/secret+1";
pub const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// 2026-01-02T03:04:05Z
pub const NOW: i64 = 1_767_323_045;

/// A client about to sign a request.
#[derive(Debug, Clone)]
pub struct Sample {
    pub method: String,
    /// As sent.
    pub path: String,
    /// For V2; empty if it is in the path.
    pub bucket_in_host: String,
    /// As sent, without the signature.
    pub query: String,
    /// As sent; all are signed but those of `unsigned`.
    pub headers: Vec<(String, String)>,
    pub unsigned: Vec<String>,
    pub key: String,
    pub secret: String,
    pub day: String,
    pub region: String,
    pub service: String,
    pub terminator: String,
    pub date: String,
    pub expires: String,
    pub payload: String,
}

impl Sample {
    pub fn new(method: &str, target: &str) -> Sample {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Sample {
            method: method.into(),
            path: path.into(),
            bucket_in_host: String::new(),
            query: query.into(),
            headers: vec![("Host".into(), "s3.mydomain.com".into())],
            unsigned: Vec::new(),
            key: KEY.into(),
            secret: SECRET.into(),
            day: "20260102".into(),
            region: "us-east-1".into(),
            service: "s3".into(),
            terminator: "aws4_request".into(),
            date: "20260102T030405Z".into(),
            expires: "900".into(),
            payload: EMPTY.into(),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Sample {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn unsigned(mut self, name: &str, value: &str) -> Sample {
        self.unsigned.push(name.into());
        self.header(name, value)
    }

    /// The request in header form: a request line, then a header a line.
    pub fn header_form(mut self) -> String {
        if !self.date.is_empty() {
            self.headers.push(("x-amz-date".into(), self.date.clone()));
        }
        self.headers
            .push(("x-amz-content-sha256".into(), self.payload.clone()));
        let signature = self.signature(&self.query, &self.payload);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.key,
            self.scope(),
            self.names().join(";")
        );
        self.headers.push(("Authorization".into(), authorization));
        self.text(&self.query)
    }

    /// The request in presigned form.
    pub fn query_form(mut self) -> String {
        let named = |name: &str| self.query.contains(name);
        let mut parameters = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{}", self.key, self.scope())),
            ("X-Amz-Date", self.date.clone()),
            ("X-Amz-Expires", self.expires.clone()),
            ("X-Amz-SignedHeaders", self.names().join(";")),
        ];
        parameters.retain(|(name, _)| !named(name));
        let payload = self
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix("X-Amz-Content-Sha256="))
            .unwrap_or(match self.service.as_str() {
                "s3" => "UNSIGNED-PAYLOAD",
                _ => &self.payload,
            })
            .to_owned();
        for (name, value) in parameters {
            let separator = if self.query.is_empty() { "" } else { "&" };
            self.query += &format!("{separator}{name}={}", encode(value.as_bytes(), false));
        }
        let signature = self.signature(&self.query, &payload);
        self.text(&format!("{}&X-Amz-Signature={signature}", self.query))
    }

    /// The request with a V2 signature in its header.
    pub fn v2_header_form(mut self) -> String {
        let date = "Fri, 02 Jan 2026 03:04:05 GMT";
        let authorization = format!("AWS {}:{}", self.key, self.v2_signature(date));
        self.headers.push(("Date".into(), date.into()));
        self.headers.push(("Authorization".into(), authorization));
        self.text(&self.query)
    }

    /// The request with a V2 signature in its query, and with its token there, which is signed as a header.
    pub fn v2_query_form(mut self) -> String {
        let lifetime: i64 = self.expires.parse().unwrap();
        let expires = (NOW + lifetime).to_string();
        let signature = encode(self.v2_signature(&expires).as_bytes(), false);
        let token = "x-amz-security-token";
        for (_, value) in self.headers.extract_if(.., |(name, _)| name == token) {
            let separator = if self.query.is_empty() { "" } else { "&" };
            self.query += &format!("{separator}{token}={}", encode(value.as_bytes(), false));
        }
        let separator = if self.query.is_empty() { "" } else { "&" };
        self.query += &format!(
            "{separator}AWSAccessKeyId={}&Expires={expires}&Signature={signature}",
            self.key
        );
        self.text(&self.query)
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>
    fn v2_signature(&self, date: &str) -> String {
        let value = |wanted: &str| {
            let mut headers = self.headers.iter();
            let header = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            header.map_or("", |(_, value)| value)
        };
        let mut amz = BTreeMap::<String, Vec<&str>>::new();
        for (name, value) in &self.headers {
            let name = name.to_lowercase();
            if name.starts_with("x-amz-") {
                amz.entry(name).or_default().push(value.trim());
            }
        }
        let amz: String = amz
            .iter()
            .map(|(name, values)| format!("{name}:{}\n", values.join(",")))
            .collect();
        let mut text = format!(
            "{}\n{}\n{}\n{date}\n{amz}{}{}{}",
            self.method,
            value("content-md5"),
            value("content-type"),
            if self.bucket_in_host.is_empty() {
                ""
            } else {
                "/"
            },
            self.bucket_in_host,
            self.path
        )
        .into_bytes();
        let mut signed: Vec<_> = self
            .query
            .split('&')
            .map(|pair| (pair, pair.split_once('=')))
            .map(|(pair, split)| split.map_or((pair, None), |(name, value)| (name, Some(value))))
            .filter(|(name, _)| SIGNED_BY_V2.contains(name))
            .collect();
        signed.sort();
        for (at, (name, value)) in signed.iter().enumerate() {
            text.push(if at == 0 { b'?' } else { b'&' });
            text.extend(name.bytes());
            if let Some(value) = value {
                text.push(b'=');
                text.extend(decode(value.as_bytes(), true));
            }
        }
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(&text);
        Base64::encode_string(&mac.finalize().into_bytes())
    }

    fn text(&self, query: &str) -> String {
        let question = if query.is_empty() { "" } else { "?" };
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        format!("{} {}{question}{query}\n{headers}", self.method, self.path)
    }

    fn scope(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.day, self.region, self.service, self.terminator
        )
    }

    fn signed(&self) -> BTreeMap<String, String> {
        let mut signed = BTreeMap::<String, String>::new();
        for (name, value) in self
            .headers
            .iter()
            .filter(|(name, _)| !self.unsigned.contains(name))
        {
            let folded = value
                .split(' ')
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            signed
                .entry(name.to_lowercase())
                .and_modify(|values| *values += &format!(",{folded}"))
                .or_insert(folded);
        }
        signed
    }

    fn names(&self) -> Vec<String> {
        self.signed().into_keys().collect()
    }

    fn signature(&self, query: &str, payload: &str) -> String {
        let headers: String = self
            .signed()
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let request = format!(
            "{}\n{}\n{}\n{headers}\n{}\n{payload}",
            self.method,
            encode(&decode(self.path.as_bytes(), false), true),
            canonical_query(query),
            self.names().join(";")
        );
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            if self.date.is_empty() {
                "20260102T030405Z"
            } else {
                &self.date
            },
            self.scope(),
            hex(&Sha256::digest(request))
        );
        let parts = [
            &self.day,
            &self.region,
            &self.service,
            &self.terminator,
            &text,
        ];
        sign(&self.secret, parts.map(String::as_str))
    }
}

/// The parameters that a V2 signature covers: botocore's list, and the sub-resources that came later.
#[rustfmt::skip]
pub const SIGNED_BY_V2: &[&str] = &[
    "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "encryption", "inventory",
    "legal-hold", "lifecycle", "location", "logging", "metrics", "notification", "object-lock",
    "partNumber", "policy", "replication", "requestPayment", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "restore", "retention", "select", "select-type",
    "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions",
    "website",
];

/// The signature of the last part; the others make the key.
pub fn sign(secret: &str, parts: [&str; 5]) -> String {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in parts {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    hex(&key)
}

/// The canonical query string, by way of a sorted vector of strings.
pub fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| {
            let encoded = |text: &str| encode(&decode(text.as_bytes(), true), false);
            (encoded(name), encoded(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

pub fn encode(bytes: &[u8], path: bool) -> String {
    const IN_QUERY: AsciiSet = NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    const IN_PATH: AsciiSet = IN_QUERY.remove(b'/');
    percent_encode(bytes, if path { &IN_PATH } else { &IN_QUERY }).to_string()
}

pub fn decode(text: &[u8], plus: bool) -> Vec<u8> {
    let spaced = text.iter().map(|&byte| match byte {
        b'+' if plus => b' ',
        byte => byte,
    });
    percent_decode(&spaced.collect::<Vec<_>>()).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}
