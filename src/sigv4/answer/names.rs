//! What a client calls what an origin's answer speaks of.
use std::borrow::Cow;

use crate::{origin::Origin, resource::is_bucket_byte};

/// The buckets of a request that have other names at its origins.
#[derive(Debug, Clone, Default)]
pub struct ClientNames(Vec<BucketPair>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct BucketPair {
    origin: String,
    client: String,
}

impl ClientNames {
    /// Adds a bucket of the client's, decoded, as an origin calls it.
    pub fn add(&mut self, client: &[u8], origin: &Origin) {
        let name = origin.buckets.origin_name(client);
        let Some(name) = name.filter(|name| name.as_bytes() != client) else {
            return;
        };
        // Both are of the letters that names of buckets have.
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let pair = BucketPair {
            origin: text(name.as_bytes()),
            client: text(client),
        };
        if !self.0.contains(&pair) {
            self.0.push(pair);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a bucket of the client's, decoded, has another name.
    pub(crate) fn is_client(&self, bucket: &[u8]) -> bool {
        self.0.iter().any(|pair| pair.client.as_bytes() == bucket)
    }

    /// Returns the client's name of an origin's bucket; the same name where it has no other.
    pub(super) fn bucket<'a>(&'a self, origin: &'a str) -> &'a str {
        let pair = self.0.iter().find(|pair| pair.origin == origin);
        pair.map_or(origin, |pair| &*pair.client)
    }

    /// Puts the client's name in the place of an origin's where a path begins with it, with or without a slash
    /// before it.
    pub(super) fn in_path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let (slash, rest) = match path.strip_prefix('/') {
            Some(rest) => ("/", rest),
            None => ("", path),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (bucket, rest) = rest.split_at(end);
        match self.bucket(bucket) {
            same if same == bucket => Cow::Borrowed(path),
            client => Cow::Owned([slash, client, rest].concat()),
        }
    }

    /// Puts the client's name in the place of an origin's in `bucket=NAME` among parameters: S3 adds them to the URL
    /// that a form has asked for.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
    pub fn in_parameters<'a>(&self, parameters: &'a str) -> Cow<'a, str> {
        if self.is_empty() {
            return Cow::Borrowed(parameters);
        }
        let parameters = parameters.split_inclusive(['?', '&', '#']);
        let renamed = parameters.map(|parameter| {
            let name = parameter.trim_end_matches(['?', '&', '#']);
            match name.strip_prefix("bucket=") {
                Some(bucket) => {
                    let end = parameter.get(name.len()..).unwrap_or_default();
                    Cow::Owned(["bucket=", self.bucket(bucket), end].concat())
                }
                None => Cow::Borrowed(parameter),
            }
        });
        Cow::Owned(renamed.collect())
    }

    /// Puts the client's names in the place of an origin's wherever one stands by itself, as in
    /// `arn:aws:s3:::BUCKET`, or in a sentence.
    pub fn in_words<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let is_part = |c: char| u8::try_from(c).is_ok_and(is_bucket_byte);
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_part) {
            let (before, word) = rest.split_at(start);
            let end = word.find(|c| !is_part(c)).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            // A dot may end a sentence.
            let name = word.trim_end_matches('.');
            written.push_str(before);
            written.push_str(self.bucket(name));
            written.push_str(word.get(name.len()..).unwrap_or_default());
            rest = after;
        }
        written.push_str(rest);
        Cow::Owned(written)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{BucketRule, Credential, SecretKey};

    fn names(clients: &[&str]) -> ClientNames {
        let secret = SecretKey::new(b"secret".into());
        let mut origin = Origin::new(Credential::new(b"AKID", secret), b"s3.example");
        for (client, there) in [("a", "b"), ("b", "a"), ("same", "same"), ("*", "acme-*")] {
            let rule = BucketRule::parse(client.as_bytes(), there.as_bytes()).unwrap();
            origin.buckets.push(rule).unwrap();
        }
        let mut names = ClientNames::default();
        for client in clients {
            names.add(client.as_bytes(), &origin);
            names.add(client.as_bytes(), &origin);
        }
        names
    }

    #[test]
    fn names_that_are_the_same() {
        assert!(names(&["same", "no/name", ""]).is_empty());
        assert_eq!(names(&["media"]).0.len(), 1);
        assert_eq!(names(&[]).in_words("acme-media"), "acme-media");
    }

    #[test]
    fn parameters_of_a_redirect() {
        let names = names(&["media"]);
        for (there, here) in [
            ("", ""),
            (
                "?bucket=acme-media&key=acme-media&etag=%22e%22",
                "?bucket=media&key=acme-media&etag=%22e%22",
            ),
            ("&key=k&bucket=acme-media", "&key=k&bucket=media"),
            (
                "?bucket=other&x=bucket=acme-media",
                "?bucket=other&x=bucket=acme-media",
            ),
        ] {
            assert_eq!(names.in_parameters(there), here);
        }
    }

    #[test]
    fn texts() {
        let names = names(&["media", "a", "b"]);
        for (text, path, words) in [
            (
                "/acme-media/acme-media",
                "/media/acme-media",
                "/media/media",
            ),
            ("acme-media/k", "media/k", "media/k"),
            ("acme-media", "media", "media"),
            ("/acme-media", "/media", "/media"),
            ("/acme-media?x", "/media?x", "/media?x"),
            ("/acme-media2/k", "/acme-media2/k", "/acme-media2/k"),
            ("/x-acme-media", "/x-acme-media", "/x-acme-media"),
            ("/a/b", "/b/b", "/b/a"),
            ("b a", "b a", "a b"),
            ("", "", ""),
            ("/", "/", "/"),
            ("//acme-media", "//acme-media", "//media"),
            (
                "No bucket \"acme-media\", é acme-media.",
                "No bucket \"acme-media\", é acme-media.",
                "No bucket \"media\", é media.",
            ),
            (
                "arn:aws:s3:::acme-media/k",
                "arn:aws:s3:::acme-media/k",
                "arn:aws:s3:::media/k",
            ),
            (
                "acme-media.example",
                "acme-media.example",
                "acme-media.example",
            ),
        ] {
            assert_eq!(names.in_path(text), path, "{text}");
            assert_eq!(names.in_words(text), words, "{text}");
        }
    }
}
