//! Keys in JSON, as the metadata service of EC2 and those of containers answer.

use std::borrow::Cow;

use serde::Deserialize;
use sigv4::Timestamp;
use zeroize::Zeroize;

use crate::keys::ProvidedKeys;

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html> and
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>; what else is there is ignored.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeysJson<'a> {
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    access_key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    secret_access_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    expiration: Option<Cow<'a, str>>,
}

/// Reads the keys in a body; `Err` says what it lacks, without a word of it but an error's code.
pub(crate) fn read_keys(body: &[u8]) -> Result<ProvidedKeys, String> {
    // The parser's message would quote the body.
    let mut json: KeysJson<'_> =
        serde_json::from_slice(body).map_err(|_| "its answer is no JSON with keys".to_owned())?;
    let keys = keys_of(&json);
    for secret in [&mut json.secret_access_key, &mut json.token] {
        // One with an escape has been copied.
        if let Some(Cow::Owned(copy)) = secret {
            copy.zeroize();
        }
    }
    keys
}

fn keys_of(json: &KeysJson<'_>) -> Result<ProvidedKeys, String> {
    match json.code.as_deref() {
        None | Some("Success") => {}
        Some(code) => return Err(format!("its answer says \"{}\"", shown_code(code))),
    }
    let bytes =
        |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().as_bytes().to_vec();
    let expires = match json.expiration.as_deref() {
        None | Some("") => None,
        Some(text) => Some(read_time(text)?),
    };
    let secret = zeroize::Zeroizing::new(bytes(&json.secret_access_key));
    let token = zeroize::Zeroizing::new(bytes(&json.token));
    ProvidedKeys::new(&bytes(&json.access_key_id), &secret, Some(&token), expires)
        .map_err(|what| format!("its answer has {what}"))
}

/// Reads an expiration: RFC 3339.
pub(crate) fn read_time(text: &str) -> Result<u64, String> {
    let time = Timestamp::parse_iso(text.as_bytes()).and_then(|time| u64::try_from(time.0).ok());
    time.ok_or_else(|| "its answer has an expiration that is no time".into())
}

/// Returns an error's code, if it looks like one.
pub(crate) fn shown_code(code: &str) -> &str {
    let is_code = (1..=64).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_code { code } else { "?" }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let body = r#"{"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "x", "AccessKeyId": "ASIA1",
            "SecretAccessKey": "s/e\u0063", "Token": "t==", "Expiration": "2026-05-28T20:34:56Z", "New": {"a": [1]}}"#;
        let keys = read_keys(body.as_bytes()).unwrap();
        let expected = ProvidedKeys::new(b"ASIA1", b"s/ec", Some(b"t=="), Some(1_780_000_496));
        assert_eq!(Ok(keys), expected);
        let lasting = read_keys(br#"{"AccessKeyId": "A", "SecretAccessKey": "s", "Token": ""}"#);
        assert_eq!(lasting, ProvidedKeys::new(b"A", b"s", None, None));
    }

    #[test]
    fn what_has_none() {
        let long = "x".repeat(8193);
        for (body, why) in [
            ("", "its answer is no JSON with keys"),
            ("[]", "its answer is no JSON with keys"),
            ("null", "its answer is no JSON with keys"),
            ("{\"AccessKeyId\": 1}", "its answer is no JSON with keys"),
            (
                "{\"AccessKeyId\": \"A\", \"AccessKeyId\": \"B\"}",
                "its answer is no JSON with keys",
            ),
            (
                "{\"AccessKeyId\": \"A\"} x",
                "its answer is no JSON with keys",
            ),
            ("<html>", "its answer is no JSON with keys"),
            ("{}", "its answer has no access key"),
            ("{\"AccessKeyId\": \"A\"}", "its answer has no secret key"),
            (
                "{\"AccessKeyId\": \"A,B\", \"SecretAccessKey\": \"s\"}",
                "its answer has access key with characters that none has",
            ),
            (
                "{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"s\\nt\"}",
                "its answer has secret key with characters that none has",
            ),
            (
                "{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"s\", \"Token\": \"a\\r\\nX: y\"}",
                "its answer has session token with characters that none has",
            ),
            (
                &format!(
                    "{{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"s\", \"Token\": \"{long}\"}}"
                ),
                "its answer has session token that is longer than 8192 bytes",
            ),
            (
                "{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"s\", \"Expiration\": \"soon\"}",
                "its answer has an expiration that is no time",
            ),
            (
                "{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"s\", \"Expiration\": \"1960-01-01T00:00:00Z\"}",
                "its answer has an expiration that is no time",
            ),
            (
                "{\"Code\": \"AssumeRoleUnauthorizedAccess\"}",
                "its answer says \"AssumeRoleUnauthorizedAccess\"",
            ),
            ("{\"Code\": \"a\\nb\"}", "its answer says \"?\""),
        ] {
            assert_eq!(read_keys(body.as_bytes()).unwrap_err(), why, "{body}");
        }
        assert!(read_keys("[".repeat(60_000).as_bytes()).is_err());
    }
}
