//! Signature Version 2, which old clients still use.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>
use arrayvec::ArrayVec;
use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::{
    canonical,
    crypto::signature::{Signature, SignatureV2},
    headers::{KnownHeader, KnownHeaders, steers_server},
    request::{Header, MAX_HEADERS},
    text::query::{Query, Role},
    text::sink::Sink,
    text::uri::{self, Part},
};

const TOKEN: &[u8] = b"x-amz-security-token";

/// What a V2 signature covers.
pub(crate) struct StringToSign<'h, 'a> {
    pub(crate) method: &'a [u8],
    /// Empty if it is in the path.
    pub(crate) bucket_in_host: &'h [u8],
    /// As sent.
    pub(crate) path: &'a [u8],
    pub(crate) query: &'h Query<'h, 'a>,
    pub(crate) headers: &'h [Header<'a>],
    /// `Expires` of a presigned request; the date header's value of another.
    pub(crate) date: &'a [u8],
}

/// Signs a request.
pub(crate) fn signature(
    secret: &[u8],
    to_sign: &StringToSign<'_, '_>,
    fields: &KnownHeaders<'_>,
) -> SignatureV2 {
    let mut mac = HmacSha1Sink(keyed(secret));
    to_sign.put(&mut mac, fields);
    finish(mac.0)
}

/// Signs a browser form's policy, as it stands there.
pub(crate) fn policy_signature(secret: &[u8], policy: &[u8]) -> SignatureV2 {
    finish(keyed(secret).chain_update(policy))
}

fn finish(mac: Hmac<Sha1>) -> SignatureV2 {
    let digest: [u8; 20] = mac.finalize().into_bytes().into();
    let mut text = [0; 28];
    // 20 bytes are 28 digits, always.
    let _ = Base64::encode(&digest, &mut text);
    Signature::new(text)
}

impl StringToSign<'_, '_> {
    /// Puts the string to sign.
    fn put(&self, sink: &mut impl Sink, fields: &KnownHeaders<'_>) {
        sink.put(self.method);
        for line in [
            fields.value(KnownHeader::ContentMd5).unwrap_or_default(),
            fields.value(KnownHeader::ContentType).unwrap_or_default(),
            self.date,
        ] {
            sink.put(b"\n");
            sink.put(line);
        }
        sink.put(b"\n");
        self.put_amz_headers(sink);
        self.put_resource(sink);
    }

    /// Puts CanonicalizedAmzHeaders: `name:value,value` and a line feed for each name, sorted. With other
    /// makers' headers, which no V2 signature covers, so that a request that has one is rejected.
    fn put_amz_headers(&self, sink: &mut impl Sink) {
        let amz = self
            .headers
            .iter()
            .filter(|header| steers_server(header.name))
            .take(MAX_HEADERS);
        let mut sorted = ArrayVec::<&Header<'_>, MAX_HEADERS>::new();
        for header in amz {
            let at =
                sorted.partition_point(|other| canonical::order(other.name, header.name).is_le());
            sorted.insert(at, header);
        }
        let mut token = self.query.find(Role::V2SecurityToken);
        for same in sorted.chunk_by(|a, b| a.name.eq_ignore_ascii_case(b.name)) {
            let is_after = |header: &&Header<'_>| canonical::order(header.name, TOKEN).is_gt();
            if same.first().is_some_and(is_after) {
                put_token(sink, token.take());
            }
            for (at, header) in same.iter().enumerate() {
                if at == 0 {
                    canonical::put_lower(sink, header.name);
                }
                sink.put(if at == 0 { b":" } else { b"," });
                sink.put(canonical::trim(header.value));
            }
            sink.put(b"\n");
        }
        put_token(sink, token);
    }

    /// Puts CanonicalizedResource: the path, and the sub-resources with their values decoded.
    fn put_resource(&self, sink: &mut impl Sink) {
        if !self.bucket_in_host.is_empty() {
            sink.put(b"/");
            sink.put(self.bucket_in_host);
        }
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

/// Puts the token of a query as the header that it would be otherwise.
fn put_token(sink: &mut impl Sink, raw: Option<&[u8]>) {
    if let Some(raw) = raw {
        sink.put(TOKEN);
        sink.put(b":");
        uri::put_decoded(sink, raw, Part::Query);
        sink.put(b"\n");
    }
}

/// Whether another query could have the same string to sign: values stand decoded in it, so one
/// that holds `&` and a sub-resource's name looks like two parameters.
pub(crate) fn is_ambiguous(query: &Query<'_, '_>) -> bool {
    query
        .others()
        .filter(|(name, _)| is_signed_parameter(name))
        .any(|(_, value)| value.is_some_and(holds_parameter))
}

fn holds_parameter(value: &[u8]) -> bool {
    // One byte more than the longest.
    const ROOM: usize = 29;
    let mut decoder = uri::decoded(value, Part::Query);
    while let Some(byte) = decoder.next() {
        if byte != b'&' {
            continue;
        }
        let after = decoder.clone();
        let name = after.take_while(|byte| !matches!(byte, b'=' | b'&'));
        if is_signed_parameter(&name.take(ROOM).collect::<ArrayVec<u8, ROOM>>()) {
            return true;
        }
    }
    false
}

fn keyed(secret: &[u8]) -> Hmac<Sha1> {
    match Hmac::<Sha1>::new_from_slice(secret) {
        Ok(mac) => mac,
        // An HMAC takes keys of any length.
        Err(_) => Hmac::<Sha1>::new(&Default::default()),
    }
}

struct HmacSha1Sink(Hmac<Sha1>);

impl Sink for HmacSha1Sink {
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

/// Whether an unsigned parameter may be signed again for an origin: all that it can change is how
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::select};

    use crate::text::query::Parameters;

    /// Returns the part of the string to sign that stands for a query, in canonical order, and whether a
    /// request with that query is rejected.
    fn resource(raw: &str) -> (Vec<u8>, bool) {
        let mut room = Parameters::new();
        let query = Query::parse(raw.as_bytes(), &mut room).ok();
        let query = query.unwrap_or(Query::NONE);
        let to_sign = StringToSign {
            method: b"GET",
            bucket_in_host: b"",
            path: b"/b/k",
            query: &query,
            headers: &[],
            date: b"",
        };
        let mut text = Vec::new();
        to_sign.put_resource(&mut text);
        (text, is_ambiguous(&query))
    }

    fn canonical(raw: &str) -> Vec<u8> {
        let (mut room, mut text) = (Parameters::new(), Vec::new());
        if let Ok(query) = Query::parse(raw.as_bytes(), &mut room) {
            query.put_signed(&mut text);
        }
        text
    }

    /// Lists the queries whose string to sign may be this one: each `&` in it divides two parameters, or is a
    /// byte of a value.
    fn readings(resource: &str) -> Vec<String> {
        let Some((_, text)) = resource.split_once('?') else {
            return vec![String::new()];
        };
        let pieces: Vec<&str> = text.split('&').collect();
        let mut readings = vec![pieces[0].to_owned()];
        for piece in &pieces[1..] {
            let joined = readings
                .iter()
                .flat_map(|reading| [format!("{reading}\n{piece}"), format!("{reading}&{piece}")]);
            readings = joined.collect();
        }
        let encoded = |parameter: &str| {
            let Some((name, value)) = parameter.split_once('=') else {
                return parameter.to_owned();
            };
            let mut text = format!("{name}=").into_bytes();
            uri::put_encoded(&mut text, value.as_bytes(), Part::Query);
            String::from_utf8_lossy(&text).into_owned()
        };
        let query = |reading: &String| reading.split('\n').map(encoded).collect::<Vec<_>>();
        readings
            .iter()
            .map(|reading| query(reading).join("&"))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// No two queries that are accepted, and differ in what is signed, have the same string to sign.
        #[test]
        fn a_string_to_sign_is_that_of_one_query(
            parameters in vec(
                (
                    select(&["acl", "policy", "tagging", "versionId", "response-expires"][..]),
                    vec(select(&["%26", "acl", "versionId", "policy", "=", "%3D", "%2526", "a", "+", "%20"][..]), 0..6),
                    any::<bool>(),
                ),
                1..4,
            ),
        ) {
            let query = |(name, value, bare): &(&str, Vec<&str>, bool)| match bare {
                true if value.is_empty() => name.to_string(),
                _ => format!("{name}={}", value.concat()),
            };
            let raw = parameters.iter().map(query).collect::<Vec<_>>().join("&");
            let (text, rejected) = resource(&raw);
            let mut found = false;
            for other in readings(&String::from_utf8_lossy(&text)) {
                let (same, other_rejected) = resource(&other);
                found |= canonical(&other) == canonical(&raw);
                let collides = same == text && canonical(&other) != canonical(&raw);
                prop_assert!(!collides || rejected || other_rejected, "{} {}", raw, other);
            }
            prop_assert!(found, "{}", raw);
        }
    }

    #[test]
    fn values_that_hold_a_parameter() {
        for (raw, rejected) in [
            ("acl=x%26versionId=1", true),
            ("acl=x%26versionId", true),
            ("acl=%26policy%26a", true),
            ("versionId=1%26acl", true),
            ("response-content-disposition=a%26uploads%3D", true),
            ("response-content-disposition=a%26b.txt", false),
            ("response-content-disposition=Q%26acls", false),
            ("response-content-disposition=a%2526acl", false),
            ("versionId=acl", false),
            // No V2 signature covers it.
            ("prefix=a%26acl", false),
        ] {
            assert_eq!(resource(raw).1, rejected, "{raw}");
        }
    }
}
