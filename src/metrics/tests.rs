//! What is counted comes out again. Each test has a memory of its own: they run in one process, in
//! which a name has one memory, so they wait for each other.
#![cfg(not(miri))] // it has no files of memory
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use health::{AddressHealth, HealthState};
use sigv4::{AuthType, Rejection};

use super::*;

/// The counters of one configuration, while no other test has any.
pub(crate) struct Memory {
    pub(crate) metrics: Metrics,
    _alone: MutexGuard<'static, ()>,
}

pub(crate) const NOW: u64 = 1_800_000_000;

fn names(names: &[(&str, &str)]) -> Vec<(OriginName, ServerRole)> {
    let name = |(upstream, server): &(&str, &str)| OriginName {
        upstream: upstream.as_bytes().into(),
        server: server.as_bytes().into(),
    };
    let role = ServerRole::default();
    names.iter().map(|named| (name(named), role)).collect()
}

const ORIGINS: [(&str, &str); 2] = [("up", "a:80"), ("", "b")];

pub(crate) fn load(origins: &[(&str, &str)], now: u64) -> Metrics {
    let metrics = Metrics::open(names(origins), None).unwrap();
    metrics.adopt(now);
    metrics
}

impl Memory {
    pub(crate) fn new() -> Memory {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Memory {
            metrics: load(&ORIGINS, NOW),
            _alone: alone,
        }
    }

    pub(crate) fn read_at(&self, now: u64) -> Snapshot {
        read(&self.metrics, now)
    }

    pub(crate) fn read(&self) -> Snapshot {
        self.read_at(NOW)
    }

    /// A request that says nothing but its outcome.
    fn count(&self, outcome: Outcome, now: u64) {
        self.metrics
            .count(&sample(outcome), SigningCounts::default(), 0, now);
    }
}

pub(crate) fn read(metrics: &Metrics, now: u64) -> Snapshot {
    metrics.snapshot(Vec::new(), "1.2.3", now).unwrap()
}

pub(crate) fn sample<'a>(outcome: Outcome) -> RequestSample<'a> {
    RequestSample {
        outcome,
        is_minted: false,
        failure: None,
        status: 200,
        received: 0,
        sent: 0,
        operation: None,
        client: None,
        cache_status: 0,
        nanoseconds: None,
    }
}

/// A try that says nothing but its outcome.
pub(crate) fn ended(outcome: Try) -> TrySample {
    TrySample {
        outcome,
        milliseconds: None,
        received: 0,
        sent: 0,
    }
}

fn nonzero(table: &[(&'static str, u64)]) -> Vec<(&'static str, u64)> {
    let counted = table.iter().filter(|(_, count)| *count > 0);
    counted.copied().collect()
}

/// How many there were so many periods ago.
fn counted(recent: &[u64; RECENT]) -> Vec<(usize, u64)> {
    let back = recent.iter().rev().copied().enumerate();
    back.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn at_first_nothing_is_counted() {
    let memory = Memory::new();
    let snapshot = memory.read();
    assert_eq!(snapshot.version, env!("CARGO_PKG_VERSION"));
    assert_eq!((snapshot.nginx_version, snapshot.now), ("1.2.3", NOW));
    assert_eq!(
        (snapshot.started, snapshot.loaded, snapshot.reloads),
        (NOW, NOW, 0)
    );
    assert_eq!(
        (snapshot.accepted_count(), snapshot.rejected_count()),
        (0, 0)
    );
    let states: Vec<_> = snapshot
        .origins
        .iter()
        .map(|row| row.state.name())
        .collect();
    assert_eq!(states, ["unused", "unused"]);
    assert_eq!(
        (&*snapshot.origins[0].upstream, &*snapshot.origins[0].server),
        ("up", "a:80")
    );
    assert_eq!(
        (&*snapshot.origins[1].upstream, &*snapshot.origins[1].server),
        ("", "b")
    );
}

#[test]
fn before_the_configuration_is_in_use_there_is_nothing() {
    let _memory = Memory::new();
    let metrics = Metrics::open(names(&ORIGINS), None).unwrap();
    let signing = SigningCounts {
        keys_found: 1,
        keys_derived: 1,
        links_known: 1,
        links_computed: 1,
    };
    metrics.count(&sample(Outcome::Unverified), signing, 0, NOW);
    metrics.count_rejection(b"key", "AccessDenied", true, NOW);
    metrics.count_retry(0);
    metrics.count_try(0, &ended(Try::NoAnswer), 0, NOW);
    assert!(metrics.snapshot(Vec::new(), "", NOW).is_none());
    assert_eq!(metrics.begins_again().count(), 0);
}

#[test]
fn requests_are_counted_by_what_became_of_them() {
    let memory = Memory::new();
    for outcome in [
        Outcome::Accepted(AuthType::V4Header),
        Outcome::Accepted(AuthType::V4Header),
        Outcome::Accepted(AuthType::PostPolicy),
        Outcome::Unverified,
        Outcome::Rejected("SignatureDoesNotMatch"),
        Outcome::Rejected("NoSuchCode"),
    ] {
        memory.count(outcome, NOW);
    }
    let snapshot = memory.read();
    let accepted = [("v4-header", 2), ("post-policy", 1), ("none", 1)];
    assert_eq!(nonzero(&snapshot.accepted), accepted);
    let rejected = [("SignatureDoesNotMatch", 1), ("InternalError", 1)];
    assert_eq!(nonzero(&snapshot.rejected), rejected);
    assert_eq!(
        (snapshot.accepted_count(), snapshot.rejected_count()),
        (4, 2)
    );
    assert_eq!(snapshot.accepted.len(), AUTH_TYPES);
    assert_eq!(snapshot.rejected.len(), CODES);
    assert_eq!(Rejection::CODES[CODES - 1], "InternalError");
}

#[test]
fn failures_are_counted_beside_what_became_of_a_request() {
    let memory = Memory::new();
    for failure in [
        None,
        Some("InternalError"),
        Some("SlowDown"),
        Some("SlowDown"),
    ] {
        let request = RequestSample {
            failure,
            ..sample(Outcome::Accepted(AuthType::V4Header))
        };
        memory
            .metrics
            .count(&request, SigningCounts::default(), 0, NOW);
    }
    let snapshot = memory.read();
    assert_eq!(
        nonzero(&snapshot.failed),
        [("SlowDown", 2), ("InternalError", 1)]
    );
    assert_eq!(
        (snapshot.accepted_count(), snapshot.rejected_count()),
        (4, 0)
    );
}

#[test]
fn minted_keys_are_counted() {
    let memory = Memory::new();
    for outcome in [
        Outcome::Accepted(AuthType::V4Header),
        Outcome::Accepted(AuthType::V4Query),
        Outcome::Rejected("ExpiredToken"),
    ] {
        for is_minted in [true, false] {
            let request = RequestSample {
                is_minted,
                ..sample(outcome)
            };
            memory
                .metrics
                .count(&request, SigningCounts::default(), 0, NOW);
        }
    }
    memory.metrics.count_revoked(1);
    let snapshot = memory.read();
    assert_eq!((snapshot.minted, snapshot.revoked), (2, 1));
}

#[test]
fn calls_of_sts_are_counted_by_operation_and_fault() {
    let memory = Memory::new();
    for (operation, fault) in [
        (Some("AssumeRole"), None),
        (Some("AssumeRole"), None),
        (Some("AssumeRole"), Some("AccessDenied")),
        (Some("GetCallerIdentity"), None),
        (None, Some("MissingAction")),
        (Some("Unheard"), Some("Unheard")),
    ] {
        memory.count(Outcome::Sts { operation, fault }, NOW);
    }
    let snapshot = memory.read();
    let rows: Vec<_> = snapshot
        .sts
        .iter()
        .map(|row| (row.operation, row.outcome, row.count))
        .collect();
    let expected = [
        ("AssumeRole", "AccessDenied", 1),
        ("AssumeRole", "ok", 2),
        ("GetCallerIdentity", "ok", 1),
        ("none", "MissingAction", 1),
        ("none", "ok", 1),
    ];
    assert_eq!(rows, expected);
    assert_eq!(
        (snapshot.accepted_count(), snapshot.rejected_count()),
        (0, 0)
    );
    assert_eq!(snapshot.answers.iter().sum::<u64>(), 6);
}

#[test]
fn requests_are_counted_with_all_there_is_to_say() {
    let memory = Memory::new();
    for (status, nanoseconds) in [
        (0, None),
        (99, None),
        (100, Some(0)),
        (204, Some(2000)),
        (304, Some(2001)),
        (404, Some(5_000_000)),
        (599, Some(5_000_001)),
        (600, Some(u64::MAX / 2)),
        (u16::MAX, None),
    ] {
        let request = RequestSample {
            status,
            nanoseconds,
            received: 10,
            sent: 100,
            ..sample(Outcome::Unverified)
        };
        memory
            .metrics
            .count(&request, SigningCounts::default(), status.into(), NOW);
    }
    memory.metrics.count_retry(7);
    memory.metrics.count_retry(8);
    let snapshot = memory.read();
    assert_eq!(snapshot.answers, [4, 1, 1, 1, 1, 1]);
    assert_eq!(snapshot.times, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(snapshot.nanoseconds, u64::MAX / 2 + 10_004_002);
    assert_eq!((snapshot.received, snapshot.sent), (90, 900));
    assert_eq!(snapshot.retries, 2);
}

/// More workers than lanes share them.
#[test]
fn all_workers_are_summed_up() {
    let memory = Memory::new();
    for worker in 0..20 {
        let metrics = &memory.metrics;
        metrics.count(
            &sample(Outcome::Unverified),
            SigningCounts::default(),
            worker,
            NOW,
        );
        metrics.count_try(1, &ended(Try::Answered(200)), worker, NOW);
    }
    // None waits for another's cache line as long as there are lanes.
    let totals = memory.metrics.totals().unwrap();
    let lanes = totals.lanes.iter();
    assert!(
        lanes
            .map(|lane| lane.accepted[AUTH_TYPES - 1].load(Relaxed))
            .all(|count| count >= 2)
    );
    let snapshot = memory.read();
    assert_eq!(nonzero(&snapshot.accepted), [("none", 20)]);
    assert_eq!(counted(&snapshot.requests), [(0, 20)]);
    assert_eq!(snapshot.origins[1].answers, [0, 0, 20, 0, 0, 0]);
    assert_eq!(counted(&snapshot.origins[1].successes), [(0, 20)]);
}

#[test]
fn what_is_signed_with_is_counted_as_far_as_it_is_new() {
    let memory = Memory::new();
    for [keys_found, keys_derived, links_known, links_computed] in
        [[0, 1, 0, 4], [5, 1, 7, 4], [5, 1, 7, 4], [6, 3, 9, 5]]
    {
        let request = sample(Outcome::Unverified);
        let signing = SigningCounts {
            keys_found,
            keys_derived,
            links_known,
            links_computed,
        };
        memory.metrics.count(&request, signing, 0, NOW);
    }
    let snapshot = memory.read();
    assert_eq!((snapshot.keys_found, snapshot.keys_derived), (6, 3));
    assert_eq!((snapshot.links_known, snapshot.links_computed), (9, 5));
}

#[test]
fn the_recent_past_moves_on() {
    let memory = Memory::new();
    let begin = NOW / RECENT_SECONDS * RECENT_SECONDS;
    for after in [0, 9, 10, 599] {
        memory.count(Outcome::Rejected("AccessDenied"), begin + after);
    }
    let recent = |after| {
        let snapshot = memory.read_at(begin + after);
        assert_eq!(snapshot.requests, snapshot.rejections);
        counted(&snapshot.requests)
    };
    assert_eq!(recent(599), [(0, 1), (58, 1), (59, 2)]);
    assert_eq!(recent(600), [(1, 1), (59, 1)]);
    assert_eq!(recent(610), [(2, 1)]);
    // The place of what is too old is taken by what is new.
    memory.count(Outcome::Rejected("AccessDenied"), begin + 605);
    assert_eq!(recent(609), [(0, 1), (1, 1), (59, 1)]);
    assert_eq!(recent(100_000), []);
    // An accepted one is no rejection.
    memory.count(Outcome::Unverified, begin + 100_000);
    let snapshot = memory.read_at(begin + 100_000);
    assert_eq!(counted(&snapshot.requests), [(0, 1)]);
    assert_eq!(counted(&snapshot.rejections), []);
    assert_eq!(
        memory.read_at(0).requests,
        [0; RECENT],
        "before 1970 there was nothing"
    );
}

#[test]
fn tries_are_counted_by_how_they_ended() {
    let memory = Memory::new();
    let count = |outcome, now| memory.metrics.count_try(0, &ended(outcome), 0, now);
    count(Try::Answered(200), NOW);
    count(Try::Answered(404), NOW + 1);
    count(Try::Answered(503), NOW + 2);
    count(Try::NoAnswer, NOW + 3);
    count(Try::GivenUp, NOW + 4);
    memory.metrics.count_try(2, &ended(Try::NoAnswer), 0, NOW);
    let row = |now| memory.read_at(now).origins.swap_remove(0);
    let origin = row(NOW + 4);
    assert_eq!(origin.answers, [1, 0, 1, 0, 1, 1]);
    assert_eq!(origin.given_up, 1);
    assert_eq!(
        (origin.succeeded, origin.failed),
        (Some(NOW + 1), Some((NOW + 3, 0)))
    );
    assert_eq!(
        (counted(&origin.successes), counted(&origin.failures)),
        (vec![(0, 2)], vec![(0, 2)])
    );
    assert_eq!(origin.state, OriginState::Failing);
    count(Try::Answered(302), NOW + 3);
    assert_eq!(row(NOW + 4).state, OriginState::Degraded);
    assert_eq!(row(NOW + 4).rejected, Some((NOW + 3, 302)));
    assert_eq!(counted(&row(NOW + 4).rejections), [(0, 1)]);
    count(Try::Answered(500), NOW + 5);
    assert_eq!(
        (row(NOW + 5).state, row(NOW + 5).failed),
        (OriginState::Failing, Some((NOW + 5, 500)))
    );
    assert_eq!(row(NOW + 3600).state, OriginState::Unused);
    // The other one is not concerned, and failures alone are failures.
    assert_eq!(memory.read().origins[1].state, OriginState::Unused);
    memory.metrics.count_try(1, &ended(Try::NoAnswer), 3, NOW);
    assert_eq!(memory.read().origins[1].state, OriginState::Failing);
}

#[test]
fn checks_know_better_whether_an_origin_is_up() {
    let memory = Memory::new();
    memory
        .metrics
        .count_try(0, &ended(Try::Answered(500)), 0, NOW);
    let address = |server: &str, state| AddressHealth {
        server: server.into(),
        address: String::new(),
        state,
        since: 0,
        checked_at: 0,
        took: 0,
        reason: String::new(),
        passed: 0,
        failed: 0,
        history: Vec::new(),
    };
    let state = |name: &str, addresses| {
        let health = UpstreamHealth {
            name: name.into(),
            is_up: true,
            addresses,
        };
        let snapshot = memory.metrics.snapshot(vec![health], "", NOW).unwrap();
        snapshot.origins[0].state.name()
    };
    let [up, down, unknown] = [HealthState::Up, HealthState::Down, HealthState::Unknown]
        .map(|state| move || address("a:80", state));
    assert_eq!(state("up", vec![up(), down(), unknown()]), "degraded");
    assert_eq!(state("up", vec![down(), unknown()]), "down");
    assert_eq!(state("up", vec![unknown()]), "failing");
    assert_eq!(
        state("up", vec![address("b", HealthState::Down)]),
        "failing"
    );
    assert_eq!(state("other", vec![down()]), "failing");
}

fn keys(rows: &[RejectedKeyRow]) -> Vec<(&str, u64)> {
    rows.iter()
        .map(|row| (&*row.access_key, row.count))
        .collect()
}

#[test]
fn rejected_keys_are_known_with_their_last_rejection() {
    let memory = Memory::new();
    let count = |key: &[u8], code, is_client, now| {
        memory.metrics.count_rejection(key, code, is_client, now);
    };
    count(b"A", "AccessDenied", true, NOW);
    count(b"A", "SignatureDoesNotMatch", true, NOW + 1);
    count(b"B", "AccessDenied", true, NOW);
    count(b"C", "AccessDenied", true, NOW + 1);
    count(b"\xff\"<", "InvalidAccessKeyId", false, NOW);
    count(b"", "AccessDenied", false, NOW);
    count(&[b'k'; 200], "AccessDenied", false, NOW + 7);
    let snapshot = memory.read();
    // The most frequent first, then the latest, then by name.
    assert_eq!(
        keys(&snapshot.rejected_clients),
        [("A", 2), ("C", 1), ("B", 1)]
    );
    let a = &snapshot.rejected_clients[0];
    assert_eq!((a.code, a.last), ("SignatureDoesNotMatch", NOW + 1));
    let long = "k".repeat(95);
    assert_eq!(
        keys(&snapshot.rejected_strangers),
        [(&*long, 1), ("\\xff\\\"<", 1)]
    );
}

#[test]
fn frequent_keys_are_not_pushed_out_and_none_is_blamed_for_others() {
    let memory = Memory::new();
    let count = |key: String| {
        let code = "InvalidAccessKeyId";
        memory
            .metrics
            .count_rejection(key.as_bytes(), code, false, NOW);
    };
    (0..20).for_each(|_| count("often".into()));
    memory
        .metrics
        .count_rejection(b"client", "AccessDenied", true, NOW);
    for number in 0..200 {
        count(format!("once{number}"));
    }
    let snapshot = memory.read();
    let strangers = keys(&snapshot.rejected_strangers);
    assert_eq!(strangers.len(), counters::REJECTED_KEYS);
    assert_eq!(strangers[0], ("often", 20));
    assert!(
        strangers[1..].iter().all(|(_, count)| *count == 1),
        "{strangers:?}"
    );
    assert_eq!(keys(&snapshot.rejected_clients), [("client", 1)]);
    // Whoever comes often enough is known in the end.
    (0..30).for_each(|_| count("new".into()));
    assert_eq!(
        keys(&memory.read().rejected_strangers)[..2],
        [("new", 30), ("often", 20)]
    );
}

#[test]
fn the_next_configuration_goes_on() {
    let memory = Memory::new();
    memory.count(Outcome::Unverified, NOW);
    memory
        .metrics
        .count_try(0, &ended(Try::Answered(200)), 0, NOW);
    let next = load(&[("", "b"), ("new", "c"), ("up", "a:80")], NOW + 60);
    let snapshot = read(&next, NOW + 60);
    assert_eq!(
        (snapshot.started, snapshot.loaded, snapshot.reloads),
        (NOW, NOW + 60, 1)
    );
    assert_eq!(snapshot.accepted_count(), 1);
    let answers: Vec<_> = snapshot.origins.iter().map(|row| row.answers[2]).collect();
    assert_eq!(answers, [0, 0, 1]);
    // Old workers are still at work.
    memory.count(Outcome::Unverified, NOW);
    assert_eq!(read(&next, NOW).accepted_count(), 2);
}

/// What a compromised worker could write is shown as well as it goes.
#[test]
fn noise_is_shown() {
    let memory = Memory::new();
    let totals = memory.metrics.totals().unwrap();
    let most = |counters: &[AtomicU64]| counters.iter().for_each(|n| n.store(u64::MAX, Relaxed));
    for lane in &totals.lanes {
        most(&lane.accepted);
        most(&lane.rejected);
        most(&lane.failed);
        most(&lane.times);
        most(&lane.answers);
        most(std::slice::from_ref(&lane.nanoseconds));
        most(std::slice::from_ref(&lane.keys_found));
        most(std::slice::from_ref(&lane.keys_derived));
        most(std::slice::from_ref(&lane.links_known));
        most(std::slice::from_ref(&lane.links_computed));
        most(std::slice::from_ref(&lane.minted));
        most(std::slice::from_ref(&lane.revoked));
        most(&lane.operations);
        most(&lane.cache);
        lane.requests.fill(u64::MAX);
    }
    most(std::slice::from_ref(&totals.started));
    most(std::slice::from_ref(&totals.loaded));
    for origin in memory.metrics.origins.iter() {
        origin.succeeded.store(u64::MAX, Relaxed);
        origin.failed.store(u64::MAX, Relaxed);
        origin.lanes.iter().for_each(|lane| {
            lane.failures.fill(u64::MAX);
            most(std::slice::from_ref(&lane.received));
        });
    }
    memory.count(Outcome::Rejected("AccessDenied"), u64::MAX);
    let period = u64::from(u32::MAX);
    for now in [
        NOW,
        u64::MAX,
        period * RECENT_SECONDS,
        period * RECENT_ORIGIN_SECONDS,
    ] {
        let snapshot = memory.read_at(now);
        for format in [Format::Html, Format::Json, Format::Prometheus] {
            assert!(!format.render(&snapshot).unwrap().is_empty());
        }
    }
}

#[test]
fn a_full_period_stays_as_it_is() {
    let memory = Memory::new();
    let lane = &memory.metrics.totals().unwrap().lanes[0];
    let period = NOW / RECENT_SECONDS;
    lane.requests.fill(period << 32 | u64::from(u32::MAX - 1));
    for _ in 0..3 {
        memory.count(Outcome::Unverified, NOW);
    }
    assert_eq!(counted(&memory.read().requests), [(0, u64::from(u32::MAX))]);
}
