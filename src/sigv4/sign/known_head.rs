//! Heads of presigned links that are sent as they were before: see `known_heads`.
use crate::{
    keys::KeyCache, known_heads::KnownHeads, origin::Origin, proof::Proof, seen_links::LinkId,
    verified::Verified,
};

impl Verified<'_> {
    /// Whether it is a link that was accepted as it was before, and nothing was found out about it since: its head may
    /// be known.
    pub fn may_have_known_head(&self) -> bool {
        self.known_link().is_some()
    }

    /// Returns by what such a link is found, and the number of its verdict.
    fn known_link(&self) -> Option<(LinkId, u64)> {
        let Proof::V4Query {
            link: Some(link), ..
        } = &self.proof
        else {
            return None;
        };
        let is_as_found =
            self.document.is_none() && self.digests.is_none() && self.opened.is_none();
        link.verdict
            .filter(|_| is_as_found)
            .map(|verdict| (link.id, verdict))
    }
}

/// Finds the head that goes to an origin in the place of `plain`, which nginx has written, if it is that of a link
/// which has gone there before.
pub fn known_head<'k>(
    verified: &Verified<'_>,
    plain: &[u8],
    origin: &Origin,
    keys: &'k mut KeyCache,
) -> Option<&'k [u8]> {
    let heads = heads_of(verified, keys)?;
    heads.find(plain, origin.identity.number(), verified.reads_answer)
}

/// Keeps the head that goes to an origin in the place of `plain`.
pub fn note_head(
    verified: &Verified<'_>,
    plain: &[u8],
    origin: &Origin,
    signed: &[u8],
    keys: &mut KeyCache,
) {
    let Some(heads) = heads_of(verified, keys) else {
        return;
    };
    let number = origin.identity.number();
    heads.put(plain, number, verified.reads_answer, signed);
}

fn heads_of<'k>(verified: &Verified<'_>, keys: &'k mut KeyCache) -> Option<&'k mut KnownHeads> {
    let (id, number) = verified.known_link()?;
    let (_, verdict) = keys.links.find(id)?.verdict()?;
    verdict.heads(number)
}
