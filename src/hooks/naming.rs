//! What the client calls what an answer speaks of.

use ngx_safe::request::Request;
use sigv4::{AskedId, ClientNames, Headers, NamedDocument, Sealer, Verified};

use crate::conf::NamedOrigin;
use crate::context::OwnRequest;
use crate::request_view::view;

/// Returns the buckets of the request that have other names at an origin of the location.
pub(crate) fn names(request: Request<'_>) -> ClientNames {
    if !is_renaming(request) {
        return ClientNames::default();
    }
    with_verified(request, |verified| verified.names(origins(request))).unwrap_or_default()
}

/// Tells whether buckets have other names at an origin of the location.
pub(crate) fn is_renaming(request: Request<'_>) -> bool {
    origins(request).any(|origin| !origin.buckets.is_empty())
}

/// Tells whether the answer is a document that may have to be written again.
pub(crate) fn is_read(request: Request<'_>, verified: &Verified<'_>) -> bool {
    verified.expects_names(origins(request))
}

/// Returns the rewriting of the document that answers the request with this status; None if it can stay as it is.
pub(crate) fn document(
    request: Request<'_>,
    status: u16,
    names: &ClientNames,
) -> Option<NamedDocument> {
    with_verified(request, |verified| {
        // S3 tells of a form's object in a document with that status only.
        let is_document = status == 201 || verified.form_key().is_none();
        if !is_document || !verified.expects_names(origins(request)) {
            return None;
        }
        let sealer = sealer_of(request, verified);
        with_endpoint(request, |scheme, host| {
            verified.document(names, sealer, scheme, host)
        })
    })?
}

/// Returns what the client has asked the names of listed buckets to begin with; None if the origin has been asked
/// for that.
pub(crate) fn asked_prefix(request: Request<'_>) -> Option<String> {
    let origin = request.main().context()?.origin.get()?;
    if origin.origin.buckets.is_empty() {
        return None;
    }
    let prefix = with_verified(request, |verified| verified.listed_prefix())??;
    Some(String::from_utf8_lossy(&prefix).into_owned())
}

/// Tells whether the client lists the buckets in another region than the one where it is told that they are.
pub(crate) fn lists_another_region(request: Request<'_>) -> bool {
    with_verified(request, |verified| verified.lists_another_region()).unwrap_or_default()
}

/// Returns the client's name for a bucket in a list; None if it is not to see it.
pub(crate) fn shown_bucket(request: Request<'_>, bucket: &str) -> Option<String> {
    let origin = request.main().context()?.origin.get()?;
    with_verified(request, |verified| {
        verified.shown_bucket(bucket, &origin.origin)
    })?
}

/// Returns what seals the ids of the origin that has answered; None if they go out as they are.
pub(crate) fn sealer(request: Request<'_>) -> Option<Sealer> {
    with_verified(request, |verified| sealer_of(request, verified))?
}

fn sealer_of(request: Request<'_>, verified: &Verified<'_>) -> Option<Sealer> {
    let origin = request.main().context()?.origin.get()?;
    (verified.seals_ids(origins(request))).then(|| verified.sealer(&origin.origin))
}

/// Returns the sealed id that the client has asked with, if there is one.
pub(crate) fn asked_id(request: Request<'_>) -> Option<AskedId> {
    with_verified(request, |verified| verified.asked_id())?
}

/// Returns the URL of what a form has made.
pub(crate) fn url_of_new(request: Request<'_>) -> Option<String> {
    with_verified(request, |verified| {
        verified.form_key()?;
        with_endpoint(request, |scheme, host| verified.url_of_new(scheme, host))
    })?
}

/// Shows the scheme and the host that the client has used; the host is empty if it named none.
pub(crate) fn with_endpoint<T>(request: Request<'_>, show: impl FnOnce(&str, &[u8]) -> T) -> T {
    let main = request.main();
    let scheme = main.variable(c"scheme").unwrap_or_default();
    let mut headers = Headers::new();
    let host = view(main, &mut headers).map(|view| view.signed_host());
    show(&String::from_utf8_lossy(scheme), host.unwrap_or_default())
}

fn origins(request: Request<'_>) -> impl Iterator<Item = &sigv4::Origin> + Clone {
    request
        .origins()
        .iter()
        .map(|origin: &NamedOrigin| &origin.origin)
}

fn with_verified<T>(request: Request<'_>, show: impl FnOnce(&Verified<'_>) -> T) -> Option<T> {
    let context = request.main().context()?;
    let verified = context.verified.borrow();
    verified.as_ref().map(show)
}
