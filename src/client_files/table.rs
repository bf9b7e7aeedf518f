//! The images of a file in memory that all workers share, and what is known of the file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};
use std::{hint, io};

use arrayvec::ArrayVec;
use shm::{Board, Pages, Text, Words, shared_record};
use sigv4::MAX_SECRETS;

use crate::builder::{Built, build};
use crate::fault::Fault;
use crate::image::{Image, Layout, Record};
use crate::source::{Content, Source, hash};

shared_record! {
    /// Where one of two images is.
    struct Place {
        /// The number of the image; 0 while it is not to be read.
        number: AtomicU64,
        /// Something was written here that is not wiped yet: 1.
        dirty: AtomicU64,
        records: AtomicU64,
        entries: AtomicU64,
        seed: AtomicU64,
    }
}

shared_record! {
    /// What all processes know of a file.
    struct Head {
        /// The number of the image in use; 0 if there is none yet. The lowest bit says which place it has.
        number: AtomicU64,
        places: [Place; 2],
        clients: AtomicU64,
        /// Seconds since 1970: of the content in use, and when it was read.
        modified: AtomicU64,
        loaded: AtomicU64,
        /// Identity and inode of the content that was looked at last, whatever came of it.
        identity: AtomicU64,
        inode: AtomicU64,
        /// When the content that is there now turned out to be no good; 0 if it is in use.
        failed: AtomicU64,
        fault: Text,
    }
}

/// The locks of a table.
const LEADER: u8 = 0;
const BUILDER: u8 = 1;

/// How often a look-up begins again when the image is replaced meanwhile. A second passes between two images.
const ATTEMPTS: usize = 100;

/// What is known of a file, to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Clients in use: lines.
    pub clients: u64,
    /// When what is in use was written, in seconds since 1970.
    pub modified: u64,
    /// When it was read.
    pub loaded: u64,
    /// How often it was read.
    pub loads: u64,
    /// What is wrong with what is in the file now, which is not in use, and since when; cut where it is long.
    pub fault: Option<(u64, String)>,
}

/// What came of reading a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// It is in use now.
    Done(Built),
    /// Another process is reading it.
    Busy,
    /// It was written to meanwhile.
    Changing,
}

/// A file of clients, in memory. Old and new configurations that name it have the same one.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    board: Board<Head>,
    images: [Pages; 2],
    /// Locks between processes do not keep threads of one apart.
    building: Mutex<()>,
    leading: AtomicBool,
}

static TABLES: Mutex<Vec<Weak<Table>>> = Mutex::new(Vec::new());

impl Table {
    /// Finds the table of a path, or makes one that is empty.
    pub(crate) fn open(path: &Path) -> io::Result<Arc<Table>> {
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|table| table.strong_count() > 0);
        let mut present = tables.iter().filter_map(Weak::upgrade);
        if let Some(table) = present.find(|table| table.path == path) {
            return Ok(table);
        }
        let table = Arc::new(Table::create(path)?);
        tables.push(Arc::downgrade(&table));
        Ok(table)
    }

    pub(crate) fn create(path: &Path) -> io::Result<Table> {
        const NAME: &str = "clients";
        Ok(Table {
            path: path.into(),
            board: Board::create(NAME)?,
            images: [Pages::create(NAME)?, Pages::create(NAME)?],
            building: Mutex::new(()),
            leading: AtomicBool::new(false),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of the image in use; 0 if there is none.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.board.record().number.load(Acquire)
    }

    /// Finds the clients that have an access key, with the number of the image; `maps` are those of this process.
    /// `None` if no image stays long enough to be read, or none can be mapped.
    pub(crate) fn find(
        &self,
        maps: &mut [Option<Words>; 2],
        access_key: &[u8],
    ) -> Option<(u64, ArrayVec<Record, MAX_SECRETS>)> {
        let head = self.board.record();
        for _ in 0..ATTEMPTS {
            let number = head.number.load(Acquire);
            if number == 0 {
                return Some((0, ArrayVec::new()));
            }
            let which = (number & 1) as usize;
            let (place, map) = (head.places.get(which)?, maps.get_mut(which)?);
            let layout = place.layout();
            let found = match map
                .as_ref()
                .and_then(|map| Image::new(map.entries(), layout))
            {
                Some(image) => Some(image.find(access_key)),
                None => {
                    // It is larger than the one before it was.
                    *map = self.images.get(which)?.map().ok();
                    None
                }
            };
            // Whatever was read before this fence is of that image if its number is still there.
            fence(Acquire);
            if let Some(found) = found
                && place.number.load(Relaxed) == number
            {
                return Some((number, found));
            }
            hint::spin_loop();
        }
        None
    }

    /// Reads the file, and has it used from now on. What was in use stays so if that fails.
    pub(crate) fn read(&self, now: u64) -> Result<Read, Fault> {
        let _building = match self.building.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(Read::Busy),
        };
        let locked = self.board.try_lock(BUILDER);
        if !locked.map_err(|why| Fault::of_file(format!(" cannot be locked: {why}")))? {
            return Ok(Read::Busy);
        }
        let result = self.read_locked(now);
        self.board.unlock(BUILDER);
        result
    }

    fn read_locked(&self, now: u64) -> Result<Read, Fault> {
        let head = self.board.record();
        let mut source = Source::open(&self.path)?;
        let number = head.number.load(Acquire).saturating_add(1);
        let (new, old) = match number & 1 {
            0 => (0, 1),
            _ => (1, 0),
        };
        // Another process may have ended while it wrote here.
        self.wipe(new).map_err(|why| Fault::no_memory(&why))?;
        let [zero, one] = &head.places;
        let place = if new == 0 { zero } else { one };
        place.dirty.store(1, Relaxed);
        let [zero, one] = &self.images;
        let pages = if new == 0 { zero } else { one };
        let built = build(&mut source.file, pages);
        if source.has_changed() || built.is_err() {
            let _ = self.wipe(new);
        }
        if source.has_changed() {
            return Ok(Read::Changing);
        }
        let built = built?;

        place.set_layout(&built.layout);
        place.number.store(number, Release);
        head.clients.store(built.clients, Relaxed);
        let content = source.content;
        head.identity.store(content.identity, Relaxed);
        head.inode.store(content.inode, Relaxed);
        let modified = u64::try_from(content.modified).unwrap_or(0);
        head.modified.store(modified, Relaxed);
        head.loaded.store(now, Relaxed);
        head.failed.store(0, Relaxed);
        head.number.store(number, Release);
        // If that fails, it is done before the place is used again.
        let _ = self.wipe(old);
        Ok(Read::Done(built))
    }

    /// Wipes what was written at a place, and gives its memory back.
    fn wipe(&self, which: usize) -> io::Result<()> {
        let head = self.board.record();
        let (Some(place), Some(pages)) = (head.places.get(which), self.images.get(which)) else {
            return Ok(());
        };
        if place.dirty.load(Relaxed) == 0 {
            return Ok(());
        }
        place.number.store(0, Relaxed);
        // Whoever reads a zero of what follows sees that number too.
        fence(Release);
        pages.wipe()?;
        place.dirty.store(0, Relaxed);
        Ok(())
    }

    /// Tells whether the content is not the one that was looked at last.
    pub(crate) fn is_new(&self, content: &Content) -> bool {
        self.board.record().identity.load(Relaxed) != content.identity
    }

    /// Tells whether it is the same file as the one that was looked at last.
    pub(crate) fn is_same_file(&self, content: &Content) -> bool {
        self.board.record().inode.load(Relaxed) == content.inode
    }

    /// Takes note that what is there now is no good, of which `content` is what is known. Tells whether that is new.
    pub(crate) fn note(&self, fault: &Fault, content: Option<&Content>, now: u64) -> bool {
        let head = self.board.record();
        let identity = content.map_or_else(|| hash(fault.to_string()), |content| content.identity);
        let was = head.identity.swap(identity, Relaxed);
        if let Some(content) = content {
            head.inode.store(content.inode, Relaxed);
        }
        let is_new = was != identity || head.failed.load(Relaxed) == 0;
        if is_new {
            let line = fault.line.map(|line| format!("line {line}"));
            let text = format!("{}{}", line.unwrap_or_default(), fault.why);
            head.fault.set(text.trim_start().as_bytes());
            head.failed.store(now, Relaxed);
        }
        is_new
    }

    pub(crate) fn state(&self) -> FileState {
        let head = self.board.record();
        let failed = Some(head.failed.load(Relaxed)).filter(|time| *time > 0);
        FileState {
            clients: head.clients.load(Relaxed),
            modified: head.modified.load(Relaxed),
            loaded: head.loaded.load(Relaxed),
            loads: head.number.load(Relaxed),
            fault: failed.map(|time| {
                let text = head.fault.read();
                (time, String::from_utf8_lossy(&text).into_owned())
            }),
        }
    }

    /// Takes the lead for one watcher of one process, if no other has it.
    pub(crate) fn try_lead(&self) -> bool {
        if self.leading.swap(true, Acquire) {
            return false;
        }
        let leads = self.board.try_lock(LEADER).unwrap_or(false);
        if !leads {
            self.leading.store(false, Release);
        }
        leads
    }

    /// Leaves the lead to others, after `try_lead` has taken it.
    pub(crate) fn retire(&self) {
        self.board.unlock(LEADER);
        self.leading.store(false, Release);
    }
}

impl Place {
    fn layout(&self) -> Layout {
        Layout {
            records: self.records.load(Relaxed),
            entries: self.entries.load(Relaxed),
            seed: self.seed.load(Relaxed),
        }
    }

    fn set_layout(&self, layout: &Layout) {
        self.records.store(layout.records, Relaxed);
        self.entries.store(layout.entries, Relaxed);
        self.seed.store(layout.seed, Relaxed);
    }
}
