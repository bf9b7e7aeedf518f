//! Counts of the recent past.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use shm::shared_record;

use super::RECENT;

shared_record! {
    /// A counter for each period of the recent past: the period's number in the upper half, how many
    /// there were in the lower.
    pub(crate) struct Recent {
        periods: [AtomicU64; RECENT],
    }
}

const MOST: u64 = u32::MAX as u64;

/// Counts one in a period, in a counter that may be of an older one.
pub(super) fn count_in(counter: &AtomicU64, period: u64) {
    let _ = counter.fetch_update(Relaxed, Relaxed, |old| match old >> 32 == period {
        true if old & MOST == MOST => None,
        true => Some(old + 1),
        false => Some(period << 32 | 1),
    });
}

/// What has been counted in a period.
pub(super) fn counted_in(counter: &AtomicU64, period: u64) -> u64 {
    match counter.load(Relaxed) {
        counter if counter >> 32 == period => counter & MOST,
        _ => 0,
    }
}

impl Recent {
    pub(crate) fn count(&self, period: u64) {
        count_in(self.slot(period), period);
    }

    /// Adds up the lanes, the oldest period first, the one under way last.
    pub(crate) fn sum<'a>(recent: impl Iterator<Item = &'a Recent>, period: u64) -> [u64; RECENT] {
        let mut sums = [0; RECENT];
        for lane in recent {
            for (back, sum) in sums.iter_mut().rev().enumerate() {
                let Some(number) = period.checked_sub(back as u64) else {
                    break;
                };
                *sum += counted_in(lane.slot(number), number);
            }
        }
        sums
    }

    /// As another process could.
    #[cfg(test)]
    pub(crate) fn fill(&self, value: u64) {
        self.periods
            .iter()
            .for_each(|slot| slot.store(value, Relaxed));
    }

    fn slot(&self, period: u64) -> &AtomicU64 {
        &self.periods[(period % RECENT as u64) as usize]
    }
}
