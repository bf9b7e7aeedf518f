//! What the module answers by itself.

mod healthz;
mod status;
pub(crate) mod sts;

pub(crate) use healthz::HealthzPage;
pub(crate) use status::StatusPage;
pub(crate) use sts::StsEndpoint;
