//! No line makes a reader panic, and none shows what may be a secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{path::Path, time::Duration};

use directives::{
    Host, Reading, client, domains, errors, health_check, healthz, host, issuer, location_origin,
    max_age, max_skew, milliseconds, prefix, region, reserved, revoke, seconds, upstream_origin,
};
use proptest::{collection::vec, prelude::*, sample::select};
use secrets::Outside;
use sigv4::Revocations;

/// Parts of which words are made.
const PARTS: [&str; 38] = [
    "account=",
    "access_key=",
    "secret_key=",
    "session_token=",
    "region=",
    "host=",
    "addressing=",
    "framing=",
    "dialect=",
    "allow=",
    "buckets=",
    "interval=",
    "timeout=",
    "rise=",
    "uri=",
    "method=",
    "bucket=",
    "expect=",
    "default",
    "any",
    "off",
    "env:",
    "file:",
    "$",
    "${",
    "}",
    "[::1]",
    ":",
    "=",
    ",",
    "/",
    "*",
    "9",
    "m",
    "s",
    " ",
    "\0",
    "x",
];

fn word() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => select(&PARTS[..]).prop_map(|part| part.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(part, 0..5).prop_map(|parts| parts.concat())
}

/// A secret that no message may show, wherever it stands.
const HIDDEN: &str = "SECRETsecret012";

/// Reads a line by each reader. The messages.
fn read_all(words: &[&[u8]]) -> Vec<String> {
    let outside = Outside {
        variable: &|name| {
            name.to_str()
                .is_some_and(|n| n.len() > 1)
                .then(|| "v".into())
        },
        folder: Path::new("/nonexistent"),
        wait: Duration::ZERO,
        process: "p",
    };
    let mut reading = Reading::new(&outside);
    let mut messages = vec![
        client(words, &mut reading).err(),
        issuer(words, &mut reading).err(),
        revoke(words, &mut Revocations::default()).err(),
        upstream_origin(words, &mut reading).err(),
        location_origin(words, &mut reading).err(),
    ];
    messages.extend(reading.doubts().iter().cloned().map(Some));
    let _ = (max_skew(words, &mut reading), max_age(words));
    let _ = (region(words), errors(words), reserved(words), host(words));
    let _ = (domains(words), prefix(words));
    let _ = (health_check(words), healthz(words));
    for word in words {
        let _ = (seconds(word), milliseconds(word), Host::parse(word));
    }
    messages.into_iter().flatten().collect()
}

proptest! {
    #[test]
    fn no_line_panics(words in vec(word(), 0..8)) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        read_all(&words);
    }

    #[test]
    fn no_message_shows_a_key(
        words in vec(word(), 0..4),
        before in select(&["", "secret=", "secret_key=", "session_token=", "secret_key= ", "secret_key=\u{feff}"][..]),
        after in select(&["", "=", "==", "\n", " ", "\u{fc}", "\0"][..]),
        at in 0..6_usize,
    ) {
        let secret = format!("{before}{HIDDEN}{after}").into_bytes();
        let mut words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        words.splice(..0, [&b"s3_client"[..], b"default"]);
        words.insert((2 + at).min(words.len()), &secret);
        for message in read_all(&words) {
            prop_assert!(!message.contains(HIDDEN), "{}", message);
        }
    }
}
