//! How long an origin's answers take to begin.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use shm::shared_record;

use super::recent::{count_in, counted_in};
use super::{WorkerLanes, increment, sum};

/// Upper bounds, in milliseconds, which are as fine as nginx's clock; the last bucket has none.
pub const FIRST_BYTE_BOUNDS: [u64; 14] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000,
];
pub const FIRST_BYTE_BUCKETS: usize = FIRST_BYTE_BOUNDS.len() + 1;

/// How long a period is whose times are apart from the others, in seconds.
pub const FIRST_BYTE_SECONDS: u64 = 600;

/// The periods that are kept: the one under way, and the one before.
const PERIODS: usize = 2;

shared_record! {
    pub(crate) struct FirstByte {
        counts: [AtomicU64; FIRST_BYTE_BUCKETS],
        milliseconds: AtomicU64,
        /// As in `Recent`, those of a period in the place of those of the one before the last.
        recent: [[AtomicU64; FIRST_BYTE_BUCKETS]; PERIODS],
    }
}

/// Times, by bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FirstByteTimes {
    pub counts: [u64; FIRST_BYTE_BUCKETS],
    /// Of the last ten to twenty minutes.
    pub recent: [u64; FIRST_BYTE_BUCKETS],
    pub milliseconds: u64,
}

impl FirstByte {
    pub(crate) fn count(&self, milliseconds: u64, now: u64) {
        let bucket = FIRST_BYTE_BOUNDS.partition_point(|bound| *bound < milliseconds);
        increment(&self.counts[bucket]);
        self.milliseconds.fetch_add(milliseconds, Relaxed);
        let period = now / FIRST_BYTE_SECONDS;
        count_in(&self.recent[place(period)][bucket], period);
    }
}

fn place(period: u64) -> usize {
    (period % PERIODS as u64) as usize
}

impl FirstByteTimes {
    /// Adds up the lanes.
    pub(crate) fn sum<T>(
        lanes: &WorkerLanes<T>,
        of: impl Fn(&T) -> &FirstByte,
        now: u64,
    ) -> FirstByteTimes {
        let period = now / FIRST_BYTE_SECONDS;
        let in_period = |bucket: usize, period: u64| {
            let lanes = lanes.iter();
            let counts =
                lanes.map(|lane| counted_in(&of(lane).recent[place(period)][bucket], period));
            counts.sum::<u64>()
        };
        let recent = |bucket| {
            in_period(bucket, period)
                + (period.checked_sub(1)).map_or(0, |last| in_period(bucket, last))
        };
        FirstByteTimes {
            counts: std::array::from_fn(|bucket| sum(lanes, |lane| &of(lane).counts[bucket])),
            recent: std::array::from_fn(recent),
            milliseconds: sum(lanes, |lane| &of(lane).milliseconds),
        }
    }

    /// Returns the milliseconds within which this percentage of the recent answers began: `Err` with the last
    /// bound if it took longer; `None` if there are no answers.
    pub fn within(&self, percent: u64) -> Option<Result<u64, u64>> {
        let most = FIRST_BYTE_BOUNDS[FIRST_BYTE_BOUNDS.len() - 1];
        let bucket = bucket_within(&self.recent, percent)?;
        Some(FIRST_BYTE_BOUNDS.get(bucket).copied().ok_or(most))
    }
}

/// Finds the bucket that the percentile is in.
pub(crate) fn bucket_within(counts: &[u64], percent: u64) -> Option<usize> {
    let sum = |counts: &[u64]| counts.iter().map(|count| u128::from(*count)).sum::<u128>();
    let enough = sum(counts) * u128::from(percent);
    (0..counts.len()).find(|last| {
        let count = sum(&counts[..=*last]);
        count > 0 && count * 100 >= enough
    })
}
