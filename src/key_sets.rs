//! The key sets of issuers of tokens, by which roles are had: where they come from, and which ones they are at present.
//!
//! They lie in shared memory and are renewed as origins' keys are; see `origin_keys`.

use std::cell::{Cell, OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use directives::KeySetLine;
use metrics::KeySetRow;
use ngx_safe::complete::Complete;
use ngx_safe::worker::{Now, Waker, random};
use providers::{
    Answer, KeySetRecord, KeySetSource, KeySetText, MAX_KEY_SET, Renewable, Service, Step,
    UnknownKey, schedule,
};
use shm::{Shared, Zone};
use sts::JwkSet;

use crate::S3Resign;
use crate::log::note_new_start;
use crate::renewed::Renewed;
use crate::services::{Contact, version_of};

/// The key sets of a configuration.
#[derive(Default)]
pub(crate) struct KeySets {
    /// Each has the index of its record in the zone.
    declared: RefCell<Vec<Rc<Declared>>>,
    zone: OnceCell<Zone<KeySetRecord>>,
    /// That of this process.
    waker: OnceCell<Waker>,
}

struct Declared {
    line: KeySetLine,
    contact: OnceCell<Rc<Contact>>,
    /// What a file says, as it was when the configuration was loaded, and its version.
    initial: Cell<Option<(Vec<u8>, u64)>>,
    /// The one that this worker has seen last, with its number.
    present: RefCell<Option<(u64, Rc<JwkSet>)>>,
}

impl KeySets {
    /// Adds the key set of a line, unless another line has it too; returns its index. A file is read, so that a mistake in
    /// it is told.
    pub(crate) fn add(&self, line: &KeySetLine) -> Result<usize, String> {
        let mut declared = self.declared.borrow_mut();
        if let Some(index) = declared.iter().position(|known| known.line == *line) {
            return Ok(index);
        }
        let initial = match &line.source {
            KeySetSource::File(path) => Some(read_file(path)?),
            KeySetSource::Url(_) => None,
        };
        declared.push(Rc::new(Declared {
            line: line.clone(),
            contact: OnceCell::new(),
            initial: Cell::new(initial),
            present: RefCell::default(),
        }));
        Ok(declared.len() - 1)
    }

    /// Opens the memory of the key sets, and finds the services, when all lines have been read.
    pub(crate) fn open(&self, cf: &Complete<'_, S3Resign>) -> Result<(), String> {
        const IS_WHOLE: &str = "the configuration is whole already";
        let declared = self.declared.borrow();
        if declared.is_empty() {
            return Ok(());
        }
        for known in declared.iter() {
            let KeySetLine { source, ca } = &known.line;
            if let KeySetSource::Url(endpoint) = source {
                let contact = Contact::find(cf, endpoint, ca.as_deref(), "jwks_ca");
                let contact =
                    contact.map_err(|why| format!("\"s3_role\" with \"jwks={source}\": {why}"))?;
                known.contact.set(Rc::new(contact)).map_err(|_| IS_WHOLE)?;
            }
        }
        // All that it depends on.
        let keys = declared.iter().map(|known| format!("{:?}", known.line));
        let zone =
            Zone::open("key_sets", keys, (), cf.conf().heir()).map_err(|why| why.to_string())?;
        if zone.begins_again() {
            note_new_start(cf.conf().log(), &zone.name());
        }
        self.zone.set(zone).map_err(|_| IS_WHOLE.into())
    }

    /// Prepares the key sets in nginx's master, before the workers of this configuration start.
    pub(crate) fn prepare(&self) {
        let Some(zone) = self.zone.get() else { return };
        // What was known some time ago is of no use any more.
        zone.adopt(KeySetRecord::clear);
        let now = Now::read();
        for (known, record) in self.declared.borrow().iter().zip(zone.iter()) {
            let Some((text, version)) = known.initial.take() else {
                continue;
            };
            zone.locked(|| {
                record.publish(&text, now.seconds);
                let renewal = record.renewal();
                renewal.set_file_version(version);
                renewal.note_success(now.ticks, now.ticks + schedule::LOOK);
            });
        }
    }

    /// Returns the key set of that index; None if there is none yet.
    pub(crate) fn present(&self, index: usize) -> Option<Rc<JwkSet>> {
        let known = Rc::clone(self.declared.borrow().get(index)?);
        let record = self.zone.get()?.record(index)?;
        let mut present = known.present.borrow_mut();
        let generation = record.generation();
        if let Some((of, keys)) = &*present
            && *of == generation
        {
            return Some(Rc::clone(keys));
        }
        if let Some((generation, text)) = record.read() {
            // Read again: who has access to the memory may have written anything.
            let keys = JwkSet::parse(&text).ok()?;
            *present = Some((generation, Rc::new(keys)));
        }
        // While another one is written, the one before it.
        present.as_ref().map(|(_, keys)| Rc::clone(keys))
    }

    /// Hears of a token that no key in the present key set has signed: it is fetched again, unless it just was.
    pub(crate) fn misses(&self, index: usize) -> UnknownKey {
        let Some(record) = self.zone.get().and_then(|zone| zone.record(index)) else {
            return UnknownKey::MayCome;
        };
        let unknown = record.misses(Now::read().ticks);
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
        unknown
    }

    /// Tells what there is to tell about each.
    pub(crate) fn rows(&self) -> Vec<KeySetRow> {
        let declared = self.declared.borrow();
        let row = |(index, known): (usize, &Rc<Declared>)| {
            let record = self.zone.get()?.record(index)?;
            let report = record.renewal().report();
            Some(KeySetRow {
                source: known.line.source.to_string(),
                keys: self.present(index).map_or(0, |keys| keys.keys() as u64),
                fetched: record.fetched(),
                refreshed: report.refreshed,
                failed: report.failed,
                error: report.error,
            })
        };
        declared.iter().enumerate().filter_map(row).collect()
    }
}

/// Fetched from services or files.
impl Renewed for KeySets {
    const WHAT: &'static str = "key set";

    type Record = KeySetRecord;
    type Fetch = ();
    type Found = KeySetText;

    fn zone(&self) -> Option<&Zone<KeySetRecord>> {
        self.zone.get()
    }

    fn waker(&self) -> &OnceCell<Waker> {
        &self.waker
    }

    fn name(&self, index: usize) -> String {
        let declared = self.declared.borrow();
        let named = declared.get(index);
        named.map_or_else(String::new, |known| known.line.source.to_string())
    }

    fn file(&self, index: usize) -> Option<PathBuf> {
        match &self.declared.borrow().get(index)?.line.source {
            KeySetSource::File(path) => Some(path.clone()),
            KeySetSource::Url(_) => None,
        }
    }

    fn contact(&self, index: usize, _: Service) -> Option<Rc<Contact>> {
        self.declared.borrow().get(index)?.contact.get().cloned()
    }

    fn begin(&self, index: usize) -> Option<((), Step<KeySetText>)> {
        let declared = self.declared.borrow();
        Some(((), declared.get(index)?.line.source.begin()))
    }

    fn has_read((): &mut (), file: &[u8]) -> Step<KeySetText> {
        checked(KeySetSource::has_read(file))
    }

    fn heard((): &mut (), answer: &Answer) -> Step<KeySetText> {
        checked(KeySetSource::heard(answer))
    }

    fn publish(record: &KeySetRecord, found: &KeySetText, now: Now) -> bool {
        record.publish(&found.text, now.seconds)
    }

    fn delay(found: &KeySetText, _: Now) -> u64 {
        schedule::after_key_set(found.max_age, random())
    }
}

/// Rejects what is no key set: the old one is used on.
fn checked(step: Step<KeySetText>) -> Step<KeySetText> {
    match step {
        Step::Done(found) => match JwkSet::parse(&found.text) {
            Ok(_) => Step::Done(found),
            Err(fault) => Step::Failed(format!("it is {fault}")),
        },
        step => step,
    }
}

/// Reads a key set in a file, with the version of the file. `Err` says what is wrong with it.
fn read_file(path: &Path) -> Result<(Vec<u8>, u64), String> {
    let told = |why: String| {
        format!("\"jwks=file:\": {why}: write the path of a JSON Web Key Set (RFC 7517)")
    };
    // First, so that what is written meanwhile is read again.
    let version = version_of(path);
    let text = secrets::whole_file(path, MAX_KEY_SET);
    let text = text.map_err(|why| told(format!("cannot read \"{}\": {why}", path.display())))?;
    match JwkSet::parse(&text) {
        Ok(_) => Ok((text.to_vec(), version)),
        Err(fault) => Err(told(format!("\"{}\" is {fault}", path.display()))),
    }
}
