//! Judges the health of an origin: what an answer to a check says, and when the origin counts as down
//! or as up again.
//!
//! Bytes and times come in, decisions go out: there is no clock here, no I/O and no log.
#![forbid(unsafe_code)]

mod answer;
mod expected;
mod record;
mod state;

pub use crate::{
    answer::{Answer, MAX_ANSWER, Verdict},
    expected::Expected,
    record::{Change, MAX_PEERS, OriginHealth, Record, Slot, key},
    state::{Health, Rules, State, first_check, next_check},
};
