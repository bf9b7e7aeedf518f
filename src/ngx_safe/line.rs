//! The line of a directive that nginx reads.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ngx::ffi::{ngx_conf_full_name, ngx_conf_t, ngx_str_t};
use zeroize::Zeroize;

use crate::conf::Conf;
use crate::tables::array;
use crate::template::Template;
use crate::{OK, bytes, str_of};

/// The words of a line, as long as its setter runs. There is one `Line` for a line, so that no word is
/// read while it is wiped:
///
/// ```compile_fail,E0502
/// fn wipe(line: &mut ngx_safe::line::Line<'_>) -> usize {
///     let words = line.words();
///     line.wipe(1);
///     words.len()
/// }
/// ```
///
/// Nothing else can be wiped:
///
/// ```compile_fail,E0308
/// fn wipe(line: &mut ngx_safe::line::Line<'_>, word: &[u8]) {
///     line.wipe(word);
/// }
/// ```
#[derive(Debug)]
pub struct Line<'c> {
    cf: Conf<'c>,
    words: &'c [ngx_str_t],
    /// The bytes of the words are this line's alone.
    alone: PhantomData<&'c mut [u8]>,
}

impl<'c> Line<'c> {
    /// # Safety
    /// `cf` is what nginx handed to a setter. The result does not outlive the setter, and is the only
    /// `Line` in it.
    pub(crate) unsafe fn from_ptr(cf: *mut ngx_conf_t) -> Option<Line<'c>> {
        // SAFETY: by this function's contract.
        let cf = unsafe { Conf::from_ptr(cf) }?;
        // SAFETY: null, or the words of the line.
        let words = unsafe { cf.raw().args.as_ref() }?;
        Some(Line {
            cf,
            // SAFETY: while a directive is read, its words are in this array.
            words: unsafe { array(words) },
            alone: PhantomData,
        })
    }

    /// Returns the configuration that the line is in.
    pub fn conf(&self) -> Conf<'c> {
        self.cf
    }

    /// Returns the words of the line, its name first.
    pub fn words(&self) -> Vec<&[u8]> {
        self.words
            .iter()
            // SAFETY: a word of the line, which only `wipe` changes.
            .map(|word| unsafe { bytes(*word) })
            .collect()
    }

    /// Overwrites nginx's copy of the word at `index`.
    pub fn wipe(&mut self, index: usize) {
        let Some(word) = self.words.get(index).filter(|word| !word.data.is_null()) else {
            return;
        };
        // SAFETY: a word of the line: nginx's own copy, writable, and borrowed by nobody, as `self` is
        // borrowed mutably.
        let word = unsafe { std::slice::from_raw_parts_mut(word.data, word.len) };
        word.zeroize();
    }

    /// Compiles the word at `index`, a text with variables. `Err` is empty where nginx has said what is
    /// wrong with it.
    pub fn template(&self, index: usize) -> Result<Template, String> {
        let mut text = *self.words.get(index).ok_or("")?;
        self.cf.compile_text(&mut text)
    }

    /// Returns the folder of nginx.conf, where nginx's own relative paths start.
    pub fn folder(&self) -> PathBuf {
        let mut name = str_of(c"");
        let cycle = self.cf.raw().cycle;
        // SAFETY: the cycle has the folder's name; this name ends with NUL, as nginx wants it, and is
        // only read.
        let found = unsafe { ngx_conf_full_name(cycle, &mut name, 1) } == OK;
        // SAFETY: what was found is in the cycle's pool.
        let folder = unsafe { bytes(name) };
        match found {
            true => OsStr::from_bytes(folder).into(),
            false => PathBuf::new(),
        }
    }
}
