//! Cross-origin requests (CORS) where `s3_cors` decides about them: preflights are answered here, and each
//! answer says which pages may read it, also those of nginx and of the module itself. What an origin says
//! of it is removed.

use ngx_safe::answer::AnswerHeader;
use ngx_safe::filter::{HeaderFilter, NextHeadFilter};
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use sigv4::{CorsRules, Preflight, Rejection, varies_by_origin};

use crate::context::{Context, OwnRequest};

/// Answers a preflight that was admitted.
pub(crate) fn answer(
    context: &Context<'_>,
    rules: &CorsRules,
    asked: &Preflight<'_>,
) -> Result<Response, Rejection> {
    let headers = rules
        .preflight_headers(asked)
        .ok_or(Rejection::CorsNotAllowed)?;
    context.answers_preflight.set(true);
    Ok(Response {
        status: 204,
        content_type: c"",
        body: Vec::new(),
        headers,
    })
}

/// A header filter after the one that judges answers, so that it sees those that take the place of others.
pub(crate) struct Cors;

impl HeaderFilter for Cors {
    fn next() -> &'static NextHeadFilter {
        static NEXT: NextHeadFilter = NextHeadFilter::new();
        &NEXT
    }

    fn filter(request: Request<'_>) {
        if let Some(rules) = request.location_conf().cors()
            && request.is_main()
        {
            put_headers(request, rules);
        }
    }
}

fn put_headers(request: Request<'_>, rules: &CorsRules) {
    // It says all that there is to say.
    if (request.context_at_hand()).is_some_and(|context| context.answers_preflight.get()) {
        return;
    }
    let mut varies = !rules.varies();
    for header in request.answer_headers() {
        let name = header.name();
        match name.first().map(u8::to_ascii_lowercase) {
            Some(b'a') if is_of_cors(name) => header.remove(),
            Some(b'v') if header.is(c"vary") => varies |= varies_by_origin(header.value()),
            _ => {}
        }
    }
    if !varies {
        request.add_header(c"Vary", b"Origin");
    }
    let method = request.request_line().split(|c| *c == b' ').next();
    let headers = rules.answer_headers(method.unwrap_or_default(), page(request));
    for (name, value) in headers {
        request.add_header(name, &value);
    }
}

fn is_of_cors(name: &[u8]) -> bool {
    let start = b"access-control-";
    name.get(..start.len())
        .is_some_and(|name| name.eq_ignore_ascii_case(start))
}

/// Tells whether a header has nothing but the origin of the page, which may be on the S3 server's host.
pub(crate) fn repeats_page(request: Request<'_>, header: &AnswerHeader<'_>) -> bool {
    header.is(c"access-control-allow-origin") && page(request) == Some(header.value())
}

/// Returns the origin of the page that asks; None if the request says nothing of one, or several things.
fn page(request: Request<'_>) -> Option<&[u8]> {
    let headers = request.headers();
    let mut origins = headers.filter(|(name, _)| name.eq_ignore_ascii_case(b"origin"));
    let (_, origin) = origins.next()?;
    origins.next().is_none().then_some(origin)
}
