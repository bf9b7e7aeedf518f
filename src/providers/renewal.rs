//! When something in shared memory is fetched again, and by whom: one worker at a time.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use shm::{Text, shared_record};

shared_record! {
    /// The renewing of one record. Times in ticks are milliseconds of the clock that leases go by.
    pub struct Renewal {
        /// What the file was like that was read last.
        file_version: AtomicU64,
        /// When to fetch again, in ticks.
        pub(crate) next: AtomicU64,
        /// When the last fetch ended, in ticks.
        pub(crate) ended: AtomicU64,
        /// Who fetches, and until when unless it renews its lease, in ticks.
        holder: AtomicU64,
        pub(crate) lease_end: AtomicU64,
        refreshed: AtomicU64,
        failed: AtomicU64,
        failed_in_row: AtomicU32,
        error: Text,
    }
}

/// The right to fetch: of one worker at a time. To be taken under the zone's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    holder: u64,
}

/// What there is to tell of the fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalReport {
    pub refreshed: u64,
    pub failed: u64,
    /// Why the last fetch failed; empty if it did not.
    pub error: String,
}

/// A record that is fetched again and again.
pub trait Renewable {
    fn renewal(&self) -> &Renewal;

    /// Tells when to fetch next, in ticks, unless somebody does.
    fn due(&self, ticks: u64) -> u64;

    /// Tells which one there is: the number changes with it. 0 if there is none yet, odd while another one is written.
    fn generation(&self) -> u64;

    /// Tells whether anything was fetched, be it out of use by now.
    fn is_there(&self) -> bool {
        self.generation() != 0
    }

    /// Tells whether what was fetched is still used, at a time in seconds since 1970.
    fn is_usable(&self, now: u64) -> bool;
}

/// In ticks.
pub(crate) const FARTHEST: u64 = 24 * 60 * 60 * 1_000;
const LONGEST_LEASE: u64 = 60 * 1_000;

impl Renewal {
    /// Tells when to fetch next, in ticks, if nothing else is known.
    pub(crate) fn next(&self, ticks: u64) -> u64 {
        // The clock may be another one since a machine's start.
        let next = self.next.load(Relaxed);
        next.min(ticks.saturating_add(FARTHEST))
    }

    /// Tells when a fetch may begin that is wanted before its time: `pause` after the last one has ended.
    pub(crate) fn earliest(&self, ticks: u64, pause: u64) -> u64 {
        let ended = self.ended.load(Relaxed);
        (ended.saturating_add(pause)).min(ticks.saturating_add(pause))
    }

    /// Tells fetches apart by their ends; never 0.
    pub(crate) fn mark(&self) -> u64 {
        self.ended.load(Relaxed).saturating_add(1)
    }

    /// Tells how long ago the last fetch ended, in ticks.
    pub(crate) fn since_end(&self, ticks: u64) -> u64 {
        ticks.saturating_sub(self.ended.load(Relaxed))
    }

    /// Takes note that a fetch has succeeded, and when to fetch again.
    pub fn note_success(&self, ticks: u64, next: u64) {
        self.refreshed.fetch_add(1, Relaxed);
        self.failed_in_row.store(0, Relaxed);
        self.error.set(b"");
        self.end(ticks, next);
    }

    /// Takes note that one has failed, and why. Returns how many have in a row.
    pub fn note_failure(&self, why: &str) -> u32 {
        self.failed.fetch_add(1, Relaxed);
        self.error.set(why.as_bytes());
        let failed = self.failed_in_row.load(Relaxed).saturating_add(1);
        self.failed_in_row.store(failed, Relaxed);
        failed
    }

    /// Ends a fetch, whether it has brought something or not: another may begin at `next`. To be called by who has the
    /// lease.
    pub fn end(&self, ticks: u64, next: u64) {
        self.ended.store(ticks, Relaxed);
        self.next.store(next, Relaxed);
        self.lease_end.store(0, Relaxed);
    }

    /// Takes the right to fetch until `lease` later, if nobody else has it.
    pub fn lead(&self, holder: u32, ticks: u64, lease: u64) -> Option<Lease> {
        let me = u64::from(holder);
        let end = self.lease_end.load(Relaxed);
        // One from before the machine's start ends, too.
        let is_held = end > ticks && end <= ticks.saturating_add(LONGEST_LEASE);
        if is_held && self.holder.load(Relaxed) != me {
            return None;
        }
        self.holder.store(me, Relaxed);
        self.lease_end.store(ticks.saturating_add(lease), Relaxed);
        Some(Lease { holder: me })
    }

    /// Tells whether somebody fetches.
    pub fn is_led(&self, ticks: u64) -> bool {
        self.lease_end.load(Relaxed) > ticks
    }

    /// Renews a lease; false if another worker has it by now.
    pub fn renew(&self, lease: Lease, ticks: u64, length: u64) -> bool {
        let is_held = self.holds(lease);
        if is_held {
            self.lease_end.store(ticks.saturating_add(length), Relaxed);
        }
        is_held
    }

    /// Tells whether the right is still that worker's.
    pub fn holds(&self, lease: Lease) -> bool {
        self.holder.load(Relaxed) == lease.holder
    }

    /// Tells how many fetches have failed since the last success.
    pub fn failed_in_row(&self) -> u32 {
        self.failed_in_row.load(Relaxed)
    }

    pub fn file_version(&self) -> u64 {
        self.file_version.load(Relaxed)
    }

    pub fn set_file_version(&self, version: u64) {
        self.file_version.store(version, Relaxed);
    }

    /// Returns what there is to tell.
    pub fn report(&self) -> RenewalReport {
        RenewalReport {
            refreshed: self.refreshed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            error: self.error.readable(),
        }
    }
}
