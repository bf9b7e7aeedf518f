//! Reads keys as configurations write them: a literal, `env:NAME` or `file:PATH`.
//!
//! - [`read`] reads what a configuration says and checks it: `read(named, text, kind, &outside)`.
//!   The result is a [`Secret`]: its value, and a doubt about it, if there is one, to be logged as a
//!   warning. An error is the whole message, which begins with `named` and says what to write instead.
//! - [`Kind`] is what the value is for: an access key, a secret key or a session token.
//! - [`Outside`] is all that is read beside the text: variables, the folder of relative paths.
//! - [`check_literal`] and [`doubt`] are for values that stand in the thousands, all literally.
//! - [`first_line`] reads a file as `file:PATH` does, and [`check`] checks a value by itself, for those
//!   with messages of their own. Their errors are [`Unreadable`] and [`Fault`].
//!
//! A [`Value`] is zeroised when dropped, and so is every buffer on its way. No message and no `Debug`
//! shows a value, nor a text that may be one.
#![forbid(unsafe_code)]

mod file;
mod source;
mod value;

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::Path,
    time::Duration,
};

use zeroize::Zeroizing;

pub use crate::{
    file::{Unreadable, first_line, whole_file},
    value::{Fault, Kind, check},
};
use crate::{source::Source, value::doubt_of};

/// The longest value, in bytes, wherever it comes from.
pub const MAX_VALUE: usize = 64 * 1024;

/// The bytes of a key. Zeroised when dropped.
pub type Value = Zeroizing<Vec<u8>>;

/// What is read beside the text of a configuration.
pub struct Outside<'a> {
    /// Looks an environment variable up.
    pub variable: &'a dyn Fn(&OsStr) -> Option<OsString>,
    /// The folder that relative paths start at.
    pub folder: &'a Path,
    /// The longest wait for the line of a pipe or a terminal.
    pub wait: Duration,
    /// The process that reads, as messages name it.
    pub process: &'a str,
}

/// A key that was read.
pub struct Secret {
    value: Value,
    doubt: Option<String>,
}

impl Secret {
    /// The message about what is likely to be a mistake.
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    pub fn into_value(self) -> Value {
        self.value
    }
}

/// Reads a literal, `env:NAME` or `file:PATH`. `named` is what messages call it.
pub fn read(named: &str, text: &[u8], kind: Kind, outside: &Outside<'_>) -> Result<Secret, String> {
    let source = Source::parse(text).map_err(|why| format!("{named} {why}"))?;
    let value = source
        .value(text, outside)
        .map_err(|why| format!("{named}: {why}"))?;
    check(&value, kind).map_err(|fault| match fault {
        Fault::TooLong | Fault::ControlCharacter | Fault::ByteOrderMark | Fault::Placeholder => {
            format!("{named}: {source} {fault}")
        }
        Fault::Empty | Fault::LongAccessKey(_) | Fault::NoAccessKey | Fault::NoToken => {
            format!("{named} {fault}")
        }
    })?;
    let doubt = doubt_of(&value).map(|doubt| format!("{named}: {source} {doubt}"));
    Ok(Secret { value, doubt })
}

/// Checks a value that stands where nothing but literals can. Returns what is wrong with it, after whatever `text` is
/// called.
pub fn check_literal(text: &[u8], kind: Kind) -> Result<(), String> {
    if matches!(Source::parse(text), Ok(Source::Env(_) | Source::File(_))) {
        return Err(
            "has \"env:\" or \"file:\", which are not read here: write the value itself".into(),
        );
    }
    check(text, kind).map_err(|fault| match fault {
        Fault::Empty => "is empty: give it a value".into(),
        fault => fault.to_string(),
    })
}

/// Returns what is likely to be a mistake in a value, after whatever that is called.
pub fn doubt(value: &[u8]) -> Option<&'static str> {
    doubt_of(value)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("doubt", &self.doubt)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Outside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("folder", &self.folder)
            .field("wait", &self.wait)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}
