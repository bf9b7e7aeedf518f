//! What a provider gives.

use std::fmt;

use secrets::{Kind, check};
use sigv4::{Credential, SecretKey};
use zeroize::Zeroizing;

/// Keys, and until when they hold. Zeroised when dropped, redacted in Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct ProvidedKeys {
    pub(crate) access_key: Box<[u8]>,
    pub(crate) secret_key: Zeroizing<Vec<u8>>,
    pub(crate) session_token: Option<Zeroizing<Vec<u8>>>,
    /// In seconds since 1970; `None` if they do not expire.
    pub(crate) expires: Option<u64>,
}

impl ProvidedKeys {
    /// The longest of each, in bytes. AWS states none for a token, and asks to expect up to 4 KiB.
    pub(crate) const MAX_SECRET: usize = 512;
    pub(crate) const MAX_TOKEN: usize = 8 << 10;

    /// Checks what a provider gave; `Err` says what is wrong with it, without a word of it.
    pub fn new(
        access_key: &[u8],
        secret_key: &[u8],
        session_token: Option<&[u8]>,
        expires: Option<u64>,
    ) -> Result<ProvidedKeys, String> {
        let is = |what: &str, value: &[u8], kind, longest| match check(value, kind) {
            Ok(()) if value.len() <= longest => Ok(()),
            Ok(()) => Err(format!("{what} that is longer than {longest} bytes")),
            Err(_) if value.is_empty() => Err(format!("no {what}")),
            Err(_) => Err(format!("{what} with characters that none has")),
        };
        is(
            "access key",
            access_key,
            Kind::AccessKey,
            sigv4::MAX_ACCESS_KEY,
        )?;
        is(
            "secret key",
            secret_key,
            Kind::SecretKey,
            ProvidedKeys::MAX_SECRET,
        )?;
        let session_token = session_token.filter(|token| !token.is_empty());
        if let Some(token) = session_token {
            is(
                "session token",
                token,
                Kind::SessionToken,
                ProvidedKeys::MAX_TOKEN,
            )?;
        }
        Ok(ProvidedKeys {
            access_key: access_key.into(),
            secret_key: Zeroizing::new(secret_key.to_vec()),
            session_token: session_token.map(|token| Zeroizing::new(token.to_vec())),
            expires,
        })
    }

    /// Returns them as what is signed with, with an identity of its own.
    pub fn to_credential(&self) -> (Credential, Option<SecretKey>) {
        let secret = SecretKey::new(self.secret_key.to_vec());
        let token = self.session_token.as_ref();
        let token = token.map(|token| SecretKey::new(token.to_vec()));
        (Credential::new(&self.access_key, secret), token)
    }

    /// Returns until when they hold, in seconds since 1970; `None` if they do not expire.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }
}

impl fmt::Debug for ProvidedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvidedKeys")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
