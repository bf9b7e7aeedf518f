//! Accounts: several tenants at the same origins, each with keys of its own there.
use std::{borrow::Borrow, sync::Arc};

use crate::{error::Rejection, origin::Origin, proof::Proof, verified::Verified};

/// The name of an account. A clone shares it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(Arc<str>);

impl Account {
    /// What a name is, for messages.
    pub const RULE: &str = "1 to 64 letters, digits, dashes, dots and underscores";

    /// Reads a name; `None` if it is none.
    pub fn parse(name: &[u8]) -> Option<Account> {
        let is_name = (1..=64).contains(&name.len())
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte));
        let name = std::str::from_utf8(name).ok().filter(|_| is_name)?;
        Some(Account(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Account {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'r> Verified<'r> {
    /// Returns the account with whose keys it goes out; `None` for the keys that belong to no account.
    pub fn account(&self) -> Option<&'r Account> {
        self.proof.account()
    }

    /// Whether it may be signed with the keys of this origin: those of its account, or, without one, those of none.
    /// What goes out unsigned uses no keys, so it may go to any.
    pub fn may_use_keys_of(&self, origin: &Origin) -> bool {
        match self.proof {
            Proof::Anonymous { .. } | Proof::Preflight(_) => true,
            _ => self.account() == origin.account.as_ref(),
        }
    }

    /// Checks a request that may go to these origins.
    ///
    /// # Errors
    /// If none of them has keys for its account.
    pub fn check_account<'o>(
        &self,
        mut origins: impl Iterator<Item = &'o Origin>,
    ) -> Result<(), Rejection> {
        match origins.any(|origin| self.may_use_keys_of(origin)) {
            true => Ok(()),
            false => Err(Rejection::NoKeysOfAccount),
        }
    }
}
