//! Where nginx calls the module, in firing order.

/// Access phase: is the request let in?
pub(crate) mod access;
/// An origin has answered: nothing in it may lead past this server.
pub(crate) mod answer;
/// A peer was picked: sign for it.
pub(crate) mod peer;
