//! The shared credentials file of AWS's tools.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use crate::keys::ProvidedKeys;

/// The longest file, in bytes.
pub const MAX_FILE: usize = 64 << 10;

/// Reads the keys of a profile; `Err` says what is wrong, as the end of a sentence that begins with the file's name,
/// without a word of it.
pub fn read_profile(file: &[u8], profile: &str) -> Result<ProvidedKeys, String> {
    const NAMES: [&str; 3] = [
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
    ];
    if file.len() > MAX_FILE {
        return Err(format!(
            "is longer than {MAX_FILE} bytes: write the path of a file with profiles"
        ));
    }
    let Ok(text) = std::str::from_utf8(file) else {
        return Err("is no text of UTF-8: save it as such".into());
    };
    let (mut is_in_profile, mut is_found) = (false, false);
    let mut values: [Option<&str>; 3] = [None; 3];
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let whole = line.trim_end();
        // A line that begins with a space goes on with the setting before it, which is none of these.
        if whole.trim_start().is_empty() || whole.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        if let Some(rest) = whole.strip_prefix('[') {
            let (name, _) = rest.split_once(']').ok_or_else(|| {
                format!("has a line {number} that begins a profile, and does not end its name: write \"[NAME]\"")
            })?;
            // As in the file "config".
            let name = name.trim();
            let name = name.strip_prefix("profile ").map_or(name, str::trim_start);
            is_in_profile = name == profile;
            is_found |= is_in_profile;
            continue;
        }
        if !is_in_profile {
            continue;
        }
        let (name, value) = whole.split_once('=').ok_or_else(|| {
            format!("has a line {number} that is no setting: write \"NAME = VALUE\"")
        })?;
        let name = name.trim();
        let place = NAMES
            .iter()
            .position(|known| name.eq_ignore_ascii_case(known));
        if let Some(place) = place.and_then(|place| values.get_mut(place))
            && place.replace(value.trim()).is_some()
        {
            return Err(format!(
                "has \"{name}\" twice in profile \"{}\": keep one",
                profile.escape_debug()
            ));
        }
    }
    let shown = profile.escape_debug();
    if !is_found {
        return Err(format!(
            "has no profile \"{shown}\": add it, or write \"file:PATH#PROFILE\" with one that it has"
        ));
    }
    let [access_key, secret_key, token] = values;
    for (value, name) in [access_key, secret_key].into_iter().zip(NAMES) {
        if value.is_none_or(str::is_empty) {
            return Err(format!("has no \"{name}\" in profile \"{shown}\": add it"));
        }
    }
    let bytes = |value: Option<&str>| value.unwrap_or_default().as_bytes().to_vec();
    let (secret, token) = (
        zeroize::Zeroizing::new(bytes(secret_key)),
        zeroize::Zeroizing::new(bytes(token)),
    );
    ProvidedKeys::new(&bytes(access_key), &secret, Some(&token), None)
        .map_err(|what| format!("has, in profile \"{shown}\", {what}: correct it"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FILE: &str = "# keys\n[default]\naws_access_key_id = AKID1\naws_secret_access_key=s1\nregion = x\n\n\
        [profile  other ] ; a comment\nAWS_ACCESS_KEY_ID=AKID2\r\naws_secret_access_key = s=2 \r\n\
        aws_session_token = t2\ns3 =\n  aws_access_key_id = nested\n; end\n[empty]\n";

    #[test]
    fn profiles() {
        for (profile, expected) in [
            ("default", ProvidedKeys::new(b"AKID1", b"s1", None, None)),
            (
                "other",
                ProvidedKeys::new(b"AKID2", b"s=2", Some(b"t2"), None),
            ),
        ] {
            assert_eq!(read_profile(FILE.as_bytes(), profile), expected);
        }
        assert!(read_profile(format!("\u{feff}{FILE}").as_bytes(), "default").is_ok());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let whole = "[default]\naws_access_key_id=A\naws_secret_access_key=s\n";
        for (file, profile, why) in [
            (
                "",
                "default",
                "has no profile \"default\": add it, or write \"file:PATH#PROFILE\" with one that it has",
            ),
            (
                FILE,
                "Default",
                "has no profile \"Default\": add it, or write \"file:PATH#PROFILE\" with one that it has",
            ),
            (
                FILE,
                "empty",
                "has no \"aws_access_key_id\" in profile \"empty\": add it",
            ),
            (
                "[default]\naws_access_key_id=A\n",
                "default",
                "has no \"aws_secret_access_key\" in profile \"default\": add it",
            ),
            (
                "[default\n",
                "default",
                "has a line 1 that begins a profile, and does not end its name: write \"[NAME]\"",
            ),
            (
                "[default]\nHIDDEN\n",
                "default",
                "has a line 2 that is no setting: write \"NAME = VALUE\"",
            ),
            (
                &format!("{whole}aws_access_key_id=HIDDEN\n"),
                "default",
                "has \"aws_access_key_id\" twice in profile \"default\": keep one",
            ),
            (
                &format!("{whole}aws_session_token=a b\n"),
                "default",
                "has, in profile \"default\", session token with characters that none has: correct it",
            ),
        ] {
            let told = read_profile(file.as_bytes(), profile).unwrap_err();
            assert_eq!(told, why);
            assert!(!told.contains("HIDDEN"));
        }
        assert!(read_profile(b"[default]\n\xff", "default").is_err());
        assert!(read_profile(&vec![b'\n'; MAX_FILE + 1], "default").is_err());
    }
}
