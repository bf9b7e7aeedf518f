//! Shared memory: records that all workers see, and that outlive them and a reload.
//!
//! Each record has a key. A reload finds the records of old by their keys: in the very memory where
//! the old workers go on changing them, so that nothing is lost. Only where the zone must grow are
//! values copied.

use std::cell::{Cell, OnceCell};
use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use ngx::ffi::{
    ngx_int_t, ngx_list_part_t, ngx_pagesize, ngx_shared_memory_add, ngx_shm_zone_t,
    ngx_shmtx_lock, ngx_shmtx_unlock, ngx_slab_calloc, ngx_slab_pool_t,
};

use super::conf::Conf;
use super::{ERROR, OK, bytes, guarded, str_of};
use crate::log::log_error;
use crate::module;

/// What may lie in shared memory.
///
/// # Safety
/// Bytes that are all zero are a value of it, it holds no pointer, and it changes through shared
/// references only: it is made of atomics.
pub(crate) unsafe trait Shared: Sync + 'static {
    /// Takes the values of a record of the same key.
    fn take_over(&self, old: &Self);
}

macro_rules! shared_atomics {
    ($($atomic:ty),*) => {$(
        // SAFETY: an atomic, for which zero is a value.
        unsafe impl Shared for $atomic {
            fn take_over(&self, old: &Self) {
                self.store(old.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    )*};
}

shared_atomics!(AtomicU8, AtomicU32, AtomicU64);

// SAFETY: as its elements.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {
    fn take_over(&self, old: &Self) {
        self.iter()
            .zip(old)
            .for_each(|(element, old)| element.take_over(old));
    }
}

/// Defines a record of shared fields.
macro_rules! shared_record {
    (
        $(#[$about:meta])*
        $visible:vis struct $name:ident {
            $($(#[$field_about:meta])* $field_visible:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[repr(C)]
        $visible struct $name {
            $($(#[$field_about])* $field_visible $field: $type,)*
        }

        // SAFETY: as its fields, each of which is `Shared`, or `take_over` would not compile.
        unsafe impl $crate::ffi::zone::Shared for $name {
            fn take_over(&self, old: &Self) {
                $($crate::ffi::zone::Shared::take_over(&self.$field, &old.$field);)*
            }
        }
    };
}
pub(crate) use shared_record;

shared_record! {
    /// A short text, cut where it is longer. Two that write at once need a lock between them, and who
    /// reads meanwhile may see a mixture of both.
    pub(crate) struct Text {
        length: AtomicU8,
        bytes: [AtomicU8; Text::MAX],
    }
}

impl Text {
    pub(crate) const MAX: usize = 95;

    pub(crate) fn set(&self, text: &[u8]) {
        let text = Text::cut(text);
        for (to, from) in self.bytes.iter().zip(text) {
            to.store(*from, Ordering::Relaxed);
        }
        self.length.store(text.len() as u8, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Vec<u8> {
        let length = usize::from(self.length.load(Ordering::Relaxed));
        self.bytes
            .iter()
            .take(length)
            .map(|byte| byte.load(Ordering::Relaxed))
            .collect()
    }

    /// With escapes for what is not printable ASCII.
    pub(crate) fn readable(&self) -> String {
        self.read().escape_ascii().to_string()
    }

    /// Whether it is that text, or would be after `set`.
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        let text = Text::cut(text);
        usize::from(self.length.load(Ordering::Relaxed)) == text.len()
            && self
                .bytes
                .iter()
                .zip(text)
                .all(|(a, b)| a.load(Ordering::Relaxed) == *b)
    }

    fn cut(text: &[u8]) -> &[u8] {
        &text[..text.len().min(Text::MAX)]
    }
}

/// A zone with one record for each of its keys.
pub(crate) struct Zone<T: Shared> {
    keys: Vec<Box<[u8]>>,
    zone: NonNull<ngx_shm_zone_t>,
    /// The zone of the last configuration where it is another one; null otherwise.
    outgrown: *mut ngx_shm_zone_t,
    /// This configuration's number.
    generation: Cell<u64>,
    /// In the order of `keys`. They live as long as the configuration.
    records: OnceCell<Box<[NonNull<Entry<T>>]>>,
}

/// What a zone's memory begins with. The master alone touches it, while it loads a configuration.
struct Header<T> {
    /// Counts the configurations that were loaded with the zone, if only to be given up.
    generation: u64,
    /// The configuration in use, and the one before: nginx still has workers of both.
    present: u64,
    former: u64,
    /// Bytes that the entries take.
    taken: usize,
    entries: *mut Entry<T>,
}

/// A record in a zone's memory, with its key behind it.
#[repr(C)]
struct Entry<T> {
    next: *mut Entry<T>,
    /// The last configuration that had the key.
    generation: u64,
    key_length: usize,
    /// Bytes that a key may have there.
    key_room: usize,
    record: T,
}

impl<T: Shared> Zone<T> {
    /// Declares a zone, at configuration time. `name` is for one type of record alone.
    pub(crate) fn declare(
        cf: Conf,
        name: &'static CStr,
        keys: Vec<Box<[u8]>>,
    ) -> Result<Box<Zone<T>>, String> {
        let refused = || format!("the shared memory zone \"{}\"", name.to_string_lossy());
        let size = Zone::<T>::size_for(&keys);
        // SAFETY: configuration time; the name is static.
        let zone = unsafe {
            let tag = ptr::from_ref(module()).cast_mut().cast();
            ngx_shared_memory_add(cf.as_ptr(), &mut str_of(name), size, tag)
        };
        let zone = NonNull::new(zone).ok_or_else(refused)?;
        let mut declared = Box::new(Zone {
            keys,
            zone,
            outgrown: ptr::null_mut(),
            generation: Cell::new(0),
            records: OnceCell::new(),
        });
        // SAFETY: the zone's description is the configuration's, as is this one, which does not move:
        // nginx hands it to `initialise`. The last configuration is there until this one has taken over.
        unsafe {
            declared.outgrown = outgrown(cf, &*zone.as_ptr());
            (*zone.as_ptr()).init = Some(initialise::<T>);
            (*zone.as_ptr()).data = ptr::from_mut(&mut *declared).cast();
        }
        Ok(declared)
    }

    /// Enough for the keys of this configuration and of the last, of which old workers may be left.
    /// In steps, so that few changes of the configuration change it.
    fn size_for(keys: &[Box<[u8]>]) -> usize {
        let needed: usize = keys.iter().map(|key| Entry::<T>::taken(key.len())).sum();
        (16 * page_size()).max((4 * needed).next_power_of_two())
    }

    /// The record of the key at `index` of those declared; None ahead of nginx's start.
    pub(crate) fn record(&self, index: usize) -> Option<&T> {
        // SAFETY: entries live as long as the configuration, which has this.
        self.records
            .get()?
            .get(index)
            .map(|entry| unsafe { &entry.as_ref().record })
    }

    /// This configuration is in use from now on.
    pub(crate) fn adopt(&self) {
        // SAFETY: as in `fill`, which has put the header there.
        let header = unsafe {
            let pool = self.zone.as_ref().shm.addr.cast::<ngx_slab_pool_t>();
            (*pool).data.cast::<Header<T>>().as_mut()
        };
        if let Some(header) = header
            && header.present != self.generation.get()
        {
            header.former = header.present;
            header.present = self.generation.get();
        }
    }

    /// All records, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.keys.len()).filter_map(|index| self.record(index))
    }

    /// Runs `body` while no other process runs one. If this one is killed in it, nginx's master frees
    /// the lock.
    pub(crate) fn locked<R>(&self, body: impl FnOnce() -> R) -> R {
        struct Unlock(*mut ngx_slab_pool_t);
        impl Drop for Unlock {
            fn drop(&mut self) {
                // SAFETY: locked below, by this process.
                unsafe { ngx_shmtx_unlock(&mut (*self.0).mutex) }
            }
        }

        // SAFETY: nginx has put its pool there, with a mutex.
        let _unlock = unsafe {
            let pool = self.zone.as_ref().shm.addr.cast::<ngx_slab_pool_t>();
            ngx_shmtx_lock(&mut (*pool).mutex);
            Unlock(pool)
        };
        body()
    }

    /// Finds or makes the record of each key.
    fn fill(&self, is_reused: bool) -> Option<()> {
        // SAFETY: nginx has put its pool there; the master alone is here, and what it reads of an
        // outgrown zone nobody else changes but for the records, which are shared.
        unsafe {
            let pool = self.zone.as_ref().shm.addr.cast::<ngx_slab_pool_t>();
            if !is_reused {
                (*pool).data = ngx_slab_calloc(pool, size_of::<Header<T>>());
            }
            let header = (*pool).data.cast::<Header<T>>().as_mut()?;
            header.generation += 1;
            self.generation.set(header.generation);

            for key in &self.keys {
                if let Some(entry) = header.find(key).as_mut() {
                    entry.generation = header.generation;
                }
            }
            let mut records = Vec::with_capacity(self.keys.len());
            for key in &self.keys {
                let mut entry = header.find(key);
                if entry.is_null() {
                    let taken = header.taken + Entry::<T>::taken(key.len());
                    let is_short = taken > self.zone.as_ref().shm.size / 2;
                    entry = match header.disused(key.len()).filter(|_| is_short) {
                        Some(entry) => Header::<T>::reuse(entry, key),
                        None => header.add(pool, key)?,
                    };
                    if let Some(old) = outgrown_record(self.outgrown, key) {
                        (*entry).record.take_over(old);
                    }
                }
                (*entry).generation = header.generation;
                records.push(NonNull::new(entry)?);
            }
            let _ = self.records.set(records.into());
        }
        Some(())
    }
}

impl<T: Shared> Header<T> {
    /// # Safety
    /// The header of a zone that is mapped.
    unsafe fn find(&self, key: &[u8]) -> *mut Entry<T> {
        let mut entry = self.entries;
        // SAFETY: a list of entries, each with its key.
        unsafe {
            while !entry.is_null() && Entry::key(entry) != key {
                entry = (*entry).next;
            }
        }
        entry
    }

    /// # Safety
    /// As of `find`, and nothing else changes the list.
    unsafe fn add(&mut self, pool: *mut ngx_slab_pool_t, key: &[u8]) -> Option<*mut Entry<T>> {
        // SAFETY: memory of the pool's, of the size asked for; nothing but a pointer was made of it.
        unsafe {
            let taken = Entry::<T>::taken(key.len());
            let entry = ngx_slab_calloc(pool, taken).cast::<Entry<T>>();
            if entry.is_null() || !entry.is_aligned() {
                return None;
            }
            let text = entry.add(1).cast::<u8>();
            ptr::copy_nonoverlapping(key.as_ptr(), text, key.len());
            (*entry).key_length = key.len();
            (*entry).key_room = taken - size_of::<Entry<T>>();
            (*entry).next = self.entries;
            self.entries = entry;
            self.taken += taken;
            Some(entry)
        }
    }

    /// An entry with room for such a key that neither the present configuration nor the former has,
    /// nor the one that is being loaded.
    ///
    /// # Safety
    /// As of `find`.
    unsafe fn disused(&self, key_length: usize) -> Option<*mut Entry<T>> {
        let mut entry = self.entries;
        // SAFETY: a list of entries.
        unsafe {
            while let Some(one) = entry.as_ref() {
                if one.generation < self.former && one.key_room >= key_length {
                    return Some(entry);
                }
                entry = one.next;
            }
        }
        None
    }

    /// Gives an entry to another key. It is not freed: a worker of a configuration long gone may still
    /// be changing the record, which must then be no more than that.
    ///
    /// # Safety
    /// As of `add`, with a disused entry that has room for the key.
    unsafe fn reuse(entry: *mut Entry<T>, key: &[u8]) -> *mut Entry<T> {
        // SAFETY: by this function's contract; all zeros are a value of `T`.
        unsafe {
            let text = entry.add(1).cast::<u8>();
            ptr::copy_nonoverlapping(key.as_ptr(), text, key.len());
            (*entry).key_length = key.len();
            let nothing = MaybeUninit::<T>::zeroed().assume_init();
            (*entry).record.take_over(&nothing);
        }
        entry
    }
}

impl<T> Entry<T> {
    fn size(key_length: usize) -> usize {
        size_of::<Entry<T>>() + key_length
    }

    /// What nginx's allocator makes of that.
    fn taken(key_length: usize) -> usize {
        match Entry::<T>::size(key_length) {
            small if small <= page_size() / 2 => small.next_power_of_two(),
            large => large.next_multiple_of(page_size()),
        }
    }

    /// # Safety
    /// `entry` was made by `Header::add`.
    unsafe fn key<'a>(entry: *const Entry<T>) -> &'a [u8] {
        // SAFETY: by this function's contract.
        unsafe { std::slice::from_raw_parts(entry.add(1).cast(), (*entry).key_length) }
    }
}

fn page_size() -> usize {
    // SAFETY: set when nginx started.
    unsafe { ngx_pagesize }
}

/// The last configuration's zone of the same name, where it is of another size: nginx makes a new one
/// then.
///
/// # Safety
/// At configuration time.
unsafe fn outgrown(cf: Conf, zone: &ngx_shm_zone_t) -> *mut ngx_shm_zone_t {
    // SAFETY: the last cycle is there, if only nginx's first one, whose list is empty; its zones' names
    // are too.
    unsafe {
        let last = (*(*cf.as_ptr()).cycle).old_cycle;
        let mut part: *mut ngx_list_part_t = match last.as_mut() {
            Some(last) => &raw mut last.shared_memory.part,
            None => return ptr::null_mut(),
        };
        while !part.is_null() {
            for i in 0..(*part).nelts {
                let old = (*part).elts.cast::<ngx_shm_zone_t>().add(i);
                if bytes((*old).shm.name) == bytes(zone.shm.name) && (*old).tag == zone.tag {
                    let is_same = (*old).shm.size == zone.shm.size;
                    return if is_same { ptr::null_mut() } else { old };
                }
            }
            part = (*part).next;
        }
    }
    ptr::null_mut()
}

/// # Safety
/// `zone` is null or one of `T`, still mapped for `'a`.
unsafe fn outgrown_record<'a, T: Shared>(zone: *mut ngx_shm_zone_t, key: &[u8]) -> Option<&'a T> {
    // SAFETY: by this function's contract.
    unsafe {
        let pool = zone.as_ref()?.shm.addr.cast::<ngx_slab_pool_t>();
        let header = pool.as_ref()?.data.cast::<Header<T>>().as_ref()?;
        header.find(key).as_ref().map(|entry| &entry.record)
    }
}

unsafe extern "C" fn initialise<T: Shared>(
    zone: *mut ngx_shm_zone_t,
    reused: *mut c_void,
) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: `declare` has put the `Zone` there.
        let (zone, declared) = unsafe { (&*zone, (*zone).data.cast::<Zone<T>>().as_ref()) };
        if declared
            .and_then(|declared| declared.fill(!reused.is_null()))
            .is_some()
        {
            return OK;
        }
        log_error!(
            zone.shm.log,
            "the shared memory zone \"{}\" is too small: restart nginx",
            // SAFETY: a name of the configuration.
            unsafe { bytes(zone.shm.name) }.escape_ascii()
        );
        ERROR
    })
}
