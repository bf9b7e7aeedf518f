//! The bodies of answers that cannot go on as they are: errors, which tell of the origin; answers of
//! success that may be errors; and lists of buckets that a client must not see all of.

use std::ffi::CStr;

use ngx_safe::answer_body::{AnswerFilter, HeadVerdict, Rewritings, Step};
use ngx_safe::filter::{NextBodyFilter, NextHeadFilter};
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use sigv4::{Beginning, BucketList, ErrorBody, MAX_ERROR, Outcome, Traces, XML_DECLARATION};

use crate::context::OwnRequest;
use crate::error_response;
use crate::hooks::answer;
use crate::log::{log_error, log_info};

/// The longest list of buckets, as the client sees it, in bytes.
const MAX_LIST: usize = 4 << 20;

const XML: &CStr = c"application/xml";

pub(crate) enum Rewriter {
    /// An error, read whole before anything of it is sent.
    Error { body: Vec<u8>, place: Place },
    /// One whose body is not looked at: it goes with one of ours.
    EncodedError,
    /// An answer of success, of which the beginning is still open.
    Outcome { outcome: Outcome, has_begun: bool },
    /// A list of buckets, and what of it the client sees.
    Buckets { list: BucketList, shown: Vec<u8> },
}

/// Where an error stands.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// In an answer with its status.
    OfItsOwn,
    /// In an answer of success, of which the beginning may have been sent.
    Outcome { has_begun: bool },
}

impl Rewriter {
    pub(crate) fn error() -> Rewriter {
        Rewriter::Error {
            body: Vec::new(),
            place: Place::OfItsOwn,
        }
    }

    pub(crate) fn outcome() -> Rewriter {
        Rewriter::Outcome {
            outcome: Outcome::default(),
            has_begun: false,
        }
    }

    pub(crate) fn buckets() -> Rewriter {
        Rewriter::Buckets {
            list: BucketList::default(),
            shown: Vec::new(),
        }
    }
}

impl AnswerFilter for Rewriter {
    fn next_head() -> &'static NextHeadFilter {
        static NEXT: NextHeadFilter = NextHeadFilter::new();
        &NEXT
    }

    fn next_body() -> &'static NextBodyFilter {
        static NEXT: NextBodyFilter = NextBodyFilter::new();
        &NEXT
    }

    fn judge(request: Request<'_>) -> HeadVerdict<Rewriter> {
        answer::judge(request)
    }

    fn under_way(request: Request<'_>) -> Option<&Rewritings<Rewriter>> {
        Some(&request.context_at_hand()?.rewritings)
    }

    fn take(&mut self, request: Request<'_>, piece: &[u8]) -> Step {
        match self {
            Rewriter::Error { body, place } => {
                if body.len() + piece.len() > MAX_ERROR {
                    return replace(request, *place, "is too long");
                }
                body.extend_from_slice(piece);
                Step::Hold
            }
            Rewriter::EncodedError => replace(request, Place::OfItsOwn, ENCODED),
            Rewriter::Outcome { outcome, has_begun } => {
                let mut begun = Vec::new();
                let (beginning, left) = outcome.take(piece, &mut begun);
                let rest = piece.get(piece.len() - left..).unwrap_or_default();
                match beginning {
                    Beginning::Open if begun.is_empty() => Step::Hold,
                    Beginning::Open => {
                        *has_begun = true;
                        Step::Send(begun)
                    }
                    Beginning::Success => {
                        Step::PassOn([begun, outcome.held(), rest.into()].concat())
                    }
                    Beginning::Error => {
                        let has_begun = *has_begun;
                        *self = Rewriter::Error {
                            body: [begun, outcome.held()].concat(),
                            place: Place::Outcome { has_begun },
                        };
                        self.take(request, rest)
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
                    return Step::Replace(bad_gateway(request, UNREADABLE_LIST));
                }
                if shown.len() > MAX_LIST {
                    return Step::Replace(bad_gateway(request, "a list of too many buckets"));
                }
                Step::Hold
            }
        }
    }

    fn end(&mut self, request: Request<'_>, is_whole: bool) -> Step {
        match self {
            Rewriter::Error {
                place: Place::Outcome { has_begun: true },
                ..
            }
            | Rewriter::Outcome {
                has_begun: true, ..
            } if !is_whole => Step::Fail,
            _ if !is_whole => Step::Replace(bad_gateway(request, "a body that breaks off")),
            Rewriter::Error { body, place } => match ErrorBody::of(body, &traces(request)) {
                ErrorBody::Keep => Step::PassOn(std::mem::take(body)),
                ErrorBody::Rewrite(xml) => rewrite(request, *place, &xml),
                ErrorBody::Replace => {
                    replace(request, *place, "cannot be read, or names the origin")
                }
            },
            Rewriter::EncodedError => replace(request, Place::OfItsOwn, ENCODED),
            Rewriter::Outcome { outcome, .. } => Step::PassOn(outcome.held()),
            Rewriter::Buckets { list, shown } => match list.finish() {
                Ok(()) => Step::End {
                    body: std::mem::take(shown),
                    content_type: XML,
                },
                Err(_) => Step::Replace(bad_gateway(request, UNREADABLE_LIST)),
            },
        }
    }
}

const ENCODED: &str = "is encoded";
const UNREADABLE_LIST: &str = "a list of buckets that cannot be read";

/// What of the location's origins no client is to read.
pub(crate) fn traces(request: Request<'_>) -> Traces<'_> {
    let mut traces = Traces::default();
    for origin in request.origins() {
        traces.add(&origin.origin, &origin.server);
    }
    traces
}

/// Goes on with what of the origin's error is the client's business.
fn rewrite(request: Request<'_>, place: Place, xml: &str) -> Step {
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
        // One may have been sent, or blanks, after which none may follow.
        Place::Outcome { has_begun: true } => "",
        _ => XML_DECLARATION,
    };
    Step::End {
        body: [declaration, xml].concat().into(),
        content_type: XML,
    }
}

/// Goes on with an error of ours instead. The head is the origin's, where it is that of an error.
fn replace(request: Request<'_>, place: Place, why: &str) -> Step {
    if let Place::Outcome { has_begun: false } = place {
        return Step::Replace(bad_gateway(request, &format!("an error that {why}")));
    }
    log_error!(
        request.log(),
        "the origin answered {} with an error that {why}: replaced",
        request.status()
    );
    let (content_type, body) = match place {
        Place::OfItsOwn => BAD_ANSWER.document(request),
        Place::Outcome { .. } => (XML, BAD_ANSWER.element(request)),
    };
    Step::End {
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

/// What the client gets instead of an answer that cannot be passed on.
pub(crate) const BAD_ANSWER: error_response::Error<'static> = error_response::Error {
    status: 502,
    code: "InternalError",
    message: "The answer of the origin cannot be passed on.",
    explained: None,
};
