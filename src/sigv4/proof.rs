//! What proves who sent a request, or that nobody needs to.
use crate::{
    account::Account, checksum::Checksum, chunked::chain::Chain, chunked::streaming::Streaming,
    client::Client, grant::Grant, lifetime::Lifetime, payload::Payload,
    post_object::verified_form::VerifiedForm, preflight::Preflight, region::Region,
    seen_links::LinkId,
};

/// What proves who sent a request, and what it says of the body.
#[derive(Debug)]
pub(crate) enum Proof<'r> {
    /// A V4 signature in the header.
    V4Header {
        client: ProvenClient<'r>,
        region: Region,
        body: SignedBody<'r>,
    },
    /// A V4 signature in the query.
    V4Query {
        client: ProvenClient<'r>,
        region: Region,
        lifetime: Lifetime,
        payload: PresignedPayload<'r>,
        /// By which what is kept of it is found.
        link: Option<LinkProof>,
    },
    V2Header {
        client: ProvenClient<'r>,
        payload: Payload<'r>,
    },
    V2Query {
        client: ProvenClient<'r>,
        payload: Payload<'r>,
    },
    /// A signature, of V4 or V2, over the policy of a browser's form.
    PostPolicy {
        client: ProvenClient<'r>,
        region: Region,
        post: Box<VerifiedForm<'r>>,
    },
    /// None, where the location demands none.
    Anonymous { payload: Payload<'r> },
    /// None, where the location signs within its own grant for whoever gets there.
    Granted {
        grant: &'r Grant,
        account: Option<&'r Account>,
        region: Region,
        payload: Payload<'r>,
    },
    /// None, since browsers sign no preflight: it goes out without a signature, and nobody vouches for it.
    Preflight(Preflight<'r>),
}

/// Whose signature has matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProvenClient<'r> {
    pub(crate) access_key: &'r [u8],
    pub(crate) grant: &'r Grant,
    pub(crate) account: Option<&'r Account>,
}

impl<'r> ProvenClient<'r> {
    pub(crate) fn new(client: &'r Client) -> ProvenClient<'r> {
        ProvenClient {
            access_key: client.credential.access_key(),
            grant: &client.grant,
            account: client.account.as_ref(),
        }
    }
}

/// The body of a request that is signed by V4 in its header.
#[derive(Debug)]
pub(crate) enum SignedBody<'r> {
    /// As it is.
    Plain(Payload<'r>),
    /// In `aws-chunked` framing. In a box, since most requests have none.
    Streaming(Box<ChunkedBody>),
}

/// A body in `aws-chunked` framing, announced by a head that was signed.
#[derive(Debug)]
pub(crate) struct ChunkedBody {
    pub(crate) streaming: Streaming,
    /// Signs chunks. `None` for unsigned chunks.
    pub(crate) chain: Option<Chain>,
    /// The size of the signed chunks of a body that is there before the head is signed, if it is known.
    pub(crate) chunk_size: Option<u64>,
    /// The trailing checksum of such a body.
    pub(crate) checksum: Option<Checksum>,
}

/// A presigned link that was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkProof {
    pub(crate) id: LinkId,
    /// The client's signature was known.
    pub(crate) is_known: bool,
    /// The number of the kept verdict by which it was accepted.
    pub(crate) verdict: Option<u64>,
}

/// Where a presigned V4 request says what its payload is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PresignedPayload<'r> {
    Header(Payload<'r>),
    Query(Payload<'r>),
    Nowhere,
}

impl<'r> PresignedPayload<'r> {
    /// Returns the payload of another body, in the same place.
    pub(crate) fn replaced<'p>(self, payload: Payload<'p>) -> PresignedPayload<'p> {
        match self {
            PresignedPayload::Header(_) => PresignedPayload::Header(payload),
            PresignedPayload::Query(_) => PresignedPayload::Query(payload),
            PresignedPayload::Nowhere => PresignedPayload::Nowhere,
        }
    }

    pub(crate) fn payload(self) -> Payload<'r> {
        match self {
            PresignedPayload::Header(payload) | PresignedPayload::Query(payload) => payload,
            PresignedPayload::Nowhere => Payload::Unsigned,
        }
    }
}

impl<'r> Proof<'r> {
    pub(crate) fn client(&self) -> Option<ProvenClient<'r>> {
        match self {
            Proof::V4Header { client, .. }
            | Proof::V4Query { client, .. }
            | Proof::V2Header { client, .. }
            | Proof::V2Query { client, .. }
            | Proof::PostPolicy { client, .. } => Some(*client),
            Proof::Anonymous { .. } | Proof::Granted { .. } | Proof::Preflight(_) => None,
        }
    }

    /// Returns the client's grant, or the location's; `None` for a request without either.
    pub(crate) fn grant(&self) -> Option<&'r Grant> {
        match self {
            Proof::Granted { grant, .. } => Some(grant),
            _ => self.client().map(|client| client.grant),
        }
    }

    /// Returns the client's account, or the location's; `None` for a request without either.
    pub(crate) fn account(&self) -> Option<&'r Account> {
        match self {
            Proof::Granted { account, .. } => *account,
            _ => self.client()?.account,
        }
    }

    /// Returns the client's region, or that of the location's clients; `us-east-1` if no signature names one.
    pub(crate) fn region(&self) -> &Region {
        match self {
            Proof::V4Header { region, .. }
            | Proof::V4Query { region, .. }
            | Proof::PostPolicy { region, .. }
            | Proof::Granted { region, .. } => region,
            Proof::V2Header { .. }
            | Proof::V2Query { .. }
            | Proof::Anonymous { .. }
            | Proof::Preflight(_) => &Region::US_EAST_1,
        }
    }

    /// Returns the payload; `None` for a body in framing or in a form.
    pub(crate) fn payload(&self) -> Option<Payload<'r>> {
        match self {
            Proof::V4Header {
                body: SignedBody::Plain(payload),
                ..
            }
            | Proof::V2Header { payload, .. }
            | Proof::V2Query { payload, .. }
            | Proof::Anonymous { payload }
            | Proof::Granted { payload, .. } => Some(*payload),
            Proof::V4Query { payload, .. } => Some(payload.payload()),
            Proof::V4Header {
                body: SignedBody::Streaming(_),
                ..
            }
            | Proof::PostPolicy { .. }
            | Proof::Preflight(_) => None,
        }
    }
}
