//! What is in flight, how long origins take, and who uses what.
#![cfg(not(miri))] // as in `tests`
#![allow(clippy::unwrap_used)]

use std::process;

use sigv4::{AuthType, Operation};

use crate::counters::{CLIENTS, WORKERS};
use crate::tests::{Memory, NOW, ended, load, read, sample};
use crate::*;

/// A process that there is not: ids end below that.
const DEAD: u32 = i32::MAX as u32;

fn in_flight(snapshot: &Snapshot) -> Vec<u64> {
    snapshot.origins.iter().map(|row| row.in_flight).collect()
}

#[test]
fn what_has_begun_is_in_flight_until_it_ends() {
    let memory = Memory::new();
    let metrics = &memory.metrics;
    metrics.begin_try(0);
    assert_eq!(in_flight(&memory.read()), [0, 0], "of no worker");
    metrics.join(process::id());
    for origin in [0, 0, 1, 7] {
        metrics.begin_try(origin);
    }
    assert_eq!(in_flight(&memory.read()), [2, 1]);
    metrics.count_try(0, &ended(Try::GivenUp), 0, NOW);
    metrics.count_try(1, &ended(Try::NoAnswer), 0, NOW);
    assert_eq!(in_flight(&memory.read()), [1, 0]);
    // What was not seen to begin does not make it less than nothing.
    metrics.count_try(1, &ended(Try::NoAnswer), 0, NOW);
    assert_eq!(in_flight(&memory.read()), [1, 0]);
}

#[test]
fn the_dead_have_nothing_in_flight() {
    let memory = Memory::new();
    let metrics = &memory.metrics;
    metrics.join(DEAD);
    metrics.begin_try(0);
    assert_eq!(in_flight(&memory.read()), [0, 0]);
    // Who takes the place of a dead one begins with nothing.
    let next = load(&[("up", "a:80"), ("", "b")], NOW);
    next.join(process::id());
    assert_eq!(in_flight(&read(&next, NOW)), [0, 0]);
    next.begin_try(0);
    assert_eq!(in_flight(&read(&next, NOW)), [1, 0]);
    // Where there is no place, nothing is counted, and other counts stay as they are.
    let totals = metrics.totals().unwrap();
    for process in 0..2 * WORKERS as u32 {
        totals.workers.take_place(1_000_000 + process, |_| true);
    }
    let full = load(&[("up", "a:80"), ("", "b")], NOW);
    full.join(DEAD - 1);
    assert_eq!(in_flight(&read(&full, NOW))[1], 0);
}

#[test]
fn times_until_answers_begin_are_kept_and_forgotten() {
    let memory = Memory::new();
    let count = |milliseconds, worker, now| {
        let sample = TrySample {
            milliseconds,
            received: 1000,
            sent: 10,
            ..ended(Try::Answered(200))
        };
        memory.metrics.count_try(0, &sample, worker, now);
    };
    let times = |now| memory.read_at(now).origins.swap_remove(0).first_byte;
    let begin = NOW / FIRST_BYTE_SECONDS * FIRST_BYTE_SECONDS;
    assert_eq!(times(begin).within(50), None);
    count(None, 0, begin);
    assert_eq!(times(begin), FirstByteTimes::default());
    for (worker, milliseconds) in [0, 1, 2, 3, 30_000].into_iter().enumerate() {
        count(Some(milliseconds), worker, begin);
    }
    count(Some(30_001), 0, begin + FIRST_BYTE_SECONDS);
    let both = times(begin + FIRST_BYTE_SECONDS);
    let counts = [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    assert_eq!((both.counts, both.recent), (counts, counts));
    assert_eq!(both.milliseconds, 60_007);
    assert_eq!(
        [1, 50, 51, 83, 84].map(|percent| both.within(percent)),
        [Ok(1), Ok(2), Ok(5), Ok(30_000), Err(30_000)].map(Some)
    );
    let last = times(begin + 2 * FIRST_BYTE_SECONDS);
    assert_eq!(last.counts, counts);
    assert_eq!(last.recent.iter().sum::<u64>(), 1);
    assert_eq!(times(begin + 3 * FIRST_BYTE_SECONDS).within(50), None);
    let snapshot = memory.read();
    let row = &snapshot.origins[0];
    assert_eq!((row.received, row.sent), (7000, 70));
}

#[test]
fn operations_are_counted_by_name() {
    let memory = Memory::new();
    let all = Operation::ALL.iter().chain([&Operation::Unknown]);
    for (number, operation) in all.clone().enumerate() {
        assert_eq!(*operation as usize, number);
        let request = RequestSample {
            operation: Some(*operation),
            cache_status: number % CACHE_STATUSES.len(),
            ..sample(Outcome::Accepted(AuthType::V4Header))
        };
        for _ in 0..=number {
            (memory.metrics).count(&request, SigningCounts::default(), number, NOW);
        }
    }
    let snapshot = memory.read();
    let expected: Vec<_> = all
        .enumerate()
        .map(|(i, op)| (op.name(), i as u64 + 1))
        .collect();
    assert!(snapshot.operations.iter().rev().eq(&expected));
    assert_eq!(snapshot.cache[0], 0);
    assert!(snapshot.cache[1..].iter().all(|count| *count > 0));
}

fn count_client(metrics: &Metrics, name: ClientName<'_>, worker: usize, now: u64) {
    let request = RequestSample {
        client: Some(name),
        received: 10,
        sent: 100,
        ..sample(Outcome::Accepted(AuthType::V4Header))
    };
    metrics.count(&request, SigningCounts::default(), worker, now);
}

#[test]
fn clients_are_told_apart() {
    let memory = Memory::new();
    let metrics = &memory.metrics;
    for worker in 0..10 {
        count_client(metrics, ClientName::AccessKey(b"A"), worker, NOW);
    }
    count_client(metrics, ClientName::Issuer(b"A"), 0, NOW);
    count_client(metrics, ClientName::AccessKey(b"\xff\"<"), 0, NOW);
    // Nobody has sent that, whatever it says.
    let rejected = RequestSample {
        client: Some(ClientName::AccessKey(b"B")),
        ..sample(Outcome::Rejected("AccessDenied"))
    };
    metrics.count(&rejected, SigningCounts::default(), 0, NOW);
    let snapshot = memory.read();
    let row = |name: &str, is_issuer, requests| ClientRow {
        name: name.into(),
        is_issuer,
        requests,
        received: 10 * requests,
        sent: 100 * requests,
    };
    assert_eq!(
        snapshot.clients,
        [
            row("A", false, 10),
            row("A", true, 1),
            row("\\xff\\\"<", false, 1)
        ]
    );
    assert_eq!(snapshot.other_clients, row("", false, 0));
}

/// However many there are, the memory is the same, and no request is forgotten.
#[test]
fn more_clients_are_counted_together() {
    let memory = Memory::new();
    let metrics = &memory.metrics;
    let count = |number: usize, now| {
        let name = format!("KEY{number}");
        count_client(metrics, ClientName::AccessKey(name.as_bytes()), 0, now);
    };
    (0..10 * CLIENTS).for_each(|number| count(number, NOW));
    let snapshot = memory.read();
    assert_eq!(snapshot.clients.len(), CLIENTS);
    let told: u64 = snapshot.clients.iter().map(|row| row.requests).sum();
    assert_eq!(told, CLIENTS as u64);
    assert_eq!(snapshot.other_clients.requests, 9 * CLIENTS as u64);
    // Those that come again keep their places, those that do not leave them.
    let stays = snapshot.clients[0].name.clone();
    let later = NOW + 3601;
    count_client(
        metrics,
        ClientName::AccessKey(stays.as_bytes()),
        0,
        NOW + 1800,
    );
    (0..50 * CLIENTS).for_each(|number| count(1_000_000 + number, later));
    let snapshot = memory.read();
    let of = |name: &str| snapshot.clients.iter().find(|row| row.name == name);
    assert_eq!(of(&stays).unwrap().requests, 2);
    assert_eq!(snapshot.clients.len(), CLIENTS);
    assert!(
        snapshot.clients[1..]
            .iter()
            .all(|row| row.requests == 1 && row.name.starts_with("KEY1"))
    );
}
