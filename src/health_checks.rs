//! Active health checks: which origins are asked when, what follows from the answers, and what there is
//! to tell about them.

pub(crate) mod checks;
pub(crate) mod scheduler;
