//! Which answers may come from nginx's cache and go there, whatever `proxy_cache` and its directives say.

use std::ffi::CStr;
use std::ptr;

use ngx_safe::cache::{CacheHooks, ProxyCache};
use ngx_safe::request::Request;
use sigv4::{Account, Anonymous, AuthType, Headers, Verified, WireHead};

use crate::clients::RequestClients;
use crate::context::{Context, OwnRequest};
use crate::log::log_info;
use crate::request_view::{address, view};

/// The variable that nginx evaluates for the zone of a request, and its value.
pub(crate) const ZONE: &CStr = c"s3_cache_zone";
pub(crate) const ZONE_VALUE: &CStr = c"$s3_cache_zone";

/// The module's part of the keys of nginx's cache.
pub(crate) struct Keys;

impl CacheHooks for Keys {
    fn entry<'r>(request: Request<'r>) -> Option<(&'r ProxyCache, &'r [u8])> {
        let cache = request.location_conf().cache()?;
        let key = key(request)?;
        // A NUL is in no other part of a key: nginx takes none from clients.
        Some((cache, request.join(b"\0", &key)?))
    }

    fn keep_key<'r>(request: Request<'r>, key: &'r [u8]) {
        if let Some(context) = request.main().context() {
            context.cache_key.set(Some(key));
        }
    }

    fn kept_key<'r>(request: Request<'r>) -> Option<&'r [u8]> {
        request.main().context()?.cache_key.get()
    }
}

/// Returns the key of the answer to a verified request. None where nginx must not look for one nor store one:
/// it then passes the request on as if it had no cache.
fn key(request: Request<'_>) -> Option<Vec<u8>> {
    let main = request.main();
    let context = main.context().filter(|context| context.is_accepted(main))?;
    if !is_as_the_client_asked(request) {
        return None;
    }
    key_of(main, |view, origin| {
        let verified = context.verified.borrow();
        verified.as_ref()?.cache_key(view, origin)
    })
}

/// Returns the key of a request if it is signed as it seems to be, by the client that it names. None also if there is
/// no such client.
pub(crate) fn claimed_key(main: Request<'_>, form: AuthType, access_key: &[u8]) -> Option<Vec<u8>> {
    let account = claimed_account(main, form, access_key)?;
    let account = account.as_ref();
    key_of(main, |view, origin| {
        let address = address(main, view).ok()?;
        let keys = main.location_conf().customer_keys().map(|keys| &**keys);
        sigv4::cache_key(view, &address, form, account, origin, keys)
    })
}

/// Returns the account whose keys a request would go out with; None if it is signed by no client.
fn claimed_account(
    main: Request<'_>,
    form: AuthType,
    access_key: &[u8],
) -> Option<Option<Account>> {
    let verified = main
        .context()
        .filter(|context| context.verified.borrow().is_some());
    if let Some(context) = verified {
        return Some(context.account.get().cloned());
    }
    let conf = main.location_conf();
    match (form, &conf.rules().anonymous) {
        (AuthType::Granted, Anonymous::Signed { account, .. }) => Some(account.clone()),
        _ if form.is_signed() => RequestClients::of(main).account(access_key),
        _ => Some(None),
    }
}

fn key_of(
    main: Request<'_>,
    key: impl FnOnce(&sigv4::ClientRequest<'_, '_>, &[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    // An origin may heed a body, which is in no key.
    if main.body_length() != Some(0) {
        return None;
    }
    let conf = main.location_conf();
    let mut headers = Headers::new();
    let view = view(main, &mut headers).ok()?;
    // The answer to a HEAD that stays one has no body.
    if view.method == b"HEAD" && conf.cache().is_some_and(|cache| !cache.converts_head) {
        return None;
    }
    key(&view, conf.cache_origin())
}

/// Tells whether it goes out as the client's own request does: background updates of the cache and slices do.
fn is_as_the_client_asked(request: Request<'_>) -> bool {
    let main = request.main();
    request.is_main()
        || ptr::eq(request.location_conf(), main.location_conf())
            && request.uri_and_args() == main.uri_and_args()
            && request.outgoing_uri().is_some() == main.outgoing_uri().is_some()
}

/// Keeps the answer to a request that goes out from the cache where directives such as `proxy_set_header`
/// have made it another one than its key says.
pub(crate) fn discard_unless_keyed(
    request: Request<'_>,
    context: &Context<'_>,
    head: &WireHead<'_, '_>,
    verified: &Verified<'_>,
) {
    let Some([_, key @ ..]) = context.cache_key.get() else {
        return;
    };
    let sent = head.cache_key(verified, request.location_conf().cache_origin());
    if sent.as_deref() != Some(key) {
        log_info!(
            request.log(),
            "the answer is not cached: what is sent for \"{}\" is another request",
            key.escape_ascii()
        );
        request.discard_answer();
    }
}

/// Keeps out of the cache what is no whole answer, such as an origin gives where `proxy_set_header` passes a
/// range or a condition on. A part may go there under a key that names it, as the keys of `slice` do.
pub(crate) fn discard_partial(request: Request<'_>) {
    if request.location_conf().cache().is_none()
        || !matches!(request.status(), 206 | 304 | 412 | 416)
    {
        return;
    }
    if let Some(answer) = request.answer_to_store() {
        let is_named = request.status() == 206 && names(answer.added_key, answer.content_range);
        if !is_named {
            request.discard_answer();
        }
    }
}

/// Tells whether a key has the beginning of the range as `Range` would.
fn names(key: &[u8], content_range: &[u8]) -> bool {
    let start = content_range
        .strip_prefix(b"bytes ")
        .and_then(|range| range.split_inclusive(|byte| *byte == b'-').next());
    start.is_some_and(|start| memchr::memmem::find(key, &[b"bytes=", start].concat()).is_some())
}
