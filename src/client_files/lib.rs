//! Files of clients: a line for each key, read into memory that all workers share, and read again when they change.
//!
//! - [`ClientFile`] is what a configuration has of a file. It looks clients up, and keeps those that were in use last.
//! - [`Watcher`] reads the files again, in one process at a time, and on a thread of its own: a million lines take
//!   about as long as a thousand requests.
//!
//! An image of a file is built once and then only read: the clients one after another, and a table of hashes to find
//! them. There is room for two. The number of the one in use is published when it is whole; the other one is wiped at
//! once. Who was looking it up meanwhile sees that by the number, and looks again: so nobody ever waits.
//!
//! Nothing here knows nginx.
#![forbid(unsafe_code)]

mod builder;
mod fault;
mod file;
mod image;
mod lines;
mod source;
mod table;
mod watcher;

pub use crate::{
    fault::Fault,
    file::{ClientFile, Found, Opened, Unsettled},
    lines::MAX_LINE,
    source::Content,
    table::FileState,
    watcher::{News, Watcher},
};

#[cfg(test)]
mod tests;
