//! A provider's keys as they lie in shared memory: one worker fetches and writes them, all use them.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, fence};

use shm::{Text, shared_record};
use sigv4::MAX_ACCESS_KEY;
use zeroize::Zeroizing;

use crate::keys::ProvidedKeys;
use crate::schedule;

shared_record! {
    /// A provider in shared memory.
    pub struct ProviderRecord {
        /// Counts the keys: 0 if there are none yet, odd while new ones are written.
        generation: AtomicU64,
        access_key_length: AtomicU32,
        access_key: [AtomicU8; MAX_ACCESS_KEY],
        secret_key_length: AtomicU32,
        secret_key: [AtomicU8; ProvidedKeys::MAX_SECRET],
        session_token_length: AtomicU32,
        session_token: [AtomicU8; ProvidedKeys::MAX_TOKEN],
        /// In seconds since 1970, as all times but those in ticks; 0 if they do not expire.
        expires: AtomicU64,
        /// When they were given, or confirmed.
        fetched: AtomicU64,
        /// What the file was like that was read last.
        file_version: AtomicU64,
        /// When to fetch again, in milliseconds of the clock that leases go by: in ticks.
        next: AtomicU64,
        /// The generation that an origin has rejected.
        rejected: AtomicU64,
        /// When the last fetch ended, in ticks.
        ended: AtomicU64,
        /// Fetches in a row for an origin that had rejected the keys, and that have brought the same ones, or others
        /// soon after those.
        in_vain: AtomicU32,
        /// Who fetches, and until when unless it renews its lease, in ticks.
        holder: AtomicU64,
        lease_end: AtomicU64,
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

/// What there is to tell of a provider's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReport {
    pub provider: String,
    /// Whether there are keys that are used.
    pub has_keys: bool,
    /// When they expire, in seconds since 1970; `None` if they do not.
    pub expires: Option<u64>,
    /// When they were given, or confirmed; `None` if they were not yet.
    pub refreshed_at: Option<u64>,
    pub refreshed: u64,
    pub failed: u64,
    /// Why the last fetch failed; empty if it did not.
    pub error: String,
}

/// Seconds by which clocks may differ.
const NEAR: u64 = 60;

/// How often a reader looks again, if keys are written while it reads them. That takes microseconds, unless the
/// writer was killed: then the old keys are used on.
const LOOKS: usize = 1_000;

impl ProviderRecord {
    /// Tells which keys there are: the number changes with them. 0 if there are none.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    /// Copies the keys with their generation; `None` if there are none, or none that are whole.
    pub fn read(&self) -> Option<(u64, ProvidedKeys)> {
        for _ in 0..LOOKS {
            let before = self.generation();
            if before == 0 {
                return None;
            }
            if before.is_multiple_of(2) {
                let access_key = get(&self.access_key_length, &self.access_key);
                let secret_key = get(&self.secret_key_length, &self.secret_key);
                let session_token = get(&self.session_token_length, &self.session_token);
                fence(Acquire);
                if self.generation.load(Relaxed) == before {
                    // Checked again: who has access to the memory may have written anything.
                    let keys = ProvidedKeys::new(
                        &access_key,
                        &secret_key,
                        Some(&session_token),
                        self.expires(),
                    );
                    return Some((before, keys.ok()?));
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Tells whether the keys have expired, or are about to, at that time.
    pub fn is_near_end(&self, now: u64) -> bool {
        let expires = self.expires();
        expires.is_some_and(|expires| now.saturating_add(NEAR) >= expires)
    }

    fn expires(&self) -> Option<u64> {
        Some(self.expires.load(Relaxed)).filter(|time| *time != 0)
    }

    /// Tells whether the keys are still used at that time.
    pub fn is_usable(&self, now: u64) -> bool {
        self.generation() != 0
            && schedule::is_usable(self.expires(), self.fetched.load(Relaxed), now)
    }

    /// Takes keys that were given now; those before them are overwritten. To be called under the zone's lock, and
    /// before `note_success`. Returns whether they are other ones than before.
    pub fn publish(&self, keys: &ProvidedKeys, now: u64, ticks: u64) -> bool {
        let present = self.read();
        let is_new = present.is_none_or(|(_, present)| {
            present.access_key != keys.access_key
                || present.secret_key != keys.secret_key
                || present.session_token != keys.session_token
        });
        // An origin that rejects each new key at once will reject the next one, too.
        let since = ticks.saturating_sub(self.ended.load(Relaxed));
        let in_vain = match self.is_rejected() && (!is_new || since < SOON) {
            true => self.in_vain.load(Relaxed).saturating_add(1),
            false => 0,
        };
        self.in_vain.store(in_vain, Relaxed);
        if is_new {
            // What a killed writer has left is odd, too.
            let odd = self.generation.load(Relaxed).wrapping_add(1) | 1;
            self.generation.store(odd, Relaxed);
            fence(Release);
            let token = keys.session_token.as_deref().map_or(&[][..], Vec::as_slice);
            put(&self.access_key_length, &self.access_key, &keys.access_key);
            put(&self.secret_key_length, &self.secret_key, &keys.secret_key);
            put(&self.session_token_length, &self.session_token, token);
            self.generation.store(odd.wrapping_add(1).max(2), Release);
        }
        self.expires.store(keys.expires.unwrap_or(0), Relaxed);
        self.fetched.store(now, Relaxed);
        is_new
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

    /// Takes note that an origin has rejected the keys of that generation.
    pub fn reject(&self, generation: u64) {
        self.rejected.store(generation, Relaxed);
    }

    /// Tells whether an origin has rejected the present keys.
    pub fn is_rejected(&self) -> bool {
        let generation = self.generation();
        generation != 0 && self.rejected.load(Relaxed) == generation
    }

    /// Tells when to fetch next, in ticks, unless somebody does.
    pub fn due(&self, ticks: u64) -> u64 {
        let next = self.next.load(Relaxed);
        // The clock may be another one since a machine's start.
        let next = next.min(ticks.saturating_add(FARTHEST));
        match self.is_rejected() {
            // An origin that rejects any keys must not have them fetched all the time.
            true => {
                let failures = self.in_vain.load(Relaxed).max(self.failed_in_row());
                let pause = schedule::after_failure(failures, 0);
                next.min(
                    self.ended
                        .load(Relaxed)
                        .saturating_add(pause)
                        .min(ticks.saturating_add(pause)),
                )
            }
            false => next,
        }
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

    /// Returns what there is to tell; `provider` is its name.
    pub fn report(&self, provider: String, now: u64) -> ProviderReport {
        ProviderReport {
            provider,
            has_keys: self.is_usable(now),
            expires: self.expires(),
            refreshed_at: Some(self.fetched.load(Relaxed)).filter(|time| *time != 0),
            refreshed: self.refreshed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            error: self.error.readable(),
        }
    }
}

/// In ticks.
const SOON: u64 = 10 * 1_000;
const FARTHEST: u64 = 24 * 60 * 60 * 1_000;
const LONGEST_LEASE: u64 = 60 * 1_000;

fn put<const N: usize>(length: &AtomicU32, to: &[AtomicU8; N], from: &[u8]) {
    let from = from.get(..N.min(from.len())).unwrap_or_default();
    let padded = from.iter().copied().chain(std::iter::repeat(0));
    for (to, from) in to.iter().zip(padded) {
        to.store(from, Relaxed);
    }
    length.store(from.len() as u32, Relaxed);
}

fn get<const N: usize>(length: &AtomicU32, from: &[AtomicU8; N]) -> Zeroizing<Vec<u8>> {
    let length = (length.load(Relaxed) as usize).min(N);
    let mut bytes = Zeroizing::new(Vec::with_capacity(N));
    bytes.extend(from.iter().take(length).map(|byte| byte.load(Relaxed)));
    bytes
}

#[cfg(test)]
mod tests;
