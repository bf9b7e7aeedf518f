//! The keys that a request brings with it.
use crate::{
    request::Header,
    text::query::Query,
    text::uri::{self, Part},
};

/// How the headers with a key begin.
const TARGET: &[u8] = b"x-amz-server-side-encryption-customer-";
/// Likewise those with the key of the object that is copied.
const SOURCE: &[u8] = b"x-amz-copy-source-server-side-encryption-customer-";

/// For which of its objects a request has a key of its own. Any of the headers counts: what is not whole is for the
/// origin to reject, and must not be completed with another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OwnKeys {
    pub(crate) target: bool,
    pub(crate) source: bool,
}

impl OwnKeys {
    /// Reads headers, and a query, where presigned URLs may have them.
    pub(crate) fn read<'h>(
        headers: impl Iterator<Item = Header<'h>>,
        query: &Query<'_, '_>,
    ) -> OwnKeys {
        let mut own = OwnKeys::default();
        for header in headers {
            own.note(header.name.iter().copied());
        }
        for (name, _) in query.others() {
            own.note(uri::decoded(name, Part::Query));
        }
        own
    }

    fn note(&mut self, name: impl Iterator<Item = u8> + Clone) {
        self.target |= begins_with(name.clone(), TARGET);
        self.source |= begins_with(name, SOURCE);
    }
}

/// Whether a header of an answer tells with which key an object was encrypted.
pub fn is_customer_key_header(name: &[u8]) -> bool {
    begins_with(name.iter().copied(), TARGET)
}

/// Whether a name begins so, in any case; `_` counts as `-`, since some servers read both alike.
fn begins_with(name: impl Iterator<Item = u8>, start: &[u8]) -> bool {
    let dashed = name.map(|byte| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    });
    dashed.take(start.len()).eq(start.iter().copied())
}
