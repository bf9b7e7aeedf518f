//! Browsers' forms. The signature is in the body, so that is read in the access phase, all of it;
//! a form that is refused is refused as soon as its fields are there. nginx stores the file alone, and
//! the fields are written anew for each origin.

use ngx::ffi::ngx_time;
use sigv4::{Form, FormDecoder, Headers, PendingForm, Refused, Rejection, Timestamp, Verified};

use crate::context::Context;
use crate::ffi::request::Request;
use crate::hooks::access;
use crate::hooks::body::Plain;
use crate::log::log_error;

/// A form as far as it has arrived.
pub(crate) struct Posted<'r> {
    decoder: FormDecoder,
    /// What is ahead of the file, once it is there, and what the fields in it allow.
    fields: Option<(&'r [u8], PendingForm<'r>)>,
    /// nginx has handed over all of it.
    ended: bool,
}

/// The access phase of a form: for the first time, when the body has been read, and where an internal
/// redirect has led to other clients and rules. None: the body has to be read first.
pub(crate) fn verify<'r>(
    request: Request<'r>,
    context: &Context<'r>,
    view: &sigv4::Request<'_, 'r>,
) -> Option<Result<Verified<'r>, Refused<'r>>> {
    let refused = |rejection, access_key| Refused {
        rejection,
        access_key,
        form: Some(Form::PostPolicy),
    };
    let mut posted = context.posted.borrow_mut();
    let Some(posted) = posted.as_deref() else {
        if request.has_read_body() {
            log_error!(
                request.log(),
                "a form is not let in: its body was read before the request was verified"
            );
            return Some(Err(refused(Rejection::InternalError, b"")));
        }
        match FormDecoder::new(view) {
            Ok(decoder) => {
                *posted = Some(Box::new(Posted {
                    decoder,
                    fields: None,
                    ended: false,
                }));
                return None;
            }
            Err(rejection) => return Some(Err(refused(rejection, b""))),
        }
    };
    let Posted {
        decoder,
        fields: Some((head, _)),
        ended: true,
    } = posted
    else {
        // A request without a body has no fields.
        return Some(Err(refused(Rejection::MalformedForm, b"")));
    };
    let verified = verify_fields(request, view, decoder, head).and_then(|pending| {
        let access_key = pending.access_key();
        let complete = pending.complete(decoder);
        complete.map_err(|rejection| refused(rejection, access_key))
    });
    Some(verified)
}

/// Takes a piece of the body; what is left is the file.
pub(crate) fn take<'r>(
    request: Request<'r>,
    context: &Context<'r>,
    posted: &mut Posted<'r>,
    piece: &mut [u8],
    ends: bool,
) -> Result<Plain, Rejection> {
    let data = posted.decoder.decode(piece)?;
    if posted.fields.is_none()
        && let Some(head) = posted.decoder.head()
    {
        let head = request.copy(head).ok_or(Rejection::InternalError)?;
        let mut headers = Headers::new();
        let view = access::view(request, &mut headers)?;
        let pending = verify_fields(request, &view, &posted.decoder, head).map_err(|refused| {
            context.form.set(refused.form);
            context.access_key.set(refused.access_key);
            refused.rejection
        })?;
        context.access_key.set(pending.access_key());
        posted.fields = Some((head, pending));
    }
    if let Some((_, pending)) = &posted.fields {
        pending.check_length(&posted.decoder)?;
    }
    if ends {
        posted.decoder.finish()?;
        posted.ended = true;
    }
    Ok(Plain { data, late: None })
}

fn verify_fields<'r>(
    request: Request<'r>,
    view: &sigv4::Request<'_, 'r>,
    decoder: &FormDecoder,
    head: &'r [u8],
) -> Result<PendingForm<'r>, Refused<'r>> {
    let conf = request.location_conf();
    let keys = &mut request.main_conf().keys.borrow_mut();
    let now = Timestamp(ngx_time());
    sigv4::verify_form(view, decoder, head, conf, conf.rules(), keys, now)
}
