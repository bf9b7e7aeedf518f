//! Files of clients, of any bytes: what is accepted is found as it stands in the file, and no message shows a secret.
#![no_main]

use std::{cell::Cell, collections::HashMap, env, fs, path::PathBuf, process};

use client_files::ClientFile;
use libfuzzer_sys::fuzz_target;
use sigv4::{Account, Credential, Grant, RequiredToken, SecretKey};

/// In secrets that no message may show.
const HIDDEN: &str = "SECRETsecret012";

thread_local!(static NOW: Cell<u64> = const { Cell::new(1) });

fuzz_target!(|input: &[u8]| {
    let path = path();
    fs::write(&path, input).unwrap();
    let now = NOW.replace(NOW.get() + 1);
    let opened = ClientFile::open(&path, now);
    fs::remove_file(&path).unwrap();
    let opened = match opened {
        Ok(opened) => opened,
        Err(fault) => return assert!(!shows(&fault.to_string(), input), "{fault}"),
    };
    let doubt = opened.doubt.unwrap_or_default();
    assert!(!shows(&doubt, input), "{doubt}");

    let mut lines: HashMap<&[u8], Vec<Line<'_>>> = HashMap::new();
    for line in input.split(|byte| *byte == b'\n').filter_map(Line::read) {
        lines.entry(line.key).or_default().push(line);
    }
    let count: usize = lines.values().map(Vec::len).sum();
    assert_eq!(opened.file.state().clients, count as u64);
    for (key, lines_of_key) in &lines {
        let found = opened.file.find(key).unwrap();
        assert_eq!(found.len(), lines_of_key.len());
        for (client, line) in found.iter().zip(lines_of_key) {
            assert_eq!(client.credential.access_key(), *key);
            let secret = line.value("secret_key").unwrap();
            assert!(client.credential.has_secret_of(&credential(secret)));
            match (&client.session_token, line.value("session_token")) {
                (RequiredToken::None, None) => (),
                (RequiredToken::Same(token), Some(expected)) => {
                    let token = Credential::new(b"", token.clone());
                    assert!(token.has_secret_of(&credential(expected)));
                }
                (token, _) => panic!("{token:?}"),
            }
            // Nothing wider than the line says.
            let grant = Grant::parse(line.value("allow"), line.value("buckets")).unwrap();
            assert_eq!(format!("{:?}", client.grant), format!("{grant:?}"));
            assert_eq!(client.expires.is_some(), line.value("expires").is_some());
            let account = client.account.as_ref().map(Account::as_str);
            assert_eq!(account.map(str::as_bytes), line.value("account"));
        }
        let other = [key, &b"x"[..]].concat();
        let is_known = !opened.file.find(&other).unwrap().is_empty();
        assert_eq!(is_known, lines.contains_key(&*other));
    }
});

/// A line that has a client, by the words between blanks.
struct Line<'a> {
    key: &'a [u8],
    words: Vec<&'a [u8]>,
}

impl<'a> Line<'a> {
    fn read(line: &'a [u8]) -> Option<Line<'a>> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let words = line.split(|byte| b" \t".contains(byte));
        let mut words = words.filter(|word| !word.is_empty());
        let key = words.next().filter(|word| !word.starts_with(b"#"))?;
        let words = words.collect();
        Some(Line { key, words })
    }

    fn value(&self, name: &str) -> Option<&'a [u8]> {
        let value = |word: &&'a [u8]| word.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
        self.words.iter().find_map(value)
    }
}

/// Whether a message shows what stands in the file as a secret alone.
fn shows(message: &str, input: &[u8]) -> bool {
    let all = input
        .windows(HIDDEN.len())
        .filter(|part| *part == HIDDEN.as_bytes());
    let secrets = ["secret_key=", "session_token="].map(|name| format!("{name}{HIDDEN}"));
    let words = input.split(|byte| b" \t\r\n".contains(byte));
    let named = words.filter(|word| {
        secrets
            .iter()
            .any(|secret| word.starts_with(secret.as_bytes()))
    });
    message.contains(HIDDEN) && all.count() == named.count()
}

fn credential(secret: &[u8]) -> Credential {
    Credential::new(b"", SecretKey::new(secret.to_vec()))
}

/// In memory, where there is such a folder: a disk takes longer than what is tested.
fn path() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() {
        memory
    } else {
        env::temp_dir()
    };
    folder.join(format!("fuzz-client-file-{}", process::id()))
}
