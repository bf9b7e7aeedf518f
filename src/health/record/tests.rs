#![cfg(not(miri))] // it has no files of memory
#![allow(clippy::unwrap_used)]

use shm::Zone;

use super::*;
use crate::HealthState::{Down, Unknown, Up};

/// The record of an upstream, in a memory of its own.
struct Memory(Zone<UpstreamRecord>);

impl Memory {
    fn new(name: &'static str) -> Memory {
        let zone = Zone::open(name, ["upstream"], UpstreamRecord::meaning(), None).unwrap();
        zone.adopt(UpstreamRecord::forget);
        Memory(zone)
    }

    fn record(&self) -> &UpstreamRecord {
        self.0.record(0).unwrap()
    }
}

const LEASE: u64 = 2000;

fn worker(generation: u32, process: u32) -> Leader {
    Leader {
        generation,
        process,
    }
}

fn set_state(slot: &AddressSlot, state: HealthState) {
    slot.set_health(Health { state, against: 0 });
}

#[test]
fn each_address_has_a_slot() {
    let memory = Memory::new("slots");
    let record = memory.record();
    let a = record
        .slot_or_new(b"a:80", b"\x7f\0\0\x01", b"127.0.0.1:80")
        .unwrap();
    let b = record
        .slot_or_new(b"a:80", b"\x7f\0\0\x02", b"127.0.0.2:80")
        .unwrap();
    assert_eq!(
        (a.server(), a.name()),
        ("a:80".into(), "127.0.0.1:80".into())
    );
    assert_eq!((a.health(), a.next_check()), (Health::default(), None));
    assert_eq!(a.key(), address_key(b"a:80", b"\x7f\0\0\x01"));
    assert_ne!(a.key(), b.key());
    a.set_next_check(5);
    let again = record
        .slot_or_new(b"a:80", b"\x7f\0\0\x01", b"another name")
        .unwrap();
    assert_eq!(
        (again.name(), again.next_check()),
        ("127.0.0.1:80".into(), Some(5))
    );
    assert!(record.slot(b.key()).is_some());
    assert!(record.slot(0).is_none() && record.slot(7).is_none());
}

#[test]
fn the_server_is_told_apart_from_the_address() {
    assert_ne!(address_key(b"ab", b"c"), address_key(b"a", b"bc"));
    assert_eq!(address_key(b"ab", b"c"), address_key(b"ab", b"c"));
}

#[test]
fn all_slots_may_be_taken() {
    let memory = Memory::new("full");
    let record = memory.record();
    for number in 0..MAX_PEERS {
        assert!(record.slot_or_new(b"s", &[number as u8], b"").is_some());
    }
    assert!(record.slot_or_new(b"s", b"one more", b"").is_none());
    assert!(
        record.slot_or_new(b"s", &[3], b"").is_some(),
        "which is there"
    );

    // What is not seen any more makes room.
    record
        .slot_or_new(b"s", &[7], b"")
        .unwrap()
        .note_check(true, "", 1, 1);
    let gone = address_key(b"s", &[7]);
    record.retain(|key| key != gone);
    assert_eq!(record.addresses().len(), MAX_PEERS - 1);
    let new = record.slot_or_new(b"s", b"one more", b"").unwrap();
    assert_eq!(new.read().passed, 0);
    assert!(record.slot_or_new(b"s", b"two more", b"").is_none());
}

#[test]
fn an_address_is_down_when_its_state_says_so() {
    let memory = Memory::new("down");
    let record = memory.record();
    assert!(!record.is_down(b"s", b"1"));
    let slot = record.slot_or_new(b"s", b"1", b"").unwrap();
    for (state, is_down) in [(Unknown, false), (Up, false), (Down, true)] {
        set_state(slot, state);
        assert_eq!(record.is_down(b"s", b"1"), is_down);
    }
    assert!(!record.is_down(b"s", b"2") && !record.is_down(b"t", b"1"));
    record.forget();
    assert!(!record.is_down(b"s", b"1"));
}

#[test]
fn all_down_begins_once() {
    let memory = Memory::new("all_down");
    let record = memory.record();
    let said = [false, true, true, false, false, true].map(|all| record.begins_all_down(all));
    assert_eq!(said, [false, true, false, false, false, true]);
}

#[test]
fn checks_are_noted() {
    let memory = Memory::new("checks");
    let slot = memory.record().slot_or_new(b"s", b"1", b"one").unwrap();
    slot.note_check(true, "", 12, 1000);
    slot.note_check(false, "answered 503 <SlowDown>\n", u64::MAX, 1005);
    slot.set_health(Health {
        state: Up,
        against: 1,
    });
    assert_eq!(slot.health().against, 1);
    let expected = AddressHealth {
        server: "s".into(),
        address: "one".into(),
        state: Up,
        since: 0,
        checked_at: 1005,
        took: u32::MAX,
        reason: "answered 503 <SlowDown>\\n".into(),
        passed: 1,
        failed: 1,
        history: Vec::new(),
    };
    assert_eq!(memory.record().addresses(), [expected]);
    slot.note_check(true, "", 3, 1010);
    assert_eq!((slot.read().reason, slot.read().took), (String::new(), 3));
}

#[test]
fn the_last_changes_are_kept_the_latest_first() {
    let memory = Memory::new("changes");
    let slot = memory.record().slot_or_new(b"s", b"1", b"").unwrap();
    for number in 1..=20 {
        let (state, reason) = if number % 2 == 0 {
            (Down, "closed")
        } else {
            (Up, "")
        };
        slot.note_change(state, reason, number);
        let read = slot.read();
        assert_eq!(read.since, number);
        assert_eq!(read.history.len() as u64, number.min(HISTORY as u64));
        let times: Vec<_> = read.history.iter().map(|change| change.at).collect();
        let first = number.saturating_sub(HISTORY as u64) + 1;
        assert_eq!(times, (first..=number).rev().collect::<Vec<_>>());
        assert_eq!(
            read.history[0],
            Change {
                at: number,
                state,
                reason: reason.into()
            }
        );
    }
}

/// Whatever a compromised worker writes.
#[test]
fn noise_is_survived() {
    let memory = Memory::new("noise");
    let slot = memory.record().slot_or_new(b"s", b"1", b"").unwrap();
    slot.changes.store(u64::MAX, Relaxed);
    slot.passed.store(u64::MAX, Relaxed);
    slot.state.store(77, Relaxed);
    slot.note_change(Down, "x", 1);
    slot.note_check(true, "", 0, 1);
    assert_eq!(slot.health().state, Unknown);
    assert_eq!(slot.read().history.len(), 0);
    slot.changes.store(u64::MAX, Relaxed);
    assert_eq!(slot.read().history.len(), HISTORY);
    slot.key.store(0, Relaxed);
    let record = memory.record();
    assert_eq!(
        record
            .slot_or_new(b"t", b"2", b"")
            .unwrap()
            .read()
            .history
            .len(),
        0
    );
    record.generation.store(u32::MAX, Relaxed);
    assert_eq!(record.begin_generation(0), 0);
    record.lease_end.store(u64::MAX, Relaxed);
    assert!(!record.lead(worker(7, 1), u64::MAX - 1, LEASE));
}

#[test]
fn one_worker_checks_as_long_as_it_renews_its_lease() {
    let memory = Memory::new("lease");
    let record = memory.record();
    let generation = record.begin_generation(100);
    let [a, b] = [1, 2].map(|process| worker(generation, process));
    assert!(record.lead(a, 100, LEASE) && record.is_led_by(a));
    assert!(!record.lead(b, 101, LEASE) && !record.is_led_by(b));
    assert!(record.lead(a, 2000, LEASE), "renewed");
    assert!(!record.lead(b, 2100, LEASE), "which holds for longer");
    assert!(record.lead(b, 4000, LEASE) && !record.is_led_by(a));
}

#[test]
fn a_worker_that_retires_leaves_it_to_the_next() {
    let memory = Memory::new("retires");
    let record = memory.record();
    let generation = record.begin_generation(100);
    let [a, b] = [1, 2].map(|process| worker(generation, process));
    assert!(record.lead(a, 100, LEASE));
    record.retire(b);
    assert!(!record.lead(b, 101, LEASE), "not its own");
    record.retire(a);
    assert!(record.lead(b, 101, LEASE));
}

#[test]
fn a_new_configuration_checks_at_once_and_the_old_one_if_it_does_not() {
    let memory = Memory::new("generations");
    let record = memory.record();
    let old = worker(record.begin_generation(100), 1);
    assert!(record.lead(old, 100, LEASE) && record.is_led_by_generation(old.generation));
    let generation = record.begin_generation(200);
    assert_eq!(generation, old.generation + 1);
    assert!(!record.is_led_by(old) && !record.is_led_by_generation(old.generation));
    let new = worker(generation, 2);
    // The old one waits for a lease longer than the new one.
    assert!(!record.lead(old, 200 + LEASE - 1, LEASE));
    assert!(record.lead(new, 200, LEASE) && record.is_led_by_generation(generation));
    assert!(!record.lead(old, 200 + LEASE, LEASE));
    assert!(record.lead(old, 200 + 2 * LEASE, LEASE));
    assert!(
        !record.lead(new, 200 + 2 * LEASE, LEASE),
        "who has it, has it"
    );
}

#[test]
fn states_have_a_meaning() {
    use std::hash::{DefaultHasher, Hash};
    let mut hashers = [DefaultHasher::new(), DefaultHasher::new()];
    UpstreamRecord::meaning().hash(&mut hashers[0]);
    ["unknown", "up", "down"].hash(&mut hashers[1]);
    assert_eq!(hashers[0].finish(), hashers[1].finish());
}
