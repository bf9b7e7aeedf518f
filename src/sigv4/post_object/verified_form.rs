//! A verified form, and what is written for an origin in the place of its head.
use std::ops::RangeInclusive;

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use super::fields::FormField;
use crate::{
    canonical::ALGORITHM,
    credential::{Credential, SecretKey},
    crypto::signature::SignatureV4,
    date::{AmzDate, Timestamp},
    keys::SigningKey,
    sse_c::CustomerKey,
    text::sink::Sink,
    text::uri::{self, Part},
};

/// A form of which everything has been verified but, at first, how long its file is.
#[derive(Debug)]
pub(crate) struct VerifiedForm<'r> {
    pub(super) bucket: String,
    /// Those that are passed on; `${filename}` is the file's name by now.
    pub(super) fields: Vec<FormField<'r>>,
    /// The end of the policy.
    pub(super) expiration: Timestamp,
    /// How long the file may be.
    pub(super) length: RangeInclusive<u64>,
    pub(super) boundary: Vec<u8>,
    /// What the file's part says; S3 goes by a field.
    pub(super) content_type: Option<&'r [u8]>,
    /// Bytes after the head: the file and the form's end.
    pub(super) stored_length: u64,
}

/// Who signs a policy, and when.
pub(crate) struct PolicySigner<'a> {
    pub(crate) credential: &'a Credential,
    pub(crate) session_token: Option<&'a SecretKey>,
    pub(crate) date: &'a AmzDate,
    pub(crate) key: &'a SigningKey,
}

impl VerifiedForm<'_> {
    /// Returns the client's name of the bucket, decoded.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) fn stored_length(&self) -> u64 {
        self.stored_length
    }

    fn find(&self, name: &str) -> Option<&[u8]> {
        let field = self.fields.iter().find(|field| field.is(name))?;
        Some(&field.value)
    }

    /// Returns the key, decoded.
    pub(crate) fn key(&self) -> &[u8] {
        self.find("key").unwrap_or_default()
    }

    /// Returns the key in canonical percent-encoding.
    pub(crate) fn encoded_key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        uri::put_encoded(&mut key, self.key(), Part::Path);
        key
    }

    /// Returns where the browser is to be sent when the upload has succeeded.
    pub(crate) fn redirect(&self) -> Option<&[u8]> {
        self.find("success_action_redirect")
            .or_else(|| self.find("redirect"))
            .filter(|url| !url.is_empty())
    }

    /// Writes all that precedes the file's data, for an origin. Its policy has the same end as the client's,
    /// the same limits of length, and allows nothing but these very fields. `bucket` is the origin's name of the
    /// bucket, if it has another one, and `customer_key` a key with which the object is encrypted there, if the form
    /// has none.
    pub(crate) fn head(
        &self,
        bucket: Option<&[u8]>,
        customer_key: Option<&CustomerKey>,
        signer: PolicySigner<'_>,
    ) -> Vec<u8> {
        let mut credential = Vec::new();
        signer
            .key
            .scope()
            .put_credential(&mut credential, signer.credential.access_key());

        let mut fields: Vec<(&[u8], &[u8])> = self
            .fields
            .iter()
            .map(|field| match bucket {
                Some(bucket) if field.is("bucket") => (field.name, bucket),
                _ => (field.name, &*field.value),
            })
            .collect();
        let key_fields = customer_key.into_iter().flat_map(CustomerKey::fields);
        fields.extend(key_fields.map(|field| (field.name, field.value)));
        fields.push((b"x-amz-algorithm", ALGORITHM));
        fields.push((b"x-amz-credential", &credential));
        fields.push((b"x-amz-date", signer.date.as_bytes()));
        if let Some(token) = signer.session_token {
            fields.push((b"x-amz-security-token", token.expose()));
        }
        let policy = self.policy(bucket.unwrap_or(self.bucket.as_bytes()), &fields);
        let mut signature = Vec::new();
        SignatureV4::of_mac(&signer.key.mac().sign(&policy)).put(&mut signature);
        fields.push((b"policy", &policy));
        fields.push((b"x-amz-signature", &signature));

        let mut head = Vec::new();
        for (name, value) in fields {
            self.put_part(&mut head, name);
            head.put(b"\r\n\r\n");
            head.put(value);
            head.put(b"\r\n");
        }
        self.put_part(&mut head, b"file");
        // The name has been put where it was wanted; some servers know a file by having one.
        head.put(b"; filename=\"file\"\r\n");
        if let Some(content_type) = self.content_type {
            head.put(b"Content-Type: ");
            head.put(content_type);
            head.put(b"\r\n");
        }
        head.put(b"\r\n");
        head
    }

    fn put_part(&self, head: &mut Vec<u8>, name: &[u8]) {
        head.put(b"--");
        head.put(&self.boundary);
        head.put(b"\r\nContent-Disposition: form-data; name=\"");
        head.put(name);
        head.put(b"\"");
    }

    /// Writes the policy in base64.
    fn policy(&self, bucket: &[u8], fields: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut conditions: Vec<Value> = fields
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case(b"bucket"))
            .map(|(name, value)| {
                let [name, value] = [name, value].map(|text| String::from_utf8_lossy(text));
                json!(["eq", format!("${name}"), value])
            })
            .collect();
        conditions.push(json!({"bucket": String::from_utf8_lossy(bucket)}));
        if self.length != (0..=u64::MAX) {
            let (least, most) = (self.length.start(), self.length.end());
            conditions.push(json!(["content-length-range", least, most]));
        }
        let document = json!({"expiration": self.expiration(), "conditions": conditions});
        Base64::encode_string(document.to_string().as_bytes()).into_bytes()
    }

    /// Writes the end of the policy as AWS's own examples do, which every server reads.
    fn expiration(&self) -> String {
        let date = AmzDate::from(self.expiration);
        let text = String::from_utf8_lossy(date.as_bytes());
        let part = |range| text.get(range).unwrap_or_default();
        let (day, time) = (
            [part(0..4), part(4..6), part(6..8)],
            [part(9..11), part(11..13)],
        );
        format!("{}T{}:{}.000Z", day.join("-"), time.join(":"), part(13..15))
    }
}
