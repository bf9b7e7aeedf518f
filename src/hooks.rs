//! Where nginx calls the module, in firing order.

/// Access phase: is the request let in?
pub(crate) mod access;
/// A peer was picked: sign for it.
pub(crate) mod peer;
