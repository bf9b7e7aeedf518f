//! The `$s3_*` variables: one getter, told apart by `data`.

use std::ffi::CStr;

use ngx_safe::conf::Conf;
use ngx_safe::request::Request;
use ngx_safe::variable::Variables;
use sigv4::{AuthType, Encoded, Headers, Operation, ResourcePath, S3Request};

use crate::clients::RequestClients;
use crate::context::OwnRequest;
use crate::hooks::cache;
use crate::request_view;

#[derive(Clone, Copy)]
enum Variable {
    AccessKey,
    Issuer,
    Account,
    Auth,
    Bucket,
    Key,
    Operation,
    Error,
    Origin,
    OriginHost,
    SignTime,
    Cacheable,
    CacheKey,
}

/// None is cached by nginx: each changes in the course of a request, or is cheap to tell.
const VARIABLES: [(&CStr, Variable); 13] = [
    (c"s3_access_key", Variable::AccessKey),
    (c"s3_issuer", Variable::Issuer),
    (c"s3_account", Variable::Account),
    (c"s3_auth", Variable::Auth),
    (c"s3_bucket", Variable::Bucket),
    (c"s3_key", Variable::Key),
    (c"s3_operation", Variable::Operation),
    (c"s3_error", Variable::Error),
    (c"s3_origin", Variable::Origin),
    (c"s3_origin_host", Variable::OriginHost),
    (c"s3_sign_time", Variable::SignTime),
    (c"s3_cacheable", Variable::Cacheable),
    (c"s3_cache_key", Variable::CacheKey),
];

/// The name that is sent to an origin over TLS, and verified.
pub(crate) const ORIGIN_HOST: &CStr = c"$s3_origin_host";

pub(crate) fn register(cf: Conf<'_>) -> Result<(), String> {
    cf.add_variables::<Own>(VARIABLES.iter().map(|(name, _)| *name))?;
    cf.add_cache_variable::<cache::Keys>(cache::ZONE)
}

/// The module's variables.
struct Own;

impl Variables for Own {
    fn value<'r>(request: Request<'r>, number: usize) -> Option<&'r [u8]> {
        let (_, variable) = VARIABLES.get(number)?;
        text(request, *variable)
    }
}

/// Returns the value; None where the request has none.
fn text<'r>(request: Request<'r>, variable: Variable) -> Option<&'r [u8]> {
    match variable {
        Variable::Bucket => path_part(request, |path| path.bucket()),
        Variable::Key => match form_key(request) {
            Some(key) => Some(request.copy(&key)?),
            None => path_part(request, |path| path.key()),
        },
        Variable::Operation => {
            let mut headers = Headers::new();
            let view = request_view::view(request, &mut headers).ok()?;
            let address = request_view::address(request, &view);
            let operation = address
                .and_then(|address| S3Request::of(&view, &address).map(|asked| asked.operation()));
            let operation = operation.unwrap_or(Operation::Unknown);
            Some(operation.name().as_bytes())
        }
        Variable::AccessKey => not_empty(claim(request)?.1),
        Variable::Issuer => RequestClients::of(request).issuer(claim(request)?.1),
        Variable::Account => {
            let account = request.context()?.account.get()?;
            Some(account.as_str().as_bytes())
        }
        Variable::Auth => claim(request)?.0.map(AuthType::name).map(str::as_bytes),
        Variable::Error => {
            let context = request.context()?;
            let error = context.error.get().or(context.failure.get());
            error.map(str::as_bytes)
        }
        Variable::Origin => request.context()?.origin.get().map(|o| &*o.server),
        Variable::OriginHost => request.context()?.origin.get().map(|o| o.host_name()),
        Variable::SignTime => {
            let context = request.context()?;
            context.form.get()?;
            let micros = context.sign_time.get().div_ceil(1000);
            // Seconds with microseconds, as nginx's own times are seconds.
            let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            Some(request.copy(text.as_bytes())?)
        }
        Variable::Cacheable => Some(match cache_key(request) {
            Some(_) => b"1",
            None => b"0",
        }),
        Variable::CacheKey => {
            let key = cache_key(request).or_else(|| {
                // What is not cacheable has a key that no other request has.
                let id = request.variable(c"request_id")?;
                Some([b"uncacheable ", id].concat())
            });
            Some(request.copy(&key?)?)
        }
    }
}

/// Returns the key that a browser's form names.
fn form_key(request: Request<'_>) -> Option<Vec<u8>> {
    let context = request.context()?;
    let verified = context.verified.borrow();
    verified.as_ref()?.form_key()
}

fn cache_key(request: Request<'_>) -> Option<Vec<u8>> {
    let (form, access_key) = claim(request)?;
    cache::claimed_key(request, form?, access_key)
}

/// Tells what the access phase has found out, or will.
fn claim<'r>(request: Request<'r>) -> Option<(Option<AuthType>, &'r [u8])> {
    match request.context() {
        Some(context) => Some((context.form.get(), context.access_key.get())),
        None => request_view::claim(request),
    }
}

/// Copies a part of the path, in the canonical form: percent-encoded, so that it is fit for a header, a cache
/// key or a log.
fn path_part<'r>(
    request: Request<'r>,
    part: for<'p> fn(&ResourcePath<'p>) -> Option<Encoded<'p>>,
) -> Option<&'r [u8]> {
    request_view::with_resource(request, |path| {
        let part = part(path)?;
        let text = request.allocate(part.len())?;
        part.write(text);
        Some(&*text)
    })
}

fn not_empty(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty()).then_some(text)
}
