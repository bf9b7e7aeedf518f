//! How the body of an answer is written again.

use sigv4::{BucketList, Gunzip, NamedDocument, Outcome, Region, Sealer};

/// A rewriter of a body that cannot go on as it is, as far as it has arrived.
pub(crate) struct Rewriter {
    /// Where the origin has compressed the body.
    pub(crate) gunzip: Option<Box<Gunzip>>,
    pub(crate) body: BodyRewriter,
}

pub(crate) enum BodyRewriter {
    /// An error, read whole before anything of it is sent.
    Error {
        /// What stands before its root, and has not been sent.
        before: Vec<u8>,
        body: Vec<u8>,
        place: ErrorPlace,
    },
    /// An error whose body is not looked at: it goes with a body of the module's.
    EncodedError,
    /// An answer of success, of which the beginning is still open; how its document is written again, if it is.
    Outcome {
        outcome: Outcome,
        has_begun: bool,
        document: Option<Box<NamedDocument>>,
    },
    /// A document that names what the client calls otherwise, and what of it has not been sent.
    Document {
        document: Box<NamedDocument>,
        written: Vec<u8>,
        has_begun: bool,
    },
    /// The location of a bucket, which is told instead of what arrives unless that is an error.
    Location { outcome: Outcome, region: Region },
    /// A list of buckets, and what of it the client sees.
    Buckets {
        list: Box<BucketList>,
        shown: Vec<u8>,
    },
}

/// The place where an error stands.
#[derive(Clone, Copy)]
pub(crate) enum ErrorPlace {
    /// In an answer with its status.
    OfItsOwn,
    /// In an answer of success, of which the beginning may have been sent.
    Outcome {
        has_begun: bool,
        /// What is no error either cannot go on as it came.
        is_named: bool,
    },
}

impl BodyRewriter {
    pub(crate) fn error() -> BodyRewriter {
        BodyRewriter::Error {
            before: Vec::new(),
            body: Vec::new(),
            place: ErrorPlace::OfItsOwn,
        }
    }

    pub(crate) fn outcome(document: Option<NamedDocument>) -> BodyRewriter {
        BodyRewriter::Outcome {
            outcome: Outcome::default(),
            has_begun: false,
            document: document.map(Box::new),
        }
    }

    pub(crate) fn location(region: &Region) -> BodyRewriter {
        BodyRewriter::Location {
            outcome: Outcome::default(),
            region: *region,
        }
    }

    pub(crate) fn buckets(
        prefix: Option<String>,
        sealer: Option<Sealer>,
        region: Option<Region>,
    ) -> BodyRewriter {
        BodyRewriter::Buckets {
            list: Box::new(BucketList::new(prefix, sealer, region)),
            shown: Vec::new(),
        }
    }
}
