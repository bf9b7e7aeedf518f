#![allow(clippy::unwrap_used)]

use shm::Zone;

use super::*;
use crate::renewal::FARTHEST;

/// Each test has a name of its own, since a process has one memory for a name.
fn zone(name: &'static str) -> Zone<ProviderRecord> {
    let zone = Zone::open(name, ["imds"], (), None).unwrap();
    zone.adopt(|_| ());
    zone
}

fn keys(number: u8, token: usize) -> ProvidedKeys {
    let [access_key, secret] = [20, 40].map(|length| vec![b'a' + number % 26; length]);
    let token = vec![b'a' + number % 26; token];
    ProvidedKeys::new(&access_key, &secret, Some(&token), Some(100)).unwrap()
}

#[test]
fn keys_replace_each_other() {
    let zone = zone("providers_replace");
    let record = zone.record(0).unwrap();
    assert_eq!((record.generation(), record.read()), (0, None));
    assert!(!record.is_usable(0));
    assert!(record.publish(&keys(1, 2_000), 50, 0));
    assert_eq!(record.read(), Some((2, keys(1, 2_000))));
    assert!(record.is_usable(50) && record.is_usable(999) && !record.is_usable(1_000));
    assert!(!record.publish(&keys(1, 2_000), 60, 0), "the same");
    assert_eq!(record.generation(), 2);
    assert!(record.publish(&keys(2, 0), 70, 0));
    assert_eq!(record.read(), Some((4, keys(2, 0))));
    // Nothing is left of those before.
    let left = record
        .session_token
        .iter()
        .filter(|byte| byte.load(Relaxed) != 0);
    assert_eq!(left.count(), 0);
}

#[test]
fn a_writer_that_is_killed_leaves_nothing_that_is_used() {
    let zone = zone("providers_killed");
    let record = zone.record(0).unwrap();
    record.publish(&keys(1, 9), 50, 0);
    record.generation.store(3, Relaxed);
    record.secret_key[0].store(b'!', Relaxed);
    assert_eq!(record.read(), None);
    assert!(record.publish(&keys(1, 9), 50, 0));
    assert_eq!(record.read(), Some((6, keys(1, 9))));
}

#[test]
#[cfg_attr(miri, ignore = "it takes long")]
fn no_mixture_is_read() {
    let zone = zone("providers_torn");
    let record = zone.record(0).unwrap();
    record.publish(&keys(0, 8_192), 1, 0);
    std::thread::scope(|scope| {
        let readers = [(); 3].map(|()| {
            scope.spawn(|| {
                let mut last = 0;
                while last < 2 * 300 {
                    let Some((generation, keys)) = record.read() else {
                        continue;
                    };
                    let all = [
                        &*keys.access_key,
                        &keys.secret_key,
                        keys.session_token.as_deref().unwrap(),
                    ];
                    let first = all[0][0];
                    assert!(
                        all.iter()
                            .all(|bytes| bytes.iter().all(|byte| *byte == first))
                    );
                    assert!(generation >= last);
                    last = generation;
                }
            })
        });
        for number in 1..=300_u32 {
            zone.locked(|| {
                record.publish(
                    &keys((number % 26) as u8, 8_192 - (number % 100) as usize),
                    1,
                    0,
                )
            });
        }
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn one_worker_fetches() {
    let zone = zone("providers_lease");
    let record = zone.record(0).unwrap();
    let first = record.renewal.lead(1, 1_000, 500).unwrap();
    assert!(record.renewal.is_led(1_000) && record.renewal.holds(first));
    assert!(record.renewal.lead(2, 1_499, 500).is_none());
    assert!(record.renewal.renew(first, 1_400, 500));
    assert!(record.renewal.lead(2, 1_899, 500).is_none());
    let second = record.renewal.lead(2, 1_900, 500).unwrap();
    assert!(!record.renewal.holds(first) && !record.renewal.renew(first, 1_900, 9_000));
    assert!(record.renewal.lead(1, 1_950, 500).is_none());
    assert!(record.renewal.holds(second));
    record.renewal.end(1_950, 1_960);
    let third = record.renewal.lead(1, 1_950, 500).unwrap();
    record.renewal.end(2_000, 5_000);
    assert!(!record.renewal.is_led(2_000) && record.renewal.holds(third));
    assert_eq!(record.due(2_000), 5_000);
    // As another machine's start, or another worker, may have left it.
    record.renewal.lease_end.store(u64::MAX, Relaxed);
    record.renewal.next.store(u64::MAX, Relaxed);
    assert!(record.renewal.lead(2, 0, 500).is_some());
    assert_eq!(record.due(0), FARTHEST);
}

#[test]
fn keys_that_an_origin_rejects_are_renewed_soon_but_not_all_the_time() {
    // The same ones again and again, or others each time.
    for (name, others) in [("providers_same", false), ("providers_others", true)] {
        let zone = zone(name);
        let record = zone.record(0).unwrap();
        record.reject(0);
        assert!(!record.is_rejected());
        record.publish(&keys(1, 9), 50, 10_000);
        record.renewal.note_success(10_000, 900_000);
        assert_eq!(record.due(20_000), 900_000);
        record.reject(record.generation());
        assert!(record.is_rejected());
        assert!(record.due(20_000) <= 20_000, "at once");
        let mut ticks = 15_000;
        for (number, pause) in (2..).zip([1_000, 2_000, 4_000, 8_000]) {
            let number = if others { number } else { 1 };
            assert_eq!(record.publish(&keys(number, 9), 50, ticks), others);
            record.renewal.note_success(ticks, ticks + 900_000);
            record.reject(record.generation());
            let in_vain = record.in_vain.load(Relaxed);
            assert_eq!(
                record.due(ticks),
                ticks + schedule::after_failure(in_vain, 0)
            );
            assert_eq!(record.due(ticks), ticks + pause);
            ticks = record.due(ticks);
        }
        // Those before were good for a while.
        ticks += 60_000;
        assert!(record.publish(&keys(9, 9), 60, ticks));
        record.renewal.note_success(ticks, ticks + 900_000);
        assert!(!record.is_rejected());
        assert_eq!(record.due(ticks), ticks + 900_000);
        assert_eq!(record.in_vain.load(Relaxed), 0);
    }
}

#[test]
fn keys_that_are_about_to_expire() {
    let zone = zone("providers_near");
    let record = zone.record(0).unwrap();
    assert!(!record.is_near_end(u64::MAX), "none");
    record.publish(&keys(1, 9), 50, 0); // until 100
    assert!(!record.is_near_end(39) && record.is_near_end(40) && record.is_near_end(u64::MAX));
}

#[test]
fn what_is_told() {
    let zone = zone("providers_told");
    let record = zone.record(0).unwrap();
    let none = record.report("imds".into(), 10);
    assert_eq!(
        (none.has_keys, none.refreshed_at, none.expires),
        (false, None, None)
    );
    assert_eq!(record.renewal.note_failure("it answered 500"), 1);
    assert_eq!(record.renewal.note_failure("it answered 503"), 2);
    record.publish(&keys(1, 9), 50, 0);
    let told = record.report("imds".into(), 50);
    assert_eq!((told.failed, &*told.error), (2, "it answered 503"));
    record.renewal.note_success(0, 0);
    let told = record.report("imds".into(), 50);
    assert_eq!(
        (told.has_keys, told.refreshed_at, told.expires),
        (true, Some(50), Some(100))
    );
    assert_eq!((told.refreshed, told.failed, &*told.error), (1, 2, ""));
    assert_eq!(record.renewal.note_failure("x"), 1);
}

/// A compromised worker may have written anything.
#[test]
fn noise_is_survived() {
    let zone = zone("providers_noise");
    let record = zone.record(0).unwrap();
    for byte in [0x00, 0x01, 0x7f, 0x80, 0xff, b'A', b','] {
        record.generation.store(2, Relaxed);
        for length in [
            &record.access_key_length,
            &record.secret_key_length,
            &record.session_token_length,
        ] {
            length.store(u32::MAX >> (byte % 32), Relaxed);
        }
        record
            .access_key
            .iter()
            .for_each(|place| place.store(byte, Relaxed));
        record
            .session_token
            .iter()
            .for_each(|place| place.store(byte, Relaxed));
        record
            .secret_key
            .iter()
            .for_each(|place| place.store(byte, Relaxed));
        let read = record.read();
        assert!(read.is_none() || byte == b'A');
        for time in [0, u64::MAX] {
            for place in [
                &record.expires,
                &record.fetched,
                &record.renewal.next,
                &record.renewal.ended,
                &record.renewal.lease_end,
            ] {
                place.store(time, Relaxed);
            }
            record.in_vain.store(time as u32, Relaxed);
            record.rejected.store(2, Relaxed);
            record.due(time);
            record.is_usable(time);
            record.report(String::new(), time);
        }
    }
}
