//! The body of an answer that cannot go on as it came: what of it goes out, piece by piece.
use std::{fmt, mem};

use super::{
    buckets::BucketList,
    document::NamedDocument,
    error::{Beginning, ErrorBody, MAX_ERROR, Outcome, XML_DECLARATION},
    gunzip::Gunzip,
    location::bucket_location,
};
use crate::region::Region;

/// The longest list of buckets, as the client sees it, in bytes.
const MAX_LIST: usize = 4 << 20;

/// How much of a document is held back before it is sent, in bytes: a short one is sent with its length.
const MAX_HELD: usize = 16 << 10;

/// A body that cannot go on as it came, as far as it has arrived.
#[derive(Debug)]
pub struct AnswerBody {
    reading: Reading,
    /// Where the origin has compressed it.
    gunzip: Option<Box<Gunzip>>,
    /// Something of it has gone out.
    has_begun: bool,
}

/// What of an origin's answer its client reads in other words.
pub trait ClientWords {
    /// Decides on the whole body of an error.
    fn error(&self, body: &[u8]) -> ErrorBody;

    /// Returns the message of an error that is one of several in a document.
    fn message(&self, message: &str) -> String;

    /// Returns the name of a bucket that is listed; `None` if the client is not to see it.
    fn bucket(&self, bucket: &str) -> Option<String>;
}

/// What follows from what has arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyStep {
    /// Nothing goes out yet.
    Hold,
    /// This goes out, and more will follow.
    Send(Vec<u8>),
    /// This goes out, and then the rest as it comes.
    PassOn(Vec<u8>),
    /// This document goes out, or its last part.
    End(Vec<u8>),
    /// Likewise, an error of the origin's, of which the client reads this.
    EndInError { code: String, xml: String },
    /// A document of an error of the proxy's own goes out in the place of the origin's error, with its status.
    ReplaceError(AnswerFault),
    /// An `<Error>` of the proxy's own goes out: the answer of success that it belongs to has begun.
    EndInOwnError(AnswerFault),
    /// An answer of the proxy's own goes out: nothing else has.
    Reject(AnswerFault),
    /// Nothing more goes out, and the client sees that the answer is not whole.
    CutShort(AnswerFault),
}

/// Why a body cannot go out; shown, it is what the origin has answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFault {
    BrokenOff,
    Encoded,
    EncodedError,
    LongError,
    LongList,
    UnreadableDocument,
    UnreadableError,
    UnreadableList,
}

impl fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AnswerFault::BrokenOff => "a body that breaks off",
            AnswerFault::Encoded => "what is encoded",
            AnswerFault::EncodedError => "an error that is encoded",
            AnswerFault::LongError => "an error that is too long",
            AnswerFault::LongList => "a list of too many buckets",
            AnswerFault::UnreadableDocument => "a document that cannot be read",
            AnswerFault::UnreadableError => "an error that cannot be read, or names the origin",
            AnswerFault::UnreadableList => "a list of buckets that cannot be read",
        })
    }
}

#[derive(Debug)]
enum Reading {
    /// An error, read whole before anything of it goes out.
    Error {
        place: ErrorPlace,
        /// What stands before its root, and has not gone out.
        before: Vec<u8>,
        body: Vec<u8>,
    },
    /// An error that is not looked at.
    EncodedError,
    /// An answer of success, of which the beginning is still open; how its document is written again, if it is.
    Outcome {
        outcome: Outcome,
        document: Option<Box<NamedDocument>>,
    },
    /// A document that names what the client calls otherwise, and what of it has not gone out.
    Document {
        document: Box<NamedDocument>,
        written: Vec<u8>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ErrorPlace {
    /// In an answer with its status.
    OfItsOwn,
    /// In an answer of success, which may go on as it came if it turns out to be none.
    Outcome,
    /// In one that may not.
    NamedOutcome,
}

impl AnswerBody {
    /// The body of an answer whose status is that of an error.
    pub fn error() -> AnswerBody {
        AnswerBody::new(Reading::Error {
            place: ErrorPlace::OfItsOwn,
            before: Vec::new(),
            body: Vec::new(),
        })
    }

    /// Likewise, in an encoding that is not read.
    pub fn encoded_error() -> AnswerBody {
        AnswerBody::new(Reading::EncodedError)
    }

    /// The body of an answer of success, which may be an error all the same. If `document` is set, what is none is
    /// written again.
    pub fn outcome(document: Option<NamedDocument>) -> AnswerBody {
        AnswerBody::new(Reading::Outcome {
            outcome: Outcome::default(),
            document: document.map(Box::new),
        })
    }

    /// The answer to GetBucketLocation, of a client for which all buckets are in this region.
    pub fn location(region: &Region) -> AnswerBody {
        AnswerBody::new(Reading::Location {
            outcome: Outcome::default(),
            region: *region,
        })
    }

    /// The answer to ListBuckets.
    pub fn buckets(list: BucketList) -> AnswerBody {
        AnswerBody::new(Reading::Buckets {
            list: Box::new(list),
            shown: Vec::new(),
        })
    }

    fn new(reading: Reading) -> AnswerBody {
        AnswerBody {
            reading,
            gunzip: None,
            has_begun: false,
        }
    }

    /// The same body, as it arrives if the origin has compressed it. Where a bucket is is told whatever arrives.
    pub fn compressed(mut self) -> AnswerBody {
        let is_read = !matches!(self.reading, Reading::Location { .. });
        self.gunzip = is_read.then(Box::default);
        self
    }

    /// Whether it may yet go on as it came.
    pub fn is_open(&self) -> bool {
        matches!(self.reading, Reading::Outcome { .. })
    }

    /// Takes a piece. After a step but [`Hold`](BodyStep::Hold) and [`Send`](BodyStep::Send) there is no other.
    pub fn take(&mut self, piece: &[u8], words: &impl ClientWords) -> BodyStep {
        let Some(gunzip) = &mut self.gunzip else {
            return self.read(piece, words);
        };
        match gunzip.unpack(piece) {
            Ok(piece) => {
                let step = self.read(&piece, words);
                self.as_unpacked(step)
            }
            Err(_) => self.fail_encoded(),
        }
    }

    /// Takes the end of the body: as it should be, or broken off.
    pub fn end(&mut self, is_whole: bool, words: &impl ClientWords) -> BodyStep {
        if !is_whole {
            return self.fail(AnswerFault::BrokenOff);
        }
        let Some(gunzip) = &mut self.gunzip else {
            return self.finish(words);
        };
        let Ok(rest) = gunzip.finish() else {
            return self.fail_encoded();
        };
        let step = match self.read(&rest, words) {
            BodyStep::Hold => self.finish(words),
            BodyStep::Send(part) => match self.finish(words) {
                BodyStep::End(body) => BodyStep::End([part, body].concat()),
                step => step,
            },
            step => step,
        };
        self.as_unpacked(step)
    }

    /// Goes on with what has been unpacked, which cannot go on as it came.
    fn as_unpacked(&self, step: BodyStep) -> BodyStep {
        match step {
            BodyStep::PassOn(_) => self.fail_encoded(),
            step => step,
        }
    }

    fn fail_encoded(&self) -> BodyStep {
        match self.reading {
            Reading::Error { place, .. } => self.replace(place, AnswerFault::EncodedError),
            _ => self.fail(AnswerFault::Encoded),
        }
    }

    fn read(&mut self, piece: &[u8], words: &impl ClientWords) -> BodyStep {
        match &mut self.reading {
            Reading::Error { place, body, .. } => {
                if body.len() + piece.len() > MAX_ERROR {
                    let place = *place;
                    return self.replace(place, AnswerFault::LongError);
                }
                body.extend_from_slice(piece);
                BodyStep::Hold
            }
            Reading::EncodedError => BodyStep::ReplaceError(AnswerFault::EncodedError),
            Reading::Outcome { outcome, document } => {
                let mut begun = Vec::new();
                let (beginning, left) = outcome.take(piece, &mut begun);
                if beginning == Beginning::Open {
                    return self.send(begun);
                }
                let held = outcome.held();
                let rest = piece.get(piece.len() - left..).unwrap_or_default();
                match (beginning, document.take()) {
                    (Beginning::Error, document) => {
                        let place = match document {
                            Some(_) => ErrorPlace::NamedOutcome,
                            None => ErrorPlace::Outcome,
                        };
                        self.read_error(place, begun, held, rest, words)
                    }
                    // What begins with no element is no document.
                    (_, Some(document)) if !held.is_empty() => {
                        self.reading = Reading::Document {
                            document,
                            written: begun,
                        };
                        self.read(&[&held, rest].concat(), words)
                    }
                    _ => BodyStep::PassOn([&begun, &*held, rest].concat()),
                }
            }
            Reading::Document { document, written } => {
                let told = |text: &str| words.message(text);
                if document.write(piece, told, written).is_err() {
                    return self.fail(AnswerFault::UnreadableDocument);
                }
                if !self.has_begun && written.len() < MAX_HELD {
                    return BodyStep::Hold;
                }
                let written = mem::take(written);
                self.send(written)
            }
            Reading::Location { outcome, region } => {
                let mut begun = Vec::new();
                match outcome.take(piece, &mut begun) {
                    (Beginning::Open, _) => BodyStep::Hold,
                    (Beginning::Success, _) => BodyStep::End(bucket_location(region).into()),
                    (Beginning::Error, left) => {
                        let held = outcome.held();
                        let rest = piece.get(piece.len() - left..).unwrap_or_default();
                        self.read_error(ErrorPlace::NamedOutcome, Vec::new(), held, rest, words)
                    }
                }
            }
            Reading::Buckets { list, shown } => {
                let name = |bucket: &str| words.bucket(bucket).map(Into::into);
                if list.filter(piece, name, shown).is_err() {
                    return self.fail(AnswerFault::UnreadableList);
                }
                if shown.len() > MAX_LIST {
                    return self.fail(AnswerFault::LongList);
                }
                BodyStep::Hold
            }
        }
    }

    /// Goes on with an error, which has begun with what is held.
    fn read_error(
        &mut self,
        place: ErrorPlace,
        before: Vec<u8>,
        held: Vec<u8>,
        rest: &[u8],
        words: &impl ClientWords,
    ) -> BodyStep {
        self.reading = Reading::Error {
            place,
            before,
            body: held,
        };
        self.read(rest, words)
    }

    fn send(&mut self, part: Vec<u8>) -> BodyStep {
        if part.is_empty() {
            return BodyStep::Hold;
        }
        self.has_begun = true;
        BodyStep::Send(part)
    }

    fn finish(&mut self, words: &impl ClientWords) -> BodyStep {
        match &mut self.reading {
            Reading::Error {
                place,
                before,
                body,
            } => {
                let place = *place;
                match words.error(body) {
                    ErrorBody::Keep if place == ErrorPlace::NamedOutcome => {
                        self.fail(AnswerFault::UnreadableDocument)
                    }
                    ErrorBody::Keep => BodyStep::PassOn([&**before, body].concat()),
                    ErrorBody::Rewrite(xml) => self.end_in_error(&xml),
                    ErrorBody::Replace => self.replace(place, AnswerFault::UnreadableError),
                }
            }
            Reading::EncodedError => BodyStep::ReplaceError(AnswerFault::EncodedError),
            Reading::Outcome { outcome, .. } => BodyStep::PassOn(outcome.held()),
            Reading::Document { document, written } => match document.finish() {
                Ok(()) => BodyStep::End(mem::take(written)),
                Err(_) => self.fail(AnswerFault::UnreadableDocument),
            },
            Reading::Location { region, .. } => BodyStep::End(bucket_location(region).into()),
            Reading::Buckets { list, shown } => match list.finish() {
                Ok(()) => BodyStep::End(mem::take(shown)),
                Err(_) => self.fail(AnswerFault::UnreadableList),
            },
        }
    }

    fn end_in_error(&self, xml: &str) -> BodyStep {
        let code = xml.split("<Code>").nth(1).unwrap_or_default();
        let code = code.split('<').next().unwrap_or_default();
        // A declaration may have gone out, or blanks, after which none may follow.
        let declaration = match self.has_begun {
            true => "",
            false => XML_DECLARATION,
        };
        BodyStep::EndInError {
            code: code.into(),
            xml: [declaration, xml].concat(),
        }
    }

    /// Ends in an error of the proxy's own instead of the origin's. The head is the origin's, where it is that of an
    /// error.
    fn replace(&self, place: ErrorPlace, fault: AnswerFault) -> BodyStep {
        match place {
            ErrorPlace::OfItsOwn => BodyStep::ReplaceError(fault),
            _ if self.has_begun => BodyStep::EndInOwnError(fault),
            _ => BodyStep::Reject(fault),
        }
    }

    fn fail(&self, fault: AnswerFault) -> BodyStep {
        match self.has_begun {
            true => BodyStep::CutShort(fault),
            false => BodyStep::Reject(fault),
        }
    }
}

#[cfg(test)]
mod tests;
