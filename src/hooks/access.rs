//! The access phase: a request is verified here or answered here.

use std::time::Instant;

use ngx_safe::phase::{Access, AccessHandler};
use ngx_safe::request::Request;
use sigv4::{Account, AuthType, ClientRequest, Headers, Rejection, Verified};

use crate::clients::RequestClients;
use crate::context::{Context, OwnRequest};
use crate::error_response;
use crate::hooks::body::{self, Readiness, Verifying};
use crate::hooks::{cors, dialect, document, form};
use crate::log::log_error;
use crate::request_view::{claimed_access_key, timestamp, view};

/// The access phase.
pub(crate) struct Verifier;

impl AccessHandler for Verifier {
    type BodyFilter = Verifying;

    fn access(request: Request<'_>) -> Access {
        access(request)
    }

    fn has_enough(request: Request<'_>) -> bool {
        request.context().is_some_and(form::has_fields)
    }
}

fn access(request: Request<'_>) -> Access {
    let conf = request.location_conf();
    if !conf.is_resign() {
        return Access::Decline;
    }
    let main = request.main_conf();
    let Some(context) = request.context_or_create() else {
        return Access::Fail;
    };
    // An internal redirect comes here again: what another location accepted does not count.
    if context.verified.borrow().is_some() {
        context.verified.replace(None);
    }
    context.account.set(None);
    context.role.set(None);
    context.session.set(None);
    context.issuer.set(None);
    context.authenticated.set(false);

    let started = main.wants_sign_time().then(Instant::now);
    let mut headers = Headers::new();
    let view = match view(request, &mut headers) {
        Ok(view) => view,
        Err(rejection) => return reject(request, context, None, &rejection),
    };
    let now = timestamp();
    let mut verified = sigv4::verify(
        &view,
        RequestClients::of(request),
        conf.rules(),
        &mut main.keys.borrow_mut(),
        now,
    );
    if let Err(rejected) = &verified
        && rejected.rejection == Rejection::ProofInBody
    {
        match form::verify(request, context, &view) {
            Some(decided) => verified = decided,
            None => {
                return Access::ReadBody {
                    unbuffered: form::is_streamed(context),
                };
            }
        }
    }
    if let Some(started) = started {
        context.sign_time.set(started.elapsed().as_nanos() as u64);
    }

    match verified {
        Ok(mut verified) => {
            let form = verified.auth_type();
            context.form.set(Some(form));
            context.access_key.set(verified.access_key());
            context.account.set(verified.account());
            context.authenticated.set(!verified.access_key().is_empty());
            if let Err(rejection) = check_announced(request, &verified) {
                return reject(request, context, None, &rejection);
            }
            if let Some(asked) = verified.preflight()
                && let Some(rules) = conf.cors()
            {
                return match cors::answer(context, rules, &asked) {
                    Ok(response) => Access::Respond(response),
                    Err(rejection) => reject(request, context, None, &rejection),
                };
            }
            let named = request.origins();
            let origins = named.iter().map(|named| &named.origin);
            if request.passes_to_origins()
                && let Err(rejection) = verified.check_account(origins.clone())
            {
                log_error!(
                    request.log(),
                    "no \"s3_origin\" has keys for account \"{}\" of access key \"{}\"",
                    verified.account().map_or("", Account::as_str),
                    verified.access_key().escape_ascii()
                );
                return reject(request, context, None, &rejection);
            }
            if let Err(rejection) = verified.check_buckets(origins.clone()) {
                return reject(request, context, None, &rejection);
            }
            let readiness = document::rewrite(request, context, &view, named, &mut verified);
            let readiness = readiness.and_then(|readiness| match readiness {
                Readiness::Ready => dialect::adapt(request, context, &view, named, &mut verified),
                Readiness::NeedsBody => Ok(readiness),
            });
            match readiness {
                Ok(Readiness::Ready) => {}
                Ok(Readiness::NeedsBody) => return Access::ReadBody { unbuffered: false },
                Err(rejection) => return reject(request, context, None, &rejection),
            }
            if let Err(rejection) = verified.open_id(origins) {
                return reject(request, context, Some(&view), &rejection);
            }
            *context.verified.borrow_mut() = Some(verified);
            context.location.set(Some(conf));
            if body::was_read_before(request, context) {
                return Access::ReadBody { unbuffered: false };
            }
            // An unsigned request has shown nothing that `satisfy any` could count.
            match form {
                AuthType::Anonymous | AuthType::Granted | AuthType::Preflight => Access::Decline,
                _ => Access::Allow,
            }
        }
        Err(rejected) => {
            context.form.set(rejected.auth_type);
            context.authenticated.set(rejected.is_authenticated);
            context
                .access_key
                .set(claimed_access_key(request, &rejected));
            reject(request, context, Some(&view), &rejected.rejection)
        }
    }
}

fn reject(
    request: Request<'_>,
    context: &Context<'_>,
    view: Option<&ClientRequest<'_, '_>>,
    rejection: &Rejection,
) -> Access {
    error_response::note(request, context, rejection);
    Access::Respond(error_response::to_rejected(request, view, rejection))
}

/// Checks what the head alone tells of the body.
fn check_announced(request: Request<'_>, verified: &Verified<'_>) -> Result<(), Rejection> {
    if verified.streaming().is_some() && !request.has_body() {
        return Err(Rejection::MissingDecodedLength);
    }
    match request.body_length() {
        Some(0) => verified.check_no_body(),
        _ => verified.check_body(),
    }
}
