//! The answer to a rejected request: S3's XML, or the JSON of s3proxy.

use std::ffi::CStr;
use std::fmt::Write;

use ngx_safe::request::Request;
use ngx_safe::response::Response;
use ngx_safe::{now, worker_number};
use sigv4::{
    BodyFault, Details, Headers, RejectedRequest, Rejection, XML_DECLARATION, put_element,
};

use crate::clients::RequestClients;
use crate::context::{Context, OwnRequest};
use crate::log::log_info;
use crate::request_view;
use directives::ErrorStyle;

/// The header by which clients find the region of a bucket, in errors too, before they can sign for it.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(crate) const REGION: &CStr = c"x-amz-bucket-region";

/// Takes note of a rejection, for the log and the variables.
pub(crate) fn note(request: Request<'_>, context: &Context<'_>, rejection: &Rejection) {
    note_at(request, context, rejection, None);
}

/// Takes note of a rejection, whose place in the body is known.
pub(crate) fn note_at(
    request: Request<'_>,
    context: &Context<'_>,
    rejection: &Rejection,
    fault: Option<BodyFault>,
) {
    context.error.set(Some(rejection.code()));
    if let Some(metrics) = request.main_conf().metrics() {
        if *rejection == Rejection::Revoked {
            metrics.count_revoked(worker_number());
        }
        let access_key = context.access_key.get();
        let is_client = RequestClients::of(request).knows(access_key);
        metrics.count_rejection(access_key, rejection.code(), is_client, now());
    }
    let place = fault.map(|fault| format!(" ({fault})"));
    log_info!(
        request.log(),
        "rejected {}: {}{}, access key \"{}\"",
        rejection.code(),
        rejection.message(),
        place.unwrap_or_default(),
        context.access_key.get().escape_ascii()
    );
}

/// Takes note of an error of nginx's own, which nginx has logged.
pub(crate) fn note_own(request: Request<'_>, rejection: &Rejection) {
    let Some(context) = request.context_or_create() else {
        return;
    };
    match context.verified.borrow().is_some() {
        true => context.failure.set(Some(rejection.code())),
        false => context.error.set(Some(rejection.code())),
    }
}

/// Returns the answer to a rejected request; `view` is what the client sent, where it could be read at all.
pub(crate) fn to_rejected(
    request: Request<'_>,
    view: Option<&sigv4::ClientRequest<'_, '_>>,
    rejection: &Rejection,
) -> Response {
    let conf = request.location_conf();
    let explained = match conf.is_debug_errors() && rejection.is_mismatch() {
        true => (view.and_then(sigv4::explain)).or_else(|| explain_form(request)),
        false => None,
    };
    let status = match conf.error_style() {
        ErrorStyle::S3 => rejection.status(),
        ErrorStyle::S3proxy => rejection.status_s3proxy(),
    };
    let error = Error {
        status,
        code: rejection.code(),
        message: &rejection.message(),
        details: &details(request, view, rejection, None),
        explained: explained.as_ref(),
    };
    error.response(request)
}

fn explain_form(request: Request<'_>) -> Option<sigv4::Explanation> {
    let posted = request.context()?.posted.try_borrow().ok()?;
    sigv4::explain_form(&posted.as_deref()?.decoder)
}

/// Returns the answer to an error of nginx's own, of that status. It is s3proxy's status too, but S3 has
/// its own for some.
pub(crate) fn to_own_error(request: Request<'_>, status: u16, rejection: &Rejection) -> Response {
    let max_body = request.max_body_size();
    let status = match request.location_conf().error_style() {
        ErrorStyle::S3 => rejection.status(),
        ErrorStyle::S3proxy => status,
    };
    let error = Error {
        status,
        code: rejection.code(),
        message: &rejection.message(),
        details: &details(request, None, rejection, max_body),
        explained: None,
    };
    error.response(request)
}

/// Lists what S3 says of a rejection beside code and message.
fn details<'r>(
    request: Request<'r>,
    view: Option<&sigv4::ClientRequest<'_, 'r>>,
    rejection: &Rejection,
    max_body: Option<u64>,
) -> Details {
    let mut headers = Headers::new();
    let read;
    let view = match view {
        Some(view) => view,
        None => match request_view::view(request, &mut headers) {
            Ok(view) => {
                read = view;
                &read
            }
            Err(_) => return Details::new(),
        },
    };
    let access_key = request.context().map(|context| context.access_key.get());
    sigv4::details(
        rejection,
        &RejectedRequest {
            request: view,
            access_key: access_key.unwrap_or_default(),
            rules: request.location_conf().rules(),
            now: request_view::timestamp(),
            max_body,
            object_size: object_size(request),
        },
    )
}

/// Tells how long an object is of which a part was asked for that it does not have.
fn object_size(request: Request<'_>) -> Option<u64> {
    let mut headers = request.answer_headers();
    let range = headers.find(|header| header.is(c"content-range"))?.value();
    let size = range.strip_prefix(b"bytes */")?;
    std::str::from_utf8(size).ok()?.parse().ok()
}

/// An error of ours.
pub(crate) struct Error<'a> {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: &'a str,
    pub(crate) details: &'a [(&'static str, String)],
    pub(crate) explained: Option<&'a sigv4::Explanation>,
}

impl Error<'_> {
    /// Returns the answer, in the style of the location.
    pub(crate) fn response(&self, request: Request<'_>) -> Response {
        // Once: where the configuration does not use the variable, each look at it makes up another one.
        let request_id = request.variable(c"request_id").unwrap_or_default();
        let (content_type, body) = self.document(request, request_id);
        let mut headers = vec![
            (c"x-amz-request-id", request_id.to_vec()),
            (c"x-amz-id-2", host_id(request).into_bytes()),
        ];
        // Clients find it in any error, in that of an unsigned HEAD too.
        if let Some(region) = &request.location_conf().rules().region {
            headers.push((REGION, region.as_bytes().to_vec()));
        }
        Response {
            status: self.status,
            content_type,
            body: body.into_bytes(),
            headers,
        }
    }

    /// Writes the body, in the style of the location, and its type.
    pub(crate) fn document(
        &self,
        request: Request<'_>,
        request_id: &[u8],
    ) -> (&'static CStr, String) {
        match request.location_conf().error_style() {
            ErrorStyle::S3proxy => (c"application/json", self.json()),
            ErrorStyle::S3 => (
                c"application/xml",
                XML_DECLARATION.to_owned() + &self.element(request, request_id),
            ),
        }
    }

    /// Writes S3's error without the declaration.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses>
    pub(crate) fn element(&self, request: Request<'_>, request_id: &[u8]) -> String {
        let resource = target(request).split(|c| *c == b'?').next();
        let mut xml = String::from("<Error>");
        let mut put =
            |name, text: &[u8]| put_element(&mut xml, name, &String::from_utf8_lossy(text));
        put("Code", self.code.as_bytes());
        put("Message", self.message.as_bytes());
        for (name, text) in self.details {
            put(name, text.as_bytes());
        }
        if let Some(explained) = self.explained {
            put("StringToSign", &explained.string_to_sign);
            if let Some(canonical_request) = &explained.canonical_request {
                put("CanonicalRequest", canonical_request);
            }
        }
        put("Resource", resource.unwrap_or_default());
        put("RequestId", request_id);
        put("HostId", host_id(request).as_bytes());
        xml.push_str("</Error>");
        xml
    }

    fn json(&self) -> String {
        let mut json = String::from("{\"error\": \"");
        for c in self.message.chars() {
            match c {
                '"' | '\\' => json.extend(['\\', c]),
                c if c.is_control() => {
                    let _ = write!(json, "\\u{:04x}", u32::from(c));
                }
                c => json.push(c),
            }
        }
        json.push_str("\"}");
        json
    }
}

/// Returns the target as the client sent it, also one that nginx cannot read.
fn target(request: Request<'_>) -> &[u8] {
    match request.unparsed_uri() {
        b"" => {
            let line = request.request_line();
            line.split(|c| *c == b' ').nth(1).unwrap_or_default()
        }
        target => target,
    }
}

/// Returns what stands for this machine: the SHA-256 of its name, which itself is nobody's business.
fn host_id(request: Request<'_>) -> String {
    sigv4::sha256_hex(request.variable(c"hostname").unwrap_or_default())
}
