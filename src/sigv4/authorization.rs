//! What a V4 request claims: credential, scope, signed headers, signature.
//!
//! Header: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>,
//! query: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
use arrayvec::ArrayVec;

use crate::{
    canonical::ALGORITHM,
    date::AmzDate,
    error::Malformed,
    scope::ClaimedScope,
    text::query::{Query, Role},
    text::token::split_lower_token,
    text::uri::{self, Part},
};

/// The longest that a presigned request may be valid, in seconds: 7 days.
pub(crate) const MAX_EXPIRES: u32 = 604_800;

pub(crate) struct Authorization<'a> {
    /// Decoded.
    pub(crate) access_key: &'a [u8],
    pub(crate) scope: ClaimedScope<'a>,
    signed_headers: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> Authorization<'a> {
    /// Reads an `Authorization` header that begins with the algorithm.
    #[inline(always)]
    pub(crate) fn from_header(
        value: &'a [u8],
        service: &[u8],
    ) -> Result<Authorization<'a>, Malformed> {
        let fields = match AuthParams::usual(value) {
            Some(fields) => fields,
            None => AuthParams::read(value)?,
        };
        let (access_key, scope) = ClaimedScope::parse_credential(fields.credential, service)?;
        if fields.signature.is_empty() {
            return Err(Malformed::Signature);
        }
        Ok(Authorization {
            access_key,
            scope,
            signed_headers: fields.signed_headers,
            signature: fields.signature,
        })
    }

    /// Returns the names of the signed headers: lower case, strictly ascending.
    pub(crate) fn names(&self) -> SignedNames<'a> {
        SignedNames {
            rest: Some(self.signed_headers),
            last: b"",
        }
    }

    /// Returns SignedHeaders: the names with `;` between them.
    pub(crate) fn signed_headers(&self) -> &'a [u8] {
        self.signed_headers
    }
}

/// The text of an `Authorization` header, taken apart.
struct AuthParams<'a> {
    credential: &'a [u8],
    signed_headers: &'a [u8],
    signature: &'a [u8],
}

impl<'a> AuthParams<'a> {
    /// Reads a value as all SDKs write it. A comma in one of the last two is rejected when they are read.
    #[inline(always)]
    fn usual(value: &'a [u8]) -> Option<AuthParams<'a>> {
        let fields = value.strip_prefix(b"AWS4-HMAC-SHA256 Credential=")?;
        let (fields, signature) = fields.split_last_chunk::<64>()?;
        let fields = fields.strip_suffix(b", Signature=")?;
        let (credential, fields) = fields.split_at(memchr::memchr(b',', fields)?);
        let signed_headers = fields.strip_prefix(b", SignedHeaders=")?;
        // After a field there may be more space.
        let is_whole = |field: &[u8]| field.last().is_some_and(u8::is_ascii_graphic);
        (is_whole(credential) && is_whole(signed_headers)).then_some(AuthParams {
            credential,
            signed_headers,
            signature,
        })
    }

    /// Reads the parameters in any order. Some clients (s3cmd) leave out the spaces after the commas.
    fn read(value: &'a [u8]) -> Result<AuthParams<'a>, Malformed> {
        let fields = value.strip_prefix(ALGORITHM).ok_or(Malformed::Algorithm)?;
        if !fields.starts_with(b" ") {
            return Err(Malformed::Algorithm);
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in fields.split(|&byte| byte == b',') {
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
        Ok(AuthParams {
            credential: credential.ok_or(Malformed::Syntax)?,
            signed_headers: signed_headers.ok_or(Malformed::Syntax)?,
            signature: signature.ok_or(Malformed::Syntax)?,
        })
    }
}

/// Reads the names of the signed headers one by one.
pub(crate) struct SignedNames<'a> {
    rest: Option<&'a [u8]>,
    last: &'a [u8],
}

impl<'a> Iterator for SignedNames<'a> {
    type Item = Result<&'a [u8], Malformed>;

    #[inline(always)]
    fn next(&mut self) -> Option<Result<&'a [u8], Malformed>> {
        let (name, after) = split_lower_token(self.rest?);
        self.rest = match after {
            [b';', rest @ ..] => Some(rest),
            [] => None,
            _ => return Some(Err(Malformed::SignedHeaders)),
        };
        // Mostly the first bytes tell.
        let first = name.first().cmp(&self.last.first());
        if first.then_with(|| name.cmp(self.last)).is_le() {
            return Some(Err(Malformed::SignedHeaders));
        }
        self.last = name;
        Some(Ok(name))
    }
}

/// What a presigned request claims.
pub(crate) struct Presigned<'a, 'r> {
    pub(crate) authorization: Authorization<'a>,
    /// As it stands in the query.
    pub(crate) raw_access_key: &'r [u8],
    pub(crate) date: AmzDate,
    /// Seconds, 1 to `MAX_EXPIRES`.
    pub(crate) expires: u32,
}

type CredentialBuffer = ArrayVec<u8, 256>;

/// Holds what the query has in percent-encoding, where it cannot be read as it is.
#[derive(Default)]
pub(crate) struct DecodeBuffers {
    credential: CredentialBuffer,
    signed_headers: ArrayVec<u8, 4096>,
}

impl<'a, 'r: 'a> Presigned<'a, 'r> {
    pub(crate) fn from_query(
        query: &Query<'_, 'r>,
        buffers: &'a mut DecodeBuffers,
        service: &[u8],
    ) -> Result<Presigned<'a, 'r>, Malformed> {
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
        if signature.is_empty() {
            return Err(Malformed::Signature);
        }
        let (access_key, scope, raw_access_key) = match usual_credential(credential, service) {
            Some((access_key, scope)) => (access_key, scope, access_key),
            None => read_credential(credential, &mut buffers.credential, service)?,
        };
        let signed_headers = match uri::is_plain(signed_headers, Part::Query) {
            true => signed_headers,
            false => decode(signed_headers, &mut buffers.signed_headers)
                .ok_or(Malformed::SignedHeaders)?,
        };
        Ok(Presigned {
            authorization: Authorization {
                access_key,
                scope,
                signed_headers,
                signature,
            },
            raw_access_key,
            date: AmzDate::parse(date).ok_or(Malformed::Date)?,
            expires: parse_expires(expires).ok_or(Malformed::Expires)?,
        })
    }
}

/// Reads a credential of a query in which nothing but the slashes is encoded, as all SDKs write it.
#[inline(always)]
fn usual_credential<'a>(raw: &'a [u8], service: &[u8]) -> Option<(&'a [u8], ClaimedScope<'a>)> {
    let (access_key, scope) = ClaimedScope::parse_separated(raw, b"%2F", service).ok()?;
    uri::is_plain(access_key, Part::Query).then_some((access_key, scope))
}

/// Reads a credential of a query; returns the access key both decoded and as it stands there.
fn read_credential<'a, 'r: 'a>(
    raw: &'r [u8],
    buffer: &'a mut CredentialBuffer,
    service: &[u8],
) -> Result<(&'a [u8], ClaimedScope<'a>, &'r [u8]), Malformed> {
    let decoded = decode(raw, buffer).ok_or(Malformed::Credential)?;
    let (access_key, scope) = ClaimedScope::parse_credential(decoded, service)?;
    let raw = raw_access_key(raw, access_key.len()).ok_or(Malformed::Credential)?;
    Ok((access_key, scope, raw))
}

/// Returns the access key as it stands in a credential of the query, in whatever spelling.
fn raw_access_key(credential: &[u8], length: usize) -> Option<&[u8]> {
    let mut decoder = uri::decoded(credential, Part::Query);
    for _ in 0..length {
        decoder.next()?;
    }
    credential.get(..credential.len() - decoder.rest().len())
}

fn parse_expires(digits: &[u8]) -> Option<u32> {
    let seconds = digits.iter().try_fold(0_u32, |seconds, digit| {
        let digit = Some(digit).filter(|digit| digit.is_ascii_digit())?;
        seconds
            .checked_mul(10)?
            .checked_add(u32::from(digit - b'0'))
    })?;
    (1..=MAX_EXPIRES).contains(&seconds).then_some(seconds)
}

fn decode<'b, const N: usize>(raw: &[u8], out: &'b mut ArrayVec<u8, N>) -> Option<&'b [u8]> {
    uri::put_decoded(out, raw, Part::Query);
    // One that is full may lack something.
    (!out.is_full()).then_some(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{scope::S3, ties::each_edit};

    const CREDENTIAL: &str = "AK/20260102/us-east-1/s3/aws4_request";

    /// Returns what may match: credential, names and signature.
    fn usable<'a>(params: AuthParams<'a>) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let names = SignedNames {
            rest: Some(params.signed_headers),
            last: b"",
        };
        let is_signature =
            params.signature.len() == 64 && params.signature.iter().all(u8::is_ascii_hexdigit);
        (is_signature && names.collect::<Result<Vec<_>, _>>().is_ok()).then_some((
            params.credential,
            params.signed_headers,
            params.signature,
        ))
    }

    #[test]
    fn a_usual_header_is_read_as_any_other() {
        let signature = "0123456789abcdef".repeat(4);
        let names = "SignedHeaders=host;x-amz-date";
        let mut found = 0;
        for text in [
            format!("AWS4-HMAC-SHA256 Credential={CREDENTIAL}, {names}, Signature={signature}"),
            format!(
                "AWS4-HMAC-SHA256 Credential=A,SignedHeaders=b, {names}, Signature={signature}"
            ),
            format!("AWS4-HMAC-SHA256 Credential=A , SignedHeaders=a , Signature={signature}"),
            format!(
                "AWS4-HMAC-SHA256 Credential=A, SignedHeaders=a, Signature=, Signature={signature}"
            ),
        ] {
            each_edit(text.as_bytes(), |value| {
                if let Some(params) = AuthParams::usual(value) {
                    let fast = usable(params);
                    let slow = AuthParams::read(value).ok().and_then(usable);
                    assert_eq!(fast, slow, "{}", value.escape_ascii());
                    found += usize::from(fast.is_some());
                }
            });
        }
        assert!(found > 1_000, "{found}");
    }

    #[test]
    fn a_usual_credential_is_read_as_any_other() {
        let mut found = 0;
        let encoded = CREDENTIAL.replace('/', "%2F");
        for text in [
            &encoded,
            &encoded.replace("AK", "A%2FK"),
            &encoded.replace("us-", "%2F2F"),
        ] {
            each_edit(text.as_bytes(), |raw| {
                if let Some((access_key, scope)) = usual_credential(raw, S3) {
                    let mut buffer = ArrayVec::new();
                    let slow = read_credential(raw, &mut buffer, S3);
                    let slow = slow.map(|(key, scope, raw)| (key, scope.day, scope.region, raw));
                    let fast = (access_key, scope.day, scope.region, access_key);
                    assert!(slow == Ok(fast), "{}", raw.escape_ascii());
                    found += 1;
                }
            });
        }
        assert!(found > 1_000, "{found}");
    }

    #[test]
    fn plain_names_are_read_as_encoded_ones() {
        each_edit(b"host;range", |raw| {
            if uri::is_plain(raw, Part::Query) {
                let mut buffer = ArrayVec::<u8, 64>::new();
                assert_eq!(decode(raw, &mut buffer), Some(raw));
            }
        });
    }
}
