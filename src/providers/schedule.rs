//! When keys are renewed, and how long old ones are used.
//!
//! As in AWS's SDKs, keys are renewed 15 minutes before they expire, or at half of their time if that is shorter (so
//! again and again, if a service has no newer ones yet), and a little earlier at random, since many machines may have got theirs at once. The present keys stay in use until the
//! new ones are there. After they have expired they are used for [`GRACE`] more: clocks differ, an instance's metadata
//! service extends keys that it cannot renew without telling, and an origin says itself when it has had enough.
//! After that the origin is left out, so that its requests go to another one.

use crate::ProvidedKeys;

/// Seconds before the end of keys when they are renewed at the latest.
const LEAD: u64 = 15 * 60;
/// Seconds for which keys are used after their end, or after they were given where that was later.
pub const GRACE: u64 = 15 * 60;
/// Milliseconds between two tries.
const SHORTEST: u64 = 1_000;
const LONGEST: u64 = 60_000;
/// Milliseconds until keys without an end are fetched again: whoever gives them may replace them.
const LASTING: u64 = 15 * 60 * 1_000;
/// Milliseconds between two looks at a file.
pub const LOOK: u64 = 1_000;

/// Returns the milliseconds until keys that were given now, at a time in seconds since 1970, are to be renewed.
pub fn after_success(keys: &ProvidedKeys, now: u64, random: u64) -> u64 {
    let Some(expires) = keys.expires() else {
        return early(LASTING, LASTING / 5, random);
    };
    let left = expires.saturating_sub(now);
    let lead = LEAD.min(left / 2);
    match lead {
        // They end within a second, or have ended already.
        0 => SHORTEST,
        lead => early((left - lead).saturating_mul(1_000), lead * 200, random),
    }
}

/// Milliseconds until a key set is fetched again: the longest, and the shortest.
const KEY_SET: u64 = 15 * 60 * 1_000;
const KEY_SET_AT_LEAST: u64 = 60 * 1_000;

/// Returns the milliseconds until a key set is to be fetched again that may be used for `max_age` seconds.
pub fn after_key_set(max_age: Option<u64>, random: u64) -> u64 {
    let said = max_age.map_or(KEY_SET, |seconds| seconds.saturating_mul(1_000));
    let longest = said.clamp(KEY_SET_AT_LEAST, KEY_SET);
    early(longest, longest / 5, random).max(KEY_SET_AT_LEAST)
}

/// Returns the milliseconds until the next try after so many failures in a row.
pub fn after_failure(failures: u32, random: u64) -> u64 {
    let longest = SHORTEST
        .saturating_mul(1 << failures.saturating_sub(1).min(10))
        .min(LONGEST);
    early(longest, longest / 2, random)
}

fn early(delay: u64, at_most: u64, random: u64) -> u64 {
    delay - random % at_most.clamp(1, delay.max(1))
}

/// Tells whether keys that end then, and were given or confirmed then, are still used.
pub fn is_usable(expires: Option<u64>, fetched: u64, now: u64) -> bool {
    expires.is_none_or(|expires| now < expires.max(fetched).saturating_add(GRACE))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(expires: Option<u64>) -> ProvidedKeys {
        ProvidedKeys::new(b"A", b"s", None, expires).unwrap()
    }

    #[test]
    fn well_before_their_end() {
        let now = 1_000_000;
        for (left, earliest, latest) in [
            (6 * 3600, 5 * 3600 + 42 * 60, 5 * 3600 + 45 * 60),
            (3600, 42 * 60, 45 * 60),
            (1800, 12 * 60, 15 * 60),
            (900, 360, 450),
            (60, 24, 30),
            (10, 4, 5),
            (4, 1, 2),
            (2, 0, 1),
        ] {
            for random in [0, 1, 17, u64::MAX, 99_999] {
                let delay = after_success(&keys(Some(now + left)), now, random);
                assert!(
                    (earliest * 1000..=latest * 1000).contains(&delay),
                    "{left}: {delay}"
                );
                assert!(delay >= 500 && delay < left * 1000, "{left}: {delay}");
            }
        }
        assert_eq!(after_success(&keys(Some(now + 1)), now, 7), SHORTEST);
        assert_eq!(after_success(&keys(Some(now)), now, 7), SHORTEST);
        assert_eq!(after_success(&keys(Some(0)), now, 7), SHORTEST);
    }

    #[test]
    fn failures() {
        for (failures, longest) in [
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 4),
            (6, 32),
            (7, 60),
            (u32::MAX, 60),
        ] {
            for random in [0, 3, 12_345, u64::MAX] {
                let delay = after_failure(failures, random);
                assert!(
                    (longest * 500..=longest * 1000).contains(&delay),
                    "{failures}: {delay}"
                );
            }
        }
    }

    #[test]
    fn key_sets() {
        for (max_age, longest) in [
            (None, 900),
            (Some(0), 60),
            (Some(59), 60),
            (Some(600), 600),
            (Some(86_400), 900),
            (Some(u64::MAX), 900),
        ] {
            for random in [0, 3, 12_345, u64::MAX] {
                let delay = after_key_set(max_age, random);
                assert!(
                    ((longest * 800).max(60_000)..=longest * 1000).contains(&delay),
                    "{max_age:?}: {delay}"
                );
            }
        }
    }

    #[test]
    fn old_keys_are_used_for_a_while() {
        assert!(is_usable(None, 0, u64::MAX));
        assert!(is_usable(Some(1000), 10, 999));
        assert!(is_usable(Some(1000), 10, 1000 + GRACE - 1));
        assert!(!is_usable(Some(1000), 10, 1000 + GRACE));
        // A metadata service that gives old keys means them.
        assert!(is_usable(Some(1000), 5000, 5000 + GRACE - 1));
        assert!(!is_usable(Some(1000), 5000, 5000 + GRACE));
    }

    proptest! {
        #[test]
        fn any_times(expires in any::<Option<u64>>(), now: u64, random: u64, failures: u32) {
            let delay = after_success(&keys(expires), now, random);
            prop_assert!(delay >= 500);
            prop_assert!((500..=LONGEST).contains(&after_failure(failures, random)));
            is_usable(expires, random, now);
        }
    }
}
