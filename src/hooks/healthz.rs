//! `s3_healthz`: whether there is an origin to use.

use ngx::ffi::ngx_int_t;

use crate::ngx_safe::request::{Request, Response};

/// A status that nothing else in between answers with.
const NOK: u16 = 450;

pub(crate) fn answer(request: Request<'_>) -> ngx_int_t {
    if let Some(refused) = request.refuse_change() {
        return refused;
    }
    let upstream = request.location_conf().healthz_upstream();
    let (status, body): (_, &[u8]) = match request.main_conf().checks.is_up(upstream) {
        true => (200, b"{\"status\":\"ok\"}\n"),
        false => (NOK, b"{\"status\":\"nok\"}\n"),
    };
    request.serve(&Response {
        status,
        content_type: c"application/json",
        body,
        headers: &[(c"Cache-Control", b"no-store")],
    })
}
