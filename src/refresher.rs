//! What a worker does to have renewed in time what lies in shared memory: keys of origins, and key sets of issuers of
//! tokens. Any worker fetches them when it is time, one at a time.

use std::cell::RefCell;
use std::collections::HashSet;
use std::process;
use std::rc::Rc;

use ngx_safe::connection::{AnswerReader, Call, CallOutcome};
use ngx_safe::cycle::Cycle;
use ngx_safe::worker::{Now, Ticker, Worker, random};
use providers::{Answer, AnswerBuffer, Ask, Lease, MAX_FILE, Reading, Renewable, Step, schedule};
use shm::Zone;

use crate::S3Resign;
use crate::log::{log_error, log_info, log_notice, log_warn};
use crate::renewed::Renewed;
use crate::runtime::Runtime;
use crate::services::version_of;

/// Milliseconds between two looks at what there is to do, at the most.
const TICK: u64 = 500;
/// Milliseconds for an answer.
const TIMEOUT: u64 = 5_000;
/// Milliseconds after which another worker may fetch: more than an answer takes.
const LEASE: u64 = TIMEOUT + 2_000;

/// Starts the refresher in a process that starts; None where memory is out.
pub(crate) fn start<R: Renewed>(
    cycle: Cycle<'_, S3Resign>,
    find: fn(&Runtime) -> &R,
) -> Option<()> {
    let Some(renewed) = cycle
        .main_conf()
        .map(find)
        .filter(|renewed| renewed.records().zone().is_some())
    else {
        return Some(());
    };
    if !cycle.is_worker() {
        return Some(());
    }
    let refresher = Refresher {
        in_flight: RefCell::default(),
        find,
    };
    let waker = cycle.start_ticker(refresher)?;
    renewed.records().set_waker(waker);
    Some(())
}

type OwnWorker<'w> = Worker<'w, S3Resign>;

/// The fetches of this worker.
struct Refresher<R> {
    /// By their indexes.
    in_flight: RefCell<HashSet<usize>>,
    find: fn(&Runtime) -> &R,
}

impl<R: Renewed> Ticker for Refresher<R> {
    type Module = S3Resign;

    /// Begins the fetches that are due.
    fn tick(self: &Rc<Refresher<R>>, worker: OwnWorker<'_>) -> u64 {
        let mut next = TICK;
        for index in 0.. {
            let Some(target) = self.target(worker, index) else {
                break;
            };
            if self.in_flight.borrow().contains(&index) {
                continue;
            }
            let now = Now::read();
            let due = target.record.due(now.ticks);
            if due > now.ticks {
                next = next.min(due - now.ticks);
                continue;
            }
            let renewal = target.record.renewal();
            let lead = || renewal.lead(process::id(), now.ticks, LEASE);
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

/// A record, with all that belongs to it.
struct Target<'w, R: Renewed> {
    index: usize,
    all: &'w R,
    zone: &'w Zone<R::Record>,
    record: &'w R::Record,
}

/// A fetch under way.
struct Going<R: Renewed> {
    fetch: R::Fetch,
    lease: Lease,
    /// What a file was like that has been read for it.
    file_version: Option<u64>,
}

impl<R: Renewed> Refresher<R> {
    /// Returns a target; None beyond the last one.
    fn target<'w>(&self, worker: OwnWorker<'w>, index: usize) -> Option<Target<'w, R>> {
        let main: &'w Runtime = worker.cycle().main_conf()?;
        let all = (self.find)(main);
        let zone = all.records().zone()?;
        Some(Target {
            index,
            all,
            zone,
            record: zone.record(index)?,
        })
    }

    fn fetch(self: &Rc<Refresher<R>>, worker: OwnWorker<'_>, target: &Target<'_, R>, lease: Lease) {
        let now = Now::read();
        let renewal = target.record.renewal();
        let mut file_version = None;
        if let Some(path) = target.all.file(target.index) {
            let version = version_of(&path);
            // A file that is there, and the same as before.
            if version != 0 && version == renewal.file_version() {
                return renewal.end(now.ticks, now.ticks + schedule::LOOK);
            }
            file_version = Some(version);
        }
        let Some((fetch, step)) = target.all.begin(target.index) else {
            return renewal.end(now.ticks, now.ticks + TICK);
        };
        let going = Going {
            fetch,
            lease,
            file_version,
        };
        self.go_on(worker, target, going, step);
    }

    /// Does what a step says, until an answer is awaited, or the fetch has ended.
    fn go_on(
        self: &Rc<Refresher<R>>,
        worker: OwnWorker<'_>,
        target: &Target<'_, R>,
        mut going: Going<R>,
        mut step: Step<R::Found>,
    ) {
        loop {
            step = match step {
                Step::Read(path) => match secrets::whole_file(&path, MAX_FILE) {
                    Ok(file) => R::has_read(&mut going.fetch, &file),
                    Err(why) => Step::Failed(format!("cannot read \"{}\": {why}", path.display())),
                },
                Step::Ask(ask) => return self.ask(worker, target, going, ask),
                Step::Done(found) => return target.done(worker, &going, &found),
                Step::Failed(why) => return target.failed(worker, going.lease, &why),
            }
        }
    }

    fn ask(
        self: &Rc<Refresher<R>>,
        worker: OwnWorker<'_>,
        target: &Target<'_, R>,
        mut going: Going<R>,
        ask: Ask,
    ) {
        let renewal = target.record.renewal();
        let contact = target.all.contact(target.index, ask.service);
        let address = contact.as_ref().and_then(|contact| {
            let address = contact.address(renewal.failed_in_row(), Now::read().ticks)?;
            Some((contact, address))
        });
        let Some((contact, address)) = address else {
            return target.failed(worker, going.lease, "it has no address");
        };
        if !renewal.renew(going.lease, Now::read().ticks, LEASE) {
            return;
        }
        let answer = Rc::new(RefCell::new(None));
        let call = Call {
            address: &address.bytes,
            name: &address.name,
            tls: contact.tls.as_ref(),
            host_name: contact.endpoint.host.as_bytes(),
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
            let Some(target) = refresher.target(worker, index) else {
                return;
            };
            let answer: Option<Answer> = answer.borrow_mut().take();
            match (outcome, answer) {
                (CallOutcome::Passed, Some(answer)) => {
                    let step = R::heard(&mut going.fetch, &answer);
                    refresher.go_on(worker, &target, going, step);
                }
                (CallOutcome::Failed(why), _) => target.failed(worker, going.lease, &why),
                (CallOutcome::Abandoned | CallOutcome::Passed, _) => {
                    // This worker ends, or is out of connections: another one may be better off.
                    let renewal = target.record.renewal();
                    if renewal.holds(going.lease) {
                        let ticks = Now::read().ticks;
                        renewal.end(ticks, ticks + TICK);
                    }
                }
            }
        });
    }
}

impl<R: Renewed> Target<'_, R> {
    /// Takes what a fetch has brought.
    fn done(&self, worker: OwnWorker<'_>, going: &Going<R>, found: &R::Found) {
        let now = Now::read();
        let delay = match going.file_version {
            Some(_) => schedule::LOOK,
            None => R::delay(found, now),
        };
        let renewal = self.record.renewal();
        let had_some = self.record.is_there();
        let is_new = self.zone.locked(|| {
            renewal.holds(going.lease).then(|| {
                let is_new = R::publish(self.record, found, now);
                if let Some(version) = going.file_version {
                    renewal.set_file_version(version);
                }
                renewal.note_success(now.ticks, now.ticks.saturating_add(delay));
                is_new
            })
        });
        let (what, name) = (R::WHAT, self.all.name(self.index));
        match is_new {
            Some(true) if had_some => log_info!(worker.log(), "{what} from \"{name}\": renewed"),
            Some(true) => log_notice!(worker.log(), "{what} from \"{name}\": the first are there"),
            Some(false) | None => {}
        }
    }

    /// Takes note that a fetch has failed.
    fn failed(&self, worker: OwnWorker<'_>, lease: Lease, why: &str) {
        let now = Now::read();
        let renewal = self.record.renewal();
        self.zone.locked(|| {
            if renewal.holds(lease) {
                let failures = renewal.note_failure(why);
                let delay = schedule::after_failure(failures, random());
                renewal.end(now.ticks, now.ticks + delay);
            }
        });
        let (what, name) = (R::WHAT, self.all.name(self.index));
        match self.record.is_usable(now.seconds) {
            true => log_warn!(
                worker.log(),
                "{what} from \"{name}\" were not renewed: {why}: the old ones are used on"
            ),
            false => log_error!(worker.log(), "no {what} from \"{name}\": {why}"),
        }
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
