//! The state of everything: what is counted, and the page that shows it.

use std::cell::Cell;
use std::iter;

use health::UpstreamHealth;
use metrics::counters::{self, Origin, Totals, Try, lane};
use metrics::snapshot::{OriginName, Snapshot};
use ngx_safe::module::Complete;
use ngx_safe::{nginx_version, now};
use shm::{OpenError, Zone};

use crate::S3Resign;
use crate::health_checks::note_start;

/// The counters, in shared memory.
pub(crate) struct Status {
    totals: Zone<Totals>,
    /// By their numbers.
    origins: Zone<Origin>,
    names: Vec<OriginName>,
    /// Of this worker's cache of signing keys: how many were found and derived, as far as counted.
    keys: Cell<(u64, u64)>,
}

/// Where `s3_status` is in use, everything is counted; to be called once the origins are known.
pub(crate) fn declare(cf: &Complete<'_, S3Resign>) -> Result<(), String> {
    let main = cf.main_conf();
    if !main.wants_status.get() {
        return Ok(());
    }
    let names = main.origins.names();
    let keys = names
        .iter()
        .map(|name| [&*name.upstream, b"\0", &name.server].concat());
    let totals = iter::once("");
    let heir = cf.conf().heir();
    let failed = |why: OpenError| why.to_string();
    let status = Status {
        totals: Zone::open("totals", totals, counters::meaning(), heir).map_err(failed)?,
        origins: Zone::open("origins", keys, counters::meaning(), heir).map_err(failed)?,
        names,
        keys: Cell::default(),
    };
    note_start(cf, &status.totals);
    note_start(cf, &status.origins);
    main.status
        .set(status)
        .map_err(|_| "the configuration is whole already".into())
}

impl Status {
    fn totals(&self) -> Option<&Totals> {
        self.totals.record(0)
    }

    /// A request has ended; `keys` is how many signing keys this worker has found and derived so far.
    pub(crate) fn count(
        &self,
        ended: &counters::Request,
        keys: (u64, u64),
        worker: usize,
        now: u64,
    ) {
        let Some(totals) = self.totals() else { return };
        let lane = lane(&totals.lanes, worker);
        lane.count(ended, now);
        let counted = self.keys.replace(keys);
        lane.count_signing_keys(keys.0 - counted.0, keys.1 - counted.1);
    }

    pub(crate) fn count_refusal(
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
            true => &totals.refused_clients,
            false => &totals.refused_strangers,
        };
        self.totals.locked(|| keys.count(access_key, code, now));
    }

    pub(crate) fn count_retry(&self, worker: usize) {
        if let Some(totals) = self.totals() {
            lane(&totals.lanes, worker).count_retry();
        }
    }

    pub(crate) fn count_try(&self, origin: usize, outcome: Try, worker: usize, now: u64) {
        if let Some(origin) = self.origins.record(origin) {
            origin.count(outcome, worker, now);
        }
    }
}

impl Status {
    pub(crate) fn snapshot(&self, health: Vec<UpstreamHealth>) -> Option<Snapshot> {
        let origins = self.names.iter().zip(self.origins.iter());
        Some(Snapshot::take(
            self.totals()?,
            origins,
            health,
            nginx_version(),
            now(),
        ))
    }

    /// A configuration with these counters has been loaded.
    pub(crate) fn loaded(&self, now: u64) {
        self.totals.adopt(|_| ());
        self.origins.adopt(|_| ());
        if let Some(totals) = self.totals() {
            totals.count_load(now);
        }
    }
}
