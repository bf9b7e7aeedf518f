//! Verifies the policy and the fields of a form.
use percent_encoding::percent_decode;

use super::{
    decoder::FormDecoder, fields::FormFields, pending::PendingForm, policy::Policy,
    verified_form::VerifiedForm,
};
use crate::{
    auth_type::AuthType,
    canonical::ALGORITHM,
    client::{Claim, Clients, SessionToken},
    crypto::signature::SignatureV4,
    date::{AmzDate, Timestamp},
    error::{Malformed, Rejection},
    grant::Grant,
    keys::{FoundKey, KeyCache},
    operation::Operation,
    proof::ProvenClient,
    region::Region,
    request::ClientRequest,
    resource::{ResourcePath, Separators, leaves_root},
    rules::VerifyRules,
    s3_request::{S3Request, S3RequestParts},
    scope::{ClaimedScope, S3},
    sse_c::OwnKeys,
    text::query::Query,
    text::uri::{self, Part},
    v2,
    verified::AdmittedRequest,
    verify::{ClaimedIdentity, Explanation, Rejected},
};

/// Verifies the policy and the signature of a form and checks it against its client's grant: the part of
/// [`verify`](crate::verify) for requests that it answers with [`Rejection::ProofInBody`]. `head` is a
/// copy of [`FormDecoder::head`] that lives as long as the request.
///
/// # Errors
/// With the [`Rejection`] to answer; the origin must not hear of such a request.
pub fn verify_form<'r>(
    request: &ClientRequest<'_, 'r>,
    form: &FormDecoder,
    head: &'r [u8],
    clients: impl Clients<'r>,
    rules: &'r VerifyRules,
    keys: &mut KeyCache,
    now: Timestamp,
) -> Result<PendingForm<'r>, Rejected<'r>> {
    let mut identity = ClaimedIdentity {
        access_key: b"",
        auth_type: Some(AuthType::PostPolicy),
        is_authenticated: false,
    };
    let input = FormCandidate {
        request,
        form,
        head,
        rules,
        now,
    };
    input
        .decide(clients, keys, &mut identity)
        .map_err(|rejection| Rejected {
            rejection,
            access_key: identity.access_key,
            auth_type: identity.auth_type,
            is_authenticated: identity.is_authenticated,
        })
}

/// Shows what the signature of a form is of, where it does not match: the policy, as it has come.
pub fn explain_form(form: &FormDecoder) -> Option<Explanation> {
    let fields = FormFields::read(form, form.head()?).ok()?;
    Some(Explanation {
        canonical_request: None,
        string_to_sign: fields.raw("policy")?.to_vec(),
    })
}

struct FormCandidate<'a, 'h, 'r> {
    request: &'a ClientRequest<'h, 'r>,
    form: &'a FormDecoder,
    head: &'r [u8],
    rules: &'r VerifyRules,
    now: Timestamp,
}

impl<'r> FormCandidate<'_, '_, 'r> {
    fn decide(
        &self,
        clients: impl Clients<'r>,
        keys: &mut KeyCache,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<PendingForm<'r>, Rejection> {
        let address = self.rules.endpoint.address(self.request.signed_host())?;
        // What a head must not have is checked again: this may be another request.
        let boundary = FormDecoder::new(self.request, &address)?;
        if boundary.boundary() != self.form.boundary() {
            return Err(Rejection::InternalError);
        }
        let mut fields = FormFields::read(self.form, self.head)?;
        let (client, region) = self.authenticate(&fields, clients, keys, identity)?;
        identity.is_authenticated = true;

        let policy = fields.raw("policy").ok_or(Rejection::AccessDenied)?;
        let policy = Policy::parse(policy)?;
        if self.now >= policy.expiration {
            return Err(Rejection::PolicyExpired);
        }
        // Of V2: no one can tell when it was made.
        let is_dated = fields.find("x-amz-date").is_some();
        if !is_dated && self.rules.ends_too_late(policy.expiration, self.now) {
            return Err(Rejection::NotYetValid);
        }
        let file = self.form.file().ok_or(Rejection::InternalError)?;
        let part = |place: &std::ops::Range<usize>| self.head.get(place.clone());
        fields.expand(part(&file.filename).unwrap_or_default())?;
        fields.check_values(self.form.boundary())?;
        let path = address.resource(self.request.target().path);
        let path = path.ok_or(Rejection::InvalidUri)?;
        let bucket = percent_decode(path.raw_bucket()).collect();
        let bucket = String::from_utf8(bucket).map_err(|_| Rejection::InvalidUri)?;
        let length = policy.check(&fields, &bucket)?;
        self.admit(client.grant, path, &fields)?;
        let is_plain = |value: &&[u8]| value.iter().all(|byte| matches!(byte, b' '..=b'~'));
        Ok(PendingForm {
            request: AdmittedRequest {
                method: b"POST",
                address: address.clone(),
                path: self.request.path,
                target: self.request.target(),
                operation: Operation::PostObject,
                source: None,
                is_plain: false,
                has_plus: self.request.path_with_plus.is_some(),
                // A form has nothing in its query.
                has_sealed_id: false,
                has_own_key: OwnKeys::read(fields.as_headers().into_iter()).target,
                rules: self.rules,
            },
            client,
            region,
            post: Box::new(VerifiedForm {
                bucket,
                fields: fields.into_passed(),
                expiration: policy.expiration,
                length,
                boundary: self.form.boundary().to_vec(),
                content_type: (file.content_type.as_ref())
                    .and_then(part)
                    .map(<[u8]>::trim_ascii)
                    .filter(is_plain),
                stored_length: 0,
            }),
        })
    }

    /// Decides whether the client may store the file under that key.
    fn admit(
        &self,
        grant: &Grant,
        path: ResourcePath<'_>,
        fields: &FormFields<'_>,
    ) -> Result<(), Rejection> {
        let asked = S3Request::read(S3RequestParts {
            method: self.request.method,
            path,
            query: &Query::NONE,
            copy_source: None,
            rename_source: None,
            is_form: true,
        })?;
        self.rules.check_name(&asked)?;
        let mut key = Vec::new();
        uri::put_encoded(&mut key, fields.find("key").unwrap_or_default(), Part::Path);
        if leaves_root(&key, Separators::Both) {
            return Err(Rejection::LeavesBucket);
        }
        match grant.permits_form(&asked, &key, &fields.as_headers()) {
            true => Ok(()),
            false => Err(Rejection::AccessDenied),
        }
    }

    /// Verifies who signed the policy. This is the one place that decides how: whatever is there must then
    /// verify so.
    fn authenticate(
        &self,
        fields: &FormFields<'r>,
        clients: impl Clients<'r>,
        keys: &mut KeyCache,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<(ProvenClient<'r>, Region), Rejection> {
        const V4: [&str; 4] = [
            "x-amz-algorithm",
            "x-amz-credential",
            "x-amz-date",
            "x-amz-signature",
        ];
        const V2: [&str; 2] = ["AWSAccessKeyId", "signature"];
        let has = |names: &[&str]| names.iter().any(|name| fields.find(name).is_some());
        match (has(&V4), has(&V2)) {
            (true, true) => Err(Rejection::SeveralMechanisms),
            (true, false) => self.v4(fields, clients, keys, identity),
            (false, true) if !self.rules.signature_v2 => Err(Rejection::SignatureV4Required),
            (false, true) => self.v2(fields, clients, identity),
            (false, false) => Err(Rejection::AccessDenied),
        }
    }

    fn v4(
        &self,
        fields: &FormFields<'r>,
        clients: impl Clients<'r>,
        keys: &mut KeyCache,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<(ProvenClient<'r>, Region), Rejection> {
        let find = |name| fields.raw(name).ok_or(Rejection::MissingField(name));
        let algorithm = find("x-amz-algorithm")?;
        let credential = find("x-amz-credential")?;
        let date = find("x-amz-date")?;
        let signature = find("x-amz-signature")?;
        let policy = find("policy")?;
        if algorithm != ALGORITHM {
            return Err(Rejection::FormMalformed(Malformed::Algorithm));
        }
        let (access_key, scope) =
            ClaimedScope::parse_credential(credential, S3).map_err(Rejection::FormMalformed)?;
        identity.access_key = access_key;
        let date = AmzDate::parse(date).ok_or(Rejection::FormMalformed(Malformed::Date))?;
        if scope.day != date.day() {
            return Err(Rejection::FormMalformed(Malformed::ScopeDate));
        }
        self.rules.check_region(scope, AuthType::PostPolicy)?;
        let date = date.timestamp();
        if date.0 > self.now.0.saturating_add(self.rules.max_skew) {
            return Err(Rejection::NotYetValid);
        }
        // Else it is for the policy to say.
        if self.rules.is_too_old(date, self.now) {
            return Err(Rejection::PolicyExpired);
        }

        let (client, ()) = self
            .claim(access_key, fields)
            .admit(clients, |credential| {
                let mut found = keys.untrusted_key(credential, scope);
                let computed = SignatureV4::of_mac(&found.key().mac().sign(policy));
                let matches = computed.matches(signature);
                if matches && let FoundKey::Derived(key) = found {
                    keys.keep(credential, key);
                }
                matches.then_some(())
            })?;
        Ok((ProvenClient::new(client), scope.to_region()))
    }

    fn v2(
        &self,
        fields: &FormFields<'r>,
        clients: impl Clients<'r>,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<(ProvenClient<'r>, Region), Rejection> {
        let find = |name| fields.raw(name).ok_or(Rejection::MissingField(name));
        let access_key = find("AWSAccessKeyId")?;
        let signature = find("signature")?;
        let policy = find("policy")?;
        identity.access_key = access_key;
        let (client, ()) = self
            .claim(access_key, fields)
            .admit(clients, |credential| {
                let computed = v2::policy_signature(credential.secret(), policy);
                computed.matches(signature).then_some(())
            })?;
        Ok((ProvenClient::new(client), Region::US_EAST_1))
    }

    fn claim<'a>(&self, access_key: &'a [u8], fields: &FormFields<'a>) -> Claim<'a> {
        let session_token = fields.raw("x-amz-security-token");
        Claim {
            access_key,
            session_token: session_token.map(SessionToken::plain),
            now: self.now,
        }
    }
}
