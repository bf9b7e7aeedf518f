//! Digests of a body that are checked or computed here, since an origin cannot read them, or wants another one.
mod adapt;

use crate::{
    checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher},
    dialect::Dialect,
    error::Rejection,
};

/// What is to be done about the digests of a request for origins that read other ones.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    /// What the head says that the data's checksum is.
    claim: Option<Checksum>,
    /// The MD5 of the body is needed before the head is signed.
    needs_md5: bool,
    /// The MD5, once all of the body is there.
    md5: Option<Checksum>,
}

impl Digests {
    /// Returns the MD5 that an origin is to be sent as `Content-MD5`.
    pub(crate) fn md5_for(&self, dialect: Dialect) -> Option<&Checksum> {
        let is_md5 = |claim: &&Checksum| claim.algorithm() == ChecksumAlgorithm::Md5;
        let claim = self.claim.as_ref().filter(is_md5);
        (claim.filter(|_| dialect.drops_checksums()))
            .or(self.md5.as_ref().filter(|_| dialect.adds_md5()))
    }

    /// Whether the body must go through [`Digests::start`].
    pub(crate) fn are_needed(&self) -> bool {
        self.claim.is_some() || self.needs_md5
    }

    /// Starts to compute what is needed; `None` if nothing is.
    pub(crate) fn start(&self) -> Option<Digesting> {
        self.are_needed().then(|| Digesting {
            claim: (self.claim).map(|claim| (claim, ChecksumHasher::new(claim.algorithm()))),
            md5: (self.needs_md5).then(|| ChecksumHasher::new(ChecksumAlgorithm::Md5)),
        })
    }
}

/// The digests of a body while it arrives.
pub(crate) struct Digesting {
    claim: Option<(Checksum, ChecksumHasher)>,
    md5: Option<ChecksumHasher>,
}

impl Digesting {
    pub(crate) fn update(&mut self, data: &[u8]) {
        if let Some((_, hasher)) = &mut self.claim {
            hasher.update(data);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(data);
        }
    }

    fn are_those(&self, needed: &Digests) -> bool {
        let claim = self.claim.as_ref().map(|(claim, _)| claim);
        (needed.claim.is_none() || claim == needed.claim.as_ref())
            && (self.md5.is_some() || !needed.needs_md5)
    }

    /// Checks all of the data; returns its MD5 if that is needed.
    pub(crate) fn finish(&self) -> Result<Option<Checksum>, Rejection> {
        match &self.claim {
            Some((claim, hasher)) if hasher.finish() != *claim => {
                Err(Rejection::BadDigest(claim.algorithm()))
            }
            _ => Ok(self.md5.as_ref().map(ChecksumHasher::finish)),
        }
    }
}

impl std::fmt::Debug for Digesting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let claim = self.claim.as_ref().map(|(claim, _)| claim);
        f.debug_struct("Digesting")
            .field("claim", &claim)
            .finish_non_exhaustive()
    }
}
