//! The answer to a rejected request: S3's XML, or the JSON of s3proxy.

use std::ffi::CStr;
use std::fmt::Write;

use ngx_safe::now;
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use sigv4::{Clients, Region, Rejection, XML_DECLARATION, put_element};

use crate::context::{Context, OwnRequest};
use crate::log::log_info;
use directives::ErrorStyle;

/// The header by which clients find the region of a bucket, in errors too, before they can sign for it.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(crate) const REGION: &CStr = c"x-amz-bucket-region";

/// Takes note of a rejection, for the log and the variables.
pub(crate) fn note(request: Request<'_>, context: &Context<'_>, rejection: &Rejection) {
    context.error.set(Some(rejection.code()));
    if let Some(metrics) = request.main_conf().metrics() {
        let access_key = context.access_key.get();
        let is_client = request.location_conf().find(access_key).is_some();
        metrics.count_rejection(access_key, rejection.code(), is_client, now());
    }
    log_info!(
        request.log(),
        "rejected {}: {}, access key \"{}\"",
        rejection.code(),
        rejection.message(),
        context.access_key.get().escape_ascii()
    );
}

/// Returns the answer to a rejected request; `view` is what the client sent, where it could be read at all.
pub(crate) fn to_rejected(
    request: Request<'_>,
    view: Option<&sigv4::ClientRequest<'_, '_>>,
    rejection: &Rejection,
) -> Response {
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
        region: rejection.expected_region(),
    };
    error.response(request)
}

/// An error of ours.
pub(crate) struct Error<'a> {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: &'a str,
    pub(crate) explained: Option<&'a sigv4::Explanation>,
    /// The region to sign for.
    pub(crate) region: Option<&'a Region>,
}

impl Error<'_> {
    /// Returns the answer, in the style of the location.
    pub(crate) fn response(&self, request: Request<'_>) -> Response {
        let request_id = request.variable(c"request_id").unwrap_or_default();
        let (content_type, body) = self.document(request);
        let mut headers = vec![(c"x-amz-request-id", request_id.to_vec())];
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
    pub(crate) fn document(&self, request: Request<'_>) -> (&'static CStr, String) {
        match request.location_conf().error_style() {
            ErrorStyle::S3proxy => (c"application/json", self.json()),
            ErrorStyle::S3 => (
                c"application/xml",
                XML_DECLARATION.to_owned() + &self.element(request),
            ),
        }
    }

    /// Writes S3's error without the declaration.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses>
    pub(crate) fn element(&self, request: Request<'_>) -> String {
        let resource = request.unparsed_uri().split(|c| *c == b'?').next();
        let request_id = request.variable(c"request_id").unwrap_or_default();
        let mut xml = String::from("<Error>");
        let mut put =
            |name, text: &[u8]| put_element(&mut xml, name, &String::from_utf8_lossy(text));
        put("Code", self.code.as_bytes());
        put("Message", self.message.as_bytes());
        if let Some(explained) = self.explained {
            put("StringToSign", &explained.string_to_sign);
            put("CanonicalRequest", &explained.canonical_request);
        }
        if let Some(region) = self.region {
            put("Region", region.as_bytes());
        }
        put("Resource", resource.unwrap_or_default());
        put("RequestId", request_id);
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
