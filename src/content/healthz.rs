//! `s3_healthz`: whether there is an origin to use.

use ngx_safe::phase::ContentHandler;
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use ngx_safe::{INTERNAL_SERVER_ERROR, Status};

use crate::context::OwnRequest;

/// A status that nothing else in between answers with.
const NOK: u16 = 450;

pub(crate) struct HealthzPage;

impl ContentHandler for HealthzPage {
    fn answer(request: Request<'_>) -> Result<Response, Status> {
        let upstream = request.location_conf().healthz_upstream();
        let checks = request.main_conf().checks().ok_or(INTERNAL_SERVER_ERROR)?;
        let (status, body) = match checks.is_up(request, upstream) {
            true => (200, "{\"status\":\"ok\"}\n"),
            false => (NOK, "{\"status\":\"nok\"}\n"),
        };
        Ok(Response {
            status,
            content_type: c"application/json",
            body: body.into(),
            headers: vec![(c"Cache-Control", b"no-store".to_vec())],
        })
    }
}
