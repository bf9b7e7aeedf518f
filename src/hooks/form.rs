//! Browsers' forms. The signature is in the body, so that is read in the access phase: all of it, or
//! what comes before the file where bodies are not buffered. A form is rejected, if it is, as soon as
//! its fields are there. nginx stores or forwards the file alone, and the fields are written again for
//! each origin.

use ngx_safe::request::Request;
use sigv4::{
    AuthType, FormDecoder, FormStream, Headers, PendingForm, PlainPiece, Rejected, Rejection, Tail,
    Verified,
};

use crate::clients::RequestClients;
use crate::context::{Context, OwnRequest, Posted};
use crate::request_view::{address, timestamp, view};

/// Verifies a form in the access phase: for the first time, when enough of the body has been read, and where
/// an internal redirect has led to other clients and rules. None: the body has to be read first.
pub(crate) fn verify<'r>(
    request: Request<'r>,
    context: &Context<'r>,
    view: &sigv4::ClientRequest<'_, 'r>,
) -> Option<Result<Verified<'r>, Rejected<'r>>> {
    // What has an access key here was signed with it.
    let rejected = |rejection, access_key: &'r [u8]| Rejected {
        rejection,
        access_key,
        auth_type: Some(AuthType::PostPolicy),
        is_authenticated: !access_key.is_empty(),
    };
    let mut posted = context.posted.borrow_mut();
    let Some(posted) = posted.as_deref() else {
        let decoder = address(request, view).and_then(|address| FormDecoder::new(view, &address));
        match decoder {
            Ok(decoder) => {
                *posted = Some(Box::new(Posted {
                    decoder,
                    fields: None,
                    ended: false,
                    stream: (request.body_length())
                        .filter(|_| {
                            request.location_conf().streams_bodies() && !request.has_read_body()
                        })
                        .map(FormStream::new),
                }));
                return None;
            }
            Err(rejection) => return Some(Err(rejected(rejection, b""))),
        }
    };
    let (decoder, Some((head, _)), true) = (
        &posted.decoder,
        &posted.fields,
        posted.ended || posted.stream.is_some(),
    ) else {
        // A request without a body has no fields.
        return Some(Err(rejected(Rejection::MalformedForm, b"")));
    };
    let verified = verify_fields(request, view, decoder, head).and_then(|pending| {
        let access_key = pending.access_key();
        let verified = match &posted.stream {
            Some(stream) => pending.streamed(decoder, stream),
            None => pending.complete(decoder),
        };
        verified.map_err(|rejection| rejected(rejection, access_key))
    });
    Some(verified)
}

/// Tells whether a form is to be forwarded while it arrives.
pub(crate) fn is_streamed(context: &Context<'_>) -> bool {
    let posted = context.posted.borrow();
    posted
        .as_deref()
        .is_some_and(|posted| posted.stream.is_some())
}

/// Tells whether a form's fields are there: it can be decided on.
pub(crate) fn has_fields(context: &Context<'_>) -> bool {
    let posted = context.posted.borrow();
    posted
        .as_deref()
        .is_some_and(|posted| posted.fields.is_some())
}

/// Tells how much of the form after its fields is there, where the rest is still on its way.
pub(crate) fn begun(context: &Context<'_>) -> Option<u64> {
    let posted = context.posted.borrow();
    let posted = posted.as_deref().filter(|posted| !posted.ended)?;
    posted.stream.as_ref().map(FormStream::sent)
}

/// Takes a piece of the body; what is left is the file.
pub(crate) fn take<'r>(
    request: Request<'r>,
    context: &Context<'r>,
    posted: &mut Posted<'r>,
    piece: &mut [u8],
    ends: bool,
) -> Result<PlainPiece, Rejection> {
    let data = match &mut posted.stream {
        Some(stream) => stream.take(&mut posted.decoder, piece)?,
        None => posted.decoder.decode(piece)?,
    };
    if posted.fields.is_none()
        && let Some(head) = posted.decoder.head()
    {
        let head = request.copy(head).ok_or(Rejection::InternalError)?;
        let mut headers = Headers::new();
        let view = view(request, &mut headers)?;
        let pending = verify_fields(request, &view, &posted.decoder, head).map_err(|rejected| {
            context.form.set(rejected.auth_type);
            context.access_key.set(rejected.access_key);
            context.authenticated.set(rejected.is_authenticated);
            rejected.rejection
        })?;
        context.access_key.set(pending.access_key());
        context.authenticated.set(true);
        posted.fields = Some((head, pending));
    }
    if let Some((_, pending)) = &posted.fields {
        pending.check_length(&posted.decoder)?;
    }
    let mut tail = Tail::default();
    if ends {
        posted.decoder.finish()?;
        if let (Some(stream), Some((_, pending))) = (&posted.stream, &posted.fields) {
            tail = stream.end(&posted.decoder, pending)?;
        }
        posted.ended = true;
    }
    Ok(PlainPiece { data, tail })
}

fn verify_fields<'r>(
    request: Request<'r>,
    view: &sigv4::ClientRequest<'_, 'r>,
    decoder: &FormDecoder,
    head: &'r [u8],
) -> Result<PendingForm<'r>, Rejected<'r>> {
    let conf = request.location_conf();
    let clients = RequestClients::of(request);
    let keys = &mut request.main_conf().keys.borrow_mut();
    let now = timestamp();
    sigv4::verify_form(view, decoder, head, clients, conf.rules(), keys, now)
}
