//! Signature Version 2, which old clients still use.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>
use arrayvec::ArrayVec;
use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::{
    canonical,
    query::Query,
    request::{Field, Fields, Header, MAX_HEADERS, is_amz},
    sink::Sink,
    uri::{self, Part},
};

/// What a V2 signature covers.
pub(crate) struct ToSign<'h, 'a> {
    pub(crate) method: &'a [u8],
    /// As sent.
    pub(crate) path: &'a [u8],
    pub(crate) query: &'h Query<'h, 'a>,
    pub(crate) headers: &'h [Header<'a>],
    /// `Expires` of a presigned request; the date header's value of another.
    pub(crate) date: &'a [u8],
}

/// The signature: 28 base64 digits.
pub(crate) fn signature(secret: &[u8], to_sign: &ToSign<'_, '_>, fields: &Fields<'_>) -> [u8; 28] {
    let mut mac = Authenticating(keyed(secret));
    to_sign.put(&mut mac, fields);
    finish(mac.0)
}

/// The signature over a browser form's policy, which is signed as it stands there.
pub(crate) fn policy_signature(secret: &[u8], policy: &[u8]) -> [u8; 28] {
    finish(keyed(secret).chain_update(policy))
}

fn finish(mac: Hmac<Sha1>) -> [u8; 28] {
    let digest: [u8; 20] = mac.finalize().into_bytes().into();
    let mut text = [0; 28];
    // 20 bytes are 28 digits, always.
    let _ = Base64::encode(&digest, &mut text);
    text
}

impl ToSign<'_, '_> {
    /// Puts the string to sign.
    fn put(&self, sink: &mut impl Sink, fields: &Fields<'_>) {
        sink.put(self.method);
        for line in [
            fields.value(Field::ContentMd5).unwrap_or_default(),
            fields.value(Field::ContentType).unwrap_or_default(),
            self.date,
        ] {
            sink.put(b"\n");
            sink.put(line);
        }
        sink.put(b"\n");
        self.put_amz_headers(sink);
        self.put_resource(sink);
    }

    /// CanonicalizedAmzHeaders: `name:value,value` and a line feed for each name, sorted.
    fn put_amz_headers(&self, sink: &mut impl Sink) {
        let amz = self
            .headers
            .iter()
            .filter(|header| is_amz(header.name))
            .take(MAX_HEADERS);
        let mut sorted = ArrayVec::<&Header<'_>, MAX_HEADERS>::new();
        for header in amz {
            let at =
                sorted.partition_point(|other| canonical::order(other.name, header.name).is_le());
            sorted.insert(at, header);
        }
        for same in sorted.chunk_by(|a, b| a.name.eq_ignore_ascii_case(b.name)) {
            for (at, header) in same.iter().enumerate() {
                if at == 0 {
                    canonical::put_lower(sink, header.name);
                }
                sink.put(if at == 0 { b":" } else { b"," });
                sink.put(header.value.trim_ascii());
            }
            sink.put(b"\n");
        }
    }

    /// CanonicalizedResource: the path, and the sub-resources with their values decoded.
    fn put_resource(&self, sink: &mut impl Sink) {
        sink.put(self.path);
        let mut separator: &[u8] = b"?";
        for (name, value) in self
            .query
            .others()
            .filter(|(name, _)| is_signed_parameter(name))
        {
            sink.put(separator);
            sink.put(name);
            if let Some(value) = value {
                sink.put(b"=");
                uri::put_decoded(sink, value, Part::Query);
            }
            separator = b"&";
        }
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha1> {
    match Hmac::<Sha1>::new_from_slice(secret) {
        Ok(mac) => mac,
        // An HMAC takes keys of any length.
        Err(_) => Hmac::<Sha1>::new(&Default::default()),
    }
}

struct Authenticating(Hmac<Sha1>);

impl Sink for Authenticating {
    fn put(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// Whether a V2 signature covers a parameter.
pub(crate) fn is_signed_parameter(name: &[u8]) -> bool {
    matches!(
        name,
        b"accelerate"
            | b"acl"
            | b"analytics"
            | b"cors"
            | b"defaultObjectAcl"
            | b"delete"
            | b"encryption"
            | b"inventory"
            | b"legal-hold"
            | b"lifecycle"
            | b"location"
            | b"logging"
            | b"metrics"
            | b"notification"
            | b"object-lock"
            | b"partNumber"
            | b"policy"
            | b"replication"
            | b"requestPayment"
            | b"response-cache-control"
            | b"response-content-disposition"
            | b"response-content-encoding"
            | b"response-content-language"
            | b"response-content-type"
            | b"response-expires"
            | b"restore"
            | b"retention"
            | b"select"
            | b"select-type"
            | b"storageClass"
            | b"tagging"
            | b"torrent"
            | b"uploadId"
            | b"uploads"
            | b"versionId"
            | b"versioning"
            | b"versions"
            | b"website"
    )
}

/// Whether an unsigned parameter may be signed anew for an origin: all that it can change is how
/// a listing is cut into pages.
pub(crate) fn is_harmless_parameter(name: &[u8]) -> bool {
    matches!(
        name,
        b"continuation-token"
            | b"delimiter"
            | b"encoding-type"
            | b"fetch-owner"
            | b"key-marker"
            | b"list-type"
            | b"marker"
            | b"max-keys"
            | b"max-parts"
            | b"max-uploads"
            | b"part-number-marker"
            | b"prefix"
            | b"start-after"
            | b"upload-id-marker"
            | b"version-id-marker"
            | b"x-id"
    )
}
