//! The accounts that a whole configuration knows.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use sigv4::Account;

/// The accounts for which there are keys at an origin, and those that roles are of.
#[derive(Default)]
pub(crate) struct Accounts {
    has_origins: Cell<bool>,
    known: RefCell<BTreeSet<Account>>,
    /// Each with the line that names it.
    users: RefCell<Vec<(String, Account)>>,
}

impl Accounts {
    /// Takes note of an `s3_origin` line.
    pub(crate) fn note_origin(&self, account: Option<&Account>) {
        self.has_origins.set(true);
        self.known.borrow_mut().extend(account.cloned());
    }

    /// Takes note of a line whose keys are of an account.
    pub(crate) fn note_user(&self, line: &str, account: Option<&Account>) {
        let user = account.map(|account| (line.to_owned(), account.clone()));
        self.users.borrow_mut().extend(user);
    }

    /// Checks, when all lines have been read, that each account has keys at an origin. A server without origins mints keys
    /// for others, which know.
    pub(crate) fn check(&self) -> Result<(), String> {
        let known = self.known.borrow();
        let users = self.users.borrow();
        let mut users = users.iter().filter(|_| self.has_origins.get());
        match users.find(|(_, account)| !known.contains(account)) {
            None => Ok(()),
            Some((line, account)) => Err(format!(
                "\"{line}\" has \"account={0}\", for which there is no \"s3_origin\": add one with \"account={0} \
                 access_key=... secret_key=...\", or correct the name",
                account.as_str()
            )),
        }
    }
}
