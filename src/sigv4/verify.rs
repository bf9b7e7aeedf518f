//! Whether a request is let in.
use arrayvec::ArrayVec;

use crate::{
    admission::Admission,
    authorization::{Authorization, DecodeBuffers, Presigned},
    canonical::{self, ALGORITHM},
    chunked::{Chain, Streaming},
    date::{AmzDate, Timestamp},
    endpoint,
    error::{Malformed, Rejection},
    grant::{Claimant, Clients},
    keys::{FoundKey, KeyCache},
    operation::Operation,
    payload::{HeaderPayload, Payload},
    query::{Parameters, Query, Role},
    request::{ClientRequest, KnownHeader, KnownHeaders, Target, must_be_signed},
    s3_request::{S3Request, S3RequestParts},
    scope::{ClaimedScope, Region, ScopeText},
    sink::{Sha256Sink, Sink},
    uri::{self, Part},
    v2,
    verified::{
        AdmittedRequest, ChunkedBody, Lifetime, PresignedPayload, Proof, ProvenClient, SignedBody,
        Verified,
    },
};

/// The location's settings.
#[derive(Debug, Clone, Default)]
pub struct VerifyRules {
    /// Seconds a request's date may differ from now.
    pub max_skew: i64,
    /// The one region that clients must sign for.
    pub region: Option<Region>,
    pub anonymous: bool,
    pub signature_v2: bool,
    /// Bodies are verified by the hash in their head.
    pub verify_payload: bool,
    /// First segments of paths that are no buckets: such a request goes nowhere.
    pub reserved: Vec<Box<[u8]>>,
    /// Names of the server, in lower case: a host under one of them has a bucket in front.
    pub endpoints: Vec<Box<[u8]>>,
}

/// How the request was signed: `$s3_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthType {
    V4Header,
    V4Query,
    V2Header,
    V2Query,
    Anonymous,
    /// A browser's form: V4, or V2.
    PostPolicy,
}

impl AuthType {
    pub const ALL: [AuthType; 6] = [
        AuthType::V4Header,
        AuthType::V4Query,
        AuthType::V2Header,
        AuthType::V2Query,
        AuthType::Anonymous,
        AuthType::PostPolicy,
    ];

    pub fn name(self) -> &'static str {
        match self {
            AuthType::V4Header => "v4-header",
            AuthType::V4Query => "v4-query",
            AuthType::V2Header => "v2-header",
            AuthType::V2Query => "v2-query",
            AuthType::Anonymous => "anonymous",
            AuthType::PostPolicy => "post-policy",
        }
    }
}

/// A refused request: the reason, and who it claimed to be.
#[derive(Debug)]
pub struct Rejected<'r> {
    pub rejection: Rejection,
    /// The access key that the request named, unverified; empty where it named none. One from a
    /// query is percent-encoded, as it stands there.
    pub access_key: &'r [u8],
    pub auth_type: Option<AuthType>,
}

/// Decides whether a request is let in, by its signature and its client's grant.
///
/// # Errors
/// With the [`Rejection`] to answer; the origin must not hear of such a request. With
/// [`Rejection::ProofInBody`] it is for [`verify_form`](crate::verify_form) to decide.
pub fn verify<'r>(
    request: &ClientRequest<'_, 'r>,
    clients: &'r impl Clients,
    rules: &'r VerifyRules,
    keys: &mut KeyCache,
    now: Timestamp,
) -> Result<Verified<'r>, Rejected<'r>> {
    let mut claim = ClaimedIdentity {
        access_key: b"",
        auth_type: None,
    };
    decide(request, clients, rules, keys, now, &mut claim).map_err(|rejection| Rejected {
        rejection,
        access_key: claim.access_key,
        auth_type: claim.auth_type,
    })
}

/// Who a request says it is from, noted as soon as it is read.
pub(crate) struct ClaimedIdentity<'r> {
    pub(crate) access_key: &'r [u8],
    pub(crate) auth_type: Option<AuthType>,
}

#[inline(always)]
fn decide<'r>(
    request: &ClientRequest<'_, 'r>,
    clients: &'r impl Clients,
    rules: &'r VerifyRules,
    keys: &mut KeyCache,
    now: Timestamp,
    claim: &mut ClaimedIdentity<'r>,
) -> Result<Verified<'r>, Rejection> {
    let (mut fields, mut parameters) = (KnownHeaders::default(), Parameters::new());
    let input = Candidate::read(request, &mut fields, &mut parameters)?;
    let auth_type = input.auth_type(rules)?;
    claim.auth_type = Some(auth_type);
    input.check_host(rules)?;
    let mut rewritten = Parameters::new();
    let outgoing = input.outgoing(&mut rewritten)?;
    let query = outgoing.as_ref().unwrap_or(&input.query);
    let asked = input.asked(query, auth_type)?;
    let proof = match auth_type {
        AuthType::V4Header | AuthType::V4Query => {
            input.v4(auth_type, &asked, clients, rules, keys, now, claim)?
        }
        AuthType::V2Header => input.v2_header(clients, rules, now, claim)?,
        AuthType::V2Query => input.v2_query(clients, now, claim)?,
        AuthType::PostPolicy => return Err(Rejection::ProofInBody),
        AuthType::Anonymous if rules.anonymous => input.anonymous()?,
        AuthType::Anonymous => return Err(Rejection::AccessDenied),
    };
    let admission = Admission::new(rules, proof.grant());
    admission.check(&asked, query, request.headers.iter().copied())?;
    Ok(Verified {
        request: AdmittedRequest {
            method: request.method,
            path: request.path,
            target: request.target(),
            operation: asked.operation(),
            is_plain: input.canonical_path && input.query.is_plain() && outgoing.is_none(),
            rules,
        },
        proof,
    })
}

/// A request with its well-known parts found.
struct Candidate<'h, 'r> {
    request: &'h ClientRequest<'h, 'r>,
    fields: &'h KnownHeaders<'r>,
    query: Query<'h, 'r>,
    /// The path is in its canonical form as it is.
    canonical_path: bool,
}

impl<'h, 'r> Candidate<'h, 'r> {
    // Else it would be copied to its caller.
    #[inline(always)]
    fn read(
        request: &'h ClientRequest<'h, 'r>,
        fields: &'h mut KnownHeaders<'r>,
        parameters: &'h mut Parameters,
    ) -> Result<Candidate<'h, 'r>, Rejection> {
        fields.read(request.headers)?;
        let canonical_path =
            uri::is_canonical(request.path, Part::Path).ok_or(Rejection::InvalidUri)?;
        let query = Query::parse(request.query, parameters)?;
        // nginx takes the rest of a target after a `#` for no part of it, and sends it all the same. What is
        // canonical has none.
        let has_fragment =
            |text: &[u8], canonical: bool| !canonical && memchr::memchr(b'#', text).is_some();
        if !request.path.starts_with(b"/")
            || has_fragment(request.path, canonical_path)
            || has_fragment(request.query, query.is_canonical())
        {
            return Err(Rejection::InvalidUri);
        }
        Ok(Candidate {
            request,
            fields,
            query,
            canonical_path,
        })
    }

    /// The one place that decides how a request is signed; whatever is there must then verify in
    /// that form.
    fn auth_type(&self, rules: &VerifyRules) -> Result<AuthType, Rejection> {
        let authorization = self
            .fields
            .value(KnownHeader::Authorization)
            .unwrap_or_default();
        let v4_header = authorization.starts_with(ALGORITHM);
        let v2_header = authorization.starts_with(b"AWS ");
        let is_aws = matches!(authorization, [b'A' | b'a', b'W' | b'w', b'S' | b's', ..]);
        if is_aws && !v4_header && !v2_header {
            return Err(Rejection::UnknownMechanism);
        }
        let signed = [
            v4_header,
            self.query.has_v4(),
            v2_header,
            self.query.has_v2(),
        ];
        let auth_type = match signed {
            [true, false, false, false] => AuthType::V4Header,
            [false, true, false, false] => AuthType::V4Query,
            [false, false, true, false] => AuthType::V2Header,
            [false, false, false, true] => AuthType::V2Query,
            [false, false, false, false] if self.fields.is_browser_form(self.request.method) => {
                AuthType::PostPolicy
            }
            [false, false, false, false] => AuthType::Anonymous,
            _ => return Err(Rejection::SeveralMechanisms),
        };
        match auth_type {
            AuthType::V2Header | AuthType::V2Query if !rules.signature_v2 => {
                Err(Rejection::SignatureV4Required)
            }
            auth_type => Ok(auth_type),
        }
    }

    /// Refuses what names its bucket in the host.
    fn check_host(&self, rules: &VerifyRules) -> Result<(), Rejection> {
        let host = self.request.host.or(self.fields.value(KnownHeader::Host));
        match endpoint::has_bucket(host.unwrap_or_default(), &rules.endpoints) {
            true => Err(Rejection::BucketInHost),
            false => Ok(()),
        }
    }

    /// The query that goes out where it is not the client's.
    fn outgoing<'s>(&self, room: &'s mut Parameters) -> Result<Option<Query<'s, 'r>>, Rejection> {
        let Some(Target { path, query }) = self.request.rewritten else {
            return Ok(None);
        };
        uri::is_canonical(path, Part::Path).ok_or(Rejection::InvalidUri)?;
        Ok(Some(Query::parse_others(query, room)?))
    }

    /// What is asked for, by the `query` that goes out.
    fn asked(
        &self,
        query: &Query<'_, 'r>,
        auth_type: AuthType,
    ) -> Result<S3Request<'r>, Rejection> {
        S3Request::read(S3RequestParts {
            method: self.request.method,
            path: self.request.target().path,
            query,
            copy_source: self.fields.value(KnownHeader::CopySource),
            rename_source: self.fields.value(KnownHeader::RenameSource),
            is_form: auth_type == AuthType::PostPolicy,
        })
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "they are what a verdict depends on"
    )]
    fn v4(
        &self,
        auth_type: AuthType,
        asked: &S3Request<'_>,
        clients: &'r impl Clients,
        rules: &VerifyRules,
        keys: &mut KeyCache,
        now: Timestamp,
        claim: &mut ClaimedIdentity<'r>,
    ) -> Result<Proof<'r>, Rejection> {
        let mut buffers = DecodeBuffers::default();
        let v4 = match auth_type {
            AuthType::V4Query => self.v4_query(&mut buffers, claim)?,
            _ => self.v4_header(claim)?,
        };
        check_scope(&v4, asked, rules)?;
        v4.check_time(rules, now)?;

        let mut hash = Sha256Sink::default();
        let complete = self.put_canonical(&mut hash, &v4)?;
        let scope = v4.authorization.scope;
        let hash = hash.finish();

        let claimant = Claimant::find(clients, v4.authorization.access_key);
        let credential = claimant.credential();
        let mut found = keys.untrusted_key(credential, scope);
        let key = found.key();
        let signature = key.sign_request(&v4.date, &hash);
        let matches = signature.matches(v4.authorization.signature) && complete;
        let client = ProvenClient::new(claim.access_key, claimant.admit(matches)?);
        let region = scope.to_region();
        let proof = match v4.claim {
            V4Place::Header(HeaderPayload::Plain(payload)) => Proof::V4Header {
                client,
                region,
                body: SignedBody::Plain(payload),
            },
            V4Place::Header(HeaderPayload::Streaming(kind)) => Proof::V4Header {
                client,
                region,
                body: SignedBody::Streaming(Box::new(ChunkedBody {
                    streaming: Streaming::read(kind, self.fields)?,
                    chain: kind
                        .is_signed()
                        .then(|| Chain::new(key.clone(), v4.date, signature)),
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
            },
        };
        if let FoundKey::Derived(key) = found {
            keys.keep(credential, key);
        }
        Ok(proof)
    }

    #[inline(always)]
    fn v4_header(&self, claim: &mut ClaimedIdentity<'r>) -> Result<ClaimedV4<'r, 'r>, Rejection> {
        let authorization = Authorization::from_header(
            self.fields
                .value(KnownHeader::Authorization)
                .unwrap_or_default(),
        )
        .map_err(Rejection::HeaderMalformed)?;
        claim.access_key = authorization.access_key;
        let payload = self
            .fields
            .value(KnownHeader::ContentSha256)
            .ok_or(Rejection::MissingPayloadHash)?;
        let date = match self.fields.value(KnownHeader::AmzDate) {
            Some(date) => AmzDate::parse(date),
            None => self
                .fields
                .value(KnownHeader::Date)
                .and_then(Timestamp::parse)
                .map(AmzDate::from),
        };
        Ok(ClaimedV4 {
            authorization,
            date: date.ok_or(Rejection::MissingDate)?,
            claim: V4Place::Header(HeaderPayload::parse(payload)?),
        })
    }

    #[inline(always)]
    fn v4_query<'b>(
        &self,
        buffers: &'b mut DecodeBuffers,
        claim: &mut ClaimedIdentity<'r>,
    ) -> Result<ClaimedV4<'b, 'r>, Rejection>
    where
        'r: 'b,
    {
        let presigned =
            Presigned::from_query(&self.query, buffers).map_err(Rejection::QueryMalformed)?;
        claim.access_key = presigned.raw_access_key;
        let in_query = self.query.find(Role::ContentSha256);
        let payload = match (in_query, self.fields.value(KnownHeader::ContentSha256)) {
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
            claim: V4Place::Query {
                expires: presigned.expires,
                payload,
            },
        })
    }

    /// Puts what the client signed; `false` if a header that it signed is not there.
    #[inline(always)]
    fn put_canonical<S: Sink>(
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
            v4.claim.payload(),
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
                    .or(self.fields.value(KnownHeader::Host))
                    .is_none_or(put),
                Some(field) => self.fields.value(field).is_none_or(put),
                None => headers
                    .iter()
                    .filter(|header| header.name.eq_ignore_ascii_case(name))
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
        if !host_signed || signed != self.fields.to_be_signed {
            return Err(Rejection::UnsignedHeaders);
        }
        Ok(complete)
    }

    fn v2_header(
        &self,
        clients: &'r impl Clients,
        rules: &VerifyRules,
        now: Timestamp,
        claim: &mut ClaimedIdentity<'r>,
    ) -> Result<Proof<'r>, Rejection> {
        let malformed = || Rejection::HeaderMalformed(Malformed::Syntax);
        let authorization = self
            .fields
            .value(KnownHeader::Authorization)
            .unwrap_or_default();
        let value = authorization
            .strip_prefix(b"AWS ")
            .unwrap_or_default()
            .trim_ascii();
        let colon = memchr::memrchr(b':', value).ok_or_else(malformed)?;
        let (access_key, signature) = value.split_at(colon);
        claim.access_key = access_key;
        let date = self
            .fields
            .value(KnownHeader::AmzDate)
            .or(self.fields.value(KnownHeader::Date))
            .ok_or(Rejection::MissingDate)?;
        let time = Timestamp::parse(date).ok_or(Rejection::MissingDate)?;
        check_skew(time, rules, now)?;
        let v2 = ClaimedV2 {
            access_key: ArrayVec::try_from(access_key).map_err(|_| malformed())?,
            signature: signature.iter().skip(1).copied().take(29).collect(),
            date: if self.fields.value(KnownHeader::AmzDate).is_some() {
                b""
            } else {
                date
            },
        };
        let (client, payload) = self.v2(&v2, clients, claim)?;
        Ok(Proof::V2Header { client, payload })
    }

    fn v2_query(
        &self,
        clients: &'r impl Clients,
        now: Timestamp,
        claim: &mut ClaimedIdentity<'r>,
    ) -> Result<Proof<'r>, Rejection> {
        if self.query.is_ambiguous() {
            return Err(Rejection::QueryMalformed(Malformed::Repeated));
        }
        let find = |role| self.query.find(role).ok_or(Rejection::IncompleteV2Query);
        let raw_access_key = find(Role::V2AccessKey)?;
        let (signature, expires) = (find(Role::V2Signature)?, find(Role::V2Expires)?);
        if uri::is_canonical(raw_access_key, Part::Query) != Some(true) {
            return Err(Rejection::QueryMalformed(Malformed::Credential));
        }
        claim.access_key = raw_access_key;
        let end: i64 = std::str::from_utf8(expires)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or(Rejection::IncompleteV2Query)?;
        if end < now.0 {
            return Err(Rejection::RequestExpired);
        }
        let mut access_key = ArrayVec::new();
        uri::decoded(raw_access_key, Part::Query)
            .try_for_each(|byte| access_key.try_push(byte))
            .map_err(|_| Rejection::InvalidAccessKeyId)?;
        let v2 = ClaimedV2 {
            access_key,
            // Some clients leave the plus signs of base64 as they are; it has no spaces.
            signature: uri::decoded(signature, Part::Path).take(29).collect(),
            date: expires,
        };
        let (client, payload) = self.v2(&v2, clients, claim)?;
        Ok(Proof::V2Query { client, payload })
    }

    fn v2(
        &self,
        v2: &ClaimedV2<'r>,
        clients: &'r impl Clients,
        claim: &ClaimedIdentity<'r>,
    ) -> Result<(ProvenClient<'r>, Payload<'r>), Rejection> {
        let payload = self.unsigned_payload()?;
        if self
            .query
            .others()
            .any(|(name, _)| !v2::is_signed_parameter(name) && !v2::is_harmless_parameter(name))
        {
            return Err(Rejection::UnsignedParameter);
        }
        if v2::is_ambiguous(&self.query) {
            return Err(Rejection::AmbiguousParameter);
        }
        let claimant = Claimant::find(clients, &v2.access_key);
        let to_sign = v2::StringToSign {
            method: self.request.method,
            path: self.request.path,
            query: &self.query,
            headers: self.request.headers,
            date: v2.date,
        };
        let signature = v2::signature(claimant.credential().secret(), &to_sign, self.fields);
        let client = claimant.admit(signature.matches(&v2.signature))?;
        Ok((ProvenClient::new(claim.access_key, client), payload))
    }

    fn anonymous(&self) -> Result<Proof<'r>, Rejection> {
        let payload = self.unsigned_payload()?;
        Ok(Proof::Anonymous { payload })
    }

    /// The payload of a request whose form has no need of `x-amz-content-sha256`.
    fn unsigned_payload(&self) -> Result<Payload<'r>, Rejection> {
        let value = self.fields.value(KnownHeader::ContentSha256);
        value.map_or(Ok(Payload::Unsigned), Payload::parse)
    }
}

/// A V4 request before its signature is checked.
struct ClaimedV4<'a, 'r> {
    authorization: Authorization<'a>,
    date: AmzDate,
    claim: V4Place<'r>,
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
    /// The last line of the canonical request.
    fn payload(&self) -> &'r [u8] {
        match self {
            V4Place::Header(payload) => payload.as_bytes(),
            V4Place::Query { payload, .. } => payload.payload().as_bytes(),
        }
    }
}

impl ClaimedV4<'_, '_> {
    /// What to say of a fault in where it was claimed.
    fn malformed(&self, fault: Malformed) -> Rejection {
        match self.claim {
            V4Place::Header(_) => Rejection::HeaderMalformed(fault),
            V4Place::Query { .. } => Rejection::QueryMalformed(fault),
        }
    }

    fn check_time(&self, rules: &VerifyRules, now: Timestamp) -> Result<(), Rejection> {
        let date = self.date.timestamp();
        let V4Place::Query { expires, .. } = self.claim else {
            return check_skew(date, rules, now);
        };
        if date.0 > now.0.saturating_add(rules.max_skew) {
            return Err(Rejection::NotYetValid);
        }
        if now.0 > date.0.saturating_add(i64::from(expires)) {
            return Err(Rejection::RequestExpired);
        }
        Ok(())
    }
}

/// A V2 request before its signature is checked.
struct ClaimedV2<'a> {
    access_key: ArrayVec<u8, 256>,
    /// One byte longer than a signature, so that a longer one does not match.
    signature: ArrayVec<u8, 29>,
    date: &'a [u8],
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
    match check_region(rules, scope) {
        Err(_) if is_us_east_1 => Ok(()),
        checked => checked,
    }
}

pub(crate) fn check_region(rules: &VerifyRules, scope: ClaimedScope<'_>) -> Result<(), Rejection> {
    match &rules.region {
        Some(expected) if expected.as_bytes() != scope.region => Err(Rejection::WrongRegion {
            expected: *expected,
        }),
        _ => Ok(()),
    }
}

fn check_skew(date: Timestamp, rules: &VerifyRules, now: Timestamp) -> Result<(), Rejection> {
    if date.distance(now) > u64::try_from(rules.max_skew).unwrap_or(0) {
        return Err(Rejection::RequestTimeTooSkewed);
    }
    Ok(())
}

/// What S3 returns with a SignatureDoesNotMatch; neither holds a secret or a signature.
#[derive(Debug)]
pub struct Explanation {
    pub canonical_request: Vec<u8>,
    pub string_to_sign: Vec<u8>,
}

/// Computes again what a V4 request's signature was checked against, only where it is asked for;
/// `None` for other forms and for requests that could not be read.
pub fn explain(request: &ClientRequest<'_, '_>) -> Option<Explanation> {
    let (mut fields, mut parameters) = (KnownHeaders::default(), Parameters::new());
    let input = Candidate::read(request, &mut fields, &mut parameters).ok()?;
    let mut buffers = DecodeBuffers::default();
    let mut claim = ClaimedIdentity {
        access_key: b"",
        auth_type: None,
    };
    let v4 = match input.auth_type(&VerifyRules::default()).ok()? {
        AuthType::V4Header => input.v4_header(&mut claim).ok()?,
        AuthType::V4Query => input.v4_query(&mut buffers, &mut claim).ok()?,
        _ => return None,
    };
    let mut canonical_request = Vec::new();
    input.put_canonical(&mut canonical_request, &v4).ok()?;
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
