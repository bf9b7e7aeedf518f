//! A file of memory as it was when it was mapped.

use std::io::{self, Error};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use crate::Shared;
use crate::file::File;

/// The smallest pages that there are: no mapping is aligned to less.
const PAGE: usize = 4096;

/// A head, followed by as many entries as the file has room for.
#[derive(Debug)]
pub struct Mapping<H, E> {
    start: NonNull<u8>,
    size: usize,
    entries: usize,
    _values: PhantomData<(H, E)>,
}

impl<H: Shared, E: Shared> Mapping<H, E> {
    const HEAD_SIZE: usize = size_of::<H>().next_multiple_of(align_of::<E>());

    /// How large a file with so many entries is; `None` if none can be.
    pub(crate) fn size_for(entries: usize) -> Option<usize> {
        size_of::<E>()
            .checked_mul(entries)?
            .checked_add(Mapping::<H, E>::HEAD_SIZE)
    }

    pub(crate) fn of(file: &File) -> io::Result<Mapping<H, E>> {
        const {
            assert!(align_of::<H>() <= PAGE && align_of::<E>() <= PAGE);
            assert!(size_of::<E>() > 0);
        }
        if !file.only_grows() {
            return Err(Error::other("it may shrink"));
        }
        // Read only now that it does not get smaller any more.
        let size = usize::try_from(file.size()?).map_err(Error::other)?;
        let Some(room) = size.checked_sub(Mapping::<H, E>::HEAD_SIZE) else {
            return Err(Error::other("it is too short"));
        };
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping of an open file, at an address that the kernel picks.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, file.fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        // Secrets lie in some. A kernel that cannot do it writes them into core dumps, as it does the heap.
        #[cfg(target_os = "linux")]
        // SAFETY: the new mapping.
        unsafe {
            libc::madvise(start, size, libc::MADV_DONTDUMP)
        };
        Ok(Mapping {
            start: NonNull::new(start.cast()).ok_or_else(|| Error::other("it is mapped at 0"))?,
            size,
            entries: room / size_of::<E>(),
            _values: PhantomData,
        })
    }

    /// Keeps it out of core dumps.
    pub(crate) fn keep_from_dumps(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        let advice = libc::MADV_DONTDUMP;
        #[cfg(not(target_os = "linux"))]
        let advice = libc::MADV_NORMAL;
        // SAFETY: mapped by `of`; the advice changes nothing that a program can see.
        match unsafe { libc::madvise(self.start.as_ptr().cast(), self.size, advice) } {
            -1 => Err(Error::last_os_error()),
            _ => Ok(()),
        }
    }

    pub(crate) fn head(&self) -> &H {
        // SAFETY: mapped as long as `self` lives, large enough, and aligned as a page is. Any bytes are
        // a value of `H`, which changes through atomics only.
        unsafe { self.start.cast().as_ref() }
    }

    /// Returns what comes after the head.
    pub fn entries(&self) -> &[E] {
        // SAFETY: within the mapping: `of` has found that the head fits.
        let first = unsafe { self.start.add(Mapping::<H, E>::HEAD_SIZE) };
        let entries = NonNull::slice_from_raw_parts(first.cast(), self.entries);
        // SAFETY: as of the head, with room for so many entries after it; `HEAD_SIZE` aligns them.
        unsafe { entries.as_ref() }
    }
}

// SAFETY: memory that belongs to the value, and in which all is `Shared`.
unsafe impl<H: Shared, E: Shared> Send for Mapping<H, E> {}
// SAFETY: as above.
unsafe impl<H: Shared, E: Shared> Sync for Mapping<H, E> {}

impl<H, E> Drop for Mapping<H, E> {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`; no reference outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

    use super::*;

    type Bytes = Mapping<AtomicU8, AtomicU64>;

    fn file(size: usize) -> File {
        let file = File::create("mapping", 0).unwrap();
        file.grow(size).unwrap();
        file
    }

    #[test]
    fn sizes() {
        assert_eq!(Bytes::size_for(0), Some(8));
        assert_eq!(Bytes::size_for(3), Some(32));
        assert_eq!(Bytes::size_for(usize::MAX), None);
        assert_eq!(Bytes::size_for(usize::MAX / 8), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn as_many_entries_as_there_is_room_for() {
        for (size, entries) in [(8, 0), (15, 0), (16, 1), (31, 2), (5000, 624)] {
            let mapping = Bytes::of(&file(size)).unwrap();
            assert_eq!(mapping.entries().len(), entries, "{size}");
            let last = mapping.entries().last();
            assert_eq!(last.map_or(0, |entry| entry.load(Relaxed)), 0);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn a_file_that_is_too_short() {
        for size in [0, 7] {
            let error = Bytes::of(&file(size)).unwrap_err();
            assert_eq!(error.to_string(), "it is too short");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn all_mappings_of_a_file_have_the_same_memory() {
        let file = file(32);
        let small = Bytes::of(&file).unwrap();
        file.grow(4096).unwrap();
        let large = Bytes::of(&file).unwrap();
        small.head().store(7, Relaxed);
        large.entries()[2].store(1 << 63, Relaxed);
        assert_eq!((small.entries().len(), large.entries().len()), (3, 511));
        assert_eq!(large.head().load(Relaxed), 7);
        assert_eq!(small.entries()[2].load(Relaxed), 1 << 63);
        drop(file);
        assert_eq!(small.head().load(Relaxed), 7);
    }

    /// What is in it is in no core dump: the flag "dd" in the kernel's own list.
    #[test]
    #[cfg(target_os = "linux")]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn it_is_not_dumped() {
        let file = file(4096);
        let mapping = Bytes::of(&file).unwrap();
        let start = format!("{:x}-", mapping.start.as_ptr().addr());
        let list = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let about = list.split_once(&start).unwrap().1;
        let flags = about.lines().find(|line| line.starts_with("VmFlags:"));
        assert!(flags.unwrap().contains(" dd"), "{flags:?}");
    }

    /// What lies after its end must not be read.
    #[test]
    #[cfg(target_os = "linux")]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn a_file_that_may_shrink() {
        let file = File::unsealed("shrinks").unwrap();
        file.grow(4096).unwrap();
        assert_eq!(Bytes::of(&file).unwrap_err().to_string(), "it may shrink");
    }
}
