//! Where a value is: in the text itself, in the environment, or in a file.

use std::{
    ffi::OsStr,
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use zeroize::Zeroizing;

use crate::{Outside, Unreadable, Value, first_line};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    Literal,
    /// The variable's name.
    Env(&'a [u8]),
    /// The path.
    File(&'a [u8]),
}

impl<'a> Source<'a> {
    /// Tells where a text says that its value is, or what is wrong with the text.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Source<'a>, &'static str> {
        let (kind, rest) = text.split_at(text.iter().position(|c| *c == b':').unwrap_or(0));
        let rest = rest.strip_prefix(b":").unwrap_or_default();
        match kind {
            b"env" if rest.starts_with(b"$") => {
                Err("names an environment variable with a \"$\": write \"env:NAME\"")
            }
            b"env" => Ok(Source::Env(rest)),
            b"file" => Ok(Source::File(rest)),
            _ if kind.eq_ignore_ascii_case(b"env") || kind.eq_ignore_ascii_case(b"file") => {
                Err("has \"env:\" or \"file:\" in upper case: write it in lower case")
            }
            _ if text.starts_with(b"$") => Err(
                "begins with \"$\", but variables are not expanded here: write \"env:NAME\", or \
                 \"file:PATH\" for a value that begins so",
            ),
            _ => Ok(Source::Literal),
        }
    }

    /// Reads the value. `text` is what this was parsed from.
    pub(crate) fn value(self, text: &[u8], outside: &Outside<'_>) -> Result<Value, String> {
        match self {
            Source::Literal => Ok(Zeroizing::new(text.to_vec())),
            Source::Env(name) => variable(name, outside),
            Source::File(path) => {
                let path = outside.folder.join(Path::new(OsStr::from_bytes(path)));
                first_line(&path, outside.wait).map_err(|why| unreadable(&path, &why, outside))
            }
        }
    }
}

fn variable(name: &[u8], outside: &Outside<'_>) -> Result<Value, String> {
    let value = (outside.variable)(OsStr::from_bytes(name));
    let process = outside.process;
    value
        .map(|value| Zeroizing::new(value.into_vec()))
        .ok_or_else(|| match is_name(name) {
            true => format!(
                "the environment variable \"{0}\" is not set: set \"{0}\" for {process}, or write \
                 \"file:PATH\"",
                name.escape_ascii()
            ),
            false => format!(
                "there is no environment variable with what follows \"env:\" as its name: write \
                 \"env:NAME\" with the name of one that is set for {process}"
            ),
        })
}

/// Whether a name of no variable is one all the same, and not a key in the wrong place.
fn is_name(name: &[u8]) -> bool {
    name.iter()
        .all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(c))
}

fn unreadable(path: &Path, why: &Unreadable, outside: &Outside<'_>) -> String {
    let (path, process) = (path.display(), outside.process);
    match why {
        Unreadable::Open(error) => {
            format!("cannot read \"{path}\": {error}: make it readable for {process}")
        }
        Unreadable::Read(error) => format!("cannot read \"{path}\": {error}"),
        Unreadable::TooLong => format!("the first line of \"{path}\" {why}"),
        Unreadable::TooSlow(_) => format!("cannot read \"{path}\": it {why}"),
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Literal => f.write_str("the value"),
            Source::Env(name) => write!(f, "the value of \"env:{}\"", name.escape_ascii()),
            Source::File(path) => write!(f, "the value in \"file:{}\"", path.escape_ascii()),
        }
    }
}
