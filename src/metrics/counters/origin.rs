//! The tries at an origin.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use shm::shared_record;

use super::{CLASSES, RECENT_ORIGIN_SECONDS, Recent, WorkerLanes, class, increment, lane};

shared_record! {
    pub(crate) struct OriginCounters {
        pub(crate) lanes: WorkerLanes<OriginLane>,
        /// Seconds since the epoch, of the last answer that was not a failure, and of the last failure
        /// with its status (0: no answer).
        pub(crate) succeeded: AtomicU64,
        pub(crate) failed: AtomicU64,
        pub(crate) failure: AtomicU32,
    }
}

shared_record! {
    pub(crate) struct OriginLane {
        pub(crate) answers: [AtomicU64; CLASSES],
        /// The client went away before there was an answer.
        pub(crate) given_up: AtomicU64,
        pub(crate) successes: Recent,
        pub(crate) failures: Recent,
    }
}

/// How a try ended.
#[derive(Debug, Clone, Copy)]
pub enum Try {
    /// With a status.
    Answered(u16),
    /// Not connected, timed out, broken off or not understood.
    NoAnswer,
    GivenUp,
}

impl OriginCounters {
    pub(crate) fn count(&self, outcome: Try, worker: usize, now: u64) {
        let lane = lane(&self.lanes, worker);
        let status = match outcome {
            Try::Answered(status) => status,
            Try::NoAnswer => 0,
            Try::GivenUp => {
                increment(&lane.given_up);
                return;
            }
        };
        increment(&lane.answers[class(status)]);
        if (200..500).contains(&status) {
            lane.successes.count(now / RECENT_ORIGIN_SECONDS);
            note_time(&self.succeeded, now);
        } else {
            lane.failures.count(now / RECENT_ORIGIN_SECONDS);
            self.failure.store(status.into(), Relaxed);
            note_time(&self.failed, now);
        }
    }
}

/// Writes once a second at most: all workers share it.
fn note_time(time: &AtomicU64, now: u64) {
    if time.load(Relaxed) != now {
        time.store(now, Relaxed);
    }
}
