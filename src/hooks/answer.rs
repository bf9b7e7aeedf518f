//! The header filter: an answer must not send the client to the origin itself, where its credentials
//! are unknown, nor tell the origin's name. And what nginx says of a body that was refused is said as
//! S3 says it.

use ngx::ffi::ngx_int_t;

use crate::conf::without_port;
use crate::ffi::request::Request;
use crate::log::log_error;
use crate::reject;

/// What becomes of an answer's `Location`.
enum Location<'a> {
    Keep,
    /// A redirect to the origin's own domain: the wrong region or endpoint, for the administrator to
    /// mend; the client could not follow it.
    Refuse(&'a [u8]),
    /// The name of something new, at the client's own endpoint.
    Rewrite(Vec<u8>),
}

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
    let conf = request.location_conf();
    if !conf.is_resign() {
        return None;
    }
    if !matches!(request.status(), 200 | 201 | 204 | 301..=308) {
        return None;
    }
    let target = request.location()?;
    if is_form_redirect(request, target) {
        return None;
    }
    // Not only the origin picked: an answer from the cache has none.
    for origin in conf.origins() {
        match judge(request.status(), target, origin.host_name()) {
            Location::Keep => continue,
            Location::Rewrite(path) => {
                request.set_location(&path);
                return None;
            }
            Location::Refuse(host) => {
                log_error!(
                    request.log(),
                    "the origin \"{}\" answered {} with a redirect to \"{}\": \
                     set \"region=\" and \"host=\" of its \"s3_origin\" to what the bucket wants",
                    origin.server.escape_ascii(),
                    request.status(),
                    host.escape_ascii()
                );
                return Some(request.answer_instead(502));
            }
        }
    }
    None
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
    wanted.is_some_and(|url| target.starts_with(url))
}

fn judge<'a>(status: u16, target: &'a [u8], origin_host: &[u8]) -> Location<'a> {
    let Some((host, path)) = host_and_path(target) else {
        return Location::Keep;
    };
    if !same_domain(host, origin_host) {
        return Location::Keep;
    }
    if matches!(status, 301..=303 | 307 | 308) {
        return Location::Refuse(host);
    }
    let bucket = host
        .strip_suffix(origin_host)
        .and_then(|rest| rest.strip_suffix(b"."))
        .unwrap_or_default();
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let separator: &[u8] = if bucket.is_empty() { b"" } else { b"/" };
    Location::Rewrite([b"/", bucket, separator, path].concat())
}

/// Of an absolute URL; None for a path.
fn host_and_path(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = url
        .strip_prefix(b"http://")
        .or_else(|| url.strip_prefix(b"https://"))
        .or_else(|| url.strip_prefix(b"//"))?;
    let end = rest
        .iter()
        .position(|c| matches!(c, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    Some((without_port(authority), path))
}

/// Addresses are compared whole, names by their last two labels: a region's endpoint and another's
/// have those in common.
fn same_domain(a: &[u8], b: &[u8]) -> bool {
    fn domain(host: &[u8]) -> &[u8] {
        let is_address = host.starts_with(b"[") || host.last().is_some_and(u8::is_ascii_digit);
        let mut dots = host
            .iter()
            .rposition(|c| *c == b'.')
            .into_iter()
            .flat_map(|last| host[..last].iter().rposition(|c| *c == b'.'));
        match dots.next() {
            Some(dot) if !is_address => &host[dot + 1..],
            _ => host,
        }
    }
    domain(a).eq_ignore_ascii_case(domain(b))
}
