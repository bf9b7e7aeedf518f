//! What readers need beside the words, and what they doubt.

use std::mem;

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

    pub(crate) fn access_key(&mut self, named: &str, text: &[u8]) -> Result<Box<[u8]>, String> {
        let value = self.value(named, text, Kind::AccessKey)?;
        Ok(value.as_slice().into())
    }

    pub(crate) fn secret_key(&mut self, named: &str, text: &[u8]) -> Result<SecretKey, String> {
        self.secret(named, text, Kind::SecretKey)
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
