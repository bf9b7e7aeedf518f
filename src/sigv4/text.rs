//! Text: the grammars of URIs and queries, and where text goes.
pub(crate) mod bytes;
pub(crate) mod query;
pub(crate) mod sink;
pub(crate) mod token;
pub(crate) mod uri;
