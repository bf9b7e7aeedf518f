//! What a worker does to have keys renewed in time.

use std::cell::RefCell;
use std::collections::HashSet;
use std::process;
use std::rc::Rc;

use ngx_safe::connection::{AnswerReader, Call, CallOutcome};
use ngx_safe::cycle::Cycle;
use ngx_safe::worker::{Now, Ticker, Worker, random};
use providers::{
    Answer, AnswerBuffer, Ask, Fetch, Lease, MAX_FILE, ProvidedKeys, ProviderRecord, Reading,
    Service, Source, Step, schedule,
};
use shm::Zone;
use sigv4::Timestamp;

use crate::S3Resign;
use crate::log::{log_error, log_info, log_notice, log_warn};
use crate::origin_keys::{Contacts, Declared, Providers, version_of};

/// Milliseconds between two looks at what there is to do, at the most.
const TICK: u64 = 500;
/// Milliseconds for an answer.
const TIMEOUT: u64 = 5_000;
/// Milliseconds after which another worker may fetch: more than an answer takes.
const LEASE: u64 = TIMEOUT + 2_000;

/// Starts the refresher in a process that starts; None where memory is out.
pub(crate) fn start(cycle: Cycle<'_, S3Resign>) -> Option<()> {
    let Some(main) = cycle
        .main_conf()
        .filter(|main| main.providers.zone.get().is_some())
    else {
        return Some(());
    };
    if !cycle.is_worker() {
        return Some(());
    }
    let waker = cycle.start_ticker(Refresher::default())?;
    let _ = main.providers.waker.set(waker);
    Some(())
}

type OwnWorker<'w> = Worker<'w, S3Resign>;

/// The keys that this worker fetches, by the index of their provider.
#[derive(Default)]
struct Refresher {
    in_flight: RefCell<HashSet<usize>>,
}

impl Ticker for Refresher {
    type Module = S3Resign;

    /// Begins the fetches that are due.
    fn tick(self: &Rc<Refresher>, worker: OwnWorker<'_>) -> u64 {
        let mut next = TICK;
        let Some(providers) = providers_of(worker) else {
            return next;
        };
        let count = providers.declared.borrow().len();
        for index in 0..count {
            if self.in_flight.borrow().contains(&index) {
                continue;
            }
            let Some(target) = Target::of(worker, index) else {
                continue;
            };
            let now = Now::read();
            let due = target.record.due(now.ticks);
            if due > now.ticks {
                next = next.min(due - now.ticks);
                continue;
            }
            let lead = || target.record.lead(process::id(), now.ticks, LEASE);
            if let Some(lease) = target.zone.locked(lead) {
                self.fetch(worker, &target, lease);
                let due = target.record.due(now.ticks);
                next = next.min(due.saturating_sub(now.ticks).max(1));
            }
        }
        next
    }

    /// Retires: what is asked is abandoned, and another worker may ask.
    fn retire(&self, _: OwnWorker<'_>) {}
}

fn providers_of(worker: OwnWorker<'_>) -> Option<&Providers> {
    Some(&worker.cycle().main_conf()?.providers)
}

/// A provider, with all that belongs to it.
struct Target<'w> {
    index: usize,
    declared: Rc<Declared>,
    zone: &'w Zone<ProviderRecord>,
    record: &'w ProviderRecord,
}

impl<'w> Target<'w> {
    fn of(worker: OwnWorker<'w>, index: usize) -> Option<Target<'w>> {
        let providers = providers_of(worker)?;
        let zone = providers.zone.get()?;
        let declared = Rc::clone(providers.declared.borrow().get(index)?);
        Some(Target {
            index,
            declared,
            zone,
            record: zone.record(index)?,
        })
    }
}

/// A fetch under way.
struct Going {
    fetch: Fetch,
    lease: Lease,
    /// What a file was like that has been read for it.
    file_version: Option<u64>,
}

impl Refresher {
    fn fetch(self: &Rc<Refresher>, worker: OwnWorker<'_>, target: &Target<'_>, lease: Lease) {
        let now = Now::read();
        let provider = &target.declared.provider;
        let mut file_version = None;
        if let (Source::File { path, .. }, None) = (&provider.source, &provider.role) {
            let version = version_of(path);
            // A file that is there, and the same as before.
            if version != 0 && version == target.record.file_version() {
                return target.record.end(now.ticks, now.ticks + schedule::LOOK);
            }
            file_version = Some(version);
        }
        let (fetch, step) = Fetch::begin(Rc::clone(provider), timestamp(now));
        let going = Going {
            fetch,
            lease,
            file_version,
        };
        self.go_on(worker, target, going, step);
    }

    /// Does what a step says, until an answer is awaited, or the fetch has ended.
    fn go_on(
        self: &Rc<Refresher>,
        worker: OwnWorker<'_>,
        target: &Target<'_>,
        mut going: Going,
        mut step: Step,
    ) {
        loop {
            step = match step {
                Step::Read(path) => match secrets::whole_file(&path, MAX_FILE) {
                    Ok(file) => going.fetch.has_read(&file, timestamp(Now::read())),
                    Err(why) => Step::Failed(format!("cannot read \"{}\": {why}", path.display())),
                },
                Step::Ask(ask) => return self.ask(worker, target, going, ask),
                Step::Done(keys) => return done(worker, target, &going, &keys),
                Step::Failed(why) => return failed(worker, target, going.lease, &why),
            }
        }
    }

    fn ask(
        self: &Rc<Refresher>,
        worker: OwnWorker<'_>,
        target: &Target<'_>,
        mut going: Going,
        ask: Ask,
    ) {
        let declared = &target.declared;
        let endpoint = declared.provider.endpoint(ask.service);
        let contacts = declared.contacts.get();
        let address = contacts.and_then(|contacts| contacts.address(ask.service, target.record));
        let (Some(endpoint), Some(contacts), Some(address)) = (endpoint, contacts, address) else {
            return failed(worker, target, going.lease, "it has no address");
        };
        if !target.record.renew(going.lease, Now::read().ticks, LEASE) {
            return;
        }
        let answer = Rc::new(RefCell::new(None));
        let call = Call {
            address: &address.bytes,
            name: &address.name,
            tls: contacts.tls.as_ref().filter(|_| endpoint.tls),
            host_name: endpoint.host.as_bytes(),
            head: ask.request.to_vec(),
            answer: WholeAnswer {
                buffer: AnswerBuffer::default(),
                answer: Rc::clone(&answer),
            },
            timeout: TIMEOUT,
        };
        let (refresher, index) = (Rc::clone(self), target.index);
        self.in_flight.borrow_mut().insert(index);
        worker.ask(call, move |worker, outcome| {
            refresher.in_flight.borrow_mut().remove(&index);
            let Some(target) = Target::of(worker, index) else {
                return;
            };
            let answer: Option<Answer> = answer.borrow_mut().take();
            match (outcome, answer) {
                (CallOutcome::Passed, Some(answer)) => {
                    let step = going.fetch.heard(&answer, timestamp(Now::read()));
                    refresher.go_on(worker, &target, going, step);
                }
                (CallOutcome::Failed(why), _) => failed(worker, &target, going.lease, &why),
                (CallOutcome::Abandoned | CallOutcome::Passed, _) => {
                    // This worker ends, or is out of connections: another one may be better off.
                    if target.record.holds(going.lease) {
                        let ticks = Now::read().ticks;
                        target.record.end(ticks, ticks + TICK);
                    }
                }
            }
        });
    }
}

impl Contacts {
    /// Returns the address to ask: after a failure the next one.
    fn address(
        &self,
        service: Service,
        record: &ProviderRecord,
    ) -> Option<&ngx_safe::service::ServiceAddress> {
        let addresses = match service {
            Service::Source => &self.source,
            Service::Role => &self.role,
        };
        let turn = record.failed_in_row() as usize;
        addresses.get(turn.checked_rem(addresses.len())?)
    }
}

fn timestamp(now: Now) -> Timestamp {
    Timestamp(i64::try_from(now.seconds).unwrap_or(i64::MAX))
}

/// Takes the keys that a fetch has brought.
fn done(worker: OwnWorker<'_>, target: &Target<'_>, going: &Going, keys: &ProvidedKeys) {
    let now = Now::read();
    let record = target.record;
    let delay = match going.file_version {
        Some(_) => schedule::LOOK,
        None => schedule::after_success(keys, now.seconds, random()),
    };
    let had_keys = record.generation() != 0;
    let is_new = target.zone.locked(|| {
        record.holds(going.lease).then(|| {
            let is_new = record.publish(keys, now.seconds, now.ticks);
            if let Some(version) = going.file_version {
                record.set_file_version(version);
            }
            record.note_success(now.ticks, now.ticks.saturating_add(delay));
            is_new
        })
    });
    let name = &target.declared.provider;
    match is_new {
        Some(true) if had_keys => log_info!(worker.log(), "keys from \"{name}\": renewed"),
        Some(true) => log_notice!(worker.log(), "keys from \"{name}\": the first are there"),
        Some(false) | None => {}
    }
}

/// Takes note that a fetch has failed.
fn failed(worker: OwnWorker<'_>, target: &Target<'_>, lease: Lease, why: &str) {
    let now = Now::read();
    let record = target.record;
    target.zone.locked(|| {
        if record.holds(lease) {
            let failures = record.note_failure(why);
            let delay = schedule::after_failure(failures, random());
            record.end(now.ticks, now.ticks + delay);
        }
    });
    let name = &target.declared.provider;
    match record.is_usable(now.seconds) {
        true => log_warn!(
            worker.log(),
            "keys from \"{name}\" were not renewed: {why}: the old ones are used on"
        ),
        false => log_error!(worker.log(), "no keys from \"{name}\": {why}"),
    }
}

/// Reads an answer as a whole.
struct WholeAnswer {
    buffer: AnswerBuffer,
    answer: Rc<RefCell<Option<Answer>>>,
}

impl WholeAnswer {
    fn take(&self, reading: Reading) -> Option<CallOutcome> {
        match reading {
            Reading::More => None,
            Reading::Whole(answer) => {
                self.answer.replace(Some(answer));
                Some(CallOutcome::Passed)
            }
            Reading::Bad(why) => Some(CallOutcome::Failed(why.into())),
        }
    }
}

impl AnswerReader for WholeAnswer {
    fn read(&mut self, bytes: &[u8]) -> Option<CallOutcome> {
        let reading = self.buffer.read(bytes);
        self.take(reading)
    }

    fn give_up(&self, why: &str) -> String {
        why.into()
    }

    fn close(&mut self) -> CallOutcome {
        let reading = self.buffer.close();
        let outcome = self.take(reading);
        outcome.unwrap_or_else(|| CallOutcome::Failed("its answer ends too early".into()))
    }
}
