//! The bodies of answers that cannot go on as they are: errors, which tell of the origin; answers of
//! success that may be errors; and lists of buckets that a client must not see all of.

use std::ffi::CStr;

use ngx_safe::answer::AnswerHeader;
use ngx_safe::answer_body::AnswerStep;
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use sigv4::{Beginning, ErrorBody, MAX_ERROR, Region, Traces, XML_DECLARATION};

use crate::context::OwnRequest;
use crate::error_response;
use crate::log::{log_error, log_info};
use crate::rewriter::{ErrorPlace, Rewriter};

/// The longest list of buckets, as the client sees it, in bytes.
const MAX_LIST: usize = 4 << 20;

const XML: &CStr = c"application/xml";

/// Tells whether a header tells of a body what would not hold of another.
pub(crate) fn is_of_body(header: &AnswerHeader<'_>) -> bool {
    let names = [
        c"content-digest",
        c"content-encoding",
        c"content-md5",
        c"digest",
        c"repr-digest",
        c"trailer",
    ];
    let start = b"x-amz-checksum-";
    names.iter().any(|name| header.is(name))
        || header
            .name()
            .get(..start.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(start))
}

impl Rewriter {
    /// Does what `AnswerFilter::take` says.
    pub(crate) fn take_piece(&mut self, request: Request<'_>, piece: &[u8]) -> AnswerStep {
        match self {
            Rewriter::Error { body, place } => {
                if body.len() + piece.len() > MAX_ERROR {
                    return replace(request, *place, "is too long");
                }
                body.extend_from_slice(piece);
                AnswerStep::Hold
            }
            Rewriter::EncodedError => replace(request, ErrorPlace::OfItsOwn, ENCODED),
            Rewriter::Outcome { outcome, has_begun } => {
                let mut begun = Vec::new();
                let (beginning, left) = outcome.take(piece, &mut begun);
                let rest = piece.get(piece.len() - left..).unwrap_or_default();
                match beginning {
                    Beginning::Open if begun.is_empty() => AnswerStep::Hold,
                    Beginning::Open => {
                        *has_begun = true;
                        AnswerStep::Send(begun)
                    }
                    Beginning::Success => {
                        AnswerStep::PassOn([begun, outcome.held(), rest.into()].concat())
                    }
                    Beginning::Error => {
                        let has_begun = *has_begun;
                        *self = Rewriter::Error {
                            body: [begun, outcome.held()].concat(),
                            place: ErrorPlace::Outcome { has_begun },
                        };
                        self.take_piece(request, rest)
                    }
                }
            }
            Rewriter::Location { outcome, region } => {
                let mut begun = Vec::new();
                let (beginning, left) = outcome.take(piece, &mut begun);
                match beginning {
                    Beginning::Open => AnswerStep::Hold,
                    Beginning::Success => location(region),
                    Beginning::Error => {
                        *self = Rewriter::Error {
                            body: outcome.held(),
                            place: ErrorPlace::Outcome { has_begun: false },
                        };
                        let rest = piece.get(piece.len() - left..).unwrap_or_default();
                        self.take_piece(request, rest)
                    }
                }
            }
            Rewriter::Buckets { list, shown } => {
                let context = request.main().context();
                let verified = context.map(|context| context.verified.borrow());
                let verified = verified.as_deref().and_then(Option::as_ref);
                let grant = verified.and_then(|verified| verified.sees_some_buckets());
                let shows = |name: &[u8]| grant.is_some_and(|grant| grant.shows_bucket(name));
                if list.filter(piece, shows, shown).is_err() {
                    return AnswerStep::Replace(bad_gateway(request, UNREADABLE_LIST));
                }
                if shown.len() > MAX_LIST {
                    return AnswerStep::Replace(bad_gateway(request, "a list of too many buckets"));
                }
                AnswerStep::Hold
            }
        }
    }

    /// Does what `AnswerFilter::end` says.
    pub(crate) fn end_body(&mut self, request: Request<'_>, is_whole: bool) -> AnswerStep {
        match self {
            Rewriter::Error {
                place: ErrorPlace::Outcome { has_begun: true },
                ..
            }
            | Rewriter::Outcome {
                has_begun: true, ..
            } if !is_whole => AnswerStep::Fail,
            _ if !is_whole => AnswerStep::Replace(bad_gateway(request, "a body that breaks off")),
            Rewriter::Error { body, place } => match error_body(request, body) {
                ErrorBody::Keep => AnswerStep::PassOn(std::mem::take(body)),
                ErrorBody::Rewrite(xml) => rewrite(request, *place, &xml),
                ErrorBody::Replace => {
                    replace(request, *place, "cannot be read, or names the origin")
                }
            },
            Rewriter::EncodedError => replace(request, ErrorPlace::OfItsOwn, ENCODED),
            Rewriter::Outcome { outcome, .. } => AnswerStep::PassOn(outcome.held()),
            Rewriter::Location { region, .. } => location(region),
            Rewriter::Buckets { list, shown } => match list.finish() {
                Ok(()) => AnswerStep::End {
                    body: std::mem::take(shown),
                    content_type: XML,
                },
                Err(_) => AnswerStep::Replace(bad_gateway(request, UNREADABLE_LIST)),
            },
        }
    }
}

const ENCODED: &str = "is encoded";
const UNREADABLE_LIST: &str = "a list of buckets that cannot be read";

/// Decides on the whole body of an error.
fn error_body(request: Request<'_>, body: &[u8]) -> ErrorBody {
    let region = request.location_conf().rules().region.as_ref();
    ErrorBody::of(body, &traces(request), region)
}

/// Answers where a bucket is, as the client has to see it.
fn location(region: &Region) -> AnswerStep {
    AnswerStep::End {
        body: sigv4::bucket_location(region).into(),
        content_type: XML,
    }
}

/// Lists what of the location's origins no client is to read.
pub(crate) fn traces(request: Request<'_>) -> Traces<'_> {
    let mut traces = Traces::default();
    for origin in request.origins() {
        traces.add(&origin.origin, &origin.server);
    }
    traces
}

/// Goes on with what of the origin's error is the client's business.
fn rewrite(request: Request<'_>, place: ErrorPlace, xml: &str) -> AnswerStep {
    let code = xml.split("<Code>").nth(1);
    log_info!(
        request.log(),
        "the origin answered {} with the error {}",
        request.status(),
        code.and_then(|code| code.split('<').next())
            .unwrap_or_default()
            .escape_default()
    );
    let declaration = match place {
        // A declaration may have been sent, or blanks, after which none may follow.
        ErrorPlace::Outcome { has_begun: true } => "",
        _ => XML_DECLARATION,
    };
    AnswerStep::End {
        body: [declaration, xml].concat().into(),
        content_type: XML,
    }
}

/// Goes on with an error of ours instead. The head is the origin's, where it is that of an error.
fn replace(request: Request<'_>, place: ErrorPlace, why: &str) -> AnswerStep {
    if let ErrorPlace::Outcome { has_begun: false } = place {
        return AnswerStep::Replace(bad_gateway(request, &format!("an error that {why}")));
    }
    log_error!(
        request.log(),
        "the origin answered {} with an error that {why}: replaced",
        request.status()
    );
    let id = request.variable(c"request_id").unwrap_or_default();
    let (content_type, body) = match place {
        ErrorPlace::OfItsOwn => BAD_ANSWER.document(request, id),
        ErrorPlace::Outcome { .. } => (XML, BAD_ANSWER.element(request, id)),
    };
    AnswerStep::End {
        body: body.into_bytes(),
        content_type,
    }
}

/// Answers 502 instead, before anything has been sent.
pub(crate) fn bad_gateway(request: Request<'_>, what: &str) -> Response {
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
