//! What may be wrong. `Display` is the line that the user sees.

use std::fmt;

use secrets::{Fault, Unreadable};

/// Names are those of variables. `named` is `NAME`, or `NAME_FILE` where the value is in a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    // ---- one variable
    BothSet {
        name: String,
    },
    Missing {
        name: String,
    },
    Placeholder {
        named: String,
    },
    Key {
        named: String,
        fault: Fault,
    },
    NoneOf {
        name: String,
        words: &'static [&'static str],
    },
    NeitherOnNorOff {
        name: String,
    },
    /// It is not what it should be.
    IsNot {
        name: String,
        what: &'static str,
    },

    // ---- paths and files
    PathCharacters {
        named: String,
    },
    RelativePath {
        named: String,
    },
    NoFile {
        named: String,
    },
    UnreadableFile {
        named: String,
        user: u32,
    },
    EmptyFile {
        named: String,
    },
    /// Its first line is too long, or does not end.
    Line {
        named: String,
        why: Unreadable,
    },
    Authorities {
        user: u32,
    },

    // ---- origins
    UnknownName {
        name: String,
        prefix: String,
        suffixes: String,
    },
    NoOrigin {
        name: String,
    },
    OneAndSeveral {
        one: String,
        several: String,
    },
    Schemes {
        prefix: String,
        scheme: &'static str,
        first: String,
        first_scheme: &'static str,
    },
    TwoAddresses {
        prefix: String,
    },
    TwoPorts {
        prefix: String,
        named: String,
    },
    SameAddress {
        named: String,
    },
    AllBackups {
        prefix: String,
    },

    // ---- nginx and its files
    NoNginx,
    BrokenNginx,
    NoModule {
        path: String,
    },
    /// The folder cannot be written to.
    Run {
        path: String,
        user: u32,
    },
    Template {
        path: Vec<u8>,
        user: u32,
    },
    TemplateName {
        path: Vec<u8>,
        line: usize,
        name: String,
    },
    Write {
        path: String,
        why: std::io::Error,
    },
    /// nginx has said why.
    Rejected,
    Signals(std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::BothSet { name } => {
                write!(f, "{name} and {name}_FILE are both set: unset one of them")
            }
            Error::Missing { name } => write!(
                f,
                "{name} is missing: set it, or {name}_FILE to the path of a file that has it"
            ),
            Error::Placeholder { named } => {
                write!(
                    f,
                    "{named} is still a placeholder: set it to the real value"
                )
            }
            Error::Key { named, fault } => write!(f, "{named} {fault}"),
            Error::NoneOf { name, words } => {
                write!(f, "{name} is none of these: {}", words.join(" "))
            }
            Error::NeitherOnNorOff { name } => {
                write!(f, "{name} is neither on nor off: write one of the two")
            }
            Error::IsNot { name, what } => write!(f, "{name} is not {what}"),

            Error::PathCharacters { named } => write!(
                f,
                "{named} has a path with other characters than letters, digits and /._@%+=:,-"
            ),
            Error::RelativePath { named } => write!(
                f,
                "{named} has a path without a slash in front: write it from the root"
            ),
            Error::NoFile { named } => {
                write!(f, "{named} names a file that is not there: mount it")
            }
            Error::UnreadableFile { named, user } => write!(
                f,
                "{named} names a file that user {user} cannot read: make it readable"
            ),
            Error::EmptyFile { named } => write!(
                f,
                "{named} names a file with an empty first line: put the value there"
            ),
            Error::Line { named, why } => write!(f, "{named} names a file whose first line {why}"),
            Error::Authorities { user } => write!(
                f,
                "S3_TLS_CA is no file that user {user} can read: set it to a bundle of CA certificates"
            ),

            Error::UnknownName {
                name,
                prefix,
                suffixes,
            } => write!(
                f,
                "{name} is unknown: behind {prefix}_ comes one of {suffixes}"
            ),
            Error::NoOrigin { name } => write!(
                f,
                "{name} belongs to no origin: their names begin with SERVERA_, SERVERB_ and so on to \
                 SERVERZ_"
            ),
            Error::OneAndSeveral { one, several } => write!(
                f,
                "{one} and {several} are both set: ORIGIN_ is for one origin, SERVERA_ and so on for \
                 several: unset one kind"
            ),
            Error::Schemes {
                prefix,
                scheme,
                first,
                first_scheme,
            } => write!(
                f,
                "{prefix}_SCHEME is {scheme}, {first}_SCHEME is {first_scheme}: nginx speaks one of \
                 them to all origins: choose one, or start an image for each"
            ),
            Error::TwoAddresses { prefix } => write!(
                f,
                "{prefix}_ENDPOINT and {prefix}_HOST differ, and mean the same: unset one of them"
            ),
            Error::TwoPorts { prefix, named } => write!(
                f,
                "{prefix}_PORT and the port in {named} differ: remove one of them"
            ),
            Error::SameAddress { named } => write!(
                f,
                "{named} is where another origin is already: name each once"
            ),
            Error::AllBackups { prefix } => write!(
                f,
                "{prefix}_BACKUP is on, as with all origins: leave one that is none"
            ),

            Error::NoNginx => f.write_str(
                "NGINX is missing, and there is no nginx on PATH: set it to the path of one",
            ),
            Error::BrokenNginx => f.write_str("NGINX is no nginx that runs here"),
            Error::NoModule { path } => write!(
                f,
                "S3_RESIGN_MODULE: there is no module {path}: set it to the path of one"
            ),
            Error::Run { path, user } => write!(
                f,
                "S3_RESIGN_RUN, {path}, is no folder that user {user} can write to: mount a tmpfs there"
            ),
            Error::Template { path, user } => write!(
                f,
                "S3_RESIGN_TEMPLATE, {}, is no file that user {user} can read",
                path.escape_ascii()
            ),
            Error::TemplateName { path, line, name } => write!(
                f,
                "{}:{line}: nothing has the name {name}",
                path.escape_ascii()
            ),
            Error::Write { path, why } => write!(f, "{path} cannot be written: {why}"),
            Error::Signals(why) => write!(f, "signals cannot be minded: {why}"),
            Error::Rejected => f.write_str("nginx rejects the configuration, see above"),
        }
    }
}

impl std::error::Error for Error {}
