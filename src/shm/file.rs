//! Files of memory: they have no path, and whoever has one open can map it.
//!
//! A new binary inherits them open from the old one, as nginx's does the listening sockets, and knows
//! them by what the kernel calls them. Both have the same memory then.

use std::ffi::{CString, c_int};
use std::fs;
use std::io::{self, Error};
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What the names of all files begin with.
const PREFIX: &str = "s3_resign_";

/// A file of memory.
#[derive(Debug)]
pub(crate) struct File {
    name: String,
    /// What lies in it. Known here, since who can write to the memory may have changed it there.
    layout: u64,
    file: fs::File,
}

/// The files that this process has.
struct Files {
    in_use: Vec<Weak<File>>,
    /// What the old binary has left and nobody has asked for; `None` until it is looked for.
    inherited: Option<Vec<InheritedFile>>,
}

static FILES: Mutex<Files> = Mutex::new(Files {
    in_use: Vec::new(),
    inherited: None,
});

/// What the old binary has left, with the name that its zone had.
struct InheritedFile {
    name: String,
    file: fs::File,
}

/// Lets a process take what an old binary has left to it. What the first call says holds for all.
#[derive(Debug, Clone, Copy)]
pub struct Heir(());

impl Heir {
    /// # Safety
    /// Nothing else owns the files of memory that the process was started with, and this package has
    /// not been used in it before the first call that is given an heir.
    pub unsafe fn new() -> Heir {
        Heir(())
    }
}

impl Files {
    fn lock() -> MutexGuard<'static, Files> {
        FILES.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inherited(&mut self, heir: Option<Heir>) -> &mut Vec<InheritedFile> {
        self.inherited.get_or_insert_with(|| match heir {
            // SAFETY: by the contract of `Heir::new`.
            Some(Heir(())) => unsafe { InheritedFile::all() },
            None => Vec::new(),
        })
    }
}

/// A file that has been found or made.
pub(crate) struct Opened {
    pub(crate) file: Arc<File>,
    /// The old binary has left another one, which did not fit.
    pub(crate) replaces: bool,
}

impl File {
    /// The file of a name: the last configuration's, or the old binary's if it `fits`, or a new one.
    /// Fails where the name is in use for another layout.
    pub(crate) fn open(
        name: &str,
        layout: u64,
        heir: Option<Heir>,
        fits: impl FnOnce(&File) -> bool,
    ) -> io::Result<Opened> {
        let mut files = Files::lock();
        files.in_use.retain(|file| file.strong_count() > 0);
        let mut in_use = files.in_use.iter().filter_map(Weak::upgrade);
        if let Some(file) = in_use.find(|file| file.name == name) {
            if file.layout != layout {
                return Err(Error::other("it is in use for something else"));
            }
            return Ok(Opened {
                file,
                replaces: false,
            });
        }
        let inherited = files.inherited(heir);
        let found = inherited.iter().position(|file| file.name == name);
        let found = found.map(|index| inherited.swap_remove(index).with_layout(layout));
        let is_left = found.is_some();
        let found = found.filter(fits);
        let replaces = is_left && found.is_none();
        let file = match found {
            Some(file) => Arc::new(file),
            None => Arc::new(File::create(name, layout)?),
        };
        files.in_use.push(Arc::downgrade(&file));
        Ok(Opened { file, replaces })
    }

    /// Makes a file that is open also for the programs that this process starts: its new binary is one.
    pub(crate) fn create(name: &str, layout: u64) -> io::Result<File> {
        File::create_with(name, layout, false)
    }

    /// Makes a file that no program which this process starts has open.
    pub(crate) fn create_private(name: &str) -> io::Result<File> {
        File::create_with(name, 0, true)
    }

    #[cfg(target_os = "linux")]
    fn create_with(name: &str, layout: u64, is_private: bool) -> io::Result<File> {
        let kernel_name = CString::new(format!("{PREFIX}{name}"))?;
        let close = if is_private { libc::MFD_CLOEXEC } else { 0 };
        // SAFETY: the name ends with a NUL.
        let fd =
            unsafe { libc::memfd_create(kernel_name.as_ptr(), libc::MFD_ALLOW_SEALING | close) };
        let file = File::from_new(fd, name, layout)?;
        // SAFETY: an open file.
        checked(unsafe { libc::fcntl(file.fd(), libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) })?;
        Ok(file)
    }

    /// The kernel keeps it from programs by itself.
    #[cfg(not(target_os = "linux"))]
    fn create_with(name: &str, layout: u64, _is_private: bool) -> io::Result<File> {
        let path = CString::new(format!("/{PREFIX}{name}{}", std::process::id()))?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        // SAFETY: the path ends with a NUL.
        let fd = unsafe { libc::shm_open(path.as_ptr(), flags, 0o600) };
        let file = File::from_new(fd, name, layout)?;
        // SAFETY: the path ends with a NUL.
        checked(unsafe { libc::shm_unlink(path.as_ptr()) })?;
        Ok(file)
    }

    /// The file that a system call has just made.
    fn from_new(fd: c_int, name: &str, layout: u64) -> io::Result<File> {
        let fd = checked(fd)?;
        Ok(File {
            name: name.into(),
            layout,
            // SAFETY: just opened, and nobody else's.
            file: unsafe { fs::File::from_raw_fd(fd) },
        })
    }

    /// A file that another program could have left.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn unsealed(name: &str) -> io::Result<File> {
        let kernel_name = CString::new(name)?;
        // SAFETY: the name ends with a NUL.
        let fd = unsafe { libc::memfd_create(kernel_name.as_ptr(), 0) };
        File::from_new(fd, name, 0)
    }

    pub(crate) fn get(&self) -> &fs::File {
        &self.file
    }

    /// Takes or frees, for this process, the lock of that number.
    pub(crate) fn lock(&self, number: u8, kind: libc::c_short) -> io::Result<()> {
        // SAFETY: any bytes are a value of it, and zeros one of which nothing is unset.
        let mut lock: libc::flock = unsafe { mem::zeroed() };
        lock.l_type = kind;
        lock.l_whence = libc::SEEK_SET as libc::c_short;
        lock.l_start = number.into();
        lock.l_len = 1;
        // SAFETY: an open file, and a lock to be read.
        checked(unsafe { libc::fcntl(self.fd(), libc::F_SETLK, &raw const lock) })?;
        Ok(())
    }

    /// Gives back the memory of its first `size` bytes, which are zeros from then on.
    #[cfg(target_os = "linux")]
    pub(crate) fn give_back(&self, size: u64) -> io::Result<()> {
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        let size = size.try_into().map_err(Error::other)?;
        // SAFETY: an open file.
        checked(unsafe { libc::fallocate(self.fd(), mode, 0, size) })?;
        Ok(())
    }

    /// Elsewhere it is kept for what is written next.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn give_back(&self, _size: u64) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn fd(&self) -> c_int {
        self.file.as_raw_fd()
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Whether it can only grow: a process that has mapped it would not survive reading what is cut off.
    pub(crate) fn only_grows(&self) -> bool {
        #[cfg(target_os = "linux")]
        {
            // SAFETY: an open file.
            let seals = unsafe { libc::fcntl(self.fd(), libc::F_GET_SEALS) };
            seals != -1 && seals & libc::F_SEAL_SHRINK != 0
        }
        // No other process has it: it has no name any more, and nothing is inherited.
        #[cfg(not(target_os = "linux"))]
        true
    }

    /// Lets it have at least that size. Only what is written to takes memory.
    pub(crate) fn grow(&self, size: usize) -> io::Result<()> {
        let size = size as u64;
        // Held so that no other thread has made it larger meanwhile, and this call would shrink it.
        let _files = Files::lock();
        if self.size()? >= size {
            return Ok(());
        }
        match self.file.set_len(size) {
            // Another process has made it larger meanwhile.
            Err(_) if self.size()? >= size => Ok(()),
            result => result,
        }
    }
}

impl InheritedFile {
    /// The files that this process was started with.
    ///
    /// # Safety
    /// Nothing in this process owns any of them, and this package has opened none.
    #[cfg(target_os = "linux")]
    unsafe fn all() -> Vec<InheritedFile> {
        let Ok(open) = fs::read_dir("/proc/self/fd") else {
            return Vec::new();
        };
        let named = |entry: fs::DirEntry| {
            let fd: c_int = entry.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            let name = target.to_str()?.strip_prefix("/memfd:")?;
            let name = name.strip_suffix(" (deleted)")?;
            Some((fd, name.strip_prefix(PREFIX)?.to_owned()))
        };
        let own = |(fd, name)| InheritedFile {
            name,
            // SAFETY: open and listed once, and nobody's by this function's contract.
            file: unsafe { fs::File::from_raw_fd(fd) },
        };
        open.flatten().filter_map(named).map(own).collect()
    }

    #[cfg(not(target_os = "linux"))]
    unsafe fn all() -> Vec<InheritedFile> {
        Vec::new()
    }

    fn with_layout(self, layout: u64) -> File {
        File {
            name: self.name,
            layout,
            file: self.file,
        }
    }
}

/// Closes what the old binary has left and no zone has taken. To be called once a configuration is in
/// use.
pub fn close_unused(heir: Option<Heir>) {
    Files::lock().inherited(heir).clear();
}

/// Keeps the memory from all programs that this process starts from now on.
pub fn close_on_exec() {
    for file in Files::lock().in_use.iter().filter_map(Weak::upgrade) {
        // SAFETY: an open file.
        unsafe { libc::fcntl(file.fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

fn checked(result: c_int) -> io::Result<c_int> {
    match result {
        -1 => Err(Error::last_os_error()),
        result => Ok(result),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn open(name: &str, layout: u64) -> io::Result<Opened> {
        File::open(name, layout, None, |_| true)
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn a_name_has_one_file_as_long_as_it_is_in_use() {
        let first = open("one", 1).unwrap();
        let second = open("one", 1).unwrap();
        assert!(Arc::ptr_eq(&first.file, &second.file));
        assert!(!Arc::ptr_eq(&first.file, &open("other", 1).unwrap().file));
        first.file.grow(10).unwrap();
        drop((first, second));
        let again = open("one", 1).unwrap();
        assert_eq!(again.file.size().unwrap(), 0);
        assert!(!again.replaces);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn a_name_has_one_layout() {
        let first = open("layout", 1).unwrap();
        let error = open("layout", 2).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "it is in use for something else");
        drop(first);
        assert!(open("layout", 2).is_ok());
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn it_only_grows() {
        let file = File::create("grows", 0).unwrap();
        assert!(file.only_grows());
        for (grown, size) in [(100, 100), (50, 100), (0, 100), (101, 101)] {
            file.grow(grown).unwrap();
            assert_eq!(file.size().unwrap(), size);
        }
        assert!(file.grow(usize::MAX).is_err());
        #[cfg(target_os = "linux")]
        assert!(file.file.set_len(1).is_err());
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no files of memory")]
    fn what_is_no_name() {
        assert!(open("a\0b", 0).is_err());
        assert!(open(&"a".repeat(1000), 0).is_err());
    }
}
