//! `account=`: whose keys a client has at the origins.

use std::fmt::Display;

use sigv4::Account;

/// Reads the name of an account.
pub(crate) fn read_account(
    named: &(impl Display + ?Sized),
    name: &[u8],
) -> Result<Account, String> {
    Account::parse(name).ok_or_else(|| {
        format!(
            "{named}: \"account={}\" is not a name: write {}",
            name.escape_ascii(),
            Account::RULE
        )
    })
}
