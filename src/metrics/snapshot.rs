//! What the counters say at one moment, to be shown.

mod origin;

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use health::{AddressHealth, UpstreamHealth};
use sigv4::{AuthType, Operation, Rejection};
use sts::{FaultKind, OPERATIONS};

use crate::counters::{
    AUTH_TYPES, CACHE_STATUSES, CLASSES, CODES, ClientRow, OriginCounters, RECENT, RECENT_SECONDS,
    Recent, RejectedKeys, S3_OPERATIONS, STS_OPERATIONS, STS_OUTCOMES, TIME_BUCKETS, Totals,
    TotalsLane, WorkerLanes, sum,
};
pub(crate) use origin::Tries;
use origin::checks_of;
pub use origin::{OriginRow, OriginState};

/// What an origin is known by, also to the next configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginName {
    /// The `upstream`; empty for the host of a `proxy_pass`.
    pub upstream: Box<[u8]>,
    /// The text of its `server` line, or of the host in `proxy_pass`.
    pub server: Box<[u8]>,
}

impl OriginName {
    pub(crate) fn key(&self) -> Vec<u8> {
        [&*self.upstream, b"\0", &self.server].concat()
    }
}

/// What its `server` lines say of an origin's part in its upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerRole {
    pub weight: u64,
    pub is_backup: bool,
    /// It is marked as `down`.
    pub is_off: bool,
}

impl Default for ServerRole {
    fn default() -> ServerRole {
        ServerRole {
            weight: 1,
            is_backup: false,
            is_off: false,
        }
    }
}

#[derive(Debug)]
pub struct Snapshot {
    pub version: &'static str,
    pub nginx_version: &'static str,
    /// Seconds since the epoch, as all times here.
    pub now: u64,
    pub started: u64,
    pub loaded: u64,
    pub reloads: u64,
    /// The requests that were not rejected, by how they were signed.
    pub accepted: Vec<(&'static str, u64)>,
    pub rejected: Vec<(&'static str, u64)>,
    /// Of the requests that were not rejected, those that nginx answered with an error of its own, by code.
    pub failed: Vec<(&'static str, u64)>,
    pub answers: [u64; CLASSES],
    pub received: u64,
    pub sent: u64,
    pub retries: u64,
    pub times: [u64; TIME_BUCKETS],
    pub nanoseconds: u64,
    pub keys_found: u64,
    pub keys_derived: u64,
    pub links_known: u64,
    pub links_computed: u64,
    /// The requests with minted keys: those that were not rejected, and those whose key is revoked.
    pub minted: u64,
    pub revoked: u64,
    /// The accepted requests, of each operation of which there were any, the most frequent first.
    pub operations: Vec<(&'static str, u64)>,
    /// By what nginx's cache knew, where it was asked.
    pub cache: [u64; CACHE_STATUSES.len()],
    /// What clients have used, the busiest first, and what those did that are not told apart.
    pub clients: Vec<ClientRow>,
    pub other_clients: ClientRow,
    /// The recent past, the oldest first.
    pub requests: [u64; RECENT],
    pub rejections: [u64; RECENT],
    /// The most rejected first.
    pub rejected_clients: Vec<RejectedKeyRow>,
    pub rejected_strangers: Vec<RejectedKeyRow>,
    pub origins: Vec<OriginRow>,
    /// The upstreams that are checked.
    pub health: Vec<UpstreamHealth>,
    /// The origins whose keys renew themselves.
    pub keys: Vec<OriginKeysRow>,
    /// For whoever takes a snapshot to add.
    pub client_files: Vec<ClientFileRow>,
    pub key_sets: Vec<KeySetRow>,
    /// Calls of the Security Token Service, of each kind of which there were any.
    pub sts: Vec<StsCallsRow>,
}

/// What is known of the keys of an origin that renew themselves.
#[derive(Debug)]
pub struct OriginKeysRow {
    /// As of the origin.
    pub upstream: String,
    pub server: String,
    /// Where they come from, as its `s3_origin` says it.
    pub provider: String,
    /// Whether there are keys that are used.
    pub are_there: bool,
    /// `None` if they do not expire, or are not there.
    pub expires: Option<u64>,
    /// When they were given or confirmed last.
    pub refreshed_at: Option<u64>,
    pub refreshed: u64,
    pub failed: u64,
    /// Why the last refresh failed; empty if it did not.
    pub error: String,
}

/// Calls of the Security Token Service that had the same outcome.
#[derive(Debug, PartialEq, Eq)]
pub struct StsCallsRow {
    /// `none` for what was none of its operations.
    pub operation: &'static str,
    /// The code of the fault, or `ok`.
    pub outcome: &'static str,
    pub count: u64,
}

/// A key set of an issuer of tokens.
#[derive(Debug)]
pub struct KeySetRow {
    /// Where it comes from, as `s3_role` says it.
    pub source: String,
    /// How many keys there are that are of use.
    pub keys: u64,
    /// When it was fetched or confirmed last, in seconds since 1970.
    pub fetched: Option<u64>,
    pub refreshed: u64,
    pub failed: u64,
    /// Why the last fetch failed; empty if it did not.
    pub error: String,
}

/// A file of clients.
#[derive(Debug)]
pub struct ClientFileRow {
    pub path: String,
    /// Those in use.
    pub clients: u64,
    /// How often it was read, and when last; when what is in use was written.
    pub loads: u64,
    pub loaded: u64,
    pub modified: u64,
    /// Since when what is there now is no good, and why.
    pub fault: Option<(u64, String)>,
}

#[derive(Debug)]
pub struct RejectedKeyRow {
    pub access_key: String,
    pub code: &'static str,
    pub count: u64,
    pub last: u64,
}

impl Snapshot {
    pub(crate) fn take<'a>(
        totals: &Totals,
        origins: impl Iterator<Item = (&'a (OriginName, ServerRole), &'a OriginCounters)>,
        health: Vec<UpstreamHealth>,
        nginx_version: &'static str,
        now: u64,
    ) -> Snapshot {
        let lanes = &totals.lanes;
        let recent = |of: fn(&TotalsLane) -> &Recent| {
            Recent::sum(lanes.iter().map(of), now / RECENT_SECONDS)
        };
        let workers = totals.workers.places(shm::is_alive);
        let (clients, other_clients) = totals.clients.rows(lanes, |lane| &lane.clients);
        let auth_type = |index: usize| AuthType::ALL.get(index).map_or("none", |form| form.name());
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            nginx_version,
            now,
            started: totals.started.load(Relaxed),
            loaded: totals.loaded.load(Relaxed),
            reloads: totals.reloads.load(Relaxed),
            accepted: (0..AUTH_TYPES)
                .map(|i| (auth_type(i), sum(lanes, |lane| &lane.accepted[i])))
                .collect(),
            rejected: (0..CODES)
                .map(|i| (Rejection::CODES[i], sum(lanes, |lane| &lane.rejected[i])))
                .collect(),
            failed: (0..CODES)
                .map(|i| (Rejection::CODES[i], sum(lanes, |lane| &lane.failed[i])))
                .collect(),
            answers: sums(lanes, |lane| &lane.answers),
            received: sum(lanes, |lane| &lane.received),
            sent: sum(lanes, |lane| &lane.sent),
            retries: sum(lanes, |lane| &lane.retries),
            times: sums(lanes, |lane| &lane.times),
            nanoseconds: sum(lanes, |lane| &lane.nanoseconds),
            keys_found: sum(lanes, |lane| &lane.keys_found),
            keys_derived: sum(lanes, |lane| &lane.keys_derived),
            links_known: sum(lanes, |lane| &lane.links_known),
            links_computed: sum(lanes, |lane| &lane.links_computed),
            minted: sum(lanes, |lane| &lane.minted),
            revoked: sum(lanes, |lane| &lane.revoked),
            operations: operations(lanes),
            cache: sums(lanes, |lane| &lane.cache),
            clients,
            other_clients,
            requests: recent(|lane| &lane.requests),
            rejections: recent(|lane| &lane.rejections),
            rejected_clients: rejected_keys(&totals.rejected_clients),
            rejected_strangers: rejected_keys(&totals.rejected_strangers),
            origins: origins
                .map(|(name, counted)| OriginRow::take(name, counted, &workers, &health, now))
                .collect(),
            health,
            keys: Vec::new(),
            client_files: Vec::new(),
            key_sets: Vec::new(),
            sts: sts_calls(lanes),
        }
    }

    /// What is known of the keys of an origin, if they renew themselves.
    pub(crate) fn keys_of(&self, origin: &OriginRow) -> Option<&OriginKeysRow> {
        let mut keys = self.keys.iter();
        keys.find(|keys| keys.upstream == origin.upstream && keys.server == origin.server)
    }

    /// What is known of each address of an origin, where they are checked.
    /// Returns what nginx's cache knew, with how often, where it was asked.
    pub(crate) fn cache_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = CACHE_STATUSES.into_iter().zip(self.cache);
        counts.skip(1)
    }

    pub(crate) fn checks_of<'a>(
        &'a self,
        origin: &'a OriginRow,
    ) -> impl Iterator<Item = &'a AddressHealth> + Clone {
        checks_of(&self.health, origin)
    }

    pub fn accepted_count(&self) -> u64 {
        self.accepted
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    pub fn rejected_count(&self) -> u64 {
        self.rejected
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

fn sums<T, const N: usize>(
    lanes: &WorkerLanes<T>,
    counters: impl Fn(&T) -> &[AtomicU64; N],
) -> [u64; N] {
    std::array::from_fn(|i| sum(lanes, |lane| &counters(lane)[i]))
}

fn operations(lanes: &WorkerLanes<TotalsLane>) -> Vec<(&'static str, u64)> {
    let name = |index: usize| {
        Operation::ALL
            .get(index)
            .unwrap_or(&Operation::Unknown)
            .name()
    };
    let counts = (0..S3_OPERATIONS).map(|i| (name(i), sum(lanes, |lane| &lane.operations[i])));
    let mut counts: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts
}

fn sts_calls(lanes: &WorkerLanes<TotalsLane>) -> Vec<StsCallsRow> {
    let places = (0..STS_OPERATIONS)
        .flat_map(|operation| (0..STS_OUTCOMES).map(move |fault| (operation, fault)));
    let row = |(operation, fault): (usize, usize)| StsCallsRow {
        operation: OPERATIONS.get(operation).copied().unwrap_or("none"),
        outcome: FaultKind::ALL.get(fault).map_or("ok", |kind| kind.code()),
        count: sum(lanes, |lane| &lane.sts[operation][fault]),
    };
    places.map(row).filter(|row| row.count > 0).collect()
}

fn rejected_keys(keys: &RejectedKeys) -> Vec<RejectedKeyRow> {
    let mut rows: Vec<_> = keys
        .iter()
        .map(|(count, key)| RejectedKeyRow {
            access_key: key.access_key.readable(),
            code: key.code(),
            count,
            last: key.last(),
        })
        .collect();
    rows.sort_by(|a, b| (b.count, b.last, &a.access_key).cmp(&(a.count, a.last, &b.access_key)));
    rows
}
