//! What a configuration has of a file: its clients are looked up there.

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use lru::LruCache;
use shm::Words;
use sigv4::{Account, Client, Credential, Grant, MAX_SECRETS};

use crate::fault::Fault;
use crate::image::{GrantText, Record};
use crate::source::Content;
use crate::table::{FileState, Read, Table};

/// Clients that a worker keeps: as many as it keeps signing keys.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);
/// Different grants that it keeps.
const KEPT_GRANTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// The clients that have an access key: several while a secret is replaced, none for a stranger.
pub type Found = ArrayVec<Rc<Client>, MAX_SECRETS>;

/// The error where a file's clients cannot be looked up: it cannot be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled;

/// A file of clients.
pub struct ClientFile {
    pub(crate) table: Arc<Table>,
    worker: RefCell<Worker>,
}

impl fmt::Debug for ClientFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientFile")
            .field(&self.table.path())
            .finish()
    }
}

/// What one process has of it.
struct Worker {
    /// Of which image the rest is.
    number: u64,
    maps: [Option<Words>; 2],
    /// Those that were looked up last, so that their signing keys are found again. Strangers are not among them.
    clients: LruCache<Box<[u8]>, Found, RandomState>,
    grants: LruCache<u64, (Grant, Option<Account>), RandomState>,
    /// That of clients without limits.
    unlimited: Grant,
}

/// A file that was opened at configuration time.
#[derive(Debug)]
pub struct Opened {
    pub file: ClientFile,
    /// What is likely to be a mistake, or is wrong but does not matter yet.
    pub doubt: Option<String>,
}

impl ClientFile {
    /// Opens a file, and reads it unless what is there has been read: in nginx's master, before it has workers. `now` is
    /// in seconds since 1970.
    ///
    /// # Errors
    /// With what to write instead, after the file's name.
    pub fn open(path: &Path, now: u64) -> Result<Opened, Fault> {
        let table = Table::open(path).map_err(|why| Fault::no_memory(&why))?;
        let mut doubt = None;
        let is_new = Content::of(path).map_or(true, |content| table.is_new(&content));
        if is_new || table.number() == 0 || table.state().fault.is_some() {
            match table.read(now)? {
                Read::Done(built) => {
                    doubt = built.doubt.map(|(line, what)| format!(":{line}: {what}"));
                }
                Read::Busy | Read::Changing if table.number() == 0 => {
                    return Err(Fault::of_file(
                        " is being written: replace it by renaming another one to its name",
                    ));
                }
                // A worker reads it now, or will when it is written.
                Read::Busy | Read::Changing => {}
            }
        }
        Ok(Opened {
            file: ClientFile {
                table,
                worker: RefCell::new(Worker::new()),
            },
            doubt,
        })
    }

    pub fn path(&self) -> &Path {
        self.table.path()
    }

    pub fn state(&self) -> FileState {
        self.table.state()
    }

    /// Finds the clients that have an access key.
    pub fn find(&self, access_key: &[u8]) -> Result<Found, Unsettled> {
        let mut worker = self.worker.try_borrow_mut().map_err(|_| Unsettled)?;
        worker.find(&self.table, access_key)
    }
}

impl Worker {
    fn new() -> Worker {
        Worker {
            number: 0,
            maps: [None, None],
            clients: LruCache::with_hasher(KEPT, RandomState::default()),
            grants: LruCache::with_hasher(KEPT_GRANTS, RandomState::default()),
            unlimited: Grant::default(),
        }
    }

    fn find(&mut self, table: &Table, access_key: &[u8]) -> Result<Found, Unsettled> {
        self.turn_to(table.number());
        if let Some(found) = self.clients.get(access_key) {
            return Ok(found.clone());
        }
        let (number, records) = table.find(&mut self.maps, access_key).ok_or(Unsettled)?;
        self.turn_to(number);
        let clients = records
            .into_iter()
            .filter_map(|record| self.client(access_key, record));
        let found: Found = clients.collect();
        if !found.is_empty() {
            self.clients.put(access_key.into(), found.clone());
        }
        Ok(found)
    }

    /// Forgets what is of another image.
    fn turn_to(&mut self, number: u64) {
        if self.number != number {
            self.number = number;
            self.clients.clear();
            self.grants.clear();
        }
    }

    /// Makes a client of what was found. Its grant was read when the image was made: one that cannot be read now
    /// makes no client.
    fn client(&mut self, access_key: &[u8], record: Record) -> Option<Rc<Client>> {
        let (grant, account) = match record.grant {
            Some(text) => self.grant(text)?,
            None => (self.unlimited.clone(), None),
        };
        Some(Rc::new(Client {
            session_token: record.session_token.into(),
            expires: record.expires,
            account,
            ..Client::new(Credential::new(access_key, record.secret_key), grant)
        }))
    }

    fn grant(&mut self, text: GrantText) -> Option<(Grant, Option<Account>)> {
        if let Some(grant) = self.grants.get(&text.place) {
            return Some(grant.clone());
        }
        let grant = Grant::parse(text.allow.as_deref(), text.buckets.as_deref()).ok()?;
        let account = match text.account {
            Some(name) => Some(Account::parse(&name)?),
            None => None,
        };
        self.grants
            .put(text.place, (grant.clone(), account.clone()));
        Some((grant, account))
    }
}
