//! Clients, and who a request says that it is from.
use arrayvec::ArrayVec;
use subtle::ConstantTimeEq;

use crate::{
    account::Account,
    credential::{Credential, SecretKey},
    date::Timestamp,
    error::Rejection,
    grant::Grant,
    minted::Lineage,
    text::uri::{self, Part},
};

/// A client of the proxy.
#[derive(Debug)]
pub struct Client {
    pub credential: Credential,
    pub grant: Grant,
    pub session_token: RequiredToken,
    /// From then on it is a client no more.
    pub expires: Option<Timestamp>,
    /// Whose keys it has at the origins; `None` for those of no account.
    pub account: Option<Account>,
    /// What is known of a minted key; `None` for others.
    pub lineage: Option<Box<Lineage>>,
}

impl Client {
    /// Makes one that has no session token, and no end.
    pub fn new(credential: Credential, grant: Grant) -> Client {
        Client {
            credential,
            grant,
            session_token: RequiredToken::None,
            expires: None,
            account: None,
            lineage: None,
        }
    }

    fn check(&self, claim: &Claim<'_>) -> Result<(), Rejection> {
        self.session_token.check(claim.session_token)?;
        match self.expires {
            Some(expires) if claim.now >= expires => Err(Rejection::ExpiredToken),
            _ => Ok(()),
        }
    }
}

/// What a client's requests must have as `x-amz-security-token`.
#[derive(Debug, Default)]
pub enum RequiredToken {
    /// None: the key is no temporary one. An empty one is none.
    #[default]
    None,
    /// This one.
    Same(SecretKey),
    /// The one with which [`Clients::find`] has found the client.
    Found,
}

impl From<Option<SecretKey>> for RequiredToken {
    fn from(token: Option<SecretKey>) -> RequiredToken {
        token.map_or(RequiredToken::None, RequiredToken::Same)
    }
}

impl RequiredToken {
    /// Checks the one that a request has. S3 answers `InvalidToken` if there is one beside a key that needs none, and
    /// `InvalidAccessKeyId` if there is none beside a temporary key.
    fn check(&self, token: Option<SessionToken<'_>>) -> Result<(), Rejection> {
        let is_right = match (self, token) {
            (RequiredToken::Found, _) | (RequiredToken::None, None) => true,
            (RequiredToken::None, Some(token)) => token.is(b""),
            (RequiredToken::Same(_), None) => return Err(Rejection::InvalidAccessKeyId),
            (RequiredToken::Same(expected), Some(token)) => token.is(expected.expose()),
        };
        is_right.then_some(()).ok_or(Rejection::InvalidToken)
    }
}

/// What a request says of who it is from, before its signature is checked.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub access_key: &'a [u8],
    pub session_token: Option<SessionToken<'a>>,
    pub now: Timestamp,
}

/// A session token as a request brings it.
#[derive(Debug, Clone, Copy)]
pub struct SessionToken<'a> {
    raw: &'a [u8],
    is_in_query: bool,
}

impl<'a> SessionToken<'a> {
    /// Makes one of what stands in a header or a form.
    pub fn plain(raw: &'a [u8]) -> SessionToken<'a> {
        SessionToken {
            raw,
            is_in_query: false,
        }
    }

    /// Makes one of what stands percent-encoded in a query.
    pub(crate) fn in_query(raw: &'a [u8]) -> SessionToken<'a> {
        SessionToken {
            raw,
            is_in_query: true,
        }
    }

    /// Returns it decoded.
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        let (plain, encoded) = match self.is_in_query {
            true => (&b""[..], self.raw),
            false => (self.raw, &b""[..]),
        };
        let decoded = uri::decoded(encoded, Part::Query);
        plain.iter().copied().chain(decoded)
    }

    /// Whether it is this one; how long that takes tells nothing but its length.
    pub(crate) fn is(self, expected: &[u8]) -> bool {
        let is_plain = !self.is_in_query || memchr::memchr2(b'%', b'+', self.raw).is_none();
        match is_plain {
            true => is_same_secret(self.raw.len(), self.raw.iter().copied(), expected),
            false => is_same_secret(self.bytes().count(), self.bytes(), expected),
        }
    }
}

/// Compares all bytes of two texts, however early they differ; in one pass without a branch, which the compiler
/// makes one of wide words.
#[inline(always)]
fn is_same_secret(length: usize, bytes: impl Iterator<Item = u8>, expected: &[u8]) -> bool {
    let pairs = bytes.zip(expected);
    let difference = pairs.fold(0, |difference, (a, b)| difference | (a ^ b));
    length == expected.len() && difference.ct_eq(&0).into()
}

/// How many secrets of one access key are valid at once: the old one and the new one.
pub const MAX_SECRETS: usize = 2;

/// The clients that have a claimed access key: several while a secret is replaced, none for a stranger.
pub type Claimants<'c> = ArrayVec<&'c Client, MAX_SECRETS>;

/// Where clients are looked up.
pub trait Clients<'c>: Copy {
    /// Finds those that a request may be from.
    ///
    /// # Errors
    /// If its session token tells by itself that it is from none.
    fn find(self, claim: &Claim<'_>) -> Result<Claimants<'c>, Rejection>;

    /// Takes note that the signature of one that was found has matched, and that it has not ended. What is costly to
    /// find may be kept from now on, and not before: strangers can claim to be anyone.
    fn admitted(self, client: &'c Client) {
        let _ = client;
    }
}

impl Claim<'_> {
    /// Returns the client whose signature the request has, and what `sign` gives for that. `sign` computes the
    /// signature with a credential, and returns `None` if the request has another one. A request from a stranger
    /// costs what any other does, and is told so only when its signature has been computed. So is one that brings a
    /// token beside a key that has none: of that S3 tells first, whatever the signature.
    pub(crate) fn admit<'c, T>(
        &self,
        clients: impl Clients<'c>,
        mut sign: impl FnMut(&Credential) -> Option<T>,
    ) -> Result<(&'c Client, T), Rejection> {
        let claimants = clients.find(self)?;
        if claimants.is_empty() {
            sign(Credential::nobody());
            return Err(Rejection::InvalidAccessKeyId);
        }
        for client in &claimants {
            if let Some(signed) = sign(&client.credential) {
                client.check(self)?;
                clients.admitted(client);
                return Ok((client, signed));
            }
        }
        // What is said of a token that a key does need would help to guess it.
        let needs_none = |client: &&Client| matches!(client.session_token, RequiredToken::None);
        if claimants.iter().all(needs_none) {
            RequiredToken::None.check(self.session_token)?;
        }
        Err(Rejection::SignatureDoesNotMatch)
    }
}
