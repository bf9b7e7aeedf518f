//! Nanoseconds to verify a request and to sign it again, signing keys cached, over many different and new
//! requests: `cargo bench -p sigv4`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{hint::black_box, time::Instant};

use common::{
    minting::{Mint, issuer, mint},
    reference::{KEY, NOW, SECRET, Sample},
    *,
};
use sigv4::*;

const REQUESTS: usize = 1_000;
/// Presigned links that were seen in the rounds before.
const KNOWN: &str = "known";
const ROUNDS: usize = 100;

fn main() {
    println!(
        "{:<10} {:>9} {:>9} {:>9} ns, the best of {ROUNDS} rounds",
        "", "verify", "sign", "both"
    );
    for (name, make) in [
        (
            "header",
            (|at| sample(at).header_form()) as fn(usize) -> String,
        ),
        ("presigned", |at| sample(at).query_form()),
        (KNOWN, |at| sample(at).query_form()),
        ("listing", listing),
        ("v2", v2),
    ] {
        // `cargo bench -p sigv4 -- header` measures that alone.
        if std::env::args()
            .skip(1)
            .all(|wanted| wanted.starts_with("--") || wanted == name)
        {
            let texts: Vec<String> = (0..REQUESTS).map(make).collect();
            measure(name, &texts, &Directory::new(&[(KEY, SECRET)]));
        }
    }
    minted();
}

/// A key that was minted, beside one of the configuration with as long a token.
fn minted() {
    let issued = Mint::new(vec![issuer()]);
    let key = mint(&issued.issuers[0], "", "");
    let token = &key.session_token;
    let mut listed = Directory::new(&[(&key.access_key, &key.secret_key)]);
    for client in listed.0.values_mut() {
        client.session_token = Some(SecretKey::new(token.clone().into())).into();
    }
    let text = |at| {
        let mut sample = sample(at).header("x-amz-security-token", token);
        sample.key.clone_from(&key.access_key);
        sample.secret.clone_from(&key.secret_key);
        sample.header_form()
    };
    let texts: Vec<String> = (0..REQUESTS).map(text).collect();
    measure("token", &texts, &listed);
    measure("minted", &texts, &issued);
}

/// A download as an SDK sends it.
fn sample(at: usize) -> Sample {
    Sample::new("GET", &format!("/bucket/path/to/object-{at}.bin"))
        .unsigned(
            "User-Agent",
            "aws-sdk-rust/1.3.14 os/linux lang/rust/1.95.0",
        )
        .unsigned("Accept", "*/*")
        .unsigned("Accept-Encoding", "identity")
}

/// A listing as an SDK asks for it.
fn listing(at: usize) -> String {
    let query = format!(
        "delimiter=%2F&encoding-type=url&list-type=2&max-keys=1000&prefix=path%2Fto-{at}%2F"
    );
    Sample::new("GET", &format!("/bucket?{query}"))
        .unsigned("Accept-Encoding", "identity")
        .header_form()
}

fn v2(at: usize) -> String {
    let key = format!("path/to/object-{at}.bin");
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
    format!(
        "GET {}\nHost: s3.mydomain.com\nAccept: */*\nUser-Agent: curl/8.1\n",
        String::from_utf8(target).unwrap()
    )
}

fn measure<C>(name: &str, texts: &[String], clients: &C)
where
    for<'c> &'c C: Clients<'c>,
{
    let rules = VerifyRules {
        signature_v2: true,
        ..rules()
    };
    let origin = Origin {
        region: Region::parse(b"eu-west-1"),
        ..Origin::new(
            credential("AKIDORIGIN", "origin/secret"),
            b"s3.origin.example:9000",
        )
    };
    let mut keys = KeyCache::new(64);
    let raws: Vec<_> = texts.iter().map(|text| Raw::new(text)).collect();
    let heads: Vec<_> = texts
        .iter()
        .map(|text| {
            let (line, headers) = text.split_once('\n').unwrap();
            let headers = headers.replace('\n', "\r\n");
            format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")
        })
        .collect();
    let now = Timestamp(NOW);
    let mut out = vec![0; 4_096];
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        if name != KNOWN {
            keys = KeyCache::new(64);
        }
        let start = Instant::now();
        let verified: Vec<_> = raws
            .iter()
            .map(|raw| verify(&raw.request(), clients, &rules, &mut keys, now).unwrap())
            .collect();
        let between = Instant::now();
        for (verified, head) in verified.iter().zip(&heads) {
            let mut room = HeadRoom::default();
            let head = WireHead::parse(head.as_bytes(), verified, &mut room).unwrap();
            let mut signed = sign(verified, &head, &origin, &mut keys, now).unwrap();
            signed.write(&mut out).unwrap();
            black_box(&out);
        }
        let per = |nanos: u128| nanos as f64 / texts.len() as f64;
        times.0.push(per((between - start).as_nanos()));
        times.1.push(per(between.elapsed().as_nanos()));
    }
    // The fastest round is the one least disturbed by the rest of the machine.
    let least = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    let (verify, sign) = (least(times.0), least(times.1));
    println!(
        "{name:<10} {verify:>9.0} {sign:>9.0} {:>9.0}",
        verify + sign
    );
}
