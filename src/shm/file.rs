//! Memory that processes share: files without a path, which whoever has them open can map.
//!
//! A new binary of nginx's inherits them open from the old one, as it does the listening sockets, and
//! knows them by what the kernel calls them. Both have the same memory then.

use std::ffi::{CStr, c_int};
use std::fs;
use std::io::{self, Error};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::zone::Shared;

/// A file of memory.
#[derive(Debug)]
pub(crate) struct File {
    name: String,
    file: fs::File,
}

/// Those that this process has.
struct Files {
    /// For the configurations.
    in_use: Vec<Weak<File>>,
    /// What the old binary has left and nobody has asked for; None until it is looked for.
    inherited: Option<Vec<File>>,
}

static FILES: Mutex<Files> = Mutex::new(Files {
    in_use: Vec::new(),
    inherited: None,
});

/// Lets a process take what an old binary has left to it. What the first call says holds for all.
#[derive(Debug, Clone, Copy)]
pub struct Heir(());

impl Heir {
    /// # Safety
    /// What the process was started with is nobody else's, and it has made no file of memory itself
    /// until it says that it is an heir, or is none, for the first time.
    pub unsafe fn new() -> Heir {
        Heir(())
    }
}

impl Files {
    fn lock() -> MutexGuard<'static, Files> {
        FILES.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inherited(&mut self, heir: Option<Heir>) -> &mut Vec<File> {
        self.inherited.get_or_insert_with(|| match heir {
            // SAFETY: by the contract of `Heir::new`.
            Some(_) => unsafe { File::inherited() },
            None => Vec::new(),
        })
    }
}

impl File {
    /// The one of that name, which begins with "s3_resign_": that of the last configuration, or the old
    /// binary's if it `fits`, or a new one. At configuration time.
    pub(crate) fn open(
        name: &CStr,
        heir: Option<Heir>,
        fits: impl Fn(&File) -> bool,
    ) -> io::Result<Arc<File>> {
        let text = name.to_string_lossy();
        let mut files = Files::lock();
        files.in_use.retain(|file| file.strong_count() > 0);
        let mut in_use = files.in_use.iter().filter_map(Weak::upgrade);
        if let Some(file) = in_use.find(|file| file.name == text) {
            return Ok(file);
        }
        let inherited = files.inherited(heir);
        let found = inherited.iter().position(|file| file.name == text);
        let found = found.map(|index| inherited.swap_remove(index));
        let file = match found.filter(fits) {
            Some(file) => file,
            None => File::create(name)?,
        };
        let file = Arc::new(file);
        files.in_use.push(Arc::downgrade(&file));
        Ok(file)
    }

    /// It is open for the programs that this process starts: its new binary is one.
    fn create(name: &CStr) -> io::Result<File> {
        let new = |fd| File {
            name: name.to_string_lossy().into(),
            // SAFETY: just opened.
            file: unsafe { fs::File::from_raw_fd(fd) },
        };
        // SAFETY: names end with a NUL.
        #[cfg(target_os = "linux")]
        unsafe {
            let flags = libc::MFD_ALLOW_SEALING;
            let created = new(checked(libc::memfd_create(name.as_ptr(), flags))?);
            let fd = created.file.as_raw_fd();
            checked(libc::fcntl(fd, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK))?;
            Ok(created)
        }
        // SAFETY: names end with a NUL.
        #[cfg(not(target_os = "linux"))]
        unsafe {
            let path = format!("/{}{}\0", name.to_string_lossy(), std::process::id());
            let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
            let created = new(checked(libc::shm_open(path.as_ptr().cast(), flags, 0o600))?);
            checked(libc::shm_unlink(path.as_ptr().cast()))?;
            Ok(created)
        }
    }

    /// Those that this process was started with.
    ///
    /// # Safety
    /// It has opened none itself.
    #[cfg(target_os = "linux")]
    unsafe fn inherited() -> Vec<File> {
        let Ok(open) = fs::read_dir("/proc/self/fd") else {
            return Vec::new();
        };
        let inherited = |entry: fs::DirEntry| {
            let fd = entry.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            let name = target.to_str()?.strip_prefix("/memfd:")?;
            let name = name.strip_suffix(" (deleted)")?;
            name.starts_with("s3_resign_").then(|| File {
                name: name.into(),
                // SAFETY: open, by this function's contract nobody's, and listed once.
                file: unsafe { fs::File::from_raw_fd(fd) },
            })
        };
        open.flatten().filter_map(inherited).collect()
    }

    #[cfg(not(target_os = "linux"))]
    unsafe fn inherited() -> Vec<File> {
        Vec::new()
    }

    /// Whether it can only grow: who has mapped it would not survive the reading of what is cut off.
    fn only_grows(&self) -> bool {
        #[cfg(target_os = "linux")]
        // SAFETY: an open file.
        unsafe {
            let seals = libc::fcntl(self.file.as_raw_fd(), libc::F_GET_SEALS);
            seals != -1 && seals & libc::F_SEAL_SHRINK != 0
        }
        #[cfg(not(target_os = "linux"))]
        true
    }

    /// Lets it have at least that size. Only what is written to takes memory.
    pub(crate) fn grow(&self, size: usize) -> io::Result<()> {
        let size = size as u64;
        if self.file.metadata()?.len() < size {
            self.file.set_len(size)?;
        }
        Ok(())
    }
}

/// A configuration is in use: closes what the old binary has left and it does not have.
pub fn close_unused(heir: Option<Heir>) {
    Files::lock().inherited(heir).clear();
}

/// Keeps the memory from all programs that this process starts.
pub fn close_on_exec() {
    for file in Files::lock().in_use.iter().filter_map(Weak::upgrade) {
        // SAFETY: an open file.
        unsafe { libc::fcntl(file.file.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

fn checked(result: c_int) -> io::Result<c_int> {
    match result {
        -1 => Err(Error::last_os_error()),
        result => Ok(result),
    }
}

/// A file as it was when it was mapped: a head, and after it as many entries as it has room for.
#[derive(Debug)]
pub(crate) struct Mapping<H, E> {
    start: NonNull<u8>,
    size: usize,
    entries: usize,
    _values: PhantomData<(H, E)>,
}

impl<H: Shared, E: Shared> Mapping<H, E> {
    const HEAD_SIZE: usize = size_of::<H>().next_multiple_of(align_of::<E>());

    /// How large a file with so many entries is.
    pub(crate) fn size_for(entries: usize) -> usize {
        Mapping::<H, E>::HEAD_SIZE + size_of::<E>() * entries
    }

    pub(crate) fn of(file: &File) -> io::Result<Mapping<H, E>> {
        let size = file.file.metadata()?.len();
        let size = usize::try_from(size).map_err(Error::other)?;
        let room = size.checked_sub(Mapping::<H, E>::HEAD_SIZE);
        let Some(room) = room.filter(|_| file.only_grows()) else {
            return Err(Error::other("it is not what the module makes"));
        };
        // SAFETY: a new mapping, at an address that the kernel picks.
        let start = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let fd = file.file.as_raw_fd();
            libc::mmap(ptr::null_mut(), size, access, libc::MAP_SHARED, fd, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        Ok(Mapping {
            start: NonNull::new(start.cast()).ok_or_else(Error::last_os_error)?,
            size,
            entries: room / size_of::<E>(),
            _values: PhantomData,
        })
    }

    pub(crate) fn head(&self) -> &H {
        // SAFETY: mapped as long as this lives, with room for it, at the start of a page; any bytes
        // are a value of it, and it changes as atomics do.
        unsafe { self.start.cast().as_ref() }
    }

    pub(crate) fn entries(&self) -> &[E] {
        // SAFETY: as of the head, behind which there is room for so many.
        unsafe {
            let first = self.start.add(Mapping::<H, E>::HEAD_SIZE).cast();
            NonNull::slice_from_raw_parts(first, self.entries).as_ref()
        }
    }
}

impl<H, E> Drop for Mapping<H, E> {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`; no reference outlives this.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
    }
}
