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
    Role,
    Session,
    Auth,
    Bucket,
    Key,
    Operation,
    RestOperation,
    Requester,
    ObjectSize,
    ErrorCode,
    Error,
    Origin,
    OriginHost,
    SignTime,
    Cacheable,
    CacheKey,
}

/// None is cached by nginx: each changes in the course of a request, or is cheap to tell.
const VARIABLES: [(&CStr, Variable); 19] = [
    (c"s3_access_key", Variable::AccessKey),
    (c"s3_issuer", Variable::Issuer),
    (c"s3_account", Variable::Account),
    (c"s3_role", Variable::Role),
    (c"s3_session", Variable::Session),
    (c"s3_auth", Variable::Auth),
    (c"s3_bucket", Variable::Bucket),
    (c"s3_key", Variable::Key),
    (c"s3_operation", Variable::Operation),
    (c"s3_rest_operation", Variable::RestOperation),
    (c"s3_requester", Variable::Requester),
    (c"s3_object_size", Variable::ObjectSize),
    (c"s3_error_code", Variable::ErrorCode),
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
        Variable::Operation if request.location_conf().speaks_sts() => {
            let operation = request.context()?.sts_operation.get()?;
            Some(operation.as_bytes())
        }
        Variable::Bucket | Variable::Key | Variable::RestOperation | Variable::ObjectSize
            if request.location_conf().speaks_sts() =>
        {
            None
        }
        Variable::Bucket => path_part(request, |path| path.bucket()),
        Variable::Key => match form_key(request) {
            Some(key) => Some(request.copy(&key)?),
            None => path_part(request, |path| path.key()),
        },
        Variable::Operation => Some(operation(request)?.name().as_bytes()),
        Variable::RestOperation => {
            let method = request.variable(c"request_method")?;
            let name = operation(request)?.name_in_log(method)?;
            Some(request.copy(name.as_bytes())?)
        }
        Variable::Requester => {
            let context = request.context()?;
            not_empty(context.access_key.get()).filter(|_| context.authenticated.get())
        }
        Variable::ObjectSize => object_size(request),
        Variable::ErrorCode => {
            let context = request.context()?;
            let own = context.error.get().or(context.failure.get());
            own.map(str::as_bytes).or(context.origin_error.get())
        }
        Variable::AccessKey => not_empty(claim(request)?.1),
        Variable::Issuer => RequestClients::of(request).issuer(claim(request)?.1),
        Variable::Account => {
            let account = request.context()?.account.get()?;
            Some(account.as_str().as_bytes())
        }
        Variable::Role => request.context()?.role.get().map(str::as_bytes),
        Variable::Session => request.context()?.session.get().map(str::as_bytes),
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

/// Tells what a request asks for; None if it cannot be read.
fn operation(request: Request<'_>) -> Option<Operation> {
    let mut headers = Headers::new();
    let view = request_view::view(request, &mut headers).ok()?;
    let address = request_view::address(request, &view);
    let operation =
        address.and_then(|address| S3Request::of(&view, &address).map(|asked| asked.operation()));
    Some(operation.unwrap_or(Operation::Unknown))
}

/// Returns the size of the object that was got, or has been put; None where that is not known.
fn object_size(request: Request<'_>) -> Option<&[u8]> {
    let is_number = |text: &&[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let status = request.variable(c"status")?;
    match operation(request)? {
        Operation::GetObject | Operation::HeadObject => match status {
            b"200" => request
                .variable(c"sent_http_content_length")
                .filter(is_number),
            b"206" => {
                let range = request.variable(c"sent_http_content_range")?;
                range.rsplit(|byte| *byte == b'/').next().filter(is_number)
            }
            _ => None,
        },
        Operation::PutObject | Operation::UploadPart | Operation::PostObject => {
            let [b'2', _, _] = status else {
                return None;
            };
            let context = request.context()?;
            let verified = context.verified.borrow();
            let verified = verified.as_ref()?;
            let decoded = verified.streaming().map(|body| body.decoded_length);
            let length = decoded.or(verified.stored_length());
            let length = length.or_else(|| u64::try_from(request.content_length()).ok())?;
            Some(request.copy(length.to_string().as_bytes())?)
        }
        _ => None,
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
