//! The access keys that were rejected most.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use shm::{Text, shared_record};
use sigv4::Rejection;

use super::{code_index, increment};

/// How many access keys are remembered.
pub(crate) const REJECTED_KEYS: usize = 32;

shared_record! {
    /// The access keys that were rejected most, however many there are in all (Metwally, Agrawal and El
    /// Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005): a new one
    /// takes the place, and the count, of the least one. To be used under the zone's lock.
    pub(crate) struct RejectedKeys {
        keys: [RejectedKey; REJECTED_KEYS],
    }
}

shared_record! {
    pub(crate) struct RejectedKey {
        pub(crate) access_key: Text,
        /// The last rejection: the index in `Rejection::CODES`, and seconds since the epoch.
        code: AtomicU32,
        last: AtomicU64,
        /// At most so many, and how many of them may be another key's.
        count: AtomicU64,
        inherited: AtomicU64,
    }
}

impl RejectedKeys {
    pub(crate) fn count(&self, access_key: &[u8], code: &'static str, now: u64) {
        let mut least = &self.keys[0];
        let mut found = None;
        for key in &self.keys {
            let count = key.count.load(Relaxed);
            if count > 0 && key.access_key.is(access_key) {
                found = Some(key);
                break;
            }
            if count < least.count.load(Relaxed) {
                least = key;
            }
        }
        let key = found.unwrap_or_else(|| {
            least.inherited.store(least.count.load(Relaxed), Relaxed);
            least.access_key.set(access_key);
            least
        });
        increment(&key.count);
        key.code.store(code_index(code) as u32, Relaxed);
        key.last.store(now, Relaxed);
    }

    /// The keys that are certain to have been rejected, with the number of times that is certain.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &RejectedKey)> {
        self.keys.iter().filter_map(|key| {
            let (count, inherited) = (key.count.load(Relaxed), key.inherited.load(Relaxed));
            let certain = count.saturating_sub(inherited);
            (certain > 0).then_some((certain, key))
        })
    }
}

impl RejectedKey {
    pub(crate) fn code(&self) -> &'static str {
        let code = self.code.load(Relaxed) as usize;
        Rejection::CODES.get(code).copied().unwrap_or_default()
    }

    pub(crate) fn last(&self) -> u64 {
        self.last.load(Relaxed)
    }
}
