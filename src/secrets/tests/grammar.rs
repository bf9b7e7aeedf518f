//! What each text means, and each message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
    time::Duration,
};

use common::Folder;
use secrets::{Fault, Kind, MAX_VALUE, Outside, check, read};

const NAMED: &str = "\"secret_key=\"";

/// The environment: what it has by these names.
fn variable(name: &OsStr) -> Option<OsString> {
    let value: Vec<u8> = match name.as_bytes() {
        b"GOOD" | b"with.dot-and-dash" => b"secret".to_vec(),
        b"EMPTY" => Vec::new(),
        b"LF" => b"secret\n".to_vec(),
        b"CRLF" => b"s\r\nx-amz-acl: a".to_vec(),
        b"TAB" => b"s\tt".to_vec(),
        b"DEL" => b"s\x7f".to_vec(),
        b"ESC" => b"s\x1b[31m".to_vec(),
        b"BOM" => b"\xef\xbb\xbfs".to_vec(),
        b"PLACEHOLDER" => b"${CLIENT_SECRET}".to_vec(),
        b"NO_PLACEHOLDER" => b"${CLIENT-SECRET}".to_vec(),
        b"RAW" => b"$secret".to_vec(),
        b"SPACE" => b" secret".to_vec(),
        b"QUOTES" => b"\"secret\"".to_vec(),
        b"UTF8" => "paßwort".into(),
        b"LATIN" => b"pa\xdfwort".to_vec(),
        b"INNER" => b"env:GOOD".to_vec(),
        b"LONGEST" => vec![b'x'; MAX_VALUE],
        b"TOO_LONG" => vec![b'x'; MAX_VALUE + 1],
        b"KEY" => b"AKID/x+y=".to_vec(),
        b"COMMA" => b"AKID,x".to_vec(),
        b"LONG_KEY" => vec![b'A'; 129],
        _ => return None,
    };
    Some(OsString::from_vec(value))
}

/// The value and the doubt, or the message.
fn asked(kind: Kind, text: &[u8], folder: &Path) -> Result<(Vec<u8>, Option<String>), String> {
    let outside = Outside {
        variable: &variable,
        folder,
        wait: Duration::from_millis(50),
        process: "nginx's master process",
    };
    read(NAMED, text, kind, &outside).map(|secret| {
        let doubt = secret.doubt().map(str::to_owned);
        (secret.into_value().to_vec(), doubt)
    })
}

fn message(kind: Kind, text: impl AsRef<[u8]>, folder: &Path) -> String {
    asked(kind, text.as_ref(), folder).unwrap_err()
}

const NOWHERE: &str = "/nonexistent";

#[test]
fn literals() {
    let long = vec![b'x'; MAX_VALUE];
    for text in [
        &b"x"[..],
        b"a b;c{}$=",
        b"a$b",
        b":",
        b":x",
        b"environment:x",
        b"files:x",
        b"env",
        b"file",
        "paßwort".as_bytes(),
        b"\xff",
        &long,
    ] {
        let read = asked(Kind::SecretKey, text, NOWHERE.as_ref());
        assert_eq!(read, Ok((text.to_vec(), None)), "{}", text.escape_ascii());
    }
}

#[test]
fn variables() {
    for (name, value) in [
        ("GOOD", "secret"),
        ("with.dot-and-dash", "secret"),
        ("RAW", "$secret"),
        ("NO_PLACEHOLDER", "${CLIENT-SECRET}"),
        ("UTF8", "paßwort"),
        // What a variable has is a value, and nothing more.
        ("INNER", "env:GOOD"),
    ] {
        let read = asked(
            Kind::SecretKey,
            format!("env:{name}").as_bytes(),
            NOWHERE.as_ref(),
        );
        assert_eq!(read, Ok((value.into(), None)), "{name}");
    }
    for name in ["LATIN", "LONGEST"] {
        assert!(
            asked(
                Kind::SecretKey,
                format!("env:{name}").as_bytes(),
                NOWHERE.as_ref()
            )
            .is_ok()
        );
    }
}

#[test]
fn faults_of_the_text() {
    let variables = "\"secret_key=\" begins with \"$\", but variables are not expanded here: write \
                     \"env:NAME\", or \"file:PATH\" for a value that begins so";
    for text in ["$", "$NAME", "${NAME}", "$1", "$a:b"] {
        assert_eq!(
            message(Kind::SecretKey, text, NOWHERE.as_ref()),
            variables,
            "{text}"
        );
    }
    for text in ["env:$", "env:$NAME", "env:${NAME}"] {
        assert_eq!(
            message(Kind::SecretKey, text, NOWHERE.as_ref()),
            "\"secret_key=\" names an environment variable with a \"$\": write \"env:NAME\"",
        );
    }
    for text in ["ENV:NAME", "Env:NAME", "FILE:/x", "File:/x", "ENV:"] {
        assert_eq!(
            message(Kind::SecretKey, text, NOWHERE.as_ref()),
            "\"secret_key=\" has \"env:\" or \"file:\" in upper case: write it in lower case",
        );
    }
}

#[test]
fn variables_that_are_not_set() {
    for name in ["", "NONE", "none.such-name"] {
        assert_eq!(
            message(Kind::SecretKey, format!("env:{name}"), NOWHERE.as_ref()),
            format!(
                "\"secret_key=\": the environment variable \"{name}\" is not set: set \"{name}\" for \
                 nginx's master process, or write \"file:PATH\""
            )
        );
    }
    // A key in the place of a name.
    for name in [
        "wJalrXUtnFEMI/K7MDENG",
        "a b",
        "a+b",
        "a=",
        "\u{fc}",
        "a\0b",
    ] {
        assert_eq!(
            message(Kind::SecretKey, format!("env:{name}"), NOWHERE.as_ref()),
            "\"secret_key=\": there is no environment variable with what follows \"env:\" as its \
             name: write \"env:NAME\" with the name of one that is set for nginx's master process"
        );
    }
}

#[test]
fn faults_of_a_value() {
    let control = "has a line break or another control character: remove it";
    let folder = Folder::new();
    folder.write("bom", "\u{feff}s\n");
    folder.write("placeholder", "${NAME}\n");
    folder.write("return", "sec\rret\n");
    folder.write("nul", "sec\0ret\n");
    let in_folder = |name: &str| format!("file:{}/{name}", folder.path().display());
    for (text, says) in [
        ("a\nb".into(), format!(": the value {control}")),
        ("a\0".into(), format!(": the value {control}")),
        ("env:LF".into(), format!(": the value of \"env:LF\" {control}")),
        ("env:CRLF".into(), format!(": the value of \"env:CRLF\" {control}")),
        ("env:TAB".into(), format!(": the value of \"env:TAB\" {control}")),
        ("env:DEL".into(), format!(": the value of \"env:DEL\" {control}")),
        ("env:ESC".into(), format!(": the value of \"env:ESC\" {control}")),
        (in_folder("return"), format!(": the value in \"{}\" {control}", in_folder("return"))),
        (in_folder("nul"), format!(": the value in \"{}\" {control}", in_folder("nul"))),
        (
            "env:BOM".into(),
            ": the value of \"env:BOM\" begins with a byte order mark: save it without one".into(),
        ),
        (
            in_folder("bom"),
            format!(
                ": the value in \"{}\" begins with a byte order mark: save it without one",
                in_folder("bom")
            ),
        ),
        (
            "env:PLACEHOLDER".into(),
            ": the value of \"env:PLACEHOLDER\" is the name of a variable, which nothing has \
             replaced: put the key there"
                .into(),
        ),
        (
            in_folder("placeholder"),
            format!(
                ": the value in \"{}\" is the name of a variable, which nothing has replaced: put the \
                 key there",
                in_folder("placeholder")
            ),
        ),
        (
            "env:TOO_LONG".into(),
            ": the value of \"env:TOO_LONG\" is longer than 65536 bytes, as no key is: put the key \
             there"
                .into(),
        ),
        (
            "x".repeat(MAX_VALUE + 1),
            ": the value is longer than 65536 bytes, as no key is: put the key there".into(),
        ),
        (
            "env:EMPTY".into(),
            " is empty: give it a value, \"env:NAME\" or \"file:PATH\"".into(),
        ),
        (
            String::new(),
            " is empty: give it a value, \"env:NAME\" or \"file:PATH\"".into(),
        ),
    ] {
        for kind in [Kind::AccessKey, Kind::SecretKey, Kind::SessionToken] {
            assert_eq!(message(kind, &text, folder.path()), format!("{NAMED}{says}"));
        }
    }
}

#[test]
fn access_keys() {
    let longest = "A".repeat(128);
    for text in ["AKID/x+y=", "env:KEY", "x", "!~", &longest] {
        assert!(asked(Kind::AccessKey, text.as_bytes(), NOWHERE.as_ref()).is_ok());
    }
    for text in [
        "A,B",
        "env:COMMA",
        "A B",
        " A",
        "A ",
        "env:UTF8",
        "env:SPACE",
    ] {
        // It may be a secret in the wrong place.
        assert_eq!(
            message(Kind::AccessKey, text, NOWHERE.as_ref()),
            "\"secret_key=\" has a character that no access key has: use ASCII without spaces and \
             commas"
        );
    }
    for text in ["A".repeat(129), "env:LONG_KEY".into()] {
        assert_eq!(
            message(Kind::AccessKey, text, NOWHERE.as_ref()),
            "\"secret_key=\" has 129 bytes: write an access key of at most 128, and no other value"
        );
    }
}

#[test]
fn session_tokens() {
    let long = "x".repeat(4096);
    for text in ["a/b+c==", "a,b", &long] {
        assert!(asked(Kind::SessionToken, text.as_bytes(), NOWHERE.as_ref()).is_ok());
    }
    for text in ["a b", " a", "env:UTF8", "env:LATIN"] {
        assert_eq!(
            message(Kind::SessionToken, text, NOWHERE.as_ref()),
            "\"secret_key=\" has a character that no session token has: use ASCII without spaces"
        );
    }
}

#[test]
fn doubts() {
    let folder = Folder::new();
    let after = folder.write("after", "secret \n");
    let after = format!("file:{}", after.display());
    let space = "begins or ends with a space: remove it, unless it belongs to the key";
    let quotes = "is in quotes: remove them, unless they belong to the key";
    for (text, doubt) in [
        (
            "env:SPACE",
            Some(format!("the value of \"env:SPACE\" {space}")),
        ),
        (&after, Some(format!("the value in \"{after}\" {space}"))),
        (" ", Some(format!("the value {space}"))),
        ("a ", Some(format!("the value {space}"))),
        (
            "env:QUOTES",
            Some(format!("the value of \"env:QUOTES\" {quotes}")),
        ),
        ("'a'", Some(format!("the value {quotes}"))),
        ("\"\"", Some(format!("the value {quotes}"))),
        ("\"", None),
        ("'", None),
        ("'a\"", None),
        ("a b", None),
    ] {
        let (_, found) = asked(Kind::SecretKey, text.as_bytes(), folder.path()).unwrap();
        assert_eq!(
            found,
            doubt.map(|doubt| format!("{NAMED}: {doubt}")),
            "{text}"
        );
    }
}

#[test]
fn a_value_by_itself() {
    assert_eq!(check(b"$NAME", Kind::SecretKey), Ok(()));
    assert_eq!(check(b"", Kind::SecretKey), Err(Fault::Empty));
    assert_eq!(check(b"a,b", Kind::AccessKey), Err(Fault::NoAccessKey));
    assert_eq!(check(b"a b", Kind::SessionToken), Err(Fault::NoToken));
    assert_eq!(check(b"${}", Kind::SecretKey), Err(Fault::Placeholder));
    assert_eq!(check(&[b'x'; MAX_VALUE], Kind::SecretKey), Ok(()));
}

/// Neither a message nor `Debug` shows what may be a secret.
#[test]
fn nothing_shows_a_value() {
    let folder = Folder::new();
    let shown = |kind: Kind, value: &[u8], as_file: bool| {
        let text = match as_file {
            true => format!("file:{}", folder.write("x", value).display()).into_bytes(),
            false => value.to_vec(),
        };
        let outside = Outside {
            variable: &|_| None,
            folder: folder.path(),
            wait: Duration::ZERO,
            process: "p",
        };
        format!("{:?} {outside:?}", read(NAMED, &text, kind, &outside))
    };
    for kind in [Kind::AccessKey, Kind::SecretKey, Kind::SessionToken] {
        for secret in [
            "SECRET",
            " SECRET",
            "'SECRET'",
            "SEC,SECRET",
            "$SECRET",
            "${SECRET}",
            "env:$SECRET",
            "env:SECRET+",
            "ENV:SECRET",
            "SECRET\n",
            "\u{feff}SECRET",
            "SECRET\u{fc}",
        ] {
            for as_file in [false, true] {
                let shown = shown(kind, secret.as_bytes(), as_file);
                assert!(!shown.contains("SECRET"), "{kind:?} {secret}: {shown}");
            }
        }
    }
}

#[test]
fn no_text_panics() {
    let folder = Folder::new();
    let outside = Outside {
        variable: &|_| None,
        folder: folder.path(),
        wait: Duration::ZERO,
        process: "p",
    };
    let pieces: [&[u8]; 8] = [b"env", b"file", b":", b"$", b"\0", b"\xff", b"/", b"x"];
    for at in 0..pieces.len().pow(4) {
        let text: Vec<u8> = (0..4)
            .flat_map(|place| pieces[at / pieces.len().pow(place) % pieces.len()])
            .copied()
            .collect();
        for kind in [Kind::AccessKey, Kind::SecretKey, Kind::SessionToken] {
            let _ = read(NAMED, &text, kind, &outside);
        }
    }
}
