//! Explains a signature that does not match.
use super::v4::with_rejected;
use crate::{
    canonical, crypto::sha256::Sha256Sink, request::ClientRequest, scope::ScopeText,
    text::sink::Sink,
};

/// What S3 returns with a SignatureDoesNotMatch; neither holds a secret or a signature.
#[derive(Debug)]
pub struct Explanation {
    /// `None` of a form.
    pub canonical_request: Option<Vec<u8>>,
    pub string_to_sign: Vec<u8>,
}

/// Computes again what a V4 request's signature was checked against, only where it is asked for;
/// `None` for other forms and for requests that could not be read.
pub fn explain(request: &ClientRequest<'_, '_>) -> Option<Explanation> {
    with_rejected(request, |candidate, v4| {
        let mut canonical_request = Vec::new();
        candidate.put_canonical(&mut canonical_request, v4).ok()?;
        let mut hash = Sha256Sink::default();
        hash.put(&canonical_request);
        let mut string_to_sign = Vec::new();
        let scope = v4.authorization.scope;
        let scope = ScopeText::s3(scope.day, &scope.to_region());
        canonical::put_string_to_sign(&mut string_to_sign, &v4.date, scope.scope(), &hash.finish());
        Some(Explanation {
            canonical_request: Some(canonical_request),
            string_to_sign,
        })
    })
}
