//! Bodies verified by the hash in their head, however they are cut.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    reference::{EMPTY, KEY, NOW, SECRET, Sample, hex},
    *,
};
use proptest::{collection::vec, prelude::*};
use sha2::{Digest, Sha256};
use sigv4::*;

const MISMATCH: &str = "XAmzContentSHA256Mismatch";

/// A request that signs `payload` as its payload, verified by a location with `verify_payload` so.
fn request<T>(payload: &str, verify_payload: bool, look: impl FnOnce(Verified<'_>) -> T) -> T {
    let mut sample = Sample::new("PUT", "/bucket/key");
    sample.payload = payload.into();
    let text = sample.header_form();
    let rules = VerifyRules {
        verify_payload,
        ..rules()
    };
    look(
        verdict(
            &Raw::new(&text),
            &Directory::new(&[(KEY, SECRET)]),
            &rules,
            NOW,
        )
        .unwrap(),
    )
}

/// What is handed out of a body that arrives in pieces of the given lengths, and the verdict on it.
fn send(
    payload: &str,
    length: Option<u64>,
    body: &[u8],
    pieces: &[usize],
) -> (Vec<u8>, Result<(), &'static str>) {
    let mut check = request(payload, true, |verified| verified.body(length)).unwrap();
    let mut out = Vec::new();
    let mut rest = body;
    for &piece in pieces.iter().chain(&[usize::MAX]) {
        let (piece, after) = rest.split_at(piece.min(rest.len()));
        rest = after;
        let mut buf = piece.to_vec();
        let range = check.take(&mut buf).unwrap();
        out.extend_from_slice(&buf[range]);
        assert!(!check.is_complete());
    }
    let verdict = check.finish();
    assert_eq!(check.is_complete(), verdict.is_ok());
    match verdict {
        Ok(last) => {
            out.extend(last);
            (out, Ok(()))
        }
        Err(rejection) => (out, Err(rejection.code())),
    }
}

fn hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

proptest! {
    #[test]
    fn the_right_body_comes_out_whole(
        body in vec(any::<u8>(), 1..60),
        pieces in vec(0..12_usize, 0..20),
        is_announced: bool,
        is_upper: bool,
    ) {
        let length = is_announced.then_some(body.len() as u64);
        let payload = if is_upper { hash(&body).to_uppercase() } else { hash(&body) };
        let (out, verdict) = send(&payload, length, &body, &pieces);
        prop_assert_eq!(verdict, Ok(()));
        prop_assert_eq!(out, body);
    }

    #[test]
    fn of_a_wrong_one_the_last_byte_is_missing(
        body in vec(any::<u8>(), 1..60),
        at: prop::sample::Index,
        pieces in vec(0..12_usize, 0..20),
        is_announced: bool,
    ) {
        let length = is_announced.then_some(body.len() as u64);
        let mut wrong = body.clone();
        wrong[at.index(body.len())] ^= 1;
        let (out, verdict) = send(&hash(&body), length, &wrong, &pieces);
        prop_assert_eq!(verdict, Err(MISMATCH));
        prop_assert_eq!(out.as_slice(), &wrong[..wrong.len() - 1]);
    }
}

#[test]
fn neither_shorter_nor_longer() {
    for body in ["", "hell", "hello!"] {
        let (_, verdict) = send(&hash(b"hello"), None, body.as_bytes(), &[2]);
        assert_eq!(verdict, Err(MISMATCH), "{body}");
    }
    assert_eq!(send(EMPTY, None, b"", &[]), (vec![], Ok(())));
}

/// Where the length is known, nothing is held back, or moved, before the end.
#[test]
fn data_passes_untouched() {
    let mut check = request(&hash(b"hello"), true, |verified| verified.body(Some(5))).unwrap();
    assert_eq!(check.take(&mut b"hell".to_owned()), Ok(0..4));
    assert_eq!(check.take(&mut b"o".to_owned()), Ok(0..0));
    assert_eq!(check.take(&mut []), Ok(0..0));
    assert_eq!(check.finish(), Ok(Some(b'o')));
}

#[test]
fn only_a_hash_is_verified_and_only_where_asked() {
    let is_verified = |payload: &str, verify, length| {
        let (told, found) = request(payload, verify, |verified| {
            (verified.is_body_verified(length), verified.body(length))
        });
        assert_eq!(told, found.is_some());
        assert!(found.is_none_or(|body| !body.is_framed()));
        told
    };
    let some = hash(b"x");
    for length in [None, Some(1), Some(0)] {
        assert!(!is_verified(&some, false, length));
        assert!(!is_verified("UNSIGNED-PAYLOAD", true, length));
        // Nothing to do for what has no body.
        assert_eq!(is_verified(EMPTY, true, length), length != Some(0));
        assert_eq!(is_verified(&some, true, length), length != Some(0));
    }
}

#[test]
fn no_body() {
    let check = |payload: &str, verify| {
        request(payload, verify, |verified| verified.check_no_body()).map_err(|r| r.code())
    };
    let some = hash(b"x");
    assert_eq!(check(&some, true), Err(MISMATCH));
    assert_eq!(check(&some, false), Ok(()));
    assert_eq!(check(EMPTY, true), Ok(()));
    assert_eq!(check(&EMPTY.to_uppercase(), true), Ok(()));
    assert_eq!(check("UNSIGNED-PAYLOAD", true), Ok(()));
}

/// The same for a hash in a presigned URL.
#[test]
fn presigned() {
    let sample = Sample::new(
        "PUT",
        &format!("/b/k?X-Amz-Content-Sha256={}", hash(b"hello")),
    );
    let text = sample.query_form();
    let rules = VerifyRules {
        verify_payload: true,
        ..rules()
    };
    let clients = Directory::new(&[(KEY, SECRET)]);
    let verified = verdict(&Raw::new(&text), &clients, &rules, NOW).unwrap();
    let mut check = verified.body(Some(5)).unwrap();
    check.take(&mut b"hallo".to_owned()).unwrap();
    let own: [u8; 64] = hash(b"hallo").as_bytes().try_into().unwrap();
    let mismatch = Rejection::PayloadMismatch(Some(own.into()));
    assert_eq!(mismatch.status(), 400);
    assert_eq!(check.finish(), Err(mismatch));
}
