//! The machine: its files, its name servers, its user.

use std::{
    fs::{self, File, OpenOptions},
    net::ToSocketAddrs,
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use entrypoint::Outside;
use secrets::{Unreadable, Value, first_line};

/// The longest wait for the line of a pipe.
const LINE: Duration = Duration::from_secs(5);

/// The longest wait for a name's addresses.
const ADDRESSES: Duration = Duration::from_secs(5);

pub(crate) struct Files;

impl Outside for Files {
    fn user(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn first_line(&self, path: &Path) -> Result<Value, Unreadable> {
        first_line(path, LINE)
    }

    fn can_read(&self, path: &Path) -> bool {
        File::open(path).is_ok()
    }

    /// A name server that does not answer delays the start, and no more: its thread is left to itself.
    fn has_address(&self, name: &str) -> bool {
        let address = (name.to_owned(), 0);
        let (sender, receiver) = mpsc::channel();
        let asked = thread::Builder::new().spawn(move || {
            let found = address.to_socket_addrs();
            let _ = sender.send(found.is_ok_and(|mut all| all.next().is_some()));
        });
        asked.is_ok() && receiver.recv_timeout(ADDRESSES).unwrap_or(false)
    }
}

/// The text of a file; nothing if it cannot be read.
pub(crate) fn text_of(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

/// How many processors the process may run on, whatever its share of their time.
pub(crate) fn processors() -> u64 {
    let processors = rustix::thread::sched_getaffinity(None);
    processors.map_or(1, |processors| u64::from(processors.count()))
}

/// Whether nginx, which opens it by that name, can write to the standard output.
pub(crate) fn has_stdout() -> bool {
    OpenOptions::new().append(true).open("/dev/stdout").is_ok()
}
