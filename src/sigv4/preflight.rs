//! A browser's preflight: the question whether a page of another origin may make a request. It comes before
//! that request, to the same address, and is never signed; if the address is a presigned URL, the query
//! signs the request that is to follow.
//!
//! <https://fetch.spec.whatwg.org/#cors-preflight-fetch>
use crate::{
    headers::{is_foreign, steers_server},
    request::ClientRequest,
    text::token::is,
};

/// What a preflight asks for.
#[derive(Debug, Clone, Copy)]
pub struct Preflight<'r> {
    /// The origin of the page.
    pub origin: &'r [u8],
    /// The method of the request that is to follow.
    pub method: &'r [u8],
    /// The headers that this will have, and that not every page may send.
    pub headers: Option<&'r [u8]>,
}

impl<'r> Preflight<'r> {
    /// Reads a preflight; `None` if a request is none. Nobody vouches for it, so it must have nothing that a
    /// browser would not send: no signature, no body, and no header by which a server may be asked for
    /// something else.
    #[inline(always)]
    pub fn read(request: &ClientRequest<'_, 'r>) -> Option<Preflight<'r>> {
        match request.method {
            b"OPTIONS" => Preflight::read_headers(request),
            _ => None,
        }
    }

    #[inline(never)]
    fn read_headers(request: &ClientRequest<'_, 'r>) -> Option<Preflight<'r>> {
        let (mut origin, mut method, mut headers) = (None, None, None);
        for header in request.headers {
            let name = header.name;
            let place = match name.len() {
                6 if is(name, b"origin") => &mut origin,
                29 if is(name, b"access-control-request-method") => &mut method,
                30 if is(name, b"access-control-request-headers") => &mut headers,
                14 if is(name, b"content-length") && header.value == b"0" => continue,
                13 if is(name, b"authorization") => return None,
                14 if is(name, b"content-length") => return None,
                17 if is(name, b"transfer-encoding") => return None,
                _ if steers_server(name) || is_foreign(name) => return None,
                _ => continue,
            };
            if place.replace(header.value).is_some() {
                return None;
            }
        }
        Some(Preflight {
            origin: origin.filter(|origin| !origin.is_empty())?,
            method: method.filter(|method| !method.is_empty())?,
            headers,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::request::Header;

    fn read<'r>(method: &'r str, headers: &[(&'r str, &'r str)]) -> Option<Preflight<'r>> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| Header {
                name: name.as_bytes(),
                value: value.as_bytes(),
            })
            .collect();
        Preflight::read(&ClientRequest {
            method: method.as_bytes(),
            path: b"/b/k",
            query: b"",
            host: None,
            path_with_plus: None,
            rewritten: None,
            headers: &headers,
        })
    }

    const ORIGIN: (&str, &str) = ("Origin", "https://app.example");
    const METHOD: (&str, &str) = ("access-control-request-METHOD", "PUT");
    const HEADERS: (&str, &str) = ("Access-Control-Request-Headers", "content-type");

    #[test]
    fn a_preflight_as_browsers_send_it() {
        let usual = ("User-Agent", "Mozilla/5.0");
        let found = read("OPTIONS", &[ORIGIN, usual, METHOD, HEADERS]).unwrap();
        assert_eq!(found.origin, b"https://app.example");
        assert_eq!(found.method, b"PUT");
        assert_eq!(found.headers, Some(b"content-type".as_slice()));
        let found = read("OPTIONS", &[METHOD, ORIGIN, ("Content-Length", "0")]).unwrap();
        assert_eq!(found.headers, None);
    }

    #[test]
    fn anything_else_is_none() {
        assert!(read("OPTIONS", &[ORIGIN]).is_none());
        assert!(read("OPTIONS", &[METHOD]).is_none());
        assert!(read("OPTIONS", &[ORIGIN, ("Access-Control-Request-Method", "")]).is_none());
        assert!(read("OPTIONS", &[("Origin", ""), METHOD]).is_none());
        for twice in [ORIGIN, METHOD, HEADERS] {
            assert!(read("OPTIONS", &[ORIGIN, METHOD, HEADERS, twice]).is_none());
        }
        for method in ["GET", "HEAD", "PUT", "POST", "options", "OPTION", ""] {
            assert!(read(method, &[ORIGIN, METHOD]).is_none(), "{method}");
        }
        for other in [
            ("Authorization", "AWS4-HMAC-SHA256 Credential=a"),
            ("authorization", "Bearer a"),
            ("Content-Length", "1"),
            ("content-length", "00"),
            ("Transfer-Encoding", "chunked"),
            ("x-amz-acl", "public-read"),
            ("X_Amz_Acl", "public-read"),
            ("x-minio-force-delete", "true"),
            ("x-amz-copy-source", "/b/k"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("x-http-method", "DELETE"),
            ("x-original-url", "/other"),
            ("x-goog-copy-source", "b/k"),
        ] {
            assert!(
                read("OPTIONS", &[ORIGIN, METHOD, HEADERS, other]).is_none(),
                "{other:?}"
            );
        }
    }
}
