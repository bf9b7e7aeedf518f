//! Records in memory that all workers share, and that outlive them, a reload and nginx's binary.
//!
//! Each record has a key, by which the next configuration finds it: in the very memory where the old
//! workers go on changing it, so that nothing is lost. A compromised worker, or another version of this
//! module, may have left anything there: what is read is never trusted for more than its value.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::file::{File, Heir, Mapping};

/// What may lie in shared memory.
///
/// # Safety
/// Any bytes are a value of it, it holds no pointer, and it changes through shared references only: it
/// is made of atomics.
pub unsafe trait Shared: Sync + 'static {
    /// Makes it what it was at first.
    fn clear(&self);

    /// Tells values of which the bytes mean another thing apart.
    fn describe(layout: &mut impl Hasher);
}

macro_rules! shared_atomics {
    ($($atomic:ty),*) => {$(
        // SAFETY: an atomic.
        unsafe impl Shared for $atomic {
            fn clear(&self) {
                self.store(0, Relaxed);
            }

            fn describe(layout: &mut impl Hasher) {
                stringify!($atomic).hash(layout);
            }
        }
    )*};
}

shared_atomics!(AtomicU8, AtomicU32, AtomicU64);

// SAFETY: as its elements.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {
    fn clear(&self) {
        self.iter().for_each(T::clear);
    }

    fn describe(layout: &mut impl Hasher) {
        N.hash(layout);
        T::describe(layout);
    }
}

/// Defines a record of shared fields.
#[macro_export]
macro_rules! shared_record {
    (
        $(#[$about:meta])*
        $visible:vis struct $name:ident {
            $($(#[$field_about:meta])* $field_visible:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        #[repr(C)]
        $visible struct $name {
            $($(#[$field_about])* $field_visible $field: $type,)*
        }

        // SAFETY: as its fields, each of which is `Shared`, or `clear` would not compile.
        unsafe impl $crate::Shared for $name {
            fn clear(&self) {
                $($crate::Shared::clear(&self.$field);)*
            }

            fn describe(layout: &mut impl ::std::hash::Hasher) {
                $(
                    ::std::hash::Hash::hash(stringify!($field), layout);
                    <$type as $crate::Shared>::describe(layout);
                )*
            }
        }
    };
}
shared_record! {
    /// A short text, cut where it is longer. Two that write at once need a lock between them, and who
    /// reads meanwhile may see a mixture of both.
    pub struct Text {
        length: AtomicU8,
        bytes: [AtomicU8; Text::MAX],
    }
}

impl Text {
    pub const MAX: usize = 95;

    pub fn set(&self, text: &[u8]) {
        let text = Text::cut(text);
        for (to, from) in self.bytes.iter().zip(text) {
            to.store(*from, Relaxed);
        }
        self.length.store(text.len() as u8, Relaxed);
    }

    pub fn read(&self) -> Vec<u8> {
        let length = usize::from(self.length.load(Relaxed));
        self.bytes
            .iter()
            .take(length)
            .map(|byte| byte.load(Relaxed))
            .collect()
    }

    /// With escapes for what is not printable ASCII.
    pub fn readable(&self) -> String {
        self.read().escape_ascii().to_string()
    }

    /// Whether it is that text, or would be after `set`.
    pub fn is(&self, text: &[u8]) -> bool {
        let text = Text::cut(text);
        usize::from(self.length.load(Relaxed)) == text.len()
            && self
                .bytes
                .iter()
                .zip(text)
                .all(|(a, b)| a.load(Relaxed) == *b)
    }

    fn cut(text: &[u8]) -> &[u8] {
        &text[..text.len().min(Text::MAX)]
    }
}

/// A zone with one record for each of its keys.
#[derive(Debug)]
pub struct Zone<T: Shared> {
    keys: Vec<u64>,
    /// Open for the next configuration, and the next binary.
    _file: Arc<File>,
    memory: Memory<T>,
    /// Which entry is that of each key, once the configuration is in use.
    places: OnceCell<Box<[usize]>>,
    begins_again: Option<&'static CStr>,
}

type Memory<T> = Mapping<Header, Entry<T>>;

shared_record! {
    /// What a zone's memory begins with.
    struct Header {
        magic: AtomicU64,
        layout: AtomicU64,
        lock: AtomicU32,
        /// The number of the configuration in use, and of the one before, of which nginx may still have
        /// workers.
        present: AtomicU64,
        former: AtomicU64,
    }
}

const MAGIC: u64 = u64::from_be_bytes(*b"s3resign");

/// A record in a zone's memory. The first that is nobody's ends the list.
#[derive(Debug)]
#[repr(C, align(64))]
struct Entry<T> {
    /// 0 is nobody's.
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

/// How long to wait for a lock. It is held for microseconds: whoever has it for longer was killed.
const PATIENCE: Duration = Duration::from_millis(100);
/// How many times as many entries as there are keys are made before disused ones go to others.
const SPARE: usize = 4;

impl<T: Shared> Zone<T> {
    /// Declares a zone, at configuration time. `name` is for one type of record alone, and begins with
    /// "s3_resign_"; `meaning` is what the type does not say: what numbers in it stand for.
    pub fn declare(
        name: &'static CStr,
        heir: Option<Heir>,
        keys: impl Iterator<Item = Box<[u8]>>,
        meaning: impl Hash,
    ) -> Result<Zone<T>, String> {
        let keys = keys.map(|key| hash(&key).max(1)).collect();
        Zone::open(name, heir, keys, layout::<T>(meaning))
            .map_err(|why| format!("the shared memory \"{}\": {why}", name.to_string_lossy()))
    }

    fn open(
        name: &'static CStr,
        heir: Option<Heir>,
        keys: Vec<u64>,
        layout: u64,
    ) -> io::Result<Zone<T>> {
        let begins_again = Cell::new(None);
        let file = File::open(name, heir, |file| {
            let fits = Memory::<T>::of(file).is_ok_and(|memory| {
                let header = memory.head();
                header.magic.load(Relaxed) == MAGIC && header.layout.load(Relaxed) == layout
            });
            if !fits {
                begins_again.set(Some(name));
            }
            fits
        })?;
        file.grow(Memory::<T>::size_for(0))?;
        let used = used::<T>(Memory::of(&file)?.entries()).count();
        file.grow(Memory::<T>::size_for(used + keys.len()))?;
        let memory = Memory::of(&file)?;
        memory.head().magic.store(MAGIC, Relaxed);
        memory.head().layout.store(layout, Relaxed);
        Ok(Zone {
            keys,
            _file: file,
            memory,
            places: OnceCell::new(),
            begins_again: begins_again.get(),
        })
    }

    /// The zone's name, where another version of the module has left a memory that is not used.
    pub fn begins_again(&self) -> Option<&'static CStr> {
        self.begins_again
    }

    /// The record of the key at `index` of those declared; None before the configuration is in use.
    pub fn record(&self, index: usize) -> Option<&T> {
        let place = *self.places.get()?.get(index)?;
        Some(&self.memory.entries().get(place)?.record)
    }

    /// All records, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.keys.len()).filter_map(|index| self.record(index))
    }

    /// Runs `body` while no other process runs one; or no other than one that was stopped in it.
    pub fn locked<R>(&self, body: impl FnOnce() -> R) -> R {
        struct Unlock<'a>(&'a AtomicU32);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                self.0.store(0, Ordering::Release);
            }
        }

        let lock = &self.memory.head().lock;
        let is_taken = || {
            lock.compare_exchange(0, 1, Ordering::Acquire, Relaxed)
                .is_err()
        };
        if is_taken() {
            let began = Instant::now();
            while is_taken() && began.elapsed() < PATIENCE {
                thread::yield_now();
            }
        }
        let _unlock = Unlock(lock);
        body()
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
            let is_short = used >= SPARE * self.keys.len();
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

/// The number of the configuration after that one.
fn next(generation: u64) -> u64 {
    generation.saturating_add(1)
}

/// The entries that are somebody's.
fn used<T: Shared>(entries: &[Entry<T>]) -> impl Iterator<Item = &Entry<T>> {
    entries
        .iter()
        .take_while(|entry| entry.key.load(Relaxed) != 0)
}

/// Tells versions of this module apart whose bytes mean another thing; the hash itself included, by
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
