//! What origins of other dialects cannot read is found in the access phase, so that the body is checked in their place
//! while it arrives. A document whose MD5 goes into the head is read first, as nginx reads any body.

use ngx_safe::request::Request;
use sigv4::{ClientRequest, Rejection, Verified};

use crate::conf::NamedOrigin;
use crate::context::Context;
use crate::hooks::body::Readiness;

/// Takes note of the dialects of a request's origins.
pub(crate) fn adapt(
    request: Request<'_>,
    context: &Context<'_>,
    view: &ClientRequest<'_, '_>,
    origins: &[NamedOrigin],
    verified: &mut Verified<'_>,
) -> Result<Readiness, Rejection> {
    let origins = origins.iter().map(|named| &named.origin);
    let headers = view.headers.iter().copied();
    let length = request.body_length();
    if !verified.adapt(origins, headers, length)? {
        return Ok(Readiness::Ready);
    }
    let mut upload = context.upload.borrow_mut();
    match upload.as_deref() {
        Some(upload) if upload.is_complete() && verified.is_digested_by(upload) => {
            Ok(Readiness::Ready)
        }
        Some(_) => Err(Rejection::IncompleteBody),
        None => {
            *upload = verified.upload_of(length).map(Box::new);
            Ok(Readiness::NeedsBody)
        }
    }
}
