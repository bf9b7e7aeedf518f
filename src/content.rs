//! What the module answers by itself.

mod healthz;
mod status;

pub(crate) use healthz::HealthzPage;
pub(crate) use status::StatusPage;
