//! `?format=json`: everything, for scripts.

use std::fmt::Write;

use health::AddressHealth;

use crate::counters::{CLASS_NAMES, CLASSES, RECENT_ORIGIN_SECONDS, RECENT_SECONDS, TIME_BOUNDS};
use crate::snapshot::{Origin, RefusedKey, Snapshot};

pub fn write(snapshot: &Snapshot) -> String {
    let mut json = Json(String::from("{"));
    json.object("build", |json| {
        json.text("version", snapshot.version);
        json.text("nginx", snapshot.nginx_version);
    });
    json.number("now", snapshot.now);
    json.number("started", snapshot.started);
    json.number("loaded", snapshot.loaded);
    json.number("reloads", snapshot.reloads);
    json.object("requests", |json| {
        json.number("let_in", snapshot.let_in());
        json.number("refused", snapshot.refused());
        json.table("by_auth", &snapshot.forms);
        json.table("by_error", &snapshot.codes);
        json.answers("answers", &snapshot.answers);
        json.number("retries", snapshot.retries);
        json.number("received_bytes", snapshot.received);
        json.number("sent_bytes", snapshot.sent);
    });
    json.object("sign_time", |json| {
        json.numbers("bounds_us", &TIME_BOUNDS);
        json.numbers("counts", &snapshot.times);
        json.number("sum_ns", snapshot.nanoseconds);
    });
    json.object("signing_keys", |json| {
        json.number("found", snapshot.keys_found);
        json.number("derived", snapshot.keys_derived);
    });
    json.object("recent", |json| {
        json.number("period_seconds", RECENT_SECONDS);
        json.numbers("requests", &snapshot.requests);
        json.numbers("refusals", &snapshot.refusals);
    });
    json.object("refused_access_keys", |json| {
        json.list("clients", &snapshot.refused_clients, refused_key);
        json.list("strangers", &snapshot.refused_strangers, refused_key);
    });
    json.list("origins", &snapshot.origins, origin);
    json.list("health", &snapshot.health, |json, upstream| {
        json.text("upstream", &upstream.name);
        json.text("status", if upstream.is_up { "ok" } else { "nok" });
        json.list("addresses", &upstream.addresses, health);
    });
    json.0.push_str("}\n");
    json.0
}

fn refused_key(json: &mut Json, key: &RefusedKey) {
    json.text("access_key", &key.access_key);
    json.number("count", key.count);
    json.text("last_error", key.code);
    json.number("last", key.last);
}

fn origin(json: &mut Json, origin: &Origin) {
    json.text("upstream", &origin.upstream);
    json.text("server", &origin.server);
    json.text("state", origin.state.name());
    json.answers("answers", &origin.answers);
    json.number("given_up", origin.given_up);
    if let Some(time) = origin.succeeded {
        json.number("last_success", time);
    }
    if let Some((time, status)) = origin.failed {
        json.object("last_failure", |json| {
            json.number("time", time);
            json.number("status", status.into());
        });
    }
    json.object("recent", |json| {
        json.number("period_seconds", RECENT_ORIGIN_SECONDS);
        json.numbers("successes", &origin.successes);
        json.numbers("failures", &origin.failures);
    });
}

fn health(json: &mut Json, origin: &AddressHealth) {
    json.text("server", &origin.server);
    json.text("address", &origin.address);
    json.text("state", origin.state.name());
    json.number("since", origin.since);
    json.number("last_check", origin.checked_at);
    json.number("took_ms", origin.took.into());
    json.text("failure", &origin.reason);
    json.number("passed", origin.passed);
    json.number("failed", origin.failed);
    json.list("changes", &origin.history, |json, change| {
        json.number("time", change.at);
        json.text("state", change.state.name());
        json.text("failure", &change.reason);
    });
}

/// JSON as far as it is written.
struct Json(String);

impl Json {
    fn object(&mut self, name: &str, fields: impl FnOnce(&mut Json)) {
        self.name(name);
        self.0.push('{');
        fields(self);
        self.0.push('}');
    }

    fn list<T>(&mut self, name: &str, items: &[T], fields: impl Fn(&mut Json, &T)) {
        self.name(name);
        self.0.push('[');
        for item in items {
            self.separate();
            self.0.push('{');
            fields(self, item);
            self.0.push('}');
        }
        self.0.push(']');
    }

    fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        let _ = write!(self.0, "{number}");
    }

    fn numbers(&mut self, name: &str, numbers: &[u64]) {
        self.name(name);
        self.0.push('[');
        for number in numbers {
            self.separate();
            let _ = write!(self.0, "{number}");
        }
        self.0.push(']');
    }

    fn table(&mut self, name: &str, rows: &[(&str, u64)]) {
        self.object(name, |json| {
            rows.iter()
                .for_each(|(name, number)| json.number(name, *number));
        });
    }

    fn answers(&mut self, name: &str, answers: &[u64; CLASSES]) {
        self.object(name, |json| {
            let counts = CLASS_NAMES.iter().zip(answers);
            counts.for_each(|(class, count)| json.number(class, *count));
        });
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.string(text);
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.string(name);
        self.0.push(':');
    }

    fn separate(&mut self) {
        if !self.0.ends_with(['{', '[', ':']) {
            self.0.push(',');
        }
    }

    /// RFC 8259 section 7.
    fn string(&mut self, text: &str) {
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                c if c.is_control() => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(c));
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }
}
