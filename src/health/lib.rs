//! Judges the health of an origin: what an answer to a check says, when the origin counts as down or as
//! up again, and what all workers know of it, in shared memory.
//!
//! Bytes and times come in, decisions go out: there is no clock here, no I/O and no log.
#![forbid(unsafe_code)]

mod answer;
mod expected;
mod record;
mod report;
mod state;

pub use crate::{
    answer::{Answer, MAX_ANSWER, Verdict, error_code},
    expected::Expected,
    record::{AddressSlot, Leader, MAX_PEERS, UpstreamRecord, address_key},
    report::{AddressHealth, Change, UpstreamHealth},
    state::{Health, HealthState, Thresholds, first_check, next_check},
};
