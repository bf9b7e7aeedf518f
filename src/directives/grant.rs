//! `allow=` and `buckets=`: what a client may do, or whoever has no signature.

use std::fmt::Display;

use sigv4::{Grant, GrantFault};

/// Reads `allow=` and `buckets=`.
pub(crate) fn grant(
    named: &(impl Display + ?Sized),
    allow: Option<&[u8]>,
    buckets: Option<&[u8]>,
) -> Result<Grant, String> {
    Grant::parse(allow, buckets).map_err(|fault| match fault {
        GrantFault::Allow(word) => format!(
            "{named}: \"{}\" in \"allow=\" is neither a class nor an operation: write \"read\", \
             \"write\", \"list\", \"delete\", \"all\", or names as \"GetObject\" or \"ListObject*\", \
             separated by commas",
            word.escape_ascii()
        ),
        GrantFault::Place(pattern) => format!(
            "{named}: \"{}\" in \"buckets=\" is not a pattern: write \"BUCKET\" or \
             \"BUCKET/PREFIX*\" with \"*\" for any run of characters, separated by commas",
            pattern.escape_ascii()
        ),
        _ => format!("{named}: \"allow=\" or \"buckets=\" cannot be read"),
    })
}
