//! Active health checks: which origins are asked when, what follows from the answers, and what there is
//! to tell about them.
//!
//! What is known of each address lies in shared memory, so that it outlives workers and binaries. One
//! worker checks an upstream, as long as it renews its lease; it marks peers as down in the upstream's
//! own shared memory, where all workers look when they pick one.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::process;
use std::rc::Rc;

use directives::HealthCheckLine;
use health::{
    AddressSlot, Answer, HealthState, Leader, MAX_PEERS, UpstreamHealth, UpstreamRecord,
    address_key, first_check, next_check,
};
use shm::Zone;
use sigv4::Timestamp;

use crate::conf::{MainConf, NamedOrigin, UpstreamConf};
use crate::log::{log_error, log_notice, log_warn};
use crate::ngx_safe::conf::Conf;
use crate::ngx_safe::probe::{Call, Outcome};
use crate::ngx_safe::upstream::{Peer, Upstream};
use crate::ngx_safe::worker::{Now, Worker, random};

/// Milliseconds between two looks at what there is to do, at the most.
const TICK: u64 = 500;
/// Milliseconds without a look after which another worker goes on.
const LEASE: u64 = 4 * TICK;

/// The upstreams of a configuration that are checked.
#[derive(Default)]
pub(crate) struct Checks {
    zone: Option<Zone<UpstreamRecord>>,
    upstreams: Vec<Checked>,
}

/// One of them; its record has the same index in the zone.
struct Checked {
    upstream: Upstream,
    conf: &'static UpstreamConf,
    check: &'static HealthCheckLine,
    /// Of this configuration, once nginx is about to use it.
    generation: Cell<u32>,
}

impl Checks {
    /// At configuration time, when all upstreams have been read.
    pub(crate) fn declare(cf: Conf, upstreams: &[Upstream]) -> Result<Checks, String> {
        let upstreams: Vec<_> = upstreams
            .iter()
            .filter_map(|upstream| {
                let conf = upstream.conf()?;
                Some(Checked {
                    upstream: *upstream,
                    conf,
                    check: conf.health.as_ref()?,
                    generation: Cell::new(0),
                })
            })
            .collect();
        if upstreams.is_empty() {
            return Ok(Checks::default());
        }
        let keys = upstreams.iter().map(|checked| checked.upstream.name());
        let zone = Zone::open("health", keys, UpstreamRecord::meaning(), cf.heir())
            .map_err(|why| why.to_string())?;
        cf.note_start(&zone);
        Ok(Checks {
            zone: Some(zone),
            upstreams,
        })
    }

    pub(crate) fn is_needed(&self) -> bool {
        !self.upstreams.is_empty()
    }

    /// In nginx's master, before the workers of this configuration start: their peers are new, and
    /// nobody else knows yet which of them are down.
    pub(crate) fn prepare(&self) {
        let Some(zone) = &self.zone else { return };
        // What was known when the upstream was checked some time ago may be true no more.
        zone.adopt(UpstreamRecord::forget);
        let now = Now::read();
        for (checked, record) in self.iter() {
            let generation = zone.locked(|| record.begin_generation(now.ticks));
            checked.generation.set(generation);
            checked.apply(record);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&Checked, &UpstreamRecord)> {
        let records = self.zone.iter().flat_map(|zone| zone.iter());
        self.upstreams.iter().zip(records)
    }

    fn get(&self, index: usize) -> Option<(&Checked, &UpstreamRecord)> {
        let record = self.zone.as_ref()?.record(index)?;
        Some((self.upstreams.get(index)?, record))
    }

    /// Whether that upstream, or else each that is checked, has an origin that is not down.
    pub(crate) fn is_up(&self, upstream: Option<Upstream>) -> bool {
        self.iter()
            .filter(|(checked, _)| upstream.is_none_or(|upstream| upstream == checked.upstream))
            .all(|(checked, record)| checked.has_origin_up(record))
    }

    /// All that is known, for whoever wants to show it.
    pub(crate) fn snapshot(&self) -> Vec<UpstreamHealth> {
        self.iter()
            .map(|(checked, record)| UpstreamHealth {
                name: checked.upstream.name().escape_ascii().to_string(),
                is_up: checked.has_origin_up(record),
                addresses: record.addresses(),
            })
            .collect()
    }
}

impl Checked {
    fn has_origin_up(&self, record: &UpstreamRecord) -> bool {
        self.upstream
            .any_peer_in_use(|server, address| !record.is_down(server, address))
    }

    /// Takes the origins that are down out of use, and the others back; where all are down, all are
    /// used, since an answer may come and a refusal is certain. Tells whether that has come to pass
    /// just now.
    fn apply(&self, record: &UpstreamRecord) -> bool {
        let all_down = !self.has_origin_up(record);
        self.upstream
            .mark(|server, address| !all_down && record.is_down(server, address));
        record.begins_all_down(all_down)
    }

    /// This worker, with this configuration.
    fn me(&self) -> Leader {
        Leader {
            generation: self.generation.get(),
            process: process::id(),
        }
    }

    /// Whether workers of this configuration cannot rely on the one that checks: it knows the peers of
    /// its own configuration only.
    fn is_led_by_others(&self, record: &UpstreamRecord) -> bool {
        !record.is_led_by_generation(self.generation.get())
    }
}

/// What a worker does for the checks.
pub(crate) struct Checker {
    main: &'static MainConf,
    worker: Worker,
    /// The checks under way, by upstream and key.
    under_way: RefCell<HashSet<(usize, u64)>>,
}

impl Checker {
    pub(crate) fn new(main: &'static MainConf, worker: Worker) -> Checker {
        Checker {
            main,
            worker,
            under_way: RefCell::default(),
        }
    }

    pub(crate) fn worker(&self) -> Worker {
        self.worker
    }

    /// Begins the checks that are due; in how many milliseconds to come again.
    pub(crate) fn tick(self: &Rc<Checker>) -> u64 {
        let now = Now::read();
        let Some(zone) = &self.main.checks.zone else {
            return TICK;
        };
        let mut next = now.ticks + TICK;
        for (index, (checked, record)) in self.main.checks.iter().enumerate() {
            if zone.locked(|| record.lead(checked.me(), now.ticks, LEASE)) {
                next = next.min(self.look(index, checked, record, now));
            } else if checked.is_led_by_others(record) {
                self.apply(checked, record);
            }
        }
        next.saturating_sub(now.ticks)
    }

    /// This worker checks no longer: another may at once.
    pub(crate) fn retire(&self) {
        for (checked, record) in self.main.checks.iter() {
            record.retire(checked.me());
        }
    }

    /// Looks after one upstream; when to look again.
    fn look(
        self: &Rc<Checker>,
        index: usize,
        checked: &Checked,
        record: &UpstreamRecord,
        now: Now,
    ) -> u64 {
        let mut peers = Vec::with_capacity(MAX_PEERS);
        checked.upstream.copy_peers(&mut peers, |server| {
            checked
                .conf
                .origins()
                .iter()
                .position(|o| *o.server == *server)
        });
        let interval = checked.check.interval;
        let mut next = u64::MAX;
        let mut seen = HashSet::with_capacity(peers.len());
        let all_down = !checked.has_origin_up(record);
        let mut is_applied = true;
        for peer in &peers {
            let Some(origin) = checked.conf.origins().get(peer.origin()) else {
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
            if self.under_way.borrow().contains(&(index, key)) {
                continue;
            }
            // What it says may be of another interval.
            let latest = next_check(now.ticks, interval, now.ticks);
            let due = match slot.next_check().map(|due| due.min(latest)) {
                None => first_check(now.ticks, interval, random()),
                Some(due) if due > now.ticks => due,
                Some(_) => {
                    self.check(index, checked, origin, peer, now);
                    latest
                }
            };
            slot.set_next_check(due);
            next = next.min(due);
        }
        // Addresses may have come and gone, of a name that nginx resolves anew.
        if !is_applied {
            self.apply(checked, record);
        }
        record.retain(|key| seen.contains(&key));
        next
    }

    fn check(
        self: &Rc<Checker>,
        index: usize,
        checked: &Checked,
        origin: &NamedOrigin,
        peer: &Peer,
        began: Now,
    ) {
        let check = checked.check;
        let now = Timestamp(began.seconds as i64);
        let signed = {
            let mut keys = self.main.keys.borrow_mut();
            sigv4::sign_own(&check.head, &origin.origin, &mut keys, now)
        };
        let head = match signed {
            Ok(head) => head,
            Err(unsignable) => {
                log_error!(self.worker.log(), "not checked: {unsignable}");
                return;
            }
        };
        let key = address_key(&origin.server, peer.address());
        self.under_way.borrow_mut().insert((index, key));
        let call = Call {
            address: peer.address(),
            name: peer.name(),
            tls: checked.conf.tls(),
            host_name: origin.host_name(),
            head,
            answer: Answer::new(check.expected.clone(), check.is_head),
            timeout: check.timeout,
        };
        let checker = Rc::clone(self);
        self.worker.ask(call, move |outcome| {
            checker.under_way.borrow_mut().remove(&(index, key));
            checker.heard(index, key, began, outcome);
        });
    }

    /// A check has ended.
    fn heard(&self, index: usize, key: u64, began: Now, outcome: Outcome) {
        let (passed, reason) = match outcome {
            Outcome::Passed => (true, String::new()),
            Outcome::Failed(reason) => (false, reason),
            Outcome::Abandoned => return,
        };
        let Some((checked, record)) = self.main.checks.get(index) else {
            return;
        };
        let Some(slot) = record.slot(key).filter(|_| record.is_led_by(checked.me())) else {
            return;
        };
        let now = Now::read();
        slot.note_check(
            passed,
            &reason,
            now.ticks.saturating_sub(began.ticks),
            now.seconds,
        );
        let next = next_check(began.ticks, checked.check.interval, now.ticks);
        slot.set_next_check(next);

        let before = slot.health();
        let after = before.after(passed, &checked.check.rules);
        slot.set_health(after);
        if after.state != before.state {
            slot.note_change(after.state, &reason, now.seconds);
            self.changed(checked, record, slot, &reason);
        }
    }

    /// The state of an address has changed: all workers are told, and the log.
    fn changed(
        &self,
        checked: &Checked,
        record: &UpstreamRecord,
        slot: &AddressSlot,
        reason: &str,
    ) {
        let log = self.worker.log();
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
        self.apply(checked, record);
    }

    fn apply(&self, checked: &Checked, record: &UpstreamRecord) {
        if checked.apply(record) {
            log_warn!(
                self.worker.log(),
                "all origins of upstream \"{}\" are down: all of them are tried",
                checked.upstream.name().escape_ascii()
            );
        }
    }
}
