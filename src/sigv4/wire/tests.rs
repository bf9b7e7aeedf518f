#![allow(clippy::unwrap_used)]
use super::*;
use crate::text::query::QueryChanges;
use crate::{
    address::Address, request::Target, rules::VerifyRules, text::token::UPPER, ties::each_edit,
};

#[test]
fn a_usual_name_is_split_off_as_any_other() {
    let mut found = 0;
    for name in [
        "Accept",
        "Accept-Encoding",
        "Authorization",
        "Host",
        "User-Agent",
        "X-Amz-Date",
        "X-Amz-Content-Sha256",
    ] {
        for line in [
            format!("{name}: v\r\n"),
            format!("{name}:v\r\n").to_lowercase(),
        ] {
            each_edit(line.as_bytes(), |line| {
                let Some((name, kinds, rest)) = split_usual_name(line) else {
                    return;
                };
                let slow = split_token(line);
                let slow = (slow.0, slow.1 & !UPPER, slow.2);
                assert_eq!((name, kinds, rest), slow, "{}", line.escape_ascii());
                found += 1;
            });
        }
    }
    assert!(found > 1_000, "{found}");
}

/// A target that was verified is not read again; it would be read so.
#[test]
fn a_plain_target_is_read_as_any_other() {
    let rules = VerifyRules::default();
    let mut found = 0;
    for admitted in ["/b/k%20a", "/b/k?X-Amz-Date=a&X-Amz-Expires=1%2F"] {
        each_edit(admitted.as_bytes(), |admitted| {
            let question = memchr::memchr(b'?', admitted).unwrap_or(admitted.len());
            let (path, query) = admitted.split_at(question);
            let query = query.get(1..).unwrap_or_default();
            let mut room = Parameters::new();
            let is_plain = uri::is_canonical(path, Part::Path) == Some(true)
                && Query::parse(query, &mut room).is_ok_and(|query| query.is_plain());
            if !is_plain || !path.starts_with(b"/") {
                return;
            }
            let request = |is_plain| AdmittedRequest {
                address: Address::PATH_STYLE,
                method: b"GET",
                path,
                target: Target { path, query },
                operation: Operation::GetObject,
                source: None,
                is_plain,
                has_plus: false,
                has_sealed_id: false,
                has_own_key: false,
                rules: &rules,
            };
            // nginx leaves out the question mark of an empty query.
            let spelled = [path, if query.is_empty() { b"" } else { b"?" }, query].concat();
            for target in [admitted, &spelled] {
                let wire = [b"GET ", target, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
                let heads = [true, false].map(|is_plain| {
                    let mut room = HeadRoom::default();
                    let head = WireHead::read(
                        &wire,
                        Some(&request(is_plain)),
                        Withheld::default(),
                        &mut room,
                    )
                    .unwrap();
                    let mut put = Vec::new();
                    head.query.put_with(
                        &mut put,
                        &[] as &[(&[u8], &[u8])],
                        QueryChanges::default(),
                    );
                    let has_others = head.query.others().next().is_some();
                    let path = head.path.to_vec();
                    (path, head.canonical_path, head.is_admitted, put, has_others)
                });
                assert_eq!(heads[0], heads[1], "{}", target.escape_ascii());
                assert!(heads[0].2);
                found += 1;
            }
        });
    }
    assert!(found > 500, "{found}");
}

#[test]
fn conditional_writes() {
    for (method, header, expected) in [
        ("PUT", "If-None-Match: *", true),
        ("PUT", "if-match: \"e\"", true),
        ("POST", "IF-MODIFIED-SINCE: x", true),
        ("DELETE", "X-Amz-If-Match-Size: 5", true),
        ("DELETE", "x-amz-if-match-last-modified-time: x", true),
        ("PUT", "x-amz-write-offset-bytes: 5", true),
        ("GET", "If-None-Match: *", false),
        ("HEAD", "If-Match: *", false),
        ("PUT", "x-amz-copy-source-if-match: x", true),
        ("PUT", "X-Amz-Rename-Source-If-None-Match: x", true),
        ("PUT", "x-amz-copy-source: if-match", false),
        ("PUT", "Iff: x", false),
        ("PUT", "If: x", false),
    ] {
        let head = format!("{method} /b/k HTTP/1.1\r\nHost: h\r\nA: b\r\n{header}\r\n\r\n");
        let mut room = HeadRoom::default();
        let head = WireHead::parse_own(head.as_bytes(), &mut room).unwrap();
        assert_eq!(head.is_conditional_write(), expected, "{method} {header}");
    }
}
