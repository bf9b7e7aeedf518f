//! What a verified request is: the request as it was admitted, and the proof of who sent it.
use crate::{
    account::Account,
    address::Address,
    admission::Admission,
    auth_type::AuthType,
    body::{BodyVerifier, HashCheck},
    bucket_configuration::{self, BucketConfiguration},
    checksum::Checksum,
    chunked::decoder::Decoder,
    chunked::streaming::Streaming,
    completed_parts::{self, CompletedParts},
    crypto::sha256::EMPTY,
    digests::Digests,
    document::{Document, GatheredBody, check_body},
    error::Rejection,
    grant::Grant,
    header_fate::{checksum_header, tells_no_checksum},
    opened::OpenedId,
    operation::Operation,
    origin::Origin,
    payload::Payload,
    post_object::verified_form::VerifiedForm,
    preflight::Preflight,
    proof::{ChunkedBody, Proof, SignedBody},
    region::Region,
    request::{Header, Target},
    rules::VerifyRules,
    s3_request::{S3Request, S3RequestParts},
    text::bytes::same,
    text::uri,
    upload::Upload,
};

/// A verified request; only [`verify`](crate::verify) and [`verify_form`](crate::verify_form) make
/// one and only it can be signed, except for a request of the proxy's own ([`crate::sign_own`]).
#[derive(Debug)]
pub struct Verified<'r> {
    pub(crate) request: AdmittedRequest<'r>,
    pub(crate) proof: Proof<'r>,
    /// The body, if that is written again. In a box, since nearly no request has it.
    pub(crate) document: Option<Box<Document>>,
    /// The digests for origins that read other ones than the client sends. In a box, likewise.
    pub(crate) digests: Option<Box<Digests>>,
    /// The answer has to be read on its way.
    pub(crate) reads_answer: bool,
    /// The id in its query that was sealed here. In a box, likewise.
    pub(crate) opened: Option<Box<OpenedId<'r>>>,
}

/// A request as it was admitted.
#[derive(Debug)]
pub(crate) struct AdmittedRequest<'r> {
    pub(crate) method: &'r [u8],
    pub(crate) address: Address<'r>,
    /// The client's, which may have been rewritten since.
    pub(crate) path: &'r [u8],
    /// What goes out.
    pub(crate) target: Target<'r>,
    pub(crate) operation: Operation,
    /// What is copied or moved, as a header names it.
    pub(crate) source: Option<&'r [u8]>,
    /// The target is the client's, its path is in its canonical form, and nothing in its query is kept.
    pub(crate) is_plain: bool,
    /// The client's path was sent with a `+` in it, which is a space.
    pub(crate) has_plus: bool,
    /// The target's query has an id that was sealed, here or by another such proxy.
    pub(crate) has_sealed_id: bool,
    /// It has a key of the client's by which its object is encrypted; noted only if the rules have such keys too.
    pub(crate) has_own_key: bool,
    pub(crate) rules: &'r VerifyRules,
}

impl AdmittedRequest<'_> {
    /// Whether the target of a request line is what was admitted.
    pub(crate) fn is_target(&self, target: &[u8]) -> bool {
        let Target { path, query } = self.target;
        let Some((start, rest)) = target.split_at_checked(path.len()) else {
            return false;
        };
        same(start, path)
            && match rest {
                [b'?', rest @ ..] => rest == query,
                _ => rest.is_empty() && query.is_empty(),
            }
    }

    /// Whether a method that goes out is what was admitted.
    pub(crate) fn is_method(&self, method: &[u8]) -> bool {
        method == self.method || self.asked_method(method) == self.method
    }

    /// Returns what is asked by a method that goes out: nginx makes a GET of a HEAD to fill its cache, and
    /// the client gets what a HEAD gets.
    pub(crate) fn asked_method<'m>(&self, sent: &'m [u8]) -> &'m [u8] {
        match (self.method, sent) {
            (b"HEAD", b"GET") => b"HEAD",
            _ => sent,
        }
    }
}

impl<'r> Verified<'r> {
    pub fn auth_type(&self) -> AuthType {
        match self.proof {
            Proof::V4Header { .. } => AuthType::V4Header,
            Proof::V4Query { .. } => AuthType::V4Query,
            Proof::V2Header { .. } => AuthType::V2Header,
            Proof::V2Query { .. } => AuthType::V2Query,
            Proof::PostPolicy { .. } => AuthType::PostPolicy,
            Proof::Anonymous { .. } => AuthType::Anonymous,
            Proof::Granted { .. } => AuthType::Granted,
            Proof::Preflight(_) => AuthType::Preflight,
        }
    }

    /// Returns the client's access key. Empty for a request without a client.
    pub fn access_key(&self) -> &'r [u8] {
        let client = self.proof.client();
        client.map_or(b"", |client| client.access_key)
    }

    /// Returns the account with whose keys it goes out; `None` for the keys that belong to no account.
    pub fn account(&self) -> Option<&'r Account> {
        self.proof.account()
    }

    /// Whether it may be signed with the keys of this origin: those of its account, or, without one, those of none.
    /// What goes out unsigned uses no keys, so it may go to any.
    pub fn may_use_keys_of(&self, origin: &Origin) -> bool {
        match self.proof {
            Proof::Anonymous { .. } | Proof::Preflight(_) => true,
            _ => self.account() == origin.account.as_ref(),
        }
    }

    /// Checks a request that may go to these origins.
    ///
    /// # Errors
    /// If none of them has keys for its account.
    pub fn check_account<'o>(
        &self,
        mut origins: impl Iterator<Item = &'o Origin>,
    ) -> Result<(), Rejection> {
        match origins.any(|origin| self.may_use_keys_of(origin)) {
            true => Ok(()),
            false => Err(Rejection::NoKeysOfAccount),
        }
    }

    /// Returns what a preflight asks for; `None` for any other request.
    pub fn preflight(&self) -> Option<Preflight<'r>> {
        match self.proof {
            Proof::Preflight(preflight) => Some(preflight),
            _ => None,
        }
    }

    /// Returns what the client asks for.
    pub fn operation(&self) -> Operation {
        self.request.operation
    }

    /// Returns the grant of a client that must not see all of the buckets that it lists.
    pub fn sees_some_buckets(&self) -> Option<&'r Grant> {
        if self.request.operation != Operation::ListBuckets {
            return None;
        }
        (self.proof.grant()).filter(|grant| grant.is_confined_to_buckets())
    }

    /// Returns the region that the client is told if it asks where buckets are, and must sign for one.
    pub fn told_region(&self) -> Option<&'r Region> {
        let asks = matches!(
            self.request.operation,
            Operation::GetBucketLocation | Operation::ListBuckets
        );
        self.request.rules.region.as_ref().filter(|_| asks)
    }

    /// Returns what gathers the body if one of these origins must get another one: where it creates a bucket in the
    /// region that clients sign for, and must create it in another one, or tells an origin checksums that reads none.
    pub fn rewritten_body<'o>(
        &self,
        mut origins: impl Iterator<Item = &'o Origin>,
    ) -> Option<GatheredBody> {
        let limit = match (self.request.operation, self.region_of_new_bucket()) {
            (Operation::CompleteMultipartUpload, _) => {
                let drops = origins.any(|origin| origin.dialect.drops_checksums());
                (drops && self.streaming().is_none()).then_some(completed_parts::MAX_BODY)
            }
            (_, Some(region)) => origins
                .any(|origin| origin.region.is_some_and(|there| there != *region))
                .then_some(bucket_configuration::MAX_BODY),
            _ => None,
        };
        limit.map(GatheredBody::new)
    }

    fn region_of_new_bucket(&self) -> Option<&'r Region> {
        let is_signed = !matches!(self.proof, Proof::Anonymous { .. });
        (self.request.rules.region.as_ref())
            .filter(|_| self.request.operation == Operation::CreateBucket && is_signed)
    }

    /// Reads a body that goes out as another one then.
    ///
    /// # Errors
    /// If it is not what was signed, cannot be read, or is for another region.
    pub fn rewrite<'h>(
        &mut self,
        body: &[u8],
        headers: impl Iterator<Item = Header<'h>> + Clone,
    ) -> Result<(), Rejection> {
        let payload = self.proof.payload().ok_or(Rejection::NotImplemented)?;
        let document = match self.request.operation {
            Operation::CompleteMultipartUpload => {
                // That of the whole object, whose data is not here.
                let is_checksum = |header: Header<'_>| {
                    checksum_header(header.name).is_some_and(|name| !tells_no_checksum(&name))
                };
                if headers.clone().any(is_checksum) {
                    return Err(Rejection::NotImplemented);
                }
                check_body(body, payload, headers)?;
                Document::Parts(CompletedParts::read(body))
            }
            _ => {
                let region = self.region_of_new_bucket();
                let region = region.ok_or(Rejection::InternalError)?;
                check_body(body, payload, headers)?;
                Document::Bucket(BucketConfiguration::read(body, region)?)
            }
        };
        self.document = Some(Box::new(document));
        Ok(())
    }

    /// Takes note of the origin before the request is signed for it: writes a body that is written again. If the
    /// document that answers is read on its way, it must not be encoded.
    pub fn prepare(&mut self, origin: &Origin, reads_answer: bool) {
        self.reads_answer = reads_answer;
        if let Some(document) = &mut self.document {
            document.prepare(origin, self.proof.region());
        }
    }

    /// Counts the bytes of the client's body that follow the head that is signed, if its body is written again.
    pub fn kept_length(&self) -> Option<u64> {
        match self.document {
            Some(_) => Some(0),
            None => self.stored_length(),
        }
    }

    /// Returns how the client has addressed it.
    pub fn address(&self) -> &Address<'r> {
        &self.request.address
    }

    /// Checks again a request that goes out otherwise than it was admitted; returns what it asks for. `sent_path`
    /// is the path as nginx has written it.
    pub(crate) fn admit<'h>(
        &self,
        parts: S3RequestParts<'_, '_>,
        sent_path: &[u8],
        headers: impl Iterator<Item = Header<'h>> + Clone,
    ) -> Result<Operation, Rejection> {
        let admission = Admission::new(self.request.rules, &self.proof);
        let method = self.request.asked_method(parts.method);
        let is_form = matches!(self.proof, Proof::PostPolicy { .. });
        let asked = S3Request::read(S3RequestParts {
            method,
            is_form,
            ..parts
        })?;
        match is_form {
            // The fields are those that were admitted.
            true if uri::same_path(sent_path, self.request.target.path) => {
                self.request.rules.check_name(&asked)
            }
            true => Err(Rejection::AccessDenied),
            false => admission.check(&asked, parts.query, headers),
        }?;
        Ok(asked.operation())
    }

    fn upload(&self) -> Option<&ChunkedBody> {
        match &self.proof {
            Proof::V4Header {
                body: SignedBody::Streaming(upload),
                ..
            } => Some(upload),
            _ => None,
        }
    }

    fn post(&self) -> Option<&VerifiedForm<'r>> {
        match &self.proof {
            Proof::PostPolicy { post, .. } => Some(post),
            _ => None,
        }
    }

    /// Returns what the head says of a body in `aws-chunked` framing; `None` for any other body.
    pub fn streaming(&self) -> Option<Streaming> {
        self.upload().map(|upload| upload.streaming)
    }

    /// Whether a body of that length needs to be verified, by [`Verified::body`]; the length is
    /// `None` where it was not announced. What has no body has been checked by
    /// [`Verified::check_no_body`].
    pub fn is_body_verified(&self, length: Option<u64>) -> bool {
        let has_hash = self.expected_hash().is_some() || self.is_digested();
        self.document.is_none() && (self.upload().is_some() || has_hash && length != Some(0))
    }

    /// Returns what the body must go through before it goes anywhere else; `None` if it may go as it is.
    pub fn body(&self, length: Option<u64>) -> Option<BodyVerifier> {
        if let Some(upload) = self.upload() {
            let mut decoder = Decoder::new(upload.streaming, upload.chain.clone());
            if self.request.rules.rejects_small_chunks {
                decoder.reject_small_chunks();
            }
            return Some(BodyVerifier::Framed(decoder));
        }
        if !self.is_body_verified(length) {
            return None;
        }
        let hash = self.expected_hash().copied();
        Some(BodyVerifier::Hashed(HashCheck::new(hash, length)))
    }

    /// Does what [`Verified::body`] does, with the digests that are computed besides.
    pub fn upload_of(&self, length: Option<u64>) -> Option<Upload> {
        let body = self.body(length)?;
        let digesting = self.digests.as_ref().and_then(|digests| digests.start());
        Some(Upload::with_digests(body, digesting))
    }

    fn is_digested(&self) -> bool {
        let digests = self.digests.as_ref();
        digests.is_some_and(|digests| digests.are_needed())
    }

    /// Checks a request without a body, or with an empty one.
    ///
    /// # Errors
    /// If its hash is the hash of a body.
    pub fn check_no_body(&self) -> Result<(), Rejection> {
        match self.expected_hash() {
            Some(hash) if !hash.eq_ignore_ascii_case(EMPTY) => {
                Err(Rejection::PayloadMismatch(Some((*EMPTY).into())))
            }
            _ => Ok(()),
        }
    }

    /// Checks a request that has a body, or may have one.
    ///
    /// # Errors
    /// If it must not have one: nobody vouches for a preflight.
    pub fn check_body(&self) -> Result<(), Rejection> {
        match self.proof {
            Proof::Preflight(_) => Err(Rejection::AccessDenied),
            _ => Ok(()),
        }
    }

    fn expected_hash(&self) -> Option<&'r [u8; 64]> {
        match self.proof.payload() {
            Some(Payload::Hash(hash)) if self.request.rules.verify_payload => Some(hash),
            _ => None,
        }
    }

    /// Takes note of what is known of a body that was read, and verified, before the head is signed: of the checksum
    /// after it, which is sent as a header with a plain body, and of the size of its chunks.
    pub fn set_body_verified(&mut self, checksum: Option<Checksum>, chunk_size: Option<u64>) {
        if let Proof::V4Header {
            body: SignedBody::Streaming(upload),
            ..
        } = &mut self.proof
        {
            upload.checksum = checksum;
            upload.chunk_size = chunk_size;
        }
    }

    /// Counts the bytes of a browser's form that were to be stored, and follow the head that is signed.
    pub fn stored_length(&self) -> Option<u64> {
        self.post().map(VerifiedForm::stored_length)
    }

    /// Returns the key that a browser's form names, in canonical percent-encoding.
    pub fn form_key(&self) -> Option<Vec<u8>> {
        self.post().map(VerifiedForm::encoded_key)
    }

    /// Returns where a browser's form wants the browser to be sent.
    pub fn form_redirect(&self) -> Option<&[u8]> {
        self.post()?.redirect()
    }
}
