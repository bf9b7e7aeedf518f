//! The request as the core reads it.

use ngx_safe::request::Request;
use sigv4::{
    Address, AuthType, Claim, Claimants, ClientRequest, Clients, Header, Headers, Rejected,
    Rejection, ResourcePath, Target, Timestamp,
};

use crate::conf::SignedHeader;
use crate::context::OwnRequest;

/// Reads the request as the client sent it, which rewrites and redirects do not change, and beside it the
/// target that they have made of its own.
pub(crate) fn view<'h, 'r>(
    request: Request<'r>,
    headers: &'h mut Headers<'r>,
) -> Result<ClientRequest<'h, 'r>, Rejection> {
    read_headers(request, headers).ok_or(Rejection::TooManyHeaders)?;
    let line = request.request_line();
    let method = line.split(|c| *c == b' ').next().unwrap_or_default();
    let (path, query) = path_and_query(request)?;
    let host = match request.location_conf().host() {
        Some(value) => Some(request.evaluate(value).ok_or(Rejection::InternalError)?),
        None => None,
    };
    put_signed_values(request, headers)?;
    Ok(ClientRequest {
        method,
        path,
        path_with_plus: (request.context_at_hand())
            .and_then(|context| context.path_with_plus.get()),
        query,
        host,
        rewritten: rewritten(request)?,
        headers,
    })
}

/// Reads the headers as on the wire, and the host that counts; None where there are more than the core
/// takes. Over HTTP/2 and HTTP/3 the host is in `:authority`.
fn read_headers<'r>(request: Request<'r>, headers: &mut Headers<'r>) -> Option<()> {
    for (name, value) in request.headers() {
        headers.try_push(Header { name, value }).ok()?;
    }
    let is_host = |header: &Header<'_>| header.name.eq_ignore_ascii_case(b"host");
    let in_target = request.target_authority();
    if let Some(value) = in_target
        && let Some(host) = headers.iter_mut().find(|header| is_host(header))
    {
        host.value = value;
    }
    match in_target.or_else(|| request.authority()) {
        Some(value) if !headers.iter().any(is_host) => {
            let name = b"host";
            headers.try_push(Header { name, value }).ok()
        }
        _ => Some(()),
    }
}

/// Puts the values that were signed in the place of what something in front has made of them. What goes to the
/// origin is what has come.
fn put_signed_values<'r>(request: Request<'r>, headers: &mut Headers<'r>) -> Result<(), Rejection> {
    for SignedHeader { name, value } in request.location_conf().signed_headers() {
        let value = request.evaluate(value).ok_or(Rejection::InternalError)?;
        // What is in front has changed nothing.
        if value.is_empty() {
            continue;
        }
        headers.retain(|header| !header.name.eq_ignore_ascii_case(name));
        headers
            .try_push(Header { name, value })
            .map_err(|_| Rejection::TooManyHeaders)?;
    }
    Ok(())
}

/// Shows bucket and key of what goes to the origin; None if its path names none.
pub(crate) fn with_resource<'r, T>(
    request: Request<'r>,
    show: impl FnOnce(&ResourcePath<'_>) -> Option<T>,
) -> Option<T> {
    let mut headers = Headers::new();
    let view = view(request, &mut headers).ok()?;
    let address = address(request, &view).ok()?;
    show(&address.resource(view.target().path)?)
}

/// Tells how a request is addressed.
pub(crate) fn address<'r>(
    request: Request<'r>,
    view: &ClientRequest<'_, '_>,
) -> Result<Address<'r>, Rejection> {
    let endpoint = &request.location_conf().rules().endpoint;
    endpoint.address(view.signed_host())
}

/// Returns the target that a rewrite has made. nginx writes it so, but for the spelling.
fn rewritten<'r>(request: Request<'r>) -> Result<Option<Target<'r>>, Rejection> {
    let Some(uri) = request.outgoing_uri() else {
        return Ok(None);
    };
    let path = match uri.is_escaped {
        true => request
            .copy(&sigv4::encode_path(uri.path))
            .ok_or(Rejection::InternalError)?,
        false => uri.path,
    };
    Ok(Some(Target {
        path,
        query: uri.args,
    }))
}

/// Splits the target that the client sent.
fn path_and_query<'r>(request: Request<'r>) -> Result<(&'r [u8], &'r [u8]), Rejection> {
    let target = request.unparsed_uri();
    match memchr::memchr2(b'?', b'+', target) {
        Some(at) if target.get(at) == Some(&b'+') => {
            spell_spaces(request).ok_or(Rejection::InternalError)
        }
        Some(at) => Ok((
            target.get(..at).unwrap_or_default(),
            target.get(at + 1..).unwrap_or_default(),
        )),
        None => Ok((target, b"")),
    }
}

/// Writes each `+` of the path as `%20`, here and on the way to the origin: S3 takes it for a space, and other
/// servers for itself. None where memory is out.
#[cold]
fn spell_spaces<'r>(request: Request<'r>) -> Option<(&'r [u8], &'r [u8])> {
    let target = request.unparsed_uri();
    let end = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at_checked(end)?;
    let mut spelled = Vec::with_capacity(target.len() + 16);
    for byte in path {
        match byte {
            b'+' => spelled.extend_from_slice(b"%20"),
            byte => spelled.push(*byte),
        }
    }
    let length = spelled.len();
    spelled.extend_from_slice(query);
    let context = request.context_or_create()?;
    let spelled: &'r [u8] = request.copy(&spelled)?;
    context.path_with_plus.set(Some(path));
    request.respell_target(spelled);
    let (path, query) = spelled.split_at_checked(length)?;
    Some((path, query.get(1..).unwrap_or_default()))
}

/// Tells how the request says that it is signed, and the access key that it names, before it is verified:
/// `limit_req` asks before the access phase. It is verified against no clients at all, so that one
/// piece of code reads requests.
pub(crate) fn claim<'r>(request: Request<'r>) -> Option<(Option<AuthType>, &'r [u8])> {
    #[derive(Clone, Copy)]
    struct Nobody;
    impl<'c> Clients<'c> for Nobody {
        fn find(self, _claim: &Claim<'_>) -> Result<Claimants<'c>, Rejection> {
            Ok(Claimants::new())
        }
    }

    let conf = request.location_conf();
    if !conf.is_resign() {
        return None;
    }
    let mut headers = Headers::new();
    let view = view(request, &mut headers).ok()?;
    let keys = &mut request.main_conf().keys.borrow_mut();
    match sigv4::verify(&view, Nobody, conf.rules(), keys, timestamp()) {
        Ok(verified) => Some((Some(verified.auth_type()), verified.access_key())),
        Err(rejected) => Some((rejected.auth_type, claimed_access_key(request, &rejected))),
    }
}

/// Returns the access key that a rejected request names, in one spelling: as a client would have it.
pub(crate) fn claimed_access_key<'r>(request: Request<'r>, rejected: &Rejected<'r>) -> &'r [u8] {
    let decoded = rejected.decoded_access_key();
    match decoded.and_then(|key| request.copy(&key)) {
        Some(key) => key,
        None => rejected.access_key,
    }
}

/// Returns the time that signatures are compared with, and made at.
pub(crate) fn timestamp() -> Timestamp {
    Timestamp(ngx_safe::unix_time())
}
