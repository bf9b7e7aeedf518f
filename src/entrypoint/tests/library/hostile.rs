//! Bytes that mean something to nginx, in every variable: it is rejected by its name, or `nginx.conf` has
//! the same directives.

use std::collections::BTreeMap;

use crate::common::{made, one, text_of, two, with};
use proptest::prelude::*;

/// Values of all variables that have something to say, for one origin.
fn all_of_one() -> BTreeMap<String, Vec<u8>> {
    let more = [
        ("ORIGIN_DOMAIN", "domain"),
        ("ORIGIN_HOST", "host"),
        ("ORIGIN_PORT", "443"),
        ("ORIGIN_SCHEME", "https"),
        ("ORIGIN_SESSION_TOKEN", "token"),
        ("ORIGIN_ADDRESSING", "virtual"),
        ("ORIGIN_FRAMING", "decode"),
        ("ORIGIN_DIALECT", "r2"),
        ("AWS_REGION", "us-east-1"),
        ("PORT", "80"),
        ("S3_ACCESS_LOG", "on"),
        ("S3_ANONYMOUS", "sign buckets=a"),
        ("S3_DEBUG_ERRORS", "on"),
        ("S3_DOMAIN", "s3"),
        ("S3_ERRORS", "s3proxy"),
        ("S3_HEALTH_CHECK", "uri=/x"),
        ("S3_HOST", "s3"),
        ("S3_LOG_LEVEL", "info"),
        ("S3_MAX_SKEW", "15m"),
        ("S3_PREFIX", "/s3"),
        ("S3_REGION", "eu"),
        ("S3_SHUTDOWN_TIMEOUT", "1h"),
        ("S3_SIGNATURE_V2", "on"),
        ("S3_STATUS_ALLOW", "10.0.0.0/8"),
        ("S3_TLS_CA", "/etc/ssl/ca"),
        ("S3_TLS_VERIFY", "on"),
        ("S3_UPLOAD_BUFFERING", "on"),
        ("S3_VERIFY_PAYLOAD", "on"),
        ("S3_WORKERS", "2"),
        ("S3_RESIGN_RUN", "/run"),
        ("S3_RESIGN_MODULE", "/module"),
    ];
    with(one(), &more)
}

fn all_of_several() -> BTreeMap<String, Vec<u8>> {
    let more = [
        ("SERVERA_DOMAIN", "domain"),
        ("SERVERA_HOST", "a.mydomain.com"),
        ("SERVERA_PORT", "443"),
        ("SERVERA_SCHEME", "https"),
        ("SERVERA_SESSION_TOKEN", "token"),
        ("SERVERA_ADDRESSING", "virtual"),
        ("SERVERA_FRAMING", "decode"),
        ("SERVERA_DIALECT", "r2"),
        ("SERVERA_REGION", "us-east-1"),
        ("SERVERA_BACKUP", "on"),
    ];
    with(two(), &more)
}

/// `docker/.env.example` lists the variables.
#[test]
fn all_variables_are_tried() {
    let example = include_str!("../../../../docker/.env.example");
    let documented = example.lines().filter_map(|line| {
        let (name, _) = line.trim_start_matches('#').split_once('=')?;
        let is_plain = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
        (!name.is_empty() && name.bytes().all(is_plain)).then(|| name.to_owned())
    });
    let mut documented: Vec<_> = documented.collect();
    assert!(documented.len() > 40);
    documented
        .retain(|name| !all_of_one().contains_key(name) && !all_of_several().contains_key(name));
    assert_eq!(documented, [""; 0]);
}

/// The directives as nginx reads them: the words of each, and what ends it.
fn directives(text: &str) -> Vec<(Vec<String>, char)> {
    let (mut all, mut words) = (Vec::new(), Vec::new());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' | '{' | '}' => all.push((std::mem::take(&mut words), c)),
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some(c) if c == quote => break,
                        Some('\\') => word.extend(chars.next()),
                        Some(c) => word.push(c),
                        None => panic!("an open quote"),
                    }
                }
                words.push(word);
            }
            c => {
                let mut word = String::from(c);
                let ends = |c: char| c.is_ascii_whitespace() || ";{".contains(c);
                while let Some(c) = chars.next_if(|c| !ends(*c)) {
                    word.push(c);
                    if c == '\\' {
                        word.extend(chars.next());
                    }
                }
                words.push(word);
            }
        }
    }
    assert_eq!(words, [""; 0], "an open directive");
    all
}

/// The names of the directives, with the number of their words and what ends them. Two variables have
/// words of their own.
fn structure(text: &str) -> Vec<(String, usize, char)> {
    let directives = directives(text).into_iter();
    let mut structure: Vec<_> = directives
        .map(|(words, end)| {
            let name = words.first().cloned().unwrap_or_default();
            let words = match name.as_str() {
                // Lists.
                "s3_health_check" | "s3_domain" => 0,
                _ => words.len(),
            };
            (name, words, end)
        })
        .collect();
    structure.dedup_by(|a, b| a == b && a.0 == "allow");
    structure
}

/// Variables that are accepted, and what they make.
struct Good {
    variables: BTreeMap<String, Vec<u8>>,
    structure: Vec<(String, usize, char)>,
}

impl Good {
    fn new(variables: BTreeMap<String, Vec<u8>>) -> Good {
        let structure = structure(&text_of(made(variables.clone())));
        Good {
            variables,
            structure,
        }
    }

    /// Those of one origin, and those of several without what is the same there.
    fn both() -> [Good; 2] {
        [Good::new(all_of_one()), Good::new(all_of_several())]
    }

    fn names(&self) -> Vec<String> {
        let is_several = self.variables.contains_key("SERVERA_PORT");
        let names = self.variables.keys().cloned();
        names
            .filter(|name| !is_several || name.starts_with("SERVERA_"))
            .collect()
    }

    /// Tries a value in the place of a good one.
    fn try_value(&self, name: &str, value: Vec<u8>) {
        let shown = value.escape_ascii().to_string();
        // Nothing, or a word that means something else here, as "off".
        if value.iter().all(u8::is_ascii_alphanumeric) {
            return;
        }
        let mut variables = self.variables.clone();
        variables.insert(name.into(), value.clone());
        match made(variables) {
            Ok(text) => assert_eq!(structure(&text), self.structure, "{name}={shown}"),
            Err(error) => {
                let line = error.to_string();
                assert!(line.contains(name), "{name}={shown}: {line}");
                assert!(!line.contains(char::is_control), "{name}={shown}: {line}");
                let is_shown = std::str::from_utf8(&value).is_ok_and(|text| line.contains(text));
                assert!(value.len() < 16 || !is_shown, "{name}={shown}: {line}");
            }
        }
    }
}

#[test]
fn every_byte() {
    for good in Good::both() {
        for name in good.names() {
            let value = &good.variables[&name];
            for byte in 0..=255 {
                for at in [0, value.len() / 2, value.len()] {
                    let mut hostile = value.clone();
                    hostile.insert(at, byte);
                    good.try_value(&name, hostile);
                }
            }
        }
    }
}

#[test]
fn directives_in_values() {
    for good in Good::both() {
        for name in good.names() {
            let value = &good.variables[&name];
            for more in [
                "; } return 200; {",
                "\n}",
                "\"; return 200 \"",
                "'; return 200 '",
                "$(touch x)",
                "`touch x`",
                "${run}",
                "${load_module}",
                "\nPORT=1",
                " include /etc/passwd;",
                "\\",
                "\\\n",
                "#",
                "\r\nx: y",
            ] {
                let more = more.as_bytes();
                good.try_value(&name, [value, more].concat());
                good.try_value(&name, [more, value].concat());
                good.try_value(&name, more.into());
            }
        }
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        "[ -~]{0,20}".prop_map(String::into_bytes),
        r#"[\[\];{}"'$\\# \n\t=:./,a-z0-9-]{0,20}"#.prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 4, // of 74 values each
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes(pieces in prop::collection::vec((piece(), any::<prop::sample::Index>()), 40)) {
        for good in Good::both() {
            for (name, (piece, at)) in good.names().into_iter().zip(&pieces) {
                let mut value = good.variables[&name].clone();
                let at = at.index(value.len() + 1);
                value.splice(at..at, piece.iter().copied());
                good.try_value(&name, value);
                good.try_value(&name, piece.clone());
            }
        }
    }

    /// Names of variables are nobody's to choose, but the process must not fail on any.
    #[test]
    fn any_names(name in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
        use std::{ffi::OsString, os::unix::ffi::OsStringExt};
        let others = one().into_iter().map(|(name, value)| (name.into(), OsString::from_vec(value)));
        let odd = (OsString::from_vec(name), OsString::from_vec(value));
        let environment = entrypoint::Environment::new(others.chain([odd]));
        let _ = entrypoint::Settings::read(&environment, &crate::common::Fake::default());
    }
}
