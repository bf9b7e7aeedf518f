//! What a worker does for the checks, again and again.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use health::{
    AddressSlot, Answer, Expected, HealthState, MAX_PEERS, Verdict, address_key, first_check,
    next_check,
};
use ngx_safe::connection::{AnswerReader, Call, CallOutcome};
use ngx_safe::cycle::Cycle;
use ngx_safe::upstream::PeerCopy;
use ngx_safe::worker::{Now, Ticker, Worker, random};
use sigv4::Timestamp;

use crate::S3Resign;
use crate::conf::NamedOrigin;
use crate::health_checks::checks::{CheckedUpstream, Checks, LEASE, TICK};
use crate::log::{log_error, log_notice, log_warn};
use crate::runtime::Runtime;

/// Starts the checks in a process that starts; None where memory is out.
pub(crate) fn start(cycle: Cycle<'_, S3Resign>) -> Option<()> {
    let checks = cycle.main_conf().and_then(Runtime::checks);
    if !cycle.is_worker() || !checks.is_some_and(Checks::is_needed) {
        return Some(());
    }
    cycle.start_ticker(Checker::default()).map(|_| ())
}

type OwnWorker<'w> = Worker<'w, S3Resign>;

#[derive(Default)]
struct Checker {
    /// The checks in flight, by upstream and key.
    in_flight: RefCell<HashSet<(usize, u64)>>,
}

impl Ticker for Checker {
    type Module = S3Resign;

    /// Begins the checks that are due.
    fn tick(self: &Rc<Checker>, worker: OwnWorker<'_>) -> u64 {
        let now = Now::read();
        let checks = checks_of(worker);
        let Some((checks, zone)) = checks.and_then(|checks| Some((checks, checks.zone.as_ref()?)))
        else {
            return TICK;
        };
        let mut next = now.ticks + TICK;
        for checked in checks.iter(worker.cycle()) {
            if zone.locked(|| checked.record.lead(checked.me(), now.ticks, LEASE)) {
                next = next.min(self.look(worker, &checked, now));
            } else if checked.is_led_by_others() {
                apply(worker, &checked);
            }
        }
        next.saturating_sub(now.ticks)
    }

    /// Retires from the checks: another worker may check at once.
    fn retire(&self, worker: OwnWorker<'_>) {
        let checks = checks_of(worker).into_iter();
        for checked in checks.flat_map(|checks| checks.iter(worker.cycle())) {
            checked.record.retire(checked.me());
        }
    }
}

fn checks_of(worker: OwnWorker<'_>) -> Option<&Checks> {
    worker.cycle().main_conf()?.checks()
}

impl Checker {
    /// Looks after one upstream; when to look again.
    fn look(
        self: &Rc<Checker>,
        worker: OwnWorker<'_>,
        checked: &CheckedUpstream<'_>,
        now: Now,
    ) -> u64 {
        let (record, origins) = (checked.record, checked.conf.checked_origins());
        let mut peers = Vec::with_capacity(MAX_PEERS);
        checked.upstream.copy_peers(&mut peers, |server| {
            origins.iter().position(|origin| *origin.server == *server)
        });
        let interval = checked.check.interval;
        let mut next = u64::MAX;
        let mut seen = HashSet::with_capacity(peers.len());
        let all_down = !checked.has_origin_up();
        let mut is_applied = true;
        for peer in &peers {
            let Some(origin) = origins.get(peer.origin()) else {
                continue;
            };
            let Some(slot) = record.slot_or_new(&origin.server, peer.address(), peer.name()) else {
                continue;
            };
            let key = slot.key();
            seen.insert(key);
            if peer.is_switched_off() {
                continue;
            }
            let is_out = slot.health().state == HealthState::Down && !all_down;
            is_applied &= peer.is_marked() == is_out;
            if self.in_flight.borrow().contains(&(checked.index, key)) {
                continue;
            }
            // What it says may be of another interval.
            let latest = next_check(now.ticks, interval, now.ticks);
            let due = match slot.next_check().map(|due| due.min(latest)) {
                None => first_check(now.ticks, interval, random()),
                Some(due) if due > now.ticks => due,
                Some(_) => {
                    self.check(worker, checked, origin, peer, now);
                    latest
                }
            };
            slot.set_next_check(due);
            next = next.min(due);
        }
        // Addresses may have come and gone, of a name that nginx resolves again.
        if !is_applied {
            apply(worker, checked);
        }
        record.retain(|key| seen.contains(&key));
        next
    }

    fn check(
        self: &Rc<Checker>,
        worker: OwnWorker<'_>,
        checked: &CheckedUpstream<'_>,
        origin: &NamedOrigin,
        peer: &PeerCopy,
        began: Now,
    ) {
        let Some(main) = worker.cycle().main_conf() else {
            return;
        };
        let check = checked.check;
        let (index, key) = (checked.index, address_key(&origin.server, peer.address()));
        let present = main.providers.present(origin);
        if present.is_none() && origin.provided.is_some() {
            let outcome = CallOutcome::Failed("it has no keys yet (credentials=)".into());
            return heard(worker, index, key, began, outcome);
        }
        let now = Timestamp(began.seconds as i64);
        let signed = sigv4::sign_own(
            &check.head,
            check.names,
            present.as_deref().unwrap_or(&origin.origin),
            &mut main.keys.borrow_mut(),
            now,
        );
        let head = match signed {
            Ok(head) => head,
            Err(unsignable) => {
                log_error!(worker.log(), "not checked: {unsignable}");
                return;
            }
        };
        self.in_flight.borrow_mut().insert((index, key));
        let tls = checked.conf.tls();
        let call = Call {
            address: peer.address(),
            name: peer.name(),
            tls: tls.as_ref(),
            host_name: origin.host_name(),
            head,
            answer: CheckAnswer(Answer::new(expected(checked, origin), check.is_head)),
            timeout: check.timeout,
        };
        let checker = Rc::clone(self);
        worker.ask(call, move |worker, outcome| {
            checker.in_flight.borrow_mut().remove(&(index, key));
            heard(worker, index, key, began, outcome);
        });
    }
}

/// Returns what an origin has to answer. With keys of one account, a bad answer may be that account's own affair, and
/// must not take the origin from the others.
fn expected(checked: &CheckedUpstream<'_>, origin: &NamedOrigin) -> Expected {
    let expected = checked.check.expected.clone();
    match origin.origin.account {
        None => expected,
        Some(_) => expected.or_any_below_500(),
    }
}

struct CheckAnswer(Answer);

impl AnswerReader for CheckAnswer {
    fn read(&mut self, bytes: &[u8]) -> Option<CallOutcome> {
        match self.0.read(bytes) {
            Verdict::Undecided => None,
            Verdict::Passed => Some(CallOutcome::Passed),
            Verdict::Failed(why) => Some(CallOutcome::Failed(why)),
        }
    }

    fn give_up(&self, why: &str) -> String {
        self.0.give_up(why)
    }
}

/// Takes note of a check that has ended.
fn heard(worker: OwnWorker<'_>, index: usize, key: u64, began: Now, outcome: CallOutcome) {
    let (passed, reason) = match outcome {
        CallOutcome::Passed => (true, String::new()),
        CallOutcome::Failed(reason) => (false, reason),
        CallOutcome::Abandoned => return,
    };
    let checks = checks_of(worker);
    let checked = checks.and_then(|checks| checks.get(&worker.cycle(), index));
    let Some(checked) = checked.filter(|checked| checked.record.is_led_by(checked.me())) else {
        return;
    };
    let Some(slot) = checked.record.slot(key) else {
        return;
    };
    let now = Now::read();
    let took = now.ticks.saturating_sub(began.ticks);
    slot.note_check(passed, &reason, took, now.seconds);
    let next = next_check(began.ticks, checked.check.interval, now.ticks);
    slot.set_next_check(next);

    let before = slot.health();
    let after = before.after(passed, &checked.check.rules);
    slot.set_health(after);
    if after.state != before.state {
        slot.note_change(after.state, &reason, now.seconds);
        changed(worker, &checked, slot, &reason);
    }
}

/// Tells all workers, and the log, that the state of an address has changed.
fn changed(worker: OwnWorker<'_>, checked: &CheckedUpstream<'_>, slot: &AddressSlot, reason: &str) {
    let log = worker.log();
    let upstream = checked.upstream.name().escape_ascii();
    let (server, address) = (slot.server(), slot.name());
    if slot.health().state == HealthState::Down {
        log_warn!(
            log,
            "origin \"{server}\" ({address}) of upstream \"{upstream}\" is down: {reason}"
        );
    } else {
        let key = slot.key();
        checked
            .upstream
            .forgive(|server, address| address_key(server, address) == key);
        log_notice!(
            log,
            "origin \"{server}\" ({address}) of upstream \"{upstream}\" is up"
        );
    }
    apply(worker, checked);
}

fn apply(worker: OwnWorker<'_>, checked: &CheckedUpstream<'_>) {
    if checked.apply() {
        log_warn!(
            worker.log(),
            "all origins of upstream \"{}\" are down: all of them are tried",
            checked.upstream.name().escape_ascii()
        );
    }
}
