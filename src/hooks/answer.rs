//! The header filter: what an origin answers must neither lead the client to the origin, where its
//! credentials are unknown, nor steer this server or one in front of it. And what nginx says of a body
//! that was rejected is said as S3 says it.

use ngx::ffi::ngx_int_t;
use sigv4::{AnswerHead, Verdict, WhyRefused};

use crate::conf::NamedOrigin;
use crate::ffi::answer::AnswerHeader;
use crate::ffi::request::Request;
use crate::log::log_error;
use crate::reject;

/// None: pass it on.
pub(crate) fn answer(request: Request<'_>) -> Option<ngx_int_t> {
    if let Some(rejection) = request
        .context()
        .and_then(|context| context.rejected.take())
    {
        return Some(reject::answer(
            request,
            None,
            &rejection,
            Request::substitute,
        ));
    }
    if !request.location_conf().is_resign() || !request.is_from_upstream() {
        return None;
    }
    let locations = sift(request);
    let head = AnswerHead {
        status: request.status(),
        location: locations.first.map(AnswerHeader::value),
        has_more_locations: locations.has_more,
    };
    if head
        .location
        .is_some_and(|location| is_form_redirect(request, location))
    {
        return None;
    }
    match sigv4::judge(&head, hosts(request)) {
        Verdict::Pass => None,
        Verdict::RemoveLocation => {
            for header in request
                .answer_headers()
                .filter(|header| header.is(c"location"))
            {
                header.remove();
            }
            None
        }
        Verdict::Relocate(path) => {
            if let Some(location) = locations.first {
                location.set_value(&path);
            }
            None
        }
        Verdict::Refuse(why) => {
            let context = request.main().context();
            let origin = context.and_then(|context| context.origin.get());
            let remedy = match why {
                WhyRefused::ToOrigin | WhyRefused::NoLocation => {
                    ": set \"region=\" and \"host=\" of its \"s3_origin\" to what the bucket wants"
                }
                _ => "",
            };
            log_error!(
                request.log(),
                "the origin \"{}\" answered {} {why}{}{}{remedy}",
                origin
                    .map_or(&b"?"[..], |origin| &origin.server)
                    .escape_ascii(),
                head.status,
                if head.location.is_some() { " to " } else { "" },
                head.location.unwrap_or_default().escape_ascii()
            );
            let error = reject::Error {
                status: 502,
                code: "InternalError",
                message: "The answer of the origin cannot be passed on.",
                explained: None,
            };
            Some(error.answer(request, Request::replace_answer))
        }
    }
}

#[derive(Default)]
struct Locations<'r> {
    first: Option<AnswerHeader<'r>>,
    has_more: bool,
}

/// Removes the headers that are orders to an nginx, this one or one in front of it, and those that lead
/// to an origin in another way than `Location`, which none of S3's answers has.
fn sift(request: Request<'_>) -> Locations<'_> {
    let mut locations = Locations::default();
    for header in request.answer_headers() {
        let name = header.name();
        // Nearly all are told by their first letter and length.
        match name.first().map(u8::to_ascii_lowercase) {
            Some(b'x') => {
                if let Some((start, _)) = name.split_at_checked(b"x-accel-".len())
                    && start.eq_ignore_ascii_case(b"x-accel-")
                {
                    header.remove();
                }
            }
            Some(b'l') if header.is(c"location") => {
                locations.has_more |= locations.first.is_some();
                locations.first.get_or_insert(header);
            }
            Some(b'a' | b'c' | b'l' | b'r')
                if [c"alt-svc", c"content-location", c"link", c"refresh"]
                    .iter()
                    .any(|leading| header.is(leading))
                    && sigv4::mentions_origin(header.value(), hosts(request)) =>
            {
                header.remove();
            }
            _ => {}
        }
    }
    locations
}

/// The hosts of all origins of the location, and what their `server` lines call them: not only of the
/// origin picked, since an answer from the cache has none.
fn hosts<'r>(request: Request<'r>) -> impl Iterator<Item = &'r [u8]> + Clone {
    request
        .location_conf()
        .origins()
        .iter()
        .flat_map(|origin: &NamedOrigin| [&*origin.origin.host, &*origin.server])
}

/// Whether it is where the client's own form wants to go, wherever that is. S3 adds a query.
fn is_form_redirect(request: Request<'_>, target: &[u8]) -> bool {
    let Some(context) = request.context().filter(|_| request.status() == 303) else {
        return false;
    };
    let verified = context.verified.borrow();
    let wanted = verified
        .as_ref()
        .and_then(|verified| verified.form_redirect());
    let added = wanted.and_then(|url| target.strip_prefix(url));
    added.is_some_and(|added| matches!(added.first(), None | Some(b'?' | b'&' | b'#')))
}
