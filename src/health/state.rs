//! From checks to states, and when to check.

/// How many checks in a row change a state that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Passed ones, for an origin that is down.
    pub rise: u32,
    /// Failed ones, for an origin that is not.
    pub fall: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum HealthState {
    /// Not known yet; used until it has failed.
    #[default]
    Unknown,
    Up,
    Down,
}

impl HealthState {
    /// The state whose number it is.
    pub fn from_number(number: u8) -> HealthState {
        match number {
            1 => HealthState::Up,
            2 => HealthState::Down,
            _ => HealthState::Unknown,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            HealthState::Unknown => "unknown",
            HealthState::Up => "up",
            HealthState::Down => "down",
        }
    }
}

/// What the checks of an origin have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    pub state: HealthState,
    /// The checks in a row that speak against the state.
    pub against: u32,
}

impl Health {
    /// After one check more.
    #[must_use]
    pub fn after(self, passed: bool, thresholds: &Thresholds) -> Health {
        let (enough, other) = match (self.state, passed) {
            (HealthState::Unknown, true) => (1, HealthState::Up),
            (HealthState::Unknown, false) => (1, HealthState::Down),
            (HealthState::Up, false) => (thresholds.fall, HealthState::Down),
            (HealthState::Down, true) => (thresholds.rise, HealthState::Up),
            (HealthState::Up, true) | (HealthState::Down, false) => {
                return Health { against: 0, ..self };
            }
        };
        let against = self.against.saturating_add(1);
        if against >= enough {
            return Health {
                state: other,
                against: 0,
            };
        }
        Health { against, ..self }
    }
}

/// When to check an origin for the first time: soon, but not all at once. In milliseconds, as is all
/// below; `random` is any number.
pub fn first_check(now: u64, interval: u64, random: u64) -> u64 {
    const SOON: u64 = 1000;
    now.saturating_add(random % interval.clamp(1, SOON))
}

/// When to check it again: `interval` after the last check began, or at once where that took longer.
pub fn next_check(began: u64, interval: u64, now: u64) -> u64 {
    began.saturating_add(interval).max(now)
}

#[cfg(test)]
mod tests {
    use super::{HealthState::*, *};

    const THRESHOLDS: Thresholds = Thresholds { rise: 2, fall: 3 };

    /// The states after each check, `+` for one that passed.
    fn states(from: HealthState, checks: &str, thresholds: &Thresholds) -> Vec<HealthState> {
        let mut health = Health {
            state: from,
            against: 0,
        };
        let after = |check| {
            health = health.after(check == '+', thresholds);
            health.state
        };
        checks.chars().map(after).collect()
    }

    #[test]
    fn down_after_as_many_failures_in_a_row() {
        assert_eq!(states(Up, "---", &THRESHOLDS), [Up, Up, Down]);
        assert_eq!(
            states(Up, "--+---", &THRESHOLDS),
            [Up, Up, Up, Up, Up, Down]
        );
        let one = Thresholds { rise: 1, fall: 1 };
        assert_eq!(states(Up, "-+-", &one), [Down, Up, Down]);
    }

    #[test]
    fn up_again_after_as_many_passed_in_a_row() {
        assert_eq!(states(Down, "++", &THRESHOLDS), [Down, Up]);
        assert_eq!(states(Down, "+-++", &THRESHOLDS), [Down, Down, Down, Up]);
        assert_eq!(states(Down, "-----", &THRESHOLDS), [Down; 5]);
    }

    #[test]
    fn there_and_back() {
        assert_eq!(
            states(Unknown, "+---++---", &THRESHOLDS),
            [Up, Up, Up, Down, Down, Up, Up, Up, Down]
        );
    }

    #[test]
    fn unknown_is_what_the_first_check_says() {
        assert_eq!(states(Unknown, "+---", &THRESHOLDS), [Up, Up, Up, Down]);
        assert_eq!(states(Unknown, "-++", &THRESHOLDS), [Down, Down, Up]);
    }

    #[test]
    fn counts_do_not_overflow() {
        let never = Thresholds {
            rise: 1,
            fall: u32::MAX,
        };
        let health = Health {
            state: Up,
            against: u32::MAX - 2,
        };
        let health = health.after(false, &never);
        assert_eq!((health.state, health.against), (Up, u32::MAX - 1));
        assert_eq!(health.after(false, &never).state, Down);
    }

    #[test]
    fn numbers_stand_for_states() {
        for state in [Unknown, Up, Down] {
            assert_eq!(HealthState::from_number(state as u8), state);
        }
        assert_eq!(HealthState::from_number(77), Unknown);
    }

    #[test]
    fn the_first_check_is_soon_and_at_a_random_time() {
        let spread: Vec<_> = (0..5000).map(|r| first_check(100, 5000, r)).collect();
        assert_eq!(spread.iter().min(), Some(&100));
        assert_eq!(spread.iter().max(), Some(&1099));
        assert_eq!(first_check(100, 10, 9), 109);
        assert_eq!(first_check(100, 10, 10), 100);
        assert_eq!(first_check(100, 0, 10), 100);
    }

    #[test]
    fn the_next_check_is_an_interval_later_and_never_in_the_past() {
        assert_eq!(next_check(100, 50, 120), 150);
        assert_eq!(next_check(100, 50, 151), 151);
        assert_eq!(next_check(u64::MAX, 50, 0), u64::MAX);
    }
}
