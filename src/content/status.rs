//! `s3_status`: the page that shows the state of everything.

use metrics::{Format, POLICY};
use ngx_safe::phase::ContentHandler;
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use ngx_safe::{BAD_REQUEST, INTERNAL_SERVER_ERROR, Status, nginx_version, now};

use crate::context::OwnRequest;
use crate::log::log_error;

pub(crate) struct StatusPage;

impl ContentHandler for StatusPage {
    fn answer(request: Request<'_>) -> Result<Response, Status> {
        let format = Format::of(request.uri_and_args().1).ok_or(BAD_REQUEST)?;
        let main = request.main_conf();
        let health = main.checks().map(|checks| checks.snapshot(request));
        let snapshot = main
            .metrics()
            .and_then(|metrics| {
                metrics.snapshot(health.unwrap_or_default(), nginx_version(), now())
            })
            .ok_or(INTERNAL_SERVER_ERROR)?;
        let mut snapshot = snapshot;
        snapshot.keys = main.providers.rows(&main.origins.names());
        let body = format.render(&snapshot).map_err(|why| {
            log_error!(request.log(), "\"s3_status\" cannot be shown: {why}");
            INTERNAL_SERVER_ERROR
        })?;
        Ok(Response {
            status: 200,
            content_type: format.content_type(),
            body: body.into_bytes(),
            headers: vec![
                (c"Cache-Control", b"no-store".to_vec()),
                (c"Content-Security-Policy", POLICY.into()),
                (c"X-Content-Type-Options", b"nosniff".to_vec()),
                (c"Referrer-Policy", b"no-referrer".to_vec()),
            ],
        })
    }
}
