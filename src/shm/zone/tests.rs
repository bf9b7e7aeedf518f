//! Each test has a name of its own, since a process has one memory for a name.
#![cfg(not(miri))] // it has no files of memory
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32};

use super::*;
use crate::Text;

fn open(name: &'static str, keys: &[&str]) -> Zone<AtomicU64> {
    Zone::open(name, keys, (), None).unwrap()
}

/// A configuration that is in use.
fn load(name: &'static str, keys: &[&str]) -> Zone<AtomicU64> {
    let zone = open(name, keys);
    zone.adopt(|_| ());
    zone
}

fn values(zone: &Zone<AtomicU64>) -> Vec<u64> {
    zone.iter().map(|record| record.load(Relaxed)).collect()
}

fn set(zone: &Zone<AtomicU64>, index: usize, value: u64) {
    zone.record(index).unwrap().store(value, Relaxed);
}

fn entries(zone: &Zone<AtomicU64>) -> usize {
    zone.memory.entries().len()
}

#[test]
fn a_record_for_each_key() {
    let zone = open("each", &["a", "b"]);
    assert_eq!(zone.name(), "s3_resign_each");
    assert!(!zone.begins_again());
    assert!(zone.record(0).is_none(), "not in use yet");
    assert_eq!(zone.iter().count(), 0);
    zone.adopt(|_| ());
    set(&zone, 0, 1);
    assert_eq!(values(&zone), [1, 0]);
    assert!(zone.record(2).is_none());
    assert_eq!(zone.locked(|| values(&zone)), [1, 0]);
}

#[test]
fn the_same_key_has_the_same_record() {
    let zone = load("same", &["a", "b", "a"]);
    set(&zone, 0, 1);
    assert_eq!(values(&zone), [1, 0, 1]);
}

#[test]
fn no_keys() {
    let zone = load("none", &[]);
    assert!(zone.record(0).is_none());
    drop(load("none", &[]));
}

#[test]
fn the_next_configuration_finds_the_records_by_their_keys() {
    let old = load("reload", &["a", "b"]);
    set(&old, 0, 1);
    set(&old, 1, 2);
    let new = load("reload", &["b", "c", "a"]);
    assert_eq!(values(&new), [2, 0, 1]);
    // Workers of both go on.
    set(&old, 0, 10);
    set(&new, 0, 20);
    assert_eq!(
        (values(&old), values(&new)),
        (vec![10, 20], vec![20, 0, 10])
    );
    drop(old);
    assert_eq!(values(&load("reload", &["a"])), [10]);
}

#[test]
fn it_ends_with_the_last_configuration_that_has_it() {
    set(&load("ends", &["a"]), 0, 1);
    assert_eq!(values(&load("ends", &["a"])), [0]);
}

#[test]
fn it_grows() {
    let few = load("grows", &["a"]);
    set(&few, 0, 1);
    let names: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    let mut keys: Vec<_> = names.iter().map(String::as_str).collect();
    keys.push("a");
    let many = load("grows", &keys);
    let is_one = |record: &AtomicU64| ptr::from_ref(record).addr();
    let mut addresses: Vec<_> = many.iter().map(is_one).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 1001);
    assert_eq!(many.record(1000).unwrap().load(Relaxed), 1);
    set(&few, 0, 2);
    assert_eq!(many.record(1000).unwrap().load(Relaxed), 2);
}

#[test]
fn disused_records_go_to_other_keys() {
    let names: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    let mut zones: Vec<Zone<AtomicU64>> = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let zone = load("disused", &[name]);
        assert_eq!(values(&zone), [0], "as if it were a new one");
        // Nobody else has it who may still be at work.
        for other in zones.iter().rev().take(2) {
            let [record, other] =
                [&zone, other].map(|zone| *zone.places.get().unwrap().first().unwrap());
            assert_ne!(record, other, "{number}");
        }
        set(&zone, 0, 1 + number as u64);
        zones.push(zone);
    }
    assert!(
        entries(zones.last().unwrap()) <= SPARE + 1,
        "it does not grow"
    );
    let places: Vec<_> = zones
        .iter()
        .map(|zone| zone.places.get().unwrap()[0])
        .collect();
    assert_eq!(places[..5], [0, 1, 2, 3, 0]);
}

#[test]
fn nothing_goes_to_other_keys_while_there_are_few() {
    let keys = ["a", "b", "c", "d", "e", "f"];
    let zone = load("few", &keys);
    for index in 0..keys.len() {
        set(&zone, index, 1);
    }
    for _ in 0..3 {
        drop(load("few", &["a", "b"]));
    }
    drop(load("few", &["a", "g"]));
    assert_eq!(values(&load("few", &keys)), [1; 6]);
}

#[test]
fn returned_records_are_shown() {
    let returned = |keys: &[&str]| {
        let shown = RefCell::new(Vec::new());
        let zone = open("returned", keys);
        zone.adopt(|record| shown.borrow_mut().push(record.swap(0, Relaxed)));
        for (index, key) in keys.iter().enumerate() {
            set(&zone, index, u64::from(key.as_bytes()[0]));
        }
        (shown.into_inner(), zone)
    };
    let _open = returned(&["a", "b"]).1;
    assert_eq!(returned(&["a", "b"]).0, [0; 0]);
    assert_eq!(returned(&["b"]).0, [0; 0]);
    assert_eq!(returned(&["a", "b", "c"]).0, [u64::from(b'a')]);
    assert_eq!(returned(&["c"]).0, [0; 0]);
    assert_eq!(returned(&["c"]).0, [0; 0]);
    assert_eq!(returned(&["b", "a"]).0, [u64::from(b'b'), u64::from(b'a')]);
}

#[test]
fn generations() {
    let zone = open("generations", &["a"]);
    let head = zone.memory.head();
    let numbers = || (head.former.load(Relaxed), head.present.load(Relaxed));
    assert_eq!(numbers(), (0, 0), "opening it for a look changes nothing");
    zone.adopt(|_| ());
    assert_eq!(numbers(), (0, 1));
    drop(load("generations", &["a"]));
    assert_eq!(numbers(), (1, 2));
    assert_eq!(zone.memory.entries()[0].generation.load(Relaxed), 2);
}

#[test]
fn the_first_of_two_that_are_read_at_once_may_take_the_room() {
    let [first, second] = [open("room", &["a"]), open("room", &["b"])];
    first.adopt(|_| ());
    second.adopt(|_| ());
    assert_eq!((values(&first), values(&second)), (vec![0], vec![]));
    assert!(second.record(0).is_none());
}

#[test]
fn one_name_is_for_one_type() {
    let _zone = load("typed", &["a"]);
    let error = Zone::<AtomicU32>::open("typed", ["a"], (), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the shared memory \"s3_resign_typed\": it is in use for something else"
    );
    assert!(error.source().is_some());
    assert!(Zone::<AtomicU64>::open("typed", ["a"], "another meaning", None).is_err());
}

shared_record! { struct Door { opened: AtomicU64, closed: AtomicU64 } }
shared_record! { struct Gate { closed: AtomicU64, opened: AtomicU64 } }
shared_record! { struct Wall { opened: AtomicU64, closed: AtomicU32 } }

#[test]
fn layouts_differ() {
    let mut layouts = [
        layout::<Door>(()),
        layout::<Gate>(()),
        layout::<Wall>(()),
        layout::<Door>(1),
        layout::<[AtomicU64; 2]>(()),
        layout::<[AtomicU64; 3]>(()),
        layout::<AtomicU64>(()),
        layout::<AtomicU32>(()),
        layout::<AtomicU8>(()),
        layout::<Text>(()),
    ];
    assert_eq!(layouts[0], layout::<Door>(()));
    layouts.sort_unstable();
    assert!(layouts.is_sorted_by(|a, b| a < b), "{layouts:?}");
}

#[test]
fn a_record_is_cleared_as_a_whole() {
    let zone = Zone::<Door>::open("cleared", ["a"], (), None).unwrap();
    zone.adopt(|_| ());
    let door = zone.record(0).unwrap();
    door.opened.store(1, Relaxed);
    door.closed.store(2, Relaxed);
    door.clear();
    assert_eq!(
        (door.opened.load(Relaxed), door.closed.load(Relaxed)),
        (0, 0)
    );
    let entry = &zone.memory.entries()[0];
    entry.clear();
    assert_eq!(
        (entry.key.load(Relaxed), entry.generation.load(Relaxed)),
        (0, 0)
    );
}

/// A compromised worker may have written anything.
#[test]
fn noise_is_survived() {
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise
    };
    let first = load("noise", &["a", "b", "c", "d"]);
    for round in 0..200 {
        let head = first.memory.head();
        head.lock.clear();
        for number in [&head.magic, &head.layout, &head.present, &head.former] {
            number.store(if round % 2 == 0 { random() } else { u64::MAX }, Relaxed);
        }
        for entry in first.memory.entries() {
            entry.key.store(random() >> (round % 64), Relaxed);
            entry.generation.store(random(), Relaxed);
        }
        let zone = load("noise", &["a", "e", "f"]);
        assert!(values(&zone).len() <= 3);
    }
}
