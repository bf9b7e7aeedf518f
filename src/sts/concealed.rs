//! Tokens in the query of a call, as MinIO's clients send them: not for logs.

/// What comes before a token, which ends with the parameter.
const NAME: &[u8] = b"WebIdentityToken=";

/// Returns a request line, a target or a query with a dash in the place of each token; `None` if there is none in it.
pub fn concealed(text: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(NAME.len()).position(|part| part == NAME) {
        let (before, after) = rest.split_at(at + NAME.len());
        let end = after.iter().position(|byte| matches!(byte, b'&' | b' '));
        kept.extend_from_slice(before);
        kept.push(b'-');
        rest = after.get(end.unwrap_or(after.len())..).unwrap_or_default();
    }
    if kept.is_empty() {
        return None;
    }
    kept.extend_from_slice(rest);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_left() {
        for (text, expected) in [
            ("", None),
            ("POST /sts?Action=AssumeRole HTTP/1.1", None),
            ("a=WebIdentityToken&b", None),
            (
                "POST /?Action=A&WebIdentityToken=eyJ.x.y&Version=1 HTTP/1.1",
                Some("POST /?Action=A&WebIdentityToken=-&Version=1 HTTP/1.1"),
            ),
            (
                "GET /?WebIdentityToken=eyJ HTTP/1.1",
                Some("GET /?WebIdentityToken=- HTTP/1.1"),
            ),
            (
                "WebIdentityToken=a&WebIdentityToken=&b=c&WebIdentityToken=d",
                Some("WebIdentityToken=-&WebIdentityToken=-&b=c&WebIdentityToken=-"),
            ),
        ] {
            let found = concealed(text.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
