//! The lines of a file, from bytes to clients.

use std::fmt;
use std::io::{ErrorKind, Read};

use arrayvec::ArrayVec;
use directives::ClientLine;
use zeroize::Zeroizing;

use crate::fault::Fault;

/// The longest line, in bytes.
pub const MAX_LINE: usize = 256 * 1024;

/// Of the buffer at first, in bytes, which is enough for most lines.
const ROOM: usize = 8 * 1024;

/// More words than a client has: the key and its parameters, each of them once.
const WORDS: usize = 16;

/// Stands before the messages about a line, which follow its number.
#[derive(Debug)]
pub(crate) struct Here;

impl fmt::Display for Here {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Reads the clients of a file one after another, in a buffer that is wiped, and grows with the longest line.
pub(crate) fn each_client(
    input: &mut impl Read,
    mut take: impl FnMut(u64, &ClientLine<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut buffer = Zeroizing::new(vec![0; ROOM]);
    let (mut filled, mut number) = (0, 0);
    let mut is_empty = true;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let count = match input.read(room) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::of_file(format!(" cannot be read: {error}"))),
        };
        if count == 0 {
            break;
        }
        is_empty = false;
        filled += count;
        let mut rest = buffer.get(..filled).unwrap_or_default();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            number += 1;
            if let Some(client) = client(line).map_err(|why| Fault::at(number, why))? {
                take(number, &client)?;
            }
        }
        let left = rest.len();
        if left > MAX_LINE {
            return Err(Fault::at(
                number + 1,
                format!(": is longer than {MAX_LINE} bytes, as no client is"),
            ));
        }
        buffer.copy_within(filled - left..filled, 0);
        filled = left;
        if filled == buffer.len() {
            // A copy, since a vector that grows leaves its old memory as it is.
            let mut larger = Zeroizing::new(vec![0; (2 * filled).min(MAX_LINE + 1)]);
            if let Some(start) = larger.get_mut(..filled) {
                start.copy_from_slice(&buffer);
            }
            buffer = larger;
        }
    }
    if is_empty {
        // Shells empty a file before they write it.
        return Err(Fault::of_file(
            " is empty: write a client a line, or a comment if there is to be none",
        ));
    }
    if filled > 0 {
        // Half a secret would be one too.
        return Err(Fault::at(
            number + 1,
            ": has no line break at its end: add it, so that what is written only in part is not taken for the whole",
        ));
    }
    Ok(())
}

/// Reads a line; `None` if it is blank or a comment.
fn client(line: &[u8]) -> Result<Option<ClientLine<'_>>, String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = ArrayVec::<&[u8], WORDS>::new();
    let all = line.split(|byte| matches!(byte, b' ' | b'\t'));
    for word in all.filter(|word| !word.is_empty()) {
        if words.is_empty() && word.starts_with(b"#") {
            return Ok(None);
        }
        words
            .try_push(word)
            .map_err(|_| ": has more words than a client: write one client a line")?;
    }
    if words.is_empty() {
        return Ok(None);
    }
    ClientLine::read(&Here, &words).map(Some)
}
