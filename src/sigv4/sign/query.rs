//! The query parameters of a presigned request that are written.
use arrayvec::ArrayVec;

use super::header::SignedHeaders;
use crate::{
    canonical::{self, ALGORITHM},
    credential::{Credential, SecretKey},
    date::AmzDate,
    proof::PresignedPayload,
    scope::Scope,
    text::{
        query::ParameterValue,
        sink::{Sink, put_number},
        uri::{self, EncodingSink, Part},
    },
};

/// What a presigned request is signed with.
pub(super) struct Presigning<'a> {
    pub(super) credential: &'a Credential,
    pub(super) session_token: Option<&'a SecretKey>,
    pub(super) scope: Scope<'a>,
    pub(super) date: &'a AmzDate,
    /// In seconds.
    pub(super) expires: u32,
    pub(super) payload: PresignedPayload<'a>,
    pub(super) headers: &'a SignedHeaders<'a>,
}

/// Each with its label, sorted.
pub(super) type AddedParameters<'a> = ArrayVec<(&'static [u8], AddedParameter<'a>), 7>;

impl<'a> Presigning<'a> {
    /// Lists the parameters in place, so that they are not moved.
    pub(super) fn list(self, added: &mut AddedParameters<'a>) {
        added.push((b"&X-Amz-Algorithm=", AddedParameter::Plain(ALGORITHM)));
        if let PresignedPayload::Query(payload) = self.payload {
            added.push((
                b"&X-Amz-Content-Sha256=",
                AddedParameter::Plain(payload.as_bytes()),
            ));
        }
        added.push((
            b"&X-Amz-Credential=",
            AddedParameter::Credential(self.credential, self.scope),
        ));
        added.push((b"&X-Amz-Date=", AddedParameter::Plain(self.date.as_bytes())));
        added.push((
            b"&X-Amz-Expires=",
            AddedParameter::Number(self.expires.into()),
        ));
        if let Some(token) = self.session_token {
            added.push((b"&X-Amz-Security-Token=", AddedParameter::Token(token)));
        }
        added.push((
            b"&X-Amz-SignedHeaders=",
            AddedParameter::SignedHeaders(self.headers),
        ));
    }
}

/// A query parameter of a presigned request.
pub(super) enum AddedParameter<'a> {
    /// Nothing in it needs percent-encoding.
    Plain(&'a [u8]),
    Number(u64),
    Credential(&'a Credential, Scope<'a>),
    Token(&'a SecretKey),
    SignedHeaders(&'a SignedHeaders<'a>),
}

impl ParameterValue for AddedParameter<'_> {
    fn put(&self, sink: &mut impl Sink) {
        match self {
            AddedParameter::Plain(text) => sink.put(text),
            AddedParameter::Number(number) => put_number(sink, *number),
            AddedParameter::Credential(credential, scope) => {
                uri::put_encoded(sink, credential.access_key(), Part::Query);
                scope.put_encoded(sink);
            }
            AddedParameter::Token(token) => uri::put_encoded(sink, token.expose(), Part::Query),
            AddedParameter::SignedHeaders(headers) => {
                canonical::put_names(&mut EncodingSink(sink), headers.iter().copied());
            }
        }
    }
}
