//! What is in a file is found, and nothing else.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use proptest::collection::vec;
use proptest::prelude::*;
use shm::Pages;
use sigv4::{Account, Credential, Grant, RequiredToken, SecretKey, Timestamp};

use crate::builder::{Built, build};
use crate::image::{Image, Layout, Record};
use crate::lines::MAX_LINE;
use crate::tests::{Folder, count, open};
use crate::{ClientFile, Fault};

fn built(text: &[u8]) -> Result<(Pages, Built), Fault> {
    let pages = Pages::create("test").unwrap();
    let built = build(&mut &*text, &pages)?;
    Ok((pages, built))
}

fn fault(text: impl AsRef<[u8]>) -> String {
    built(text.as_ref()).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn faults_name_the_line_and_the_remedy() {
    let long = format!("K secret_key={}\n", "x".repeat(MAX_LINE));
    let cases: &[(&str, &str)] = &[
        (
            "",
            " is empty: write a client a line, or a comment if there is to be none",
        ),
        (
            "K",
            ":1: has no line break at its end: add it, so that what is written only in part is not taken for the whole",
        ),
        (
            "#\n\nK\n",
            ":3: \"secret_key=\" is not there: add \"secret_key=VALUE\"",
        ),
        (
            "K secret_key=\n",
            ":1: \"secret_key=\" is empty: give it a value",
        ),
        (
            "K secret_key=a b\n",
            ":1: a word is not a parameter: it takes \"secret_key=\", \"session_token=\", \"allow=\", \"buckets=\", \"expires=\", \"account=\"",
        ),
        (
            "K secret_key=a colour=red\n",
            ":1: unknown parameter \"colour\": it takes \"secret_key=\", \"session_token=\", \"allow=\", \"buckets=\", \"expires=\", \"account=\"",
        ),
        (
            "K secret_key=a secret_key=b\n",
            ":1: \"secret_key=\" is duplicate: keep one",
        ),
        (
            "K secret_key=env:A\n",
            ":1: \"secret_key=\" has \"env:\" or \"file:\", which are not read here: write the value itself",
        ),
        (
            "file:K secret_key=A\n",
            ":1: access key has \"env:\" or \"file:\", which are not read here: write the value itself",
        ),
        (
            "K secret_key=${A}\n",
            ":1: \"secret_key=\" is the name of a variable, which nothing has replaced: put the key there",
        ),
        (
            "K secret_key=a\0b\n",
            ":1: \"secret_key=\" has a line break or another control character: remove it",
        ),
        (
            "K, secret_key=a\n",
            ":1: access key has a character that no access key has: use ASCII without spaces and commas",
        ),
        (
            "\u{feff}K secret_key=a\n",
            ":1: access key begins with a byte order mark: save it without one",
        ),
        (
            "K secret_key=a session_token=\u{e9}\n",
            ":1: \"session_token=\" has a character that no session token has: use ASCII without spaces",
        ),
        (
            "K secret_key=a expires=tomorrow\n",
            ":1: \"expires=\" is no time: write it in UTC, as \"expires=2026-12-31T23:59:59Z\"",
        ),
        (
            "K secret_key=a expires=2026-02-30T00:00:00Z\n",
            ":1: \"expires=\" is no time: write it in UTC, as \"expires=2026-12-31T23:59:59Z\"",
        ),
        (
            "K secret_key=a allow=wirte\n",
            ":1: \"wirte\" in \"allow=\" is neither a class nor an operation: write \"read\", \"write\", \"list\", \"delete\", \"all\", or names as \"GetObject\" or \"ListObject*\", separated by commas",
        ),
        (
            "K secret_key=a buckets=\n",
            ":1: \"\" in \"buckets=\" is not a pattern: write \"BUCKET\" or \"BUCKET/PREFIX*\" with \"*\" for any run of characters, separated by commas",
        ),
        (
            "K secret_key=a account=a,b\n",
            ":1: \"account=a,b\" is not a name: write 1 to 64 letters, digits, dashes, dots and underscores",
        ),
        (
            "K secret_key=a\nK secret_key=b\n#\nK secret_key=c\n",
            ":4: is duplicate: keep two lines for an access key, with its old secret and its new one",
        ),
        (
            "K secret_key=a\nL secret_key=a\nK secret_key=a allow=read\n",
            ":3: is duplicate: keep one line for each secret of an access key",
        ),
        (
            "K a b c d e f g h i j k l m n o p q\n",
            ":1: has more words than a client: write one client a line",
        ),
        (&long, ":1: is longer than 262144 bytes, as no client is"),
    ];
    for (text, expected) in cases {
        let shown: String = text.chars().take(60).collect();
        assert_eq!(fault(text), *expected, "{shown:?}");
    }
}

#[test]
fn no_fault_shows_a_secret() {
    for text in [
        "K secret_key=a topsecret\n",
        "K topsecret\n",
        "topsecret\u{e9} secret_key=a\n",
        "K secret_key=topsecret\tsecret_key=topsecret\n",
        "K secret_key=topsecret\nK secret_key=topsecret\n",
        "K secret_key=env:topsecret\n",
        "K secret_key=topsecret session_token=topsecret\u{1}\n",
        "K secret_key=topsecret",
    ] {
        let told = fault(text);
        assert!(!told.contains("topsecret"), "{told}");
    }
}

#[test]
fn lines_in_all_spellings() {
    let text = b"#K secret_key=no\n  # K\n\n\t \n\r\nA secret_key=a\r\n\tB\t \tsecret_key=b  \nC secret_key=$c#d\n";
    let (_, built) = built(text).unwrap();
    assert_eq!(built.clients, 3);
    let folder = Folder::new();
    let file = open(&folder.replace(text)).unwrap();
    assert_eq!(
        ["A", "B", "C", "#K", "K", ""].map(|key| count(&file, key)),
        [1, 1, 1, 0, 0, 0]
    );
    assert!(has_secret(&file, "C", "$c#d"));
}

#[test]
fn what_looks_like_a_mistake() {
    let (_, built) = built(b"A secret_key=a\nB secret_key=\"b\"\nC secret_key='c'\n").unwrap();
    let (line, doubt) = built.doubt.unwrap();
    assert_eq!(line, 2);
    assert_eq!(
        doubt,
        "\"secret_key=\" is in quotes: remove them, unless they belong to the key"
    );
}

fn has_secret(file: &ClientFile, key: &str, secret: &str) -> bool {
    let expected = Credential::new(b"", SecretKey::new(secret.into()));
    let found = file.find(key.as_bytes()).unwrap();
    found
        .iter()
        .any(|client| client.credential.has_secret_of(&expected))
}

/// A line of a file, by its parts.
#[derive(Debug, Clone)]
struct Line {
    key: String,
    secret: String,
    token: Option<String>,
    expires: Option<i64>,
    allow: Option<&'static str>,
    buckets: Option<&'static str>,
    account: Option<&'static str>,
}

fn line() -> impl Strategy<Value = Line> {
    let key = prop_oneof!["[A-C]{1,2}", "[!-+.-~--[#]]{1,128}"];
    let allow = [
        None,
        Some("read"),
        Some("write"),
        Some("all"),
        Some("GetObject,list"),
    ];
    let buckets = [None, Some("a"), Some("b/x*"), Some("a,c*")];
    (
        key.prop_filter("a comment, or not literal", |key| {
            !key.starts_with('#') && !key.contains(':')
        }),
        "[!-9;-~]{1,90}".prop_filter("a variable", |text| !text.starts_with("${")),
        proptest::option::of(
            "[!-~]{1,90}".prop_filter("not literal", |t| !t.contains(':') && !t.starts_with("${")),
        ),
        proptest::option::of(0..253_402_300_799_i64),
        prop::sample::select(allow.to_vec()),
        prop::sample::select(buckets.to_vec()),
        prop::sample::select(vec![None, Some("acme"), Some("a-longer.name_1")]),
    )
        .prop_map(
            |(key, secret, token, expires, allow, buckets, account)| Line {
                key,
                secret,
                token,
                expires,
                allow,
                buckets,
                account,
            },
        )
}

fn iso(time: i64) -> String {
    let days = time / 86_400;
    let (mut year, mut day) = (1970, days);
    let length = |year: i64| {
        if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) {
            366
        } else {
            365
        }
    };
    while day >= length(year) {
        day -= length(year);
        year += 1;
    }
    let months = [
        31,
        length(year) - 337,
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while day >= months[month] {
        day -= months[month];
        month += 1;
    }
    let (hour, minute, second) = (time / 3600 % 24, time / 60 % 60, time % 60);
    format!(
        "{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        month + 1,
        day + 1
    )
}

fn text_of(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        write!(text, "{} secret_key={}", line.key, line.secret).unwrap();
        if let Some(token) = &line.token {
            write!(text, " session_token={token}").unwrap();
        }
        if let Some(expires) = line.expires {
            write!(text, " expires={}", iso(expires)).unwrap();
        }
        for (name, value) in [
            ("allow", line.allow),
            ("buckets", line.buckets),
            ("account", line.account),
        ] {
            if let Some(value) = value {
                write!(text, " {name}={value}").unwrap();
            }
        }
        text.push('\n');
    }
    text
}

/// The lines that may be in one file together.
fn without_duplicates(lines: Vec<Line>) -> Vec<Line> {
    let mut secrets: HashMap<String, Vec<String>> = HashMap::new();
    let keep = |line: &Line| {
        let of_key = secrets.entry(line.key.clone()).or_default();
        let is_new = of_key.len() < 2 && !of_key.contains(&line.secret);
        if is_new {
            of_key.push(line.secret.clone());
        }
        is_new
    };
    lines.into_iter().filter(keep).collect()
}

proptest! {
    // Each has a file of its own.
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Every line is found by its key, as it is, in the order of the file, and nothing else.
    #[test]
    fn what_is_written_is_found(lines in vec(line(), 0..60), stranger in "[A-Da-c]{1,3}") {
        let lines = without_duplicates(lines);
        let text = format!("#\n{}", text_of(&lines));
        let folder = Folder::new();
        let file = open(&folder.replace(&text)).unwrap();
        prop_assert_eq!(file.state().clients, lines.len() as u64);
        let keys = lines.iter().map(|line| &line.key).chain([&stranger]);
        for key in keys {
            let expected: Vec<_> = lines.iter().filter(|line| line.key == *key).collect();
            let found = file.find(key.as_bytes()).unwrap();
            prop_assert_eq!(found.len(), expected.len());
            for (client, line) in found.iter().zip(expected) {
                let credential = |secret: &str| Credential::new(b"", SecretKey::new(secret.into()));
                prop_assert_eq!(client.credential.access_key(), key.as_bytes());
                prop_assert!(client.credential.has_secret_of(&credential(&line.secret)));
                prop_assert_eq!(client.expires, line.expires.map(Timestamp));
                match (&client.session_token, &line.token) {
                    (RequiredToken::None, None) => (),
                    (RequiredToken::Same(token), Some(expected)) => {
                        let token = Credential::new(b"", token.clone());
                        prop_assert!(token.has_secret_of(&credential(expected)));
                    }
                    (found, _) => prop_assert!(false, "{:?}", found),
                }
                let grant = Grant::parse(line.allow.map(str::as_bytes), line.buckets.map(str::as_bytes));
                prop_assert_eq!(format!("{:?}", client.grant), format!("{:?}", grant.unwrap()));
                prop_assert_eq!(client.account.as_ref().map(Account::as_str), line.account);
            }
        }
    }

    /// Whatever a file has, reading it ends, with clients or a fault that has a line.
    #[test]
    fn any_bytes(text in vec(prop_oneof![
        5 => prop::sample::select(vec![
            "K", "L", " ", "\n", "\t", "\r", "#", "secret_key=", "session_token=", "allow=", "buckets=", "expires=",
            "read", "a/*", ",", "env:", "2026-12-31T23:59:59Z",
        ]).prop_map(|word| word.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ], 0..40)) {
        let text = text.concat();
        match built(&text) {
            Ok((_, built)) => prop_assert!(built.clients <= text.split(|c| *c == b'\n').count() as u64),
            Err(fault) => prop_assert!(fault.line.is_some() || text.is_empty()),
        }
    }

    /// Another process may write anything to the memory, at any time.
    #[test]
    fn any_memory(words in vec(prop_oneof![any::<u64>(), 0..64_u64, (0..64_u64).prop_map(|n| n << 24 | 1 << 56)], 0..64),
                  records in 0..80_u64, entries in 0..80_u64, seed in any::<u64>(), key in "[A-Z]{0,9}") {
        let words: Vec<_> = words.into_iter().map(AtomicU64::new).collect();
        let layout = Layout { records, entries, seed };
        if let Some(image) = Image::new(&words, layout) {
            let found = image.find(key.as_bytes());
            prop_assert!(found.len() <= 2);
            prop_assert!(image.clients().count() <= words.len());
            for place in 0..words.len() {
                let _ = image.insert(place);
            }
        }
    }

    /// A whole image of which some words have been changed still never leads beyond itself.
    #[test]
    fn spoilt_memory(changes in vec((any::<prop::sample::Index>(), any::<u64>(), 0..64_u32), 1..8)) {
        let (pages, built) = built(b"A secret_key=a allow=read\nB secret_key=b\nB secret_key=c\n").unwrap();
        let words = pages.map().unwrap();
        for (at, value, bit) in changes {
            let word = &words.entries()[at.index(words.entries().len())];
            if value % 2 == 0 {
                word.store(value, Relaxed);
            } else {
                word.fetch_xor(1 << bit, Relaxed);
            }
        }
        let image = Image::new(words.entries(), built.layout).unwrap();
        for key in ["A", "B", "C"] {
            let found: Vec<Record> = image.find(key.as_bytes()).into_iter().collect();
            prop_assert!(found.len() <= 2);
        }
    }
}

/// A client that is confined stays so, or is none: a grant that is no more there is not one without limits.
#[test]
fn a_grant_that_is_gone_permits_nothing() {
    let (pages, built) = built(b"A secret_key=a allow=read\n").unwrap();
    let words = pages.map().unwrap();
    let image = Image::new(words.entries(), built.layout).unwrap();
    assert_eq!(image.find(b"A").len(), 1);
    words.entries()[0].store(0, Relaxed);
    assert_eq!(image.find(b"A").len(), 0);
}

/// The buffer that they are read into grows.
#[test]
fn lines_of_any_length() {
    for length in (1..=6).map(|doubled| MAX_LINE >> (6 - doubled)) {
        for length in [length - 1, length, length + 1] {
            let comment = "#".repeat(length);
            let text = format!("A secret_key=a\n{comment}\nB secret_key=b\n");
            if length <= MAX_LINE {
                let (_, built) = built(text.as_bytes()).unwrap();
                assert_eq!(built.clients, 2, "{length}");
            } else {
                let fault = fault(text);
                assert!(fault.starts_with(":2: is longer than"), "{fault}");
            }
        }
    }
}

/// Values longer than the buffer that they are written through, and than the one lines are read in pieces by.
#[test]
fn long_values() {
    let secret = "s".repeat(65_536);
    let token = "t".repeat(65_536);
    let text = format!("A secret_key={secret} session_token={token}\nB secret_key=b\n");
    let folder = Folder::new();
    let file = open(&folder.replace(&text)).unwrap();
    assert!(has_secret(&file, "A", &secret) && has_secret(&file, "B", "b"));
    assert!(fault(format!("A secret_key={secret}s\n")).contains("is longer than 65536 bytes"));
}

#[test]
fn many_clients() {
    let mut text = String::new();
    for number in 0..50_000 {
        let grant = if number % 2 == 0 {
            ""
        } else {
            " allow=read buckets=a"
        };
        writeln!(text, "AKID{number} secret_key=secret-{number}{grant}").unwrap();
    }
    let folder = Folder::new();
    let file = open(&folder.replace(text)).unwrap();
    assert_eq!(file.state().clients, 50_000);
    for number in 0..50_000 {
        assert!(has_secret(
            &file,
            &format!("AKID{number}"),
            &format!("secret-{number}")
        ));
    }
    assert_eq!(count(&file, "AKID50000"), 0);
}
