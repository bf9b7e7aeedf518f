//! The log phase: what became of a request is counted.

use metrics::{ClientName, Outcome, RequestSample, SigningCounts};
use ngx_safe::phase::LogHandler;
use ngx_safe::request::Request;
use ngx_safe::{now, worker_number};
use sigv4::{Operation, Verified};

use crate::clients::RequestClients;
use crate::context::{Context, OwnRequest};

/// The log phase.
pub(crate) struct Counting;

impl LogHandler for Counting {
    fn log(request: Request<'_>) {
        count(request);
    }
}

fn count(request: Request<'_>) {
    let main = request.main_conf();
    let Some(metrics) = main.metrics() else {
        return;
    };
    if !request.is_main() {
        return;
    }
    let context = request.context();
    // A preflight is no call.
    let is_preflight = context.is_some_and(|context| context.answers_preflight.get());
    let outcome = match context {
        _ if request.location_conf().speaks_sts() && !is_preflight => Outcome::Sts {
            operation: context.and_then(|context| context.sts_operation.get()),
            fault: context.and_then(|context| context.error.get()),
        },
        Some(context) => match (context.error.get(), context.form.get()) {
            (Some(code), _) => Outcome::Rejected(code),
            (None, Some(form)) => Outcome::Accepted(form),
            (None, None) => Outcome::Unverified,
        },
        None if request.location_conf().is_resign() => Outcome::Unverified,
        None => return,
    };
    let (received, sent) = request.traffic();
    let issuer = context.and_then(|context| {
        let named = || RequestClients::of(request).issuer(context.access_key.get());
        context.issuer.get().or_else(named)
    });
    let ended = RequestSample {
        outcome,
        is_minted: issuer.is_some(),
        failure: context.and_then(|context| context.failure.get()),
        status: request.status(),
        received,
        sent,
        operation: context.and_then(operation),
        client: context.and_then(|context| client(context, issuer)),
        cache_status: request.cache_status(),
        nanoseconds: context
            .map(|context| context.sign_time.get())
            .filter(|time| *time > 0),
    };
    let keys = main.keys.borrow();
    let (links_known, links_computed) = keys.links();
    let signing = SigningCounts {
        keys_found: keys.hits(),
        keys_derived: keys.derivations(),
        links_known,
        links_computed,
    };
    metrics.count(&ended, signing, worker_number(), now());
}

/// Tells what an accepted request asks for.
fn operation(context: &Context<'_>) -> Option<Operation> {
    if context.error.get().is_some() {
        return None;
    }
    let verified = context.verified.borrow();
    verified.as_ref().map(Verified::operation)
}

/// Tells who has signed a request: strangers can make up no name that is counted.
fn client<'r>(context: &Context<'r>, issuer: Option<&'r [u8]>) -> Option<ClientName<'r>> {
    let access_key = context.access_key.get();
    let is_signed = context.authenticated.get() && !access_key.is_empty();
    is_signed.then_some(match issuer {
        Some(issuer) => ClientName::Issuer(issuer),
        None => ClientName::AccessKey(access_key),
    })
}
