//! An origin, and the state that it is in.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use health::{AddressHealth, HealthState, UpstreamHealth};

use super::{OriginName, ServerRole, sums};
use crate::counters::{
    CLASSES, FirstByteTimes, OriginCounters, OriginLane, RECENT, RECENT_ORIGIN_SECONDS, Recent, sum,
};

/// How many periods say what an origin does now; all that are kept do where it was not tried in these.
const PRESENT: usize = 5;
/// How many tries weigh more than checks that pass.
const ENOUGH: u64 = 3;
/// An origin is degraded if one of this many tries has failed.
const FEW: u64 = 20;

#[derive(Debug)]
pub struct OriginRow {
    /// Empty for the host of a `proxy_pass`.
    pub upstream: String,
    pub server: String,
    pub role: ServerRole,
    pub state: OriginState,
    pub in_flight: u64,
    pub answers: [u64; CLASSES],
    pub given_up: u64,
    pub received: u64,
    pub sent: u64,
    /// Of requests without a body.
    pub first_byte: FirstByteTimes,
    /// Each try of the recent past that was not given up is in one of these.
    pub successes: [u64; RECENT],
    pub rejections: [u64; RECENT],
    pub failures: [u64; RECENT],
    /// The last answer that was no failure.
    pub succeeded: Option<u64>,
    /// When the origin rejected a request last, and with what status.
    pub rejected: Option<(u64, u32)>,
    /// When, and with what status (0: no answer).
    pub failed: Option<(u64, u32)>,
}

/// The worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OriginState {
    /// All its addresses have failed their checks.
    Down,
    /// The last try has failed; or all of the last minutes, whatever checks say.
    Failing,
    /// It is reached, and rejects all requests: keys, region or permissions are wrong.
    Rejecting,
    /// It answers, but some tries of the last minutes have failed.
    Degraded,
    Up,
    /// Not checked, and not tried within the last hour.
    Unused,
}

impl OriginState {
    pub const ALL: [OriginState; 6] = [
        OriginState::Down,
        OriginState::Failing,
        OriginState::Rejecting,
        OriginState::Degraded,
        OriginState::Up,
        OriginState::Unused,
    ];

    pub fn name(self) -> &'static str {
        match self {
            OriginState::Unused => "unused",
            OriginState::Up => "up",
            OriginState::Degraded => "degraded",
            OriginState::Rejecting => "rejecting",
            OriginState::Failing => "failing",
            OriginState::Down => "down",
        }
    }

    /// Whether requests are answered, as far as is known.
    pub(crate) fn answers(self) -> bool {
        !matches!(self, OriginState::Down | OriginState::Failing)
    }
}

/// The tries of some time, by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tries {
    pub(crate) succeeded: u64,
    pub(crate) rejected: u64,
    pub(crate) failed: u64,
}

impl Tries {
    pub(crate) fn all(self) -> u64 {
        self.succeeded + self.rejected + self.failed
    }

    /// What they say if not one has succeeded.
    fn in_vain(self) -> Option<OriginState> {
        match self {
            Tries { succeeded: 1.., .. } => None,
            tries if tries.all() == 0 => None,
            tries if tries.rejected >= tries.failed => Some(OriginState::Rejecting),
            _ => Some(OriginState::Failing),
        }
    }

    fn are_degraded(self) -> bool {
        self.failed > 0 && self.failed.saturating_mul(FEW) >= self.all()
    }
}

impl OriginRow {
    pub(super) fn take(
        (name, role): &(OriginName, ServerRole),
        counted: &OriginCounters,
        workers: &[usize],
        health: &[UpstreamHealth],
        now: u64,
    ) -> OriginRow {
        let lanes = &counted.lanes;
        let recent = |of: fn(&OriginLane) -> &Recent| {
            Recent::sum(lanes.iter().map(of), now / RECENT_ORIGIN_SECONDS)
        };
        let when = |time: &AtomicU64| Some(time.load(Relaxed)).filter(|time| *time > 0);
        let mut origin = OriginRow {
            upstream: name.upstream.escape_ascii().to_string(),
            server: name.server.escape_ascii().to_string(),
            role: *role,
            state: OriginState::Unused,
            in_flight: counted.in_flight(workers),
            answers: sums(lanes, |lane| &lane.answers),
            given_up: sum(lanes, |lane| &lane.given_up),
            received: sum(lanes, |lane| &lane.received),
            sent: sum(lanes, |lane| &lane.sent),
            first_byte: FirstByteTimes::sum(lanes, |lane| &lane.first_byte, now),
            successes: recent(|lane| &lane.successes),
            rejections: recent(|lane| &lane.rejections),
            failures: recent(|lane| &lane.failures),
            succeeded: when(&counted.succeeded),
            rejected: when(&counted.rejected).map(|time| (time, counted.rejection.load(Relaxed))),
            failed: when(&counted.failed).map(|time| (time, counted.failure.load(Relaxed))),
        };
        let checks = state_by(checks_of(health, &origin));
        origin.state = origin.state_with(checks);
        origin
    }

    /// Adds up the tries of the last periods, the one under way included.
    pub(crate) fn tries(&self, periods: usize) -> Tries {
        let sum = |recent: &[u64; RECENT]| {
            let counts = recent.iter().rev().take(periods);
            counts.fold(0, |sum: u64, count| sum.saturating_add(*count))
        };
        Tries {
            succeeded: sum(&self.successes),
            rejected: sum(&self.rejections),
            failed: sum(&self.failures),
        }
    }

    /// The tries that say what it does now.
    pub(crate) fn present_tries(&self) -> Tries {
        match self.tries(PRESENT) {
            tries if tries.all() == 0 => self.tries(RECENT),
            tries => tries,
        }
    }

    /// `checks` is what checks say; `None` where there are none, or nothing is known yet.
    fn state_with(&self, checks: Option<OriginState>) -> OriginState {
        let tries = self.present_tries();
        let has_failed_last = match (self.succeeded, self.failed) {
            (Some(succeeded), Some((failed, _))) => failed > succeeded,
            (succeeded, failed) => succeeded.is_none() && failed.is_some(),
        };
        match (checks, tries.in_vain()) {
            (Some(OriginState::Down), _) => OriginState::Down,
            (Some(_), Some(state)) if tries.all() >= ENOUGH => state,
            (None, _) if tries.all() == 0 => OriginState::Unused,
            (None, _) if has_failed_last => OriginState::Failing,
            (None, Some(state)) => state,
            _ if tries.are_degraded() => OriginState::Degraded,
            _ => OriginState::Up,
        }
    }
}

pub(super) fn checks_of<'a>(
    health: &'a [UpstreamHealth],
    origin: &'a OriginRow,
) -> impl Iterator<Item = &'a AddressHealth> + Clone {
    health
        .iter()
        .filter(|upstream| upstream.name == origin.upstream)
        .flat_map(|upstream| &upstream.addresses)
        .filter(|check| check.server == origin.server)
}

/// `None` where nothing is checked, or nothing known yet.
fn state_by<'a>(checks: impl Iterator<Item = &'a AddressHealth> + Clone) -> Option<OriginState> {
    let any = |state| checks.clone().any(|check| check.state == state);
    match (any(HealthState::Up), any(HealthState::Down)) {
        (true, _) => Some(OriginState::Up),
        (false, true) => Some(OriginState::Down),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    /// One whose tries of the present minute, and of half an hour ago, have ended so.
    fn origin([succeeded, rejected, failed]: [u64; 3], before: [u64; 3]) -> OriginRow {
        let recent = |before, now| {
            let mut recent = [0; RECENT];
            (recent[30], recent[RECENT - 1]) = (before, now);
            recent
        };
        let last = |any: u64| (any > 0).then_some(NOW);
        OriginRow {
            upstream: String::new(),
            server: String::new(),
            role: ServerRole::default(),
            state: OriginState::Unused,
            in_flight: 0,
            answers: [0; CLASSES],
            given_up: 0,
            received: 0,
            sent: 0,
            first_byte: FirstByteTimes::default(),
            successes: recent(before[0], succeeded),
            rejections: recent(before[1], rejected),
            failures: recent(before[2], failed),
            succeeded: last(succeeded + rejected + before[0] + before[1]),
            rejected: last(rejected + before[1]).map(|time| (time, 403)),
            failed: last(failed + before[2]).map(|time| (time, 503)),
        }
    }

    #[test]
    fn what_is_answered_tells_the_state() {
        use OriginState::*;
        let up = Some(Up);
        let none = [0; 3];
        for (checks, now, before, expected) in [
            (None, none, none, Unused),
            (up, none, none, Up),
            (Some(Down), [9, 0, 0], none, Down),
            (None, [1, 0, 0], none, Up),
            // It is not up because it answers, if it answers 403 to everything.
            (None, [0, 1, 0], none, Rejecting),
            (None, [0, 0, 1], none, Failing),
            (None, [0, 2, 1], none, Rejecting),
            // One rejection among others is a client's fault.
            (None, [1, 500, 0], none, Up),
            // One failure among many is none to speak of, one of twenty is.
            (None, [20, 0, 1], none, Up),
            (None, [19, 0, 1], none, Degraded),
            (None, [10, 9, 1], none, Degraded),
            // Checks that pass weigh more than two tries.
            (up, [0, 2, 0], none, Up),
            (up, [0, 0, 2], none, Degraded),
            (up, [0, 3, 0], none, Rejecting),
            (up, [0, 0, 3], none, Failing),
            (up, [1, 0, 100], none, Degraded),
            // What was is not what is, unless nothing is known of now.
            (up, [0, 9, 0], [1000, 0, 0], Rejecting),
            (up, [9, 0, 0], [0, 0, 1000], Up),
            (None, none, [0, 7, 0], Rejecting),
            (None, none, [7, 0, 0], Up),
        ] {
            let state = origin(now, before).state_with(checks);
            assert_eq!(state, expected, "{checks:?} {now:?} {before:?}");
        }
    }

    /// Without checks there is nothing else that says so as soon.
    #[test]
    fn the_last_try_has_failed() {
        let mut origin = origin([1000, 0, 1], [0; 3]);
        assert_eq!(origin.state_with(None), OriginState::Up);
        origin.failed = Some((NOW + 1, 0));
        assert_eq!(origin.state_with(None), OriginState::Failing);
        assert_eq!(origin.state_with(Some(OriginState::Up)), OriginState::Up);
    }
}
