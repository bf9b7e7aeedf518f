//! The keys that a request brings with it.
use super::{SOURCE_HEADERS, TARGET_HEADERS};
use crate::request::Header;

/// For which of its objects a request has a key of its own. Any of the three headers counts: what is not whole is for
/// the origin to reject, and must not be completed with another key. But it must be one that each origin heeds, or an
/// object would be stored in clear: none in the query, and none that is spelled with `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OwnKeys {
    pub(crate) target: bool,
    pub(crate) source: bool,
}

impl OwnKeys {
    pub(crate) fn read<'h>(headers: impl Iterator<Item = Header<'h>>) -> OwnKeys {
        let mut own = OwnKeys::default();
        for header in headers {
            own.target |= is_one_of(header.name, TARGET_HEADERS);
            own.source |= is_one_of(header.name, SOURCE_HEADERS);
        }
        own
    }
}

/// Whether a header of an answer tells with which key an object was encrypted.
pub fn is_customer_key_header(name: &[u8]) -> bool {
    is_one_of(name, TARGET_HEADERS)
}

fn is_one_of(name: &[u8], headers: [&[u8]; 3]) -> bool {
    (headers.iter()).any(|header| name.eq_ignore_ascii_case(header))
}
