//! Lines of directives, of any words: no reader panics, and no message shows a key.
#![no_main]

use std::{path::Path, time::Duration};

use directives::*;
use libfuzzer_sys::fuzz_target;
use secrets::Outside;
use sigv4::Revocations;

/// A secret that no message may show.
const HIDDEN: &str = "SECRETsecret012";

// Words, a line each. A `!` at the beginning of a value that is secret stands for HIDDEN: `secret_key=!==` is
// `secret_key=SECRETsecret012==`.
fuzz_target!(|input: &[u8]| {
    let lines = input.split(|byte| *byte == b'\n').enumerate();
    let words: Vec<Vec<u8>> = lines.map(|(at, line)| word(at, line)).collect();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let outside = Outside {
        variable: &|name| (name.len() > 1).then(|| "v".into()),
        folder: Path::new("/nonexistent"),
        wait: Duration::ZERO,
        process: "p",
    };
    let mut reading = Reading::new(&outside);
    let read = &mut reading;
    let messages = [
        client(&words, read).err(),
        issuer(&words, read).err(),
        revoke(&words, &mut Revocations::default()).err(),
        upstream_origin(&words, read).err(),
        location_origin(&words, read).err(),
        seal_key(&words, read).err(),
        sse_c(&words, read).err(),
    ];
    let _ = client_file(&words, read);
    let _ = (
        max_skew(&words, read),
        max_age(&words),
        health_check(&words),
        healthz(&words),
    );
    let _ = (
        region(&words),
        errors(&words),
        reserved(&words),
        host(&words),
    );
    let _ = (
        domains(&words),
        prefix(&words),
        anonymous(&words),
        cors(&words),
    );
    let _ = (bucket_map(&words), signed_header(&words));
    for word in &words {
        let _ = (
            seconds(word),
            milliseconds(word),
            Host::parse(word),
            parse_port(word),
        );
    }
    let doubts = reading.doubts().iter();
    for message in messages.iter().flatten().chain(doubts) {
        assert!(!message.contains(HIDDEN), "{message}");
    }
});

/// A directive's name and its first word are none of a secret's.
fn word(at: usize, line: &[u8]) -> Vec<u8> {
    let secrets = ["secret=!", "secret_key=!", "session_token=!", "key=!"];
    let found = secrets
        .iter()
        .find_map(|name| Some((name, line.strip_prefix(name.as_bytes())?)));
    match found.filter(|_| at > 1) {
        None => line.to_vec(),
        Some((name, end)) => [
            name.trim_end_matches('!').as_bytes(),
            HIDDEN.as_bytes(),
            end,
        ]
        .concat(),
    }
}
