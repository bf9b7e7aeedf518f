//! What readers need beside the words, and what they doubt.

use std::ffi::OsStr;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use secrets::{Kind, Outside};
use sigv4::SecretKey;

/// The reading of one line.
#[derive(Debug)]
pub struct Reading<'a> {
    outside: &'a Outside<'a>,
    doubts: Vec<String>,
}

impl<'a> Reading<'a> {
    pub fn new(outside: &'a Outside<'a>) -> Reading<'a> {
        Reading {
            outside,
            doubts: Vec::new(),
        }
    }

    /// What is likely to be a mistake, to be logged as warnings.
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    pub(crate) fn doubt(&mut self, what: String) {
        self.doubts.push(what);
    }

    /// Looks an environment variable up that AWS's SDKs know, too; one that is empty is not set.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let value = (self.outside.variable)(OsStr::new(name))?
            .into_string()
            .ok()?;
        (!value.is_empty()).then_some(value)
    }

    /// Completes a path that a line names.
    pub(crate) fn path(&self, path: &[u8]) -> PathBuf {
        self.outside.folder.join(OsStr::from_bytes(path))
    }

    /// The process that reads, as messages name it.
    pub(crate) fn process(&self) -> &'a str {
        self.outside.process
    }

    /// Reads the path of a file, which may begin at the folder of the configuration.
    pub(crate) fn file(&self, named: &str, text: &[u8]) -> Result<PathBuf, String> {
        let kinds: [&[u8]; 2] = [b"env:", b"file:"];
        if text.is_empty() || text.contains(&0) || kinds.iter().any(|kind| text.starts_with(kind)) {
            return Err(format!("{named} takes the path of a file: write \"/PATH\""));
        }
        Ok(self.path(text))
    }

    pub(crate) fn access_key(&mut self, named: &str, text: &[u8]) -> Result<Box<[u8]>, String> {
        let value = self.value(named, text, Kind::AccessKey)?;
        Ok(value.as_slice().into())
    }

    pub(crate) fn secret_key(&mut self, named: &str, text: &[u8]) -> Result<SecretKey, String> {
        self.secret(named, text, Kind::SecretKey)
    }

    /// Reads a secret of at least so many bytes.
    pub(crate) fn seal_key(
        &mut self,
        named: &str,
        text: &[u8],
        shortest: usize,
    ) -> Result<SecretKey, String> {
        let mut value = self.value(named, text, Kind::SecretKey)?;
        if value.len() < shortest {
            return Err(format!(
                "{named} has fewer than {shortest} bytes, which can be guessed: write what \"openssl rand -hex 32\" \
                 prints"
            ));
        }
        Ok(SecretKey::new(mem::take(&mut *value)))
    }

    pub(crate) fn session_token(&mut self, named: &str, text: &[u8]) -> Result<SecretKey, String> {
        self.secret(named, text, Kind::SessionToken)
    }

    fn secret(&mut self, named: &str, text: &[u8], kind: Kind) -> Result<SecretKey, String> {
        let mut value = self.value(named, text, kind)?;
        Ok(SecretKey::new(mem::take(&mut *value)))
    }

    fn value(&mut self, named: &str, text: &[u8], kind: Kind) -> Result<secrets::Value, String> {
        let secret = secrets::read(named, text, kind, self.outside)?;
        self.doubts.extend(secret.doubt().map(str::to_owned));
        Ok(secret.into_value())
    }
}
