//! Origins, by their upstreams: a row of each, and the card that it opens, with the tries of the last hour and the
//! checks of its addresses.

use std::fmt::Write;

use health::{AddressHealth, Change, HealthState};

use crate::render::units::{Bytes, Count, Duration, Millis, ShortCount, ago};
use crate::snapshot::Tries;
use crate::{
    CLASS_NAMES, FirstByteTimes, OriginKeysRow, OriginRow, OriginState, RECENT,
    RECENT_ORIGIN_SECONDS, ServerRole, Snapshot,
};

/// How many changes of state are shown of each address.
const CHANGES: usize = 4;

/// The origins of an upstream, what is down first.
pub(super) struct OriginGroup<'a> {
    /// Empty for the hosts of a `proxy_pass`.
    pub(super) upstream: &'a str,
    pub(super) states: String,
    pub(super) origins: Vec<OriginCard<'a>>,
}

impl<'a> OriginGroup<'a> {
    /// All upstreams, those with the worst origin first.
    pub(super) fn all(snapshot: &'a Snapshot) -> Vec<OriginGroup<'a>> {
        let mut groups: Vec<(&str, Vec<&OriginRow>)> = Vec::new();
        for origin in &snapshot.origins {
            let known = groups.iter_mut().find(|(name, _)| *name == origin.upstream);
            match known {
                Some((_, origins)) => origins.push(origin),
                None => groups.push((&origin.upstream, vec![origin])),
            }
        }
        for (_, origins) in &mut groups {
            origins.sort_by_key(|origin| origin.state);
        }
        groups.sort_by_key(|(_, origins)| origins.first().map(|origin| origin.state));
        let group = |(upstream, origins): (_, Vec<&'a OriginRow>)| OriginGroup {
            upstream,
            states: states(&origins),
            origins: (origins.into_iter())
                .map(|origin| OriginCard::of(origin, snapshot))
                .collect(),
        };
        groups.into_iter().map(group).collect()
    }
}

/// How many are in which state.
pub(super) fn states(origins: &[&OriginRow]) -> String {
    let count = |state| origins.iter().filter(|row| row.state == state).count();
    let parts: Vec<_> = OriginState::ALL
        .into_iter()
        .map(|state| match state {
            OriginState::Unused => (count(state), "not in use"),
            _ => (count(state), state.name()),
        })
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    parts.join(", ")
}

pub(super) struct OriginCard<'a> {
    pub(super) server: &'a str,
    pub(super) upstream: &'a str,
    /// Where its `server` line says more than its name.
    pub(super) role: String,
    pub(super) class: &'static str,
    pub(super) state: String,
    pub(super) in_flight: ShortCount,
    /// Of the last hour.
    pub(super) tries: ShortCount,
    pub(super) rejected: TryCount,
    pub(super) failed: TryCount,
    /// Within which half of the answers have begun, and nearly all.
    pub(super) half: String,
    pub(super) most: String,
    pub(super) received: Bytes,
    pub(super) sent: Bytes,
    pub(super) strip: Strip,
    /// By class of status.
    pub(super) answers: Vec<(&'static str, TryCount)>,
    pub(super) last_rejection: Option<String>,
    pub(super) last_failure: String,
    /// Of its keys, if they renew themselves.
    pub(super) keys: Option<KeysLine>,
    pub(super) checks: Vec<CheckLine<'a>>,
}

/// What is said of keys that renew themselves.
pub(super) struct KeysLine {
    pub(super) text: String,
    pub(super) is_bad: bool,
}

impl KeysLine {
    fn of(keys: &OriginKeysRow, now: u64) -> KeysLine {
        let provider = &keys.provider;
        let mut text = match (keys.are_there, keys.expires) {
            (false, _) => format!("No keys from {provider}."),
            (true, Some(expires)) if expires > now => {
                format!("Keys from {provider} hold for {}", Duration(expires - now))
            }
            (true, Some(expires)) => {
                format!("Keys from {provider} have expired {}", ago(now, expires))
            }
            (true, None) => format!("Keys from {provider}"),
        };
        if let Some(time) = keys.refreshed_at.filter(|_| keys.are_there) {
            text.push_str(&format!("; fetched {}.", ago(now, time)));
        }
        if !keys.error.is_empty() {
            text.push_str(&format!(" The last fetch failed: {}.", keys.error));
        }
        KeysLine {
            text,
            is_bad: !keys.are_there || !keys.error.is_empty(),
        }
    }
}

pub(super) struct TryCount {
    pub(super) count: ShortCount,
    pub(super) is_bad: bool,
}

impl<'a> OriginCard<'a> {
    pub(super) fn of(origin: &'a OriginRow, snapshot: &'a Snapshot) -> OriginCard<'a> {
        let now = snapshot.now;
        let (class, state) = state(origin);
        let checks = snapshot.checks_of(origin);
        let tries = origin.tries(RECENT);
        let bad = |count| TryCount {
            count: ShortCount(count),
            is_bad: count > 0,
        };
        OriginCard {
            server: &origin.server,
            upstream: &origin.upstream,
            role: role(origin.role),
            class,
            state,
            in_flight: ShortCount(origin.in_flight),
            tries: ShortCount(tries.all()),
            rejected: bad(tries.rejected),
            failed: bad(tries.failed),
            half: within(&origin.first_byte, 50),
            most: within(&origin.first_byte, 99),
            received: Bytes(origin.received),
            sent: Bytes(origin.sent),
            last_rejection: origin.rejected.map(|(time, status)| {
                format!("Last rejection {}: status {status}.", ago(now, time))
            }),
            strip: Strip::of(origin),
            answers: answers(origin),
            last_failure: match origin.failed {
                Some((time, 0)) => format!("Last failure {}: no answer.", ago(now, time)),
                Some((time, status)) => {
                    format!("Last failure {}: status {status}.", ago(now, time))
                }
                None => "No failure so far.".to_owned(),
            },
            keys: (snapshot.keys_of(origin)).map(|keys| KeysLine::of(keys, now)),
            checks: checks.map(|check| CheckLine::of(check, now)).collect(),
        }
    }
}

fn role(role: ServerRole) -> String {
    let parts = [
        (role.is_off, "switched off".to_owned()),
        (role.is_backup, "backup".to_owned()),
        (role.weight != 1, format!("weight {}", role.weight)),
    ];
    let parts = parts.into_iter().filter(|(is_said, _)| *is_said);
    parts.map(|(_, text)| text).collect::<Vec<_>>().join(", ")
}

fn within(times: &FirstByteTimes, percent: u64) -> String {
    match times.within(percent) {
        None => "–".to_owned(),
        Some(Ok(time)) => format!("≤ {}", Millis(time)),
        Some(Err(time)) => format!("> {}", Millis(time)),
    }
}

/// The colour of its state, and the state in words: what it answers, where that is no good.
fn state(origin: &OriginRow) -> (&'static str, String) {
    let answers = |last: Option<(u64, u32)>| match last {
        Some((_, status @ 1..)) => format!("▲ answers {status}"),
        _ => "▲ no answer".to_owned(),
    };
    match origin.state {
        OriginState::Up => ("good", "● up".to_owned()),
        OriginState::Degraded => {
            let tries = origin.present_tries();
            let percent = 100.0 * tries.failed as f64 / tries.all().max(1) as f64;
            ("warn", format!("◐ {percent:.0} % fail"))
        }
        OriginState::Rejecting => ("warn", answers(origin.rejected)),
        OriginState::Failing => ("bad", answers(origin.failed)),
        OriginState::Down => ("bad", "▼ down".to_owned()),
        OriginState::Unused => ("soft", "○ not in use".to_owned()),
    }
}

/// What no origin sends as its answer is left out.
fn answers(origin: &OriginRow) -> Vec<(&'static str, TryCount)> {
    let count = |class, count, is_failure| {
        let counted = TryCount {
            count: ShortCount(count),
            is_bad: is_failure && count > 0,
        };
        (class, counted)
    };
    let answered = CLASS_NAMES.iter().zip(origin.answers).skip(2);
    let answered = answered.map(|(class, number)| count(*class, number, *class == "5xx"));
    let none = count("no answer", origin.answers[0], true);
    answered.chain([none]).collect()
}

/// A bar for each minute of the last hour, the failures at its foot, then what was rejected: what is drawn of each kind.
#[derive(Default)]
pub(super) struct Strip {
    pub(super) width: usize,
    pub(super) length: Duration,
    pub(super) answers: Count,
    pub(super) rejections: Count,
    pub(super) failures: Count,
    pub(super) none: String,
    pub(super) good: String,
    pub(super) warn: String,
    pub(super) bad: String,
}

impl Strip {
    fn of(origin: &OriginRow) -> Strip {
        let minutes = (0..RECENT).map(|minute| Tries {
            succeeded: origin.successes[minute],
            rejected: origin.rejections[minute],
            failed: origin.failures[minute],
        });
        let most = minutes.clone().map(Tries::all).max().unwrap_or(0);
        let tries = origin.tries(RECENT);
        let mut strip = Strip {
            width: RECENT * 4 - 1,
            length: Duration(RECENT as u64 * RECENT_ORIGIN_SECONDS),
            answers: Count(tries.all()),
            rejections: Count(tries.rejected),
            failures: Count(tries.failed),
            ..Strip::default()
        };
        for (minute, tries) in minutes.enumerate() {
            // Writing to a string does not fail.
            let _ = strip.draw(minute * 4, tries, most.max(1));
        }
        strip
    }

    fn draw(&mut self, x: usize, tries: Tries, most: u64) -> std::fmt::Result {
        let all = tries.all();
        if all == 0 {
            return write!(self.none, "M{x},32h3v2h-3z");
        }
        // Square roots, so that a quiet minute is seen beside a busy one; and so is one failure.
        let height = (34.0 * (all as f64 / most as f64).sqrt()).max(6.0);
        let mut foot = 34.0;
        let parts = [
            (&mut self.bad, tries.failed, 3.0),
            (&mut self.warn, tries.rejected, 3.0),
            (&mut self.good, tries.succeeded, 0.0),
        ];
        for (path, count, least) in parts {
            let room = height - (34.0 - foot);
            let part = f64::max(height * count as f64 / all as f64, least).min(room);
            if count > 0 && part > 0.0 {
                write!(path, "M{x},{foot:.1}v-{part:.1}h3v{part:.1}z")?;
                foot -= part;
            }
        }
        Ok(())
    }
}

/// What is known of an address.
pub(super) struct CheckLine<'a> {
    /// Where it is not the server's name itself.
    pub(super) address: Option<&'a str>,
    pub(super) result: String,
    pub(super) changes: Vec<ChangeLine<'a>>,
}

pub(super) struct ChangeLine<'a> {
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    pub(super) ago: String,
    pub(super) reason: &'a str,
}

impl<'a> CheckLine<'a> {
    fn of(check: &'a AddressHealth, now: u64) -> CheckLine<'a> {
        let when = ago(now, check.checked_at);
        let changes = check.history.iter().take(CHANGES);
        CheckLine {
            address: Some(&*check.address).filter(|address| *address != check.server),
            result: match (check.checked_at, &*check.reason) {
                (0, _) => "Not checked yet.".to_owned(),
                (_, "") => format!("Check passed {when}, in {} ms.", Count(check.took.into())),
                (_, reason) => format!("Check failed {when}: {reason}."),
            },
            changes: changes.map(|change| ChangeLine::of(change, now)).collect(),
        }
    }
}

impl<'a> ChangeLine<'a> {
    fn of(change: &'a Change, now: u64) -> ChangeLine<'a> {
        ChangeLine {
            class: match change.state {
                HealthState::Down => "bad",
                HealthState::Up | HealthState::Unknown => "good",
            },
            state: change.state.name(),
            ago: ago(now, change.at),
            reason: &change.reason,
        }
    }
}
