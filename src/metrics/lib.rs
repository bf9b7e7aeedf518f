//! Counts requests and tries in memory that all workers share, and shows the counts: as a page for
//! people, as JSON, and for Prometheus.
//!
//! The clock, the state of health checks and who is asking are the caller's.
#![forbid(unsafe_code)]

mod counters;
mod render;
mod snapshot;

use std::cell::Cell;

use health::UpstreamHealth;
use shm::{Heir, OpenError, Zone};

pub use crate::{
    counters::{
        AUTH_TYPES, CACHE_STATUSES, CLASS_NAMES, CLASSES, CODES, ClientName, ClientRow,
        FIRST_BYTE_BOUNDS, FIRST_BYTE_BUCKETS, FIRST_BYTE_SECONDS, FirstByteTimes, Outcome, RECENT,
        RECENT_ORIGIN_SECONDS, RECENT_SECONDS, RequestSample, S3_OPERATIONS, STS_OPERATIONS,
        STS_OUTCOMES, SigningCounts, TIME_BOUNDS, TIME_BUCKETS, Try, TrySample,
    },
    render::{Format, POLICY},
    snapshot::{
        ClientFileRow, KeySetRow, OriginKeysRow, OriginName, OriginRow, OriginState,
        RejectedKeyRow, ServerRole, Snapshot, StsCallsRow,
    },
};

use counters::{OriginCounters, Totals, lane, meaning};

/// The counters of a configuration, in shared memory.
#[derive(Debug)]
pub struct Metrics {
    totals: Zone<Totals>,
    /// By their numbers.
    origins: Zone<OriginCounters>,
    names: Vec<(OriginName, ServerRole)>,
    /// What this worker has signed with, as far as counted.
    signing: Cell<SigningCounts>,
    /// Where this worker counts what it has in flight.
    place: Cell<Option<usize>>,
}

impl Metrics {
    /// Opens the counters of a configuration that is being read. An origin's number is the index of its
    /// name.
    pub fn open(
        names: Vec<(OriginName, ServerRole)>,
        heir: Option<Heir>,
    ) -> Result<Metrics, OpenError> {
        let keys = names.iter().map(|(name, _)| name.key());
        Ok(Metrics {
            totals: Zone::open("totals", [""], meaning(), heir)?,
            origins: Zone::open("origins", keys, meaning(), heir)?,
            names,
            signing: Cell::default(),
            place: Cell::default(),
        })
    }

    /// What another version of the module has left and is not used: the names of the shared memory.
    pub fn begins_again(&self) -> impl Iterator<Item = String> {
        let totals = (self.totals.begins_again()).then(|| self.totals.name());
        let origins = (self.origins.begins_again()).then(|| self.origins.name());
        totals.into_iter().chain(origins)
    }

    /// In nginx's master: the configuration is in use from now on.
    pub fn adopt(&self, now: u64) {
        self.totals.adopt(|_| ());
        self.origins.adopt(|_| ());
        if let Some(totals) = self.totals() {
            totals.count_load(now);
        }
    }

    /// In a worker that starts, which has nothing in flight.
    pub fn join(&self, process: u32) {
        let place = (self.totals()).and_then(|totals| {
            self.totals
                .locked(|| totals.workers.take_place(process, shm::is_alive))
        });
        if let Some(place) = place {
            self.origins
                .iter()
                .for_each(|origin| origin.begin_anew(place));
        }
        self.place.set(place);
    }

    /// A request has ended; `signing` is what this worker has signed with so far.
    pub fn count(
        &self,
        request: &RequestSample<'_>,
        signing: SigningCounts,
        worker: usize,
        now: u64,
    ) {
        let Some(totals) = self.totals() else { return };
        let lane = lane(&totals.lanes, worker);
        lane.count(request, now);
        totals.count_client(request, worker, now);
        lane.count_signing(signing.since(self.signing.replace(signing)));
    }

    /// A request was rejected that claimed to be an access key's.
    pub fn count_rejection(
        &self,
        access_key: &[u8],
        code: &'static str,
        is_client: bool,
        now: u64,
    ) {
        let Some(totals) = self.totals().filter(|_| !access_key.is_empty()) else {
            return;
        };
        let keys = match is_client {
            true => &totals.rejected_clients,
            false => &totals.rejected_strangers,
        };
        self.totals.locked(|| keys.count(access_key, code, now));
    }

    /// A request was rejected because its minted key is revoked.
    pub fn count_revoked(&self, worker: usize) {
        if let Some(totals) = self.totals() {
            lane(&totals.lanes, worker).count_revoked();
        }
    }

    pub fn count_retry(&self, worker: usize) {
        if let Some(totals) = self.totals() {
            lane(&totals.lanes, worker).count_retry();
        }
    }

    /// A try at the origin of that number begins, which `count_try` ends.
    pub fn begin_try(&self, origin: usize) {
        if let (Some(origin), Some(place)) = (self.origins.record(origin), self.place.get()) {
            origin.begin(place);
        }
    }

    /// A try at the origin of that number has ended.
    pub fn count_try(&self, origin: usize, ended: &TrySample, worker: usize, now: u64) {
        let Some(origin) = self.origins.record(origin) else {
            return;
        };
        if let Some(place) = self.place.get() {
            origin.end(place);
        }
        origin.count(ended, worker, now);
    }

    /// What the counters say now; `None` before the configuration is in use.
    pub fn snapshot(
        &self,
        health: Vec<UpstreamHealth>,
        nginx_version: &'static str,
        now: u64,
    ) -> Option<Snapshot> {
        let origins = self.names.iter().zip(self.origins.iter());
        let totals = self.totals()?;
        Some(Snapshot::take(totals, origins, health, nginx_version, now))
    }

    fn totals(&self) -> Option<&Totals> {
        self.totals.record(0)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod usage_tests;
