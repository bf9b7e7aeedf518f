//! Whose tokens have a role.
use sigv4::{Account, Timestamp};

use crate::{
    condition::Condition,
    json::{Json, Object},
    jwk::JwkSet,
    jwt::Jwt,
    role_fault::RoleFault,
    token_fault::TokenFault,
};

/// How far the clock of an identity provider may differ, in seconds.
const SKEW: i64 = 300;

/// The longest `sub`, in bytes. OpenID Connect Core 1.0 section 2 has 255.
const MAX_SUBJECT: usize = 1_024;

/// What a token must be for a role.
#[derive(Debug)]
pub struct WebIdentityTrust {
    issuer: Box<str>,
    audiences: Vec<Box<str>>,
    conditions: Vec<Condition>,
    account: Option<Account>,
}

/// Whose token was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub issuer: String,
    pub subject: String,
    /// That of the role which the token is for.
    pub audience: String,
}

impl WebIdentityTrust {
    /// Makes one for tokens of an issuer, for one of these audiences, for which all these conditions hold. `account` is
    /// whose keys they get at the origins.
    ///
    /// # Errors
    /// If one of them is not there.
    pub fn new(
        issuer: &str,
        audiences: &[&str],
        conditions: Vec<Condition>,
        account: Option<Account>,
    ) -> Result<WebIdentityTrust, RoleFault<'static>> {
        if issuer.is_empty() {
            return Err(RoleFault::Issuer);
        }
        if audiences.is_empty() || audiences.iter().any(|audience| audience.is_empty()) {
            return Err(RoleFault::Audience);
        }
        if conditions.is_empty() {
            return Err(RoleFault::Condition);
        }
        Ok(WebIdentityTrust {
            issuer: issuer.into(),
            audiences: audiences.iter().copied().map(Box::from).collect(),
            conditions,
            account,
        })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Checks all of a token but its signature and the conditions: one that does not get so far is worth no key.
    ///
    /// # Errors
    /// With what is wrong first.
    pub fn check(&self, token: &Jwt<'_>, now: Timestamp) -> Result<Subject, TokenFault> {
        let claims = token.claims();
        if claims.string("iss") != Some(&self.issuer) {
            return Err(TokenFault::Issuer);
        }
        let audience = self.audience(claims).ok_or(TokenFault::Audience)?;
        let expires = time(claims, "exp")?.ok_or(TokenFault::Claim("exp"))?;
        if now.0 >= expires {
            return Err(TokenFault::Expired);
        }
        for name in ["nbf", "iat"] {
            if time(claims, name)?.is_some_and(|time| time > now.0.saturating_add(SKEW)) {
                return Err(TokenFault::NotYetValid);
            }
        }
        let subject = claims.string("sub").filter(|subject| {
            let is_shown = !subject.chars().any(char::is_control);
            (1..=MAX_SUBJECT).contains(&subject.len()) && is_shown
        });
        Ok(Subject {
            issuer: self.issuer.to_string(),
            subject: subject.ok_or(TokenFault::Claim("sub"))?.to_owned(),
            audience: audience.to_owned(),
        })
    }

    /// Judges a token with the keys of its issuer. What costs more is done later: the signature comes after all that anybody
    /// could write, and the conditions after the signature, so that strangers learn nothing about them.
    ///
    /// # Errors
    /// With what is wrong first.
    pub fn judge(
        &self,
        token: &Jwt<'_>,
        keys: &JwkSet,
        now: Timestamp,
    ) -> Result<Subject, TokenFault> {
        let subject = self.check(token, now)?;
        token.verify(keys)?;
        let mut conditions = self.conditions.iter();
        match conditions.all(|condition| condition.holds(token.claims())) {
            true => Ok(subject),
            false => Err(TokenFault::Condition),
        }
    }

    /// Finds the audience of the role that a token is for (RFC 7519 section 4.1.3).
    fn audience(&self, claims: &Object) -> Option<&str> {
        let is_in = |audience: &str| match claims.get("aud") {
            Some(Json::String(only)) => only == audience,
            Some(Json::Array(all)) => all.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        // One of an array that has something else in it is of no other reader's.
        if let Some(Json::Array(all)) = claims.get("aud")
            && all.iter().any(|one| one.as_str().is_none())
        {
            return None;
        }
        let mut audiences = self.audiences.iter();
        audiences.find(|audience| is_in(audience)).map(|it| &**it)
    }
}

/// Reads a time, in seconds since 1970 (RFC 7519 section 2): a number, which may have a fraction.
fn time(claims: &Object, name: &'static str) -> Result<Option<i64>, TokenFault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Json::Integer(seconds)) => {
            let seconds = i64::try_from(*seconds).map_err(|_| TokenFault::Claim(name))?;
            Ok(Some(seconds))
        }
        // 2 to the power of 53: what is larger is no time.
        Some(Json::Real(seconds)) if seconds.abs() < 9_007_199_254_740_992.0 => {
            Ok(Some(seconds.floor() as i64))
        }
        Some(_) => Err(TokenFault::Claim(name)),
    }
}
