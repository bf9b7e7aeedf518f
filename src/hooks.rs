//! Where nginx calls the module, in firing order.

/// Access phase: is the request let in?
pub(crate) mod access;
/// An answer is sent: nothing in it may lead past this server.
pub(crate) mod answer;
/// The body of an answer, where it cannot go on as it is.
pub(crate) mod answer_body;
/// A piece of the client's body has arrived: its framing is taken off.
pub(crate) mod body;
/// nginx is about to look for an answer in its cache, or to store one.
pub(crate) mod cache;
/// A browser's form: its body is read and verified before the request is let in.
pub(crate) mod form;
/// A balancer in front asks whether there is an origin to use.
pub(crate) mod healthz;
/// A request has ended: it is counted.
pub(crate) mod log;
/// The body goes out to the peer: it is framed anew.
pub(crate) mod output;
/// A peer was picked: sign for it.
pub(crate) mod peer;
/// The head of an answer is sent: may the connection be used again?
pub(crate) mod persistence;
