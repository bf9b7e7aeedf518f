//! A request that is about to be verified.
use crate::{
    address::Address,
    auth_type::AuthType,
    canonical::ALGORITHM,
    client::SessionToken,
    error::Rejection,
    headers::{KnownHeader, KnownHeaders},
    payload::{HeaderPayload, Payload},
    preflight::Preflight,
    proof::Proof,
    region::Region,
    request::{ClientRequest, Target},
    rules::{Anonymous, VerifyRules},
    s3_request::{S3Request, S3RequestParts},
    text::{
        query::{Parameters, Query, Role},
        uri::{self, Part},
    },
};

/// Who a request says it is from, noted as soon as it is read.
pub(crate) struct ClaimedIdentity<'r> {
    pub(crate) access_key: &'r [u8],
    pub(crate) auth_type: Option<AuthType>,
    /// Its signature was right.
    pub(crate) is_authenticated: bool,
}

/// A request with its well-known parts found.
pub(super) struct Candidate<'h, 'r> {
    pub(super) request: &'h ClientRequest<'h, 'r>,
    pub(super) known: &'h KnownHeaders<'r>,
    pub(super) query: Query<'h, 'r>,
    /// The path is in its canonical form as it is.
    pub(super) canonical_path: bool,
}

impl<'h, 'r> Candidate<'h, 'r> {
    // Else it would be copied to its caller.
    #[inline(always)]
    pub(super) fn read(
        request: &'h ClientRequest<'h, 'r>,
        known: &'h mut KnownHeaders<'r>,
        parameters: &'h mut Parameters,
    ) -> Result<Candidate<'h, 'r>, Rejection> {
        known.read(request.headers)?;
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
            known,
            query,
            canonical_path,
        })
    }

    /// Decides how a request is signed. This is the one place that does: whatever is there must then verify
    /// so.
    pub(super) fn auth_type(&self, rules: &VerifyRules) -> Result<AuthType, Rejection> {
        // If its query is signed, the signature is for the request that is to follow.
        if Preflight::read(self.request).is_some() {
            return Ok(AuthType::Preflight);
        }
        let authorization = self
            .known
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
            [false, false, false, false] if self.known.is_browser_form(self.request.method) => {
                AuthType::PostPolicy
            }
            [false, false, false, false] => match rules.anonymous {
                Anonymous::Signed { .. } => AuthType::Granted,
                Anonymous::PassedOn | Anonymous::Rejected => AuthType::Anonymous,
            },
            _ => return Err(Rejection::SeveralMechanisms),
        };
        match auth_type {
            AuthType::V2Header | AuthType::V2Query if !rules.signature_v2 => {
                Err(Rejection::SignatureV4Required)
            }
            auth_type => Ok(auth_type),
        }
    }

    /// Reads the session token from where the signature is.
    pub(super) fn session_token(&self, auth_type: AuthType) -> Option<SessionToken<'r>> {
        match auth_type {
            AuthType::V4Query => {
                let raw = self.query.find(Role::SecurityToken);
                raw.map(SessionToken::in_query)
            }
            AuthType::V2Query => {
                let raw = self.query.find(Role::V2SecurityToken);
                raw.map(SessionToken::in_query)
            }
            _ => {
                let value = self.known.value(KnownHeader::SecurityToken);
                value.map(SessionToken::plain)
            }
        }
    }

    /// Reads how it is addressed.
    pub(super) fn address<'e>(&self, rules: &'e VerifyRules) -> Result<Address<'e>, Rejection> {
        let host = self.request.host.or(self.known.value(KnownHeader::Host));
        rules.endpoint.address(host.unwrap_or_default())
    }

    /// Reads the query that goes out if it is not the client's.
    pub(super) fn outgoing<'s>(
        &self,
        room: &'s mut Parameters,
    ) -> Result<Option<Query<'s, 'r>>, Rejection> {
        let Some(Target { path, query }) = self.request.rewritten else {
            return Ok(None);
        };
        uri::is_canonical(path, Part::Path).ok_or(Rejection::InvalidUri)?;
        // A rewrite has taken a space for a plus.
        if self.request.path_with_plus.is_some() {
            return Err(Rejection::InvalidUri);
        }
        Ok(Some(Query::parse_others(query, room)?))
    }

    /// Reads what is asked for, by the `query` that goes out.
    pub(super) fn asked<'a>(
        &self,
        address: &'a Address<'_>,
        query: &Query<'_, 'a>,
        auth_type: AuthType,
    ) -> Result<S3Request<'a>, Rejection>
    where
        'r: 'a,
    {
        let path = address.resource(self.request.target().path);
        S3Request::read(S3RequestParts {
            method: self.request.method,
            path: path.ok_or(Rejection::InvalidUri)?,
            query,
            copy_source: self.known.value(KnownHeader::CopySource),
            rename_source: self.known.value(KnownHeader::RenameSource),
            is_form: auth_type == AuthType::PostPolicy,
        })
    }

    pub(super) fn preflight(&self) -> Result<Proof<'r>, Rejection> {
        let preflight = Preflight::read(self.request).ok_or(Rejection::AccessDenied)?;
        Ok(Proof::Preflight(preflight))
    }

    pub(super) fn unsigned(&self, rules: &'r VerifyRules) -> Result<Proof<'r>, Rejection> {
        match &rules.anonymous {
            Anonymous::Rejected => Err(match self.known.value(KnownHeader::Authorization) {
                // No scheme has its credentials so.
                Some(value) if !value.is_empty() && memchr::memchr(b' ', value).is_none() => {
                    Rejection::NoCredentials
                }
                _ => Rejection::AccessDenied,
            }),
            Anonymous::PassedOn => Ok(Proof::Anonymous {
                payload: self.anonymous_payload()?,
            }),
            Anonymous::Signed { grant, account } => Ok(Proof::Granted {
                grant,
                account: account.as_ref(),
                region: rules.region.unwrap_or(Region::US_EAST_1),
                payload: self.anonymous_payload()?,
            }),
        }
    }

    /// Reads the payload of a request that nobody has signed.
    fn anonymous_payload(&self) -> Result<Payload<'r>, Rejection> {
        let value = self.known.value(KnownHeader::ContentSha256);
        let payload = value.map_or(Ok(HeaderPayload::Plain(Payload::Unsigned)), |value| {
            HeaderPayload::parse(value)
        });
        match payload {
            Ok(HeaderPayload::Plain(payload)) => Ok(payload),
            // A chain of signatures begins with that of the request.
            Ok(HeaderPayload::Streaming(kind)) if kind.is_signed() => {
                Err(Rejection::AnonymousStreaming)
            }
            Ok(HeaderPayload::Streaming(_)) => Err(Rejection::NotImplemented),
            Err(Rejection::NotImplemented) => Err(Rejection::AnonymousStreaming),
            // As S3, which takes anything else for a hash, and compares it with that of the body.
            Err(Rejection::InvalidPayloadHash) => Err(Rejection::PayloadMismatch(None)),
            Err(rejection) => Err(rejection),
        }
    }

    /// Reads the payload of a request that needs no `x-amz-content-sha256`.
    pub(super) fn unsigned_payload(&self) -> Result<Payload<'r>, Rejection> {
        let value = self.known.value(KnownHeader::ContentSha256);
        value.map_or(Ok(Payload::Unsigned), Payload::parse)
    }
}
