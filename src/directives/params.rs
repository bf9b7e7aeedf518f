//! The `name=value` words of a line.

use std::fmt::Display;

/// Each is asked for by its name; what is left is unknown.
#[derive(Debug)]
pub(crate) struct Params<'n, 'a, N: ?Sized = str> {
    named: &'n N,
    words: Vec<&'a [u8]>,
    known: Vec<&'static str>,
}

impl<'n, 'a, N: Display + ?Sized> Params<'n, 'a, N> {
    /// `named` is the directive, for messages.
    pub(crate) fn new(named: &'n N, words: &[&'a [u8]]) -> Params<'n, 'a, N> {
        Params {
            named,
            words: words.to_vec(),
            known: Vec::new(),
        }
    }

    /// Takes the value of a parameter; `None` if it is not there.
    pub(crate) fn take(&mut self, name: &'static str) -> Result<Option<&'a [u8]>, String> {
        self.known.push(name);
        let mut values = self
            .words
            .extract_if(.., |word| value_of(word, name).is_some());
        let value = values.next().and_then(|word| value_of(word, name));
        if values.next().is_some() {
            return Err(format!(
                "{}: \"{name}=\" is duplicate: keep one",
                self.named
            ));
        }
        Ok(value)
    }

    /// Takes the values of a parameter that may be there several times.
    pub(crate) fn take_all(&mut self, name: &'static str) -> Vec<&'a [u8]> {
        self.known.push(name);
        let values = self
            .words
            .extract_if(.., |word| value_of(word, name).is_some());
        values.filter_map(|word| value_of(word, name)).collect()
    }

    /// Takes the value of a parameter that is a key, as `read` reads it.
    pub(crate) fn take_key<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str, &[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let value = self.take(name)?;
        let named = || format!("{} \"{name}=\"", self.named);
        value.map(|value| read(&named(), value)).transpose()
    }

    /// Ends the line: an error if a word is left.
    pub(crate) fn done(self) -> Result<(), String> {
        let Some(word) = self.words.first() else {
            return Ok(());
        };
        let known = self.known.join("=\", \"");
        let named = self.named;
        // All else may be a secret.
        Err(match name_of(word) {
            Some(name) => format!("{named}: unknown parameter \"{name}\": it takes \"{known}=\""),
            None => format!("{named}: a word is not a parameter: it takes \"{known}=\""),
        })
    }
}

fn value_of<'a>(word: &'a [u8], name: &str) -> Option<&'a [u8]> {
    word.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

/// The name of a parameter that may be meant.
fn name_of(word: &[u8]) -> Option<&str> {
    let end = word.iter().position(|c| *c == b'=')?;
    let name = word.get(..end)?;
    let is_name =
        (1..=16).contains(&name.len()) && name.iter().all(|c| c.is_ascii_lowercase() || *c == b'_');
    std::str::from_utf8(name).ok().filter(|_| is_name)
}

/// The message about a key that is not there.
pub(crate) fn missing(named: &str, param: &str) -> String {
    format!(
        "{named} lacks \"{param}=\": add \"{param}=VALUE\", \"{param}=env:NAME\" or \
         \"{param}=file:PATH\""
    )
}
