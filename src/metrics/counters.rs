//! What is counted, in memory that all workers share.
//!
//! Counting is exact: every counter is an atomic that only grows. Each worker counts in a lane of its
//! own, as long as there are enough, so that none waits for another's cache line; who reads sums up.

use std::hash::Hash;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use shm::{Text, shared_record};
use sigv4::{AuthType, Rejection};

const LANES: usize = 8;

pub type Lanes<T> = [T; LANES];

/// The lane of a worker.
pub fn lane<T>(lanes: &Lanes<T>, worker: usize) -> &T {
    &lanes[worker % LANES]
}

/// The sum of a counter over all lanes.
pub fn sum<T>(lanes: &Lanes<T>, counter: impl Fn(&T) -> &AtomicU64) -> u64 {
    lanes.iter().map(|lane| counter(lane).load(Relaxed)).sum()
}

fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Of the requests that are not refused: one for each form, and one for those that nginx answered
/// ahead of the access phase.
pub const FORMS: usize = AuthType::ALL.len() + 1;
pub const CODES: usize = Rejection::CODES.len();
/// By the first digit of a status; 0 is none.
pub const CLASSES: usize = 6;
pub const CLASS_NAMES: [&str; CLASSES] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Upper bounds, in microseconds; the last bucket has none.
pub const TIME_BOUNDS: [u64; 10] = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];
pub const TIME_BUCKETS: usize = TIME_BOUNDS.len() + 1;

/// What the indexes of all these counters stand for.
pub fn meaning() -> impl Hash {
    let forms = AuthType::ALL.map(AuthType::name);
    let periods = [RECENT_SECONDS, RECENT_ORIGIN_SECONDS];
    (forms, Rejection::CODES, CLASS_NAMES, TIME_BOUNDS, periods)
}

shared_record! {
    /// A zone's only record of what is not an origin's.
    pub struct Totals {
        pub lanes: Lanes<TotalsLane>,
        /// Apart, so that strangers cannot make up so many access keys that a client's is forgotten.
        pub refused_clients: RefusedKeys,
        pub refused_strangers: RefusedKeys,
        /// Seconds since the epoch: when counting began, and when the configuration was loaded last.
        pub started: AtomicU64,
        pub loaded: AtomicU64,
        pub reloads: AtomicU64,
    }
}

shared_record! {
    pub struct TotalsLane {
        pub forms: [AtomicU64; FORMS],
        pub codes: [AtomicU64; CODES],
        pub answers: [AtomicU64; CLASSES],
        pub received: AtomicU64,
        pub sent: AtomicU64,
        pub retries: AtomicU64,
        pub times: [AtomicU64; TIME_BUCKETS],
        pub nanoseconds: AtomicU64,
        pub keys_found: AtomicU64,
        pub keys_derived: AtomicU64,
        pub requests: Recent,
        pub refusals: Recent,
    }
}

impl Totals {
    /// A configuration has been loaded: the first, or anew.
    pub fn count_load(&self, now: u64) {
        match self.started.compare_exchange(0, now, Relaxed, Relaxed) {
            Ok(_) => {}
            Err(_) => increment(&self.reloads),
        }
        self.loaded.store(now, Relaxed);
    }
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// By the S3 error code.
    Refused(&'static str),
    LetIn(AuthType),
    /// nginx answered it ahead of the access phase.
    Unverified,
}

/// A request that has ended.
#[derive(Debug)]
pub struct Request {
    pub outcome: Outcome,
    pub status: u16,
    pub received: u64,
    pub sent: u64,
    /// Spent on verifying and signing; None where it did neither.
    pub nanoseconds: Option<u64>,
}

impl TotalsLane {
    pub fn count(&self, request: &Request, now: u64) {
        match request.outcome {
            Outcome::Refused(code) => {
                let known = Rejection::CODES.iter().position(|known| *known == code);
                increment(&self.codes[known.unwrap_or(CODES - 1)]);
                self.refusals.count(now / RECENT_SECONDS);
            }
            Outcome::LetIn(form) => {
                let known = AuthType::ALL.iter().position(|known| *known == form);
                increment(&self.forms[known.unwrap_or(FORMS - 1)]);
            }
            Outcome::Unverified => increment(&self.forms[FORMS - 1]),
        }
        increment(&self.answers[class(request.status)]);
        self.received.fetch_add(request.received, Relaxed);
        self.sent.fetch_add(request.sent, Relaxed);
        if let Some(nanoseconds) = request.nanoseconds {
            let bucket = TIME_BOUNDS.partition_point(|bound| bound * 1000 < nanoseconds);
            increment(&self.times[bucket]);
            self.nanoseconds.fetch_add(nanoseconds, Relaxed);
        }
        self.requests.count(now / RECENT_SECONDS);
    }

    pub fn count_retry(&self) {
        increment(&self.retries);
    }

    pub fn count_signing_keys(&self, found: u64, derived: u64) {
        self.keys_found.fetch_add(found, Relaxed);
        if derived > 0 {
            self.keys_derived.fetch_add(derived, Relaxed);
        }
    }
}

/// The index of a status in an array of `CLASSES`.
fn class(status: u16) -> usize {
    match usize::from(status / 100) {
        class if class < CLASSES => class,
        _ => 0,
    }
}

shared_record! {
    pub struct Origin {
        pub lanes: Lanes<OriginLane>,
        /// Seconds since the epoch, of the last answer that was not a failure, and of the last failure
        /// with its status (0: no answer).
        pub succeeded: AtomicU64,
        pub failed: AtomicU64,
        pub failure: AtomicU32,
    }
}

shared_record! {
    pub struct OriginLane {
        pub answers: [AtomicU64; CLASSES],
        /// The client went away before there was an answer.
        pub given_up: AtomicU64,
        pub successes: Recent,
        pub failures: Recent,
    }
}

/// How a try ended.
#[derive(Clone, Copy, Debug)]
pub enum Try {
    Answered(u16),
    /// Not connected, timed out, broken off or not understood.
    NoAnswer,
    GivenUp,
}

impl Origin {
    pub fn count(&self, outcome: Try, worker: usize, now: u64) {
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

/// Written once a second at most: all workers share it.
fn note_time(time: &AtomicU64, now: u64) {
    if time.load(Relaxed) != now {
        time.store(now, Relaxed);
    }
}

/// How many periods of the recent past are kept.
pub const RECENT: usize = 60;
/// How long a period is, for the totals and for an origin: ten minutes and an hour are kept.
pub const RECENT_SECONDS: u64 = 10;
pub const RECENT_ORIGIN_SECONDS: u64 = 60;

shared_record! {
    /// A counter for each period of the recent past: the period's number in the upper half, how many
    /// there were in the lower.
    pub struct Recent {
        periods: [AtomicU64; RECENT],
    }
}

impl Recent {
    fn count(&self, period: u64) {
        let number = period << 32;
        let slot = &self.periods[(period % RECENT as u64) as usize];
        let _ = slot.fetch_update(Relaxed, Relaxed, |old| match old >> 32 == period {
            true => Some(old + 1),
            false => Some(number + 1),
        });
    }

    /// Adds up the lanes, the oldest period first, the one under way last.
    pub fn sum<'a>(recent: impl Iterator<Item = &'a Recent>, period: u64) -> [u64; RECENT] {
        let mut sums = [0; RECENT];
        for lane in recent {
            for (back, sum) in sums.iter_mut().rev().enumerate() {
                let Some(number) = period.checked_sub(back as u64) else {
                    break;
                };
                let slot = lane.periods[(number % RECENT as u64) as usize].load(Relaxed);
                if slot >> 32 == number {
                    *sum += slot & u64::from(u32::MAX);
                }
            }
        }
        sums
    }
}

/// How many access keys are remembered.
const REFUSED_KEYS: usize = 32;

shared_record! {
    /// The access keys that were refused most, however many there are in all (Metwally, Agrawal and El
    /// Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005): a new one
    /// takes the place, and the count, of the least one. To be used under the zone's lock.
    pub struct RefusedKeys {
        keys: [RefusedKey; REFUSED_KEYS],
    }
}

shared_record! {
    pub struct RefusedKey {
        pub access_key: Text,
        /// The last refusal: the index in `Rejection::CODES`, and seconds since the epoch.
        code: AtomicU32,
        last: AtomicU64,
        /// At most so many, and how many of them may be another key's.
        count: AtomicU64,
        inherited: AtomicU64,
    }
}

impl RefusedKeys {
    pub fn count(&self, access_key: &[u8], code: &'static str, now: u64) {
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
        let code = Rejection::CODES.iter().position(|known| *known == code);
        key.code.store(code.unwrap_or(CODES - 1) as u32, Relaxed);
        key.last.store(now, Relaxed);
    }

    /// Those that are certain to have been refused, with the number of times that is certain.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &RefusedKey)> {
        self.keys.iter().filter_map(|key| {
            let certain = key
                .count
                .load(Relaxed)
                .saturating_sub(key.inherited.load(Relaxed));
            (certain > 0).then_some((certain, key))
        })
    }
}

impl RefusedKey {
    pub fn code(&self) -> &'static str {
        let code = self.code.load(Relaxed) as usize;
        Rejection::CODES.get(code).copied().unwrap_or_default()
    }

    pub fn last(&self) -> u64 {
        self.last.load(Relaxed)
    }
}
