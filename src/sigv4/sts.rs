//! Signs calls of the Security Token Service, which the proxy makes in its own name.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
use zeroize::Zeroizing;

use crate::{
    canonical,
    credential::{Credential, SecretKey},
    crypto::{hex::hex, sha256::Sha256Sink},
    date::{AmzDate, Timestamp},
    keys::SigningKey,
    region::Region,
    scope::ScopeText,
    text::sink::Sink,
};

/// The type of a call's body.
pub const STS_CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A `POST` of a form.
#[derive(Debug, Clone, Copy)]
pub struct StsCall<'a> {
    /// The Host header.
    pub host: &'a [u8],
    /// In canonical percent-encoding.
    pub path: &'a [u8],
    pub region: &'a Region,
    pub body: &'a [u8],
}

/// Returns the headers that sign a call, as lines; its head has the host and [`STS_CONTENT_TYPE`] beside them.
pub fn sign_sts(
    call: &StsCall<'_>,
    credential: &Credential,
    session_token: Option<&SecretKey>,
    now: Timestamp,
) -> Zeroizing<Vec<u8>> {
    let date = AmzDate::from(now);
    let (token, names) = match session_token {
        None => (None, &b"content-type;host;x-amz-date"[..]),
        Some(token) => (
            Some(token.expose()),
            &b"content-type;host;x-amz-date;x-amz-security-token"[..],
        ),
    };
    let mut canonical = Sha256Sink::default();
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| canonical.put(part));
    put(&[b"POST\n", call.path, b"\n\ncontent-type:"]);
    put(&[STS_CONTENT_TYPE.as_bytes(), b"\nhost:", call.host]);
    put(&[b"\nx-amz-date:", date.as_bytes()]);
    if let Some(token) = token {
        put(&[b"\nx-amz-security-token:", token]);
    }
    let mut body = Sha256Sink::default();
    body.put(call.body);
    put(&[b"\n\n", names, b"\n", &hex(&body.finish())]);
    let hash = canonical.finish();

    let scope = ScopeText::new(date.day(), call.region, b"sts");
    let key = SigningKey::derive(credential.secret(), scope);
    let signature = key.mac().sign_text(|text| {
        canonical::put_string_to_sign(text, &date, key.scope(), &hash);
    });
    // Of one size from the beginning: what grows leaves a copy behind.
    let room = 256 + credential.access_key().len() + token.map_or(0, <[u8]>::len) + names.len();
    let mut headers = Zeroizing::new(Vec::with_capacity(room));
    let out = &mut *headers;
    out.put(b"X-Amz-Date: ");
    out.put(date.as_bytes());
    if let Some(token) = token {
        out.put(b"\r\nX-Amz-Security-Token: ");
        out.put(token);
    }
    out.put(b"\r\nAuthorization: AWS4-HMAC-SHA256 Credential=");
    key.scope().put_credential(out, credential.access_key());
    out.put(b", SignedHeaders=");
    out.put(names);
    out.put(b", Signature=");
    out.put(&hex(&signature));
    out.put(b"\r\n");
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by botocore 1.44 for the same call.
    #[test]
    fn as_botocore_signs() {
        let call = StsCall {
            host: b"sts.eu-west-1.amazonaws.com",
            path: b"/",
            region: &Region::of(b"eu-west-1"),
            body: b"Action=AssumeRole&Version=2011-06-15",
        };
        let credential =
            Credential::new(b"AKIDEXAMPLE", SecretKey::new(b"secret/example".to_vec()));
        let token = SecretKey::new(b"ToKeN/+=".to_vec());
        for (token, expected) in [(None, PLAIN), (Some(&token), WITH_TOKEN)] {
            let headers = sign_sts(&call, &credential, token, Timestamp(1_780_000_496));
            assert_eq!(std::str::from_utf8(&headers), Ok(expected));
        }
    }

    const PLAIN: &str = "X-Amz-Date: 20260528T203456Z\r\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260528/eu-west-1/sts/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, Signature=d2d1c05d54aafcb95d905fa97c1fc84cc6bbe95773448e5c51cec57194fd5017\r\n";
    const WITH_TOKEN: &str = "X-Amz-Date: 20260528T203456Z\r\nX-Amz-Security-Token: ToKeN/+=\r\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260528/eu-west-1/sts/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=50c89c3538b4482a79d093a0dfb086c9f8a8ada713d253c5877c67e3bdceba38\r\n";
}
