//! What a key is minted with.
use sigv4::{
    Account, AccountOfKey, Client, Issuer, IssuerAccount, KeyId, KeyTerms, MintedKey, Timestamp,
    Unmintable,
};

use crate::{
    call::{AssumeRole, AssumeRoleWithWebIdentity},
    caller::Caller,
    fault::{Fault, FaultKind},
    role::{Role, Trust},
    trust::Subject,
};

/// How long keys live if nothing else is said, in seconds.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const USUAL_DURATION: i64 = 3_600;

/// What a key is to be minted with.
#[derive(Debug)]
pub struct Session<'a> {
    terms: KeyTerms<'a>,
    /// Seconds, as they were asked for.
    duration: Option<i64>,
    /// Seconds; `None` where only the issuer sets a limit.
    longest: Option<i64>,
}

impl<'a> Session<'a> {
    /// Makes that of a token which was judged; `None` if the role is not for tokens.
    pub fn of_subject(
        role: &'a Role,
        call: &'a AssumeRoleWithWebIdentity,
        _subject: &Subject,
    ) -> Option<Session<'a>> {
        let Trust::WebIdentity(trust) = role.trust() else {
            return None;
        };
        Some(Session {
            terms: KeyTerms {
                scopes: vec![role.scope()],
                account: trust
                    .account()
                    .map_or(AccountOfKey::OfIssuer, AccountOfKey::Named),
                role: Some(role.name()),
                session: Some(&call.session),
                parent: None,
            },
            duration: call.duration,
            longest: Some(role.lifetime()),
        })
    }

    /// Makes that of a client whose signature has matched: within its own grant and that of a role, if one is asked for.
    pub fn of_client(
        role: Option<&'a Role>,
        call: &'a AssumeRole,
        client: &'a Client,
    ) -> Session<'a> {
        Session {
            terms: KeyTerms {
                scopes: role.iter().map(|role| role.scope()).collect(),
                account: AccountOfKey::default(),
                role: role.map(Role::name),
                session: call.session.as_deref(),
                parent: Some(client),
            },
            duration: call.duration,
            longest: role.map(Role::lifetime),
        }
    }

    /// Mints the key, and tells who has it. `id` ought to be no other key's.
    ///
    /// # Errors
    /// If it may not live for as long as it is asked for, or cannot say all that it has to.
    pub fn mint(
        &self,
        issuer: &Issuer,
        id: KeyId,
        now: Timestamp,
    ) -> Result<(MintedKey, Caller), Fault> {
        let of_role = self.longest.unwrap_or(issuer.max_lifetime());
        let longest = of_role.min(issuer.max_lifetime());
        let seconds = self.duration.unwrap_or(USUAL_DURATION.min(longest));
        if seconds > longest {
            return Err(Fault::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let end = self.terms.parent.and_then(|parent| parent.expires);
        let mut expires = now.0.saturating_add(seconds);
        if let Some(end) = end {
            expires = expires.min(end.0);
        }
        let minted = issuer.mint_with(&self.terms, id, now, Timestamp(expires));
        let key = minted.map_err(|why| unminted(&why))?;
        let id = key.id.to_string();
        let session = self.terms.session.unwrap_or(&id);
        let caller = Caller::session(self.account(issuer), self.terms.role, session);
        Ok((key, caller))
    }

    fn account<'s>(&'s self, issuer: &'s Issuer) -> Option<&'s Account> {
        match (self.terms.parent, self.terms.account, issuer.account()) {
            (Some(parent), _, _) => parent.account.as_ref(),
            (None, AccountOfKey::Named(account), _) => Some(account),
            (None, AccountOfKey::OfIssuer, IssuerAccount::One(account)) => account.as_ref(),
            _ => None,
        }
    }
}

fn unminted(why: &Unmintable<'_>) -> Fault {
    match why {
        Unmintable::TooLong => Fault::new(
            FaultKind::PackedPolicyTooLarge,
            "What the key may do takes more than a session token has room for.",
        ),
        Unmintable::Chain => Fault::new(
            FaultKind::AccessDenied,
            "Too many keys were made each with the one before.",
        ),
        Unmintable::Account => Fault::new(
            FaultKind::AccessDenied,
            "The keys that are minted here cannot be of the caller's account.",
        ),
        // A client that has ended has not been accepted.
        Unmintable::Lifetime => Fault::new(
            FaultKind::ExpiredToken,
            "The security token included in the request is expired",
        ),
        _ => Fault::internal(),
    }
}
