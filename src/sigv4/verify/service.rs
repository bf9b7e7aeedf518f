//! Verifies requests to another service than S3: the Security Token Service.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
use super::{Rejected, candidate::Candidate, candidate::ClaimedIdentity};
use crate::{
    auth_type::AuthType,
    authorization::DecodeBuffers,
    client::{Claim, Client, Clients},
    crypto::{hex::hex, sha256::Sha256Sink},
    date::Timestamp,
    error::{Malformed, Rejection},
    headers::KnownHeaders,
    keys::SigningKey,
    request::ClientRequest,
    rules::VerifyRules,
    scope::ScopeText,
    text::{
        query::Parameters,
        sink::Sink,
        uri::{self, Part},
    },
};

/// How long a presigned request is valid, in seconds: STS ignores `X-Amz-Expires`, and clients rely on that. They use a
/// token for EKS for 14 minutes, whose URL says 60 seconds.
///
/// <https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go>
const PRESIGNED_LIFETIME: i64 = 15 * 60;

/// A request to a service.
#[derive(Debug, Clone, Copy)]
pub struct ServiceRequest<'h, 'r> {
    pub request: &'h ClientRequest<'h, 'r>,
    /// As credential scopes name it; at most 8 bytes.
    pub service: &'static str,
    /// The SHA-256 of the body that was read, in lower case hexadecimal digits.
    pub body_hash: &'r [u8; 64],
}

/// Returns the client that has signed a request to a service, in its head or its query. Of the rules, the skew of clocks is
/// applied: a service has no region here, since clients sign for whichever they are set to.
///
/// # Errors
/// With the [`Rejection`], in S3's words, for the service to say in its own. With an `auth_type` of neither
/// [`AuthType::V4Header`] nor [`AuthType::V4Query`] nobody has signed.
pub fn verify_service<'r>(
    service: &ServiceRequest<'_, 'r>,
    clients: impl Clients<'r>,
    rules: &VerifyRules,
    now: Timestamp,
) -> Result<&'r Client, Rejected<'r>> {
    let mut identity = ClaimedIdentity {
        access_key: b"",
        auth_type: None,
        is_authenticated: false,
    };
    decide(service, clients, rules, now, &mut identity).map_err(|rejection| Rejected {
        rejection,
        access_key: identity.access_key,
        auth_type: identity.auth_type,
        is_authenticated: false,
    })
}

fn decide<'r>(
    service: &ServiceRequest<'_, 'r>,
    clients: impl Clients<'r>,
    rules: &VerifyRules,
    now: Timestamp,
    identity: &mut ClaimedIdentity<'r>,
) -> Result<&'r Client, Rejection> {
    let request = service.request;
    let (mut known, mut parameters) = (KnownHeaders::default(), Parameters::new());
    let candidate = Candidate::read(request, &mut known, &mut parameters)?;
    let auth_type = candidate.auth_type(&VerifyRules::default())?;
    identity.auth_type = Some(auth_type);
    if !matches!(auth_type, AuthType::V4Header | AuthType::V4Query) {
        return Err(Rejection::AccessDenied);
    }
    // Services but S3 encode paths twice, and normalise them. Of these, nothing is to be encoded or normalised.
    if !is_normal_path(request.path) {
        return Err(Rejection::InvalidUri);
    }
    let mut buffers = DecodeBuffers::default();
    let name = service.service.as_bytes();
    let hash = service.body_hash;
    let v4 = candidate.v4_of_service(auth_type, name, hash, &mut buffers, identity)?;
    let scope = v4.authorization.scope;
    if scope.day != v4.date.day() {
        return Err(v4.malformed(Malformed::ScopeDate));
    }
    check_time(auth_type, v4.date.timestamp(), rules, now)?;

    let mut hash = Sha256Sink::default();
    let complete = candidate.put_canonical(&mut hash, &v4)?;
    let hash = hash.finish();
    let claim = Claim {
        access_key: v4.authorization.access_key,
        session_token: candidate.session_token(auth_type),
        now,
    };
    let text = ScopeText::new(scope.day, &scope.to_region(), name);
    let (client, ()) = claim.admit(clients, |credential| {
        let mut key = SigningKey::derive(credential.secret(), text.clone());
        let signature = key.sign_request(&v4.date, &hash);
        (signature.matches(v4.authorization.signature) && complete).then_some(())
    })?;
    Ok(client)
}

fn check_time(
    auth_type: AuthType,
    date: Timestamp,
    rules: &VerifyRules,
    now: Timestamp,
) -> Result<(), Rejection> {
    if auth_type == AuthType::V4Header {
        return rules.check_skew(date, now);
    }
    if date.0 > now.0.saturating_add(rules.max_skew) {
        return Err(Rejection::NotYetValid);
    }
    if now.0 > date.0.saturating_add(PRESIGNED_LIFETIME) {
        return Err(Rejection::RequestExpired);
    }
    Ok(())
}

/// Whether a path is what it is in canonical form, encoded once or twice: of unreserved characters, and without segments
/// that are empty, `.` or `..`, but the last one may be empty.
fn is_normal_path(path: &[u8]) -> bool {
    let Some(segments) = path.strip_prefix(b"/") else {
        return false;
    };
    let segments = segments.strip_suffix(b"/").unwrap_or(segments);
    let is_normal = |segment: &[u8]| !matches!(segment, b"" | b"." | b"..");
    uri::is_plain(path, Part::Path)
        && (path == b"/" || segments.split(|byte| *byte == b'/').all(is_normal))
}

/// Returns the SHA-256 of a body, as [`ServiceRequest`] has it.
pub fn body_hash(body: &[u8]) -> [u8; 64] {
    let mut hash = Sha256Sink::default();
    hash.put(body);
    hex(&hash.finish())
}
