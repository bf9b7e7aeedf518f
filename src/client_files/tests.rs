#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod image;
mod looks;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::{ClientFile, Fault};

/// A folder that is removed.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "client-files-{}-{}",
            process::id(),
            COUNT.fetch_add(1, Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// Replaces the file by renaming another one.
    pub(crate) fn replace(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let new = self.0.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.file()).unwrap();
        self.file()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Times are only told, never waited for.
pub(crate) fn now() -> u64 {
    thread_local!(static NOW: Cell<u64> = const { Cell::new(1000) });
    NOW.replace(NOW.get() + 1)
}

pub(crate) fn open(path: &Path) -> Result<ClientFile, Fault> {
    ClientFile::open(path, now()).map(|opened| opened.file)
}

/// The file's clients with that key.
pub(crate) fn count(file: &ClientFile, key: &str) -> usize {
    file.find(key.as_bytes()).unwrap().len()
}
