//! What the counters say at one moment, for the faces to show.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use health::{AddressHealth, UpstreamHealth};
use sigv4::{AuthType, Rejection};

use crate::counters::{
    self, CLASSES, CODES, FORMS, Lanes, RECENT, RECENT_ORIGIN_SECONDS, RECENT_SECONDS, Recent,
    RefusedKeys, TIME_BUCKETS, Totals, TotalsLane, sum,
};

/// What an origin is known by, also to the next configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginName {
    /// The `upstream`; empty for the host of a `proxy_pass`.
    pub upstream: Box<[u8]>,
    /// The text of its `server` line, or of the host in `proxy_pass`.
    pub server: Box<[u8]>,
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
    /// The requests that were not refused, by how they were signed.
    pub forms: Vec<(&'static str, u64)>,
    pub codes: Vec<(&'static str, u64)>,
    pub answers: [u64; CLASSES],
    pub received: u64,
    pub sent: u64,
    pub retries: u64,
    pub times: [u64; TIME_BUCKETS],
    pub nanoseconds: u64,
    pub keys_found: u64,
    pub keys_derived: u64,
    /// Of the recent past, the oldest first.
    pub requests: [u64; RECENT],
    pub refusals: [u64; RECENT],
    /// The most refused first.
    pub refused_clients: Vec<RefusedKey>,
    pub refused_strangers: Vec<RefusedKey>,
    pub origins: Vec<Origin>,
    /// Of the upstreams that are checked.
    pub health: Vec<UpstreamHealth>,
}

#[derive(Debug)]
pub struct RefusedKey {
    pub access_key: String,
    pub code: &'static str,
    pub count: u64,
    pub last: u64,
}

#[derive(Debug)]
pub struct Origin {
    /// Empty for the host of a `proxy_pass`.
    pub upstream: String,
    pub server: String,
    pub state: State,
    pub answers: [u64; CLASSES],
    pub given_up: u64,
    pub successes: [u64; RECENT],
    pub failures: [u64; RECENT],
    pub succeeded: Option<u64>,
    /// When, and with what status (0: no answer).
    pub failed: Option<(u64, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Not checked, and not tried within the last hour.
    Unused,
    Up,
    /// Not checked, and the last try has failed.
    Failing,
    /// All its addresses have failed their checks.
    Down,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Unused => "unused",
            State::Up => "up",
            State::Failing => "failing",
            State::Down => "down",
        }
    }
}

impl Snapshot {
    pub fn take<'a>(
        totals: &Totals,
        origins: impl Iterator<Item = (&'a OriginName, &'a counters::Origin)>,
        health: Vec<UpstreamHealth>,
        nginx_version: &'static str,
        now: u64,
    ) -> Snapshot {
        let lanes = &totals.lanes;
        let recent = |of: fn(&TotalsLane) -> &Recent| {
            Recent::sum(lanes.iter().map(of), now / RECENT_SECONDS)
        };
        let form = |index: usize| AuthType::ALL.get(index).map_or("none", |form| form.name());
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            nginx_version,
            now,
            started: totals.started.load(Relaxed),
            loaded: totals.loaded.load(Relaxed),
            reloads: totals.reloads.load(Relaxed),
            forms: (0..FORMS)
                .map(|i| (form(i), sum(lanes, |lane| &lane.forms[i])))
                .collect(),
            codes: (0..CODES)
                .map(|i| (Rejection::CODES[i], sum(lanes, |lane| &lane.codes[i])))
                .collect(),
            answers: sums(lanes, |lane| &lane.answers),
            received: sum(lanes, |lane| &lane.received),
            sent: sum(lanes, |lane| &lane.sent),
            retries: sum(lanes, |lane| &lane.retries),
            times: sums(lanes, |lane| &lane.times),
            nanoseconds: sum(lanes, |lane| &lane.nanoseconds),
            keys_found: sum(lanes, |lane| &lane.keys_found),
            keys_derived: sum(lanes, |lane| &lane.keys_derived),
            requests: recent(|lane| &lane.requests),
            refusals: recent(|lane| &lane.refusals),
            refused_clients: refused(&totals.refused_clients),
            refused_strangers: refused(&totals.refused_strangers),
            origins: origins
                .map(|(name, counted)| {
                    let mut origin = Origin::take(name, counted, now);
                    let checks = checks_of(&health, &origin);
                    origin.state = state_by(checks).unwrap_or_else(|| origin.state_by_tries());
                    origin
                })
                .collect(),
            health,
        }
    }

    /// What is known of each address of an origin, where they are checked.
    pub fn checks_of<'a>(
        &'a self,
        origin: &'a Origin,
    ) -> impl Iterator<Item = &'a AddressHealth> + Clone {
        checks_of(&self.health, origin)
    }

    pub fn let_in(&self) -> u64 {
        self.forms.iter().map(|(_, count)| count).sum()
    }

    pub fn refused(&self) -> u64 {
        self.codes.iter().map(|(_, count)| count).sum()
    }
}

fn sums<T, const N: usize>(lanes: &Lanes<T>, counters: impl Fn(&T) -> &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|i| sum(lanes, |lane| &counters(lane)[i]))
}

fn refused(keys: &RefusedKeys) -> Vec<RefusedKey> {
    let mut refused: Vec<_> = keys
        .iter()
        .map(|(count, key)| RefusedKey {
            access_key: key.access_key.readable(),
            code: key.code(),
            count,
            last: key.last(),
        })
        .collect();
    refused.sort_by(|a, b| (b.count, b.last, &a.access_key).cmp(&(a.count, a.last, &b.access_key)));
    refused
}

impl Origin {
    fn take(name: &OriginName, counted: &counters::Origin, now: u64) -> Origin {
        let lanes = &counted.lanes;
        let period = now / RECENT_ORIGIN_SECONDS;
        let when = |time: &AtomicU64| Some(time.load(Relaxed)).filter(|time| *time > 0);
        Origin {
            upstream: name.upstream.escape_ascii().to_string(),
            server: name.server.escape_ascii().to_string(),
            state: State::Unused,
            answers: sums(lanes, |lane| &lane.answers),
            given_up: sum(lanes, |lane| &lane.given_up),
            successes: Recent::sum(lanes.iter().map(|lane| &lane.successes), period),
            failures: Recent::sum(lanes.iter().map(|lane| &lane.failures), period),
            succeeded: when(&counted.succeeded),
            failed: when(&counted.failed).map(|time| (time, counted.failure.load(Relaxed))),
        }
    }

    fn state_by_tries(&self) -> State {
        let was_used = |recent: &[u64]| recent.iter().any(|count| *count > 0);
        match (self.succeeded, self.failed) {
            _ if !was_used(&self.successes) && !was_used(&self.failures) => State::Unused,
            (Some(succeeded), Some((failed, _))) if failed > succeeded => State::Failing,
            (None, Some(_)) => State::Failing,
            _ => State::Up,
        }
    }
}

fn checks_of<'a>(
    health: &'a [UpstreamHealth],
    origin: &'a Origin,
) -> impl Iterator<Item = &'a AddressHealth> + Clone {
    health
        .iter()
        .filter(|upstream| upstream.name == origin.upstream)
        .flat_map(|upstream| &upstream.addresses)
        .filter(|check| check.server == origin.server)
}

/// None where nothing is checked, or nothing known yet.
fn state_by<'a>(checks: impl Iterator<Item = &'a AddressHealth> + Clone) -> Option<State> {
    let any = |state| checks.clone().any(|check| check.state == state);
    match (any(health::HealthState::Up), any(health::HealthState::Down)) {
        (true, _) => Some(State::Up),
        (false, true) => Some(State::Down),
        (false, false) => None,
    }
}
