//! An error of nginx's own, where requests are S3's: it is answered as S3 would answer it.

use ngx_safe::answer::AnswerHeader;
use ngx_safe::own_error::OwnError;
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use sigv4::{Rejection, ResourcePath};

use crate::S3Resign;
use crate::content::sts;
use crate::context::OwnRequest;
use crate::error_response;
use crate::hooks::answer_body::is_of_body;

/// Returns the answer to an error that nginx is about to answer by itself; None where it is not S3's to say, or
/// no error.
pub(crate) fn answer(request: Request<'_>) -> Option<Response> {
    let error = request.own_error::<S3Resign>()?;
    let conf = request.location_conf();
    if conf.speaks_sts() && !error.is_head_too_large && error.bad_target.is_none() {
        return Some(sts::to_own_error(
            request,
            error.status,
            is_limited(request, error),
        ));
    }
    if !conf.speaks_s3() {
        return None;
    }
    let rejection = to_rejection(request, error);
    error_response::note_own(request, &rejection);
    let response = error_response::to_own_error(request, error.status, &rejection);
    // An upstream's answer may have been there before: what it says of an object is not said of the error.
    for header in request.answer_headers() {
        if is_of_object(&header) {
            header.remove();
        }
    }
    Some(response)
}

fn to_rejection(request: Request<'_>, error: OwnError<'_>) -> Rejection {
    if error.is_head_too_large {
        return Rejection::TooManyHeaders;
    }
    if let Some(target) = error.bad_target {
        return ResourcePath::fault_of(target);
    }
    Rejection::of_status(error.status, is_limited(request, error))
}

fn is_limited(request: Request<'_>, error: OwnError<'_>) -> bool {
    error.status == 503
        && [c"limit_req_status", c"limit_conn_status"]
            .iter()
            .any(|name| request.variable(name) == Some(b"REJECTED"))
}

fn is_of_object(header: &AnswerHeader<'_>) -> bool {
    let start = b"x-amz-";
    is_of_body(header)
        || header
            .name()
            .get(..start.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(start))
}
