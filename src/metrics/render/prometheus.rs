//! `?format=prometheus`: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.

use std::fmt::{Display, Write};

use health::{AddressHealth, HealthState, UpstreamHealth};

use crate::{
    CLASS_NAMES, CLASSES, ClientFileRow, ClientRow, FIRST_BYTE_BOUNDS, KeySetRow, OriginKeysRow,
    OriginRow, OriginState, Snapshot, StsCallsRow, TIME_BOUNDS,
};

const PREFIX: &str = "s3_resign_";

type Label<'a> = (&'static str, &'a str);

pub(crate) fn write(snapshot: &Snapshot) -> String {
    let mut text = Exposition::default();
    text.gauge(
        "build_info",
        "The module's version, and that of the nginx it was built for.",
    );
    text.sample(
        &[
            ("version", snapshot.version),
            ("nginx", snapshot.nginx_version),
        ],
        1,
    );
    text.gauge(
        "start_time_seconds",
        "When counting began, in seconds since the epoch.",
    );
    text.sample(&[], snapshot.started);
    text.gauge(
        "load_time_seconds",
        "When the configuration was loaded last, in seconds since the epoch.",
    );
    text.sample(&[], snapshot.loaded);
    text.counter("reloads_total", "Reloads of the configuration.");
    text.sample(&[], snapshot.reloads);

    text.counter(
        "requests_total",
        "Requests accepted, by how they were signed; none: answered before that was looked at.",
    );
    for (form, count) in &snapshot.accepted {
        text.sample(&[("auth", form)], count);
    }
    text.counter("refused_total", "Requests rejected, by S3 error code.");
    for (code, count) in &snapshot.rejected {
        text.sample(&[("code", code)], count);
    }
    text.counter(
        "failed_total",
        "Requests not refused that nginx answered with an error of its own, by S3 error code.",
    );
    for (code, count) in &snapshot.failed {
        text.sample(&[("code", code)], count);
    }
    text.counter("answers_total", "Answers to clients, by class of status.");
    text.answers(&[], &snapshot.answers);
    text.counter("received_bytes_total", "Bytes received from clients.");
    text.sample(&[], snapshot.received);
    text.counter("sent_bytes_total", "Bytes sent to clients.");
    text.sample(&[], snapshot.sent);
    text.counter("retries_total", "Tries of a request after its first.");
    text.sample(&[], snapshot.retries);
    sign_time(&mut text, snapshot);
    text.counter(
        "signing_keys_total",
        "Signing keys in use, found in a worker's cache or derived.",
    );
    text.sample(&[("from", "cache")], snapshot.keys_found);
    text.sample(&[("from", "derivation")], snapshot.keys_derived);
    text.counter(
        "links_total",
        "Presigned links of V4 that were accepted, with signatures that a worker knew or computed.",
    );
    text.sample(&[("signature", "known")], snapshot.links_known);
    text.sample(&[("signature", "computed")], snapshot.links_computed);
    text.counter(
        "minted_total",
        "Requests with minted keys: accepted, or rejected since the key is revoked.",
    );
    text.sample(&[("outcome", "accepted")], snapshot.minted);
    text.sample(&[("outcome", "revoked")], snapshot.revoked);
    // Clients alone: what strangers make up would be a time series each.
    text.counter(
        "refused_client_total",
        "Requests rejected of those clients that were rejected most.",
    );
    for key in &snapshot.rejected_clients {
        text.sample(&[("access_key", &key.access_key)], key.count);
    }
    usage(&mut text, snapshot);
    origins(&mut text, &snapshot.origins);
    checks(&mut text, &snapshot.health);
    origin_keys(&mut text, &snapshot.keys);
    client_files(&mut text, &snapshot.client_files);
    sts_calls(&mut text, &snapshot.sts);
    key_sets(&mut text, &snapshot.key_sets);
    text.text
}

/// What is asked for, and by whom.
fn usage(text: &mut Exposition, snapshot: &Snapshot) {
    text.counter("operations_total", "Requests accepted, by operation.");
    for (operation, count) in &snapshot.operations {
        text.sample(&[("operation", operation)], count);
    }
    text.counter(
        "cache_total",
        "Answers of locations with a cache, by what nginx's cache knew.",
    );
    for (status, count) in snapshot.cache_counts() {
        text.sample(&[("status", status)], count);
    }
    let clients = || (snapshot.clients.iter()).chain([&snapshot.other_clients]);
    fn labels(client: &ClientRow) -> [Label<'_>; 2] {
        let labels = [("access_key", &*client.name), ("issuer", "")];
        match client.is_issuer {
            true => [("access_key", ""), ("issuer", &client.name)],
            false => labels,
        }
    }
    text.counter(
        "client_requests_total",
        "Requests accepted, by the access key, or by the issuer of minted keys; neither: all other clients.",
    );
    for client in clients() {
        text.sample(&labels(client), client.requests);
    }
    text.counter(
        "client_received_bytes_total",
        "Bytes received with these requests.",
    );
    for client in clients() {
        text.sample(&labels(client), client.received);
    }
    text.counter("client_sent_bytes_total", "Bytes sent in answer to them.");
    for client in clients() {
        text.sample(&labels(client), client.sent);
    }
}

fn sign_time(text: &mut Exposition, snapshot: &Snapshot) {
    text.family(
        "sign_seconds",
        "histogram",
        "Time spent on verifying and signing a request.",
    );
    let bounds = TIME_BOUNDS.map(|micros| micros * 1000);
    text.histogram(&[], &bounds, &snapshot.times, snapshot.nanoseconds);
}

fn seconds(nanoseconds: u64) -> String {
    (nanoseconds as f64 / 1e9).to_string()
}

fn origins(text: &mut Exposition, origins: &[OriginRow]) {
    fn labels(origin: &OriginRow) -> [Label<'_>; 2] {
        [("upstream", &origin.upstream), ("server", &origin.server)]
    }
    text.gauge("origin_up", "Whether an address of the origin passed its last checks, and tries do not all fail; if unchecked, whether the last try did not.");
    for origin in origins {
        text.sample(&labels(origin), u8::from(origin.state.answers()));
    }
    text.gauge(
        "origin_state",
        "The state that the origin is in: 1 for one, 0 for the others.",
    );
    for origin in origins {
        let [upstream, server] = labels(origin);
        for state in OriginState::ALL {
            let labels = [upstream, server, ("state", state.name())];
            text.sample(&labels, u8::from(origin.state == state));
        }
    }
    text.counter(
        "tries_total",
        "Tries at an origin, by class of the answer's status; none: no answer; given_up: by the client.",
    );
    for origin in origins {
        text.answers(&labels(origin), &origin.answers);
        let [upstream, server] = labels(origin);
        text.sample(&[upstream, server, ("class", "given_up")], origin.given_up);
    }
    text.gauge(
        "origin_in_flight",
        "Tries at the origin that have not ended.",
    );
    for origin in origins {
        text.sample(&labels(origin), origin.in_flight);
    }
    text.counter(
        "origin_received_bytes_total",
        "Bytes received from the origin.",
    );
    for origin in origins {
        text.sample(&labels(origin), origin.received);
    }
    text.counter("origin_sent_bytes_total", "Bytes sent to the origin.");
    for origin in origins {
        text.sample(&labels(origin), origin.sent);
    }
    text.family(
        "origin_first_byte_seconds",
        "histogram",
        "Time from the beginning of a try without a body until the origin's answer began.",
    );
    let bounds = FIRST_BYTE_BOUNDS.map(|millis| millis * 1_000_000);
    for origin in origins {
        let times = &origin.first_byte;
        let sum = times.milliseconds.saturating_mul(1_000_000);
        text.histogram(&labels(origin), &bounds, &times.counts, sum);
    }
    text.gauge(
        "origin_last_failure_time_seconds",
        "When a try at the origin failed last, in seconds since the epoch.",
    );
    for origin in origins {
        if let Some((time, _)) = origin.failed {
            text.sample(&labels(origin), time);
        }
    }
}

fn checks(text: &mut Exposition, health: &[UpstreamHealth]) {
    let checks: Vec<([Label<'_>; 3], &AddressHealth)> = health
        .iter()
        .flat_map(|upstream| {
            upstream.addresses.iter().map(|check| {
                let labels = [
                    ("upstream", &*upstream.name),
                    ("server", &*check.server),
                    ("address", &*check.address),
                ];
                (labels, check)
            })
        })
        .collect();
    text.gauge("address_up", "Whether the address passed its last checks.");
    for (labels, check) in &checks {
        text.sample(labels, u8::from(check.state != HealthState::Down));
    }
    text.gauge(
        "address_since_time_seconds",
        "Since when that is so, in seconds since the epoch.",
    );
    for (labels, check) in &checks {
        text.sample(labels, check.since);
    }
    text.gauge(
        "check_seconds",
        "How long the last check of the address took.",
    );
    for (labels, check) in &checks {
        text.sample(labels, seconds(u64::from(check.took) * 1_000_000));
    }
    text.counter("checks_total", "Checks of the address, by their result.");
    for ([upstream, server, address], check) in &checks {
        for (result, count) in [("passed", check.passed), ("failed", check.failed)] {
            text.sample(&[*upstream, *server, *address, ("result", result)], count);
        }
    }
}

fn origin_keys(text: &mut Exposition, keys: &[OriginKeysRow]) {
    fn labels(keys: &OriginKeysRow) -> [Label<'_>; 3] {
        [
            ("upstream", &keys.upstream),
            ("server", &keys.server),
            ("provider", &keys.provider),
        ]
    }
    text.gauge(
        "origin_keys_usable",
        "Whether the origin has keys, if they renew themselves.",
    );
    for keys in keys {
        text.sample(&labels(keys), u8::from(keys.are_there));
    }
    text.gauge(
        "origin_keys_expiry_time_seconds",
        "When its keys expire, in seconds since the epoch.",
    );
    for keys in keys {
        if let Some(time) = keys.expires {
            text.sample(&labels(keys), time);
        }
    }
    text.gauge(
        "origin_keys_refresh_time_seconds",
        "When its keys were fetched last, in seconds since the epoch.",
    );
    for keys in keys {
        if let Some(time) = keys.refreshed_at {
            text.sample(&labels(keys), time);
        }
    }
    text.counter(
        "origin_keys_refreshes_total",
        "Fetches of its keys, by their result.",
    );
    for keys in keys {
        let [upstream, server, provider] = labels(keys);
        for (result, count) in [("succeeded", keys.refreshed), ("failed", keys.failed)] {
            text.sample(&[upstream, server, provider, ("result", result)], count);
        }
    }
}

fn client_files(text: &mut Exposition, files: &[ClientFileRow]) {
    text.gauge(
        "client_file_clients",
        "Clients of the file that are in use.",
    );
    for file in files {
        text.sample(&[("path", &file.path)], file.clients);
    }
    text.gauge(
        "client_file_good",
        "Whether what is in the file now is in use; if not, what was there before is.",
    );
    for file in files {
        text.sample(&[("path", &file.path)], u8::from(file.fault.is_none()));
    }
    text.gauge(
        "client_file_load_time_seconds",
        "When what is in use was read, in seconds since the epoch.",
    );
    for file in files {
        text.sample(&[("path", &file.path)], file.loaded);
    }
}

fn sts_calls(text: &mut Exposition, calls: &[StsCallsRow]) {
    text.counter(
        "sts_calls_total",
        "Calls of the Security Token Service, by their operation and the code of their fault; ok: without one.",
    );
    for row in calls {
        let labels = [("operation", row.operation), ("outcome", row.outcome)];
        text.sample(&labels, row.count);
    }
}

fn key_sets(text: &mut Exposition, sets: &[KeySetRow]) {
    text.gauge(
        "key_set_keys",
        "Keys of an issuer of tokens that are of use, by where they come from.",
    );
    for set in sets {
        text.sample(&[("source", &set.source)], set.keys);
    }
    text.gauge(
        "key_set_refresh_time_seconds",
        "When they were fetched last, in seconds since the epoch.",
    );
    for set in sets {
        if let Some(time) = set.fetched {
            text.sample(&[("source", &set.source)], time);
        }
    }
    text.counter(
        "key_set_refreshes_total",
        "Fetches of them, by their result.",
    );
    for set in sets {
        for (result, count) in [("succeeded", set.refreshed), ("failed", set.failed)] {
            text.sample(&[("source", &set.source), ("result", result)], count);
        }
    }
}

/// The text as far as it is written.
#[derive(Default)]
struct Exposition {
    text: String,
    /// The family that samples belong to.
    family: &'static str,
}

impl Exposition {
    fn counter(&mut self, name: &'static str, help: &str) {
        self.family(name, "counter", help);
    }

    fn gauge(&mut self, name: &'static str, help: &str) {
        self.family(name, "gauge", help);
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        let _ = write!(
            self.text,
            "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}\n"
        );
    }

    fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.sample_of("", labels, value);
    }

    /// Bounds and the sum are in nanoseconds.
    fn histogram(&mut self, labels: &[Label<'_>], bounds: &[u64], counts: &[u64], sum: u64) {
        let mut count = 0;
        for (i, in_bucket) in counts.iter().enumerate() {
            count = u64::saturating_add(count, *in_bucket);
            let bound = bounds.get(i);
            let bound = bound.map_or("+Inf".to_owned(), |bound| seconds(*bound));
            let labels = [labels, &[("le", &bound)]].concat();
            self.sample_of("_bucket", &labels, count);
        }
        self.sample_of("_sum", labels, seconds(sum));
        self.sample_of("_count", labels, count);
    }

    fn answers(&mut self, labels: &[Label<'_>], answers: &[u64; CLASSES]) {
        for (class, count) in CLASS_NAMES.iter().zip(answers) {
            let labels = [labels, &[("class", class)]].concat();
            self.sample(&labels, count);
        }
    }

    fn sample_of(&mut self, suffix: &str, labels: &[Label<'_>], value: impl Display) {
        let family = self.family;
        let _ = write!(self.text, "{PREFIX}{family}{suffix}");
        for (i, (name, value)) in labels.iter().enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{name}=\"");
            for c in value.chars() {
                match c {
                    '"' | '\\' => self.text.extend(['\\', c]),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}
