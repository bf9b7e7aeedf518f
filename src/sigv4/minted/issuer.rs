//! Who mints keys, and opens them again.
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aes_siv::{KeyInit, siv::Aes128Siv};
use arrayvec::ArrayVec;
use base64ct::{Base64UrlUnpadded, Encoding};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    account::Account,
    client::{Client, RequiredToken, SessionToken},
    credential::{Credential, SecretKey},
    crypto::hmac::HmacKey,
    date::Timestamp,
    error::Rejection,
    grant::{Grant, Scope},
    text::sink::Sink,
};

use super::{
    access_key::{KeyId, MintedAccessKey, is_issuer_name},
    lineage::{Ancestor, Lineage},
    sealed_scope::SealedScope,
    terms::{AccountOfKey, KeyTerms, Unmintable},
};

/// The longest session token, in bytes: with it, a request's headers stay far below the 8 KiB that S3 takes.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const MAX_TOKEN: usize = 2_048;

/// The bytes of authentication in a token.
const TAG: usize = 16;

/// The bytes of a secret: 40 characters, as AWS's have.
const SECRET: usize = 30;

/// The shortest secret of an issuer, in bytes.
pub const MIN_ISSUER_SECRET: usize = 32;

/// How many different bytes it has at least, as all but one of a thousand random ones have, even those of digits alone.
const MIN_DIFFERENT: usize = 8;

/// What is wrong with an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuerFault {
    Name,
    /// A secret that is shorter than [`MIN_ISSUER_SECRET`], or has few different bytes.
    WeakSecret,
}

/// Whose keys the keys of an issuer have at the origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerAccount {
    /// Those of this account, or of none. A key that names another one is rejected.
    One(Option<Account>),
    /// Those of the account that a key names itself, or of none.
    Any,
}

/// A key that was minted.
#[derive(Debug)]
pub struct MintedKey {
    pub access_key: String,
    pub secret_key: Zeroizing<String>,
    pub session_token: String,
    pub id: KeyId,
    pub expires: Timestamp,
}

/// Who mints keys: redacted in Debug, and its keys are zeroised when dropped.
pub struct Issuer {
    /// Each has an identity of its own in the process, by which its keys are cached.
    number: u64,
    name: Box<[u8]>,
    /// The two keys of AES-128-SIV.
    token_key: Zeroizing<[u8; 32]>,
    /// Derives secrets.
    secret_key: HmacKey,
    /// Seconds.
    max_lifetime: i64,
    /// What its keys may do at most.
    grant: Arc<Grant>,
    account: IssuerAccount,
}

impl Issuer {
    /// Makes one whose keys live for at most `max_lifetime` seconds.
    ///
    /// # Errors
    /// If no access key could have its name, or its secret could be guessed.
    pub fn new(
        name: &[u8],
        secret: &SecretKey,
        max_lifetime: i64,
        grant: Grant,
    ) -> Result<Issuer, IssuerFault> {
        static NEXT: AtomicU64 = AtomicU64::new(0);

        if !is_issuer_name(name) {
            return Err(IssuerFault::Name);
        }
        let secret = secret.expose();
        let different = |byte: &u8| secret.contains(byte);
        if secret.len() < MIN_ISSUER_SECRET
            || (0..=u8::MAX).filter(different).count() < MIN_DIFFERENT
        {
            return Err(IssuerFault::WeakSecret);
        }
        let key = HmacKey::new(&[secret]);
        let derive = |label: &[u8]| Zeroizing::new(key.sign(label));
        Ok(Issuer {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            token_key: derive(b"ngx_http_s3_resign minted key 1: session token"),
            secret_key: HmacKey::new(&[&*derive(
                b"ngx_http_s3_resign minted key 1: secret access key",
            )]),
            max_lifetime,
            grant: Arc::new(grant),
            account: IssuerAccount::One(None),
        })
    }

    /// Gives its keys those of an account at the origins.
    pub fn with_account(mut self, account: IssuerAccount) -> Issuer {
        self.account = account;
        self
    }

    pub fn account(&self) -> &IssuerAccount {
        &self.account
    }

    /// Whether its keys may be of this account.
    pub fn allows_account(&self, account: AccountOfKey<'_>) -> bool {
        match (&self.account, account) {
            (_, AccountOfKey::OfIssuer) | (IssuerAccount::Any, _) => true,
            (IssuerAccount::One(own), AccountOfKey::None) => own.is_none(),
            (IssuerAccount::One(own), AccountOfKey::Named(named)) => own.as_ref() == Some(named),
        }
    }

    pub fn max_lifetime(&self) -> i64 {
        self.max_lifetime
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether both mint keys of the same secret.
    pub fn has_secret_of(&self, other: &Issuer) -> bool {
        self.token_key.ct_eq(&*other.token_key).into()
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Mints a key that is valid from `issued` until `expires`. `id` ought to be no other key's.
    ///
    /// # Errors
    /// If no proxy with this issuer would accept it.
    pub fn mint<'a>(
        &self,
        scope: Scope<'a>,
        id: KeyId,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<MintedKey, Unmintable<'a>> {
        self.mint_with(
            &KeyTerms {
                scopes: vec![scope],
                ..KeyTerms::default()
            },
            id,
            issued,
            expires,
        )
    }

    /// Mints a key with terms of its own, as [`Issuer::mint`].
    ///
    /// # Errors
    /// If no proxy with this issuer would accept it, or it would be more than its parent.
    pub fn mint_with<'a>(
        &self,
        terms: &KeyTerms<'a>,
        id: KeyId,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<MintedKey, Unmintable<'a>> {
        let sealed = terms.sealed(issued)?;
        if !self.allows_account(terms.account()) {
            return Err(Unmintable::Account);
        }
        let end = terms.parent.and_then(|parent| parent.expires);
        if !self.may_live(issued, expires) || end.is_some_and(|end| expires > end) {
            return Err(Unmintable::Lifetime);
        }
        let access_key = MintedAccessKey {
            issuer: &self.name,
            expires,
            id,
        };
        let access_key = access_key.text().ok_or(Unmintable::Lifetime)?;
        let sealed = sealed
            .write()
            .and_then(|text| self.cipher().encrypt(associated(&access_key), &text).ok());
        let sealed = sealed.ok_or(Unmintable::TooLong)?;
        let session_token = Base64UrlUnpadded::encode_string(&sealed);
        if session_token.len() > MAX_TOKEN {
            return Err(Unmintable::TooLong);
        }
        Ok(MintedKey {
            secret_key: self.secret(&access_key, &sealed),
            access_key: access_key.escape_ascii().to_string(),
            session_token,
            id,
            expires,
        })
    }

    /// Opens a token that comes with an access key.
    ///
    /// # Errors
    /// If it was not minted together with that access key by this issuer, or not for now. Its end is for the caller to
    /// check, once the signature has matched.
    pub(super) fn open(
        &self,
        access_key: &[u8],
        minted: &MintedAccessKey<'_>,
        token: SessionToken<'_>,
        latest: Timestamp,
    ) -> Result<OpenedKey, Rejection> {
        let invalid = Rejection::InvalidToken;
        let MintedAccessKey { expires, id, .. } = *minted;
        let mut text = ArrayVec::<u8, MAX_TOKEN>::new();
        token
            .bytes()
            .try_for_each(|byte| text.try_push(byte))
            .map_err(|_| invalid.clone())?;
        let mut sealed = [0; MAX_TOKEN / 4 * 3];
        let sealed = Base64UrlUnpadded::decode(&text, &mut sealed).map_err(|_| invalid.clone())?;
        if sealed.len() < TAG {
            return Err(invalid);
        }
        let opened = self.cipher().decrypt(associated(access_key), sealed);
        let opened = opened.map_err(|_| invalid.clone())?;
        let read = SealedScope::read(&opened).ok_or(invalid.clone())?;
        // A word that this version does not know could narrow the key.
        let grant = read
            .scopes
            .iter()
            .try_fold((*self.grant).clone(), |grant, scope| {
                let scope = scope.grant().map_err(|_| invalid.clone())?;
                Ok::<Grant, Rejection>(grant.within(Arc::new(scope)))
            })?;
        let account = self.account_of(read.account).ok_or(invalid)?;
        if !self.may_live(read.issued, expires) {
            return Err(Rejection::TokenLifetime);
        }
        if read.issued > latest {
            return Err(Rejection::TokenNotYetValid);
        }
        let secret = SecretKey::new(self.secret(access_key, sealed).as_bytes().to_vec());
        let lineage = Lineage {
            key: Ancestor {
                issuer: self.name.clone(),
                id,
                issued: read.issued,
            },
            role: read.role.map(Box::from),
            session: read.session.map(Box::from),
            ancestors: read.ancestors,
        };
        Ok(OpenedKey {
            client: Client {
                session_token: RequiredToken::Found,
                expires: Some(expires),
                account,
                lineage: Some(Box::new(lineage)),
                ..Client::new(Credential::new(access_key, secret), grant)
            },
            token: text.as_slice().into(),
        })
    }

    /// Returns the account that a token names, or else its issuer's; `None` if its keys may not be of that.
    fn account_of(&self, sealed: Option<&[u8]>) -> Option<Option<Account>> {
        let named = match sealed {
            None => {
                return match &self.account {
                    IssuerAccount::One(own) => Some(own.clone()),
                    IssuerAccount::Any => Some(None),
                };
            }
            Some(b"") => None,
            Some(name) => Some(Account::parse(name)?),
        };
        let account = named
            .as_ref()
            .map_or(AccountOfKey::None, AccountOfKey::Named);
        self.allows_account(account).then_some(named)
    }

    fn may_live(&self, issued: Timestamp, expires: Timestamp) -> bool {
        let lifetime = expires.0.saturating_sub(issued.0);
        (1..=self.max_lifetime).contains(&lifetime)
    }

    fn cipher(&self) -> Aes128Siv {
        Aes128Siv::new((&*self.token_key).into())
    }

    /// Computes the secret of an access key with a token.
    fn secret(&self, access_key: &[u8], sealed: &[u8]) -> Zeroizing<String> {
        let mac = Zeroizing::new(self.secret_key.sign_text(|text| {
            // An access key has at most 59 bytes.
            text.put(&[access_key.len() as u8]);
            text.put(access_key);
            text.put(sealed);
        }));
        let secret = mac.first_chunk::<SECRET>();
        Zeroizing::new(secret.map_or_else(String::new, |s| Base64UrlUnpadded::encode_string(s)))
    }
}

/// Returns what is authenticated with a token.
fn associated(access_key: &[u8]) -> [&[u8]; 1] {
    [access_key]
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.name.escape_ascii().to_string())
            .field("max_lifetime", &self.max_lifetime)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

/// A key whose token has been opened.
#[derive(Debug)]
pub(super) struct OpenedKey {
    pub(super) client: Client,
    /// As it came, decoded.
    pub(super) token: Box<[u8]>,
}
