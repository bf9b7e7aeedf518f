//! `?format=json`: everything, for scripts.

mod origin;

use health::{AddressHealth, Change, UpstreamHealth};
use serde::{Serialize, Serializer};

use crate::{
    CLASS_NAMES, CLASSES, ClientFileRow, ClientRow, KeySetRow, RECENT_SECONDS, RejectedKeyRow,
    Snapshot, StsCallsRow, TIME_BOUNDS, TIME_BUCKETS,
};
use origin::{OriginJson, OriginKeysJson};

pub(crate) fn write(snapshot: &Snapshot) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(&StatusJson::of(snapshot))?;
    text.push('\n');
    Ok(text)
}

/// The order of fields is that of the text.
#[derive(Serialize)]
struct StatusJson<'a> {
    build: BuildJson,
    now: u64,
    started: u64,
    loaded: u64,
    reloads: u64,
    requests: RequestsJson<'a>,
    sign_time: SignTimeJson<'a>,
    signing_keys: SigningKeysJson,
    links: LinksJson,
    minted: MintedJson,
    operations: TableJson<'a>,
    cache: CacheJson<'a>,
    clients: Vec<ClientJson<'a>>,
    other_clients: ClientJson<'a>,
    recent: RecentRequestsJson<'a>,
    refused_access_keys: RejectedKeysJson<'a>,
    origins: Vec<OriginJson<'a>>,
    health: Vec<UpstreamJson<'a>>,
    origin_keys: Vec<OriginKeysJson<'a>>,
    client_files: Vec<ClientFileJson<'a>>,
    sts: Vec<StsCallsJson>,
    key_sets: Vec<KeySetJson<'a>>,
}

#[derive(Serialize)]
struct StsCallsJson {
    operation: &'static str,
    outcome: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct KeySetJson<'a> {
    source: &'a str,
    keys: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refresh: Option<u64>,
    refreshed: u64,
    failed: u64,
    last_error: &'a str,
}

#[derive(Serialize)]
struct BuildJson {
    version: &'static str,
    nginx: &'static str,
}

#[derive(Serialize)]
struct RequestsJson<'a> {
    let_in: u64,
    refused: u64,
    by_auth: TableJson<'a>,
    by_error: TableJson<'a>,
    failed: TableJson<'a>,
    answers: AnswersJson<'a>,
    retries: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

#[derive(Serialize)]
struct SignTimeJson<'a> {
    bounds_us: &'static [u64],
    counts: &'a [u64; TIME_BUCKETS],
    sum_ns: u64,
}

#[derive(Serialize)]
struct LinksJson {
    known: u64,
    computed: u64,
}

#[derive(Serialize)]
struct SigningKeysJson {
    found: u64,
    derived: u64,
}

#[derive(Serialize)]
struct MintedJson {
    accepted: u64,
    revoked: u64,
}

#[derive(Serialize)]
struct ClientJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    requests: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

#[derive(Serialize)]
struct RecentRequestsJson<'a> {
    period_seconds: u64,
    requests: &'a [u64],
    refusals: &'a [u64],
}

#[derive(Serialize)]
struct RejectedKeysJson<'a> {
    clients: Vec<RejectedKeyJson<'a>>,
    strangers: Vec<RejectedKeyJson<'a>>,
}

#[derive(Serialize)]
struct RejectedKeyJson<'a> {
    access_key: &'a str,
    count: u64,
    last_error: &'static str,
    last: u64,
}

#[derive(Serialize)]
struct UpstreamJson<'a> {
    upstream: &'a str,
    status: &'static str,
    addresses: Vec<AddressJson<'a>>,
}

#[derive(Serialize)]
struct AddressJson<'a> {
    server: &'a str,
    address: &'a str,
    state: &'static str,
    since: u64,
    last_check: u64,
    took_ms: u32,
    failure: &'a str,
    passed: u64,
    failed: u64,
    changes: Vec<ChangeJson<'a>>,
}

#[derive(Serialize)]
struct ChangeJson<'a> {
    time: u64,
    state: &'static str,
    failure: &'a str,
}

#[derive(Serialize)]
struct ClientFileJson<'a> {
    path: &'a str,
    clients: u64,
    loads: u64,
    last_load: u64,
    modified: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<ClientFileFaultJson<'a>>,
}

#[derive(Serialize)]
struct ClientFileFaultJson<'a> {
    since: u64,
    text: &'a str,
}

/// Names with their counts.
struct TableJson<'a>(&'a [(&'static str, u64)]);

impl Serialize for TableJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().copied())
    }
}

/// Counts by what a cache knew.
struct CacheJson<'a>(&'a Snapshot);

impl Serialize for CacheJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.cache_counts())
    }
}

/// Counts by class of status.
struct AnswersJson<'a>(&'a [u64; CLASSES]);

impl Serialize for AnswersJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(CLASS_NAMES.iter().zip(self.0))
    }
}

/// All of a list, each as JSON has it.
fn list<'a, T, J>(items: &'a [T], of: impl FnMut(&'a T) -> J) -> Vec<J> {
    items.iter().map(of).collect()
}

impl<'a> StatusJson<'a> {
    fn of(snapshot: &'a Snapshot) -> StatusJson<'a> {
        StatusJson {
            build: BuildJson {
                version: snapshot.version,
                nginx: snapshot.nginx_version,
            },
            now: snapshot.now,
            started: snapshot.started,
            loaded: snapshot.loaded,
            reloads: snapshot.reloads,
            requests: RequestsJson {
                let_in: snapshot.accepted_count(),
                refused: snapshot.rejected_count(),
                by_auth: TableJson(&snapshot.accepted),
                by_error: TableJson(&snapshot.rejected),
                failed: TableJson(&snapshot.failed),
                answers: AnswersJson(&snapshot.answers),
                retries: snapshot.retries,
                received_bytes: snapshot.received,
                sent_bytes: snapshot.sent,
            },
            sign_time: SignTimeJson {
                bounds_us: &TIME_BOUNDS,
                counts: &snapshot.times,
                sum_ns: snapshot.nanoseconds,
            },
            links: LinksJson {
                known: snapshot.links_known,
                computed: snapshot.links_computed,
            },
            signing_keys: SigningKeysJson {
                found: snapshot.keys_found,
                derived: snapshot.keys_derived,
            },
            minted: MintedJson {
                accepted: snapshot.minted,
                revoked: snapshot.revoked,
            },
            operations: TableJson(&snapshot.operations),
            cache: CacheJson(snapshot),
            clients: list(&snapshot.clients, ClientJson::of),
            other_clients: ClientJson {
                access_key: None,
                issuer: None,
                ..ClientJson::of(&snapshot.other_clients)
            },
            recent: RecentRequestsJson {
                period_seconds: RECENT_SECONDS,
                requests: &snapshot.requests,
                refusals: &snapshot.rejections,
            },
            refused_access_keys: RejectedKeysJson {
                clients: list(&snapshot.rejected_clients, RejectedKeyJson::of),
                strangers: list(&snapshot.rejected_strangers, RejectedKeyJson::of),
            },
            origins: list(&snapshot.origins, OriginJson::of),
            health: list(&snapshot.health, UpstreamJson::of),
            origin_keys: list(&snapshot.keys, OriginKeysJson::of),
            client_files: list(&snapshot.client_files, ClientFileJson::of),
            sts: list(&snapshot.sts, StsCallsJson::of),
            key_sets: list(&snapshot.key_sets, KeySetJson::of),
        }
    }
}

impl StsCallsJson {
    fn of(calls: &StsCallsRow) -> StsCallsJson {
        StsCallsJson {
            operation: calls.operation,
            outcome: calls.outcome,
            count: calls.count,
        }
    }
}

impl<'a> KeySetJson<'a> {
    fn of(set: &'a KeySetRow) -> KeySetJson<'a> {
        KeySetJson {
            source: &set.source,
            keys: set.keys,
            last_refresh: set.fetched,
            refreshed: set.refreshed,
            failed: set.failed,
            last_error: &set.error,
        }
    }
}

impl<'a> ClientFileJson<'a> {
    fn of(file: &'a ClientFileRow) -> ClientFileJson<'a> {
        let fault = file.fault.as_ref();
        ClientFileJson {
            path: &file.path,
            clients: file.clients,
            loads: file.loads,
            last_load: file.loaded,
            modified: file.modified,
            fault: fault.map(|(since, text)| ClientFileFaultJson {
                since: *since,
                text,
            }),
        }
    }
}

impl<'a> RejectedKeyJson<'a> {
    fn of(key: &'a RejectedKeyRow) -> RejectedKeyJson<'a> {
        RejectedKeyJson {
            access_key: &key.access_key,
            count: key.count,
            last_error: key.code,
            last: key.last,
        }
    }
}

impl<'a> ClientJson<'a> {
    fn of(client: &'a ClientRow) -> ClientJson<'a> {
        let name = Some(&*client.name);
        ClientJson {
            access_key: name.filter(|_| !client.is_issuer),
            issuer: name.filter(|_| client.is_issuer),
            requests: client.requests,
            received_bytes: client.received,
            sent_bytes: client.sent,
        }
    }
}

impl<'a> UpstreamJson<'a> {
    fn of(upstream: &'a UpstreamHealth) -> UpstreamJson<'a> {
        UpstreamJson {
            upstream: &upstream.name,
            status: if upstream.is_up { "ok" } else { "nok" },
            addresses: list(&upstream.addresses, AddressJson::of),
        }
    }
}

impl<'a> AddressJson<'a> {
    fn of(address: &'a AddressHealth) -> AddressJson<'a> {
        AddressJson {
            server: &address.server,
            address: &address.address,
            state: address.state.name(),
            since: address.since,
            last_check: address.checked_at,
            took_ms: address.took,
            failure: &address.reason,
            passed: address.passed,
            failed: address.failed,
            changes: list(&address.history, ChangeJson::of),
        }
    }
}

impl<'a> ChangeJson<'a> {
    fn of(change: &'a Change) -> ChangeJson<'a> {
        ChangeJson {
            time: change.at,
            state: change.state.name(),
            failure: &change.reason,
        }
    }
}
