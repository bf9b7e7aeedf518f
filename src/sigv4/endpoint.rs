//! The host of a request. Buckets are in the path here; if a client put one into the host, its key would be
//! taken for a bucket.

/// Whether a host seems to begin with the name of a bucket. `endpoints` are names of the server itself,
/// in lower case.
pub(crate) fn has_bucket(host: &[u8], endpoints: &[Box<[u8]>]) -> bool {
    let host = without_port(host);
    let host = host.strip_suffix(b".").unwrap_or(host);
    if endpoints.iter().any(|name| host.eq_ignore_ascii_case(name)) {
        return false;
    }
    endpoints.iter().any(|name| is_under(host, name)) || is_under_s3(host)
}

/// Whether a host has at least one label in front of a name.
fn is_under(host: &[u8], name: &[u8]) -> bool {
    let start = host.len().checked_sub(name.len());
    start
        .and_then(|start| host.split_at_checked(start))
        .is_some_and(|(front, tail)| front.ends_with(b".") && tail.eq_ignore_ascii_case(name))
}

/// Whether a host is like `bucket.s3.example.com`: most endpoints begin with `s3`. One with such a name
/// in the middle has to be a name of the server.
fn is_under_s3(host: &[u8]) -> bool {
    // As most hosts have none: that is seen at once.
    memchr::memchr(b'3', host).is_some() && has_s3_label(host)
}

/// Whether a label but the first is `s3`, or begins with `s3-`.
fn has_s3_label(host: &[u8]) -> bool {
    let is_s3 = |label: &[u8]| {
        label.split_first_chunk::<2>().is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(b"s3") && matches!(rest, [] | [b'-', ..])
        })
    };
    let mut labels = host.split(|byte| *byte == b'.').peekable();
    if labels.next().is_none_or(is_s3) {
        return false;
    }
    while let Some(label) = labels.next() {
        // A service in a namespace of Kubernetes is `NAME.NAMESPACE`, perhaps with `.svc`.
        if let Some(next) = labels.peek()
            && is_s3(label)
            && !next.eq_ignore_ascii_case(b"svc")
        {
            return true;
        }
    }
    false
}

/// Returns the host of `HOST` or `HOST:PORT`.
fn without_port(host: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', host).and_then(|at| host.split_at_checked(at)) {
        Some((name, [_, port @ ..])) if port.iter().all(u8::is_ascii_digit) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ties::each_text;

    #[test]
    fn a_host_without_a_3_has_no_label_with_one() {
        each_text(b"sS3.-vc", 6, &mut |host| {
            assert_eq!(
                is_under_s3(host),
                has_s3_label(host),
                "{}",
                host.escape_ascii()
            );
        });
    }

    #[test]
    fn hosts() {
        let endpoints: [Box<[u8]>; 2] = [
            b"storage.example.com".as_slice().into(),
            b"eu.s3.example.org".as_slice().into(),
        ];
        for (host, expected) in [
            ("storage.example.com", false),
            ("Storage.Example.COM.:8443", false),
            ("bucket.storage.example.com", true),
            ("a.b.Storage.example.com:80", true),
            ("xstorage.example.com", false),
            ("s3.mydomain.com", false),
            ("bucket.s3.mydomain.com", true),
            ("bucket.S3.mydomain.com:9000", true),
            ("bucket.s3-eu-west-1.example.net", true),
            ("s3-eu-west-1.example.net", false),
            ("eu.s3.example.org", false),
            ("bucket.eu.s3.example.org", true),
            ("proxy.s3", false),
            ("proxy.s3.svc", false),
            ("proxy.s3.svc.cluster.local", false),
            ("media.example.com", false),
            ("localhost:8080", false),
            ("127.0.0.1:8080", false),
            ("[::1]:8080", false),
            ("", false),
        ] {
            assert_eq!(has_bucket(host.as_bytes(), &endpoints), expected, "{host}");
        }
    }
}
