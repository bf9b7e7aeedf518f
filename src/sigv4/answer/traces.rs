//! What no client is to read of an origin: its keys, its secrets, and its name.
use std::borrow::Cow;

use memchr::memmem;
use percent_encoding::percent_decode;

use super::host::Host;
use crate::{
    credential::SecretKey,
    origin::Origin,
    sse_c::{CustomerKey, CustomerKeys},
};

/// The traces of some origins in a text.
#[derive(Debug, Default)]
pub struct Traces<'a> {
    /// As they are, in any case of letters.
    keys: Vec<Cow<'a, [u8]>>,
    secrets: Vec<Cow<'a, SecretKey>>,
    hosts: Vec<Host>,
}

impl<'a> Traces<'a> {
    /// Adds the traces of one origin; `server` is its other name, with its port.
    pub fn add(&mut self, origin: &'a Origin, server: &[u8]) {
        self.keys
            .push(Cow::Borrowed(origin.credential.access_key()));
        let secret = origin.credential.secret_key();
        let secrets = [secret].into_iter().chain(&origin.session_token);
        self.secrets.extend(secrets.map(Cow::Borrowed));
        let hosts = [&*origin.host, server];
        self.hosts
            .extend(hosts.into_iter().filter_map(Host::of_origin));
    }

    /// Adds keys that change: those of the moment.
    pub fn add_keys(&mut self, origin: &Origin) {
        let key = origin.credential.access_key().to_vec();
        self.keys.push(Cow::Owned(key));
        let secret = origin.credential.secret_key();
        let secrets = [secret].into_iter().chain(&origin.session_token);
        self.secrets.extend(secrets.cloned().map(Cow::Owned));
    }

    /// Adds the keys with which objects are encrypted.
    pub fn add_customer_keys(&mut self, keys: &'a CustomerKeys) {
        let secrets = keys.keys().map(CustomerKey::secret);
        self.secrets.extend(secrets.map(Cow::Borrowed));
        let sums = keys.keys().map(CustomerKey::md5);
        self.keys.extend(sums.map(Cow::Borrowed));
    }

    /// Whether one is in the text, percent-encoded or not.
    pub fn are_in(&self, text: &[u8]) -> bool {
        let found = |text: &[u8]| {
            let keys = self.keys.iter().map(|key| &**key);
            let secrets = self.secrets.iter().map(|secret| secret.expose());
            let mut exact = keys.chain(secrets).filter(|exact| !exact.is_empty());
            exact.any(|exact| memmem::find(text, exact).is_some())
                || self.hosts.iter().any(|host| is_host_in(host, text))
        };
        if found(text) {
            return true;
        }
        let decoded: Vec<u8> = percent_decode(text).collect();
        decoded != text && found(&decoded)
    }
}

/// Whether the host stands there, by itself or below a bucket's name. A name of one label is also a word,
/// and counts in a URL or with a port only.
fn is_host_in(host: &Host, text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    let name = match host {
        Host::Address(address) => address.to_string().into_bytes(),
        Host::Name(name) => name.clone(),
    };
    let is_word = !name.iter().any(|byte| matches!(byte, b'.' | b':'));
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    memmem::find_iter(&text, &name).any(|at| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + name.len()..).unwrap_or_default();
        let is_whole = !before.last().is_some_and(is_part) && !after.first().is_some_and(is_part);
        let is_url = before.ends_with(b"//") || before.ends_with(b"@");
        let has_port = matches!(after, [b':', digit, ..] if digit.is_ascii_digit());
        is_whole && (!is_word || is_url || has_port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credential;

    fn origin(host: &str) -> Origin {
        Origin {
            session_token: Some(SecretKey::new(b"ToKeN/of+it==".into())),
            ..Origin::new(
                Credential::new(b"AKIDORIGIN", SecretKey::new(b"oRiGiN/sEcReT+".into())),
                host.as_bytes(),
            )
        }
    }

    #[test]
    fn traces() {
        for (host, server, text, expected) in [
            ("s3.example.com", "a:9000", "", false),
            (
                "s3.example.com",
                "a:9000",
                "The specified key does not exist.",
                false,
            ),
            (
                "s3.example.com",
                "a:9000",
                "no such key AKIDORIGIN here",
                true,
            ),
            ("s3.example.com", "a:9000", "xAKIDORIGINx", true),
            ("s3.example.com", "a:9000", "oRiGiN/sEcReT+", true),
            ("s3.example.com", "a:9000", "oRiGiN%2FsEcReT%2b", true),
            ("s3.example.com", "a:9000", "Token=ToKeN/of+it==", true),
            ("s3.example.com", "a:9000", "at s3.example.com", true),
            (
                "s3.example.com",
                "a:9000",
                "at https://b.S3.Example.COM.",
                true,
            ),
            ("s3.example.com:9000", "a:9000", "s3.example.com", true),
            ("s3.example.com", "a:9000", "s3%2Eexample.com", true),
            ("s3.example.com", "a:9000", "s3.example.community", false),
            ("s3.example.com", "a:9000", "not-s3.example.com", false),
            ("s3.example.com", "a:9000", "s3_example_com", false),
            ("s3.example.com", "minio:9000", "/bucket/minio", false),
            ("s3.example.com", "minio:9000", "/bucket/minio.tar", false),
            (
                "s3.example.com",
                "minio:9000",
                "dial tcp minio:9000: refused",
                true,
            ),
            ("s3.example.com", "minio:9000", "http://minio/bucket", true),
            ("s3.example.com", "minio", "http://me@minio/", true),
            ("s3.example.com", "minio", "http://minion/", false),
            (
                "s3.example.com",
                "10.0.0.5:9000",
                "dial 10.0.0.5:9000",
                true,
            ),
            (
                "s3.example.com",
                "10.0.0.5:9000",
                "version 110.0.0.5",
                false,
            ),
            (
                "s3.example.com",
                "10.0.0.5:9000",
                "version 10.0.0.50",
                false,
            ),
            ("s3.example.com", "[::1]:9000", "dial [::1]:9000", true),
            (
                "s3.example.com",
                "unix:/tmp/s3.sock",
                "at s3.example.com",
                true,
            ),
        ] {
            let origin = origin(host);
            let mut traces = Traces::default();
            traces.add(&origin, server.as_bytes());
            assert_eq!(
                traces.are_in(text.as_bytes()),
                expected,
                "{host} {server} {text:?}"
            );
        }
        assert!(!Traces::default().are_in(b"anything"));
    }
}
