//! Where nginx calls the module.

use ngx_safe::complete::Complete;

use crate::S3Resign;
use crate::context::Rewriter;

/// Access phase: is the request accepted?
pub(crate) mod access;
/// An answer is sent: nothing in it may lead past this server.
pub(crate) mod answer;
/// The body of an answer, where it cannot go on as it is.
pub(crate) mod answer_body;
/// A piece of the client's body has arrived: its framing is taken off.
pub(crate) mod body;
/// nginx is about to look for an answer in its cache, or to store one.
pub(crate) mod cache;
/// Pages of other origins, where `s3_cors` decides about them.
pub(crate) mod cors;
/// A request goes to origins of other dialects: what they would not check is checked here.
pub(crate) mod dialect;
/// A document is another one for some origins: it is read first, and written again.
pub(crate) mod document;
/// A browser's form: its body is read and verified before the request is accepted.
pub(crate) mod form;
/// A request has ended: it is counted.
pub(crate) mod log;
/// An answer speaks of buckets and objects: in the client's words.
pub(crate) mod naming;
/// The body goes out to the peer: it is framed again.
pub(crate) mod output;
/// nginx answers an error by itself: it is told as S3 would.
pub(crate) mod own_error;
/// A peer was picked: sign for it.
pub(crate) mod peer;
/// The head of an answer is sent: may the connection be used again?
pub(crate) mod persistence;

/// An origin rejects keys that change: are there others?
pub(crate) mod renewal;

/// Installs what nginx calls, in the order of a request's life. The header filter that is added last sees a
/// head first.
pub(crate) fn install(cf: &Complete<'_, S3Resign>) -> Result<(), String> {
    cf.add_access_handler::<access::Verifier>()?;
    cf.add_request_body_filter::<body::Verifying>();
    cf.hook_upstreams()?;
    cf.add_header_filter::<persistence::Persistence>();
    cf.add_header_filter::<cors::Cors>();
    cf.add_answer_filter::<Rewriter>();
    cf.add_log_handler::<log::Counting>()
}
