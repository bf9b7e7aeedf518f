//! The elements that S3 adds to an error, beside what all errors have: what it was about.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
use super::v4::with_rejected;
use crate::{
    date::Timestamp,
    error::{Rejection, ServerError},
    headers::{KnownHeader, must_be_signed},
    request::{ClientRequest, Header},
    resource::ResourcePath,
    rules::VerifyRules,
    text::{
        query::{Parameters, Query, Role},
        uri::{self, Part},
    },
};

/// The most of a text of the client's that an error shows, in bytes.
const MAX_SHOWN: usize = 1024;

/// The longest key, in bytes.
const MAX_KEY: usize = 1024;

/// What is known of a rejected request; nothing in it need be true.
#[derive(Debug, Clone, Copy)]
pub struct RejectedRequest<'h, 'r> {
    pub request: &'h ClientRequest<'h, 'r>,
    /// The access key that it names, decoded.
    pub access_key: &'r [u8],
    pub rules: &'h VerifyRules,
    pub now: Timestamp,
    /// How long a body may be, where it is that limit which it exceeds.
    pub max_body: Option<u64>,
    /// Of an object of which a part was asked for, where that is known.
    pub object_size: Option<u64>,
}

/// Elements of an error: names and texts, which are not escaped.
pub type Details = Vec<(&'static str, String)>;

/// Lists what S3's XML of a rejection has besides code, message and the request's ids. It is all the client's
/// own, or a limit; texts are cut where they are long.
pub fn details(rejection: &Rejection, asked: &RejectedRequest<'_, '_>) -> Details {
    let mut details = Details::new();
    let mut put = |name, text: &[u8]| details.push((name, shown(text)));
    let request = asked.request;
    let header = |name: &str| find(request.headers, name);
    let argument = |name: &'static str| {
        let value = header(name).unwrap_or_default();
        [("ArgumentName", name.as_bytes()), ("ArgumentValue", value)]
    };
    let path = ResourcePath::of(request.path);
    let key = path.map(|path| decoded(path.raw_key(), Part::Path));
    if let Some(region) = rejection.expected_region() {
        put("Region", region.as_bytes());
    }
    match rejection {
        Rejection::InvalidAccessKeyId | Rejection::SignatureDoesNotMatch => {
            put("AWSAccessKeyId", asked.access_key);
        }
        Rejection::UnsignedHeaders => {
            put("HeadersNotSigned", &headers_not_signed(request));
        }
        Rejection::RequestTimeTooSkewed => {
            if let Some(date) = header("x-amz-date").or(header("date")) {
                put("RequestTime", date);
            }
            put("ServerTime", asked.now.to_iso().as_bytes());
            let allowed = asked.rules.max_skew.saturating_mul(1000).to_string();
            put("MaxAllowedSkewMilliseconds", allowed.as_bytes());
        }
        Rejection::RequestExpired => {
            for (name, text) in lifetime(request) {
                put(name, text.as_bytes());
            }
            put("ServerTime", asked.now.to_iso().as_bytes());
        }
        Rejection::NotYetValid => put("ServerTime", asked.now.to_iso().as_bytes()),
        Rejection::InvalidPayloadHash | Rejection::PayloadHashConflict => {
            for (name, text) in argument("x-amz-content-sha256") {
                put(name, text);
            }
        }
        Rejection::PayloadMismatch(computed) => {
            let expected = header("x-amz-content-sha256").or_else(|| hash_in_query(request));
            put("ClientComputedContentSHA256", expected.unwrap_or_default());
            if let Some(computed) = computed {
                put("S3ComputedContentSHA256", &**computed);
            }
        }
        Rejection::InvalidSource => {
            for (name, text) in argument("x-amz-copy-source") {
                put(name, text);
            }
        }
        Rejection::UnknownMechanism | Rejection::SeveralMechanisms => {
            // The scheme alone: S3 shows the rest too, which may be another service's password.
            let [name, (value, text)] = argument("Authorization");
            put(name.0, name.1);
            put(value, text.split(|c| *c == b' ').next().unwrap_or_default());
        }
        // The value may be the password, or a token.
        Rejection::NoCredentials => put("ArgumentName", b"Authorization"),
        Rejection::MissingField(name) => {
            put("ArgumentName", name.as_bytes());
            put("ArgumentValue", b"");
        }
        Rejection::NoSuchUpload => put("UploadId", &parameter(request, "uploadId")),
        Rejection::WrongUploadIdMarker => put("ArgumentName", b"upload-id-marker"),
        Rejection::WrongVersionIdMarker => put("ArgumentName", b"version-id-marker"),
        Rejection::WrongContinuationToken => put("ArgumentName", b"continuation-token"),
        Rejection::MethodNotAllowed => {
            put("Method", request.method);
            put("ResourceType", resource_type(path).as_bytes());
        }
        Rejection::KeyTooLong => {
            if let Some(key) = key.filter(|key| key.len() > MAX_KEY) {
                put("Size", key.len().to_string().as_bytes());
            }
            put("MaxSizeAllowed", MAX_KEY.to_string().as_bytes());
        }
        Rejection::EntityTooLarge => {
            let announced = header("content-length");
            let has_body = announced.or(header("transfer-encoding")).is_some();
            if let Some(max) = asked.max_body.filter(|_| has_body) {
                if let Some(announced) = announced {
                    put("ProposedSize", announced);
                }
                put("MaxSizeAllowed", max.to_string().as_bytes());
            }
        }
        Rejection::SmallChunk {
            followed_by,
            length,
        } => {
            put("Chunk", followed_by.to_string().as_bytes());
            put("BadChunkSize", length.to_string().as_bytes());
        }
        Rejection::Server(ServerError::NoSuchKey) => put("Key", &key.unwrap_or_default()),
        Rejection::Server(ServerError::InvalidRange) => {
            if let Some(size) = asked.object_size {
                put("ActualObjectSize", size.to_string().as_bytes());
            }
            put("RangeRequested", header("range").unwrap_or_default());
        }
        Rejection::Server(ServerError::PreconditionFailed) => {
            let conditions = ["If-Match", "If-Unmodified-Since"];
            let sent = conditions.iter().find(|name| header(name).is_some());
            if let Some(name) = sent {
                put("Condition", name.as_bytes());
            }
        }
        Rejection::NoSuchBucket(name) => put("BucketName", name.as_bytes()),
        _ => {}
    }
    details
}

fn shown(text: &[u8]) -> String {
    let text = text.get(..MAX_SHOWN).unwrap_or(text);
    String::from_utf8_lossy(text).into_owned()
}

fn find<'r>(headers: &[Header<'r>], name: &str) -> Option<&'r [u8]> {
    let mut found = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name.as_bytes()));
    Some(found.next()?.value)
}

/// Returns the `X-Amz-Content-Sha256` of a presigned URL.
fn hash_in_query<'r>(request: &ClientRequest<'_, 'r>) -> Option<&'r [u8]> {
    let mut parameters = Parameters::new();
    let query = Query::parse(request.target().query, &mut parameters);
    query.ok()?.find(Role::ContentSha256)
}

/// Returns the value of a parameter of this name, decoded; empty without one.
fn parameter(request: &ClientRequest<'_, '_>, name: &str) -> Vec<u8> {
    let mut parameters = Parameters::new();
    let Ok(query) = Query::parse(request.target().query, &mut parameters) else {
        return Vec::new();
    };
    let is_it = |raw| uri::decoded(raw, Part::Query).eq(name.bytes());
    let value = query.others().find(|(raw, _)| is_it(raw));
    decoded(
        value.and_then(|(_, value)| value).unwrap_or_default(),
        Part::Query,
    )
}

fn decoded(raw: &[u8], part: Part) -> Vec<u8> {
    let mut text = Vec::new();
    uri::put_decoded(&mut text, raw, part);
    text
}

fn resource_type(path: Option<ResourcePath<'_>>) -> &'static str {
    let Some(path) = path else {
        return "SERVICE";
    };
    match (path.raw_bucket(), path.raw_key()) {
        (_, [_, ..]) => "OBJECT",
        ([], []) => "SERVICE",
        _ => "BUCKET",
    }
}

/// Lists the names that the signature does not cover, in lower case: of headers that it must.
fn headers_not_signed(request: &ClientRequest<'_, '_>) -> Vec<u8> {
    let signed = with_rejected(request, |_, v4| {
        let names = v4.authorization.names();
        Some(names.filter_map(Result::ok).map(<[u8]>::to_vec).collect())
    });
    // What cannot be read has signed nothing.
    let signed: Vec<Vec<u8>> = signed.unwrap_or_default();
    let is_signed = |name: &[u8]| signed.iter().any(|signed| *signed == name);
    let mut names = Vec::new();
    let mut put = |name: Vec<u8>| {
        if names.len() < MAX_SHOWN {
            let comma: &[u8] = if names.is_empty() { b"" } else { b", " };
            names.extend_from_slice(comma);
            names.extend(name);
        }
    };
    if !is_signed(b"host") {
        put(b"host".to_vec());
    }
    for header in request.headers {
        let name = header.name.to_ascii_lowercase();
        if must_be_signed(&name, KnownHeader::named(&name)) && !is_signed(&name) {
            put(name);
        }
    }
    names
}

/// Tells when a presigned request ended.
fn lifetime(request: &ClientRequest<'_, '_>) -> Vec<(&'static str, String)> {
    let mut parameters = Parameters::new();
    let Ok(query) = Query::parse(request.query, &mut parameters) else {
        return Vec::new();
    };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    let seconds = query.find(Role::Expires).and_then(number);
    let date = query.find(Role::Date).and_then(Timestamp::parse);
    if let (Some(seconds), Some(date)) = (seconds, date) {
        let end = Timestamp(date.0.saturating_add(seconds));
        return vec![
            ("X-Amz-Expires", seconds.to_string()),
            ("Expires", end.to_iso()),
        ];
    }
    let end = query.find(Role::V2Expires).and_then(number).map(Timestamp);
    end.map(|end| ("Expires", end.to_iso()))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists what is said of a request with these headers, as `Name=text` with `|` between.
    fn said(rejection: &Rejection, target: &str, headers: &[(&str, &str)]) -> String {
        let headers: Vec<Header<'_>> = headers
            .iter()
            .map(|(name, value)| Header {
                name: name.as_bytes(),
                value: value.as_bytes(),
            })
            .collect();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asked = RejectedRequest {
            request: &ClientRequest {
                method: b"GET",
                path: path.as_bytes(),
                path_with_plus: None,
                query: query.as_bytes(),
                host: None,
                rewritten: None,
                headers: &headers,
            },
            access_key: b"AKID/A",
            rules: &VerifyRules {
                max_skew: 900,
                ..VerifyRules::default()
            },
            now: Timestamp(1_440_938_160),
            max_body: Some(10),
            object_size: Some(3),
        };
        let details = details(rejection, &asked);
        let details: Vec<String> = details
            .iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        details.join("|")
    }

    const DATE: (&str, &str) = ("x-amz-date", "20150830T123600Z");

    #[test]
    fn each_kind() {
        let range = Rejection::Server(ServerError::InvalidRange);
        let condition = Rejection::Server(ServerError::PreconditionFailed);
        let no_key = Rejection::Server(ServerError::NoSuchKey);
        let v4 = "AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/s3/aws4_request, \
                  SignedHeaders=host;x-amz-date, Signature=0";
        let long = "/b/".to_owned() + &"%41".repeat(1025);
        for (rejection, target, headers, expected) in [
            (Rejection::AccessDenied, "/b/k", &[][..], ""),
            (
                Rejection::InvalidAccessKeyId,
                "/b/k",
                &[],
                "AWSAccessKeyId=AKID/A",
            ),
            (
                Rejection::SignatureDoesNotMatch,
                "/b/k",
                &[("Authorization", "AWS4")],
                "AWSAccessKeyId=AKID/A",
            ),
            (
                Rejection::UnsignedHeaders,
                "/b/k",
                &[
                    ("Authorization", v4),
                    ("Host", "h"),
                    DATE,
                    ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
                    ("X-Amz-Acl", "a"),
                    ("X-Amz-B", "b"),
                    ("Accept", "c"),
                ],
                "HeadersNotSigned=x-amz-acl, x-amz-b",
            ),
            (
                Rejection::UnsignedHeaders,
                "/b/k",
                &[("X-Amz-Acl", "a")],
                "HeadersNotSigned=host, x-amz-acl",
            ),
            (
                Rejection::RequestTimeTooSkewed,
                "/b/k",
                &[DATE],
                "RequestTime=20150830T123600Z|ServerTime=2015-08-30T12:36:00Z|\
                 MaxAllowedSkewMilliseconds=900000",
            ),
            (
                Rejection::RequestExpired,
                "/b/k?X-Amz-Date=20150830T120000Z&X-Amz-Expires=90",
                &[],
                "X-Amz-Expires=90|Expires=2015-08-30T12:01:30Z|ServerTime=2015-08-30T12:36:00Z",
            ),
            (
                Rejection::RequestExpired,
                "/b/k?Expires=1440938100",
                &[],
                "Expires=2015-08-30T12:35:00Z|ServerTime=2015-08-30T12:36:00Z",
            ),
            (
                Rejection::UnknownMechanism,
                "/b/k",
                &[("authorization", "AWSX password")],
                "ArgumentName=Authorization|ArgumentValue=AWSX",
            ),
            (
                Rejection::NoCredentials,
                "/b/k",
                &[("authorization", "password")],
                "ArgumentName=Authorization",
            ),
            (
                Rejection::MissingField("key"),
                "/b",
                &[],
                "ArgumentName=key|ArgumentValue=",
            ),
            (
                Rejection::MethodNotAllowed,
                "/",
                &[],
                "Method=GET|ResourceType=SERVICE",
            ),
            (
                Rejection::MethodNotAllowed,
                "/b/",
                &[],
                "Method=GET|ResourceType=BUCKET",
            ),
            (
                Rejection::MethodNotAllowed,
                "/b/k",
                &[],
                "Method=GET|ResourceType=OBJECT",
            ),
            (Rejection::KeyTooLong, "/b", &[], "MaxSizeAllowed=1024"),
            (
                Rejection::KeyTooLong,
                &long,
                &[],
                "Size=1025|MaxSizeAllowed=1024",
            ),
            (
                Rejection::SmallChunk {
                    followed_by: 2,
                    length: 3,
                },
                "/b/k",
                &[],
                "Chunk=2|BadChunkSize=3",
            ),
            (
                Rejection::EntityTooLarge,
                "/b/k",
                &[("Content-Length", "11")],
                "ProposedSize=11|MaxSizeAllowed=10",
            ),
            (
                Rejection::EntityTooLarge,
                "/b/k",
                &[("Transfer-Encoding", "chunked")],
                "MaxSizeAllowed=10",
            ),
            (Rejection::EntityTooLarge, "/b/k", &[], ""),
            (
                Rejection::PayloadMismatch(Some([b'0'; 64].into())),
                "/b/k",
                &[("X-Amz-Content-Sha256", "a")],
                &format!(
                    "ClientComputedContentSHA256=a|S3ComputedContentSHA256={:0<64}",
                    ""
                ),
            ),
            (
                Rejection::PayloadMismatch(None),
                "/b/k?X-Amz-Content-Sha256=b",
                &[],
                "ClientComputedContentSHA256=b",
            ),
            (no_key, "/b/a%20b/%E4", &[], "Key=a b/\u{fffd}"),
            (
                range,
                "/b/k",
                &[("Range", "bytes=5-")],
                "ActualObjectSize=3|RangeRequested=bytes=5-",
            ),
            (
                condition,
                "/b/k",
                &[("if-match", "a")],
                "Condition=If-Match",
            ),
        ] {
            assert_eq!(
                said(&rejection, target, headers),
                expected,
                "{rejection} {target}"
            );
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let value = "x".repeat(3000);
        let said = said(
            &Rejection::InvalidPayloadHash,
            "/b/k",
            &[("x-amz-content-sha256", &value)],
        );
        let expected = format!(
            "ArgumentName=x-amz-content-sha256|ArgumentValue={:.1024}",
            value
        );
        assert_eq!(said, expected);
    }
}
