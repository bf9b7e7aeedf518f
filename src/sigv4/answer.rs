//! What an origin's answer may tell a client: nothing that leads past the proxy, and nothing that is
//! between the proxy and the origin alone.
mod body;
mod buckets;
mod document;
mod error;
mod gunzip;
mod host;
mod leaves;
mod location;
mod names;
mod redirect;
mod traces;
pub(crate) mod xml;

pub use body::{AnswerBody, AnswerFault, BodyStep, ClientWords};
pub use buckets::BucketList;
pub use document::{DocumentNames, NamedDocument};
pub use error::{AskedId, ErrorBody, MAX_ERROR, ToldInErrors, XML_DECLARATION, told_message};
pub use gunzip::Gunzip;
pub use leaves::read_leaves;
pub use names::ClientNames;
pub use redirect::{AnswerHead, Verdict, WhyRejected, judge, mentions_origin};
pub use traces::Traces;
pub use xml::{Unreadable, put_element};
