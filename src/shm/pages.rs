//! Memory for what is written once and read by many: whole images, and the record that tells of them.
//!
//! A process shares it with those that it forks, and with nobody else: it is not inherited by the programs that are
//! started, a new binary included, and is in no core dump.

use std::io::{self, Error};
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicU64;

use crate::Shared;
use crate::file::File;
use crate::mapping::Mapping;

/// Memory that grows, in words. Any process that has it may change it at any time, so it is read through atomics, and
/// what was read is never trusted for more than its value.
#[derive(Debug)]
pub struct Pages {
    file: File,
}

/// The words of [`Pages`], as many as there were when they were mapped.
pub type Words = Mapping<[AtomicU64; 0], AtomicU64>;

impl Pages {
    /// Makes memory of no size. `name` is what the kernel calls it.
    pub fn create(name: &str) -> io::Result<Pages> {
        let file = File::create_private(name)?;
        Ok(Pages { file })
    }

    /// Maps all of it.
    pub fn map(&self) -> io::Result<Words> {
        let words = Words::of(&self.file)?;
        words.keep_from_dumps()?;
        Ok(words)
    }

    /// Writes bytes, and makes room for them.
    ///
    /// # Errors
    /// Where memory is out: nothing of it can be mapped then that would fail later.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.get().write_all_at(bytes, offset)
    }

    /// Makes room for that many bytes in all, and takes the memory for them.
    pub fn reserve(&self, size: u64) -> io::Result<()> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        let mut at = self.file.size()?;
        while at < size {
            let length = usize::try_from(size - at).map_or(ZEROS.len(), |n| n.min(ZEROS.len()));
            self.write_at(ZEROS.get(..length).unwrap_or_default(), at)?;
            at += length as u64;
        }
        Ok(())
    }

    /// Overwrites all of it with zeros, and gives the memory back to the system, as far as that can be done while
    /// others have it mapped.
    pub fn wipe(&self) -> io::Result<()> {
        let size = self.file.size()?;
        if size == 0 {
            return Ok(());
        }
        for word in self.map()?.entries() {
            word.clear();
        }
        self.file.give_back(size)
    }
}

/// One record for all processes that are forked from now on.
#[derive(Debug)]
pub struct Board<T: Shared> {
    file: File,
    memory: Mapping<T, AtomicU64>,
}

impl<T: Shared> Board<T> {
    /// Makes a record of zeros. `name` is what the kernel calls its memory.
    pub fn create(name: &str) -> io::Result<Board<T>> {
        let file = File::create_private(name)?;
        let size = Mapping::<T, AtomicU64>::size_for(0);
        file.grow(size.ok_or(io::ErrorKind::OutOfMemory)?)?;
        let memory = Mapping::of(&file)?;
        Ok(Board { file, memory })
    }

    pub fn record(&self) -> &T {
        self.memory.head()
    }

    /// Takes one of its locks for this process, if no other has it. The kernel frees it when the process ends,
    /// however it does. Threads of one process do not keep each other out.
    pub fn try_lock(&self, number: u8) -> io::Result<bool> {
        let result = self.file.lock(number, libc::F_WRLCK as libc::c_short);
        match result {
            Ok(()) => Ok(true),
            Err(error) if is_taken(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Frees a lock of this process.
    pub fn unlock(&self, number: u8) {
        let _ = self.file.lock(number, libc::F_UNLCK as libc::c_short);
    }
}

fn is_taken(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    fn values(words: &Words) -> Vec<u64> {
        let words = words.entries().iter();
        words.map(|word| word.load(Relaxed)).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn what_is_written_is_mapped() {
        let pages = Pages::create("pages").unwrap();
        assert!(pages.map().is_err(), "nothing can be mapped");
        pages.write_at(&7_u64.to_ne_bytes(), 0).unwrap();
        let early = pages.map().unwrap();
        pages.write_at(&9_u64.to_ne_bytes(), 8).unwrap();
        pages.reserve(32).unwrap();
        pages.reserve(16).unwrap();
        let words = pages.map().unwrap();
        assert_eq!(
            (values(&early), values(&words)),
            (vec![7], vec![7, 9, 0, 0])
        );
        words.entries()[0].store(1, Relaxed);
        assert_eq!(values(&early), [1]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn what_was_wiped_is_zero_and_takes_no_memory() {
        use std::os::unix::fs::MetadataExt;

        let pages = Pages::create("wiped").unwrap();
        pages.write_at(&[0xff; 1 << 20], 0).unwrap();
        let words = pages.map().unwrap();
        pages.wipe().unwrap();
        let data = pages.file.get().metadata().unwrap();
        assert_eq!(data.len(), 1 << 20);
        #[cfg(target_os = "linux")]
        assert_eq!(data.blocks(), 0);
        assert!(values(&words).iter().all(|word| *word == 0));
        pages.write_at(&5_u64.to_ne_bytes(), 8).unwrap();
        assert_eq!(words.entries()[1].load(Relaxed), 5);
    }

    /// What a program inherits is no secret of ours.
    #[test]
    #[cfg(target_os = "linux")]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn no_program_inherits_it() {
        let pages = Pages::create("private").unwrap();
        let board = Board::<AtomicU64>::create("private").unwrap();
        for fd in [pages.file.fd(), board.file.fd()] {
            // SAFETY: an open file.
            let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
            assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn a_board_has_one_record() {
        let board = Board::<AtomicU64>::create("board").unwrap();
        assert_eq!(board.record().fetch_add(3, Relaxed), 0);
        assert_eq!(board.record().load(Relaxed), 3);
    }

    /// Another process has it until it ends.
    #[test]
    #[cfg(target_os = "linux")]
    #[cfg_attr(miri, ignore = "it has no processes")]
    fn a_lock_is_one_process_s() {
        let board = Board::<AtomicU64>::create("locked").unwrap();
        assert!(board.try_lock(1).unwrap());
        let in_child = |locks: [u8; 2]| {
            // SAFETY: the child calls nothing but the kernel.
            match unsafe { libc::fork() } {
                0 => {
                    let [first, second] = locks.map(|lock| board.try_lock(lock).unwrap_or(false));
                    // SAFETY: it ends at once.
                    unsafe { libc::_exit(i32::from(first) + 2 * i32::from(second)) }
                }
                child => {
                    let mut status = 0;
                    // SAFETY: this process's child.
                    unsafe { libc::waitpid(child, &mut status, 0) };
                    libc::WEXITSTATUS(status)
                }
            }
        };
        assert_eq!(in_child([0, 1]), 1, "the free one");
        assert!(board.try_lock(0).unwrap(), "of a child that has ended");
        board.unlock(1);
        assert_eq!(in_child([0, 1]), 2);
    }
}
