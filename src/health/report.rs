//! What is known of upstreams and their addresses, to be shown. Times are in seconds since 1970; 0
//! stands for never.

use crate::HealthState;

/// What is known of an upstream that is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamHealth {
    pub name: String,
    /// Whether any of its origins is.
    pub is_up: bool,
    pub addresses: Vec<AddressHealth>,
}

/// What is known of one address of an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressHealth {
    /// The text of its `server` line.
    pub server: String,
    pub address: String,
    pub state: HealthState,
    pub since: u64,
    pub checked_at: u64,
    /// Milliseconds that the last check took.
    pub took: u32,
    /// Why the last check failed; empty where it did not.
    pub reason: String,
    pub passed: u64,
    pub failed: u64,
    /// The last changes, the latest first.
    pub history: Vec<Change>,
}

/// A change of an address's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub at: u64,
    pub state: HealthState,
    pub reason: String,
}
