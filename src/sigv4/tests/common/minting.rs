//! Minted keys, and where they are looked up as the module does.
use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use sigv4::*;

use super::{
    kept,
    reference::{NOW, Sample},
};

pub const ISSUER_SECRET: &str = "k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE";
pub const ISSUER: &str = "ci";

/// Twelve hours.
pub const MAX_LIFETIME: i64 = 43_200;

pub fn issuer_with(name: &str, secret: &str, max_lifetime: i64, grant: Grant) -> Issuer {
    let secret = SecretKey::new(secret.into());
    Issuer::new(name.as_bytes(), &secret, max_lifetime, grant).unwrap()
}

pub fn issuer() -> Issuer {
    issuer_with(ISSUER, ISSUER_SECRET, MAX_LIFETIME, Grant::default())
}

pub fn id(number: u8) -> KeyId {
    KeyId::of([number; 10])
}

/// One that is valid for another hour, with `allow=` and `buckets=`; empty for none.
pub fn mint(issuer: &Issuer, allow: &str, buckets: &str) -> MintedKey {
    let part = |text: &'static str| (!text.is_empty()).then_some(text.as_bytes());
    let scope = Scope {
        allow: part(kept(allow.to_owned())),
        buckets: part(kept(buckets.to_owned())),
    };
    let (issued, expires) = (Timestamp(NOW), Timestamp(NOW + 3_600));
    issuer.mint(scope, id(1), issued, expires).unwrap()
}

/// A request with the parts of a key, which the header has.
pub fn sample(key: &MintedKey, method: &str, target: &str) -> Sample {
    let mut sample = Sample::new(method, target);
    sample.key.clone_from(&key.access_key);
    sample.secret.clone_from(&key.secret_key);
    sample.header("x-amz-security-token", &key.session_token)
}

/// Issuers, and what is kept of their keys.
pub struct Mint {
    pub issuers: Vec<Issuer>,
    pub revoked: Revocations,
    pub keys: RefCell<MintedKeys>,
    /// The clients that were found, for as long as this is there. Further ones are leaked.
    found: [OnceCell<Rc<Client>>; 8],
}

impl Mint {
    pub fn new(issuers: Vec<Issuer>) -> Mint {
        Mint {
            issuers,
            revoked: Revocations::default(),
            keys: RefCell::new(MintedKeys::new(8, 1 << 20)),
            found: Default::default(),
        }
    }
}

impl<'c> Clients<'c> for &'c Mint {
    fn find(self, claim: &Claim<'_>) -> Result<Claimants<'c>, Rejection> {
        let Some(name) = MintedAccessKey::claimed_issuer(claim.access_key) else {
            return Ok(Claimants::new());
        };
        let issuers = self.issuers.iter();
        let issuers = issuers.filter(|issuer| issuer.name() == name);
        let revoked = Some(&self.revoked);
        let found = self.keys.borrow_mut().find(issuers, revoked, claim, 900)?;
        let Some(client) = found else {
            return Ok(Claimants::new());
        };
        let client = match self.found.iter().find(|place| place.get().is_none()) {
            Some(place) => place.get_or_init(|| client),
            None => kept(client),
        };
        Ok([&**client].into_iter().collect())
    }

    fn admitted(self, client: &'c Client) {
        self.keys.borrow_mut().admitted(client);
    }
}
