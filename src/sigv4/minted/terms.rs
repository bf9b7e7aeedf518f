//! What a key is minted with.
use crate::{
    account::Account,
    client::Client,
    date::Timestamp,
    grant::{GrantFault, Scope},
};

use super::{
    lineage::{Ancestor, MAX_ANCESTORS, is_name},
    sealed_scope::SealedScope,
};

/// Whose keys a minted key has at the origins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccountOfKey<'a> {
    /// That of its issuer, whichever that is when it is used.
    #[default]
    OfIssuer,
    /// Those of no account.
    None,
    Named(&'a Account),
}

/// What a key is minted with. An absent part is no limit but that of the issuer.
#[derive(Debug, Clone, Default)]
pub struct KeyTerms<'a> {
    /// All of them have to permit what it is used for.
    pub scopes: Vec<Scope<'a>>,
    /// That of a key with a parent is its parent's.
    pub account: AccountOfKey<'a>,
    /// The name of the role that it is for; it gets into logs.
    pub role: Option<&'a str>,
    /// The name of its session; likewise.
    pub session: Option<&'a str>,
    /// The client that it is made for, which it is never wider than, nor lives longer: it is revoked when that is.
    pub parent: Option<&'a Client>,
}

impl<'a> KeyTerms<'a> {
    pub(super) fn account(&self) -> AccountOfKey<'a> {
        match self.parent {
            None => self.account,
            Some(parent) => match &parent.account {
                None => AccountOfKey::None,
                Some(account) => AccountOfKey::Named(account),
            },
        }
    }

    /// Returns what its token says.
    pub(super) fn sealed(&self, issued: Timestamp) -> Result<SealedScope<'a>, Unmintable<'a>> {
        let mut scopes: Vec<Scope<'a>> = Vec::new();
        let of_parent = self.parent.map(|parent| parent.grant.scopes());
        for scope in self
            .scopes
            .iter()
            .copied()
            .chain(of_parent.unwrap_or_default())
        {
            if !scopes.contains(&scope) {
                scope.grant().map_err(Unmintable::Scope)?;
                scopes.push(scope);
            }
        }
        let names = [self.role, self.session];
        if names.iter().flatten().any(|name| !is_name(name.as_bytes())) {
            return Err(Unmintable::Name);
        }
        let lineage = self.parent.and_then(|parent| parent.lineage.as_deref());
        let ancestors: Vec<Ancestor> = lineage
            .into_iter()
            .flat_map(|lineage| lineage.with_ancestors().cloned())
            .collect();
        if ancestors.len() > MAX_ANCESTORS {
            return Err(Unmintable::Chain);
        }
        Ok(SealedScope {
            scopes,
            account: match self.account() {
                AccountOfKey::OfIssuer => None,
                AccountOfKey::None => Some(b""),
                AccountOfKey::Named(account) => Some(account.as_str().as_bytes()),
            },
            ancestors,
            role: self.role,
            session: self.session,
            ..SealedScope::new(issued)
        })
    }
}

/// Why a key cannot be minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmintable<'a> {
    Scope(GrantFault<'a>),
    /// The name of a role or a session that is none.
    Name,
    /// The issuer's keys are not of this account.
    Account,
    /// Too many keys were made each with the one before.
    Chain,
    /// The token would be longer than any that is accepted.
    TooLong,
    /// It would end before it begins, or live for longer than the issuer's keys may, or than its parent.
    Lifetime,
}
