//! Documents that are other ones for some origins: they name the region of a bucket, or tell checksums that an origin
//! does not know. They are read in the access phase, and written again for each origin. Nothing of the client's is
//! stored.

use ngx_safe::request::Request;
use sigv4::{ClientRequest, Rejection, Verified};

use crate::conf::NamedOrigin;
use crate::context::Context;
use crate::hooks::body::Readiness;

/// Reads a body that goes out as another one.
pub(crate) fn rewrite(
    request: Request<'_>,
    context: &Context<'_>,
    view: &ClientRequest<'_, '_>,
    origins: &[NamedOrigin],
    verified: &mut Verified<'_>,
) -> Result<Readiness, Rejection> {
    let origins = origins.iter().map(|named| &named.origin);
    let Some(empty) = verified.rewritten_body(origins) else {
        return Ok(Readiness::Ready);
    };
    if verified.streaming().is_some() {
        return Err(Rejection::NotImplemented);
    }
    let headers = view.headers.iter().copied();
    if request.body_length() == Some(0) {
        verified.rewrite(b"", headers)?;
        return Ok(Readiness::Ready);
    }
    let mut body = context.document.borrow_mut();
    match body.as_deref() {
        Some(body) => {
            let body = body.whole().ok_or(Rejection::IncompleteBody)?;
            verified.rewrite(body, headers)?;
            Ok(Readiness::Ready)
        }
        None => {
            *body = Some(Box::new(empty));
            Ok(Readiness::NeedsBody)
        }
    }
}
