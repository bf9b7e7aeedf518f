//! Presigned links that are accepted as they were before: see `link_verdict`.
use std::ops::Range;

use zeroize::Zeroizing;

use crate::{
    address::Address,
    client::{Client, Clients},
    credential::Credential,
    date::Timestamp,
    headers::decides_nothing,
    identity::Identity,
    known_heads::KnownHeads,
    link_verdict::{LinkText, LinkVerdict},
    payload::Payload,
    proof::{LinkProof, PresignedPayload, Proof, ProvenClient},
    request::ClientRequest,
    rules::VerifyRules,
    seen_links::{LinkId, SeenLinks},
    text::token::is,
    verified::{AdmittedRequest, Verified},
};

/// The longest link of which a verdict is kept, in bytes.
const MAX_TEXT: usize = 4096;

/// The length of a signature, in bytes.
const SIGNATURE: usize = 64;

/// Accepts a link as it was accepted before. `None` if it has to be read: it is another one, has ended, is not its
/// client's any more, or is not known.
#[inline(always)]
pub(super) fn recall<'r>(
    request: &ClientRequest<'_, 'r>,
    clients: impl Clients<'r>,
    rules: &'r VerifyRules,
    links: &mut SeenLinks,
    now: Timestamp,
) -> Option<Verified<'r>> {
    let id = link_id(request.query)?;
    let (known, verdict) = links.find(id)?.verdict()?;
    let link = LinkRequest::read(request)?;
    if !verdict.is_about(link.text(), rules) || verdict.lifetime.check(rules, now).is_err() {
        return None;
    }
    let signature = request.query.get(verdict.signature.clone())?;
    let is_its = |credential: &Credential| {
        let known = known.by(credential)?;
        known.matches(signature).then_some(())
    };
    let claim = verdict.claim(request.query, now)?;
    let (client, ()) = claim.admit(clients, is_its).ok()?;
    let verified = verified_by(verdict, &link, id, rules, client)?;
    links.note_found();
    Some(verified)
}

/// Makes the verdict about a link that was accepted, and keeps it. There is none if it may be another one for another
/// request.
pub(super) fn note(
    request: &ClientRequest<'_, '_>,
    verified: &Verified<'_>,
    claimed: Option<ClaimedLink<'_>>,
    links: &mut SeenLinks,
) {
    let (Some(link), Some(id)) = (LinkRequest::read(request), link_id(request.query)) else {
        return;
    };
    let verdict = claimed.and_then(|claimed| verdict_of(&link, verified, &claimed));
    if let Some(seen) = links.find(id) {
        seen.put_verdict(verdict);
    }
}

/// What a link says of who has signed it, and what.
pub(super) struct ClaimedLink<'a> {
    pub(super) access_key: &'a [u8],
    /// As it stands in the query.
    pub(super) session_token: Option<&'a [u8]>,
    pub(super) signs_host_alone: bool,
}

/// A request that may be a link: it has no header that says what is asked for, or how.
#[derive(Clone, Copy)]
struct LinkRequest<'h, 'r> {
    request: &'h ClientRequest<'h, 'r>,
    host: &'r [u8],
}

impl<'h, 'r> LinkRequest<'h, 'r> {
    fn read(request: &'h ClientRequest<'h, 'r>) -> Option<LinkRequest<'h, 'r>> {
        let is_read = matches!(request.method, b"GET" | b"HEAD");
        if !is_read || request.rewritten.is_some() || request.path_with_plus.is_some() {
            return None;
        }
        let mut host = None;
        for header in request.headers {
            match header.name {
                name if is(name, b"host") && host.is_none() => host = Some(header.value),
                name if decides_nothing(name) => {}
                _ => return None,
            }
        }
        let host = request.host.unwrap_or(host?);
        Some(LinkRequest { request, host })
    }

    /// Returns all that a verdict is compared with.
    fn text(&self) -> [&'r [u8]; 4] {
        let request = self.request;
        [request.method, request.path, request.query, self.host]
    }
}

/// Returns by what a link is found, if the request looks like one: whether it is, the reader of queries says.
fn link_id(query: &[u8]) -> Option<LinkId> {
    LinkId::of(signature_in(query)?)
}

fn signature_in(query: &[u8]) -> Option<&[u8]> {
    memchr::memrchr_iter(b'=', query).find_map(|at| {
        let (before, rest) = query.split_at_checked(at)?;
        let signature = rest.get(1..=SIGNATURE);
        signature.filter(|_| before.ends_with(b"X-Amz-Signature"))
    })
}

/// Keeps what was found about a link that has been accepted, by what it claims. `None` if not all of that could be
/// found again.
fn verdict_of(
    link: &LinkRequest<'_, '_>,
    verified: &Verified<'_>,
    claimed: &ClaimedLink<'_>,
) -> Option<LinkVerdict> {
    let (request, query) = (link.request, link.request.query);
    let (admitted, proof) = (&verified.request, &verified.proof);
    let Proof::V4Query {
        region,
        lifetime,
        payload,
        ..
    } = proof
    else {
        return None;
    };
    let is_payload_in_query = match payload {
        PresignedPayload::Nowhere => false,
        PresignedPayload::Query(Payload::Unsigned) => true,
        _ => return None,
    };
    let is_short = request.path.len() + query.len() + link.host.len() <= MAX_TEXT;
    if !is_short || !claimed.signs_host_alone || admitted.source.is_some() {
        return None;
    }
    let session_token = claimed.session_token.map(|token| place(query, token));
    Some(LinkVerdict {
        identity: Identity::default(),
        text: LinkText {
            method: request.method.into(),
            path: request.path.into(),
            query: Zeroizing::new(query.into()),
            host: link.host.into(),
        },
        rules: admitted.rules.identity.number(),
        signature: place(query, signature_in(query)?)?,
        access_key: place(query, claimed.access_key)?,
        session_token: match session_token {
            Some(place) => Some(place?),
            None => None,
        },
        region: *region,
        lifetime: *lifetime,
        is_payload_in_query,
        operation: admitted.operation,
        is_path_style: admitted.address.is_path_style(),
        is_plain: admitted.is_plain,
        has_sealed_id: admitted.has_sealed_id,
        has_own_key: admitted.has_own_key,
        heads: KnownHeads::default(),
    })
}

/// Makes of a verdict what it says of this request.
fn verified_by<'r>(
    verdict: &LinkVerdict,
    link: &LinkRequest<'_, 'r>,
    id: LinkId,
    rules: &'r VerifyRules,
    client: &'r Client,
) -> Option<Verified<'r>> {
    Some(Verified {
        request: AdmittedRequest {
            method: link.request.method,
            address: match verdict.is_path_style {
                true => Address::PATH_STYLE,
                false => rules.endpoint.address(link.host).ok()?,
            },
            path: link.request.path,
            target: link.request.target(),
            operation: verdict.operation,
            source: None,
            is_plain: verdict.is_plain,
            has_plus: false,
            has_sealed_id: verdict.has_sealed_id,
            has_own_key: verdict.has_own_key,
            rules,
        },
        proof: Proof::V4Query {
            client: ProvenClient::new(client),
            region: verdict.region,
            lifetime: verdict.lifetime,
            payload: match verdict.is_payload_in_query {
                true => PresignedPayload::Query(Payload::Unsigned),
                false => PresignedPayload::Nowhere,
            },
            link: Some(LinkProof {
                id,
                is_known: true,
                verdict: Some(verdict.identity.number()),
            }),
        },
        document: None,
        digests: None,
        reads_answer: false,
        opened: None,
    })
}

fn place(text: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let place = start..start.checked_add(part.len())?;
    (text.get(place.clone())? == part).then_some(place)
}
