//! `s3_status`: the page that shows the state of everything.

use metrics::render::{html, json, prometheus};
use ngx_safe::request::{ContentHandler, Request};
use ngx_safe::response::Response;
use ngx_safe::{BAD_REQUEST, INTERNAL_SERVER_ERROR};

use crate::context::OwnRequest;

pub(crate) struct StatusPage;

impl ContentHandler for StatusPage {
    fn answer(request: Request<'_>) -> Result<Response, ngx_safe::Status> {
        let format = Format::asked_for(request.uri_and_args().1).ok_or(BAD_REQUEST)?;
        let main = request.main_conf();
        let health = main.checks().map(|checks| checks.snapshot(request));
        let snapshot = main
            .status()
            .and_then(|status| status.snapshot(health.unwrap_or_default()))
            .ok_or(INTERNAL_SERVER_ERROR)?;
        let (content_type, body) = match format {
            Format::Html => (c"text/html; charset=utf-8", html::write(&snapshot)),
            Format::Json => {
                let json = json::write(&snapshot).map_err(|_| INTERNAL_SERVER_ERROR)?;
                (c"application/json", json)
            }
            Format::Prometheus => (
                c"text/plain; version=0.0.4; charset=utf-8",
                prometheus::write(&snapshot),
            ),
        };
        Ok(Response {
            status: 200,
            content_type,
            body: body.into_bytes(),
            headers: vec![
                (c"Cache-Control", b"no-store".to_vec()),
                (c"Content-Security-Policy", html::POLICY.into()),
                (c"X-Content-Type-Options", b"nosniff".to_vec()),
                (c"Referrer-Policy", b"no-referrer".to_vec()),
            ],
        })
    }
}

/// The ways in which the state is shown.
enum Format {
    Html,
    Json,
    Prometheus,
}

impl Format {
    fn asked_for(query: &[u8]) -> Option<Format> {
        let format = query
            .split(|c| *c == b'&')
            .find_map(|parameter| parameter.strip_prefix(b"format="));
        match format {
            None | Some(b"html") => Some(Format::Html),
            Some(b"json") => Some(Format::Json),
            Some(b"prometheus") => Some(Format::Prometheus),
            Some(_) => None,
        }
    }
}
