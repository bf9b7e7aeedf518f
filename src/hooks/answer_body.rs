//! The bodies of answers that cannot go on as they are: errors, which tell of the origin; answers of success that
//! may be errors; documents with names that the client does not know; and lists of buckets that it must not see
//! all of.

use std::ffi::CStr;
use std::fmt::Display;

use ngx_safe::answer::AnswerHeader;
use ngx_safe::answer_body::AnswerStep;
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use sigv4::{AnswerBody, AnswerFault, BodyStep, ClientWords, ErrorBody, ToldInErrors, Traces};

use crate::context::OwnRequest;
use crate::error_response;
use crate::hooks::naming;
use crate::log::{log_error, log_info};

const XML: &CStr = c"application/xml";

/// Tells whether a header tells of a body what would not hold of another.
pub(crate) fn is_of_body(header: &AnswerHeader<'_>) -> bool {
    let start = b"x-amz-checksum-";
    let is_checksum = |name: &[u8]| {
        (name.get(..start.len())).is_some_and(|name| name.eq_ignore_ascii_case(start))
    };
    is_of_message(header) || is_checksum(header.name())
}

/// Likewise, of a document that tells of an object. The object's checksums, of which there are headers too, stay.
pub(crate) fn is_of_message(header: &AnswerHeader<'_>) -> bool {
    let names = [
        c"content-digest",
        c"content-encoding",
        c"content-md5",
        c"digest",
        c"repr-digest",
        c"trailer",
    ];
    names.iter().any(|name| header.is(name))
}

/// Does what `AnswerFilter::take` says.
pub(crate) fn take(body: &mut AnswerBody, request: Request<'_>, piece: &[u8]) -> AnswerStep {
    let step = body.take(piece, &Words { request });
    apply(step, request)
}

/// Does what `AnswerFilter::end` says.
pub(crate) fn end(body: &mut AnswerBody, request: Request<'_>, is_whole: bool) -> AnswerStep {
    let step = body.end(is_whole, &Words { request });
    apply(step, request)
}

/// What the client of a request reads in the place of an origin's words.
struct Words<'r> {
    request: Request<'r>,
}

impl ClientWords for Words<'_> {
    fn error(&self, body: &[u8]) -> ErrorBody {
        let request = self.request;
        naming::with_endpoint(request, |_, host| {
            let told = ToldInErrors {
                region: request.location_conf().rules().region.as_ref(),
                host: &String::from_utf8_lossy(host),
                names: naming::names(request),
                id: naming::asked_id(request),
            };
            ErrorBody::of(body, &traces(request), &told)
        })
    }

    fn message(&self, message: &str) -> String {
        let request = self.request;
        sigv4::told_message(message, &traces(request), &naming::names(request))
    }

    fn bucket(&self, bucket: &str) -> Option<String> {
        naming::shown_bucket(self.request, bucket)
    }
}

fn apply(step: BodyStep, request: Request<'_>) -> AnswerStep {
    let log = |fault: AnswerFault, outcome: &str| {
        log_error!(
            request.log(),
            "the origin answered {} with {fault}: {outcome}",
            request.status()
        );
    };
    let id = || request.variable(c"request_id").unwrap_or_default();
    let (body, content_type) = match step {
        BodyStep::Hold => return AnswerStep::Hold,
        BodyStep::Send(part) => return AnswerStep::Send(part),
        BodyStep::PassOn(start) => return AnswerStep::PassOn(start),
        BodyStep::Reject(fault) => return AnswerStep::Replace(bad_gateway(request, fault)),
        BodyStep::CutShort(fault) => {
            log(fault, "the answer is cut short");
            return AnswerStep::Fail;
        }
        BodyStep::End(body) => (body, XML),
        BodyStep::EndInError { code, xml } => {
            note_error(request, &code);
            (xml.into(), XML)
        }
        BodyStep::ReplaceError(fault) => {
            log(fault, "replaced");
            let (content_type, body) = BAD_ANSWER.document(request, id());
            (body.into(), content_type)
        }
        BodyStep::EndInOwnError(fault) => {
            log(fault, "replaced");
            (BAD_ANSWER.element(request, id()).into(), XML)
        }
    };
    AnswerStep::End { body, content_type }
}

/// Takes note of the code of the origin's error.
fn note_error(request: Request<'_>, code: &str) {
    log_info!(
        request.log(),
        "the origin answered {} with the error {}",
        request.status(),
        code.escape_default()
    );
    // For the log: nothing but what S3's codes are made of.
    let is_code = (1..=64).contains(&code.len()) && code.bytes().all(|c| c.is_ascii_alphanumeric());
    if let Some(context) = request.main().context().filter(|_| is_code)
        && let Some(code) = request.main().copy(code.as_bytes())
    {
        context.origin_error.set(Some(code));
    }
}

/// Lists what of the location's origins no client is to read.
pub(crate) fn traces(request: Request<'_>) -> Traces<'_> {
    let mut traces = Traces::default();
    for origin in request.origins() {
        traces.add(&origin.origin, &origin.server);
        if let Some(present) = request.main_conf().providers.present(origin) {
            traces.add_keys(&present);
        }
    }
    // Others may have come since it was signed.
    if let Some(signed) = request.main().context()
        && let Some(keys) = &*signed.keys.borrow()
    {
        traces.add_keys(keys);
    }
    if let Some(keys) = request.location_conf().customer_keys() {
        traces.add_customer_keys(keys);
    }
    traces
}

/// Answers 502 instead, before anything has been sent.
pub(crate) fn bad_gateway(request: Request<'_>, what: impl Display) -> Response {
    log_error!(
        request.log(),
        "the origin answered {} with {what}: not passed on",
        request.status()
    );
    BAD_ANSWER.response(request)
}

/// The answer that the client gets instead of one that cannot be passed on.
pub(crate) const BAD_ANSWER: error_response::Error<'static> = error_response::Error {
    status: 502,
    code: "InternalError",
    message: "The answer of the origin cannot be passed on.",
    details: &[],
    explained: None,
};
