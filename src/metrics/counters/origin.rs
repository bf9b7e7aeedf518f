//! The tries at an origin.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use shm::shared_record;

use super::first_byte::FirstByte;
use super::workers::WORKERS;
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
        /// By the place of the worker that has them, which alone writes there.
        in_flight: [AtomicU32; WORKERS],
    }
}

shared_record! {
    pub(crate) struct OriginLane {
        pub(crate) answers: [AtomicU64; CLASSES],
        /// The client went away before there was an answer.
        pub(crate) given_up: AtomicU64,
        pub(crate) received: AtomicU64,
        pub(crate) sent: AtomicU64,
        pub(crate) first_byte: FirstByte,
        pub(crate) successes: Recent,
        pub(crate) rejections: Recent,
        pub(crate) failures: Recent,
    }
}

/// What there is to count of a try that has ended.
#[derive(Debug, Clone, Copy)]
pub struct TrySample {
    pub outcome: Try,
    /// Until the answer began; `None` where it did not, or where that says nothing of the origin.
    pub milliseconds: Option<u64>,
    pub received: u64,
    pub sent: u64,
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
    /// A try begins, of the worker in that place.
    pub(crate) fn begin(&self, place: usize) {
        if let Some(count) = self.in_flight.get(place) {
            count.store(count.load(Relaxed).saturating_add(1), Relaxed);
        }
    }

    pub(crate) fn end(&self, place: usize) {
        if let Some(count) = self.in_flight.get(place) {
            count.store(count.load(Relaxed).saturating_sub(1), Relaxed);
        }
    }

    /// Nobody has tries in flight in that place.
    pub(crate) fn begin_anew(&self, place: usize) {
        if let Some(count) = self.in_flight.get(place) {
            count.store(0, Relaxed);
        }
    }

    /// The tries in flight of the workers in these places.
    pub(crate) fn in_flight(&self, places: &[usize]) -> u64 {
        let counts = places.iter().filter_map(|place| self.in_flight.get(*place));
        counts.map(|count| u64::from(count.load(Relaxed))).sum()
    }

    pub(crate) fn count(&self, ended: &TrySample, worker: usize, now: u64) {
        let lane = lane(&self.lanes, worker);
        lane.received.fetch_add(ended.received, Relaxed);
        lane.sent.fetch_add(ended.sent, Relaxed);
        if let Some(milliseconds) = ended.milliseconds {
            lane.first_byte.count(milliseconds, now);
        }
        let status = match ended.outcome {
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
pub(super) fn note_time(time: &AtomicU64, now: u64) {
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
