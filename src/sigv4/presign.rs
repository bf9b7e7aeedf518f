//! Makes presigned URLs: a client's side of what `verify` checks.

use crate::{
    authorization::MAX_EXPIRES,
    canonical::{self, ALGORITHM},
    credential::Credential,
    crypto::sha256::Sha256Sink,
    date::{AmzDate, Timestamp},
    headers::{KnownHeaders, is_amz},
    keys::SigningKey,
    region::Region,
    request::{Header, MAX_HEADERS},
    scope::ScopeText,
    text::query::{Parameters, Query},
    text::sink::Sink,
    text::token::is_token,
    text::uri::{self, EncodingSink, Part},
    v2,
};

/// A request to be presigned, path-style.
#[derive(Debug, Clone)]
pub struct Presign<'a> {
    pub method: &'a [u8],
    /// As the client will send it: with the port where it is not the scheme's default.
    pub host: &'a [u8],
    /// Not encoded.
    pub bucket: &'a [u8],
    /// Not encoded.
    pub key: &'a [u8],
    /// Headers that whoever uses the URL must send with these very values.
    pub headers: &'a [Header<'a>],
    pub session_token: Option<&'a [u8]>,
    /// For V4 only.
    pub region: Region,
    /// Seconds from now; of V4 at most 604,800.
    pub expires: u32,
}

/// Why a request cannot be presigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unpresignable {
    Expires,
    Method,
    Bucket,
    /// A header with an invalid name or value, or more than 255 of them.
    Header,
    /// A header that V2 does not sign.
    UnsignedHeader,
    /// Longer than a query can be.
    Token,
}

impl std::fmt::Display for Unpresignable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unpresignable::Expires => "the seconds of validity must be 1 to 604800",
            Unpresignable::Method => "the method is not one of HTTP",
            Unpresignable::Bucket => "the bucket is empty or holds a slash",
            Unpresignable::Header => "a header has an invalid name or value",
            Unpresignable::UnsignedHeader => {
                "signature version 2 signs no headers but content-md5, content-type and x-amz-*"
            }
            Unpresignable::Token => "the session token is too long",
        })
    }
}

impl std::error::Error for Unpresignable {}

impl Presign<'_> {
    /// Returns the request target, path and query, signed with V4.
    pub fn v4(&self, credential: &Credential, now: Timestamp) -> Result<Vec<u8>, Unpresignable> {
        self.check()?;
        let date = AmzDate::from(now);
        let mut key =
            SigningKey::derive(credential.secret(), ScopeText::s3(date.day(), &self.region));
        let host = Header {
            name: b"host",
            value: self.host,
        };
        let mut headers = vec![host];
        headers.extend(self.headers);
        headers.sort_by(|a, b| canonical::order(a.name, b.name));

        let mut scoped = Vec::new();
        key.scope()
            .put_credential(&mut scoped, credential.access_key());
        let mut names = Vec::new();
        canonical::put_names(&mut names, headers.iter().copied());
        let path = self.path();
        let mut query = Vec::new();
        for (name, value) in [
            ("X-Amz-Algorithm", Some(ALGORITHM)),
            ("&X-Amz-Credential", Some(&*scoped)),
            ("&X-Amz-Date", Some(date.as_bytes())),
            ("&X-Amz-Expires", Some(self.expires.to_string().as_bytes())),
            ("&X-Amz-Security-Token", self.session_token),
            ("&X-Amz-SignedHeaders", Some(&names)),
        ] {
            if let Some(value) = value {
                put_parameter(&mut query, name, value);
            }
        }

        let is_payload =
            |header: &&Header<'_>| header.name.eq_ignore_ascii_case(b"x-amz-content-sha256");
        let payload = self
            .headers
            .iter()
            .find(is_payload)
            .map(|header| header.value);
        let mut hash = Sha256Sink::default();
        canonical::put_request(
            &mut hash,
            self.method,
            |sink| sink.put(&path),
            |sink| sink.put(&query),
            |sink| canonical::put_headers(sink, headers.iter().copied()),
            |sink| sink.put(&names),
            payload.unwrap_or(b"UNSIGNED-PAYLOAD"),
        );
        let hash = hash.finish();
        let signature = key.sign_request(&date, &hash);
        query.put(b"&X-Amz-Signature=");
        signature.put(&mut query);
        Ok([path, query].join(b"?".as_slice()))
    }

    /// Returns the request target, path and query, signed with V2.
    pub fn v2(&self, credential: &Credential, now: Timestamp) -> Result<Vec<u8>, Unpresignable> {
        self.check()?;
        let fields = KnownHeaders::scan(self.headers).map_err(|_| Unpresignable::Header)?;
        let is_signed = |name: &[u8]| {
            is_amz(name)
                || name.eq_ignore_ascii_case(b"content-md5")
                || name.eq_ignore_ascii_case(b"content-type")
        };
        if !self.headers.iter().all(|header| is_signed(header.name)) {
            return Err(Unpresignable::UnsignedHeader);
        }
        let path = self.path();
        let mut token = Vec::new();
        if let Some(session_token) = self.session_token {
            put_parameter(&mut token, "x-amz-security-token", session_token);
        }
        let mut room = Parameters::new();
        let signed = Query::parse(&token, &mut room).map_err(|_| Unpresignable::Token)?;
        let expires = now.0.saturating_add(i64::from(self.expires)).to_string();
        let to_sign = v2::StringToSign {
            bucket_in_host: b"",
            method: self.method,
            path: &path,
            query: &signed,
            headers: self.headers,
            date: expires.as_bytes(),
        };
        let signature = v2::signature(credential.secret(), &to_sign, &fields);
        let mut query = Vec::new();
        put_parameter(&mut query, "AWSAccessKeyId", credential.access_key());
        put_parameter(&mut query, "&Expires", expires.as_bytes());
        query.put(b"&Signature=");
        signature.put(&mut EncodingSink(&mut query));
        if !token.is_empty() {
            query.put(b"&");
            query.put(&token);
        }
        Ok([path, query].join(b"?".as_slice()))
    }

    fn check(&self) -> Result<(), Unpresignable> {
        if !(1..=MAX_EXPIRES).contains(&self.expires) {
            return Err(Unpresignable::Expires);
        }
        if !is_token(self.method) {
            return Err(Unpresignable::Method);
        }
        if self.bucket.is_empty() || self.bucket.contains(&b'/') {
            return Err(Unpresignable::Bucket);
        }
        let valid = |header: &Header<'_>| {
            is_token(header.name)
                && !header.name.eq_ignore_ascii_case(b"host")
                && !header.value.iter().any(u8::is_ascii_control)
        };
        if self.headers.len() >= MAX_HEADERS || !self.headers.iter().all(valid) {
            return Err(Unpresignable::Header);
        }
        Ok(())
    }

    /// Returns the path in canonical form.
    fn path(&self) -> Vec<u8> {
        let mut path = Vec::new();
        for segment in [self.bucket, self.key] {
            path.put(b"/");
            uri::put_encoded(&mut path, segment, Part::Path);
        }
        path
    }
}

fn put_parameter(sink: &mut Vec<u8>, name: &str, value: &[u8]) {
    sink.put(name.as_bytes());
    sink.put(b"=");
    uri::put_encoded(sink, value, Part::Query);
}
