//! What was found about a presigned link that is asked for again and again.
//!
//! What a link asks for, whether it may, and what goes out for it, is a function of the link and its host, of the
//! location's rules and the client: not of time, nor of headers that decide nothing. So it is kept when the link was
//! accepted, compared with all of that, and used again. Whose the link is, and whether it has ended, is asked each time.
use std::ops::Range;

use zeroize::Zeroizing;

use crate::{
    client::{Claim, SessionToken},
    date::Timestamp,
    identity::Identity,
    known_heads::KnownHeads,
    lifetime::Lifetime,
    operation::Operation,
    region::Region,
    rules::VerifyRules,
    text::bytes::same,
};

/// The verdict about a link.
pub(crate) struct LinkVerdict {
    pub(crate) identity: Identity,
    pub(crate) text: LinkText,
    /// The identity of the rules.
    pub(crate) rules: u64,
    // Where they are in the query.
    pub(crate) signature: Range<usize>,
    pub(crate) access_key: Range<usize>,
    pub(crate) session_token: Option<Range<usize>>,
    // What was found.
    pub(crate) region: Region,
    pub(crate) lifetime: Lifetime,
    pub(crate) is_payload_in_query: bool,
    pub(crate) operation: Operation,
    pub(crate) is_path_style: bool,
    pub(crate) is_plain: bool,
    pub(crate) has_sealed_id: bool,
    pub(crate) has_own_key: bool,
    pub(crate) heads: KnownHeads,
}

pub(crate) struct LinkText {
    pub(crate) method: Box<[u8]>,
    pub(crate) path: Box<[u8]>,
    /// A session token may be in it.
    pub(crate) query: Zeroizing<Box<[u8]>>,
    pub(crate) host: Box<[u8]>,
}

impl LinkVerdict {
    /// Returns the heads that have gone out, if that is its number.
    pub(crate) fn heads(&mut self, number: u64) -> Option<&mut KnownHeads> {
        (self.identity.number() == number).then_some(&mut self.heads)
    }

    /// Whether it is about this link under these rules, whatever its signature is.
    pub(crate) fn is_about(
        &self,
        [method, path, query, host]: [&[u8]; 4],
        rules: &VerifyRules,
    ) -> bool {
        let text = &self.text;
        self.rules == rules.identity.number()
            && text.query.len() == query.len()
            && self.beside_signature(&text.query) == self.beside_signature(query)
            && same(&text.path, path)
            && same(&text.method, method)
            && same(&text.host, host)
    }

    fn beside_signature<'q>(&self, query: &'q [u8]) -> Option<[&'q [u8]; 2]> {
        let (start, rest) = query.split_at_checked(self.signature.start)?;
        Some([start, rest.get(self.signature.len()..)?])
    }

    /// Returns what the query of this link claims.
    pub(crate) fn claim<'r>(&self, query: &'r [u8], now: Timestamp) -> Option<Claim<'r>> {
        let part = |place: &Range<usize>| query.get(place.clone());
        Some(Claim {
            access_key: part(&self.access_key)?,
            session_token: match &self.session_token {
                Some(token) => Some(SessionToken::in_query(part(token)?)),
                None => None,
            },
            now,
        })
    }
}
