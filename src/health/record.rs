//! What is known of an upstream's addresses, as it lies in shared memory. One worker writes, all may
//! read.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use shm::{Shared, Text, shared_record};

use crate::{Health, State};

/// The most addresses of an upstream that are checked.
pub const MAX_PEERS: usize = 64;
/// The changes of state that are kept for each address.
const HISTORY: usize = 8;

shared_record! {
    /// An upstream in shared memory.
    pub struct Record {
        /// Of the last configuration that was loaded: its workers check, where there are any.
        pub generation: AtomicU32,
        /// Who checks (see `Checked::me`), and until when unless it says so again.
        pub worker: AtomicU64,
        pub lease_end: AtomicU64,
        pub all_down: AtomicU8,
        pub slots: [Slot; MAX_PEERS],
    }
}

shared_record! {
    /// An address of an upstream.
    pub struct Slot {
        /// Of server and address; 0 is nobody's.
        pub key: AtomicU64,
        pub server: Text,
        pub address: Text,
        state: AtomicU8,
        against: AtomicU32,
        /// Seconds since 1970, as all times but `next_check`.
        since: AtomicU64,
        /// In milliseconds; 0 is not known yet.
        pub next_check: AtomicU64,
        checked_at: AtomicU64,
        took: AtomicU32,
        reason: Text,
        passed: AtomicU64,
        failed: AtomicU64,
        /// How many changes there have been; the last ones are in `history`, in turn.
        changes: AtomicU64,
        history: [SharedChange; HISTORY],
    }
}

shared_record! {
    struct SharedChange {
        at: AtomicU64,
        state: AtomicU8,
        reason: Text,
    }
}

impl Record {
    pub fn slot(&self, key: u64) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.key.load(Relaxed) == key)
    }

    pub fn is_down(&self, server: &[u8], address: &[u8]) -> bool {
        self.slot(key(server, address))
            .is_some_and(|slot| slot.health().state == State::Down)
    }

    /// The slot of an address, a new one where it has none; None where all are taken.
    pub fn slot_or_new(&self, key: u64, server: &[u8], address: &[u8]) -> Option<&Slot> {
        if let Some(slot) = self.slot(key) {
            return Some(slot);
        }
        let slot = self.slot(0)?;
        slot.clear();
        slot.server.set(server);
        slot.address.set(address);
        slot.key.store(key, Relaxed);
        Some(slot)
    }
}

impl Slot {
    pub fn health(&self) -> Health {
        Health {
            state: State::from_number(self.state.load(Relaxed)),
            against: self.against.load(Relaxed),
        }
    }

    pub fn set_health(&self, health: Health) {
        self.against.store(health.against, Relaxed);
        self.state.store(health.state as u8, Relaxed);
    }

    /// A check has ended, after `took` milliseconds; `reason` says why it failed, if it did.
    pub fn note_check(&self, passed: bool, reason: &str, took: u64, seconds: u64) {
        let took = u32::try_from(took).unwrap_or(u32::MAX);
        self.took.store(took, Relaxed);
        self.checked_at.store(seconds, Relaxed);
        self.reason.set(reason.as_bytes());
        let count = if passed { &self.passed } else { &self.failed };
        count.fetch_add(1, Relaxed);
    }

    pub fn note_change(&self, state: State, reason: &str, seconds: u64) {
        self.since.store(seconds, Relaxed);
        let number = self.changes.load(Relaxed);
        let change = &self.history[number as usize % HISTORY];
        change.at.store(seconds, Relaxed);
        change.state.store(state as u8, Relaxed);
        change.reason.set(reason.as_bytes());
        self.changes.store(number + 1, Relaxed);
    }
}

/// The same in every process: a reload and a new binary go by it.
pub fn key(server: &[u8], address: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(server);
    hasher.write(b"\0");
    hasher.write(address);
    hasher.finish().max(1)
}

#[derive(Debug)]
/// What is known of one address of an origin. Times are in seconds since 1970; 0 stands for never.
pub struct OriginHealth {
    /// The text of its `server` line.
    pub server: String,
    pub address: String,
    pub state: State,
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

#[derive(Debug)]
pub struct Change {
    pub at: u64,
    pub state: State,
    pub reason: String,
}

impl OriginHealth {
    pub fn of(slot: &Slot) -> OriginHealth {
        let changes = slot.changes.load(Relaxed);
        let latest_first = (changes.saturating_sub(HISTORY as u64)..changes).rev();
        OriginHealth {
            server: slot.server.readable(),
            address: slot.address.readable(),
            state: slot.health().state,
            since: slot.since.load(Relaxed),
            checked_at: slot.checked_at.load(Relaxed),
            took: slot.took.load(Relaxed),
            reason: slot.reason.readable(),
            passed: slot.passed.load(Relaxed),
            failed: slot.failed.load(Relaxed),
            history: latest_first
                .map(|number| &slot.history[number as usize % HISTORY])
                .map(|change| Change {
                    at: change.at.load(Relaxed),
                    state: State::from_number(change.state.load(Relaxed)),
                    reason: change.reason.readable(),
                })
                .collect(),
        }
    }
}
