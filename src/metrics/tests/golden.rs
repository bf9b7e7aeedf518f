//! The three faces of a snapshot, as they are known to people and their tools. After a change that is
//! meant: `GOLDEN=write cargo test -p metrics --test golden`, and look at the difference.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::env;
use std::fs;
use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use health::{AddressHealth, Change, HealthState, UpstreamHealth};
use metrics::{
    AUTH_TYPES, CACHE_STATUSES, CLASSES, ClientFileRow, ClientRow, FIRST_BYTE_BUCKETS,
    FirstByteTimes, Format, KeySetRow, OriginKeysRow, OriginRow, OriginState, POLICY, RECENT,
    RejectedKeyRow, ServerRole, Snapshot, StsCallsRow, TIME_BUCKETS,
};
use sha2::{Digest, Sha256};
use sigv4::{AuthType, Rejection};

const NOW: u64 = 1_709_210_096; // a leap day
/// As an attacker would be called, after what is not printable has been escaped.
const HOSTILE: &str = r##"AKID"\'<i>&amp;\x1b</code><script>alert(1)</script>{{7*7}}{% raw %}"##;

#[test]
fn html_page() {
    compare("page.html", &page(&snapshot()));
    compare("page-at-first.html", &page(&at_first()));
}

/// Its style and script have tests of their own.
fn page(snapshot: &Snapshot) -> String {
    Format::Html
        .render(snapshot)
        .unwrap()
        .replace(include_str!("../render/page.css"), "/* page.css */\n")
        .replace(include_str!("../render/page.js"), "// page.js\n")
}

/// The policy names what is in the page, and nothing else.
#[test]
fn the_policy_allows_the_style_and_the_script() {
    let page = Format::Html.render(&at_first()).unwrap();
    for (element, directive) in [("style", "style-src"), ("script", "script-src")] {
        let [begin, end] = [format!("<{element}>"), format!("</{element}>")];
        assert_eq!(page.matches(&begin).count(), 1);
        let text = page
            .split_once(&begin)
            .unwrap()
            .1
            .split_once(&end)
            .unwrap()
            .0;
        let hash = Base64::encode_string(&Sha256::digest(text));
        let allowed = format!("{directive} 'sha256-{hash}';");
        assert!(POLICY.contains(&allowed), "{allowed}");
    }
}

#[test]
fn json_text() {
    let text = |snapshot: &Snapshot| Format::Json.render(snapshot).unwrap();
    compare("status.json", &text(&snapshot()));
    compare("status-at-first.json", &text(&at_first()));
}

#[test]
fn prometheus_text() {
    let text = |snapshot: &Snapshot| Format::Prometheus.render(snapshot).unwrap();
    compare("metrics.txt", &text(&snapshot()));
    compare("metrics-at-first.txt", &text(&at_first()));
}

fn compare(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if env::var("GOLDEN").is_ok_and(|what| what == "write") {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    for (number, (is, was)) in text.split('\n').zip(golden.split('\n')).enumerate() {
        assert_eq!(is, was, "line {} of {name}", number + 1);
    }
    assert_eq!(text, golden, "{name}");
}

/// Nothing has happened yet.
fn at_first() -> Snapshot {
    Snapshot {
        version: "1.2.3",
        nginx_version: "1.29.0",
        now: 1_000_000,
        started: 1_000_000,
        loaded: 1_000_000,
        reloads: 0,
        accepted: accepted([0; AUTH_TYPES]),
        rejected: rejected(&[]),
        failed: rejected(&[]),
        answers: [0; CLASSES],
        received: 0,
        sent: 0,
        retries: 0,
        times: [0; TIME_BUCKETS],
        nanoseconds: 0,
        keys_found: 0,
        keys_derived: 0,
        links_known: 0,
        links_computed: 0,
        minted: 0,
        revoked: 0,
        operations: Vec::new(),
        cache: [0; CACHE_STATUSES.len()],
        clients: Vec::new(),
        other_clients: client("", false, 0),
        requests: [0; RECENT],
        rejections: [0; RECENT],
        rejected_clients: Vec::new(),
        rejected_strangers: Vec::new(),
        origins: vec![origin("up", "10.0.0.1:9000", OriginState::Unused)],
        health: vec![UpstreamHealth {
            name: "up".into(),
            is_up: true,
            addresses: vec![address(
                "10.0.0.1:9000",
                "10.0.0.1:9000",
                HealthState::Unknown,
            )],
        }],
        keys: Vec::new(),
        client_files: Vec::new(),
        sts: Vec::new(),
        key_sets: Vec::new(),
    }
}

fn client(name: &str, is_issuer: bool, requests: u64) -> ClientRow {
    ClientRow {
        name: name.into(),
        is_issuer,
        requests,
        received: 500 * requests,
        sent: 20_000 * requests,
    }
}

fn sts_calls(operation: &'static str, outcome: &'static str, count: u64) -> StsCallsRow {
    StsCallsRow {
        operation,
        outcome,
        count,
    }
}

fn key_set(source: &str, keys: u64, fetched: Option<u64>, error: &str) -> KeySetRow {
    KeySetRow {
        source: source.into(),
        keys,
        fetched,
        refreshed: 9,
        failed: error.len() as u64,
        error: error.into(),
    }
}

/// Everything has happened, and everyone who could choose a text has chosen a hostile one.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot {
        version: "1.2.3",
        nginx_version: "1.29.0",
        now: NOW,
        started: NOW - 3 * 86_400 - 5,
        loaded: NOW - 3 * 3600 - 120,
        reloads: 3,
        accepted: accepted([1_234_567, 0, 98_765, 4, 5, 0, 6, 8, 7]),
        rejected: rejected(&[(3, 1000), (2, 20), (0, 3), (1, 1), (4, 1), (6, 20)]),
        failed: rejected(&[(12, 1), (32, 7)]),
        answers: [1, 0, 1_999_999, 30, 4444, 55],
        received: 1023,
        sent: 5_000_000_000_000,
        retries: 12,
        times: [5, 100, 300, 80, 10, 5, 0, 1, 0, 2, 1],
        nanoseconds: 3_456_789_012,
        keys_found: 9990,
        keys_derived: 10,
        links_known: 75,
        links_computed: 25,
        minted: 321,
        revoked: 2,
        operations: vec![
            ("GetObject", 1_200_000),
            ("ListObjectsV2", 34_567),
            ("Unknown", 1),
        ],
        cache: [0, 500, 20, 30, 1, 2, 3, 4500, 0],
        clients: vec![
            client("AKIDBUSY", false, 1_000_000),
            client(HOSTILE, true, 55_555),
            client(HOSTILE, false, 1),
        ],
        other_clients: client("", false, 12),
        requests: recent(|i| 50 + (i * i) % 171),
        rejections: recent(|i| u64::from(i % 7 == 3) * i),
        rejected_clients: vec![rejected_key(HOSTILE, "SignatureDoesNotMatch", 999, NOW)],
        rejected_strangers: (0..14)
            .map(|i| {
                let key = format!("{HOSTILE}{i}");
                rejected_key(&key, "InvalidAccessKeyId", 100 - i, NOW - 61 * i)
            })
            .collect(),
        origins: vec![
            origin("up", "10.0.0.1:9000", OriginState::Up),
            origin("up", HOSTILE, OriginState::Down),
            origin("", "s3.example.com", OriginState::Failing),
            origin("idle", "unix:/run/s3.sock", OriginState::Unused),
            origin("up", "10.0.0.3:9000", OriginState::Rejecting),
            origin("up", "10.0.0.4:9000", OriginState::Degraded),
        ],
        health: Vec::new(),
        keys: vec![
            OriginKeysRow {
                upstream: "up".into(),
                server: "10.0.0.1:9000".into(),
                provider: "imds".into(),
                are_there: true,
                expires: Some(NOW + 2_600),
                refreshed_at: Some(NOW - 1_000),
                refreshed: 12,
                failed: 0,
                error: String::new(),
            },
            OriginKeysRow {
                upstream: "up".into(),
                server: HOSTILE.into(),
                provider: HOSTILE.into(),
                are_there: true,
                expires: Some(NOW - 60),
                refreshed_at: Some(NOW - 3_660),
                refreshed: 1,
                failed: 5,
                error: HOSTILE.into(),
            },
            OriginKeysRow {
                upstream: String::new(),
                server: "s3.example.com".into(),
                provider: "ecs".into(),
                are_there: false,
                expires: None,
                refreshed_at: None,
                refreshed: 0,
                failed: 3,
                error: "connection refused".into(),
            },
        ],
        client_files: vec![
            client_file("/etc/nginx/clients", None),
            client_file(HOSTILE, Some((NOW - 90, HOSTILE.into()))),
        ],
        sts: vec![
            sts_calls("AssumeRoleWithWebIdentity", "ok", 1_234),
            sts_calls("none", "MissingAction", 5),
        ],
        key_sets: vec![
            key_set("https://issuer.example.com/jwks", 2, Some(NOW - 120), ""),
            key_set(HOSTILE, 0, None, HOSTILE),
        ],
    };
    let [up, down, failing, _, rejecting, degraded] = snapshot.origins.as_mut_slice() else {
        unreachable!()
    };
    up.role.weight = 5;
    up.in_flight = 12;
    (up.received, up.sent) = (4_000_000_000_000, 77_000_000);
    up.first_byte = times(|i| [0, 3, 70, 900, 5000, 80, 7, 1][i % 8] * u64::from(i < 8));
    down.role.is_backup = true;
    failing.role.is_off = true;
    degraded.first_byte = times(|i| u64::from(i + 1 == FIRST_BYTE_BUCKETS));
    up.answers = [0, 0, 123_456, 0, 99_999, 0];
    up.successes = recent(|i| u64::from(i > 20) * (i * 37 % 101));
    up.succeeded = Some(NOW);
    down.answers = [17, 0, 1_000_000, 1, 2, 12_345_678];
    down.given_up = 3;
    down.successes = recent(|i| u64::from(i < 30) * 1000);
    down.failures = recent(|i| u64::from(i % 10 == 0) * i);
    down.succeeded = Some(NOW - 1800);
    down.failed = Some((NOW - 7, 503));
    failing.answers = [3, 0, 2, 0, 0, 0];
    failing.failures = recent(|i| u64::from(i == 59) * 3);
    failing.succeeded = Some(NOW - 90_000);
    failing.failed = Some((NOW - 1, 0));
    rejecting.answers = [0, 0, 0, 0, 240, 0];
    rejecting.rejections = recent(|i| u64::from(i > 50) * 10 * (i % 4));
    rejecting.succeeded = Some(NOW - 2);
    rejecting.rejected = Some((NOW - 2, 403));
    degraded.answers = [1, 0, 800, 2, 3, 40];
    degraded.successes = recent(|i| i % 9 * 2);
    degraded.rejections = recent(|i| u64::from(i % 11 == 5));
    degraded.failures = recent(|i| u64::from(i % 3 == 0));
    degraded.succeeded = Some(NOW);
    degraded.rejected = Some((NOW - 300, 401));
    degraded.failed = Some((NOW - 20, 500));
    let mut checked = address(HOSTILE, HOSTILE, HealthState::Down);
    checked.since = NOW - 40;
    checked.checked_at = NOW - 2;
    checked.took = 5000;
    checked.reason = format!("answered 503 {HOSTILE}");
    checked.passed = 77;
    checked.failed = 8;
    checked.history = (0..6)
        .map(|i| Change {
            at: NOW - 40 - 1000 * i,
            state: [HealthState::Down, HealthState::Up][i as usize % 2],
            reason: [checked.reason.as_str(), ""][i as usize % 2].into(),
        })
        .collect();
    let mut passed = address("10.0.0.1:9000", "10.0.0.1:9000", HealthState::Up);
    passed.since = NOW - 86_400;
    passed.checked_at = NOW - 3;
    passed.took = 1234;
    passed.passed = 5;
    passed.history = vec![Change {
        at: NOW - 86_400,
        state: HealthState::Up,
        reason: String::new(),
    }];
    snapshot.health = vec![
        UpstreamHealth {
            name: "up".into(),
            is_up: true,
            addresses: vec![
                passed,
                checked,
                address("10.0.0.1:9000", "10.0.0.2:9000", HealthState::Unknown),
            ],
        },
        UpstreamHealth {
            name: "empty".into(),
            is_up: false,
            addresses: Vec::new(),
        },
    ];
    snapshot
}

fn times(count: impl Fn(usize) -> u64) -> FirstByteTimes {
    let counts = std::array::from_fn(count);
    FirstByteTimes {
        counts,
        recent: counts.map(|count| count.div_ceil(10)),
        milliseconds: 123_456,
    }
}

fn client_file(path: &str, fault: Option<(u64, String)>) -> ClientFileRow {
    ClientFileRow {
        path: path.into(),
        clients: 1_000_000,
        loads: 3,
        loaded: NOW - 3600,
        modified: NOW - 3602,
        fault,
    }
}

fn accepted(counts: [u64; AUTH_TYPES]) -> Vec<(&'static str, u64)> {
    let names = AuthType::ALL.iter().map(|form| form.name());
    names.chain(["none"]).zip(counts).collect()
}

fn rejected(counts: &[(usize, u64)]) -> Vec<(&'static str, u64)> {
    let mut codes: Vec<_> = Rejection::CODES.iter().map(|code| (*code, 0)).collect();
    for (index, count) in counts {
        codes[*index].1 = *count;
    }
    codes
}

fn recent(count: impl Fn(u64) -> u64) -> [u64; RECENT] {
    std::array::from_fn(|period| count(period as u64))
}

fn rejected_key(access_key: &str, code: &'static str, count: u64, last: u64) -> RejectedKeyRow {
    RejectedKeyRow {
        access_key: access_key.into(),
        code,
        count,
        last,
    }
}

fn origin(upstream: &str, server: &str, state: OriginState) -> OriginRow {
    OriginRow {
        upstream: upstream.into(),
        server: server.into(),
        role: ServerRole::default(),
        state,
        in_flight: 0,
        answers: [0; CLASSES],
        given_up: 0,
        received: 0,
        sent: 0,
        first_byte: FirstByteTimes::default(),
        successes: [0; RECENT],
        rejections: [0; RECENT],
        failures: [0; RECENT],
        succeeded: None,
        rejected: None,
        failed: None,
    }
}

fn address(server: &str, address: &str, state: HealthState) -> AddressHealth {
    AddressHealth {
        server: server.into(),
        address: address.into(),
        state,
        since: 0,
        checked_at: 0,
        took: 0,
        reason: String::new(),
        passed: 0,
        failed: 0,
        history: Vec::new(),
    }
}
