//! Browsers' forms: a body of any bytes, or a policy and fields of any text with a signature that is
//! right.
#![no_main]

#[path = "../tests/common/mod.rs"]
mod common;

use base64ct::{Base64, Encoding};
use common::{
    Directory, Raw,
    form::{body_with, head, sign_policy},
    reference::{KEY, NOW, SECRET},
    rules,
};
use libfuzzer_sys::fuzz_target;
use sigv4::*;

// How to read it (what is in it, whether it is streamed, whether its fields carry file names) and the length
// of a piece, then the body, or lines: the policy, and `name=value`.
fuzz_target!(|input: &[u8]| {
    let [raw, piece, rest @ ..] = input else {
        return;
    };
    let body = match raw % 2 {
        0 => rest.to_vec(),
        _ => match std::str::from_utf8(rest) {
            Ok(text) => signed(text, raw / 4 % 2 == 1),
            Err(_) => return,
        },
    };
    let text = head("/bucket");
    let request = Raw::new(&text);
    let request = request.request();
    let Ok(mut decoder) = FormDecoder::new(&request, &Address::PATH_STYLE) else {
        return;
    };
    let mut stream = (raw / 2 % 2 == 1).then(|| FormStream::new(body.len() as u64));
    let mut stored = 0;
    for piece in body.chunks(usize::from(*piece).max(1)) {
        let mut piece = piece.to_vec();
        let data = match &mut stream {
            Some(stream) => stream.take(&mut decoder, &mut piece),
            None => decoder.decode(&mut piece),
        };
        let Ok(data) = data else {
            return;
        };
        stored += piece[data].len() as u64;
    }
    assert!(decoder.file_length() <= stored);
    let Some(head) = decoder.head() else {
        return;
    };
    let head = head.to_vec();
    let clients = Directory::new(&[(KEY, SECRET)]);
    let rules = VerifyRules {
        signature_v2: true,
        ..rules()
    };
    let mut keys = KeyCache::new(2);
    let Ok(pending) = verify_form(
        &request,
        &decoder,
        &head,
        &clients,
        &rules,
        &mut keys,
        Timestamp(NOW),
    ) else {
        return;
    };
    let verified = match &stream {
        Some(stream) => {
            let Ok(tail) = stream.end(&decoder, &pending) else {
                return;
            };
            stored += tail.text.len() as u64 + tail.padding;
            pending.streamed(&decoder, stream)
        }
        None => pending.complete(&decoder),
    };
    if let Ok(verified) = verified {
        assert!(decoder.is_complete());
        assert_eq!(verified.stored_length(), Some(stored));
    }
});

fn signed(text: &str, has_names: bool) -> Vec<u8> {
    let field_head = match has_names {
        true => "; filename=\"${filename}\"\r\nContent-Type: text/plain",
        false => "",
    };
    let mut lines = text.split('\n');
    let policy = Base64::encode_string(lines.next().unwrap_or_default().as_bytes());
    let mut fields: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    fields.extend(
        [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            (
                "x-amz-credential",
                &format!("{KEY}/20260102/us-east-1/s3/aws4_request"),
            ),
            ("x-amz-date", "20260102T030405Z"),
            ("x-amz-signature", &sign_policy(&policy)),
            ("policy", &policy),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    body_with(&fields, field_head, "; filename=\"f.txt\"", b"hello")
}
