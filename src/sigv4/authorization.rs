//! What a V4 request claims: credential, scope, signed headers, signature.
//!
//! Header: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>,
//! query: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
use arrayvec::ArrayVec;

use crate::{
    canonical::ALGORITHM,
    date::AmzDate,
    error::Malformed,
    query::{Query, Role},
    request::split_lower_token,
    scope::Scope,
    uri::{self, Part},
};

/// The longest that a presigned request may be valid, in seconds: 7 days.
pub(crate) const MAX_EXPIRES: u32 = 604_800;

pub(crate) struct Authorization<'a> {
    /// Decoded.
    pub(crate) access_key: &'a [u8],
    pub(crate) scope: Scope<'a>,
    signed_headers: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> Authorization<'a> {
    /// Reads an `Authorization` header that begins with the algorithm. Some clients (s3cmd) leave
    /// out the spaces behind the commas.
    pub(crate) fn from_header(value: &'a [u8]) -> Result<Authorization<'a>, Malformed> {
        let fields = value.strip_prefix(ALGORITHM).ok_or(Malformed::Algorithm)?;
        if !fields.starts_with(b" ") {
            return Err(Malformed::Algorithm);
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        let mut rest = Some(fields);
        while let Some(fields) = rest {
            let comma = memchr::memchr(b',', fields);
            let (field, behind) = fields.split_at(comma.unwrap_or(fields.len()));
            rest = behind.get(1..);
            let field = field.trim_ascii();
            let (slot, value) = if let Some(value) = field.strip_prefix(b"Credential=") {
                (&mut credential, value)
            } else if let Some(value) = field.strip_prefix(b"SignedHeaders=") {
                (&mut signed_headers, value)
            } else if let Some(value) = field.strip_prefix(b"Signature=") {
                (&mut signature, value)
            } else {
                return Err(Malformed::Syntax);
            };
            if slot.replace(value).is_some() {
                return Err(Malformed::Repeated);
            }
        }
        Authorization::new(
            credential.ok_or(Malformed::Syntax)?,
            signed_headers.ok_or(Malformed::Syntax)?,
            signature.ok_or(Malformed::Syntax)?,
        )
    }

    fn new(
        credential: &'a [u8],
        signed_headers: &'a [u8],
        signature: &'a [u8],
    ) -> Result<Authorization<'a>, Malformed> {
        let (access_key, scope) = Scope::parse_credential(credential)?;
        if signature.is_empty() {
            return Err(Malformed::Signature);
        }
        Ok(Authorization {
            access_key,
            scope,
            signed_headers,
            signature,
        })
    }

    /// The names of the signed headers: lower case, strictly ascending.
    pub(crate) fn names(&self) -> Names<'a> {
        Names {
            rest: Some(self.signed_headers),
            last: b"",
        }
    }

    /// SignedHeaders: the names with `;` between them.
    pub(crate) fn signed_headers(&self) -> &'a [u8] {
        self.signed_headers
    }
}

/// Reads the names of the signed headers one by one.
pub(crate) struct Names<'a> {
    rest: Option<&'a [u8]>,
    last: &'a [u8],
}

impl<'a> Iterator for Names<'a> {
    type Item = Result<&'a [u8], Malformed>;

    #[inline(always)]
    fn next(&mut self) -> Option<Result<&'a [u8], Malformed>> {
        let (name, behind) = split_lower_token(self.rest?);
        self.rest = match behind {
            [b';', rest @ ..] => Some(rest),
            [] => None,
            _ => return Some(Err(Malformed::SignedHeaders)),
        };
        if name <= self.last {
            return Some(Err(Malformed::SignedHeaders));
        }
        self.last = name;
        Some(Ok(name))
    }
}

/// What a presigned request claims.
pub(crate) struct Presigned<'a> {
    pub(crate) authorization: Authorization<'a>,
    pub(crate) date: AmzDate,
    /// Seconds, 1 to `MAX_EXPIRES`.
    pub(crate) expires: u32,
}

/// Holds what the query has in percent-encoding.
#[derive(Default)]
pub(crate) struct Buffers {
    credential: ArrayVec<u8, 256>,
    signed_headers: ArrayVec<u8, 4096>,
}

impl<'a> Presigned<'a> {
    pub(crate) fn from_query(
        query: &Query<'_, 'a>,
        buffers: &'a mut Buffers,
    ) -> Result<Presigned<'a>, Malformed> {
        if query.is_ambiguous() {
            return Err(Malformed::Repeated);
        }
        let find = |role| query.find(role).ok_or(Malformed::Missing);
        let (algorithm, date, expires) = (
            find(Role::Algorithm)?,
            find(Role::Date)?,
            find(Role::Expires)?,
        );
        let (credential, signed_headers, signature) = (
            find(Role::Credential)?,
            find(Role::SignedHeaders)?,
            find(Role::Signature)?,
        );
        if algorithm != ALGORITHM {
            return Err(Malformed::Algorithm);
        }
        decode(credential, &mut buffers.credential).ok_or(Malformed::Credential)?;
        decode(signed_headers, &mut buffers.signed_headers).ok_or(Malformed::SignedHeaders)?;
        Ok(Presigned {
            authorization: Authorization::new(
                &buffers.credential,
                &buffers.signed_headers,
                signature,
            )?,
            date: AmzDate::parse(date).ok_or(Malformed::Date)?,
            expires: parse_expires(expires)?,
        })
    }
}

/// The access key as it stands in the query, percent-encoded; one that is encoded in another way
/// than the canonical is none, so that every key has one spelling only.
pub(crate) fn raw_access_key<'r>(query: &Query<'_, 'r>, length: usize) -> Option<&'r [u8]> {
    let credential = query.find(Role::Credential)?;
    let mut decoder = uri::decoded(credential, Part::Query);
    for _ in 0..length {
        decoder.next()?;
    }
    let raw = credential.get(..credential.len() - decoder.rest().len())?;
    uri::is_canonical(raw, Part::Query)?.then_some(raw)
}

fn parse_expires(digits: &[u8]) -> Result<u32, Malformed> {
    Some(digits)
        .filter(|digits| digits.iter().all(u8::is_ascii_digit))
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .filter(|seconds| (1..=MAX_EXPIRES).contains(seconds))
        .ok_or(Malformed::Expires)
}

fn decode<const N: usize>(raw: &[u8], out: &mut ArrayVec<u8, N>) -> Option<()> {
    uri::put_decoded(out, raw, Part::Query);
    // One that is full may lack something.
    (!out.is_full()).then_some(())
}
