//! How the body of an answer is written again.

use sigv4::{BucketList, Outcome, Region};

/// A rewriter of a body that cannot go on as it is, as far as it has arrived.
pub(crate) enum Rewriter {
    /// An error, read whole before anything of it is sent.
    Error { body: Vec<u8>, place: ErrorPlace },
    /// An error whose body is not looked at: it goes with a body of the module's.
    EncodedError,
    /// An answer of success, of which the beginning is still open.
    Outcome { outcome: Outcome, has_begun: bool },
    /// The location of a bucket, which is told instead of what arrives unless that is an error.
    Location { outcome: Outcome, region: Region },
    /// A list of buckets, and what of it the client sees.
    Buckets { list: BucketList, shown: Vec<u8> },
}

/// The place where an error stands.
#[derive(Clone, Copy)]
pub(crate) enum ErrorPlace {
    /// In an answer with its status.
    OfItsOwn,
    /// In an answer of success, of which the beginning may have been sent.
    Outcome { has_begun: bool },
}

impl Rewriter {
    pub(crate) fn error() -> Rewriter {
        Rewriter::Error {
            body: Vec::new(),
            place: ErrorPlace::OfItsOwn,
        }
    }

    pub(crate) fn outcome() -> Rewriter {
        Rewriter::Outcome {
            outcome: Outcome::default(),
            has_begun: false,
        }
    }

    pub(crate) fn location(region: &Region) -> Rewriter {
        Rewriter::Location {
            outcome: Outcome::default(),
            region: *region,
        }
    }

    pub(crate) fn buckets() -> Rewriter {
        Rewriter::Buckets {
            list: BucketList::default(),
            shown: Vec::new(),
        }
    }
}
