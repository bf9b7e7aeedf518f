//! Signs requests without sending them, with the SDK's signer: `client sign REGION` reads and writes the lines that
//! ../../signers.py describes.

use std::io::{BufRead, BufWriter, Write};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningParams, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

use crate::Outcome;

pub fn run(region: &str) -> Outcome<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        signed(&line?, region, &mut out)?;
    }
    out.flush()?;
    Ok(())
}

fn signed(line: &str, region: &str, out: &mut impl Write) -> Outcome<()> {
    let words: Vec<&str> = line.split('\t').collect();
    let [
        method,
        host,
        target,
        expires,
        payload,
        access_key,
        secret_key,
        token,
        headers @ ..,
    ] = words.as_slice()
    else {
        return Err("no such line".into());
    };
    let token = Some((*token).to_owned()).filter(|token| !token.is_empty());
    let identity = Credentials::new(*access_key, *secret_key, token, None, "line").into();
    let expires: u64 = expires.parse()?;

    // As the SDK has it for S3.
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    if expires > 0 {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(expires));
    } else {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let params: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()?
        .into();

    let mut request = http::Request::builder()
        .method(*method)
        .uri(format!("http://{host}{target}"))
        .body(())?;
    let headers = headers.iter().filter_map(|header| header.split_once(':'));
    for (name, value) in headers.clone() {
        let name = http::HeaderName::try_from(name)?;
        let value = http::HeaderValue::from_bytes(value.as_bytes())?;
        request.headers_mut().append(name, value);
    }
    let body = match *payload {
        "UNSIGNED-PAYLOAD" => SignableBody::UnsignedPayload,
        hash => SignableBody::Precomputed(hash.to_owned()),
    };
    let signable = SignableRequest::new(*method, request.uri().to_string(), headers, body)?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    instructions.apply_to_request_http1x(&mut request);

    let target = request.uri().path_and_query().ok_or("no target")?;
    write!(out, "{method} {target}")?;
    if !request.headers().contains_key("host") {
        write!(out, "\thost:{host}")?;
    }
    for (name, value) in request.headers() {
        write!(out, "\t{name}:")?;
        out.write_all(value.as_bytes())?;
    }
    out.write_all(b"\n")?;
    Ok(())
}
