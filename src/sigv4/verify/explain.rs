//! Explains a signature that does not match.
use super::candidate::{Candidate, ClaimedIdentity};
use crate::{
    auth_type::AuthType,
    authorization::DecodeBuffers,
    canonical,
    crypto::sha256::Sha256Sink,
    headers::KnownHeaders,
    request::ClientRequest,
    rules::VerifyRules,
    scope::ScopeText,
    text::{query::Parameters, sink::Sink},
};

/// What S3 returns with a SignatureDoesNotMatch; neither holds a secret or a signature.
#[derive(Debug)]
pub struct Explanation {
    pub canonical_request: Vec<u8>,
    pub string_to_sign: Vec<u8>,
}

/// Computes again what a V4 request's signature was checked against, only where it is asked for;
/// `None` for other forms and for requests that could not be read.
pub fn explain(request: &ClientRequest<'_, '_>) -> Option<Explanation> {
    let (mut known, mut parameters) = (KnownHeaders::default(), Parameters::new());
    let candidate = Candidate::read(request, &mut known, &mut parameters).ok()?;
    let mut buffers = DecodeBuffers::default();
    let mut identity = ClaimedIdentity {
        access_key: b"",
        auth_type: None,
    };
    let v4 = match candidate.auth_type(&VerifyRules::default()).ok()? {
        AuthType::V4Header => candidate.v4_header(&mut identity).ok()?,
        AuthType::V4Query => candidate.v4_query(&mut buffers, &mut identity).ok()?,
        _ => return None,
    };
    let mut canonical_request = Vec::new();
    candidate.put_canonical(&mut canonical_request, &v4).ok()?;
    let mut hash = Sha256Sink::default();
    hash.put(&canonical_request);
    let mut string_to_sign = Vec::new();
    let scope = v4.authorization.scope;
    let scope = ScopeText::s3(scope.day, &scope.to_region());
    canonical::put_string_to_sign(&mut string_to_sign, &v4.date, scope.scope(), &hash.finish());
    Some(Explanation {
        canonical_request,
        string_to_sign,
    })
}
