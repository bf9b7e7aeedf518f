//! Whether a request is let in.
use arrayvec::ArrayVec;

use crate::{
    admission::Admission,
    authorization::{Authorization, Buffers, Presigned},
    body::{BodyVerifier, EMPTY, HashCheck},
    bytes::same,
    cache::cache_key,
    canonical::{self, ALGORITHM},
    chunked::{Chain, Checksum, Decoder, Streaming},
    date::{AmzDate, Timestamp},
    endpoint,
    error::{Malformed, Rejection},
    form::Post,
    grant::{Claimant, Client, Clients, Grant},
    keys::{Found, KeyCache},
    operation::Operation,
    payload::Payload,
    query::{Parameters, Query, Role},
    request::{ClientRequest, Field, Fields, Header, Target, must_be_signed},
    s3_request::{Parts, S3Request},
    scope::{ClaimedScope, Region, ScopeText},
    sink::{Hashing, Sink},
    uri::{self, Part},
    v2,
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

/// A verified request; only [`verify`] and [`verify_form`](crate::verify_form) make one and only it
/// can be signed, bar a request of the proxy's own ([`crate::sign_own`]).
#[derive(Debug)]
pub struct Verified<'r> {
    auth_type: AuthType,
    access_key: &'r [u8],
    method: &'r [u8],
    pub(crate) path: &'r [u8],
    /// What goes out, as it was admitted.
    target: Target<'r>,
    operation: Operation,
    /// `None` for a request of the proxy's own.
    admission: Option<Admission<'r>>,
    /// Where the path is in its canonical form and the query holds nothing that is kept, the query.
    pub(crate) plain_query: Option<&'r [u8]>,
    /// The client's; `us-east-1` where its form has none.
    pub(crate) region: Region,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) payload: Payload<'r>,
    pub(crate) payload_place: PayloadPlace,
    verify_payload: bool,
    /// In a box, since most requests have none.
    upload: Option<Box<Upload>>,
    /// Likewise.
    post: Option<Box<Post<'r>>>,
}

/// A body in `aws-chunked` framing, announced by a head that was signed.
#[derive(Debug)]
struct Upload {
    streaming: Streaming,
    /// Of signed chunks.
    chain: Option<Chain>,
    checksum: Option<Checksum>,
}

/// From when and for how long a presigned V4 request is valid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) date: AmzDate,
    /// In seconds.
    pub(crate) expires: u32,
}

/// Where the client said what its payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadPlace {
    Header,
    Query,
    Nowhere,
}

impl<'r> Verified<'r> {
    pub(crate) fn of_form(
        access_key: &'r [u8],
        path: &'r [u8],
        target: Target<'r>,
        admission: Admission<'r>,
        region: Region,
        post: Box<Post<'r>>,
    ) -> Verified<'r> {
        Verified {
            auth_type: AuthType::PostPolicy,
            access_key,
            method: b"POST",
            path,
            target,
            operation: Operation::PostObject,
            admission: Some(admission),
            plain_query: None,
            region,
            lifetime: None,
            payload: Payload::Unsigned,
            payload_place: PayloadPlace::Nowhere,
            verify_payload: false,
            upload: None,
            post: Some(post),
        }
    }

    pub fn auth_type(&self) -> AuthType {
        self.auth_type
    }

    /// The client's; one from a query is percent-encoded, as it stands there. Empty for an
    /// anonymous request.
    pub fn access_key(&self) -> &'r [u8] {
        self.access_key
    }

    /// A request of the proxy's own, without a body, to be signed in the header.
    pub(crate) fn own(path: &'r [u8]) -> Verified<'r> {
        Verified {
            auth_type: AuthType::V4Header,
            access_key: b"",
            method: b"",
            path,
            target: Target { path, query: b"" },
            operation: Operation::Unknown,
            admission: None,
            plain_query: None,
            region: Region::US_EAST_1,
            lifetime: None,
            payload: Payload::EMPTY,
            payload_place: PayloadPlace::Header,
            verify_payload: false,
            upload: None,
            post: None,
        }
    }

    /// What the client asks for.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// For a list of buckets: who must not see all of them.
    pub fn sees_some_buckets(&self) -> Option<&'r Grant> {
        let grant = self.admission.and_then(|admission| admission.grant)?;
        (self.operation == Operation::ListBuckets && grant.is_confined_to_buckets())
            .then_some(grant)
    }

    /// The key under which a cache may keep the answer for other clients, as [`cache_key`] says; `None` also
    /// where `request` has become another one since it was admitted.
    pub fn cache_key(&self, request: &ClientRequest<'_, '_>, origin: &[u8]) -> Option<Vec<u8>> {
        let is_admitted = request.method == self.method && request.target() == self.target;
        is_admitted
            .then(|| cache_key(request, self.auth_type, origin))
            .flatten()
    }

    /// Whether a request line is that of the request that was admitted.
    pub(crate) fn is_admitted(&self, method: &[u8], target: &[u8]) -> bool {
        let Target { path, query } = self.target;
        let same_target = match target.split_at_checked(path.len()) {
            Some((start, [b'?', rest @ ..])) => start == path && rest == query,
            Some((start, [])) => start == path && query.is_empty(),
            _ => false,
        };
        // nginx makes a GET of a HEAD to fill its cache; the client gets what a HEAD gets.
        same_target && (method == self.method || method == b"GET" && self.method == b"HEAD")
    }

    /// What is asked by a method that goes out: nginx makes a GET of a HEAD to fill its cache.
    pub(crate) fn asked_method<'m>(&self, sent: &'m [u8]) -> &'m [u8] {
        match (self.method, sent) {
            (b"HEAD", b"GET") => b"HEAD",
            _ => sent,
        }
    }

    /// Decides once more on a request that goes out otherwise than it was admitted.
    pub(crate) fn admit<'h>(
        &self,
        parts: Parts<'_, '_>,
        headers: impl Iterator<Item = Header<'h>>,
    ) -> Result<(), Rejection> {
        let Some(admission) = self.admission else {
            return Ok(());
        };
        let method = self.asked_method(parts.method);
        let is_form = self.auth_type == AuthType::PostPolicy;
        let request = S3Request::read(Parts {
            method,
            is_form,
            ..parts
        })?;
        match is_form {
            // The fields are those that were admitted.
            true if uri::same_path(parts.path, self.target.path) => admission.check_name(&request),
            true => Err(Rejection::AccessDenied),
            false => admission.check(&request, parts.query, headers),
        }
    }

    /// The path in a target that is the very one that was verified, where path and query are in
    /// canonical form and there is nothing in the query but the signature.
    pub(crate) fn plain_path<'t>(&self, target: &'t [u8]) -> Option<&'t [u8]> {
        let query = self.plain_query?;
        let (path, behind) = target.split_at_checked(self.path.len())?;
        let same_query = match behind {
            [b'?', behind @ ..] => behind == query,
            _ => behind.is_empty() && query.is_empty(),
        };
        (same_query && same(path, self.path)).then_some(path)
    }

    /// What the head says of a body in `aws-chunked` framing; `None` for any other body.
    pub fn streaming(&self) -> Option<Streaming> {
        self.upload.as_ref().map(|upload| upload.streaming)
    }

    /// Whether a body of that length needs to be verified, by [`Verified::body`]; the length is
    /// `None` where it was not announced. What has no body has been checked by
    /// [`Verified::check_no_body`].
    pub fn is_body_verified(&self, length: Option<u64>) -> bool {
        self.upload.is_some() || self.expected_hash().is_some() && length != Some(0)
    }

    /// What the body must go through before it goes anywhere else; `None` if it may go as it is.
    pub fn body(&self, length: Option<u64>) -> Option<BodyVerifier> {
        if !self.is_body_verified(length) {
            return None;
        }
        match &self.upload {
            Some(upload) => {
                let decoder = Decoder::new(upload.streaming, upload.chain.clone());
                Some(BodyVerifier::Framed(decoder))
            }
            None => {
                let hash = self.expected_hash()?;
                Some(BodyVerifier::Hashed(HashCheck::new(*hash, length)))
            }
        }
    }

    /// To be asked of a request without a body, or with an empty one.
    ///
    /// # Errors
    /// If its hash is that of a body.
    pub fn check_no_body(&self) -> Result<(), Rejection> {
        match self.expected_hash() {
            Some(hash) if !hash.eq_ignore_ascii_case(EMPTY) => Err(Rejection::PayloadMismatch),
            _ => Ok(()),
        }
    }

    fn expected_hash(&self) -> Option<&[u8; 64]> {
        match &self.payload {
            Payload::Hash(hash) if self.verify_payload => Some(hash),
            _ => None,
        }
    }

    /// The checksum that the decoder found behind the body, where all of this was read before the
    /// head is signed: with a plain body it is sent as a header.
    pub fn set_checksum(&mut self, checksum: Checksum) {
        if let Some(upload) = &mut self.upload {
            upload.checksum = Some(checksum);
        }
    }

    pub(crate) fn checksum(&self) -> Option<&Checksum> {
        self.upload.as_ref()?.checksum.as_ref()
    }

    pub(crate) fn post(&self) -> Option<&Post<'r>> {
        self.post.as_deref()
    }

    /// Bytes of a browser's form that were to be stored, and follow the head that is signed.
    pub fn stored_length(&self) -> Option<u64> {
        self.post().map(Post::stored_length)
    }

    /// The key that a browser's form names, in canonical percent-encoding.
    pub fn form_key(&self) -> Option<Vec<u8>> {
        self.post().map(Post::encoded_key)
    }

    /// Where a browser's form wants the browser to be sent.
    pub fn form_redirect(&self) -> Option<&[u8]> {
        self.post()?.redirect()
    }
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
    let mut claim = Claim {
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
pub(crate) struct Claim<'r> {
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
    claim: &mut Claim<'r>,
) -> Result<Verified<'r>, Rejection> {
    let (mut fields, mut parameters) = (Fields::default(), Parameters::new());
    let input = Input::read(request, &mut fields, &mut parameters)?;
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
        AuthType::V2Header | AuthType::V2Query => {
            input.v2(auth_type, clients, rules, now, claim)?
        }
        AuthType::PostPolicy => return Err(Rejection::ProofInBody),
        AuthType::Anonymous if rules.anonymous => input.anonymous()?,
        AuthType::Anonymous => return Err(Rejection::AccessDenied),
    };
    let admission = Admission::new(rules, proof.client.map(|client| &client.grant));
    admission.check(&asked, query, request.headers.iter().copied())?;
    let is_plain = input.canonical_path && input.query.is_plain() && outgoing.is_none();
    Ok(Verified {
        auth_type,
        access_key: claim.access_key,
        method: request.method,
        path: request.path,
        target: request.target(),
        operation: asked.operation(),
        admission: Some(admission),
        plain_query: Some(request.query).filter(|_| is_plain),
        region: proof.region,
        lifetime: proof.lifetime,
        payload: proof.payload,
        payload_place: proof.payload_place,
        verify_payload: rules.verify_payload,
        upload: proof.upload,
        post: None,
    })
}

/// What a signature that matched has shown.
struct Proof<'c, 'r> {
    client: Option<&'c Client>,
    region: Region,
    lifetime: Option<Lifetime>,
    payload: Payload<'r>,
    payload_place: PayloadPlace,
    upload: Option<Box<Upload>>,
}

/// A request with its well-known parts found.
struct Input<'h, 'r> {
    request: &'h ClientRequest<'h, 'r>,
    fields: &'h Fields<'r>,
    query: Query<'h, 'r>,
    /// The path is in its canonical form as it is.
    canonical_path: bool,
}

impl<'h, 'r> Input<'h, 'r> {
    // Else it would be copied to its caller.
    #[inline(always)]
    fn read(
        request: &'h ClientRequest<'h, 'r>,
        fields: &'h mut Fields<'r>,
        parameters: &'h mut Parameters,
    ) -> Result<Input<'h, 'r>, Rejection> {
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
        Ok(Input {
            request,
            fields,
            query,
            canonical_path,
        })
    }

    /// The one place that decides how a request is signed; whatever is there must then verify in
    /// that form.
    fn auth_type(&self, rules: &VerifyRules) -> Result<AuthType, Rejection> {
        let authorization = self.fields.value(Field::Authorization).unwrap_or_default();
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
        let host = self.request.host.or(self.fields.value(Field::Host));
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
        S3Request::read(Parts {
            method: self.request.method,
            path: self.request.target().path,
            query,
            copy_source: self.fields.value(Field::CopySource),
            rename_source: self.fields.value(Field::RenameSource),
            is_form: auth_type == AuthType::PostPolicy,
        })
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "they are what a verdict depends on"
    )]
    fn v4<'c>(
        &self,
        auth_type: AuthType,
        asked: &S3Request<'_>,
        clients: &'c impl Clients,
        rules: &VerifyRules,
        keys: &mut KeyCache,
        now: Timestamp,
        claim: &mut Claim<'r>,
    ) -> Result<Proof<'c, 'r>, Rejection> {
        let mut buffers = Buffers::default();
        let v4 = match auth_type {
            AuthType::V4Query => self.v4_query(&mut buffers, claim)?,
            _ => self.v4_header(claim)?,
        };
        check_scope(&v4, asked, rules)?;
        v4.check_time(rules, now)?;

        let mut hash = Hashing::default();
        let complete = self.put_canonical(&mut hash, &v4)?;
        let scope = v4.authorization.scope;
        let hash = hash.finish();

        let claimant = Claimant::find(clients, v4.authorization.access_key);
        let credential = claimant.credential();
        let mut found = keys.untrusted_key(credential, scope);
        let key = found.key();
        let signature = key.sign_request(&v4.date, &hash);
        let matches = signature.matches(v4.authorization.signature) && complete;
        let client = claimant.admit(matches)?;
        let upload = match v4.payload {
            Payload::Streaming(kind) => Some(Box::new(Upload {
                streaming: Streaming::read(kind, self.fields)?,
                chain: kind
                    .is_signed()
                    .then(|| Chain::new(key.clone(), v4.date, signature)),
                checksum: None,
            })),
            _ => None,
        };
        if let Found::Derived(key) = found {
            keys.keep(credential, key);
        }
        Ok(Proof {
            client: Some(client),
            region: scope.to_region(),
            lifetime: v4.expires.map(|expires| Lifetime {
                date: v4.date,
                expires,
            }),
            payload: v4.payload,
            payload_place: v4.payload_place,
            upload,
        })
    }

    #[inline(always)]
    fn v4_header(&self, claim: &mut Claim<'r>) -> Result<V4<'r, 'r>, Rejection> {
        let authorization =
            Authorization::from_header(self.fields.value(Field::Authorization).unwrap_or_default())
                .map_err(Rejection::HeaderMalformed)?;
        claim.access_key = authorization.access_key;
        let payload = self
            .fields
            .value(Field::ContentSha256)
            .ok_or(Rejection::MissingPayloadHash)?;
        let date = match self.fields.value(Field::AmzDate) {
            Some(date) => AmzDate::parse(date),
            None => self
                .fields
                .value(Field::Date)
                .and_then(Timestamp::parse)
                .map(AmzDate::from),
        };
        Ok(V4 {
            authorization,
            date: date.ok_or(Rejection::MissingDate)?,
            expires: None,
            payload: Payload::parse(payload)?,
            payload_place: PayloadPlace::Header,
        })
    }

    #[inline(always)]
    fn v4_query<'b>(
        &self,
        buffers: &'b mut Buffers,
        claim: &mut Claim<'r>,
    ) -> Result<V4<'b, 'r>, Rejection>
    where
        'r: 'b,
    {
        let presigned =
            Presigned::from_query(&self.query, buffers).map_err(Rejection::QueryMalformed)?;
        claim.access_key = presigned.raw_access_key;
        let in_query = self.query.find(Role::ContentSha256);
        let (payload, payload_place) = match (in_query, self.fields.value(Field::ContentSha256)) {
            (Some(query), Some(header)) if query != header => {
                return Err(Rejection::PayloadHashConflict);
            }
            (Some(query), _) => (Payload::parse_unframed(query)?, PayloadPlace::Query),
            (None, Some(header)) => (Payload::parse_unframed(header)?, PayloadPlace::Header),
            (None, None) => (Payload::Unsigned, PayloadPlace::Nowhere),
        };
        Ok(V4 {
            authorization: presigned.authorization,
            date: presigned.date,
            expires: Some(presigned.expires),
            payload,
            payload_place,
        })
    }

    /// Puts what the client signed; `false` if a header that it signed is not there.
    #[inline(always)]
    fn put_canonical<S: Sink>(&self, sink: &mut S, v4: &V4<'_, '_>) -> Result<bool, Rejection> {
        canonical::put_request(
            sink,
            self.request.method,
            |sink| uri::put_path(sink, self.request.path, self.canonical_path),
            |sink| self.query.put_signed(sink),
            |sink| self.put_signed_headers(sink, v4),
            |sink| sink.put(v4.authorization.signed_headers()),
            v4.payload.as_bytes(),
        )
    }

    /// Finds the headers that the client signed, in the order in which it did.
    #[inline(always)]
    fn put_signed_headers(&self, sink: &mut impl Sink, v4: &V4<'_, '_>) -> Result<bool, Rejection> {
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
            let field = Field::named(name);
            host_signed |= field == Some(Field::Host);
            let are_lines = match field {
                Some(Field::Host) => (self.request.host)
                    .or(self.fields.value(Field::Host))
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

    fn v2<'c>(
        &self,
        auth_type: AuthType,
        clients: &'c impl Clients,
        rules: &VerifyRules,
        now: Timestamp,
        claim: &mut Claim<'r>,
    ) -> Result<Proof<'c, 'r>, Rejection> {
        let v2 = match auth_type {
            AuthType::V2Query => self.v2_query(now, claim)?,
            _ => self.v2_header(rules, now, claim)?,
        };
        let (payload, payload_place) = self.unsigned_payload()?;
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
        let to_sign = v2::ToSign {
            method: self.request.method,
            path: self.request.path,
            query: &self.query,
            headers: self.request.headers,
            date: v2.date,
        };
        let signature = v2::signature(claimant.credential().secret(), &to_sign, self.fields);
        let matches = signature.matches(&v2.signature);
        let client = claimant.admit(matches)?;
        Ok(Proof {
            client: Some(client),
            region: Region::US_EAST_1,
            lifetime: None,
            payload,
            payload_place,
            upload: None,
        })
    }

    fn v2_header(
        &self,
        rules: &VerifyRules,
        now: Timestamp,
        claim: &mut Claim<'r>,
    ) -> Result<V2<'r>, Rejection> {
        let malformed = || Rejection::HeaderMalformed(Malformed::Syntax);
        let authorization = self.fields.value(Field::Authorization).unwrap_or_default();
        let value = authorization
            .strip_prefix(b"AWS ")
            .unwrap_or_default()
            .trim_ascii();
        let colon = memchr::memrchr(b':', value).ok_or_else(malformed)?;
        let (access_key, signature) = value.split_at(colon);
        claim.access_key = access_key;
        let date = self
            .fields
            .value(Field::AmzDate)
            .or(self.fields.value(Field::Date))
            .ok_or(Rejection::MissingDate)?;
        let time = Timestamp::parse(date).ok_or(Rejection::MissingDate)?;
        check_skew(time, rules, now)?;
        Ok(V2 {
            access_key: ArrayVec::try_from(access_key).map_err(|_| malformed())?,
            signature: signature.iter().skip(1).copied().take(29).collect(),
            date: if self.fields.value(Field::AmzDate).is_some() {
                b""
            } else {
                date
            },
        })
    }

    fn v2_query(&self, now: Timestamp, claim: &mut Claim<'r>) -> Result<V2<'r>, Rejection> {
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
        // Some clients leave the plus signs of base64 as they are; it has no spaces.
        let signature = uri::decoded(signature, Part::Path).take(29).collect();
        Ok(V2 {
            access_key,
            signature,
            date: expires,
        })
    }

    fn anonymous<'c>(&self) -> Result<Proof<'c, 'r>, Rejection> {
        let (payload, payload_place) = self.unsigned_payload()?;
        Ok(Proof {
            client: None,
            region: Region::US_EAST_1,
            lifetime: None,
            payload,
            payload_place,
            upload: None,
        })
    }

    /// The payload of a request whose form has no need of `x-amz-content-sha256`.
    fn unsigned_payload(&self) -> Result<(Payload<'r>, PayloadPlace), Rejection> {
        match self.fields.value(Field::ContentSha256) {
            Some(value) => Ok((Payload::parse_unframed(value)?, PayloadPlace::Header)),
            None => Ok((Payload::Unsigned, PayloadPlace::Nowhere)),
        }
    }
}

/// A V4 request before its signature is checked.
struct V4<'a, 'r> {
    authorization: Authorization<'a>,
    date: AmzDate,
    /// Seconds; of a presigned request only.
    expires: Option<u32>,
    payload: Payload<'r>,
    payload_place: PayloadPlace,
}

impl V4<'_, '_> {
    /// What to say of a fault in where it was claimed.
    fn malformed(&self, fault: Malformed) -> Rejection {
        match self.expires {
            None => Rejection::HeaderMalformed(fault),
            Some(_) => Rejection::QueryMalformed(fault),
        }
    }

    fn check_time(&self, rules: &VerifyRules, now: Timestamp) -> Result<(), Rejection> {
        let date = self.date.timestamp();
        let Some(expires) = self.expires else {
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
struct V2<'a> {
    access_key: ArrayVec<u8, 256>,
    /// One byte longer than a signature, so that a longer one does not match.
    signature: ArrayVec<u8, 29>,
    date: &'a [u8],
}

fn check_scope(
    v4: &V4<'_, '_>,
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
    let (mut fields, mut parameters) = (Fields::default(), Parameters::new());
    let input = Input::read(request, &mut fields, &mut parameters).ok()?;
    let mut buffers = Buffers::default();
    let mut claim = Claim {
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
    let mut hash = Hashing::default();
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
