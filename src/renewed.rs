//! What is renewed in shared memory, and how.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

use ngx_safe::complete::Complete;
use ngx_safe::worker::{Now, Waker};
use providers::{Answer, Renewable, Service, Step, schedule};
use shm::{Shared, Zone};

use crate::S3Resign;
use crate::log::note_new_start;
use crate::services::Contact;

/// The records in shared memory, and who renews them in this process.
pub(crate) struct Records<T: Shared> {
    zone: OnceCell<Zone<T>>,
    waker: OnceCell<Waker>,
}

impl<T: Shared> Default for Records<T> {
    fn default() -> Records<T> {
        Records {
            zone: OnceCell::new(),
            waker: OnceCell::new(),
        }
    }
}

impl<T: Shared + Renewable> Records<T> {
    /// Opens the memory of that name, with a record for each key.
    pub(crate) fn open<K: AsRef<[u8]>>(
        &self,
        cf: &Complete<'_, S3Resign>,
        name: &'static str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<(), String> {
        let zone = Zone::open(name, keys, (), cf.conf().heir()).map_err(|why| why.to_string())?;
        if zone.begins_again() {
            note_new_start(cf.conf().log(), &zone.name());
        }
        let set = self.zone.set(zone);
        set.map_err(|_| "the configuration is whole already".into())
    }

    /// Prepares the records in nginx's master, before the workers of this configuration start: `initial` is what files
    /// said when it was loaded, each with its version, and `publish` writes it.
    pub(crate) fn prepare<F>(
        &self,
        initial: impl Iterator<Item = Option<(F, u64)>>,
        publish: impl Fn(&T, &F, Now) -> bool,
    ) {
        let Some(zone) = self.zone() else { return };
        // What was known some time ago is of no use any more.
        zone.adopt(T::clear);
        let now = Now::read();
        for (initial, record) in initial.zip(zone.iter()) {
            let Some((found, version)) = initial else {
                continue;
            };
            zone.locked(|| {
                publish(record, &found, now);
                let renewal = record.renewal();
                renewal.set_file_version(version);
                renewal.note_success(now.ticks, now.ticks + schedule::LOOK);
            });
        }
    }

    /// Returns the memory; None where nothing is renewed.
    pub(crate) fn zone(&self) -> Option<&Zone<T>> {
        self.zone.get()
    }

    pub(crate) fn record(&self, index: usize) -> Option<&T> {
        self.zone()?.record(index)
    }

    /// Has this process renew them; `waker` wakes who does.
    pub(crate) fn set_waker(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    /// Has looked at once what is due.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }
}

/// What is renewed: each has a record in one zone.
pub(crate) trait Renewed: 'static {
    /// What the log calls it.
    const WHAT: &'static str;

    type Record: Shared + Renewable;
    /// The state of a fetch.
    type Fetch: 'static;
    /// What a fetch brings.
    type Found: 'static;

    fn records(&self) -> &Records<Self::Record>;

    /// Tells where one comes from, as the log has it.
    fn name(&self, index: usize) -> String;

    /// Returns the file that is read for it, if it comes from one alone: it is read when it changes.
    fn file(&self, index: usize) -> Option<PathBuf>;

    fn contact(&self, index: usize, service: Service) -> Option<Rc<Contact>>;

    fn begin(&self, index: usize) -> Option<(Self::Fetch, Step<Self::Found>)>;

    /// Goes on after the file that was to be read.
    fn has_read(fetch: &mut Self::Fetch, file: &[u8]) -> Step<Self::Found>;

    /// Goes on after an answer.
    fn heard(fetch: &mut Self::Fetch, answer: &Answer) -> Step<Self::Found>;

    /// Writes into the record what a fetch has brought, under the zone's lock; tells whether it is new.
    fn publish(record: &Self::Record, found: &Self::Found, now: Now) -> bool;

    /// Tells in how many milliseconds to fetch again.
    fn delay(found: &Self::Found, now: Now) -> u64;
}
