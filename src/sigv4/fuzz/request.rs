//! Requests of any bytes, and the heads that nginx may make of them. A wrong signature is put right, so
//! that what is after it is reached too. What is signed for an origin, the origin must accept, must read
//! as it was read here, and must be within the client's grant.
#![no_main]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{
    Directory,
    allowance::Allowance,
    credential,
    naming::Naming,
    reading::{Head, find, read, split_once},
    reference::{KEY, NOW, SECRET, sign},
    rules,
};
use libfuzzer_sys::fuzz_target;
use sigv4::*;

/// No buckets.
const RESERVED: [&[u8]; 2] = [b"minio", b"admin"];

// A request line and headers, a line each; after an empty line the headers that nginx adds; after another
// one what the client is allowed, where, a target for a rewrite, and `sign` if the location grants the same to
// whoever has no signature, a line each.
fuzz_target!(|text: &[u8]| {
    let (request, rest) = split_once(text, b"\n\n").unwrap_or((text, b""));
    let (added, settings) = split_once(rest, b"\n\n").unwrap_or((rest, b""));
    let Ok(settings) = std::str::from_utf8(settings) else {
        return;
    };
    let mut settings = settings.split('\n');
    let mut list = || -> Vec<String> {
        let words = settings.next().unwrap_or_default().split(',');
        words
            .filter(|word| !word.is_empty())
            .map(Into::into)
            .collect()
    };
    let allowance = Allowance {
        allow: list(),
        buckets: list(),
        outer: None,
    };
    let rewritten = settings.next().map(str::as_bytes);
    let signs = settings.next() == Some("sign");
    let (Some(grant), Some(lent)) = (allowance.parse(), allowance.parse()) else {
        return;
    };
    let mut request = request.to_vec();
    if let Some(signed) = with_right_signature(&request, &Directory::new(&[(KEY, SECRET)])) {
        request = signed;
    }
    let Some(mut parsed) = Head::parse(&request) else {
        return;
    };
    let open = VerifyRules {
        anonymous: match signs {
            true => Anonymous::Signed {
                grant: Arc::new(lent),
                account: None,
            },
            false => Anonymous::PassedOn,
        },
        signature_v2: true,
        verify_payload: true,
        reserved: RESERVED.map(Into::into).into(),
        ..rules()
    };
    let clients = Directory::with_grant(KEY, SECRET, grant);
    let mut keys = KeyCache::new(2);
    let now = Timestamp(NOW);
    let came = parsed.clone();
    let target = rewritten.map(|target| {
        let (path, query) = split_once(target, b"?").unwrap_or((target, b""));
        Target { path, query }
    });
    let asked = ClientRequest {
        path_with_plus: None,
        rewritten: target,
        ..came.request()
    };
    if let Some(Target { path, query }) = target {
        (parsed.path, parsed.query) = (path, query);
    }
    let Ok(mut verified) = verify(&asked, &clients, &open, &mut keys, now) else {
        return;
    };
    assert_eq!(
        S3Request::of(&asked, &Address::PATH_STYLE).map(|asked| asked.operation()),
        Ok(verified.operation())
    );
    let _ = (
        verified.body(None),
        verified.body(Some(0)),
        verified.check_no_body(),
    );

    let head = parsed.wire(&String::from_utf8_lossy(added));
    for addressing in [Addressing::Path, Addressing::Virtual] {
        for framing in [Framing::Keep, Framing::Decode] {
            for naming in [Naming::Same, Naming::Prefixed] {
                let origin = Origin {
                    addressing,
                    framing,
                    buckets: naming.map(),
                    ..Origin::new(
                        credential("AKIDORIGIN", "origin/secret"),
                        b"s3.origin.example:9000",
                    )
                };
                sign_for(&origin, naming, &mut verified, &head, &mut keys, &allowance);
            }
        }
    }
});

fn sign_for(
    origin: &Origin,
    naming: Naming,
    verified: &mut Verified<'_>,
    head: &[u8],
    keys: &mut KeyCache,
    allowance: &Allowance,
) {
    let mut room = HeadRoom::default();
    let Ok(head) = WireHead::parse(head, verified, &mut room) else {
        return;
    };
    let Ok(mut signed) = sigv4::sign(verified, &head, origin, keys, Timestamp(NOW)) else {
        return;
    };
    let mut out = vec![0; signed.max_len()];
    let written = signed.write_with_encoder(&mut out);
    let (length, _) = written.expect("a head as long as was said");
    if origin.addressing == Addressing::Path {
        check_asked(&out[..length], naming, verified, allowance);
    }
    if !verified.auth_type().is_signed_for_origins() {
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
    let parsed = Head::parse(&sent).expect("has a request line");
    let origins = Directory::new(&[("AKIDORIGIN", "origin/secret")]);
    // It knows its buckets by their hosts.
    let host = parsed.header("host").unwrap_or_default();
    let bucket = host.strip_suffix(b".s3.origin.example:9000");
    let path = bucket.map(|bucket| [b"/", bucket, parsed.path].concat());
    let asked = ClientRequest {
        path_with_plus: None,
        rewritten: path.as_deref().map(|path| Target {
            path,
            query: parsed.query,
        }),
        ..parsed.request()
    };
    let rules = VerifyRules {
        endpoint: Endpoint {
            server_names: vec![host.strip_suffix(b":9000").unwrap_or(host).into()],
            ..Default::default()
        },
        ..rules()
    };
    let answer = verify(&asked, &origins, &rules, keys, Timestamp(NOW));
    assert!(answer.is_ok(), "{answer:?}:\n{}", sent.escape_ascii());
}

/// The origin reads what was read here, and it is where the client may be.
fn check_asked(sent: &[u8], naming: Naming, verified: &Verified<'_>, allowance: &Allowance) {
    let head = Head::parse(sent).expect("has a request line");
    let mut asked = read(&head, None);
    assert!(!RESERVED.contains(&asked.bucket.as_slice()), "{asked:?}");
    // The head may have been changed, and so be another operation than was asked for.
    let model = S3Request::of(&head.request(), &Address::PATH_STYLE).expect("is a request of S3");
    let written = |part: Option<Encoded<'_>>| {
        part.map_or(Vec::new(), |part| {
            let mut out = vec![0; part.len()];
            part.write(&mut out);
            common::reference::decode(&out, false)
        })
    };
    assert_eq!(written(model.bucket()), asked.bucket, "{asked:?}");
    assert_eq!(written(model.key()), asked.key, "{asked:?}");
    naming.undo(&mut asked);
    asked.operation = model.operation().name();
    let is_signed = verified.auth_type().is_signed_for_origins();
    assert!(
        !is_signed || allowance.permits_place(&asked),
        "{allowance:?} {asked:?}"
    );
}

/// The request with the signature that its string to sign should have.
fn with_right_signature(text: &[u8], clients: &Directory) -> Option<Vec<u8>> {
    let parsed = Head::parse(text)?;
    let rules = rules();
    let rejected = verify(
        &parsed.request(),
        clients,
        &rules,
        &mut KeyCache::new(2),
        Timestamp(NOW),
    )
    .err()?;
    if rejected.rejection != Rejection::SignatureDoesNotMatch {
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
