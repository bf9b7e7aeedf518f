//! Texts: what they tell of an origin, and what of that a client reads.
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sigv4::*;

use crate::{
    setting::{
        ORIGIN_BUCKET, ORIGIN_HOST, ORIGIN_KEY, ORIGIN_SECRET, ORIGIN_SERVER, Setting,
        has_origin_bucket,
    },
    tree,
};

/// The leaves of a document.
pub fn check_leaves(body: &[u8]) {
    let mut leaves = Vec::new();
    let read = read_leaves(body, |path, text| {
        leaves.push((path.join("/"), tree::with_line_feeds(text)));
    });
    if let (Ok(()), Some(there)) = (read, tree::parsed(body)) {
        let mut expected = Vec::new();
        gather(there.root_element(), "", &mut expected);
        assert_eq!(leaves, expected);
    }
}

fn gather(node: roxmltree::Node<'_, '_>, above: &str, leaves: &mut Vec<(String, String)>) {
    let name = node.tag_name().name();
    let path = match above {
        "" => name.to_owned(),
        _ => format!("{above}/{name}"),
    };
    let mut elements = tree::elements(node).peekable();
    if elements.peek().is_none() {
        leaves.push((path.clone(), tree::text(node)));
    }
    elements.for_each(|element| gather(element, &path, leaves));
}

/// Any text, in which something of the origin may stand.
pub fn check(body: &[u8], setting: &Setting) {
    let traces = &setting.traces;
    let is_found = traces.are_in(body);
    if is_found {
        let encoded = percent_encode(body, NON_ALPHANUMERIC).to_string();
        let is_plain = body.iter().all(|byte| *byte != b'%');
        assert!(!is_plain || traces.are_in(encoded.as_bytes()), "{encoded}");
    }
    let (start, end) = body.split_at(body.len() / 2);
    for (trace, around) in [
        (ORIGIN_KEY, ""),
        (ORIGIN_SECRET, ""),
        ("oRiGiN%2fsEcReT%2B", ""),
        ("S3.origin.EXAMPLE", "/"),
        ("s3%2Eorigin.example", "\n"),
        (ORIGIN_HOST, "."),
        (ORIGIN_SERVER, " "),
    ] {
        let text = [
            start,
            around.as_bytes(),
            trace.as_bytes(),
            around.as_bytes(),
            end,
        ]
        .concat();
        // A half of an escape makes another byte of what follows.
        let is_cut = [&b"%"[..], b"%0"].iter().any(|escape| {
            let start = &start[start.len().saturating_sub(escape.len())..];
            start.first() == Some(&b'%')
        });
        assert!(is_cut || traces.are_in(&text), "{}", text.escape_ascii());
    }
    let text = String::from_utf8_lossy(body);
    let words = setting.names.in_words(&text);
    let parameters = setting.names.in_parameters(&text);
    if !setting.is_naming() {
        assert_eq!((words, parameters), (text.clone(), text.clone()));
    } else {
        // The client's name is the shorter one.
        assert!(words.len() <= text.len() && parameters.len() <= text.len());
        assert!(!has_origin_bucket(&words), "{words:?}");
        assert_eq!(setting.names.in_words(&words), words);
        assert_eq!(setting.names.in_parameters(&parameters), parameters);
        let is_there = |parameter: &str| parameter.strip_prefix("bucket=") == Some(ORIGIN_BUCKET);
        assert!(
            !parameters.split(['?', '&', '#']).any(is_there),
            "{parameters:?}"
        );
    }
    check_message(&told_message(&text, traces, &setting.names), setting);
}

/// Checks what the client is told for an error's message.
pub fn check_message(message: &str, setting: &Setting) {
    assert!(!setting.traces.are_in(message.as_bytes()), "{message:?}");
    assert!(
        !setting.is_naming() || !has_origin_bucket(message),
        "{message:?}"
    );
    assert_eq!(
        told_message(message, &setting.traces, &setting.names),
        message
    );
}
