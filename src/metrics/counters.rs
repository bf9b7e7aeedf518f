//! What is counted, in memory that all workers share.
//!
//! Counting is exact: every counter is an atomic that only grows. Each worker counts in a lane of its
//! own, as long as there are enough, so that none waits for another's cache line; who reads sums up.

mod clients;
mod first_byte;
mod origin;
mod recent;
mod rejected;
mod workers;

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use shm::shared_record;
use sigv4::{AuthType, Operation, Rejection};
use sts::{FaultKind, OPERATIONS};

#[cfg(test)]
pub(crate) use self::{clients::CLIENTS, rejected::REJECTED_KEYS, workers::WORKERS};
pub(crate) use self::{
    clients::{ClientLane, Clients},
    first_byte::bucket_within,
    origin::{OriginCounters, OriginLane},
    recent::Recent,
    rejected::RejectedKeys,
    workers::Workers,
};
pub use self::{
    clients::{ClientName, ClientRow},
    first_byte::{FIRST_BYTE_BOUNDS, FIRST_BYTE_BUCKETS, FIRST_BYTE_SECONDS, FirstByteTimes},
    origin::{Try, TrySample},
};

const LANES: usize = 8;

/// One for each worker.
pub(crate) type WorkerLanes<T> = [T; LANES];

/// The lane of a worker.
pub(crate) fn lane<T>(lanes: &WorkerLanes<T>, worker: usize) -> &T {
    &lanes[worker % LANES]
}

/// The sum of a counter over all lanes.
pub(crate) fn sum<T>(lanes: &WorkerLanes<T>, counter: impl Fn(&T) -> &AtomicU64) -> u64 {
    lanes.iter().fold(0, |sum: u64, lane| {
        sum.wrapping_add(counter(lane).load(Relaxed))
    })
}

fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// The ways of signing, and one more for requests that nginx answered before the access phase.
pub const AUTH_TYPES: usize = AuthType::ALL.len() + 1;
pub const CODES: usize = Rejection::CODES.len();
/// The operations of the Security Token Service, and one more for calls of none of them.
pub const STS_OPERATIONS: usize = OPERATIONS.len() + 1;
/// The faults of calls, and one more for those that have none.
pub const STS_OUTCOMES: usize = FaultKind::ALL.len() + 1;
/// The operations of S3, and one more for unknown ones.
pub const S3_OPERATIONS: usize = Operation::ALL.len() + 1;
/// By the number that nginx has for what its cache knew; 0 is none.
pub const CACHE_STATUSES: [&str; 9] = [
    "none",
    "miss",
    "bypass",
    "expired",
    "stale",
    "updating",
    "revalidated",
    "hit",
    "scarce",
];
/// By the first digit of a status; 0 is none.
pub const CLASSES: usize = 6;
pub const CLASS_NAMES: [&str; CLASSES] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Upper bounds, in microseconds; the last bucket has none.
pub const TIME_BOUNDS: [u64; 10] = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];
pub const TIME_BUCKETS: usize = TIME_BOUNDS.len() + 1;

/// How many periods of the recent past are kept.
pub const RECENT: usize = 60;
/// How long a period is, for the totals and for an origin: ten minutes and an hour are kept.
pub const RECENT_SECONDS: u64 = 10;
pub const RECENT_ORIGIN_SECONDS: u64 = 60;

/// What the indexes of all these counters stand for.
pub(crate) fn meaning() -> impl Hash {
    let auth_types = AuthType::ALL.map(AuthType::name);
    let periods = [RECENT_SECONDS, RECENT_ORIGIN_SECONDS];
    let sts = (OPERATIONS, FaultKind::ALL.map(FaultKind::code));
    let operations = Operation::ALL.iter().map(|operation| operation.name());
    (
        (auth_types, sts, operations.collect::<Vec<_>>()),
        Rejection::CODES,
        (CLASS_NAMES, CACHE_STATUSES),
        (TIME_BOUNDS, FIRST_BYTE_BOUNDS),
        (periods, FIRST_BYTE_SECONDS),
    )
}

shared_record! {
    /// A zone's only record of what is not an origin's.
    pub(crate) struct Totals {
        pub(crate) lanes: WorkerLanes<TotalsLane>,
        /// Apart, so that strangers cannot make up so many access keys that a client's is forgotten.
        pub(crate) rejected_clients: RejectedKeys,
        pub(crate) rejected_strangers: RejectedKeys,
        pub(crate) clients: Clients,
        pub(crate) workers: Workers,
        /// Seconds since the epoch: when counting began, and when the configuration was loaded last.
        pub(crate) started: AtomicU64,
        pub(crate) loaded: AtomicU64,
        pub(crate) reloads: AtomicU64,
    }
}

shared_record! {
    pub(crate) struct TotalsLane {
        pub(crate) accepted: [AtomicU64; AUTH_TYPES],
        pub(crate) rejected: [AtomicU64; CODES],
        pub(crate) failed: [AtomicU64; CODES],
        pub(crate) answers: [AtomicU64; CLASSES],
        pub(crate) received: AtomicU64,
        pub(crate) sent: AtomicU64,
        pub(crate) retries: AtomicU64,
        pub(crate) times: [AtomicU64; TIME_BUCKETS],
        pub(crate) nanoseconds: AtomicU64,
        pub(crate) keys_found: AtomicU64,
        pub(crate) keys_derived: AtomicU64,
        pub(crate) links_known: AtomicU64,
        pub(crate) links_computed: AtomicU64,
        pub(crate) minted: AtomicU64,
        pub(crate) revoked: AtomicU64,
        /// By operation, then by fault; the last ones of both are none.
        pub(crate) sts: [[AtomicU64; STS_OUTCOMES]; STS_OPERATIONS],
        pub(crate) operations: [AtomicU64; S3_OPERATIONS],
        pub(crate) cache: [AtomicU64; CACHE_STATUSES.len()],
        pub(crate) clients: ClientLane,
        pub(crate) requests: Recent,
        pub(crate) rejections: Recent,
    }
}

impl Totals {
    /// Counts what a client has used.
    pub(crate) fn count_client(&self, request: &RequestSample<'_>, worker: usize, now: u64) {
        let (Some(client), Outcome::Accepted(_)) = (request.client, request.outcome) else {
            return;
        };
        let used = (client, request.received, request.sent);
        (self.clients).count(&self.lanes, |lane| &lane.clients, worker, used, now);
    }

    /// A configuration has been loaded, the first or another one.
    pub(crate) fn count_load(&self, now: u64) {
        match self.started.compare_exchange(0, now, Relaxed, Relaxed) {
            Ok(_) => {}
            Err(_) => increment(&self.reloads),
        }
        self.loaded.store(now, Relaxed);
    }
}

/// What a worker has signed with.
#[derive(Debug, Clone, Copy, Default)]
pub struct SigningCounts {
    /// Signing keys that were in its cache.
    pub keys_found: u64,
    pub keys_derived: u64,
    /// Presigned links whose signatures it knew.
    pub links_known: u64,
    /// Presigned links whose signatures it computed.
    pub links_computed: u64,
}

impl SigningCounts {
    /// Returns how many more they are than before.
    pub(crate) fn since(self, before: SigningCounts) -> SigningCounts {
        SigningCounts {
            keys_found: self.keys_found.saturating_sub(before.keys_found),
            keys_derived: self.keys_derived.saturating_sub(before.keys_derived),
            links_known: self.links_known.saturating_sub(before.links_known),
            links_computed: self.links_computed.saturating_sub(before.links_computed),
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    /// By the S3 error code.
    Rejected(&'static str),
    /// By how it was signed.
    Accepted(AuthType),
    /// nginx answered it before the access phase.
    Unverified,
    /// It was a call of the Security Token Service.
    Sts {
        operation: Option<&'static str>,
        /// The code of the fault.
        fault: Option<&'static str>,
    },
}

/// What there is to count of a request that has ended.
#[derive(Debug, Clone, Copy)]
pub struct RequestSample<'a> {
    pub outcome: Outcome,
    /// Its access key is a minted one.
    pub is_minted: bool,
    /// The S3 error code of an error of nginx's own, after the request was accepted.
    pub failure: Option<&'static str>,
    pub status: u16,
    pub received: u64,
    pub sent: u64,
    /// Of an accepted request.
    pub operation: Option<Operation>,
    /// Who has sent an accepted request, if it was signed.
    pub client: Option<ClientName<'a>>,
    /// nginx's number of what its cache knew; 0 for none.
    pub cache_status: usize,
    /// Spent on verifying and signing; `None` where it did neither.
    pub nanoseconds: Option<u64>,
}

impl TotalsLane {
    pub(crate) fn count(&self, request: &RequestSample<'_>, now: u64) {
        match request.outcome {
            Outcome::Rejected(code) => {
                increment(&self.rejected[code_index(code)]);
                self.rejections.count(now / RECENT_SECONDS);
            }
            Outcome::Accepted(form) => {
                let known = AuthType::ALL.iter().position(|known| *known == form);
                increment(&self.accepted[known.unwrap_or(AUTH_TYPES - 1)]);
                if request.is_minted {
                    increment(&self.minted);
                }
            }
            Outcome::Unverified => increment(&self.accepted[AUTH_TYPES - 1]),
            Outcome::Sts { operation, fault } => {
                let known = OPERATIONS
                    .iter()
                    .position(|known| Some(*known) == operation);
                let faults = &self.sts[known.unwrap_or(STS_OPERATIONS - 1)];
                let known = FaultKind::ALL
                    .iter()
                    .position(|kind| Some(kind.code()) == fault);
                increment(&faults[known.unwrap_or(STS_OUTCOMES - 1)]);
            }
        }
        if let Some(code) = request.failure {
            increment(&self.failed[code_index(code)]);
        }
        if let Some(operation) = request.operation {
            let known = self.operations.get(operation as usize);
            increment(known.unwrap_or(&self.operations[S3_OPERATIONS - 1]));
        }
        if request.cache_status > 0 {
            let known = self.cache.get(request.cache_status);
            increment(known.unwrap_or(&self.cache[0]));
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

    pub(crate) fn count_revoked(&self) {
        increment(&self.revoked);
    }

    pub(crate) fn count_retry(&self) {
        increment(&self.retries);
    }

    pub(crate) fn count_signing(&self, signing: SigningCounts) {
        let counters = [
            (&self.keys_found, signing.keys_found),
            (&self.keys_derived, signing.keys_derived),
            (&self.links_known, signing.links_known),
            (&self.links_computed, signing.links_computed),
        ];
        for (counter, count) in counters {
            if count > 0 {
                counter.fetch_add(count, Relaxed);
            }
        }
    }
}

/// The index of an error code; an unknown one counts as the last.
fn code_index(code: &str) -> usize {
    let known = Rejection::CODES.iter().position(|known| *known == code);
    known.unwrap_or(CODES - 1)
}

/// The index of a status in an array of `CLASSES`.
fn class(status: u16) -> usize {
    match usize::from(status / 100) {
        class if class < CLASSES => class,
        _ => 0,
    }
}
