//! The header filter: what an origin answers must neither lead the client to the origin, where its
//! credentials are unknown, nor steer this server or one in front of it. And what nginx says of a body
//! that was rejected is said as S3 says it.

use std::ffi::CStr;

use ngx_safe::answer::AnswerHeader;
use ngx_safe::answer_body::{AnswerFilter, AnswerStep, HeadVerdict, Rewritings};
use ngx_safe::filter::{NextBodyFilter, NextHeadFilter};
use ngx_safe::request::Request;
use sigv4::{
    Address, AnswerBody, AnswerHead, BucketList, ClientNames, Gunzip, Operation, Region, Verdict,
    Verified, WhyRejected,
};

use crate::conf::NamedOrigin;
use crate::context::{OwnRequest, Rewriter};
use crate::error_response::{self, REGION};
use crate::hooks::answer_body::{self, BAD_ANSWER, is_of_body, is_of_message, traces};
use crate::hooks::{cache, cors, naming, own_error, renewal};
use crate::log::log_error;

/// What MinIO answers if it takes a client for gone, and from then on whatever comes over that connection.
const CLIENT_CLOSED_REQUEST: u16 = 499;

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
        judge(request)
    }

    fn under_way(request: Request<'_>) -> Option<&Rewritings<Rewriter>> {
        Some(&request.context_at_hand()?.rewritings)
    }

    fn take(&mut self, request: Request<'_>, piece: &[u8]) -> AnswerStep {
        answer_body::take(&mut self.0, request, piece)
    }

    fn end(&mut self, request: Request<'_>, is_whole: bool) -> AnswerStep {
        answer_body::end(&mut self.0, request, is_whole)
    }
}

fn judge(request: Request<'_>) -> HeadVerdict<Rewriter> {
    if let Some(rejection) = request
        .context()
        .and_then(|context| context.rejected.take())
    {
        return HeadVerdict::Substitute(error_response::to_rejected(request, None, &rejection));
    }
    if let Some(response) = own_error::answer(request) {
        return HeadVerdict::InsteadOfError(response);
    }
    if !request.location_conf().is_resign() || !request.is_from_upstream() {
        return HeadVerdict::Pass;
    }
    if let Some(context) = request.main().context()
        && let Some(verdict) = renewal::answer(request, context)
    {
        return verdict;
    }
    if request.status() == CLIENT_CLOSED_REQUEST {
        request.close_upstream();
    }
    if request.is_cut_by_answer() && (200..300).contains(&request.status()) {
        // It cannot have stored what it does not have.
        log_error!(
            request.log(),
            "the origin answered {} before it had all of the request: not passed on",
            request.status()
        );
        return HeadVerdict::Replace(BAD_ANSWER.response(request));
    }
    cache::discard_partial(request);
    let region = request.location_conf().rules().region.as_ref();
    let names = naming::names(request);
    let locations = sift(request, region, &names);
    if !locations.has_key && matches!(request.status(), 200..300) && awaits_key(request) {
        let what =
            "no word of the key that it got (s3_sse_c): it may have stored the object in clear";
        return HeadVerdict::Replace(answer_body::bad_gateway(request, what));
    }
    if let Some(region) = region
        && !locations.has_region
        && tells_region(request)
        && request.add_header(REGION, region.as_bytes()).is_none()
    {
        return HeadVerdict::Fail;
    }
    let verified = request
        .main()
        .context()
        .map(|context| context.verified.borrow());
    let verified = verified.as_deref().and_then(Option::as_ref);
    let url_of_new = (locations.first).and_then(|_| naming::url_of_new(request));
    let bucket_in_host = (locations.first).and_then(|_| {
        let origin = request.main().context()?.origin.get()?;
        verified?.bucket_in_host(&origin.origin)
    });
    let head = AnswerHead {
        address: verified.map_or(&Address::PATH_STYLE, Verified::address),
        status: request.status(),
        location: locations.first.map(AnswerHeader::value),
        has_more_locations: locations.has_more,
        names: &names,
        bucket_in_host,
        url_of_new: url_of_new.as_deref(),
    };
    let redirect = (locations.first).and_then(|location| split_form_redirect(request, location));
    if let Some((location, added)) = redirect {
        rename_in_redirect(location, &names, added);
    } else {
        match sigv4::judge(&head, hosts(request)) {
            Verdict::Pass => {}
            Verdict::RemoveLocation => remove(request, |header| header.is(c"location")),
            Verdict::Relocate(path) => {
                if let Some(location) = locations.first {
                    location.set_value(&path);
                }
            }
            Verdict::Reject(why) => return reject_answer(request, &head, why),
        }
    }
    judge_body(request, &head, &names)
}

/// Answers 502 instead.
fn reject_answer(
    request: Request<'_>,
    head: &AnswerHead<'_>,
    why: WhyRejected,
) -> HeadVerdict<Rewriter> {
    let context = request.main().context();
    let origin = context.and_then(|context| context.origin.get());
    let remedy = match why {
        WhyRejected::ToOrigin | WhyRejected::NoLocation => {
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
    HeadVerdict::Replace(BAD_ANSWER.response(request))
}

/// Holds back the head of an answer whose body cannot go on as it is. That of an object always can.
fn judge_body(
    request: Request<'_>,
    head: &AnswerHead<'_>,
    names: &ClientNames,
) -> HeadVerdict<Rewriter> {
    let encoding = encoding(request);
    let is_packed = encoding.is_some_and(Gunzip::reads);
    let is_readable = encoding.is_none() || is_packed;
    let body = match head.status {
        304 => return HeadVerdict::Pass,
        300.. => {
            let traces = traces(request);
            remove(request, |header| {
                header.is(c"x-amz-id-2")
                    || !header.is(c"location")
                        && traces.are_in(header.value())
                        && !cors::repeats_page(request, header)
            });
            if request.is_head_only() {
                // It would be that of the origin's body.
                request.forget_answer_length();
            }
            if !request.has_answer_body() {
                return HeadVerdict::Pass;
            }
            match is_readable {
                true => AnswerBody::error(),
                false => AnswerBody::encoded_error(),
            }
        }
        status => match asked(request) {
            Some(Asked::SomeBuckets(region)) => {
                if request.is_head_only() {
                    request.forget_answer_length();
                    return HeadVerdict::Pass;
                }
                if status != 200 || !is_readable {
                    let what = "a list of buckets that is encoded, or a part";
                    return HeadVerdict::Replace(answer_body::bad_gateway(request, what));
                }
                let prefix = naming::asked_prefix(request);
                let list = BucketList::new(prefix, naming::sealer(request), region.copied());
                AnswerBody::buckets(match naming::lists_another_region(request) {
                    true => list.emptied(),
                    false => list,
                })
            }
            Some(Asked::Location(region)) => {
                if status != 200 {
                    let what = "a part of the location of a bucket";
                    return HeadVerdict::Replace(answer_body::bad_gateway(request, what));
                }
                AnswerBody::location(region)
            }
            None if !request.has_answer_body() => return HeadVerdict::Pass,
            None => {
                let document = naming::document(request, status, names);
                let is_named = document.is_some();
                if is_named && !is_readable {
                    let what = "a document that is encoded";
                    return HeadVerdict::Replace(answer_body::bad_gateway(request, what));
                }
                if is_named {
                    remove(request, is_of_message);
                }
                match document {
                    // It may be an error all the same. What is encoded is nothing that S3 sends, and none of those.
                    None if status != 200 || !request.is_put_or_post() || encoding.is_some() => {
                        return HeadVerdict::Pass;
                    }
                    document => AnswerBody::outcome(document),
                }
            }
        },
    };
    if !body.is_open() {
        remove(request, is_of_body);
    }
    match request.context_or_create() {
        Some(_) if is_packed => HeadVerdict::Hold(Rewriter(body.compressed())),
        Some(_) => HeadVerdict::Hold(Rewriter(body)),
        None => HeadVerdict::Fail,
    }
}

/// What a client asked for that it must not see as the origin says it.
enum Asked<'r> {
    /// The list of buckets, not all of which it may see, or which are in this region to it.
    SomeBuckets(Option<&'r Region>),
    /// Where a bucket is; the client must sign for this region.
    Location(&'r Region),
}

/// Returns what the client asked for, if its answer has to be written again.
fn asked<'r>(request: Request<'r>) -> Option<Asked<'r>> {
    let context = request.main().context()?;
    let verified = context.verified.borrow();
    let verified = verified.as_ref()?;
    match verified.operation() {
        Operation::ListBuckets => {
            let is_some = verified.sees_some_buckets().is_some();
            let region = verified.told_region();
            (is_some || naming::is_renaming(request) || region.is_some())
                .then_some(Asked::SomeBuckets(region))
        }
        Operation::GetBucketLocation => verified.told_region().map(Asked::Location),
        _ => None,
    }
}

/// Returns how the body is encoded, if it is.
fn encoding<'r>(request: Request<'r>) -> Option<&'r [u8]> {
    let mut headers = request.answer_headers();
    let header = headers.find(|header| {
        header.is(c"content-encoding")
            && !matches!(header.value(), b"" | b"identity" | b"aws-chunked")
    });
    header.map(AnswerHeader::value)
}

fn remove<'r>(request: Request<'r>, mut is_removed: impl FnMut(&AnswerHeader<'r>) -> bool) {
    for header in request.answer_headers() {
        if is_removed(&header) {
            header.remove();
        }
    }
}

#[derive(Default)]
struct Locations<'r> {
    first: Option<AnswerHeader<'r>>,
    has_more: bool,
    /// There is a header that tells the region of the bucket.
    has_region: bool,
    /// There was one that tells of the key of the object.
    has_key: bool,
}

/// Tells whether it is an answer in which clients look for the region of a bucket.
fn tells_region(request: Request<'_>) -> bool {
    let is_head_bucket = || {
        let context = request.main().context()?;
        let verified = context.verified.borrow();
        Some(verified.as_ref()?.operation() == Operation::HeadBucket)
    };
    request.status() >= 300 || request.is_head_only() && is_head_bucket() == Some(true)
}

/// The headers in which origins name a bucket: its ARN, and what S3's website endpoints and MinIO say of an error.
const SPEAKING: [&CStr; 4] = [
    c"x-amz-bucket-arn",
    c"x-amz-error-message",
    c"x-amz-error-detail-bucketname",
    c"x-minio-error-desc",
];

/// Removes the headers that are orders to an nginx, to this server or a proxy in front of it, those that lead
/// to an origin in another way than `Location`, which none of S3's answers has, and those that tell of a key which the
/// client does not know. Puts the region that clients must
/// sign for in the place of the origin's.
fn sift<'r>(request: Request<'r>, region: Option<&Region>, names: &ClientNames) -> Locations<'r> {
    let mut locations = Locations::default();
    let keyed = request.location_conf().customer_keys().is_some();
    let hides_key = keyed && hides_key(request);
    for header in request.answer_headers() {
        let name = header.name();
        // Nearly all are told by their first letter and length.
        match name.first().map(u8::to_ascii_lowercase) {
            Some(b'x') => {
                if let Some((start, _)) = name.split_at_checked(b"x-accel-".len())
                    && start.eq_ignore_ascii_case(b"x-accel-")
                {
                    header.remove();
                } else if keyed && sigv4::is_customer_key_header(name) {
                    locations.has_key = true;
                    if hides_key {
                        header.remove();
                    }
                } else if let Some(region) = region
                    && header.is(REGION)
                {
                    header.set_value(region.as_bytes());
                    locations.has_region = true;
                } else if !names.is_empty() && SPEAKING.iter().any(|name| header.is(name)) {
                    let value = String::from_utf8_lossy(header.value());
                    header.set_value(names.in_words(&value).as_bytes());
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

/// Tells whether the origin has got a key for what it stores, and must confirm that.
fn awaits_key(request: Request<'_>) -> bool {
    request.location_conf().customer_keys().is_some()
        && request.main().context().is_some_and(|context| {
            let verified = context.verified.borrow();
            (verified.as_ref()).is_some_and(Verified::awaits_confirmed_key)
        })
}

/// Tells whether the client has sent no key for its object where an operator's is used.
fn hides_key(request: Request<'_>) -> bool {
    request.main().context().is_none_or(|context| {
        let verified = context.verified.borrow();
        verified.as_ref().is_none_or(Verified::hides_customer_key)
    })
}

/// Returns the hosts of all origins of the location, and what their `server` lines call them: not only of the
/// origin picked, since an answer from the cache has none.
fn hosts<'r>(request: Request<'r>) -> impl Iterator<Item = &'r [u8]> + Clone {
    request
        .origins()
        .iter()
        .flat_map(|origin: &NamedOrigin| [&*origin.origin.host, &*origin.server])
}

/// Splits a redirect to where the client's own form wants to go, wherever that is, and what S3 adds to it.
fn split_form_redirect<'r>(
    request: Request<'r>,
    location: AnswerHeader<'r>,
) -> Option<(AnswerHeader<'r>, usize)> {
    let context = request.context().filter(|_| request.status() == 303)?;
    let verified = context.verified.borrow();
    let wanted = verified.as_ref()?.form_redirect()?;
    let added = location.value().strip_prefix(wanted)?;
    matches!(added.first(), None | Some(b'?' | b'&' | b'#')).then_some((location, wanted.len()))
}

/// Puts the client's name for the bucket into what S3 has added to a redirect, which begins there.
fn rename_in_redirect(location: AnswerHeader<'_>, names: &ClientNames, added: usize) {
    let Some((wanted, added)) = location.value().split_at_checked(added) else {
        return;
    };
    if !names.is_empty() {
        let added = String::from_utf8_lossy(added);
        location.set_value(&[wanted, names.in_parameters(&added).as_bytes()].concat());
    }
}
