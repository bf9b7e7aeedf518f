//! Values that are not meant: those of examples.

/// Whether a value is one that stands in examples, those of s3proxy and s3proxy_lua included.
pub(crate) fn is_placeholder(name: &str, value: &[u8]) -> bool {
    // Secrets pass here.
    let value = zeroize::Zeroizing::new(value.to_ascii_lowercase());
    let begins = |start: &[u8]| value.starts_with(start);
    let is_between = |start: &[u8], end: &[u8]| {
        let rest = value.strip_prefix(start);
        rest.is_some_and(|rest| rest.ends_with(end))
    };
    value.eq_ignore_ascii_case(name.as_bytes())
        || begins(b"your_")
        || begins(b"your-")
        || value.ends_with(b"_here")
        || value.ends_with(b"-here")
        || begins(b"changeme")
        || begins(b"change_me")
        || begins(b"change-me")
        || is_between(b"<", b">")
        || is_between(b"akia", b"example")
        || value.ends_with(b"examplekey")
        || is_between(b"backend_", b"key")
        || is_between(b"s3_server_", b"_key")
        || is_between(b"s3_server_", b"_secret")
        || is_example_host(&value)
}

/// Whether a host is one of those that are for documentation (RFC 2606), or below one.
fn is_example_host(value: &[u8]) -> bool {
    [b"example.com", b"example.net", b"example.org"]
        .iter()
        .any(|name| {
            let is_below = value.strip_suffix(name.as_slice());
            is_below.is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
                || value
                    .windows(name.len() + 1)
                    .any(|piece| piece.strip_suffix(b":") == Some(name.as_slice()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_examples() {
        for value in [
            "client_secret_key",
            "Client_Secret_Key",
            "your_key",
            "YOUR-KEY",
            "put_it_here",
            "put-it-here",
            "changeme",
            "ChangeMe!",
            "change_me",
            "change-me-now",
            "<secret>",
            "<>",
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "backend_key",
            "backend_a_secret_key",
            "s3_server_a_key",
            "s3_server_b_secret",
            "example.com",
            "s3.example.net",
            "S3.Example.Org:9000",
            "example.com:9000",
        ] {
            assert!(
                is_placeholder("CLIENT_SECRET_KEY", value.as_bytes()),
                "{value}"
            );
        }
    }

    #[test]
    fn what_may_be_meant() {
        for value in [
            "",
            "client_secret",
            "yourkey",
            "here",
            "nothere",
            "exchangeme",
            "<secret",
            "<",
            "akiaexampl",
            "exampleke",
            "backend",
            "s3_server_key",
            "myexample.com",
            "example.community",
            "s3.example.com.de",
        ] {
            assert!(
                !is_placeholder("CLIENT_SECRET_KEY", value.as_bytes()),
                "{value}"
            );
        }
    }
}
