//! Keys in XML, as the Security Token Service answers: AWS's, MinIO's, and Ceph's.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use sigv4::read_leaves;
use zeroize::Zeroizing;

use crate::json::{read_time, shown_code};
use crate::keys::ProvidedKeys;

/// Reads the keys that an answer to `action` has; `Err` says what it lacks, without a word of it.
pub(crate) fn read_keys(body: &[u8], action: &str) -> Result<ProvidedKeys, String> {
    const NAMES: [&str; 4] = [
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "Expiration",
    ];
    let (root, result) = (format!("{action}Response"), format!("{action}Result"));
    let mut values: [Option<Zeroizing<Vec<u8>>>; 4] = Default::default();
    let mut is_duplicate = false;
    let read = read_leaves(body, |path, text| {
        let [first, second, third, name] = path else {
            return;
        };
        if *first != root || *second != result || third != "Credentials" {
            return;
        }
        let place = NAMES.iter().position(|known| known == name);
        if let Some(value) = place.and_then(|place| values.get_mut(place)) {
            is_duplicate |= value
                .replace(Zeroizing::new(text.as_bytes().to_vec()))
                .is_some();
        }
    });
    if read.is_err() || is_duplicate {
        return Err("its answer is no XML with keys".into());
    }
    let [access_key, secret_key, token, expiration] = values.map(|value| value.unwrap_or_default());
    let expiration = match expiration.as_slice() {
        [] => None,
        text => Some(read_time(&String::from_utf8_lossy(text))?),
    };
    ProvidedKeys::new(&access_key, &secret_key, Some(&token), expiration)
        .map_err(|what| format!("its answer has {what}"))
}

/// Returns the code of an error, if the body has one.
pub(crate) fn error_code(body: &[u8]) -> Option<String> {
    let mut found = None;
    let read = read_leaves(body, |path, text| {
        if let [.., parent, name] = path
            && parent == "Error"
            && name == "Code"
        {
            found = Some(shown_code(text).to_owned());
        }
    });
    found.filter(|_| read.is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn answer(credentials: &str) -> String {
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n<AssumeRoleResult>\
             <SourceIdentity>Alice</SourceIdentity><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser>\
             <Credentials>{credentials}</Credentials><PackedPolicySize>6</PackedPolicySize></AssumeRoleResult>\
             <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>"
        )
    }

    const KEYS: &str = "<AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s/e+c</SecretAccessKey>\
        <SessionToken>t==</SessionToken>";

    #[test]
    fn keys() {
        let body = answer(&format!(
            "{KEYS}<Expiration>2026-05-28T20:34:56Z</Expiration>"
        ));
        let expected = ProvidedKeys::new(b"ASIA1", b"s/e+c", Some(b"t=="), Some(1_780_000_496));
        assert_eq!(read_keys(body.as_bytes(), "AssumeRole"), expected);
        let why = read_keys(body.as_bytes(), "AssumeRoleWithWebIdentity").unwrap_err();
        assert_eq!(why, "its answer has no access key");
    }

    #[test]
    fn what_has_none() {
        for (body, why) in [
            (String::new(), "its answer is no XML with keys"),
            ("{}".into(), "its answer is no XML with keys"),
            ("<html></html>".into(), "its answer has no access key"),
            (answer(""), "its answer has no access key"),
            (
                answer(&format!("<X>{KEYS}</X>")),
                "its answer has no access key",
            ),
            (
                answer(&format!("{KEYS}{KEYS}")),
                "its answer is no XML with keys",
            ),
            (
                answer(&format!("{KEYS}<Expiration>never</Expiration>")),
                "its answer has an expiration that is no time",
            ),
            (
                answer("<AccessKeyId>A</AccessKeyId><SecretAccessKey>&#10;</SecretAccessKey>"),
                "its answer is no XML with keys",
            ),
            (
                answer("<AccessKeyId>A</AccessKeyId>"),
                "its answer has no secret key",
            ),
            (
                answer(KEYS).replace("</AssumeRoleResult>", ""),
                "its answer is no XML with keys",
            ),
        ] {
            assert_eq!(
                read_keys(body.as_bytes(), "AssumeRole").unwrap_err(),
                why,
                "{body}"
            );
        }
    }

    #[test]
    fn errors_tell_their_code() {
        for (body, code) in [
            (
                "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>ExpiredTokenException</Code>\
                 <Message>secret</Message></Error><RequestId>1</RequestId></ErrorResponse>",
                Some("ExpiredTokenException"),
            ),
            (
                "<Error><Code>AccessDenied</Code></Error>",
                Some("AccessDenied"),
            ),
            ("<Error><Code>a b</Code></Error>", Some("?")),
            ("<Error><Code>a</Code>", None),
            ("nonsense", None),
        ] {
            assert_eq!(error_code(body.as_bytes()).as_deref(), code, "{body}");
        }
    }
}
