//! The first line of a file: of a regular one, a pipe or a terminal.

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use crate::{MAX_VALUE, Value};

/// Between two looks at a pipe that has nothing yet.
const PAUSE: Duration = Duration::from_millis(10);

/// Why a file has no line to read.
#[derive(Debug)]
pub enum Unreadable {
    /// It is not there, or may not be read.
    Open(io::Error),
    /// Reading failed, as of a folder.
    Read(io::Error),
    /// The line is longer than [`MAX_VALUE`].
    TooLong,
    /// No whole line came within that time.
    TooSlow(Duration),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Open(error) | Unreadable::Read(error) => error.fmt(f),
            Unreadable::TooLong => write!(
                f,
                "is longer than {MAX_VALUE} bytes: write the path of a file that begins with the value"
            ),
            Unreadable::TooSlow(wait) => write!(
                f,
                "has no whole line after {wait:?}: write the path of a file that has one"
            ),
        }
    }
}

/// Reads the first line of a file, without its end. Reads at most a line of [`MAX_VALUE`], and waits at
/// most for `wait`, whatever the file is.
pub fn first_line(path: &Path, wait: Duration) -> Result<Value, Unreadable> {
    let deadline = Instant::now() + wait;
    // A pipe that nobody writes to must not stop the process, nor must a terminal become its own.
    let mut file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(Unreadable::Open)?;
    // The longest line and its end. The buffer never grows, or a part would stay in freed memory.
    let mut buffer = Zeroizing::new(vec![0; MAX_VALUE + 2]);
    let mut length = 0;
    let end = loop {
        let room = buffer.get_mut(length..).unwrap_or_default();
        if room.is_empty() {
            return Err(Unreadable::TooLong);
        }
        match file.read(room) {
            // A pipe that nobody has opened for writing yet.
            Ok(0) if length == 0 && is_pipe(&file) => thread::sleep(PAUSE),
            Ok(0) => break length,
            Ok(count) => {
                let piece = room.get(..count).unwrap_or_default();
                if let Some(at) = piece.iter().position(|c| *c == b'\n') {
                    break length + at;
                }
                length += count;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return Err(Unreadable::Read(error)),
        }
        if Instant::now() >= deadline && !is_regular(&file) {
            return Err(Unreadable::TooSlow(wait));
        }
    };
    let line = without_returns(buffer.get(..end).unwrap_or_default());
    if line.len() > MAX_VALUE {
        return Err(Unreadable::TooLong);
    }
    Ok(Zeroizing::new(line.to_vec()))
}

/// Reads all of a regular file of at most `longest` bytes. It ends, so there is no wait.
pub fn whole_file(path: &Path, longest: usize) -> Result<Value, Unreadable> {
    let mut file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(Unreadable::Open)?;
    if !is_regular(&file) {
        return Err(Unreadable::Read(io::Error::other("it is no regular file")));
    }
    // The buffer never grows, or a part would stay in freed memory.
    let mut buffer = Zeroizing::new(vec![0; longest + 1]);
    let mut length = 0;
    loop {
        let room = buffer.get_mut(length..).unwrap_or_default();
        if room.is_empty() {
            return Err(Unreadable::TooLong);
        }
        match file.read(room) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Unreadable::Read(error)),
        }
    }
    buffer.truncate(length);
    Ok(buffer)
}

fn is_pipe(file: &File) -> bool {
    file.metadata().is_ok_and(|data| data.file_type().is_fifo())
}

/// A regular file ends, however slow its disk is.
fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|data| data.is_file())
}

fn without_returns(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|c| *c != b'\r');
    line.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}
