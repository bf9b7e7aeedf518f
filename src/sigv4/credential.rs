//! Secrets, and the access keys that they belong to.
use std::{
    fmt,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret access key or session token: zeroised when dropped, redacted in Debug.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

impl SecretKey {
    pub fn new(secret: Vec<u8>) -> SecretKey {
        SecretKey(Zeroizing::new(secret))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &SecretKey) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// The longest access key, in bytes:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html>
pub const MAX_ACCESS_KEY: usize = 128;

/// An access key with its secret; each has an identity of its own in the process, by which signing
/// keys are cached. A clone keeps the identity.
#[derive(Debug, Clone)]
pub struct Credential {
    id: u64,
    access_key: Box<[u8]>,
    secret: SecretKey,
}

impl Credential {
    pub fn new(access_key: &[u8], secret: SecretKey) -> Credential {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Credential {
            id,
            access_key: access_key.into(),
            secret,
        }
    }

    /// Makes nobody's, for an origin that has no keys yet. Nothing is signed with it.
    pub fn none() -> Credential {
        Credential::new(b"", SecretKey::new(Vec::new()))
    }

    /// Whether a name can be an access key in each form of signing: in a header it stands before a
    /// comma, and percent-encoded in a query it must fit the room for a credential.
    pub fn is_access_key(name: &[u8]) -> bool {
        (1..=MAX_ACCESS_KEY).contains(&name.len())
            && name
                .iter()
                .all(|byte| byte.is_ascii_graphic() && *byte != b',')
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub fn access_key(&self) -> &[u8] {
        &self.access_key
    }

    /// Whether they have the same secret, whatever their access keys are.
    pub fn has_secret_of(&self, other: &Credential) -> bool {
        self.secret().ct_eq(other.secret()).into()
    }

    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.expose()
    }

    pub(crate) fn secret_key(&self) -> &SecretKey {
        &self.secret
    }

    /// Stands in for an unknown access key, so that a request with one costs what any other
    /// costs. It verifies no request.
    pub(crate) fn nobody() -> &'static Credential {
        static NOBODY: LazyLock<Credential> =
            LazyLock::new(|| Credential::new(b"", SecretKey::new(vec![b'x'; 40])));
        &NOBODY
    }
}
