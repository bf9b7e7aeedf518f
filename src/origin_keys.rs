//! Keys of origins that renew themselves: where they come from, and which ones they are at present.
//!
//! They lie in shared memory, so that they outlive workers and binaries. Any worker fetches them when it is time, one
//! at a time (`refresher`); all others see by a number that there are new ones.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use directives::ProviderLine;
use metrics::{OriginKeysRow, OriginName};
use ngx_safe::complete::Complete;
use ngx_safe::now;
use ngx_safe::worker::{Now, random};
use providers::{
    Answer, Fetch, MAX_FILE, ProvidedKeys, Provider, ProviderRecord, Renewable, Service, Source,
    Step, read_profile, schedule,
};
use sigv4::Timestamp;

use crate::S3Resign;
use crate::conf::NamedOrigin;
use crate::renewed::{Records, Renewed};
use crate::services::{Contact, version_of};

/// The providers of a configuration.
#[derive(Default)]
pub(crate) struct Providers {
    /// Each has the index of its record.
    declared: RefCell<Vec<Rc<Declared>>>,
    /// The origins that have their keys, by the numbers of both.
    users: RefCell<BTreeSet<(usize, usize)>>,
    records: Records<ProviderRecord>,
}

struct Declared {
    identity: String,
    provider: Rc<Provider>,
    ca: Option<PathBuf>,
    /// The keys of a file, as they were when the configuration was loaded, and its version.
    initial: Cell<Option<(ProvidedKeys, u64)>>,
    contacts: OnceCell<Contacts>,
}

/// Where a provider's services are, once the configuration is whole.
struct Contacts {
    source: Option<Rc<Contact>>,
    role: Option<Rc<Contact>>,
}

/// The place of an origin's keys that change.
pub(crate) struct ProvidedOrigin {
    index: usize,
    /// Those that this worker has seen last.
    present: RefCell<Option<PresentKeys>>,
}

/// An origin with the keys of the moment.
#[derive(Clone)]
pub(crate) struct PresentKeys {
    origin: Rc<sigv4::Origin>,
    generation: u64,
}

impl Deref for PresentKeys {
    type Target = sigv4::Origin;

    fn deref(&self) -> &sigv4::Origin {
        &self.origin
    }
}

impl Providers {
    /// Adds the provider of a line, unless another line has it too. A file is read, so that a mistake in it is told.
    pub(crate) fn add(&self, line: &ProviderLine, origin: usize) -> Result<ProvidedOrigin, String> {
        let identity = line.provider.identity();
        let mut declared = self.declared.borrow_mut();
        let known = declared.iter().position(|known| known.identity == identity);
        let index = match known.and_then(|index| Some((index, declared.get(index)?))) {
            Some((_, known))
                if known.ca != line.ca || !known.provider.has_secrets_of(&line.provider) =>
            {
                return Err(format!(
                    "\"s3_origin\" with \"credentials={}\" is there twice, with other keys or another \
                     \"credentials_ca=\": write the same in each line",
                    line.provider
                ));
            }
            Some((index, _)) => index,
            None => {
                let initial = match &line.provider.source {
                    Source::File { path, profile } => {
                        let read = read_file(path, profile);
                        let told = |why| format!("\"s3_origin\" with \"credentials=file:\": {why}");
                        Some(read.map_err(told)?).filter(|_| line.provider.role.is_none())
                    }
                    _ => None,
                };
                declared.push(Rc::new(Declared {
                    identity,
                    provider: Rc::clone(&line.provider),
                    ca: line.ca.clone(),
                    initial: Cell::new(initial),
                    contacts: OnceCell::new(),
                }));
                declared.len() - 1
            }
        };
        self.users.borrow_mut().insert((origin, index));
        Ok(ProvidedOrigin {
            index,
            present: RefCell::default(),
        })
    }

    /// Opens the memory of the keys, and finds the services, when all lines have been read.
    pub(crate) fn open(&self, cf: &Complete<'_, S3Resign>) -> Result<(), String> {
        let declared = self.declared.borrow();
        if declared.is_empty() {
            return Ok(());
        }
        for provider in declared.iter() {
            let contacts = provider.find(cf)?;
            let set = provider.contacts.set(contacts);
            set.map_err(|_| "the configuration is whole already")?;
        }
        let keys = declared.iter().map(|provider| &provider.identity);
        self.records.open(cf, "keys", keys)
    }

    /// Lists the files that workers read again, by what `s3_origin` calls them.
    pub(crate) fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let declared = self.declared.borrow();
        let file = |declared: &Rc<Declared>| match &declared.provider.source {
            Source::File { path, .. } => Some(("credentials=file:", path.clone())),
            Source::WebIdentity { token_file, .. } => Some(("token_file=", token_file.clone())),
            _ => None,
        };
        declared.iter().filter_map(file).collect()
    }

    /// Prepares the keys in nginx's master, before the workers of this configuration start.
    pub(crate) fn prepare(&self) {
        let declared = self.declared.borrow();
        let initial = declared.iter().map(|provider| provider.initial.take());
        self.records.prepare(initial, Providers::publish);
    }

    fn record<'p>(
        &'p self,
        origin: &'p NamedOrigin,
    ) -> Option<(&'p ProviderRecord, &'p ProvidedOrigin)> {
        let provided = origin.provided.as_ref()?;
        Some((self.records.record(provided.index)?, provided))
    }

    /// Tells whether an origin has keys that are used; one whose keys stay always has.
    pub(crate) fn has_keys(&self, origin: &NamedOrigin) -> bool {
        match &origin.provided {
            None => true,
            Some(_) => {
                let record = self.record(origin);
                record.is_some_and(|(record, _)| record.is_usable(now()))
            }
        }
    }

    /// Returns an origin with its present keys; None if they do not change, or there are none.
    pub(crate) fn present(&self, origin: &NamedOrigin) -> Option<PresentKeys> {
        let (record, provided) = self.record(origin)?;
        let mut present = provided.present.borrow_mut();
        let generation = record.generation();
        if let Some(keys) = &*present
            && keys.generation == generation
        {
            return Some(keys.clone());
        }
        if let Some((generation, keys)) = record.read() {
            let (credential, session_token) = keys.to_credential();
            *present = Some(PresentKeys {
                origin: Rc::new(origin.origin.with_keys(credential, session_token)),
                generation,
            });
        }
        // While new ones are written, those before them.
        present.clone()
    }

    /// Tells whether there are newer keys than those that a request was signed with.
    pub(crate) fn has_newer(&self, origin: &NamedOrigin, signed: &PresentKeys) -> bool {
        let record = self.record(origin);
        record.is_some_and(|(record, _)| {
            let generation = record.generation();
            generation.is_multiple_of(2) && generation != signed.generation
        })
    }

    /// Tells whether an origin's keys have expired, or are about to.
    pub(crate) fn are_near_end(&self, origin: &NamedOrigin) -> bool {
        let record = self.record(origin);
        record.is_some_and(|(record, _)| record.is_near_end(now()))
    }

    /// Takes note that an origin has rejected the keys that a request was signed with; newer ones are fetched.
    pub(crate) fn reject(&self, origin: &NamedOrigin, signed: &PresentKeys) {
        if let Some((record, _)) = self.record(origin) {
            record.reject(signed.generation);
            self.records.wake();
        }
    }

    /// Tells whether newer keys are being fetched, or will be before `deadline`.
    pub(crate) fn are_coming(&self, origin: &NamedOrigin, ticks: u64, deadline: u64) -> bool {
        let record = self.record(origin);
        record.is_some_and(|(record, _)| {
            record.renewal().is_led(ticks) || record.due(ticks) < deadline
        })
    }

    /// Tells the log why an origin has no keys.
    pub(crate) fn why_none(&self, origin: &NamedOrigin) -> String {
        let Some((record, provided)) = self.record(origin) else {
            return String::new();
        };
        let declared = self.declared.borrow();
        let name = declared.get(provided.index);
        let report = record.report(
            name.map_or_else(String::new, |known| known.provider.to_string()),
            now(),
        );
        let lacks = match report.refreshed_at {
            None => "yet",
            Some(_) => "that hold",
        };
        match report.error.as_str() {
            "" => format!(" {lacks} from \"{}\"", report.provider),
            error => format!(" {lacks} from \"{}\": {error}", report.provider),
        }
    }

    /// Tells what there is to tell about the keys of each origin that has some of these; `names` are those of all
    /// origins, by their numbers.
    pub(crate) fn rows(&self, names: &[OriginName]) -> Vec<OriginKeysRow> {
        let (declared, now) = (self.declared.borrow(), now());
        let row = |(number, index): &(usize, usize)| {
            let name = names.get(*number)?;
            let record = self.records.record(*index)?;
            let report = record.report(declared.get(*index)?.provider.to_string(), now);
            Some(OriginKeysRow {
                upstream: name.upstream.escape_ascii().to_string(),
                server: name.server.escape_ascii().to_string(),
                provider: report.provider,
                are_there: report.has_keys,
                expires: report.expires,
                refreshed_at: report.refreshed_at,
                refreshed: report.refreshed,
                failed: report.failed,
                error: report.error,
            })
        };
        self.users.borrow().iter().filter_map(row).collect()
    }
}

impl Declared {
    fn find(&self, cf: &Complete<'_, S3Resign>) -> Result<Contacts, String> {
        let contact = |service| {
            let endpoint = self.provider.endpoint(service);
            let found = endpoint
                .map(|endpoint| Contact::find(cf, endpoint, self.ca.as_deref(), "credentials_ca"));
            let found = found.transpose().map_err(|why| {
                format!(
                    "\"s3_origin\" with \"credentials={}\": {why}",
                    self.provider
                )
            });
            Ok::<_, String>(found?.map(Rc::new))
        };
        Ok(Contacts {
            source: contact(Service::Source)?,
            role: contact(Service::Role)?,
        })
    }
}

/// Fetched from their services or files.
impl Renewed for Providers {
    const WHAT: &'static str = "keys";

    type Record = ProviderRecord;
    type Fetch = Fetch;
    type Found = ProvidedKeys;

    fn records(&self) -> &Records<ProviderRecord> {
        &self.records
    }

    fn name(&self, index: usize) -> String {
        let declared = self.declared.borrow();
        let named = declared.get(index);
        named.map_or_else(String::new, |named| named.provider.to_string())
    }

    fn file(&self, index: usize) -> Option<PathBuf> {
        let declared = self.declared.borrow();
        let provider = &declared.get(index)?.provider;
        match (&provider.source, &provider.role) {
            (Source::File { path, .. }, None) => Some(path.clone()),
            _ => None,
        }
    }

    fn contact(&self, index: usize, service: Service) -> Option<Rc<Contact>> {
        let declared = self.declared.borrow();
        let contacts = declared.get(index)?.contacts.get()?;
        match service {
            Service::Source => contacts.source.clone(),
            Service::Role => contacts.role.clone(),
        }
    }

    fn begin(&self, index: usize) -> Option<(Fetch, Step)> {
        let provider = Rc::clone(&self.declared.borrow().get(index)?.provider);
        Some(Fetch::begin(provider, timestamp()))
    }

    fn has_read(fetch: &mut Fetch, file: &[u8]) -> Step {
        fetch.has_read(file, timestamp())
    }

    fn heard(fetch: &mut Fetch, answer: &Answer) -> Step {
        fetch.heard(answer, timestamp())
    }

    fn publish(record: &ProviderRecord, keys: &ProvidedKeys, now: Now) -> bool {
        record.publish(keys, now.seconds, now.ticks)
    }

    fn delay(keys: &ProvidedKeys, now: Now) -> u64 {
        schedule::after_success(keys, now.seconds, random())
    }
}

fn timestamp() -> Timestamp {
    Timestamp(i64::try_from(now()).unwrap_or(i64::MAX))
}

/// Reads the keys in a file of AWS's tools, with the version of the file. `Err` says what is wrong with it.
fn read_file(path: &Path, profile: &str) -> Result<(ProvidedKeys, u64), String> {
    // First, so that what is written meanwhile is read again.
    let version = version_of(path);
    let text = secrets::whole_file(path, MAX_FILE);
    let text = text.map_err(|why| format!("cannot read \"{}\": {why}", path.display()))?;
    let keys = read_profile(&text, profile);
    let keys = keys.map_err(|why| format!("\"{}\" {why}", path.display()))?;
    Ok((keys, version))
}
