//! A peer was picked, for a first try or a retry: the head on the wire is signed for it, or the
//! request fails.

use std::time::Instant;

use metrics::{Try, TrySample};
use ngx_safe::output::Outgoing;
use ngx_safe::peer::{
    Again, EndedTry, ErrorBeginning, HeadSlot, PeerHooks, Picked, PickedPeer, Start,
};
use ngx_safe::request::Request;
use ngx_safe::upstream::Upstream;
use ngx_safe::{now, worker_number};
use sigv4::{Framer, HeadRoom, Origin, SignedHead, Streaming, Upload, Verified, WireHead};

use crate::S3Resign;
use crate::conf::{NamedOrigin, OriginSet, OwnUpstream, UpstreamConf, find};
use crate::context::{Context, OriginFramer, OwnRequest};
use crate::error_response;
use crate::hooks::{cache, form, naming, renewal};
use crate::log::log_error;
use crate::request_view::timestamp;
use crate::runtime::Runtime;

impl PeerHooks for S3Resign {
    fn starts(request: Request<'_>, upstream: Upstream<'_>) -> Start {
        starts(request, upstream)
    }

    fn picked<'r>(
        request: Request<'r>,
        pick: &PickedPeer<'r>,
        head: &mut HeadSlot<'_, S3Resign>,
    ) -> Picked {
        picked(request, pick, head)
    }

    fn wants_to_hear(request: Request<'_>) -> bool {
        renewal::wants_to_hear(request)
    }

    fn hears(request: Request<'_>, answer: &ErrorBeginning<'_>) -> Again {
        renewal::hears(request, answer)
    }

    fn waits(request: Request<'_>) -> Again {
        renewal::waits(request)
    }

    fn forgive(request: Request<'_>, upstream: Upstream<'_>) {
        let Some(context) = request.main().context() else {
            return;
        };
        let verified = context.verified.borrow();
        let is_wanted = |server: &[u8]| {
            let origin = origin_at(request, upstream, server).zip(verified.as_ref());
            origin.is_some_and(|(named, verified)| verified.goes_to(&named.origin))
        };
        upstream.forgive(|server, _| is_wanted(server));
    }

    fn lacks_peer(request: Request<'_>) {
        log_error!(
            request.log(),
            "not forwarded: no origin is available that has its bucket, and knows its upload id or continuation token; \
             that has got some of it, if it is a conditional write; and that has keys, for its account"
        );
    }

    fn lacks_head(request: Request<'_>) {
        log_error!(
            request.log(),
            "not forwarded: there is no request head to sign"
        );
    }

    fn begins(request: Request<'_>, origin: usize, is_retry: bool) {
        let Some(metrics) = request.main_conf().metrics() else {
            return;
        };
        metrics.begin_try(origin);
        if is_retry {
            metrics.count_retry(worker_number());
        }
    }

    fn ended(request: Request<'_>, origin: usize, ended: &EndedTry) {
        let Some(metrics) = request.main_conf().metrics() else {
            return;
        };
        let has_body = request.is_chunked() || request.content_length() > 0;
        let sample = TrySample {
            outcome: match ended.status {
                0 if ended.failed => Try::NoAnswer,
                0 => Try::GivenUp,
                status => Try::Answered(status),
            },
            // How long a body takes is the client's doing.
            milliseconds: ended.head_time.filter(|_| !has_body),
            received: ended.received,
            sent: ended.sent,
        };
        metrics.count_try(origin, &sample, worker_number(), now());
    }
}

fn starts(request: Request<'_>, upstream: Upstream<'_>) -> Start {
    let main = request.main();
    if !request.location_conf().is_resign() {
        // A name that is known at run time only leads here, too.
        if upstream.has_origin_lines() && !request.location_conf().may_forward_unsigned() {
            log_error!(
                request.log(),
                "not forwarded to upstream \"{}\", whose requests are signed, from a location \
                 without \"s3_resign\"",
                upstream.name().escape_ascii()
            );
            return Start::Reject;
        }
        // nginx would announce the length that it had with its framing.
        let is_decoded = |context: &Context<'_>| {
            let upload = context.upload.borrow();
            upload.as_deref().is_some_and(Upload::is_framed)
                || context.posted.borrow().is_some()
                || context.document.borrow().is_some()
        };
        if request.has_client_body() && main.context().is_some_and(is_decoded) {
            log_error!(
                request.log(),
                "a body that was decoded is not forwarded with \"s3_resign off\""
            );
            return Start::Reject;
        }
        return Start::NotOurs;
    }
    let Some(context) = main.context().filter(|context| context.is_accepted(main)) else {
        log_error!(
            request.log(),
            "a request that was not verified is not forwarded"
        );
        return Start::Reject;
    };
    // The access phase does not run for subrequests: one may fetch only what the client may, as
    // background cache updates and slices do.
    if !request.is_main() && request.uri_and_args() != main.uri_and_args() {
        log_error!(
            request.log(),
            "a subrequest for another URI, \"{}\", is not forwarded",
            request.uri_and_args().0.escape_ascii()
        );
        return Start::Reject;
    }
    if request.is_main()
        && let Some(read) = form::begun(context)
        && request.resume_unbuffered(read).is_none()
    {
        log_error!(
            request.log(),
            "a form whose beginning is gone, or was replaced, is not forwarded"
        );
        return Start::Reject;
    }
    Start::Wrap {
        most_tries: most_tries(request, context, upstream),
    }
}

/// Counts the peers that a request can be sent to, where there may be fewer than nginx counts: checks have marked
/// them, or they do not know its id, do not have its bucket, or have no keys for its account.
fn most_tries(
    request: Request<'_>,
    context: &Context<'_>,
    upstream: Upstream<'_>,
) -> Option<usize> {
    let conf = upstream.own_conf()?;
    let verified = context.verified.borrow();
    let verified = verified.as_ref()?;
    let (set, origins) = (set_at(request, upstream)?, request.origins());
    if !conf.is_checked()
        && !verified.is_for_some_origins()
        && origins.len() == set.of_each_server().len()
        && (origins.iter())
            .all(|named| verified.maps_at(&named.origin) && has_keys(request, named, verified))
    {
        return None;
    }
    let is_wanted = |server: &[u8]| match origin_at(request, upstream, server) {
        Some(named) => verified.goes_to(&named.origin) && has_keys(request, named, verified),
        None => !set.has_server(server),
    };
    Some(upstream.peers_in_use(is_wanted))
}

fn picked<'r>(
    request: Request<'r>,
    pick: &PickedPeer<'r>,
    slot: &mut HeadSlot<'_, S3Resign>,
) -> Picked {
    let Some(origin) = origin_of(request, pick) else {
        if is_of_other_accounts(request, pick) {
            return Picked::Unwanted;
        }
        log_error!(
            request.log(),
            "no \"s3_origin\" for the peer {}",
            pick.name().escape_ascii()
        );
        return Picked::Failed;
    };
    let Some(context) = request.main().context() else {
        return Picked::Failed;
    };
    let verified = context.verified.borrow();
    if pick.bound_to().is_some_and(|id| id != origin.id)
        || (verified.as_ref()).is_some_and(|verified| !verified.goes_to(&origin.origin))
    {
        return Picked::Unwanted;
    }
    if (verified.as_ref()).is_some_and(|verified| !has_keys(request, origin, verified)) {
        // Its server may be offered more than once.
        if context.keyless.replace(Some(origin.id)) != Some(origin.id) {
            log_error!(
                request.log(),
                "origin \"{}\" is not tried: it has no keys{}",
                origin.server.escape_ascii(),
                request.main_conf().providers.why_none(origin)
            );
        }
        return Picked::Unwanted;
    }
    drop(verified);
    put_head(request, context, origin, slot).unwrap_or(Picked::Failed)
}

/// Tells whether a request can be signed for an origin now: one whose keys change may have none yet.
fn has_keys(request: Request<'_>, origin: &NamedOrigin, verified: &Verified<'_>) -> bool {
    !verified.auth_type().is_signed_for_origins() || request.main_conf().providers.has_keys(origin)
}

/// Puts the head for an origin; None fails the request.
fn put_head<'r>(
    request: Request<'r>,
    context: &Context<'r>,
    origin: &'r NamedOrigin,
    slot: &mut HeadSlot<'_, S3Resign>,
) -> Option<Picked> {
    let main = request.main_conf();
    let started = main.wants_sign_time().then(Instant::now);
    let mut verified = context.verified.borrow_mut();
    let verified = verified.as_mut()?;
    verified.prepare(&origin.origin, naming::is_read(request, verified));
    let present = main.providers.present(origin);
    let keyed = present.as_deref().unwrap_or(&origin.origin);
    let is_link = verified.may_have_known_head() && is_bare(request, context, slot);
    let picked = match is_link && put_known_head(main, verified, keyed, slot).is_some() {
        true => Picked::For(origin.id),
        false => sign_head(request, context, origin, keyed, verified, slot, is_link)?,
    };
    context.origin.set(Some(origin));
    if present.is_some() || context.keys.borrow().is_some() {
        context.keys.replace(present);
        context.renewal.borrow_mut().begin_try();
    }
    if let Some(started) = started {
        context
            .sign_time
            .update(|spent| spent + started.elapsed().as_nanos() as u64);
    }
    Some(picked)
}

/// Tells whether nothing but its head goes out, and nothing depends on that head.
fn is_bare(request: Request<'_>, context: &Context<'_>, slot: &HeadSlot<'_, S3Resign>) -> bool {
    let has_body = request.is_chunked() || request.content_length() > 0;
    !has_body && slot.body_length() == Some(0) && context.cache_key.get().is_none()
}

fn put_known_head(
    main: &Runtime,
    verified: &Verified<'_>,
    keyed: &Origin,
    slot: &mut HeadSlot<'_, S3Resign>,
) -> Option<()> {
    let mut keys = main.keys.borrow_mut();
    let head = sigv4::known_head(verified, slot.plain(), keyed, &mut keys)?;
    slot.replace(head.len(), |out| {
        out.copy_from_slice(head);
        Some(head.len())
    })
}

/// Signs the head for an origin with its present keys; None fails the request. That of a link is kept.
fn sign_head<'r>(
    request: Request<'r>,
    context: &Context<'r>,
    origin: &NamedOrigin,
    keyed: &Origin,
    verified: &mut Verified<'r>,
    slot: &mut HeadSlot<'_, S3Resign>,
    is_link: bool,
) -> Option<Picked> {
    let plain = slot.plain();
    let streaming = verified.streaming();
    let mut room = HeadRoom::default();
    let parsed = WireHead::parse(plain, verified, &mut room);
    let head = match &parsed {
        Ok(head) => head,
        Err(unsignable) => {
            log_error!(request.log(), "not forwarded: {unsignable}");
            return None;
        }
    };
    if verified.is_body_verified(request.main().body_length())
        && !is_body_verified(request, context, verified)
    {
        log_error!(
            request.log(),
            "not forwarded: its body was read before the request was verified"
        );
        return None;
    }
    let decoded_length = streaming
        .map(|streaming| streaming.decoded_length)
        .or(verified.kept_length());
    let carries_the_body = match decoded_length {
        Some(length) => carries_decoded(request, length, slot.body_length()),
        None => carries_the_body(request, head, slot.body_length()),
    };
    if !carries_the_body {
        log_error!(
            request.log(),
            "not forwarded: its body is not the client's; remove \"proxy_set_body\" and \
             \"proxy_pass_request_body\""
        );
        return None;
    }
    if !request.is_unbuffered()
        && let Some(upload) = context.upload.borrow().as_deref()
        && upload.is_complete()
    {
        verified.set_body_verified(upload.checksum().copied(), upload.chunk_size());
        if let Some(md5) = upload.md5() {
            verified.set_md5(*md5);
        }
    }
    cache::discard_unless_keyed(request, context, head, verified);
    let mut keys = request.main_conf().keys.borrow_mut();
    let mut signed = sigv4::sign(verified, head, keyed, &mut keys, timestamp());
    let signed = match &mut signed {
        Ok(signed) => signed,
        Err(unsignable) => {
            log_error!(request.log(), "not forwarded: {unsignable}");
            if let Some(rejection) = verified.unmapped(*unsignable, &origin.origin) {
                error_response::note(request, context, &rejection);
                context.rejected.set(Some(Box::new(rejection)));
            }
            return None;
        }
    };
    match decoded_length {
        Some(_) => replace_and_frame(slot, signed, streaming)?,
        None => {
            slot.replace(signed.max_len(), |out| signed.write(out))?;
            slot.send_stored_body();
        }
    }
    if is_link && let Some(written) = slot.written() {
        sigv4::note_head(verified, plain, keyed, written, &mut keys);
    }
    Some(match head.is_conditional_write() {
        true => Picked::Only(origin.id),
        false => Picked::For(origin.id),
    })
}

/// Puts the head of a body that was decoded in the place of nginx's, and has the body framed again where
/// the origin wants that.
#[inline(never)]
fn replace_and_frame(
    slot: &mut HeadSlot<'_, S3Resign>,
    signed: &mut SignedHead<'_>,
    streaming: Option<Streaming>,
) -> Option<()> {
    let mut encoder = None;
    slot.replace(signed.max_len(), |out| {
        let (length, framing) = signed.write_with_encoder(out)?;
        encoder = framing;
        Some(length)
    })?;
    let Some(streaming) = streaming else {
        return Some(());
    };
    slot.send_body(match encoder {
        Some(encoder) => Outgoing::Framed(Box::new(OriginFramer(Framer::new(encoder)))),
        // The head would be all of the request, and sent before the body is verified.
        None if streaming.decoded_length == 0 => Outgoing::HeadAtEnd,
        None => Outgoing::Plain,
    })
}

fn origin_of<'r>(request: Request<'r>, pick: &PickedPeer<'r>) -> Option<&'r NamedOrigin> {
    match pick.upstream().own_conf() {
        Some(_) => pick.with_server(|server| origin_at(request, pick.upstream(), server)),
        None => request.origins().first(),
    }
}

/// Finds the origin of a server: that of the location, if buckets have other names from there.
fn origin_at<'r>(
    request: Request<'r>,
    upstream: Upstream<'r>,
    server: &[u8],
) -> Option<&'r NamedOrigin> {
    find(request.origins_in(set_at(request, upstream)?), server)
}

/// Finds the origins of an upstream, for all accounts.
fn set_at<'r>(request: Request<'r>, upstream: Upstream<'r>) -> Option<&'r OriginSet> {
    let location = request.location_conf();
    match location.origins() {
        None => upstream.own_conf().and_then(UpstreamConf::origins),
        Some(set) => {
            let is_its = location.upstream().and_then(|id| request.upstream(id)) == Some(upstream);
            is_its.then_some(set)
        }
    }
}

/// Tells whether a peer's server has keys, but none for the account of the request.
fn is_of_other_accounts(request: Request<'_>, pick: &PickedPeer<'_>) -> bool {
    let is_known = pick.with_server(|server| {
        let set = set_at(request, pick.upstream())?;
        set.has_server(server).then_some(())
    });
    is_known.is_some()
}

/// Has the body gone through `hooks::body`, or is it still going?
fn is_body_verified(request: Request<'_>, context: &Context<'_>, verified: &Verified<'_>) -> bool {
    context
        .upload
        .borrow()
        .as_deref()
        .filter(|upload| verified.is_digested_by(upload))
        .is_some_and(|upload| request.is_unbuffered() || upload.is_complete())
}

/// Tells whether what follows the head is the very body that the client sent. What the client signed as its
/// payload must not be lent to another one, and a head that announces more than follows would swallow the
/// connection's next request.
fn carries_the_body(request: Request<'_>, head: &WireHead<'_, '_>, follows: Option<u64>) -> bool {
    let announced = match head.content_length() {
        None if head.is_chunked() => return request.is_chunked() || request.content_length() > 0,
        announced => announced.unwrap_or(0),
    };
    let from_client = u64::try_from(request.content_length()).unwrap_or(0);
    announced == from_client && follows.is_none_or(|length| length == announced)
}

/// Tells what `carries_the_body` does, for a body that is decoded: the head's length is not used then. Only
/// the client's own request has the body, no subrequest.
fn carries_decoded(request: Request<'_>, length: u64, follows: Option<u64>) -> bool {
    request.is_main() && follows.is_none_or(|follows| follows == length)
}
