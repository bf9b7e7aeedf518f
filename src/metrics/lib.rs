//! Counts requests and tries in memory that all workers share, and shows the counts.
#![forbid(unsafe_code)]

pub mod counters;
pub mod render;
pub mod snapshot;
