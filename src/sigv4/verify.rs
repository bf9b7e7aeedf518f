//! Verifies requests.
mod candidate;
mod checksums;
mod details;
mod explain;
mod known_link;
mod service;
mod v2;
mod v4;

use self::candidate::Candidate;
pub(crate) use self::candidate::ClaimedIdentity;
pub use self::{
    details::{Details, RejectedRequest, details},
    explain::{Explanation, explain},
    service::{ServiceRequest, body_hash, verify_service},
};
use crate::{
    admission::Admission,
    auth_type::AuthType,
    authorization::DecodeBuffers,
    client::Clients,
    date::Timestamp,
    error::Rejection,
    headers::{KnownHeader, KnownHeaders},
    keys::KeyCache,
    proof::Proof,
    request::ClientRequest,
    rules::VerifyRules,
    sse_c::{KeyedRequest, OwnKeys},
    text::query::Parameters,
    text::uri::{self, Part},
    verified::{AdmittedRequest, Verified},
};

/// A rejected request: the reason, and who it claimed to be.
#[derive(Debug)]
pub struct Rejected<'r> {
    pub rejection: Rejection,
    /// The access key that the request named, unverified; empty where it named none. One from a
    /// query is percent-encoded, as it stands there.
    pub access_key: &'r [u8],
    pub auth_type: Option<AuthType>,
    /// The signature was right, so the access key is that of a client, who may not do this.
    pub is_authenticated: bool,
}

impl<'r> Rejected<'r> {
    /// Decodes the access key, if it is in a query in another spelling than its own. `None` if it stands there as
    /// it is, and if it has bytes that no client's key has and that no header or log should get.
    pub fn decoded_access_key(&self) -> Option<Vec<u8>> {
        let is_in_query = matches!(self.auth_type, Some(AuthType::V4Query | AuthType::V2Query));
        if !is_in_query || uri::is_plain(self.access_key, Part::Query) {
            return None;
        }
        let decoded: Vec<u8> = uri::decoded(self.access_key, Part::Query).collect();
        decoded.iter().all(u8::is_ascii_graphic).then_some(decoded)
    }
}

/// Verifies the signature of a request and checks it against its client's grant.
///
/// # Errors
/// With the [`Rejection`] to answer; the origin must not hear of such a request. With
/// [`Rejection::ProofInBody`] it is for [`verify_form`](crate::verify_form) to decide.
pub fn verify<'r>(
    request: &ClientRequest<'_, 'r>,
    clients: impl Clients<'r>,
    rules: &'r VerifyRules,
    keys: &mut KeyCache,
    now: Timestamp,
) -> Result<Verified<'r>, Rejected<'r>> {
    let mut identity = ClaimedIdentity {
        access_key: b"",
        auth_type: None,
        is_authenticated: false,
    };
    decide(request, clients, rules, keys, now, &mut identity).map_err(|rejection| Rejected {
        rejection,
        access_key: identity.access_key,
        auth_type: identity.auth_type,
        is_authenticated: identity.is_authenticated,
    })
}

#[inline(always)]
fn decide<'r>(
    request: &ClientRequest<'_, 'r>,
    clients: impl Clients<'r>,
    rules: &'r VerifyRules,
    keys: &mut KeyCache,
    now: Timestamp,
    identity: &mut ClaimedIdentity<'r>,
) -> Result<Verified<'r>, Rejection> {
    if let Some(verified) = known_link::recall(request, clients, rules, &mut keys.links, now) {
        return Ok(verified);
    }
    let (mut known, mut parameters) = (KnownHeaders::default(), Parameters::new());
    let candidate = Candidate::read(request, &mut known, &mut parameters)?;
    let auth_type = candidate.auth_type(rules)?;
    identity.auth_type = Some(auth_type);
    let address = candidate.address(rules)?;
    let mut rewritten = Parameters::new();
    let outgoing = candidate.outgoing(&mut rewritten)?;
    let query = outgoing.as_ref().unwrap_or(&candidate.query);
    let asked = candidate.asked(&address, query, auth_type)?;
    let proof = match auth_type {
        AuthType::V4Header | AuthType::V4Query => {
            candidate.v4(auth_type, &asked, clients, rules, keys, now, identity)?
        }
        AuthType::V2Header => candidate.v2_header(&address, clients, rules, now, identity)?,
        AuthType::V2Query => candidate.v2_query(&address, clients, rules, now, identity)?,
        AuthType::PostPolicy => return Err(Rejection::ProofInBody),
        AuthType::Preflight => candidate.preflight()?,
        AuthType::Anonymous | AuthType::Granted => candidate.unsigned(rules)?,
    };
    identity.is_authenticated = proof.client().is_some();
    let admission = Admission::new(rules, &proof);
    admission.check(&asked, query, request.headers.iter().copied())?;
    checksums::check(asked.operation(), candidate.known, request.headers)?;
    let (operation, has_sealed_id) = (asked.operation(), asked.has_sealed_id);
    let copied = candidate.known.value(KnownHeader::CopySource);
    let has_own_key = match rules.customer_keys.as_deref() {
        None => false,
        Some(customer_keys) => {
            let own = OwnKeys::read(request.headers.iter().copied());
            let added = customer_keys.added_to(&KeyedRequest {
                operation,
                method: request.method,
                path: asked.path,
                source: copied,
                own,
            });
            if auth_type == AuthType::Anonymous && !added.is_empty() {
                return Err(Rejection::UnsignedKey);
            }
            own.target
        }
    };
    let verified = Verified {
        request: AdmittedRequest {
            method: request.method,
            address,
            path: request.path,
            target: request.target(),
            operation,
            source: copied.or(candidate.known.value(KnownHeader::RenameSource)),
            has_plus: request.path_with_plus.is_some(),
            has_sealed_id,
            has_own_key,
            is_plain: candidate.canonical_path && candidate.query.is_plain() && outgoing.is_none(),
            rules,
        },
        proof,
        document: None,
        digests: None,
        reads_answer: false,
        opened: None,
    };
    if let Proof::V4Query {
        link: Some(link), ..
    } = &verified.proof
        && link.is_known
        && keys.links.lacks_verdict(link.id)
    {
        note_verdict(&candidate, &verified, keys);
    }
    Ok(verified)
}

#[cold]
fn note_verdict(candidate: &Candidate<'_, '_>, verified: &Verified<'_>, keys: &mut KeyCache) {
    let mut buffers = DecodeBuffers::default();
    let claimed = candidate.claimed_link(&mut buffers);
    known_link::note(candidate.request, verified, claimed, &mut keys.links);
}
