//! Records in memory that all workers share, and that outlive them, a reload and nginx's binary.
//!
//! Each record has a key, by which the next configuration finds it: in the very memory where the old
//! workers go on changing it, so that nothing is lost. A compromised worker, or another version of this
//! module, may have left anything there: what is read is never trusted for more than its value.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::file::{File, Heir};
use crate::lock::Lock;
use crate::mapping::Mapping;
use crate::{Shared, shared_record};

/// A zone with one record for each of its keys.
///
/// A record lives as long as its zone:
///
/// ```compile_fail,E0505
/// # use std::sync::atomic::AtomicU64;
/// fn read(zone: shm::Zone<AtomicU64>) -> u64 {
///     let record = zone.record(0).unwrap();
///     drop(zone);
///     record.load(std::sync::atomic::Ordering::Relaxed)
/// }
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Zone<T: Shared> {
    name: &'static str,
    keys: Vec<u64>,
    /// Open for the next configuration, and the next binary.
    _file: Arc<File>,
    memory: Memory<T>,
    /// Which entry is that of each key, once the configuration is in use.
    places: OnceCell<Box<[usize]>>,
    begins_again: bool,
}

type Memory<T> = Mapping<Header, Entry<T>>;

shared_record! {
    /// What a zone's memory begins with.
    struct Header {
        magic: AtomicU64,
        layout: AtomicU64,
        lock: Lock,
        /// The number of the configuration in use, and of the one before, of which nginx may still have
        /// workers.
        present: AtomicU64,
        former: AtomicU64,
    }
}

const MAGIC: u64 = u64::from_be_bytes(*b"s3resign");

/// A record in a zone's memory. The first free one ends the list.
#[derive(Debug)]
#[repr(C, align(64))]
struct Entry<T> {
    /// 0 marks a free entry.
    key: AtomicU64,
    /// The last configuration that had the key.
    generation: AtomicU64,
    record: T,
}

// SAFETY: as its fields.
unsafe impl<T: Shared> Shared for Entry<T> {
    fn clear(&self) {
        self.key.clear();
        self.generation.clear();
        self.record.clear();
    }

    fn describe(layout: &mut impl Hasher) {
        size_of::<Entry<T>>().hash(layout);
        T::describe(layout);
    }
}

/// How many times as many entries as there are keys are made before disused ones go to others.
const SPARE: usize = 4;

/// Why a zone could not be opened.
#[derive(Debug)]
pub struct OpenError {
    name: &'static str,
    cause: io::Error,
}

impl Display for OpenError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let OpenError { name, cause } = self;
        write!(f, "the shared memory \"s3_resign_{name}\": {cause}")
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

impl<T: Shared> Zone<T> {
    /// Opens the zone of a configuration that is being read. `name` is for one type of record alone;
    /// `meaning` is what the type does not say: what numbers in it stand for.
    pub fn open<K: AsRef<[u8]>>(
        name: &'static str,
        keys: impl IntoIterator<Item = K>,
        meaning: impl Hash,
        heir: Option<Heir>,
    ) -> Result<Zone<T>, OpenError> {
        let keys = keys.into_iter().map(|key| hash(key.as_ref()).max(1));
        Zone::of_keys(name, keys.collect(), layout::<T>(meaning), heir)
            .map_err(|cause| OpenError { name, cause })
    }

    fn of_keys(
        name: &'static str,
        keys: Vec<u64>,
        layout: u64,
        heir: Option<Heir>,
    ) -> io::Result<Zone<T>> {
        let opened = File::open(name, layout, heir, |file| {
            Memory::<T>::of(file).is_ok_and(|memory| {
                let header = memory.head();
                header.magic.load(Relaxed) == MAGIC && header.layout.load(Relaxed) == layout
            })
        })?;
        let file = opened.file;
        grow::<T>(&file, 0)?;
        let in_use = used::<T>(Memory::of(&file)?.entries()).count();
        grow::<T>(&file, in_use.saturating_add(keys.len()))?;
        let memory = Memory::of(&file)?;
        memory.head().magic.store(MAGIC, Relaxed);
        memory.head().layout.store(layout, Relaxed);
        Ok(Zone {
            name,
            keys,
            _file: file,
            memory,
            places: OnceCell::new(),
            begins_again: opened.replaces,
        })
    }

    /// As the kernel calls it.
    pub fn name(&self) -> String {
        format!("s3_resign_{}", self.name)
    }

    /// Whether another version of the module has left a memory of that name, which is not used.
    pub fn begins_again(&self) -> bool {
        self.begins_again
    }

    /// The record of the key at `index` of those that the zone was opened with; `None` before the
    /// configuration is in use.
    pub fn record(&self, index: usize) -> Option<&T> {
        let place = *self.places.get()?.get(index)?;
        Some(&self.memory.entries().get(place)?.record)
    }

    /// All records, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.keys.len()).filter_map(|index| self.record(index))
    }

    /// Runs `body` while no other process runs one, or only one that was stopped in it.
    pub fn locked<R>(&self, body: impl FnOnce() -> R) -> R {
        self.memory.head().lock.locked(body)
    }

    /// In nginx's master: this configuration is in use from now on. `returned` is shown the records of
    /// keys that were there before, but not in the last configuration.
    pub fn adopt(&self, returned: impl Fn(&T)) {
        self.locked(|| {
            let header = self.memory.head();
            let (present, former) = (header.present.load(Relaxed), header.former.load(Relaxed));
            let _ = self.places.set(self.place(present, former, returned));
            header.former.store(present, Relaxed);
            header.present.store(next(present), Relaxed);
        });
    }

    /// Finds or makes the entry of each key. One that neither the present configuration nor the former
    /// has may go to another key, but is not freed: a worker of a configuration long gone may still be
    /// changing the record.
    fn place(&self, present: u64, former: u64, returned: impl Fn(&T)) -> Box<[usize]> {
        let generation = next(present);
        let entries = self.memory.entries();
        let mut places: HashMap<_, _> = used(entries)
            .enumerate()
            .map(|(place, entry)| (entry.key.load(Relaxed), place))
            .collect();
        let mut used = used(entries).count();
        let known = self.keys.iter().filter_map(|key| places.get(key));
        for entry in known.filter_map(|place| entries.get(*place)) {
            if entry.generation.load(Relaxed) < present {
                returned(&entry.record);
            }
            entry.generation.store(generation, Relaxed);
        }

        let is_disused = |entry: &Entry<T>| entry.generation.load(Relaxed) < former;
        let mut disused = (0..used).filter(|place| entries.get(*place).is_some_and(is_disused));
        let mut place = |key: u64| {
            let is_short = used >= self.keys.len().saturating_mul(SPARE);
            let place = is_short.then(|| disused.next()).flatten();
            let place = place.unwrap_or_else(|| {
                used += 1;
                used - 1
            });
            if let Some(entry) = entries.get(place) {
                entry.record.clear();
                entry.key.store(key, Relaxed);
                entry.generation.store(generation, Relaxed);
            }
            place
        };
        self.keys
            .iter()
            .map(|key| *places.entry(*key).or_insert_with(|| place(*key)))
            .collect()
    }
}

fn grow<T: Shared>(file: &File, entries: usize) -> io::Result<()> {
    let size = Memory::<T>::size_for(entries).ok_or(io::ErrorKind::OutOfMemory)?;
    file.grow(size)
}

/// The number of the configuration after that one.
fn next(generation: u64) -> u64 {
    generation.saturating_add(1)
}

/// The entries up to the first free one.
fn used<T: Shared>(entries: &[Entry<T>]) -> impl Iterator<Item = &Entry<T>> {
    entries
        .iter()
        .take_while(|entry| entry.key.load(Relaxed) != 0)
}

/// Hashes the layout, so that incompatible versions do not share memory; the hash itself included, by
/// which keys are found.
fn layout<T: Shared>(meaning: impl Hash) -> u64 {
    let mut layout = DefaultHasher::new();
    Header::describe(&mut layout);
    Entry::<T>::describe(&mut layout);
    meaning.hash(&mut layout);
    layout.finish()
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

#[cfg(test)]
mod tests;
