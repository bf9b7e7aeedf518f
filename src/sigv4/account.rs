//! Accounts: several tenants at the same origins, each with keys of its own there.
use std::{borrow::Borrow, sync::Arc};

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
