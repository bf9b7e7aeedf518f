//! Reads one variable: `NAME`, or `NAME_FILE` with the path of a file whose first line is the value.

use std::{io::ErrorKind, path::Path};

use directives::parse_port;
use secrets::{Fault, Kind, Unreadable, Value, check};
use sigv4::Region;
use zeroize::Zeroizing;

use crate::{
    address::Address,
    environment::{Environment, Outside},
    error::Error,
    placeholder::is_placeholder,
};

#[derive(Clone, Copy)]
pub(crate) struct Variables<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) outside: &'a dyn Outside,
}

/// The value of a variable that is set.
pub(crate) struct Found<'a> {
    pub(crate) value: Value,
    /// `NAME` or `NAME_FILE`
    pub(crate) named: String,
    /// The path of the file.
    path: Option<&'a str>,
}

impl<'a> Variables<'a> {
    pub(crate) fn find(self, name: &str) -> Result<Option<Found<'a>>, Error> {
        let value = self.environment.get(name);
        let named = format!("{name}_FILE");
        match (value, self.environment.get(&named)) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(Error::BothSet { name: name.into() }),
            (Some(value), None) => Ok(Some(Found {
                value: Zeroizing::new(value.to_vec()),
                named: name.into(),
                path: None,
            })),
            (None, Some(path)) => {
                let path = parse_path(&named, path)?;
                Ok(Some(Found {
                    value: self.first_line(&named, path)?,
                    named,
                    path: Some(path),
                }))
            }
        }
    }

    fn first_line(self, named: &str, path: &str) -> Result<Value, Error> {
        let named = || named.to_owned();
        let user = self.outside.user();
        let line = self.outside.first_line(Path::new(path));
        let line = line.map_err(|why| match why {
            Unreadable::Open(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Error::NoFile { named: named() }
            }
            Unreadable::Open(_) | Unreadable::Read(_) => Error::UnreadableFile {
                named: named(),
                user,
            },
            why => Error::Line {
                named: named(),
                why,
            },
        })?;
        match line.is_empty() {
            true => Err(Error::EmptyFile { named: named() }),
            false => Ok(line),
        }
    }

    /// As `find`, of a variable that must be set, and to something real.
    pub(crate) fn require(self, name: &str) -> Result<Found<'a>, Error> {
        let found = self.find(name)?;
        let found = found.ok_or_else(|| Error::Missing { name: name.into() })?;
        found.reject_placeholder(name)?;
        Ok(found)
    }

    /// Checks a key. The result is what `nginx.conf` says for it: where nginx finds it.
    pub(crate) fn key(self, name: &str, kind: Kind) -> Result<String, Error> {
        let found = self.require(name)?;
        check(&found.value, kind).map_err(|fault| Error::Key {
            named: found.named,
            fault: match (kind, fault) {
                (Kind::AccessKey, Fault::ControlCharacter) => Fault::NoAccessKey,
                (_, fault) => fault,
            },
        })?;
        Ok(match found.path {
            None => format!("env:{name}"),
            Some(path) => format!("file:{path}"),
        })
    }

    /// As `key`, of one that need not be set.
    pub(crate) fn optional_key(self, name: &str, kind: Kind) -> Result<Option<String>, Error> {
        match self.find(name)? {
            None => Ok(None),
            Some(_) => self.key(name, kind).map(Some),
        }
    }

    /// One of some words, or the default.
    pub(crate) fn word(
        self,
        name: &str,
        words: &'static [&'static str],
        default: &'static str,
    ) -> Result<&'static str, Error> {
        let Some(found) = self.find(name)? else {
            return Ok(default);
        };
        let word = words
            .iter()
            .find(|word| word.as_bytes() == found.value.as_slice());
        word.copied().ok_or_else(|| Error::NoneOf {
            name: name.into(),
            words,
        })
    }

    pub(crate) fn flag(self, name: &str, default: bool) -> Result<bool, Error> {
        let Some(found) = self.find(name)? else {
            return Ok(default);
        };
        match found.value.as_slice() {
            b"1" | b"on" | b"On" | b"ON" | b"true" | b"True" | b"TRUE" | b"yes" | b"Yes"
            | b"YES" => Ok(true),
            b"0" | b"off" | b"Off" | b"OFF" | b"false" | b"False" | b"FALSE" | b"no" | b"No"
            | b"NO" => Ok(false),
            _ => Err(Error::NeitherOnNorOff { name: name.into() }),
        }
    }

    /// What becomes of requests without a signature: `on`, or `sign` with its parameters; `None` for `off`.
    pub(crate) fn anonymous(self, name: &str) -> Result<Option<String>, Error> {
        let found = self.find(name)?;
        if !found.is_some_and(|found| found.value.starts_with(b"sign")) {
            let is_on = self.flag(name, false)?;
            return Ok(is_on.then(|| "on".into()));
        }
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"=.,/_*- ".contains(&c);
        let is_it = |text: &str| {
            let words = ["s3_anonymous"].into_iter().chain(text.split(' '));
            let line: Vec<&[u8]> = words.map(str::as_bytes).collect();
            text.bytes().all(is_plain) && directives::anonymous(&line).is_ok()
        };
        let what = "what s3_anonymous takes: write sign, or as sign allow=GetObject,HeadObject buckets=media";
        self.text(name, is_it, what)
    }

    /// A text that `is_it`; all of it must be ASCII. `what` is what it should be.
    pub(crate) fn text(
        self,
        name: &str,
        is_it: impl Fn(&str) -> bool,
        what: &'static str,
    ) -> Result<Option<String>, Error> {
        let Some(found) = self.find(name)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&found.value).unwrap_or_default();
        match text.is_ascii() && !text.is_empty() && is_it(text) {
            true => Ok(Some(text.to_owned())),
            false => Err(Error::IsNot {
                name: name.into(),
                what,
            }),
        }
    }

    pub(crate) fn time(self, name: &str) -> Result<Option<String>, Error> {
        let is_it = |text: &str| {
            text.bytes()
                .all(|c| c.is_ascii_digit() || b"smhd".contains(&c))
        };
        self.text(name, is_it, "a time: write one as 15m or 30s")
    }

    /// Reads domains that are separated by spaces or commas; they come back with spaces.
    pub(crate) fn domains(self, name: &str) -> Result<Option<String>, Error> {
        let words = |text: &str| {
            let words = text.split([' ', ',']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let is_it = |text: &str| {
            let words = words(text);
            let line: Vec<&[u8]> = ["s3_domain"]
                .into_iter()
                .chain(words.iter().map(String::as_str))
                .map(str::as_bytes)
                .collect();
            !words.is_empty() && directives::domains(&line).is_ok()
        };
        let found = self.text(
            name,
            is_it,
            "a list of domains: write NAME or HOST=BUCKET, separated by spaces, each once, without \
             scheme, port and path",
        )?;
        Ok(found.map(|text| words(&text).join(" ")))
    }

    pub(crate) fn prefix(self, name: &str) -> Result<Option<String>, Error> {
        let is_it = |text: &str| directives::prefix(&[b"s3_prefix", text.as_bytes()]).is_ok();
        self.text(
            name,
            is_it,
            "the beginning of a path: write one as /s3, without a slash at its end",
        )
    }

    pub(crate) fn region(self, name: &str) -> Result<Option<Region>, Error> {
        let Some(found) = self.find(name)? else {
            return Ok(None);
        };
        let region = Region::parse_name(&found.value);
        region.map(Some).ok_or_else(|| Error::IsNot {
            name: name.into(),
            // A part of it is a region.
            what: match found
                .value
                .chunks(8)
                .all(|part| Region::parse(part).is_some())
            {
                true => "a region: write at most 64 characters",
                false => {
                    "a region: write letters, digits, dashes, dots and underscores, as us-east-1"
                }
            },
        })
    }

    pub(crate) fn port(self, name: &str) -> Result<Option<u16>, Error> {
        let Some(found) = self.find(name)? else {
            return Ok(None);
        };
        let port = parse_port(&found.value);
        port.map(Some).ok_or_else(|| Error::IsNot {
            name: name.into(),
            what: "a port: write a number from 1 to 65535",
        })
    }

    pub(crate) fn address(self, name: &str) -> Result<Option<Address>, Error> {
        let Some(found) = self.find(name)? else {
            return Ok(None);
        };
        found.reject_placeholder(name)?;
        let address = Address::parse(&found.value);
        address.map(Some).ok_or_else(|| Error::IsNot {
            name: name.into(),
            what: "a host: write NAME or NAME:PORT, as s3.us-east-1.amazonaws.com, without http://",
        })
    }

    /// The path of a file; not the file's first line, unless `NAME_FILE` says where the path is.
    pub(crate) fn path(self, name: &str) -> Result<Option<String>, Error> {
        let Some(found) = self.find(name)? else {
            return Ok(None);
        };
        parse_path(name, &found.value).map(|path| Some(path.to_owned()))
    }
}

impl Found<'_> {
    fn reject_placeholder(&self, name: &str) -> Result<(), Error> {
        match is_placeholder(name, &self.value) {
            true => Err(Error::Placeholder {
                named: self.named.clone(),
            }),
            false => Ok(()),
        }
    }
}

/// Checks a path that goes into `nginx.conf`, which would read other characters as something else.
pub(crate) fn parse_path<'a>(named: &str, path: &'a [u8]) -> Result<&'a str, Error> {
    let is_plain = |c: &u8| c.is_ascii_alphanumeric() || b"/._@%+=:,-".contains(c);
    match std::str::from_utf8(path) {
        Ok(path) if path.bytes().all(|c| is_plain(&c)) => match path.starts_with('/') {
            true => Ok(path),
            false => Err(Error::RelativePath {
                named: named.into(),
            }),
        },
        _ => Err(Error::PathCharacters {
            named: named.into(),
        }),
    }
}
