//! What is known of an upstream's addresses, as it lies in shared memory: one worker checks and writes,
//! all may read.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use shm::{Shared, Text, shared_record};

use crate::{AddressHealth, Change, Health, HealthState};

/// The most addresses of an upstream that are checked.
pub const MAX_PEERS: usize = 64;
/// The changes of state that are kept for each address.
const HISTORY: usize = 8;

shared_record! {
    /// An upstream in shared memory.
    pub struct UpstreamRecord {
        /// The last configuration that was loaded: its workers check, where there are any.
        generation: AtomicU32,
        /// Who checks (see `Leader`), and until when unless it renews its lease.
        leader: AtomicU64,
        lease_end: AtomicU64,
        all_down: AtomicU8,
        slots: [AddressSlot; MAX_PEERS],
    }
}

shared_record! {
    /// An address of an upstream.
    pub struct AddressSlot {
        /// A hash of server and address; 0 marks a free slot.
        key: AtomicU64,
        server: Text,
        name: Text,
        state: AtomicU8,
        against: AtomicU32,
        /// Seconds since 1970, as all times but `next_check`.
        since: AtomicU64,
        /// In milliseconds of the clock that checks go by; 0 is not known yet.
        next_check: AtomicU64,
        checked_at: AtomicU64,
        took: AtomicU32,
        reason: Text,
        passed: AtomicU64,
        failed: AtomicU64,
        /// How many changes there have been; the last ones are in `history`, in turn.
        changes: AtomicU64,
        history: [ChangeRecord; HISTORY],
    }
}

shared_record! {
    struct ChangeRecord {
        at: AtomicU64,
        state: AtomicU8,
        reason: Text,
    }
}

/// A worker as one that may check an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leader {
    /// The number of its configuration, see `UpstreamRecord::begin_generation`.
    pub generation: u32,
    pub process: u32,
}

impl Leader {
    fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.process)
    }
}

impl UpstreamRecord {
    /// What the numbers in a record stand for.
    pub fn meaning() -> impl std::hash::Hash {
        [0, 1, 2].map(|number| HealthState::from_number(number).name())
    }

    /// Forgets all addresses.
    pub fn forget(&self) {
        self.slots.clear();
    }

    /// A configuration is about to be used: its number. Whoever has checked until now cannot renew its
    /// lease any more, which ends `now`. To be called under the zone's lock, as `lead`.
    pub fn begin_generation(&self, now: u64) -> u32 {
        let generation = self.generation.fetch_add(1, Relaxed).wrapping_add(1);
        self.leader.store(0, Relaxed);
        self.lease_end.store(now, Relaxed);
        generation
    }

    /// Whether the worker is the one to check; it is until `lease` later. Those of an older
    /// configuration wait for a lease longer: while nginx's binary is replaced they are as much in use,
    /// and they stay if that is taken back.
    pub fn lead(&self, worker: Leader, now: u64, lease: u64) -> bool {
        let is_latest = self.generation.load(Relaxed) == worker.generation;
        let patience = if is_latest { 0 } else { lease };
        let free_at = self.lease_end.load(Relaxed).saturating_add(patience);
        if free_at > now && !self.is_led_by(worker) {
            return false;
        }
        self.leader.store(worker.number(), Relaxed);
        self.lease_end.store(now.saturating_add(lease), Relaxed);
        true
    }

    /// Whether the worker is still the one to check.
    pub fn is_led_by(&self, worker: Leader) -> bool {
        self.leader.load(Relaxed) == worker.number()
    }

    /// Whether a worker of that configuration checks.
    pub fn is_led_by_generation(&self, generation: u32) -> bool {
        self.leader.load(Relaxed) >> 32 == u64::from(generation)
    }

    /// The worker checks no longer: another may at once.
    pub fn retire(&self, worker: Leader) {
        if self.is_led_by(worker) {
            self.lease_end.store(0, Relaxed);
        }
    }

    /// Whether all addresses are down now, and were not the last time that this was said.
    pub fn begins_all_down(&self, all_down: bool) -> bool {
        let were_all_down = self.all_down.swap(u8::from(all_down), Relaxed) != 0;
        all_down && !were_all_down
    }

    pub fn slot(&self, key: u64) -> Option<&AddressSlot> {
        self.slots_in_use().find(|slot| slot.key() == key)
    }

    pub fn is_down(&self, server: &[u8], address: &[u8]) -> bool {
        self.slot(address_key(server, address))
            .is_some_and(|slot| slot.health().state == HealthState::Down)
    }

    /// The slot of an address, a new one where it has none; `None` where all are taken. `name` is the
    /// address for people to read.
    pub fn slot_or_new(&self, server: &[u8], address: &[u8], name: &[u8]) -> Option<&AddressSlot> {
        let key = address_key(server, address);
        if let Some(slot) = self.slot(key) {
            return Some(slot);
        }
        let slot = self.slots.iter().find(|slot| slot.key() == 0)?;
        slot.clear();
        slot.server.set(server);
        slot.name.set(name);
        slot.key.store(key, Relaxed);
        Some(slot)
    }

    /// Frees the slots of all other addresses.
    pub fn retain(&self, is_kept: impl Fn(u64) -> bool) {
        let others = self.slots_in_use().filter(|slot| !is_kept(slot.key()));
        others.for_each(AddressSlot::clear);
    }

    /// What is known of each address.
    pub fn addresses(&self) -> Vec<AddressHealth> {
        self.slots_in_use().map(AddressSlot::read).collect()
    }

    fn slots_in_use(&self) -> impl Iterator<Item = &AddressSlot> {
        self.slots.iter().filter(|slot| slot.key() != 0)
    }
}

impl AddressSlot {
    /// See `address_key`.
    pub fn key(&self) -> u64 {
        self.key.load(Relaxed)
    }

    /// The text of the `server` line, with escapes.
    pub fn server(&self) -> String {
        self.server.readable()
    }

    pub fn name(&self) -> String {
        self.name.readable()
    }

    /// In milliseconds; `None` if it is not known yet.
    pub fn next_check(&self) -> Option<u64> {
        Some(self.next_check.load(Relaxed)).filter(|at| *at != 0)
    }

    pub fn set_next_check(&self, at: u64) {
        self.next_check.store(at, Relaxed);
    }

    pub fn health(&self) -> Health {
        Health {
            state: HealthState::from_number(self.state.load(Relaxed)),
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

    pub fn note_change(&self, state: HealthState, reason: &str, seconds: u64) {
        self.since.store(seconds, Relaxed);
        let number = self.changes.load(Relaxed);
        let change = self.change(number);
        change.at.store(seconds, Relaxed);
        change.state.store(state as u8, Relaxed);
        change.reason.set(reason.as_bytes());
        self.changes.store(number.wrapping_add(1), Relaxed);
    }

    fn change(&self, number: u64) -> &ChangeRecord {
        &self.history[(number % HISTORY as u64) as usize]
    }

    fn read(&self) -> AddressHealth {
        let changes = self.changes.load(Relaxed);
        let latest_first = (changes.saturating_sub(HISTORY as u64)..changes).rev();
        AddressHealth {
            server: self.server(),
            address: self.name(),
            state: self.health().state,
            since: self.since.load(Relaxed),
            checked_at: self.checked_at.load(Relaxed),
            took: self.took.load(Relaxed),
            reason: self.reason.readable(),
            passed: self.passed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            history: latest_first
                .map(|number| self.change(number).read())
                .collect(),
        }
    }
}

impl ChangeRecord {
    fn read(&self) -> Change {
        Change {
            at: self.at.load(Relaxed),
            state: HealthState::from_number(self.state.load(Relaxed)),
            reason: self.reason.readable(),
        }
    }
}

/// What an address of a server is known by: the same in every process, as a reload and a new binary go
/// by it.
pub fn address_key(server: &[u8], address: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(server);
    hasher.write(b"\0");
    hasher.write(address);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests;
