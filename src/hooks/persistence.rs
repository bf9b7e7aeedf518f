//! Whether the client's connection persists after an answer (RFC 9112 section 9.3). The next request
//! begins where the body of the present one ends. If nobody reads on to the end of the body, or the client
//! will not send the rest, nginx would take the next request for the rest: another client's request, if a
//! balancer in front shares its connections.

use ngx_safe::filter::{HeaderFilter, NextHeadFilter};
use ngx_safe::request::Request;

use crate::context::OwnRequest;

/// The last of the module's header filters: it sees the answers of the others, too.
pub(crate) struct Persistence;

impl HeaderFilter for Persistence {
    fn next() -> &'static NextHeadFilter {
        static NEXT: NextHeadFilter = NextHeadFilter::new();
        &NEXT
    }

    fn filter(request: Request<'_>) {
        decide(request);
    }
}

/// Decides before the head of the answer is sent, which tells the client.
fn decide(request: Request<'_>) {
    if !request.is_main() || !request.has_unread_body() {
        return;
    }
    let is_withheld = request.awaits_continue();
    // nginx closes such a connection in the end, but its answer says that it persists. What other
    // locations have in mind for their bodies is not known here.
    let is_abandoned = !request.is_discarding_body() && is_concerned(request);
    if is_withheld || is_abandoned {
        request.close_after_answer();
    }
}

/// Tells whether the request is one that is verified, wherever it was led since.
fn is_concerned(request: Request<'_>) -> bool {
    request.location_conf().is_resign() || request.context().is_some()
}
