//! The request body filter: a body is verified as it arrives, by what the head says of it. Framing
//! is taken off, so that nginx stores and forwards the plain body.

use ngx_safe::Status;
use ngx_safe::filter::NextBodyFilter;
use ngx_safe::output::Output;
use ngx_safe::request::Request;
use ngx_safe::request_body::{Kept, RequestBodyFilter};
use ngx_safe::stored_body::StoredBody;
use sigv4::{PlainPiece, Rejection, Upload};

use crate::context::{Context, OwnRequest};
use crate::error_response;
use crate::hooks::form;
use crate::log::log_error;

/// Whether the access phase can go on.
pub(crate) enum Readiness {
    Ready,
    /// It comes again once the body has been read.
    NeedsBody,
}

/// The filter of request bodies.
pub(crate) struct Verifying;

impl RequestBodyFilter for Verifying {
    type State<'r> = &'r Context<'r>;

    fn next() -> &'static NextBodyFilter {
        static NEXT: NextBodyFilter = NextBodyFilter::new();
        &NEXT
    }

    fn state<'r>(request: Request<'r>) -> Option<&'r Context<'r>> {
        let context = request.context()?;
        // Whatever is verified of it, an upload goes to an origin. Chunks that are got together fill packets anyway, and
        // the calls would cost them a tenth.
        let output = context.output.borrow();
        if !output.as_deref().is_some_and(Output::gathers) {
            request.fill_packets();
        }
        verifying(request, context)
    }

    fn take<'r>(
        request: Request<'r>,
        context: &&'r Context<'r>,
        piece: &mut [u8],
        ends: bool,
    ) -> Result<Kept, Status> {
        match take(request, context, piece, ends) {
            Ok(PlainPiece { data, tail }) => Ok(Kept {
                data,
                tail: tail.text.to_vec(),
                padding: tail.padding,
            }),
            Err(rejection) => Err(reject(request, context, rejection)),
        }
    }

    fn with_stored<'r, T>(
        request: Request<'r>,
        set: impl FnOnce(&mut Option<Box<StoredBody<'r>>>) -> T,
    ) -> Option<T> {
        Some(set(&mut request.context()?.stored.borrow_mut()))
    }

    fn cannot_write(request: Request<'_>) {
        log_error!(
            request.log(),
            "another module hands over a body that may not be written to: not verified"
        );
    }

    fn cannot_filter(request: Request<'_>) {
        log_error!(
            request.log(),
            "another module has read the body, and what is stored cannot be read or written again: not verified"
        );
    }
}

/// Returns the context of a request whose body is to be verified, with an upload or a form in it.
fn verifying<'r>(request: Request<'r>, context: &'r Context<'r>) -> Option<&'r Context<'r>> {
    if context.posted.borrow().is_some() || context.document.borrow().is_some() {
        return Some(context);
    }
    let mut upload = context.upload.borrow_mut();
    // Once it has begun it goes on, wherever the request is led.
    if upload.is_none() {
        if !request.location_conf().is_resign() {
            return None;
        }
        let verified = context.verified.borrow();
        let new = verified.as_ref()?.upload_of(request.body_length())?;
        *upload = Some(Box::new(new));
    }
    Some(context)
}

/// Tells whether the body of an accepted request was read before that, by another module or by
/// `client_body_early_read`, and has not been verified.
pub(crate) fn was_read_before(request: Request<'_>, context: &Context<'_>) -> bool {
    let verified = context.verified.borrow();
    request.has_read_body()
        && context.upload.borrow().is_none()
        && (verified.as_ref())
            .is_some_and(|verified| verified.is_body_verified(request.body_length()))
}

/// Takes a piece of what is verified; see `Upload::take`.
fn take<'r>(
    request: Request<'r>,
    context: &Context<'r>,
    piece: &mut [u8],
    ends: bool,
) -> Result<PlainPiece, Rejection> {
    if let Some(posted) = context.posted.borrow_mut().as_deref_mut() {
        return form::take(request, context, posted, piece, ends);
    }
    if let Some(body) = context.document.borrow_mut().as_deref_mut() {
        body.take(piece, ends)?;
        return Ok(PlainPiece::default());
    }
    let mut upload = context.upload.borrow_mut();
    let upload = upload.as_deref_mut().ok_or(Rejection::InternalError)?;
    upload.take(piece, ends)
}

/// Returns the status to end the request with; `answer` then has the rest of what S3 would answer.
fn reject(request: Request<'_>, context: &Context<'_>, rejection: Rejection) -> Status {
    let fault = context.upload.borrow().as_deref().and_then(Upload::fault);
    error_response::note_at(request, context, &rejection, fault);
    let status = rejection.status() as Status;
    context.rejected.set(Some(Box::new(rejection)));
    status
}
