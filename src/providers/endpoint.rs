//! The URLs of the services that give keys.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A service: `http://HOST[:PORT][/PATH]`, or `https:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it is asked by TLS.
    pub tls: bool,
    /// A name or an address; without the brackets of one of IPv6.
    pub host: Box<str>,
    pub port: u16,
    /// Empty, or a path with a query that begins with `/`. That of a service has none at its end, since paths follow.
    pub path: Box<str>,
}

/// What is wrong with a URL. `Display` says it as the end of a sentence that begins with the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointFault {
    Scheme,
    Host,
    Port,
    Path,
    /// Keys would go over a network in clear.
    Clear,
}

/// The addresses that AWS's SDKs speak to without TLS beside loopback: those of ECS, of EKS, and of the instance's
/// metadata. <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
const OWN_HOSTS: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

impl Endpoint {
    /// Reads the URL of a service.
    ///
    /// # Errors
    /// Also where secrets would leave this machine without TLS.
    pub fn parse(url: &str) -> Result<Endpoint, EndpointFault> {
        let endpoint = Endpoint::parse_document(url)?;
        Ok(Endpoint {
            path: endpoint.path.trim_end_matches('/').into(),
            ..endpoint
        })
    }

    /// Reads the URL of a document: as it stands.
    ///
    /// # Errors
    /// Also where somebody on another network could replace it, without TLS.
    pub fn parse_document(url: &str) -> Result<Endpoint, EndpointFault> {
        let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(EndpointFault::Scheme),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or(EndpointFault::Host)?;
                host.parse::<Ipv6Addr>().map_err(|_| EndpointFault::Host)?;
                (
                    host,
                    after.strip_prefix(':').or((after.is_empty()).then_some("")),
                )
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_host = !host.is_empty() && host.len() <= 253;
        if !is_host || !(host.bytes().all(is_name) || host.contains(':')) {
            return Err(EndpointFault::Host);
        }
        let port = match port.ok_or(EndpointFault::Port)? {
            "" if authority.ends_with(':') => return Err(EndpointFault::Port),
            "" if tls => 443,
            "" => 80,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let port = digits.parse().map_err(|_| EndpointFault::Port)?;
                Some(port)
                    .filter(|port| *port > 0)
                    .ok_or(EndpointFault::Port)?
            }
            _ => return Err(EndpointFault::Port),
        };
        let is_path = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
        if path.len() > 2048 || !path.bytes().all(is_path) {
            return Err(EndpointFault::Path);
        }
        let endpoint = Endpoint {
            tls,
            host: host.into(),
            port,
            path: path.into(),
        };
        match endpoint.tls || endpoint.is_near() {
            true => Ok(endpoint),
            false => Err(EndpointFault::Clear),
        }
    }

    /// Tells whether what is sent there reaches nobody else's network: loopback, and what a cloud offers on a host.
    fn is_near(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback() || OWN_HOSTS.contains(&address),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Returns the Host header.
    pub(crate) fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.to_string(),
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        // A query may hold what is meant to be secret.
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}

impl fmt::Display for EndpointFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EndpointFault::Scheme => "does not begin with \"http://\" or \"https://\": write a URL",
            EndpointFault::Host => "has no host: write \"https://HOST\" or \"https://HOST:PORT\"",
            EndpointFault::Port => "has no port after its colon: write one from 1 to 65535",
            EndpointFault::Path => {
                "has a character in its path that no URL has: percent-encode it"
            }
            EndpointFault::Clear => {
                "would have keys sent over the network in clear: write \"https://\"; without TLS only \
                 loopback, 169.254.169.254, 169.254.170.2, 169.254.170.23, [fd00:ec2::23] and \
                 [fd00:ec2::254] are asked"
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, host, port, path, authority) in [
            ("http://127.0.0.1:80", "127.0.0.1", 80, "", "127.0.0.1"),
            (
                "http://127.0.0.1:443",
                "127.0.0.1",
                443,
                "",
                "127.0.0.1:443",
            ),
            (
                "http://localhost:1234/a/b?c=d",
                "localhost",
                1234,
                "/a/b?c=d",
                "localhost:1234",
            ),
            (
                "http://169.254.170.2/v2/x",
                "169.254.170.2",
                80,
                "/v2/x",
                "169.254.170.2",
            ),
            (
                "http://169.254.170.23/v1",
                "169.254.170.23",
                80,
                "/v1",
                "169.254.170.23",
            ),
            (
                "http://[fd00:ec2::23]/v1",
                "fd00:ec2::23",
                80,
                "/v1",
                "[fd00:ec2::23]",
            ),
            (
                "http://[fd00:ec2::254]",
                "fd00:ec2::254",
                80,
                "",
                "[fd00:ec2::254]",
            ),
            ("http://[::1]:8080/", "::1", 8080, "", "[::1]:8080"),
            ("http://127.8.8.8", "127.8.8.8", 80, "", "127.8.8.8"),
            (
                "https://sts.amazonaws.com",
                "sts.amazonaws.com",
                443,
                "",
                "sts.amazonaws.com",
            ),
            ("https://minio:9000/", "minio", 9000, "", "minio:9000"),
            ("https://h/a//", "h", 443, "/a", "h"),
        ] {
            let read = Endpoint::parse(url).unwrap();
            assert_eq!(
                (&*read.host, read.port, &*read.path),
                (host, port, path),
                "{url}"
            );
            assert_eq!(read.authority(), authority);
            assert_eq!(read.tls, url.starts_with("https"));
        }
    }

    #[test]
    fn what_is_no_url() {
        use EndpointFault::*;
        for (url, fault) in [
            ("", Scheme),
            ("sts.amazonaws.com", Scheme),
            ("HTTP://127.0.0.1", Scheme),
            ("ftp://127.0.0.1", Scheme),
            ("https://", Host),
            ("https:///a", Host),
            ("https://a b", Host),
            ("https://user@host", Host),
            ("https://user:x@host", Port),
            ("https://[::1", Host),
            ("https://[127.0.0.1]", Host),
            ("https://[::1]x", Port),
            ("https://h:", Port),
            ("https://[::1]:", Port),
            ("https://h:0", Port),
            ("https://h:65536", Port),
            ("https://h:+1", Port),
            ("https://h:1:2", Port),
            ("https://h/a b", Path),
            ("https://h/a\r\nX: y", Path),
            ("https://h/#x", Path),
            ("http://sts.amazonaws.com", Clear),
            ("http://10.0.0.1", Clear),
            ("http://169.254.170.3", Clear),
            ("http://localhost.example.com", Clear),
            ("http://127.0.0.1.example.com", Clear),
            ("http://[fd00:ec2::24]", Clear),
            ("http://[::ffff:169.254.170.2]", Clear),
            ("http://0x7f.1", Clear),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap_err(), fault, "{url}");
        }
    }

    #[test]
    fn nothing_of_a_query_is_shown() {
        let endpoint = Endpoint::parse("http://127.0.0.1/creds?token=hidden").unwrap();
        assert_eq!(endpoint.to_string(), "http://127.0.0.1/creds");
    }
}
