//! A refusal's answer: S3's XML, or the JSON of s3proxy.

use std::fmt::Write;

use ngx::ffi::ngx_int_t;
use sigv4::{Clients, Rejection};

use crate::conf::ErrorStyle;
use crate::context::Context;
use crate::ffi::now;
use crate::ffi::request::{Request, Response};
use crate::log::log_info;

/// Takes note of a refusal, for the log and the variables.
pub(crate) fn note(request: Request<'_>, context: &Context<'_>, rejection: &Rejection) {
    context.error.set(Some(rejection.code()));
    if let Some(status) = request.main_conf().status() {
        let access_key = context.access_key.get();
        let is_client = request.location_conf().find(access_key).is_some();
        status.count_refusal(access_key, rejection.code(), is_client, now());
    }
    log_info!(
        request.log(),
        "refused {}: {}, access key \"{}\"",
        rejection.code(),
        rejection.message(),
        context.access_key.get().escape_ascii()
    );
}

/// Answers by `send`; `view` is what the client sent, where it could be read at all.
pub(crate) fn answer<'r>(
    request: Request<'r>,
    view: Option<&sigv4::Request<'_, '_>>,
    rejection: &Rejection,
    send: impl FnOnce(Request<'r>, &Response<'_>) -> ngx_int_t,
) -> ngx_int_t {
    let conf = request.location_conf();
    let request_id = request.variable(c"request_id").unwrap_or_default();
    let headers = [(c"x-amz-request-id", request_id)];
    match conf.error_style() {
        ErrorStyle::S3proxy => send(
            request,
            &Response {
                status: rejection.status_s3proxy(),
                content_type: c"application/json",
                body: json(rejection).as_bytes(),
                headers: &headers,
            },
        ),
        ErrorStyle::S3 => {
            let explained = match view {
                Some(view) if conf.is_debug_errors() && rejection.is_mismatch() => {
                    sigv4::explain(view)
                }
                _ => None,
            };
            let body = xml(
                rejection,
                request.unparsed_uri(),
                request_id,
                explained.as_ref(),
            );
            send(
                request,
                &Response {
                    status: rejection.status(),
                    content_type: c"application/xml",
                    body: body.as_bytes(),
                    headers: &headers,
                },
            )
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses>
fn xml(
    rejection: &Rejection,
    target: &[u8],
    request_id: &[u8],
    explained: Option<&sigv4::Explanation>,
) -> String {
    let resource = target.split(|c| *c == b'?').next().unwrap_or_default();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    element(&mut xml, "Code", rejection.code().as_bytes());
    element(&mut xml, "Message", rejection.message().as_bytes());
    if let Some(explained) = explained {
        element(&mut xml, "StringToSign", &explained.string_to_sign);
        element(&mut xml, "CanonicalRequest", &explained.canonical_request);
    }
    element(&mut xml, "Resource", resource);
    element(&mut xml, "RequestId", request_id);
    xml.push_str("</Error>");
    xml
}

fn element(xml: &mut String, name: &str, text: &[u8]) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    for c in String::from_utf8_lossy(text).chars() {
        match c {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            '"' => xml.push_str("&quot;"),
            '\n' | '\t' => xml.push(c),
            // Not a character of XML 1.0, in whatever spelling.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

fn json(rejection: &Rejection) -> String {
    let mut json = String::from("{\"error\": \"");
    for c in rejection.message().chars() {
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
