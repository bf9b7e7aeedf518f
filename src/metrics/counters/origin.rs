//! The tries at an origin.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use shm::shared_record;

use super::{CLASSES, RECENT_ORIGIN_SECONDS, Recent, WorkerLanes, class, increment, lane};

shared_record! {
    pub(crate) struct OriginCounters {
        pub(crate) lanes: WorkerLanes<OriginLane>,
        /// Seconds since the epoch, of the last answer that was not a failure; and of the last rejection, and
        /// the last failure, with its status (0: no answer).
        pub(crate) succeeded: AtomicU64,
        pub(crate) rejected: AtomicU64,
        pub(crate) failed: AtomicU64,
        pub(crate) rejection: AtomicU32,
        pub(crate) failure: AtomicU32,
    }
}

shared_record! {
    pub(crate) struct OriginLane {
        pub(crate) answers: [AtomicU64; CLASSES],
        /// The client went away before there was an answer.
        pub(crate) given_up: AtomicU64,
        pub(crate) successes: Recent,
        pub(crate) rejections: Recent,
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
        let period = now / RECENT_ORIGIN_SECONDS;
        match Verdict::of(status) {
            Verdict::Success => {
                lane.successes.count(period);
                note_time(&self.succeeded, now);
            }
            Verdict::Rejection => {
                lane.rejections.count(period);
                note_time(&self.succeeded, now);
                self.rejection.store(status.into(), Relaxed);
                note_time(&self.rejected, now);
            }
            Verdict::Failure => {
                lane.failures.count(period);
                self.failure.store(status.into(), Relaxed);
                note_time(&self.failed, now);
            }
        }
    }
}

/// What a status says of the origin.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It does what is asked, or says that the object, or its state, is another one.
    Success,
    /// It does not want such a request: its keys, its region or what they may do can be wrong.
    Rejection,
    Failure,
}

impl Verdict {
    fn of(status: u16) -> Verdict {
        match status {
            200..300 | 304 | 404 | 405 | 409 | 410 | 412 | 416 => Verdict::Success,
            300..500 => Verdict::Rejection,
            _ => Verdict::Failure,
        }
    }
}

/// Writes once a second at most: all workers share it.
fn note_time(time: &AtomicU64, now: u64) {
    if time.load(Relaxed) != now {
        time.store(now, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        for (verdict, statuses) in [
            (Verdict::Success, &[200, 206, 299, 304, 404, 412, 416][..]),
            (
                Verdict::Rejection,
                &[300, 301, 307, 400, 401, 403, 429, 499],
            ),
            (
                Verdict::Failure,
                &[0, 101, 199, 500, 503, 599, 600, u16::MAX],
            ),
        ] {
            for status in statuses {
                assert_eq!(Verdict::of(*status), verdict, "{status}");
            }
        }
    }
}
