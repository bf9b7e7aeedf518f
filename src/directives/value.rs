//! A `VALUE`: a literal, `env:NAME` or `file:PATH`, and what is wrong with one. No message shows
//! what may be a secret.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use ngx::ffi::ngx_str_t;
use sigv4::{Credential, MAX_ACCESS_KEY};
use zeroize::Zeroizing;

use crate::ffi::bytes;
use crate::ffi::conf::{Conf, Value};

/// Reads the value that follows the first `prefix` bytes of a word, which are its parameter's name.
/// `named` is the parameter, for errors; a literal is wiped from nginx's memory.
pub(super) fn read(cf: Conf, named: &str, word: ngx_str_t, prefix: usize) -> Result<Value, String> {
    read_checked(cf, named, word, prefix, |_| None)
}

/// As `read`, of an access key.
pub(super) fn read_access_key(
    cf: Conf,
    named: &str,
    word: ngx_str_t,
    prefix: usize,
) -> Result<Value, String> {
    read_checked(cf, named, word, prefix, |value| match value.len() {
        _ if Credential::is_access_key(value) => None,
        length if length > MAX_ACCESS_KEY => Some(format!(
            "has {length} bytes: write an access key of at most {MAX_ACCESS_KEY}, and no other value"
        )),
        _ => Some(format!(
            "\"{}\" has a character that no access key has: use ASCII without spaces and commas",
            value.escape_ascii()
        )),
    })
}

/// As `read`, of a session token, which is sent in a header.
pub(super) fn read_token(
    cf: Conf,
    named: &str,
    word: ngx_str_t,
    prefix: usize,
) -> Result<Value, String> {
    read_checked(cf, named, word, prefix, |value| {
        let fault = "has a character that no session token has: use ASCII without spaces";
        (!value.iter().all(u8::is_ascii_graphic)).then(|| fault.into())
    })
}

/// As `read`; `fault` says what else is wrong with the value.
fn read_checked(
    cf: Conf,
    named: &str,
    word: ngx_str_t,
    prefix: usize,
    fault: impl Fn(&[u8]) -> Option<String>,
) -> Result<Value, String> {
    // SAFETY: a word of the directive, copied before anything changes it.
    let text = Zeroizing::new(
        unsafe { bytes(word) }
            .get(prefix..)
            .unwrap_or_default()
            .to_vec(),
    );
    let source = Source::of(&text).map_err(|why| format!("{named} {why}"))?;
    let value = match source {
        Source::Literal => {
            cf.wipe(word, prefix);
            text.clone()
        }
        Source::Env(name) => std::env::var_os(OsStr::from_bytes(name))
            .map(|value| Zeroizing::new(value.into_vec()))
            .ok_or_else(|| {
                format!(
                    "{named}: the environment variable \"{0}\" is not set: \
                     set \"{0}\" for nginx's master process, or write \"file:PATH\"",
                    name.escape_ascii()
                )
            })?,
        Source::File(path) => cf
            .first_line(path)
            .map_err(|why| format!("{named}: {why}"))?,
    };
    if value.is_empty() {
        return Err(format!(
            "{named} is empty: give it a value, \"env:NAME\" or \"file:PATH\""
        ));
    }
    if let Some(fault) = fault_of_any(&value) {
        return Err(format!("{named}: {source} {fault}"));
    }
    if let Some(fault) = fault(&value) {
        return Err(format!("{named} {fault}"));
    }
    if let Some(doubt) = doubt(&value) {
        cf.warn(&format!("{named}: {source} {doubt}"));
    }
    Ok(value)
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Literal,
    /// The variable's name.
    Env(&'a [u8]),
    /// The path.
    File(&'a [u8]),
}

impl<'a> Source<'a> {
    fn of(text: &'a [u8]) -> Result<Source<'a>, &'static str> {
        let (kind, rest) = text.split_at(text.iter().position(|c| *c == b':').unwrap_or(0));
        let rest = rest.get(1..).unwrap_or_default();
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
}

impl std::fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Literal => f.write_str("the value"),
            Source::Env(name) => write!(f, "the value of \"env:{}\"", name.escape_ascii()),
            Source::File(path) => write!(f, "the value in \"file:{}\"", path.escape_ascii()),
        }
    }
}

/// What no key has.
fn fault_of_any(value: &[u8]) -> Option<&'static str> {
    let is_placeholder = value
        .strip_prefix(b"${")
        .and_then(|rest| rest.strip_suffix(b"}"))
        .is_some_and(|name| name.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'_'));
    if value.iter().any(u8::is_ascii_control) {
        Some("has a line break or another control character: remove it")
    } else if value.starts_with(b"\xef\xbb\xbf") {
        Some("begins with a byte order mark: save it without one")
    } else if is_placeholder {
        Some("is the name of a variable, which nothing has replaced: put the key there")
    } else {
        None
    }
}

/// What few keys have, and many copies of keys.
fn doubt(value: &[u8]) -> Option<&'static str> {
    match value {
        [b' ', ..] | [.., b' '] => {
            Some("begins or ends with a space: remove it, unless it belongs to the key")
        }
        [b'"', .., b'"'] | [b'\'', .., b'\''] => {
            Some("is in quotes: remove them, unless they belong to the key")
        }
        _ => None,
    }
}
