//! A machine of the tests' own.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Debug,
    io::{Error as IoError, ErrorKind},
    os::unix::ffi::OsStringExt,
    path::Path,
};

use entrypoint::{Build, Environment, Error, Machine, Outside, Places, Settings, conf};
use secrets::{Unreadable, Value};

pub(crate) const TEMPLATE: &str = include_str!("../../../../nginx/default.conf.template");

/// Files by their paths, and names that have an address.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) files: BTreeMap<&'static str, &'static [u8]>,
    pub(crate) names: Vec<&'static str>,
}

impl Outside for Fake {
    fn user(&self) -> u32 {
        10001
    }

    fn first_line(&self, path: &Path) -> Result<Value, Unreadable> {
        let kind = match path.to_str() {
            Some("/secret") => ErrorKind::PermissionDenied,
            Some("/file/below") => ErrorKind::NotADirectory,
            Some("/long") => return Err(Unreadable::TooLong),
            Some("/folder") => return Err(Unreadable::Read(ErrorKind::IsADirectory.into())),
            Some(path) => match self.files.get(path) {
                Some(line) => return Ok(Value::new(line.to_vec())),
                None => ErrorKind::NotFound,
            },
            None => ErrorKind::NotFound,
        };
        Err(Unreadable::Open(IoError::from(kind)))
    }

    fn can_read(&self, path: &Path) -> bool {
        path.starts_with("/etc/ssl")
    }

    fn has_address(&self, name: &str) -> bool {
        self.names.contains(&name)
    }
}

pub(crate) fn keys() -> BTreeMap<String, Vec<u8>> {
    variables(&[
        ("CLIENT_ACCESS_KEY", "AKIDCLIENT"),
        ("CLIENT_SECRET_KEY", "secret/of+client"),
    ])
}

/// One origin.
pub(crate) fn one() -> BTreeMap<String, Vec<u8>> {
    let origin = [
        ("ORIGIN_ACCESS_KEY", "AKIDA"),
        ("ORIGIN_SECRET_KEY", "secret/of+A"),
        ("ORIGIN_DOMAIN", "s3.mydomain.com"),
    ];
    with(keys(), &origin)
}

/// Two origins.
pub(crate) fn two() -> BTreeMap<String, Vec<u8>> {
    let origins = [
        ("SERVERA_ACCESS_KEY", "AKIDA"),
        ("SERVERA_SECRET_KEY", "secret/of+A"),
        ("SERVERA_ENDPOINT", "a.mydomain.com"),
        ("SERVERB_ACCESS_KEY", "AKIDB"),
        ("SERVERB_SECRET_KEY", "secret/of+B"),
        ("SERVERB_ENDPOINT", "b.mydomain.com"),
    ];
    with(keys(), &origins)
}

pub(crate) fn variables(list: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    with(BTreeMap::new(), list)
}

/// With more variables, or other values; an empty one counts as not set.
pub(crate) fn with(
    mut variables: BTreeMap<String, Vec<u8>>,
    more: &[(&str, &str)],
) -> BTreeMap<String, Vec<u8>> {
    for (name, value) in more {
        variables.insert((*name).into(), value.as_bytes().into());
    }
    variables
}

pub(crate) fn environment(variables: BTreeMap<String, Vec<u8>>) -> Environment {
    let variables = variables.into_iter();
    Environment::new(variables.map(|(name, value)| (name.into(), OsString::from_vec(value))))
}

pub(crate) fn machine() -> Machine {
    Machine {
        build: Build {
            version: (1, 28, 0),
            modules_enabled: None,
        },
        load_module: vec!["load_module /module.so;".into()],
        processors: 4,
        has_stdout: true,
        ..Machine::default()
    }
}

/// The configuration.
pub(crate) fn made(variables: BTreeMap<String, Vec<u8>>) -> Result<String, Error> {
    made_on(variables, &machine(), &Fake::default())
}

pub(crate) fn made_on(
    variables: BTreeMap<String, Vec<u8>>,
    machine: &Machine,
    outside: &Fake,
) -> Result<String, Error> {
    let environment = environment(variables);
    let places = Places::read(&environment)?;
    let settings = Settings::read(&environment, outside)?;
    let text = conf(TEMPLATE.as_bytes(), &places, machine, &settings, outside)?;
    Ok(text_of(String::from_utf8(text)))
}

#[track_caller]
pub(crate) fn text_of<E: Debug>(result: Result<String, E>) -> String {
    match result {
        Ok(text) => text,
        Err(error) => panic!("{error:?}"),
    }
}

/// The directives in `text` with that name, without it.
pub(crate) fn directives(text: &str, name: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(name));
    lines
        .filter(|rest| rest.starts_with(' ') && !rest.ends_with('{'))
        .map(|rest| rest.split(';').next().unwrap_or_default().trim().to_owned())
        .collect()
}
