//! What a location may say that passes requests on: that it verifies and signs them, or that it does
//! not, and nothing that goes against the signature.

use std::net::IpAddr;

use ngx_safe::level::without_port;
use ngx_safe::proxy::ProxySettings;
use ngx_safe::upstream::Upstream;

use crate::conf::{ClientSources, LocationConf, OwnLevel, OwnUpstream};

/// The lines about clients and origins that a location has of its own.
pub(super) struct OwnLines {
    client: Option<&'static str>,
    revoke: bool,
    origin: bool,
    bucket_map: bool,
    sse_c: bool,
}

impl OwnLines {
    /// Notes a location's own lines, before it inherits any.
    pub(super) fn of(conf: &LocationConf) -> OwnLines {
        OwnLines {
            client: conf.clients.as_deref().map(ClientSources::directive),
            revoke: conf.revoked.is_some(),
            origin: conf.origin.is_some(),
            bucket_map: conf.bucket_maps.is_some(),
            sse_c: conf.customer_keys.is_some(),
        }
    }

    fn first(&self) -> Option<&'static str> {
        let lines = [
            (self.client.is_some(), self.client.unwrap_or_default()),
            (self.revoke, "s3_revoke"),
            (self.origin, "s3_origin"),
            (self.bucket_map, "s3_bucket_map"),
            (self.sse_c, "s3_sse_c"),
        ];
        lines
            .iter()
            .find(|(is_there, _)| *is_there)
            .map(|(_, name)| *name)
    }
}

impl LocationConf {
    /// Checks a location without `s3_resign on`: requests that go to an upstream of S3 go there unverified,
    /// which must be meant.
    pub(super) fn check_unsigned(
        &self,
        own: &OwnLines,
        level: &OwnLevel<'_>,
    ) -> Result<(), String> {
        let Some((directive, upstream)) = level.passes_to() else {
            return Ok(());
        };
        let place = level.name().escape_ascii();
        let name = upstream.name().escape_ascii();
        if upstream.has_origin_lines() {
            if self.resign.is_none() {
                return Err(format!(
                    "\"{directive}\" in location \"{place}\" passes requests to upstream \"{name}\" \
                     unverified and unsigned: add \"s3_resign on;\", or \"s3_resign off;\" if that is \
                     meant"
                ));
            }
            if !self.off_in_location {
                level.warn(&format!(
                    "\"s3_resign off\" is inherited by location \"{place}\", which passes requests to \
                     upstream \"{name}\" unverified and unsigned: write it there too if that is meant"
                ));
            }
        }
        match own.first() {
            Some(line) if self.resign.is_none() => Err(format!(
                "\"{line}\" in location \"{place}\" has no effect without \"s3_resign on\": add that, or \
                 remove \"{line}\""
            )),
            _ => Ok(()),
        }
    }

    /// Checks, with `s3_resign on`, that what goes to the origin is what was verified.
    pub(super) fn check_signed(
        &self,
        own: &OwnLines,
        level: &OwnLevel<'_>,
        upstream: Upstream<'_>,
    ) -> Result<(), String> {
        let place = level.name().escape_ascii().to_string();
        if own.origin && upstream.has_origin_lines() {
            return Err(format!(
                "\"s3_origin\" in location \"{place}\" has no effect: upstream \"{}\" has lines of its \
                 own: remove one or the other",
                upstream.name().escape_ascii()
            ));
        }
        let settings = level.proxy_settings().ok_or_else(|| {
            format!(
                "\"s3_resign\" in location \"{place}\": this nginx does not tell what \"proxy_pass\" and \
                 the other \"proxy_\" directives say: build the module for it"
            )
        })?;
        if let Some(fault) = fault(&settings) {
            return Err(format!("\"s3_resign\" in location \"{place}\": {fault}"));
        }
        if self.customer_keys().is_some() {
            check_secrecy(level, upstream, &place)?;
        }
        check_ports(level, upstream, &place)
    }
}

/// Tells what makes nginx send another request than the one that was verified.
fn fault(settings: &ProxySettings<'_>) -> Option<String> {
    let uri = settings.uri.escape_ascii();
    let sets = |names: &[&str]| {
        let mut set = settings.headers.iter();
        set.find(|name| {
            names
                .iter()
                .any(|n| name.eq_ignore_ascii_case(n.as_bytes()))
        })
    };
    if settings.uri == b"/" {
        return Some(
            "\"proxy_pass\" ends with \"/\", by which nginx sends a path that it has changed, not the \
             one that was signed: remove the slash"
                .into(),
        );
    }
    if !settings.uri.is_empty() {
        return Some(format!(
            "\"proxy_pass\" has a URI, \"{uri}\", which nginx puts in the place of what was signed: \
             remove it, and change paths with \"rewrite ... break\""
        ));
    }
    if let Some(body) = settings.body {
        return Some(format!(
            "\"proxy_set_body {}\" sends another body than the one that was signed: remove it",
            body.escape_ascii()
        ));
    }
    if !settings.passes_body {
        return Some(
            "\"proxy_pass_request_body off\" drops the body that was signed: remove it".into(),
        );
    }
    if !settings.passes_headers {
        return Some(
            "\"proxy_pass_request_headers off\" drops headers that were signed: remove it".into(),
        );
    }
    if let Some(method) = settings.method {
        return Some(format!(
            "\"proxy_method {}\" sends another method than the one that was signed: remove it",
            method.escape_ascii()
        ));
    }
    if let Some(name) = sets(&["Content-Length", "Transfer-Encoding"]) {
        return Some(format!(
            "\"proxy_set_header {}\" says where the body ends, which nginx does itself: remove it",
            name.escape_ascii()
        ));
    }
    if !settings.speaks_http1 {
        return Some(
            "\"proxy_http_version 2\" cannot be signed: write \"proxy_http_version 1.1\"".into(),
        );
    }
    if settings.stores {
        return Some(
            "\"proxy_store\" keeps objects as files, without what was signed beside their path: use \
             \"proxy_cache\", or \"proxy_store off\""
                .into(),
        );
    }
    None
}

/// Checks that no `server` lacks a port by mistake: without one it has port 80, whatever the scheme of
/// `proxy_pass`.
fn check_ports(level: &OwnLevel<'_>, upstream: Upstream<'_>, place: &str) -> Result<(), String> {
    let name = upstream.name().escape_ascii();
    let by_tls = level.tls()?.is_some();
    if upstream.own_conf().is_none() {
        if !by_tls && upstream.port() == 443 {
            level.warn(&format!(
                "\"proxy_pass http://{name}:443\" in location \"{place}\" speaks no TLS to the port of \
                 HTTPS: write \"https://{name}\""
            ));
        }
        return Ok(());
    }
    for server in upstream.servers_by_port() {
        let shown = server.escape_ascii();
        if by_tls && !server.starts_with(b"unix:") && without_port(server) == server {
            return Err(format!(
                "\"server {shown}\" in upstream \"{name}\" has no port, so it has 80, and \"proxy_pass \
                 https://{name}\" in location \"{place}\" speaks TLS to it: write \"server \
                 {shown}:443\", and the same in \"s3_origin\""
            ));
        }
        if !by_tls && server.ends_with(b":443") {
            level.warn(&format!(
                "\"server {shown}\" in upstream \"{name}\" has the port of HTTPS, and \"proxy_pass \
                 http://{name}\" in location \"{place}\" speaks no TLS to it: write \"https://{name}\""
            ));
        }
    }
    Ok(())
}

/// Checks that the keys of `s3_sse_c`, which go out with requests, can be read by nobody on their way. An origin on this
/// machine may be a tunnel that speaks TLS itself.
fn check_secrecy(level: &OwnLevel<'_>, upstream: Upstream<'_>, place: &str) -> Result<(), String> {
    let servers = match upstream.own_conf() {
        None => vec![upstream.name()],
        Some(_) => upstream.servers(),
    };
    let Some(far) = servers
        .into_iter()
        .find(|server| !is_on_this_machine(server))
    else {
        return Ok(());
    };
    let (name, far) = (upstream.name().escape_ascii(), far.escape_ascii());
    match level.tls()? {
        None => Err(format!(
            "\"s3_sse_c\" in location \"{place}\": \"proxy_pass http://{name}\" would send its key to \"{far}\" \
             in clear: write \"https://{name}\", or \"s3_sse_c off\" here"
        )),
        Some(tls) => {
            if !tls.verifies() {
                level.warn(&format!(
                    "\"s3_sse_c\" in location \"{place}\": whoever can pretend to be \"{far}\" gets its key, since \
                     certificates are not verified: add \"proxy_ssl_verify on\" and \
                     \"proxy_ssl_trusted_certificate\""
                ));
            }
            Ok(())
        }
    }
}

/// Tells whether a server is one that no network is needed for.
fn is_on_this_machine(server: &[u8]) -> bool {
    let host = std::str::from_utf8(without_port(server)).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    server.starts_with(b"unix:")
        || host.eq_ignore_ascii_case("localhost")
        || (address.parse::<IpAddr>()).is_ok_and(|address| address.is_loopback())
}
