//! The bodies of answers that cannot go on as they are: errors, which tell of the origin; answers of success that
//! may be errors; documents with names that the client does not know; and lists of buckets that it must not see
//! all of.

use std::ffi::CStr;

use ngx_safe::answer::AnswerHeader;
use ngx_safe::answer_body::AnswerStep;
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use sigv4::{
    Beginning, BucketList, ErrorBody, MAX_ERROR, Region, ToldInErrors, Traces, Unreadable,
    XML_DECLARATION,
};

use crate::context::OwnRequest;
use crate::error_response;
use crate::hooks::naming;
use crate::log::{log_error, log_info};
use crate::rewriter::{BodyRewriter, ErrorPlace, Rewriter};

/// The longest list of buckets, as the client sees it, in bytes.
const MAX_LIST: usize = 4 << 20;

/// How much of a document is held back before it is sent, in bytes: a short one is sent with its length.
const MAX_HELD: usize = 16 << 10;

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

impl Rewriter {
    /// Does what `AnswerFilter::take` says.
    pub(crate) fn take_piece(&mut self, request: Request<'_>, piece: &[u8]) -> AnswerStep {
        let Some(gunzip) = &mut self.gunzip else {
            return self.body.take_piece(request, piece);
        };
        match gunzip.unpack(piece) {
            Ok(piece) => {
                let step = self.body.take_piece(request, &piece);
                self.as_unpacked(request, step)
            }
            Err(_) => self.fail_encoded(request),
        }
    }

    /// Does what `AnswerFilter::end` says.
    pub(crate) fn end_body(&mut self, request: Request<'_>, is_whole: bool) -> AnswerStep {
        let rest = match &mut self.gunzip {
            Some(gunzip) if is_whole => gunzip.finish(),
            _ => return self.body.end_body(request, is_whole),
        };
        let Ok(rest) = rest else {
            return self.fail_encoded(request);
        };
        let step = match self.body.take_piece(request, &rest) {
            AnswerStep::Hold => self.body.end_body(request, is_whole),
            AnswerStep::Send(part) => match self.body.end_body(request, is_whole) {
                AnswerStep::End { body, content_type } => AnswerStep::End {
                    body: [part, body].concat(),
                    content_type,
                },
                step => step,
            },
            step => step,
        };
        self.as_unpacked(request, step)
    }

    /// Goes on with what has been unpacked: nothing can be passed on as it came.
    fn as_unpacked(&self, request: Request<'_>, step: AnswerStep) -> AnswerStep {
        match step {
            AnswerStep::PassOn(_) => self.fail_encoded(request),
            step => step,
        }
    }

    fn fail_encoded(&self, request: Request<'_>) -> AnswerStep {
        match self.body {
            BodyRewriter::Error { place, .. } => replace(request, place, ENCODED),
            _ => self.body.fail(request, "what is encoded"),
        }
    }
}

impl BodyRewriter {
    fn take_piece(&mut self, request: Request<'_>, piece: &[u8]) -> AnswerStep {
        match self {
            BodyRewriter::Error { body, place, .. } => {
                if body.len() + piece.len() > MAX_ERROR {
                    return replace(request, *place, "is too long");
                }
                body.extend_from_slice(piece);
                AnswerStep::Hold
            }
            BodyRewriter::EncodedError => replace(request, ErrorPlace::OfItsOwn, ENCODED),
            BodyRewriter::Outcome {
                outcome,
                has_begun,
                document,
            } => {
                let mut begun = Vec::new();
                let (beginning, left) = outcome.take(piece, &mut begun);
                let rest = piece.get(piece.len() - left..).unwrap_or_default();
                match (beginning, document.take()) {
                    (Beginning::Open, still) => {
                        *document = still;
                        if begun.is_empty() {
                            return AnswerStep::Hold;
                        }
                        *has_begun = true;
                        AnswerStep::Send(begun)
                    }
                    (Beginning::Success, document) => {
                        let held = outcome.held();
                        let is_document = !held.is_empty();
                        match document.filter(|_| is_document) {
                            Some(document) => {
                                // What stands before the root may have been sent, and is never read.
                                *self = BodyRewriter::Document {
                                    document,
                                    written: begun,
                                    has_begun: *has_begun,
                                };
                                self.take_piece(request, &[&held, rest].concat())
                            }
                            None => AnswerStep::PassOn([begun, held, rest.into()].concat()),
                        }
                    }
                    (Beginning::Error, document) => {
                        let place = ErrorPlace::Outcome {
                            has_begun: *has_begun,
                            is_named: document.is_some(),
                        };
                        *self = BodyRewriter::Error {
                            before: begun,
                            body: outcome.held(),
                            place,
                        };
                        self.take_piece(request, rest)
                    }
                }
            }
            BodyRewriter::Document {
                document,
                written,
                has_begun,
            } => {
                let told = |text: &str| told_message(request, text);
                if document.write(piece, told, written).is_err() {
                    return self.fail(request, UNREADABLE_DOCUMENT);
                }
                if written.is_empty() || !*has_begun && written.len() < MAX_HELD {
                    return AnswerStep::Hold;
                }
                *has_begun = true;
                AnswerStep::Send(std::mem::take(written))
            }
            BodyRewriter::Location { outcome, region } => {
                let mut begun = Vec::new();
                let (beginning, left) = outcome.take(piece, &mut begun);
                match beginning {
                    Beginning::Open => AnswerStep::Hold,
                    Beginning::Success => location(region),
                    Beginning::Error => {
                        *self = BodyRewriter::Error {
                            before: Vec::new(),
                            body: outcome.held(),
                            place: ErrorPlace::Outcome {
                                has_begun: false,
                                is_named: true,
                            },
                        };
                        let rest = piece.get(piece.len() - left..).unwrap_or_default();
                        self.take_piece(request, rest)
                    }
                }
            }
            BodyRewriter::Buckets { list, shown } => {
                if show_buckets(request, list, piece, shown).is_err() {
                    return self.fail(request, UNREADABLE_LIST);
                }
                if shown.len() > MAX_LIST {
                    return self.fail(request, "a list of too many buckets");
                }
                AnswerStep::Hold
            }
        }
    }

    fn end_body(&mut self, request: Request<'_>, is_whole: bool) -> AnswerStep {
        match self {
            _ if !is_whole => self.fail(request, "a body that breaks off"),
            BodyRewriter::Error {
                before,
                body,
                place,
            } => match (error_body(request, body), *place) {
                (ErrorBody::Keep, ErrorPlace::Outcome { is_named: true, .. }) => {
                    self.fail(request, UNREADABLE_DOCUMENT)
                }
                (ErrorBody::Keep, _) => AnswerStep::PassOn([&**before, body].concat()),
                (ErrorBody::Rewrite(xml), place) => rewrite(request, place, &xml),
                (ErrorBody::Replace, place) => {
                    replace(request, place, "cannot be read, or names the origin")
                }
            },
            BodyRewriter::EncodedError => replace(request, ErrorPlace::OfItsOwn, ENCODED),
            BodyRewriter::Outcome { outcome, .. } => AnswerStep::PassOn(outcome.held()),
            BodyRewriter::Document {
                document, written, ..
            } => match document.finish() {
                Ok(()) => AnswerStep::End {
                    body: std::mem::take(written),
                    content_type: XML,
                },
                Err(_) => self.fail(request, UNREADABLE_DOCUMENT),
            },
            BodyRewriter::Location { region, .. } => location(region),
            BodyRewriter::Buckets { list, shown } => match list.finish() {
                Ok(()) => AnswerStep::End {
                    body: std::mem::take(shown),
                    content_type: XML,
                },
                Err(_) => self.fail(request, UNREADABLE_LIST),
            },
        }
    }

    /// Answers 502 instead, or ends the connection where something has been sent.
    fn fail(&self, request: Request<'_>, what: &str) -> AnswerStep {
        match self {
            BodyRewriter::Error {
                place:
                    ErrorPlace::Outcome {
                        has_begun: true, ..
                    },
                ..
            }
            | BodyRewriter::Outcome {
                has_begun: true, ..
            }
            | BodyRewriter::Document {
                has_begun: true, ..
            } => {
                log_error!(
                    request.log(),
                    "the origin answered {} with {what}: the answer is cut short",
                    request.status()
                );
                AnswerStep::Fail
            }
            _ => AnswerStep::Replace(bad_gateway(request, what)),
        }
    }
}

/// Shows the buckets that a client may see, by its names for them.
fn show_buckets(
    request: Request<'_>,
    list: &mut BucketList,
    piece: &[u8],
    shown: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    let Some(context) = request.main().context() else {
        return Err(Unreadable);
    };
    let verified = context.verified.borrow();
    let (Some(verified), Some(origin)) = (verified.as_ref(), context.origin.get()) else {
        return Err(Unreadable);
    };
    let (grant, map) = (verified.sees_some_buckets(), &origin.origin.buckets);
    let is_elsewhere = verified.lists_another_region();
    let name = |bucket: &str| {
        if is_elsewhere {
            return None;
        }
        let name = match map.is_empty() {
            true => bucket.to_owned(),
            false => map.client_name(bucket.as_bytes())?.to_string(),
        };
        let is_shown = grant.is_none_or(|grant| grant.shows_bucket(name.as_bytes()));
        is_shown.then(|| name.into())
    };
    list.filter(piece, name, shown)
}

const ENCODED: &str = "is encoded";
const UNREADABLE_LIST: &str = "a list of buckets that cannot be read";
const UNREADABLE_DOCUMENT: &str = "a document that cannot be read";

/// Returns what the client is told for the message of an error among others.
fn told_message(request: Request<'_>, message: &str) -> String {
    sigv4::told_message(message, &traces(request), &naming::names(request))
}

/// Decides on the whole body of an error.
fn error_body(request: Request<'_>, body: &[u8]) -> ErrorBody {
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

/// Goes on with what of the origin's error is the client's business.
fn rewrite(request: Request<'_>, place: ErrorPlace, xml: &str) -> AnswerStep {
    let code = xml.split("<Code>").nth(1);
    let code = code
        .and_then(|code| code.split('<').next())
        .unwrap_or_default();
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
    let declaration = match place {
        // A declaration may have been sent, or blanks, after which none may follow.
        ErrorPlace::Outcome {
            has_begun: true, ..
        } => "",
        _ => XML_DECLARATION,
    };
    AnswerStep::End {
        body: [declaration, xml].concat().into(),
        content_type: XML,
    }
}

/// Goes on with an error of ours instead. The head is the origin's, where it is that of an error.
fn replace(request: Request<'_>, place: ErrorPlace, why: &str) -> AnswerStep {
    if let ErrorPlace::Outcome {
        has_begun: false, ..
    } = place
    {
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
