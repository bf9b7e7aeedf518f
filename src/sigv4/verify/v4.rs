//! Verifies V4 signatures, in the header and in the query.
use super::{
    candidate::{Candidate, ClaimedIdentity},
    known_link::ClaimedLink,
};
use crate::{
    auth_type::AuthType,
    authorization::{Authorization, DecodeBuffers, Presigned},
    canonical::{self, CanonicalText},
    chunked::{chain::Chain, streaming::Streaming},
    client::{Claim, Clients},
    crypto::sha256::Sha256Sink,
    date::{AmzDate, Timestamp},
    error::{Malformed, Rejection},
    headers::{KnownHeader, KnownHeaders, must_be_signed},
    keys::{FoundKey, KeyCache},
    lifetime::Lifetime,
    operation::Operation,
    payload::{HeaderPayload, Payload},
    proof::{ChunkedBody, LinkProof, PresignedPayload, Proof, ProvenClient, SignedBody},
    request::ClientRequest,
    rules::VerifyRules,
    s3_request::S3Request,
    scope::S3,
    seen_links::LinkId,
    text::{
        query::{Parameters, Role},
        sink::Sink,
        token::is_same_name,
        uri,
    },
};

impl<'r> Candidate<'_, 'r> {
    #[allow(
        clippy::too_many_arguments,
        reason = "they are what a verdict depends on"
    )]
    pub(super) fn v4(
        &self,
        auth_type: AuthType,
        asked: &S3Request<'_>,
        clients: impl Clients<'r>,
        rules: &VerifyRules,
        keys: &mut KeyCache,
        now: Timestamp,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<Proof<'r>, Rejection> {
        let mut buffers = DecodeBuffers::default();
        let v4 = match auth_type {
            AuthType::V4Query => self.v4_query(&mut buffers, identity)?,
            _ => self.v4_header(identity)?,
        };
        check_scope(&v4, asked, rules)?;

        let scope = v4.authorization.scope;
        let link = match v4.place {
            V4Place::Query { .. } => LinkId::of(v4.authorization.signature),
            V4Place::Header(_) => None,
        };
        if let Err(rejection) = v4.check_time(rules, now) {
            if let (Some(link), Rejection::RequestExpired) = (link, &rejection) {
                keys.links.forget(link);
            }
            return Err(rejection);
        }
        let known = match link.and_then(|link| keys.links.find(link)) {
            Some(seen) => {
                let (complete, known) = seen.by_client(|text| self.put_canonical(text, &v4));
                known.filter(|_| complete == Ok(true))
            }
            None => None,
        };
        let mut hashed = match known {
            Some(_) => None,
            None => Some(self.hash_canonical(&v4)?),
        };

        let claim = Claim {
            access_key: v4.authorization.access_key,
            session_token: self.session_token(auth_type),
            now,
        };
        let (client, (signature, is_known)) = claim.admit(clients, |credential| {
            if let Some(signature) = known.and_then(|known| known.by(credential)) {
                let matches = signature.matches(v4.authorization.signature);
                return matches.then_some((signature, true));
            }
            // It is the link of another credential, whose secret this one's replaces.
            if hashed.is_none() {
                hashed = self.hash_canonical(&v4).ok();
            }
            let (hash, complete) = hashed?;
            let mut found = keys.untrusted_key(credential, scope);
            let signature = found.key().sign_request(&v4.date, &hash);
            let matches = signature.matches(v4.authorization.signature) && complete;
            if matches && let FoundKey::Derived(key) = found {
                keys.keep(credential, key);
            }
            matches.then_some((signature, false))
        })?;
        let credential = &client.credential;
        let client = ProvenClient::new(client);
        if let Some(link) = link {
            match is_known {
                true => keys.links.note_found(),
                false => {
                    let text = CanonicalLink {
                        candidate: self,
                        v4: &v4,
                    };
                    keys.links.note_hashed(link, credential, &text, signature);
                }
            }
        }
        let region = scope.to_region();
        let proof = match v4.place {
            V4Place::Header(HeaderPayload::Plain(payload)) => Proof::V4Header {
                client,
                region,
                body: SignedBody::Plain(payload),
            },
            V4Place::Header(HeaderPayload::Streaming(kind)) => Proof::V4Header {
                client,
                region,
                body: SignedBody::Streaming(Box::new(ChunkedBody {
                    streaming: Streaming::read(kind, self.known)?,
                    chain: kind.is_signed().then(|| {
                        let key = keys.signing_key(credential, scope.day, &region);
                        Chain::new(key.clone(), v4.date, signature)
                    }),
                    chunk_size: None,
                    checksum: None,
                })),
            },
            V4Place::Query { expires, payload } => Proof::V4Query {
                client,
                region,
                lifetime: Lifetime {
                    date: v4.date,
                    expires,
                },
                payload,
                link: link.map(|id| LinkProof {
                    id,
                    is_known,
                    verdict: None,
                }),
            },
        };
        Ok(proof)
    }

    #[inline(always)]
    pub(super) fn v4_header(
        &self,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<ClaimedV4<'r, 'r>, Rejection> {
        let authorization = self.authorization(S3, identity)?;
        let payload = self
            .known
            .value(KnownHeader::ContentSha256)
            .ok_or(Rejection::MissingPayloadHash)?;
        Ok(ClaimedV4 {
            authorization,
            date: self.date().ok_or(Rejection::MissingDate)?,
            place: V4Place::Header(HeaderPayload::parse(payload)?),
        })
    }

    /// Reads the `Authorization` header of a request to a service.
    #[inline(always)]
    fn authorization(
        &self,
        service: &[u8],
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<Authorization<'r>, Rejection> {
        let value = self.known.value(KnownHeader::Authorization);
        let authorization = Authorization::from_header(value.unwrap_or_default(), service)
            .map_err(Rejection::HeaderMalformed)?;
        identity.access_key = authorization.access_key;
        Ok(authorization)
    }

    #[inline(always)]
    fn date(&self) -> Option<AmzDate> {
        match self.known.value(KnownHeader::AmzDate) {
            Some(date) => AmzDate::parse(date),
            None => self
                .known
                .value(KnownHeader::Date)
                .and_then(Timestamp::parse)
                .map(AmzDate::from),
        }
    }

    /// Reads what a request to another service than S3 claims, whose body has this hash.
    pub(super) fn v4_of_service<'b>(
        &self,
        auth_type: AuthType,
        service: &[u8],
        body_hash: &'r [u8; 64],
        buffers: &'b mut DecodeBuffers,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<ClaimedV4<'b, 'r>, Rejection>
    where
        'r: 'b,
    {
        // It may be spelled in upper case, and is signed as it is spelled.
        let payload = match self.known.value(KnownHeader::ContentSha256) {
            None => Payload::Hash(body_hash),
            Some(value) if value.eq_ignore_ascii_case(body_hash) => Payload::parse(value)?,
            Some(_) => return Err(Rejection::PayloadMismatch(Some((*body_hash).into()))),
        };
        if auth_type == AuthType::V4Header {
            return Ok(ClaimedV4 {
                authorization: self.authorization(service, identity)?,
                date: self.date().ok_or(Rejection::MissingDate)?,
                place: V4Place::Header(HeaderPayload::Plain(payload)),
            });
        }
        let presigned = Presigned::from_query(&self.query, buffers, service)
            .map_err(Rejection::QueryMalformed)?;
        identity.access_key = presigned.raw_access_key;
        Ok(ClaimedV4 {
            authorization: presigned.authorization,
            date: presigned.date,
            place: V4Place::Query {
                expires: presigned.expires,
                payload: PresignedPayload::Header(payload),
            },
        })
    }

    #[inline(always)]
    pub(super) fn v4_query<'b>(
        &self,
        buffers: &'b mut DecodeBuffers,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<ClaimedV4<'b, 'r>, Rejection>
    where
        'r: 'b,
    {
        let presigned =
            Presigned::from_query(&self.query, buffers, S3).map_err(Rejection::QueryMalformed)?;
        identity.access_key = presigned.raw_access_key;
        let in_query = self.query.find(Role::ContentSha256);
        let payload = match (in_query, self.known.value(KnownHeader::ContentSha256)) {
            (Some(query), Some(header)) if query != header => {
                return Err(Rejection::PayloadHashConflict);
            }
            (Some(query), _) => PresignedPayload::Query(Payload::parse(query)?),
            (None, Some(header)) => PresignedPayload::Header(Payload::parse(header)?),
            (None, None) => PresignedPayload::Nowhere,
        };
        Ok(ClaimedV4 {
            authorization: presigned.authorization,
            date: presigned.date,
            place: V4Place::Query {
                expires: presigned.expires,
                payload,
            },
        })
    }

    /// Reads what a presigned link claims, once more.
    pub(super) fn claimed_link<'b>(&self, buffers: &'b mut DecodeBuffers) -> Option<ClaimedLink<'b>>
    where
        'r: 'b,
    {
        let presigned = Presigned::from_query(&self.query, buffers, S3).ok()?;
        Some(ClaimedLink {
            access_key: presigned.authorization.access_key,
            session_token: self.query.find(Role::SecurityToken),
            signs_host_alone: presigned.authorization.signed_headers() == b"host",
        })
    }

    /// Hashes what the client signed; `false` if a header that it signed is not there.
    #[inline(always)]
    fn hash_canonical(&self, v4: &ClaimedV4<'_, '_>) -> Result<([u8; 32], bool), Rejection> {
        let mut hash = Sha256Sink::default();
        let complete = self.put_canonical(&mut hash, v4)?;
        Ok((hash.finish(), complete))
    }

    /// Puts what the client signed; `false` if a header that it signed is not there.
    #[inline(always)]
    pub(super) fn put_canonical<S: Sink>(
        &self,
        sink: &mut S,
        v4: &ClaimedV4<'_, '_>,
    ) -> Result<bool, Rejection> {
        canonical::put_request(
            sink,
            self.request.method,
            |sink| uri::put_path(sink, self.request.path, self.canonical_path),
            |sink| self.query.put_signed(sink),
            |sink| self.put_signed_headers(sink, v4),
            |sink| sink.put(v4.authorization.signed_headers()),
            v4.place.payload(),
        )
    }

    /// Finds the headers that the client signed, in the order in which it did.
    #[inline(always)]
    fn put_signed_headers(
        &self,
        sink: &mut impl Sink,
        v4: &ClaimedV4<'_, '_>,
    ) -> Result<bool, Rejection> {
        let headers = self.request.headers;
        let mut complete = true;
        let mut host_signed = false;
        // No name is there twice, so none of the headers counts twice.
        let mut signed = 0;
        for (at, name) in v4.authorization.names().enumerate() {
            let name = name.map_err(|fault| v4.malformed(fault))?;
            // One of these has no header.
            if at > headers.len() {
                return Err(Rejection::SignatureDoesNotMatch);
            }
            let mut found = 0;
            let mut put = |value: &[u8]| {
                if found == 0 {
                    sink.put(name);
                }
                let is_line = canonical::put_value(sink, found, value);
                found += 1;
                is_line
            };
            let field = KnownHeader::named(name);
            host_signed |= field == Some(KnownHeader::Host);
            let are_lines = match field {
                Some(KnownHeader::Host) => (self.request.host)
                    .or(self.known.value(KnownHeader::Host))
                    .is_none_or(put),
                Some(field) => self.known.value(field).is_none_or(put),
                None => headers
                    .iter()
                    .filter(|header| is_same_name(header.name, name))
                    .all(|header| put(header.value)),
            };
            if !are_lines {
                return Err(Rejection::InvalidHeader);
            }
            if must_be_signed(name, field) {
                signed += found;
            }
            match found {
                0 => complete = false,
                _ => sink.put(b"\n"),
            }
        }
        if !host_signed || signed != self.known.to_be_signed {
            return Err(Rejection::UnsignedHeaders);
        }
        Ok(complete)
    }
}

/// What the client of an accepted link has signed.
struct CanonicalLink<'c, 'b, 'r> {
    candidate: &'c Candidate<'b, 'r>,
    v4: &'c ClaimedV4<'b, 'r>,
}

impl CanonicalText for CanonicalLink<'_, '_, '_> {
    fn put(&self, sink: &mut impl Sink) {
        // All of it is there, since it was accepted.
        let _ = self.candidate.put_canonical(sink, self.v4);
    }
}

/// Shows a V4 request that was rejected, read once more; `None` for other forms and for requests that cannot be
/// read.
pub(super) fn with_rejected<T>(
    request: &ClientRequest<'_, '_>,
    show: impl FnOnce(&Candidate<'_, '_>, &ClaimedV4<'_, '_>) -> Option<T>,
) -> Option<T> {
    let (mut known, mut parameters) = (KnownHeaders::default(), Parameters::new());
    let candidate = Candidate::read(request, &mut known, &mut parameters).ok()?;
    let mut buffers = DecodeBuffers::default();
    let mut identity = ClaimedIdentity {
        access_key: b"",
        auth_type: None,
        is_authenticated: false,
    };
    let v4 = match candidate.auth_type(&VerifyRules::default()).ok()? {
        AuthType::V4Header => candidate.v4_header(&mut identity).ok()?,
        AuthType::V4Query => candidate.v4_query(&mut buffers, &mut identity).ok()?,
        _ => return None,
    };
    show(&candidate, &v4)
}

/// A V4 request before its signature is checked.
pub(super) struct ClaimedV4<'a, 'r> {
    pub(super) authorization: Authorization<'a>,
    pub(super) date: AmzDate,
    place: V4Place<'r>,
}

/// What depends on where a V4 signature is.
enum V4Place<'r> {
    Header(HeaderPayload<'r>),
    Query {
        /// In seconds.
        expires: u32,
        payload: PresignedPayload<'r>,
    },
}

impl<'r> V4Place<'r> {
    /// Returns the last line of the canonical request.
    fn payload(&self) -> &'r [u8] {
        match self {
            V4Place::Header(payload) => payload.as_bytes(),
            V4Place::Query { payload, .. } => payload.payload().as_bytes(),
        }
    }
}

impl ClaimedV4<'_, '_> {
    /// Returns what to say of a fault in where it was claimed.
    pub(super) fn malformed(&self, fault: Malformed) -> Rejection {
        match self.place {
            V4Place::Header(_) => Rejection::HeaderMalformed(fault),
            V4Place::Query { .. } => Rejection::QueryMalformed(fault),
        }
    }

    fn check_time(&self, rules: &VerifyRules, now: Timestamp) -> Result<(), Rejection> {
        let V4Place::Query { expires, .. } = self.place else {
            return rules.check_skew(self.date.timestamp(), now);
        };
        let lifetime = Lifetime {
            date: self.date,
            expires,
        };
        lifetime.check(rules, now)
    }
}

fn check_scope(
    v4: &ClaimedV4<'_, '_>,
    asked: &S3Request<'_>,
    rules: &VerifyRules,
) -> Result<(), Rejection> {
    let scope = v4.authorization.scope;
    if scope.day != v4.date.day() {
        return Err(v4.malformed(Malformed::ScopeDate));
    }
    // Clients ask in us-east-1 where a bucket is, and which there are.
    let is_us_east_1 = scope.region == b"us-east-1"
        && matches!(
            asked.operation(),
            Operation::ListBuckets | Operation::GetBucketLocation
        );
    let auth_type = match v4.place {
        V4Place::Header(_) => AuthType::V4Header,
        V4Place::Query { .. } => AuthType::V4Query,
    };
    match rules.check_region(scope, auth_type) {
        Err(_) if is_us_east_1 => Ok(()),
        checked => checked,
    }
}
