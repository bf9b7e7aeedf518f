//! An origin rejects keys that change: the request is made once more with newer ones, if there are any soon.
//!
//! What an origin says of keys that clients know nothing of is none of their business. Where there are no newer ones, or
//! the body cannot be sent again, they are told to try again.

use health::error_code;
use ngx_safe::answer_body::HeadVerdict;
use ngx_safe::peer::{Again, ErrorBeginning};
use ngx_safe::request::Request;
use ngx_safe::worker::Now;

use crate::context::{Context, OwnRequest, Rewriter};
use crate::error_response;
use crate::log::log_warn;

/// Milliseconds for which a request waits for newer keys.
const PATIENCE: u64 = 3_000;

/// The codes by which S3 says that keys hold no longer.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const CODES: [&[u8]; 4] = [
    b"ExpiredToken",
    b"ExpiredTokenException",
    b"InvalidAccessKeyId",
    b"TokenRefreshRequired",
];

/// What an error says of the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// They hold no longer.
    Rejected,
    /// They may hold no longer: the answer has no body.
    Perhaps,
    Nothing,
    /// It has not been read far enough.
    NotYet,
}

pub(crate) fn wants_to_hear(request: Request<'_>) -> bool {
    let context = request.main().context();
    context.is_some_and(|context| context.keys.borrow().is_some())
}

pub(crate) fn hears(request: Request<'_>, answer: &ErrorBeginning<'_>) -> Again {
    let Some(context) = request.main().context() else {
        return Again::Pass;
    };
    let told = told(request, answer);
    context.renewal.borrow_mut().is_rejected = told == Told::Rejected;
    match told {
        Told::Nothing => return Again::Pass,
        Told::NotYet => return Again::More,
        Told::Rejected | Told::Perhaps => {}
    }
    let (Some(origin), Some(signed)) = (context.origin.get(), &*context.keys.borrow()) else {
        return Again::Pass;
    };
    let providers = &request.main_conf().providers;
    let has_newer = providers.has_newer(origin, signed);
    if told == Told::Perhaps && !has_newer && !providers.are_near_end(origin) {
        return Again::Pass;
    }
    let mut renewal = context.renewal.borrow_mut();
    if !has_newer {
        providers.reject(origin, signed);
        if told == Told::Rejected {
            log_warn!(
                request.log(),
                "origin \"{}\" rejects keys that may have expired: newer ones are fetched",
                origin.server.escape_ascii()
            );
        }
    }
    // Some of the body has been sent that is kept nowhere.
    if renewal.is_tried_again || request.is_unbuffered() {
        return Again::Pass;
    }
    if has_newer {
        renewal.is_tried_again = true;
        return Again::Try;
    }
    renewal.deadline = Now::read().ticks + PATIENCE;
    Again::Wait
}

pub(crate) fn waits(request: Request<'_>) -> Again {
    let Some(context) = request.main().context() else {
        return Again::Pass;
    };
    let (Some(origin), Some(signed)) = (context.origin.get(), &*context.keys.borrow()) else {
        return Again::Pass;
    };
    let providers = &request.main_conf().providers;
    let mut renewal = context.renewal.borrow_mut();
    let ticks = Now::read().ticks;
    if providers.has_newer(origin, signed) {
        renewal.is_tried_again = true;
        Again::Try
    } else if ticks >= renewal.deadline || !providers.are_coming(origin, ticks, renewal.deadline) {
        Again::Pass
    } else {
        Again::Wait
    }
}

fn told(request: Request<'_>, answer: &ErrorBeginning<'_>) -> Told {
    if !(400..500).contains(&answer.status) {
        return Told::Nothing;
    }
    if request.is_head_only() || answer.length == Some(0) {
        // S3 has the status 400 for a token that has expired, and few other reasons for one without a body.
        return match answer.status {
            400 => Told::Perhaps,
            _ => Told::Nothing,
        };
    }
    match error_code(answer.body) {
        Some(code) if CODES.contains(&code) => Told::Rejected,
        Some(_) => Told::Nothing,
        None => {
            let is_whole = match (answer.length, answer.is_chunked) {
                (Some(length), _) => answer.body.len() as u64 >= length,
                (None, true) => memchr::memmem::find(answer.body, b"0\r\n\r\n").is_some(),
                // Its end would be taken for that of the connection.
                (None, false) => true,
            };
            if is_whole {
                Told::Nothing
            } else {
                Told::NotYet
            }
        }
    }
}

/// Returns what a client is told in the place of what the origin says of the keys; None if it says nothing.
pub(crate) fn answer(request: Request<'_>, context: &Context<'_>) -> Option<HeadVerdict<Rewriter>> {
    if !context.renewal.borrow().is_rejected {
        return None;
    }
    Some(HeadVerdict::Replace(KEYS_REJECTED.response(request)))
}

/// SDKs try again what S3 answers so.
const KEYS_REJECTED: error_response::Error<'static> = error_response::Error {
    status: 503,
    code: "ServiceUnavailable",
    message: "The keys of the origin are being renewed. Please try again.",
    details: &[],
    explained: None,
};
