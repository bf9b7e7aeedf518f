//! A peer was picked, for a first try or a retry: the head on the wire is signed for it, or the
//! request fails.

use std::ptr;
use std::time::Instant;

use ngx::ffi::ngx_time;
use sigv4::{HeadRoom, Timestamp, WireHead};

use crate::conf::NamedOrigin;
use crate::context::Context;
use crate::ffi::request::Request;
use crate::ffi::upstream::{HeadSlot, Pick};
use crate::log::log_error;

pub(crate) enum Start {
    /// `s3_resign off`.
    NotOurs,
    Refuse,
    Sign,
}

/// An upstream request begins.
pub(crate) fn starts(request: Request<'_>) -> Start {
    if !request.location_conf().is_resign() {
        return Start::NotOurs;
    }
    let main = request.main();
    if !main
        .context()
        .is_some_and(|context| is_let_in(main, context))
    {
        log_error!(
            request.log(),
            "a request that was not verified is not forwarded"
        );
        return Start::Refuse;
    }
    // The access phase does not run for subrequests: one may fetch only what the client may, as
    // background cache updates and slices do.
    if !request.is_main() && request.uri_and_args() != main.uri_and_args() {
        log_error!(
            request.log(),
            "a subrequest for another URI, \"{}\", is not forwarded",
            request.uri_and_args().0.escape_ascii()
        );
        return Start::Refuse;
    }
    Start::Sign
}

/// Was it here that the request was let in? An internal redirect may have come from a location with
/// other clients, and `satisfy any` may have left our access phase out.
fn is_let_in(main: Request<'_>, context: &Context<'_>) -> bool {
    let location = context.location.get();
    context.verified.borrow().is_some()
        && location.is_some_and(|location| ptr::eq(location, main.location_conf()))
}

/// Signs the head for the picked peer; None fails the request.
pub(crate) fn picked(request: Request<'_>, pick: &Pick<'_>, slot: &mut HeadSlot<'_>) -> Option<()> {
    let main = request.main_conf();
    let context = request.main().context()?;
    let started = main.wants_sign_time().then(Instant::now);

    let Some(origin) = origin_of(request, pick) else {
        log_error!(
            request.log(),
            "no \"s3_origin\" for the peer {}",
            pick.name().escape_ascii()
        );
        return None;
    };
    let verified = context.verified.borrow();
    let mut room = HeadRoom::default();
    let head = match WireHead::parse(slot.plain(), &mut room) {
        Ok(head) => head,
        Err(unsignable) => {
            log_error!(request.log(), "not forwarded: {unsignable}");
            return None;
        }
    };
    if !carries_the_body(request, &head, slot.body_length()) {
        log_error!(
            request.log(),
            "not forwarded: its body is not the client's; remove \"proxy_set_body\" and \
             \"proxy_pass_request_body\""
        );
        return None;
    }
    let mut keys = main.keys.borrow_mut();
    let now = Timestamp(ngx_time());
    match sigv4::sign(verified.as_ref()?, &head, &origin.origin, &mut keys, now) {
        Ok(signed) => slot.replace(signed.max_len(), |out| signed.write(out))?,
        Err(unsignable) => {
            log_error!(request.log(), "not forwarded: {unsignable}");
            return None;
        }
    }
    context.origin.set(Some(origin));
    if let Some(started) = started {
        context
            .sign_time
            .update(|spent| spent + started.elapsed().as_nanos() as u64);
    }
    Some(())
}

fn origin_of<'r>(request: Request<'r>, pick: &Pick<'_>) -> Option<&'r NamedOrigin> {
    match pick.upstream().conf() {
        Some(upstream) => pick.with_server(|server| upstream.origin(server)),
        None => request.location_conf().implicit_origin(),
    }
}

/// Is what follows the head the very body that the client sent? What the client signed as its payload
/// must not be lent to another one, and a head that announces more than follows would swallow the
/// connection's next request.
fn carries_the_body(request: Request<'_>, head: &WireHead<'_, '_>, follows: Option<u64>) -> bool {
    let announced = match head.content_length() {
        None if head.is_chunked() => return request.is_chunked() || request.content_length() > 0,
        announced => announced.unwrap_or(0),
    };
    let from_client = u64::try_from(request.content_length()).unwrap_or(0);
    announced == from_client && follows.is_none_or(|length| length == announced)
}
