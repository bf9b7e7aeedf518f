//! CreateBucket, where its origins are in other regions than clients are told of. The body names the region, so it
//! is read in the access phase, and another one is written for each origin. Nothing of the client's is stored.

use ngx_safe::request::Request;
use sigv4::{ClientRequest, Operation, Rejection, Verified};

use crate::context::{Context, OwnRequest};
use crate::hooks::body::Readiness;

/// Reads the body of a CreateBucket that goes out as another one.
pub(crate) fn configure(
    request: Request<'_>,
    context: &Context<'_>,
    view: &ClientRequest<'_, '_>,
    verified: &mut Verified<'_>,
) -> Result<Readiness, Rejection> {
    if verified.operation() != Operation::CreateBucket {
        return Ok(Readiness::Ready);
    }
    let mut origins = request.origins().iter().map(|named| &named.origin);
    if !verified.creates_elsewhere(&mut origins) {
        return Ok(Readiness::Ready);
    }
    if verified.streaming().is_some() {
        return Err(Rejection::NotImplemented);
    }
    let headers = view.headers.iter().copied();
    if request.body_length() == Some(0) {
        verified.configure(b"", headers)?;
        return Ok(Readiness::Ready);
    }
    let mut body = context.configuration.borrow_mut();
    match body.as_deref() {
        Some(body) => {
            let body = body.whole().ok_or(Rejection::IncompleteBody)?;
            verified.configure(body, headers)?;
            Ok(Readiness::Ready)
        }
        None => {
            *body = Some(Box::default());
            Ok(Readiness::NeedsBody)
        }
    }
}
