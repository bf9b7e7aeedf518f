//! Verifies V2 signatures, in the header and in the query.
use arrayvec::ArrayVec;

use super::candidate::{Candidate, ClaimedIdentity};
use crate::{
    address::{Address, BucketName},
    auth_type::AuthType,
    client::{Claim, Clients},
    date::Timestamp,
    error::{Malformed, Rejection},
    headers::KnownHeader,
    payload::Payload,
    proof::{Proof, ProvenClient},
    rules::VerifyRules,
    text::{
        query::Role,
        uri::{self, Part},
    },
    v2,
};

impl<'r> Candidate<'_, 'r> {
    pub(super) fn v2_header(
        &self,
        address: &Address<'_>,
        clients: impl Clients<'r>,
        rules: &VerifyRules,
        now: Timestamp,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<Proof<'r>, Rejection> {
        let malformed = || Rejection::HeaderMalformed(Malformed::Syntax);
        let authorization = self
            .known
            .value(KnownHeader::Authorization)
            .unwrap_or_default();
        let value = authorization
            .strip_prefix(b"AWS ")
            .unwrap_or_default()
            .trim_ascii();
        let colon = memchr::memrchr(b':', value).ok_or_else(malformed)?;
        let (access_key, signature) = value.split_at(colon);
        identity.access_key = access_key;
        let date = self
            .known
            .value(KnownHeader::AmzDate)
            .or(self.known.value(KnownHeader::Date))
            .ok_or(Rejection::MissingDate)?;
        let time = Timestamp::parse(date).ok_or(Rejection::MissingDate)?;
        rules.check_skew(time, now)?;
        let v2 = ClaimedV2 {
            signature: signature.iter().skip(1).copied().take(29).collect(),
            date: if self.known.value(KnownHeader::AmzDate).is_some() {
                b""
            } else {
                date
            },
        };
        let claim = Claim {
            access_key,
            session_token: self.session_token(AuthType::V2Header),
            now,
        };
        let (client, payload) = self.v2(&claim, &v2, address, clients)?;
        Ok(Proof::V2Header { client, payload })
    }

    pub(super) fn v2_query(
        &self,
        address: &Address<'_>,
        clients: impl Clients<'r>,
        rules: &VerifyRules,
        now: Timestamp,
        identity: &mut ClaimedIdentity<'r>,
    ) -> Result<Proof<'r>, Rejection> {
        let has_token = self.query.find(Role::V2SecurityToken).is_some();
        let has_token_header = self.known.value(KnownHeader::SecurityToken).is_some();
        if self.query.is_ambiguous() || has_token && has_token_header {
            return Err(Rejection::QueryMalformed(Malformed::Repeated));
        }
        let find = |role| self.query.find(role).ok_or(Rejection::IncompleteV2Query);
        let raw_access_key = find(Role::V2AccessKey)?;
        let (signature, expires) = (find(Role::V2Signature)?, find(Role::V2Expires)?);
        identity.access_key = raw_access_key;
        let end: i64 = std::str::from_utf8(expires)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or(Rejection::IncompleteV2Query)?;
        if end < now.0 {
            return Err(Rejection::RequestExpired);
        }
        // No one can tell when it was made.
        if rules.ends_too_late(Timestamp(end), now) {
            return Err(Rejection::NotYetValid);
        }
        let mut access_key = ArrayVec::<u8, 256>::new();
        uri::decoded(raw_access_key, Part::Query)
            .try_for_each(|byte| access_key.try_push(byte))
            .map_err(|_| Rejection::InvalidAccessKeyId)?;
        let v2 = ClaimedV2 {
            // Some clients leave the plus signs of base64 as they are; it has no spaces.
            signature: uri::decoded(signature, Part::Path).take(29).collect(),
            date: expires,
        };
        let claim = Claim {
            access_key: &access_key,
            session_token: self.session_token(AuthType::V2Query),
            now,
        };
        let (client, payload) = self.v2(&claim, &v2, address, clients)?;
        Ok(Proof::V2Query { client, payload })
    }

    fn v2(
        &self,
        claim: &Claim<'_>,
        v2: &ClaimedV2<'r>,
        address: &Address<'_>,
        clients: impl Clients<'r>,
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
        let to_sign = v2::StringToSign {
            method: self.request.method,
            bucket_in_host: address.bucket().map_or(b"", BucketName::as_bytes),
            path: self.request.path_with_plus.unwrap_or(self.request.path),
            query: &self.query,
            headers: self.request.headers,
            date: v2.date,
        };
        let (client, ()) = claim.admit(clients, |credential| {
            let signature = v2::signature(credential.secret(), &to_sign, self.known);
            signature.matches(&v2.signature).then_some(())
        })?;
        Ok((ProvenClient::new(client), payload))
    }
}

/// A V2 request before its signature is checked.
struct ClaimedV2<'a> {
    /// One byte longer than a signature, so that a longer one does not match.
    signature: ArrayVec<u8, 29>,
    date: &'a [u8],
}
