//! Once the signing keys are cached, no request costs an allocation or derives a key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ops::Range,
};

use common::{
    reference::{KEY, NOW, SECRET, Sample},
    upload::{self, SampleUpload},
    *,
};
use sigv4::*;

/// Counts what this thread allocates; other threads are the test runner's.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is the system allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const REQUESTS: usize = 300;

/// Requests of all forms, all different, some with much of everything.
fn texts() -> Vec<String> {
    let sample = |at: usize| {
        let query: String = (0..at % 100)
            .map(|n| format!("&{}=%{at:02x}", n * 7 % 31))
            .collect();
        let mut sample = Sample::new(
            "GET",
            &format!("/bucket/a%20b//{at}+?versionId={at}{query}"),
        );
        for name in 0..at % 50 {
            sample = sample.header(&format!("X-Amz-Meta-{}", name * 7 % 31), "a  value");
        }
        sample
    };
    let v2 = |at: usize| {
        let key = format!("a b//{at}");
        let presign = Presign {
            method: b"GET",
            host: b"s3.mydomain.com",
            bucket: b"bucket",
            key: key.as_bytes(),
            headers: &[],
            session_token: None,
            region: Region::parse(b"").unwrap(),
            expires: 900,
        };
        let target = presign
            .v2(&credential(KEY, SECRET), Timestamp(NOW))
            .unwrap();
        format!("GET {}\nHost: h\n", String::from_utf8(target).unwrap())
    };
    (0..REQUESTS)
        .map(|at| match at % 4 {
            0 => sample(at).header_form(),
            1 => sample(at).query_form(),
            2 => v2(at),
            _ => format!("GET /bucket/{at}?list-type=2\nHost: h\nAccept: */*\n"),
        })
        .collect()
}

#[test]
fn none_on_the_hot_path() {
    none_with(&BucketMap::default());
}

/// Names are mapped in place.
#[test]
fn none_with_other_names() {
    let mut buckets = BucketMap::default();
    let rule = BucketRule::parse(b"b*", b"acme-b*").unwrap();
    buckets.push(rule).unwrap();
    none_with(&buckets);
}

fn none_with(buckets: &BucketMap) {
    let texts = texts();
    let clients = Directory::with_grant(KEY, SECRET, grant("", "b*t,a/b*"));
    let rules = VerifyRules {
        anonymous: Anonymous::PassedOn,
        signature_v2: true,
        ..rules()
    };
    let origins = [Addressing::Path, Addressing::Virtual].map(|addressing| Origin {
        session_token: Some(SecretKey::new(b"token".to_vec())),
        addressing,
        buckets: buckets.clone(),
        ..Origin::new(
            credential("AKIDORIGIN", "origin/secret"),
            b"s3.origin.example:9000",
        )
    });
    let raws: Vec<_> = texts.iter().map(|text| Raw::new(text)).collect();
    let heads: Vec<_> = texts
        .iter()
        .map(|text| {
            let (line, headers) = text.split_once('\n').unwrap();
            format!("{line} HTTP/1.1\r\n{}\r\n", headers.replace('\n', "\r\n"))
        })
        .collect();
    let mut keys = KeyCache::new(16);
    let mut out = vec![0; 65_536];
    let mut forms = [0; 5];
    let mut round = |keys: &mut KeyCache, asked: Range<usize>| {
        let before = ALLOCATIONS.get();
        for (raw, head) in raws[asked.clone()].iter().zip(&heads[asked]) {
            let request = raw.request();
            let verified = verify(&request, &clients, &rules, keys, Timestamp(NOW)).unwrap();
            forms[verified.auth_type() as usize] += 1;
            let _ =
                S3Request::of(&request, &Address::PATH_STYLE).map(|asked| asked.operation().name());
            // Every try on another origin.
            verified.check_buckets(origins.iter()).unwrap();
            for origin in &origins {
                assert!(verified.maps_at(origin));
                let mut room = HeadRoom::default();
                let head = WireHead::parse(head.as_bytes(), &verified, &mut room).unwrap();
                let mut signed = sign(&verified, &head, origin, keys, Timestamp(NOW)).unwrap();
                assert!(signed.write(&mut out).is_some());
            }
        }
        ALLOCATIONS.get() - before
    };
    let (some, others, all) = (0..REQUESTS / 2, REQUESTS / 2..REQUESTS, 0..REQUESTS);
    assert!(round(&mut keys, some) > 0, "the keys are derived and kept");
    let derivations = keys.derivations();
    assert_eq!(derivations, 3, "the client's and each origin's, once");
    assert_eq!(
        round(&mut keys, others),
        0,
        "also not for links that are new"
    );
    assert!(
        round(&mut keys, all.clone()) > 0,
        "links are kept that were seen"
    );
    assert_eq!(round(&mut keys, all), 0);
    assert_eq!(keys.derivations(), derivations);
    // A round needs a key for each V4 request of a client (half of them), but for a link that is known,
    // and for each signature (all but the anonymous, on two origins).
    let needed = 3 * (REQUESTS / 2 + 2 * REQUESTS * 3 / 4) as u64;
    let (known, _) = keys.links();
    assert!(known > 0);
    assert_eq!(keys.hits() + derivations + known, needed);
    let quarter = 3 * REQUESTS / 4;
    assert_eq!(forms, [quarter, quarter, 0, quarter, quarter]);
}

/// However long a body in `aws-chunked` framing is, and however it is cut.
#[test]
fn none_per_chunk() {
    for kind in [
        StreamingKind::Signed,
        StreamingKind::SignedTrailer,
        StreamingKind::UnsignedTrailer,
    ] {
        let upload = SampleUpload::even(kind, &[b'x'; 300_000], 8_192);
        let head = upload.head();
        let mut body = upload.body(&head);
        let raw = Raw::new(&head);
        let verified = verdict(
            &raw,
            kept(Directory::new(&[(KEY, SECRET)])),
            kept(rules()),
            NOW,
        )
        .unwrap();
        let origin = Origin::new(
            credential("AKIDORIGIN", "origin/secret"),
            b"s3.origin.example:9000",
        );
        let wire = format!("{} HTTP/1.1\nHost: h\n\n", head.lines().next().unwrap());
        let wire = wire.replace('\n', "\r\n");
        let mut room = HeadRoom::default();
        let wire = WireHead::parse(wire.as_bytes(), &verified, &mut room).unwrap();
        let mut keys = KeyCache::new(1);
        let mut out = vec![0; 4_096];
        let mut signed = sign(&verified, &wire, &origin, &mut keys, Timestamp(NOW)).unwrap();
        let mut encoder = signed.write_with_encoder(&mut out).unwrap().1.unwrap();
        let mut decoder = upload::decoder(&verified).unwrap();

        let before = ALLOCATIONS.get();
        let mut chunks = 0;
        for piece in body.chunks_mut(1_000) {
            let data = decoder.decode(piece).unwrap();
            assert!(data.len() <= piece.len());
        }
        while encoder.next_length() > 0 {
            // Every other chunk is hashed again.
            let length = encoder.next_length();
            let known = decoder.chunk_hash(encoder.offset(), length);
            let known = known.filter(|_| chunks % 2 == 0);
            if known.is_none() && encoder.is_signed() {
                encoder.hash(&upload.payload[..length as usize]);
            }
            encoder.chunk(known.as_ref()).unwrap();
            chunks += 1;
        }
        assert!(decoder.finish().unwrap().is_some());
        encoder.end(decoder.checksum()).unwrap();
        assert_eq!(ALLOCATIONS.get() - before, 0, "{kind:?}");
        assert_eq!(chunks, 37);
    }
}

/// Who is rejected allocates nothing either, however often.
#[test]
fn none_for_strangers() {
    let clients = Directory::new(&[(KEY, SECRET)]);
    let wrong = Sample::new("GET", "/b/k").header_form().replace("/k", "/j");
    let mut unknown = Sample::new("GET", "/b/k");
    unknown.key = "nobody".into();
    let texts = [
        wrong,
        unknown.clone().header_form(),
        unknown.query_form(),
        "GET /\nHost: h\n".into(),
    ];
    let raws = texts.each_ref().map(|text| Raw::new(text));
    let (mut keys, rules) = (KeyCache::new(16), rules());
    let mut round = || {
        let before = ALLOCATIONS.get();
        for raw in &raws {
            let answer = verify(&raw.request(), &clients, &rules, &mut keys, Timestamp(NOW));
            assert!(answer.is_err());
        }
        ALLOCATIONS.get() - before
    };
    round();
    assert_eq!(round(), 0);
}
