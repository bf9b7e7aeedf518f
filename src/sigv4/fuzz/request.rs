//! Requests of any bytes, and the heads that nginx may make of them. A wrong signature is put right, so
//! that what is behind it is reached too. What is signed for an origin, the origin must let in.
#![no_main]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{
    Directory, credential,
    reference::{KEY, NOW, SECRET, sign},
    rules,
};
use libfuzzer_sys::fuzz_target;
use sigv4::*;

// A request line and headers, a line each; behind an empty line the headers that nginx adds.
fuzz_target!(|text: &[u8]| {
    let (request, added) = split_once(text, b"\n\n").unwrap_or((text, b""));
    let clients = Directory::new(&[(KEY, SECRET)]);
    let mut request = request.to_vec();
    if let Some(signed) = with_right_signature(&request, &clients) {
        request = signed;
    }
    let Some(parsed) = Parsed::new(&request) else {
        return;
    };
    let open = Rules {
        anonymous: true,
        signature_v2: true,
        verify_payload: true,
        ..rules()
    };
    let mut keys = KeyCache::new(2);
    let now = Timestamp(NOW);
    let Ok(mut verified) = verify(&parsed.request(), &clients, &open, &mut keys, now) else {
        return;
    };
    let _ = (
        verified.body(None),
        verified.body(Some(0)),
        verified.check_no_body(),
    );

    let mut head = [
        request
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default(),
        b" HTTP/1.1\r\n",
    ]
    .concat();
    for line in parsed
        .headers
        .iter()
        .map(|header| [header.name, b":", header.value].concat())
    {
        head.extend_from_slice(&line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(added);
    head.extend_from_slice(b"\r\n");
    for addressing in [Addressing::Path, Addressing::Virtual] {
        for framing in [Framing::Keep, Framing::Decode] {
            sign_for(addressing, framing, &mut verified, &head, &mut keys);
        }
    }
});

fn sign_for(
    addressing: Addressing,
    framing: Framing,
    verified: &mut Verified<'_>,
    head: &[u8],
    keys: &mut KeyCache,
) {
    let origin = Origin {
        credential: credential("AKIDORIGIN", "origin/secret"),
        session_token: None,
        region: None,
        host: b"s3.origin.example:9000".as_slice().into(),
        addressing,
        framing,
    };
    let mut room = HeadRoom::default();
    let Ok(head) = WireHead::parse(head, verified, &mut room) else {
        return;
    };
    let Ok(mut signed) = sigv4::sign(verified, &head, &origin, keys, Timestamp(NOW)) else {
        return;
    };
    let mut out = vec![0; signed.max_len()];
    let (length, _) = signed.write_with_encoder(&mut out);
    assert!(length > 0, "{verified:?} has a longer head than was said");
    if verified.form() == Form::Anonymous {
        return;
    }
    let sent = out[..length]
        .strip_suffix(b"\r\n\r\n")
        .expect("ends with a blank line");
    let sent = String::from_utf8_lossy(sent)
        .replace("\r\n", "\n")
        .into_bytes();
    // What is no text is no header of any server's, and was changed by the line above.
    if sent.len() + 4 != length - sent.iter().filter(|byte| **byte == b'\n').count() {
        return;
    }
    let parsed = Parsed::new(&sent).expect("has a request line");
    let origins = Directory::new(&[("AKIDORIGIN", "origin/secret")]);
    // It knows its buckets by their hosts.
    let hosts = parsed
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(b"host"));
    let without_port = |host: &Header<'_>| {
        host.value
            .split(|byte| *byte == b':')
            .next()
            .map(Into::into)
    };
    let rules = Rules {
        endpoints: hosts.filter_map(without_port).collect(),
        ..rules()
    };
    let answer = verify(&parsed.request(), &origins, &rules, keys, Timestamp(NOW));
    assert!(answer.is_ok(), "{answer:?}:\n{}", sent.escape_ascii());
}

struct Parsed<'a> {
    method: &'a [u8],
    path: &'a [u8],
    query: &'a [u8],
    headers: Vec<Header<'a>>,
}

impl<'a> Parsed<'a> {
    fn new(text: &'a [u8]) -> Option<Parsed<'a>> {
        let mut lines = text.split(|&byte| byte == b'\n');
        let line = lines.next()?;
        let line = line.strip_suffix(b" HTTP/1.1").unwrap_or(line);
        let (method, target) = split_once(line, b" ")?;
        let (path, query) = split_once(target, b"?").unwrap_or((target, b""));
        let headers = lines
            .map_while(|line| split_once(line, b":"))
            .map(|(name, value)| Header {
                name,
                value: value.trim_ascii(),
            })
            .collect();
        Some(Parsed {
            method,
            path,
            query,
            headers,
        })
    }

    fn request(&self) -> Request<'_, 'a> {
        Request {
            method: self.method,
            path: self.path,
            query: self.query,
            host: None,
            rewritten: None,
            headers: &self.headers,
        }
    }
}

/// The request with the signature that its string to sign should have.
fn with_right_signature(text: &[u8], clients: &Directory) -> Option<Vec<u8>> {
    let parsed = Parsed::new(text)?;
    let rules = rules();
    let refused = verify(
        &parsed.request(),
        clients,
        &rules,
        &mut KeyCache::new(2),
        Timestamp(NOW),
    )
    .err()?;
    if refused.rejection != Rejection::SignatureDoesNotMatch {
        return None;
    }
    let to_sign = String::from_utf8(explain(&parsed.request())?.string_to_sign).ok()?;
    let mut scope = to_sign.split('\n').nth(2)?.split('/');
    let signature = sign(
        SECRET,
        [scope.next()?, scope.next()?, "s3", "aws4_request", &to_sign],
    );
    let at = find(text, b"Signature=")? + b"Signature=".len();
    let end = text[at..]
        .iter()
        .position(|byte| b"&, \n".contains(byte))
        .map_or(text.len(), |length| at + length);
    Some([&text[..at], signature.as_bytes(), &text[end..]].concat())
}

fn split_once<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}
