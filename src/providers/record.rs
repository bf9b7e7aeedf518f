//! A provider's keys as they lie in shared memory: one worker fetches and writes them, all use them.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, fence};

use shm::shared_record;
use sigv4::MAX_ACCESS_KEY;
use zeroize::Zeroizing;

use crate::keys::ProvidedKeys;
use crate::renewal::{Renewable, Renewal, RenewalReport};
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
        /// The generation that an origin has rejected.
        rejected: AtomicU64,
        /// Fetches in a row for an origin that had rejected the keys, and that have brought the same ones, or others
        /// soon after those.
        in_vain: AtomicU32,
        renewal: Renewal,
    }
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

    /// Takes keys that were given now; those before them are overwritten. To be called under the zone's lock, and
    /// before [`Renewal::note_success`]. Returns whether they are other ones than before.
    pub fn publish(&self, keys: &ProvidedKeys, now: u64, ticks: u64) -> bool {
        let present = self.read();
        let is_new = present.is_none_or(|(_, present)| {
            present.access_key != keys.access_key
                || present.secret_key != keys.secret_key
                || present.session_token != keys.session_token
        });
        // An origin that rejects each new key at once will reject the next one, too.
        let since = self.renewal.since_end(ticks);
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

    /// Takes note that an origin has rejected the keys of that generation.
    pub fn reject(&self, generation: u64) {
        self.rejected.store(generation, Relaxed);
    }

    /// Tells whether an origin has rejected the present keys.
    pub fn is_rejected(&self) -> bool {
        let generation = self.generation();
        generation != 0 && self.rejected.load(Relaxed) == generation
    }

    /// Returns what there is to tell; `provider` is its name.
    pub fn report(&self, provider: String, now: u64) -> ProviderReport {
        let RenewalReport {
            refreshed,
            failed,
            error,
        } = self.renewal.report();
        ProviderReport {
            provider,
            has_keys: self.is_usable(now),
            expires: self.expires(),
            refreshed_at: Some(self.fetched.load(Relaxed)).filter(|time| *time != 0),
            refreshed,
            failed,
            error,
        }
    }
}

impl Renewable for ProviderRecord {
    fn renewal(&self) -> &Renewal {
        &self.renewal
    }

    #[inline]
    fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    fn due(&self, ticks: u64) -> u64 {
        let next = self.renewal.next(ticks);
        match self.is_rejected() {
            // An origin that rejects any keys must not have them fetched all the time.
            true => {
                let in_vain = self.in_vain.load(Relaxed);
                let failures = in_vain.max(self.renewal.failed_in_row());
                let pause = schedule::after_failure(failures, 0);
                next.min(self.renewal.earliest(ticks, pause))
            }
            false => next,
        }
    }

    fn is_usable(&self, now: u64) -> bool {
        self.is_there() && schedule::is_usable(self.expires(), self.fetched.load(Relaxed), now)
    }
}

/// In ticks.
const SOON: u64 = 10 * 1_000;

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
