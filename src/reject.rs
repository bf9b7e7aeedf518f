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
    let explained = match view {
        Some(view) if conf.is_debug_errors() && rejection.is_mismatch() => sigv4::explain(view),
        _ => None,
    };
    let error = Error {
        status: match conf.error_style() {
            ErrorStyle::S3 => rejection.status(),
            ErrorStyle::S3proxy => rejection.status_s3proxy(),
        },
        code: rejection.code(),
        message: &rejection.message(),
        explained: explained.as_ref(),
    };
    error.answer(request, send)
}

/// An error of ours.
pub(crate) struct Error<'a> {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: &'a str,
    pub(crate) explained: Option<&'a sigv4::Explanation>,
}

impl Error<'_> {
    /// Answers by `send`, in the style of the location.
    pub(crate) fn answer<'r>(
        &self,
        request: Request<'r>,
        send: impl FnOnce(Request<'r>, &Response<'_>) -> ngx_int_t,
    ) -> ngx_int_t {
        let request_id = request.variable(c"request_id").unwrap_or_default();
        let (content_type, body) = match request.location_conf().error_style() {
            ErrorStyle::S3proxy => (c"application/json", self.json()),
            ErrorStyle::S3 => (
                c"application/xml",
                self.xml(request.unparsed_uri(), request_id),
            ),
        };
        send(
            request,
            &Response {
                status: self.status,
                content_type,
                body: body.as_bytes(),
                headers: &[(c"x-amz-request-id", request_id)],
            },
        )
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses>
    fn xml(&self, target: &[u8], request_id: &[u8]) -> String {
        let resource = target.split(|c| *c == b'?').next().unwrap_or_default();
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        element(&mut xml, "Code", self.code.as_bytes());
        element(&mut xml, "Message", self.message.as_bytes());
        if let Some(explained) = self.explained {
            element(&mut xml, "StringToSign", &explained.string_to_sign);
            element(&mut xml, "CanonicalRequest", &explained.canonical_request);
        }
        element(&mut xml, "Resource", resource);
        element(&mut xml, "RequestId", request_id);
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
