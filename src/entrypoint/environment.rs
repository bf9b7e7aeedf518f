//! What is read from outside: variables, and what they name.

use std::{collections::BTreeMap, ffi::OsString, fmt, os::unix::ffi::OsStringExt, path::Path};

use secrets::{Unreadable, Value};
use zeroize::Zeroizing;

/// The variables that are set to something, by their names. An empty one counts as not set. Values are
/// zeroised when dropped.
pub struct Environment(BTreeMap<String, Value>);

impl Environment {
    /// Keeps the variables that have a name of letters, digits and underscores.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let variables = variables.into_iter().filter_map(|(name, value)| {
            let value = Zeroizing::new(value.into_vec());
            let name = name.into_string().ok()?;
            (!value.is_empty() && name.bytes().all(is_plain)).then_some((name, value))
        });
        Environment(variables.collect())
    }

    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(|value| value.as_slice())
    }

    /// The names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// The machine, as far as variables name things of it.
pub trait Outside {
    /// The number of the user who reads.
    fn user(&self) -> u32;

    /// Reads the first line of a file, without its end.
    fn first_line(&self, path: &Path) -> Result<Value, Unreadable>;

    fn can_read(&self, path: &Path) -> bool;

    /// Whether a name has an address.
    fn has_address(&self, name: &str) -> bool;
}
