//! The state of everything: what is counted, and the page that shows it.

use std::cell::Cell;
use std::iter;

use health::UpstreamHealth;
use metrics::counters::{self, Origin, Totals, Try, lane};
use metrics::render::{html, json, prometheus};
use metrics::snapshot::{OriginName, Snapshot};
use ngx::ffi::ngx_int_t;
use shm::{OpenError, Zone};

use crate::ngx_safe::conf::Conf;
use crate::ngx_safe::request::{Request, Response};
use crate::ngx_safe::{BAD_REQUEST, INTERNAL_SERVER_ERROR, nginx_version, now};

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
pub(crate) fn declare(cf: Conf) -> Result<(), String> {
    let main = cf.main_conf();
    if !main.wants_status.get() {
        return Ok(());
    }
    let names = main.origins.names();
    let keys = names
        .iter()
        .map(|name| [&*name.upstream, b"\0", &name.server].concat());
    let totals = iter::once("");
    let heir = cf.heir();
    let failed = |why: OpenError| why.to_string();
    let status = Status {
        totals: Zone::open("totals", totals, counters::meaning(), heir).map_err(failed)?,
        origins: Zone::open("origins", keys, counters::meaning(), heir).map_err(failed)?,
        names,
        keys: Cell::default(),
    };
    cf.note_start(&status.totals);
    cf.note_start(&status.origins);
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

/// The content handler of `s3_status`.
pub(crate) fn answer(request: Request<'_>) -> ngx_int_t {
    if let Some(refused) = request.refuse_change() {
        return refused;
    }
    let Some(face) = Face::of(request.uri_and_args().1) else {
        return BAD_REQUEST;
    };
    let main = request.main_conf();
    let Some(snapshot) = main
        .status()
        .and_then(|status| status.snapshot(main.checks.snapshot()))
    else {
        return INTERNAL_SERVER_ERROR;
    };
    let (content_type, body) = match face {
        Face::Html => (c"text/html; charset=utf-8", html::write(&snapshot)),
        Face::Json => match json::write(&snapshot) {
            Ok(json) => (c"application/json", json),
            Err(_) => return INTERNAL_SERVER_ERROR,
        },
        Face::Prometheus => (
            c"text/plain; version=0.0.4; charset=utf-8",
            prometheus::write(&snapshot),
        ),
    };
    request.serve(&Response {
        status: 200,
        content_type,
        body: body.as_bytes(),
        headers: &[
            (c"Cache-Control", b"no-store"),
            (c"Content-Security-Policy", html::POLICY.as_bytes()),
            (c"X-Content-Type-Options", b"nosniff"),
            (c"Referrer-Policy", b"no-referrer"),
        ],
    })
}

/// The ways in which the state is shown.
enum Face {
    Html,
    Json,
    Prometheus,
}

impl Face {
    /// The one that the query asks for.
    fn of(query: &[u8]) -> Option<Face> {
        let format = query
            .split(|c| *c == b'&')
            .find_map(|parameter| parameter.strip_prefix(b"format="));
        match format {
            None | Some(b"html") => Some(Face::Html),
            Some(b"json") => Some(Face::Json),
            Some(b"prometheus") => Some(Face::Prometheus),
            Some(_) => None,
        }
    }
}

impl Status {
    fn snapshot(&self, health: Vec<UpstreamHealth>) -> Option<Snapshot> {
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
