//! The key sets of issuers of tokens, by which roles are had: where they come from, and which ones they are at present.
//!
//! They lie in shared memory and are renewed as origins' keys are; see `origin_keys`.

use std::cell::{Cell, OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use directives::KeySetLine;
use metrics::KeySetRow;
use ngx_safe::complete::Complete;
use ngx_safe::worker::{Now, random};
use providers::{
    Answer, KeySetRecord, KeySetSource, KeySetText, MAX_KEY_SET, Renewable, Service, Step,
    UnknownKey, schedule,
};
use sts::JwkSet;

use crate::S3Resign;
use crate::renewed::{Records, Renewed};
use crate::services::{Contact, version_of};

/// The key sets of a configuration.
#[derive(Default)]
pub(crate) struct KeySets {
    /// Each has the index of its record.
    declared: RefCell<Vec<Rc<Declared>>>,
    records: Records<KeySetRecord>,
}

struct Declared {
    line: KeySetLine,
    contact: OnceCell<Rc<Contact>>,
    /// What a file says, as it was when the configuration was loaded, and its version.
    initial: Cell<Option<(KeySetText, u64)>>,
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
                let set = known.contact.set(Rc::new(contact));
                set.map_err(|_| "the configuration is whole already")?;
            }
        }
        // All that it depends on.
        let keys = declared.iter().map(|known| format!("{:?}", known.line));
        self.records.open(cf, "key_sets", keys)
    }

    /// Prepares the key sets in nginx's master, before the workers of this configuration start.
    pub(crate) fn prepare(&self) {
        let declared = self.declared.borrow();
        let initial = declared.iter().map(|known| known.initial.take());
        self.records.prepare(initial, KeySets::publish);
    }

    /// Returns the key set of that index; None if there is none yet.
    pub(crate) fn present(&self, index: usize) -> Option<Rc<JwkSet>> {
        let known = Rc::clone(self.declared.borrow().get(index)?);
        let record = self.records.record(index)?;
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
        let Some(record) = self.records.record(index) else {
            return UnknownKey::MayCome;
        };
        let unknown = record.misses(Now::read().ticks);
        self.records.wake();
        unknown
    }

    /// Tells what there is to tell about each.
    pub(crate) fn rows(&self) -> Vec<KeySetRow> {
        let declared = self.declared.borrow();
        let row = |(index, known): (usize, &Rc<Declared>)| {
            let record = self.records.record(index)?;
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

    fn records(&self) -> &Records<KeySetRecord> {
        &self.records
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
fn read_file(path: &Path) -> Result<(KeySetText, u64), String> {
    let told = |why: String| {
        format!("\"jwks=file:\": {why}: write the path of a JSON Web Key Set (RFC 7517)")
    };
    // First, so that what is written meanwhile is read again.
    let version = version_of(path);
    let text = secrets::whole_file(path, MAX_KEY_SET);
    let text = text.map_err(|why| told(format!("cannot read \"{}\": {why}", path.display())))?;
    match JwkSet::parse(&text) {
        Ok(_) => Ok((KeySetText::of_file(&text), version)),
        Err(fault) => Err(told(format!("\"{}\" is {fault}", path.display()))),
    }
}
