//! What is wrong with a file.

use std::fmt;

/// What is wrong with a file, without anything of its content that may be a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The first one is 1; `None` for the file as a whole.
    pub line: Option<u64>,
    /// What follows its name and the number of the line.
    pub why: String,
}

impl Fault {
    pub(crate) fn at(line: u64, why: impl Into<String>) -> Fault {
        Fault {
            line: Some(line),
            why: why.into(),
        }
    }

    pub(crate) fn of_file(why: impl Into<String>) -> Fault {
        Fault {
            line: None,
            why: why.into(),
        }
    }

    pub(crate) fn no_memory(error: &std::io::Error) -> Fault {
        Fault::of_file(format!(
            " does not fit into memory ({error}): make it smaller, or give nginx more memory"
        ))
    }
}

/// Writes what follows the file's name.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(&self.why)
    }
}
