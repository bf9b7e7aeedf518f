//! The file itself: what it is at the moment, and its content.

use std::fs::{File, Metadata};
use std::hash::{BuildHasher, Hash};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use foldhash::fast::FixedState;

use crate::fault::Fault;

/// What tells one content of a file from another, as far as that can be told without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Hashed: device, number, size, and when it was changed.
    pub(crate) identity: u64,
    /// Hashed: device and number.
    pub(crate) inode: u64,
    /// Seconds since 1970.
    pub(crate) modified: i64,
}

impl Content {
    /// Looks at a file.
    ///
    /// # Errors
    /// If it is not there, or cannot be looked at.
    pub fn of(path: &Path) -> Result<Content, Fault> {
        let data = path.metadata().map_err(unreadable)?;
        Ok(Content::told_by(&data))
    }

    /// Returns a number that another content has not; never 0, and the same in all processes.
    pub fn version(&self) -> u64 {
        self.identity
    }

    fn told_by(data: &Metadata) -> Content {
        let inode = (data.dev(), data.ino());
        let times = (
            data.mtime(),
            data.mtime_nsec(),
            data.ctime(),
            data.ctime_nsec(),
        );
        Content {
            identity: hash((inode, data.size(), times)),
            inode: hash(inode),
            modified: data.mtime(),
        }
    }
}

/// The same in all processes. 0 stands for nothing.
pub(crate) fn hash(value: impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one(value).max(1)
}

/// The fault of a file that cannot be opened, or is not there.
fn unreadable(why: io::Error) -> Fault {
    Fault::of_file(format!(
        " cannot be read: {why}: make it readable for nginx's master process and for its workers"
    ))
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: File,
    pub(crate) content: Content,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Source, Fault> {
        // A pipe that nobody writes to must not stop the process, nor must a terminal become its own.
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(unreadable)?;
        let data = file.metadata().map_err(unreadable)?;
        if !data.is_file() {
            return Err(Fault::of_file(
                " is no regular file, which could be read again: write the path of one",
            ));
        }
        Ok(Source {
            content: Content::told_by(&data),
            file,
        })
    }

    /// Whether it has been written to since it was opened.
    pub(crate) fn has_changed(&self) -> bool {
        let data = self.file.metadata();
        // A link that is removed changes it too, but not what was read.
        data.map_or(true, |data| {
            let now = Content::told_by(&data);
            now.modified != self.content.modified || data.nlink() > 0 && now != self.content
        })
    }
}
