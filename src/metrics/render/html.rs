//! The page for people: whole in itself, without scripts too, and nothing in it is a client's to
//! choose.

use std::fmt::Write;

use health::AddressHealth;

use super::format::{Bytes, Count, Duration, Html, Rate, ShortCount, Utc};
use crate::counters::{CLASS_NAMES, RECENT, RECENT_ORIGIN_SECONDS, RECENT_SECONDS, TIME_BOUNDS};
use crate::snapshot::{Origin, RefusedKey, Snapshot, State};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Allows that style and that script, by their hashes, and the script to ask this server.
pub const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-VMHfPEF6Hc9+HApMbZobym4AG3WMZyCH0mREGB635i8='; \
    script-src 'sha256-9UZk1ycClyxaj9Caus5ugj+wwPW3UFUhal4sDy1tjX8='; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How many changes of state are shown of each address.
const CHANGES: usize = 4;
/// How many rows a table of access keys has at most.
const ROWS: usize = 12;

pub fn write(snapshot: &Snapshot) -> String {
    let mut page = Page(String::with_capacity(32 * 1024));
    // Writing to a string does not fail.
    let _ = page.write(snapshot);
    page.0
}

struct Page(String);

impl Page {
    fn write(&mut self, snapshot: &Snapshot) -> std::fmt::Result {
        let headline = headline(&snapshot.origins);
        writeln!(
            self.0,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta name=\"robots\" content=\"noindex\">\n\
             <noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n\
             <title>{headline} – S3</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>"
        )?;
        writeln!(
            self.0,
            "<header>\n<h1>{headline}</h1>\n<p id=\"live\">{} UTC. Counting for {}, {}.</p>\n</header>",
            Utc(snapshot.now),
            Duration(snapshot.now.saturating_sub(snapshot.started)),
            match snapshot.reloads {
                0 => "not reloaded".to_owned(),
                1 => format!("reloaded once, {}", ago(snapshot.now, snapshot.loaded)),
                n => format!(
                    "reloaded {n} times, last {}",
                    ago(snapshot.now, snapshot.loaded)
                ),
            },
        )?;
        self.rate(snapshot)?;
        self.figures(snapshot)?;
        self.origins(snapshot)?;
        self.refusals(snapshot)?;
        writeln!(
            self.0,
            "<footer>ngx_http_s3_resign_module {}, nginx {}. \
             Also as <a href=\"?format=json\">JSON</a> and for \
             <a href=\"?format=prometheus\">Prometheus</a>.</footer>\n\
             </main>\n<script>{SCRIPT}</script>\n</body>\n</html>",
            Html(snapshot.version),
            Html(snapshot.nginx_version),
        )
    }

    /// The rate of requests in the last minutes, and of those refused.
    fn rate(&mut self, snapshot: &Snapshot) -> std::fmt::Result {
        // The period under way is not whole yet.
        let requests = &snapshot.requests[..RECENT - 1];
        let refusals = &snapshot.refusals[..RECENT - 1];
        let most = requests.iter().copied().max().unwrap_or(0);
        let last_minute = (60 / RECENT_SECONDS) as usize;
        let of_minute =
            |recent: &[u64]| recent[recent.len() - last_minute..].iter().sum::<u64>() as f64 / 60.0;
        let (rate, refused) = (of_minute(requests), of_minute(refusals));
        let peak = most as f64 / RECENT_SECONDS as f64;

        // Coordinates in a box of as many units as there are periods, and 60.
        let curve = |recent: &[u64]| -> String {
            let height = |count: u64| 58.0 * count as f64 / most.max(1) as f64;
            let points = recent.iter().enumerate();
            points
                .map(|(x, count)| format!("{x},{:.1} ", 60.0 - height(*count)))
                .collect()
        };
        let (curve, refusals) = (curve(requests), curve(refusals));
        let last = requests.len() - 1;
        writeln!(
            self.0,
            "<section class=\"card rate\" aria-label=\"Rate of requests\">\n\
             <div><b>{}</b>requests a second<br><span class=\"{}\">{} refused</span></div>\n\
             <figure><svg viewBox=\"0 0 {last} 61\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"Requests in the last ten minutes, at most {} a second\">\
             <path class=\"base\" d=\"M0,60.5H{last}\"/><polygon class=\"area\" points=\"0,60 {curve}{last},60\"/>\
             <polygon class=\"refusals\" points=\"0,60 {refusals}{last},60\"/><polyline class=\"curve\" points=\"{curve}\"/></svg>\n\
             <figcaption><span>ten minutes ago</span><span>at most {} a second</span><span>now</span>\
             </figcaption></figure>\n</section>",
            Rate(rate),
            if refused > 0.0 { "bad" } else { "soft" },
            Rate(refused),
            Rate(peak),
            Rate(peak),
        )
    }

    fn figures(&mut self, snapshot: &Snapshot) -> std::fmt::Result {
        let (let_in, refused) = (snapshot.let_in(), snapshot.refused());
        let forms = snapshot.forms.iter().filter(|(_, count)| *count > 0);
        let forms: Vec<_> = forms
            .map(|(form, count)| format!("{} {form}", Count(*count)))
            .collect();
        let keys = snapshot.keys_found + snapshot.keys_derived;
        self.0.push_str("<dl>\n");
        self.figure("Let in", Count(let_in), &forms.join(", "))?;
        self.figure("Refused", Count(refused), &share(refused, let_in + refused))?;
        self.figure("Tried again", Count(snapshot.retries), "after a failure")?;
        let received = format!("{} received", Bytes(snapshot.received));
        self.figure("Sent to clients", Bytes(snapshot.sent), &received)?;
        self.figure(
            "Verifying and signing",
            within(&snapshot.times, 50).unwrap_or("–".into()),
            &within(&snapshot.times, 99).map_or(String::new(), |time| format!("99 of 100: {time}")),
        )?;
        self.figure(
            "Signing keys",
            share(snapshot.keys_found, keys),
            "found in the cache",
        )?;
        self.0.push_str("</dl>\n");
        Ok(())
    }

    fn figure(
        &mut self,
        name: &str,
        value: impl std::fmt::Display,
        note: &str,
    ) -> std::fmt::Result {
        write!(self.0, "<div><dt>{name}</dt><dd>{value}")?;
        if !note.is_empty() {
            write!(self.0, "<small>{note}</small>")?;
        }
        self.0.push_str("</dd></div>\n");
        Ok(())
    }

    fn origins(&mut self, snapshot: &Snapshot) -> std::fmt::Result {
        self.0
            .push_str("<section>\n<h2>Origins</h2>\n<div class=\"grid\">\n");
        for origin in &snapshot.origins {
            self.origin(origin, snapshot)?;
        }
        self.0.push_str("</div>\n</section>\n");
        Ok(())
    }

    fn origin(&mut self, origin: &Origin, snapshot: &Snapshot) -> std::fmt::Result {
        let now = snapshot.now;
        let server = Html(&origin.server);
        let (class, state) = match origin.state {
            State::Up => ("good", "● up"),
            State::Failing => ("bad", "▲ failing"),
            State::Down => ("bad", "▼ down"),
            State::Unused => ("soft", "○ not in use"),
        };
        writeln!(
            self.0,
            "<article class=\"card\">\n<div class=\"head\"><h3><code>{server}</code></h3>\
             <span class=\"state {class}\">{state}</span></div>"
        )?;
        if !origin.upstream.is_empty() {
            writeln!(
                self.0,
                "<div class=\"soft\">in {}</div>",
                Html(&origin.upstream)
            )?;
        }
        self.history(origin)?;
        write!(
            self.0,
            "<table class=\"tries\"><caption class=\"hidden\">Answers of {server}, by status</caption>\n\
             <thead><tr>"
        )?;
        // What no origin sends as its answer is left out.
        let counts = || CLASS_NAMES.iter().zip(origin.answers).skip(2);
        for (class, _) in counts() {
            write!(self.0, "<th scope=\"col\">{class}</th>")?;
        }
        self.0
            .push_str("<th scope=\"col\">no answer</th></tr></thead>\n<tbody><tr>");
        for (class, count) in counts() {
            self.count(count, *class == "5xx")?;
        }
        self.count(origin.answers[0], true)?;
        self.0.push_str("</tr></tbody></table>\n");
        match origin.failed {
            Some((time, 0)) => {
                writeln!(self.0, "<p>Last failure {}: no answer.</p>", ago(now, time))?
            }
            Some((time, status)) => {
                writeln!(
                    self.0,
                    "<p>Last failure {}: status {status}.</p>",
                    ago(now, time)
                )?;
            }
            None => self.0.push_str("<p>No failure so far.</p>\n"),
        }
        for check in snapshot.checks_of(origin) {
            self.check(check, now)?;
        }
        self.0.push_str("</article>\n");
        Ok(())
    }

    fn check(&mut self, check: &AddressHealth, now: u64) -> std::fmt::Result {
        write!(self.0, "<p>")?;
        if check.address != check.server {
            write!(self.0, "<code>{}</code> ", Html(&check.address))?;
        }
        match (check.checked_at, check.reason.is_empty()) {
            (0, _) => write!(self.0, "Not checked yet.")?,
            (time, true) => {
                write!(
                    self.0,
                    "Check passed {}, in {} ms.",
                    ago(now, time),
                    Count(check.took.into())
                )?;
            }
            (time, false) => {
                write!(
                    self.0,
                    "Check failed {}: {}.",
                    ago(now, time),
                    Html(&check.reason)
                )?;
            }
        }
        self.0.push_str("</p>\n");
        if check.history.is_empty() {
            return Ok(());
        }
        self.0.push_str("<ul>\n");
        for change in check.history.iter().take(CHANGES) {
            let class = if change.state == health::HealthState::Down {
                "bad"
            } else {
                "good"
            };
            write!(
                self.0,
                "<li><span class=\"{class}\">{}</span> {}",
                change.state.name(),
                ago(now, change.at)
            )?;
            if !change.reason.is_empty() {
                write!(self.0, ": {}", Html(&change.reason))?;
            }
            self.0.push_str("</li>\n");
        }
        self.0.push_str("</ul>\n");
        Ok(())
    }

    fn count(&mut self, count: u64, is_failure: bool) -> std::fmt::Result {
        let class = if is_failure && count > 0 {
            " class=\"bad\""
        } else {
            ""
        };
        write!(self.0, "<td{class}>{}</td>", ShortCount(count))
    }

    /// A bar for each minute of the last hour, the failures at its foot.
    fn history(&mut self, origin: &Origin) -> std::fmt::Result {
        let all = || origin.successes.iter().zip(&origin.failures);
        let most = all()
            .map(|(good, bad)| good + bad)
            .max()
            .unwrap_or(0)
            .max(1);
        let (mut ok, mut ko, mut none) = (String::new(), String::new(), String::new());
        for (minute, (good, bad)) in all().enumerate() {
            let x = minute * 4;
            if good + bad == 0 {
                write!(none, "M{x},32h3v2h-3z")?;
                continue;
            }
            // Square roots, so that a quiet minute is seen beside a busy one; and so is one failure.
            let height = (34.0 * ((good + bad) as f64 / most as f64).sqrt()).max(6.0);
            let foot = match *bad {
                0 => 0.0,
                bad => (height * bad as f64 / (good + bad) as f64).max(3.0),
            };
            if *bad > 0 {
                write!(ko, "M{x},34v-{foot:.1}h3v{foot:.1}z")?;
            }
            let (from, height) = (34.0 - foot, height - foot);
            if height > 0.0 {
                write!(ok, "M{x},{from:.1}v-{height:.1}h3v{height:.1}z")?;
            }
        }
        let width = RECENT * 4 - 1;
        let (good, bad) = all().fold((0, 0), |sums, (good, bad)| (sums.0 + good, sums.1 + bad));
        let length = Duration(RECENT as u64 * RECENT_ORIGIN_SECONDS);
        writeln!(
            self.0,
            "<svg class=\"strip\" viewBox=\"0 0 {width} 34\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"Last hour: {} answers, {} failures\"><path class=\"none\" d=\"{none}\"/>\
             <path class=\"ok\" d=\"{ok}\"/><path class=\"ko\" d=\"{ko}\"/></svg>\n\
             <div class=\"axis\"><span>{length} ago</span><span>now</span></div>",
            Count(good + bad),
            Count(bad),
        )
    }

    fn refusals(&mut self, snapshot: &Snapshot) -> std::fmt::Result {
        self.0.push_str("<section>\n<h2>Refusals</h2>\n");
        let mut codes: Vec<_> = snapshot
            .codes
            .iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        if codes.is_empty() {
            self.0
                .push_str("<p>Nothing has been refused.</p>\n</section>\n");
            return Ok(());
        }
        self.0.push_str(
            "<div class=\"grid\">\n<div class=\"card\"><table><caption>By reason</caption>\n\
             <thead><tr><th scope=\"col\">Error</th><th scope=\"col\">Requests</th></tr></thead>\n<tbody>\n",
        );
        for (code, count) in codes {
            write!(self.0, "<tr><th scope=\"row\">{code}")?;
            if let Some(hint) = hint(code) {
                write!(self.0, "<small>{hint}</small>")?;
            }
            writeln!(self.0, "</th><td>{}</td></tr>", Count(*count))?;
        }
        self.0.push_str("</tbody></table></div>\n");
        self.refused_keys(
            "Clients refused most",
            &snapshot.refused_clients,
            snapshot.now,
        )?;
        self.refused_keys(
            "Unknown keys refused most",
            &snapshot.refused_strangers,
            snapshot.now,
        )?;
        self.0.push_str("</div>\n</section>\n");
        Ok(())
    }

    fn refused_keys(&mut self, caption: &str, keys: &[RefusedKey], now: u64) -> std::fmt::Result {
        if keys.is_empty() {
            return Ok(());
        }
        writeln!(
            self.0,
            "<div class=\"card\"><table><caption>{caption}</caption>\n\
             <thead><tr><th scope=\"col\">Access key</th><th scope=\"col\">Requests</th></tr></thead>\n<tbody>"
        )?;
        for key in keys.iter().take(ROWS) {
            writeln!(
                self.0,
                "<tr><th scope=\"row\"><code>{}</code><small><span class=\"whole\">{},</span> <span class=\"whole\">{}</span></small></th><td>{}</td></tr>",
                Html(&key.access_key),
                key.code,
                ago(now, key.last),
                Count(key.count),
            )?;
        }
        self.0.push_str("</tbody></table></div>\n");
        Ok(())
    }
}

/// What the title says.
fn headline(origins: &[Origin]) -> String {
    let of = |state: State| {
        origins
            .iter()
            .filter(|origin| origin.state == state)
            .count()
    };
    let states = [
        (State::Down, "down"),
        (State::Failing, "failing"),
        (State::Up, "up"),
        (State::Unused, "not in use"),
    ];
    let parts: Vec<_> = states
        .iter()
        .map(|(state, name)| (of(*state), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    let noun = if origins.len() == 1 {
        "Origin"
    } else {
        "Origins"
    };
    match parts.is_empty() {
        true => "No origins".to_owned(),
        false => format!("{noun}: {}", parts.join(", ")),
    }
}

/// The most frequent causes.
fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "AccessDenied" => "not signed, expired, or not granted to the client",
        "InvalidAccessKeyId" => "no client has that access key",
        "SignatureDoesNotMatch" => "another secret, or a host or path changed on the way",
        "RequestTimeTooSkewed" => "a clock is wrong",
        "AuthorizationHeaderMalformed" => "another region, or not readable",
        _ => return None,
    })
}

fn ago(now: u64, then: u64) -> String {
    match now.saturating_sub(then) {
        0 => "just now".to_owned(),
        seconds => format!("{} ago", Duration(seconds)),
    }
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}

/// The time within which so many percent were done.
fn within(times: &[u64], percent: u64) -> Option<String> {
    let all: u64 = times.iter().sum();
    let mut count = 0;
    let bucket = times.iter().position(|in_bucket| {
        count += in_bucket;
        count > 0 && count * 100 >= all * percent
    })?;
    Some(match TIME_BOUNDS.get(bucket) {
        Some(micros) => format!("≤ {} µs", Count(*micros)),
        None => format!("> {} µs", Count(TIME_BOUNDS[TIME_BOUNDS.len() - 1])),
    })
}
