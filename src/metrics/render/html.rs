//! The page for people: whole in itself, without scripts too, and nothing in it is a client's to
//! choose. `page.html` is filled with what is made here; all of it is escaped.

mod hints;
mod origin;
mod usage;

use std::cmp::Reverse;
use std::fmt::{self, Write};

use askama::Template;
use askama::filters::Escaper;

use super::units::{Bytes, Count, Duration, Rate, Utc, ago};
use crate::counters::bucket_within;
use crate::{
    ClientFileRow, KeySetRow, OriginRow, RECENT, RECENT_SECONDS, RejectedKeyRow, Snapshot,
    TIME_BOUNDS,
};
use hints::{hint, sts_hint};
use origin::{OriginGroup, states};
use usage::{ClientLine, CountTable, cache_hits};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Allows that style and that script, by their hashes, and the script to ask this server.
pub const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-gBSvxKrc1uVKiRmYg4oWMCLDfDOdYA4n8LDr75x7PVo='; \
    script-src 'sha256-UIbhJfBiFnCGoiImzYDOBee24ndGNBvw9ZplYjp0vwA='; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How many rows a table of access keys has at most.
const ROWS: usize = 12;

pub(crate) fn write(snapshot: &Snapshot) -> askama::Result<String> {
    let mut page = Page::of(snapshot).render()?;
    page.push('\n');
    Ok(page)
}

/// Text in HTML, with the entities that have names.
#[derive(Clone, Copy)]
pub(crate) struct Entities;

impl Escaper for Entities {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => to.write_str("&amp;"),
                '<' => to.write_str("&lt;"),
                '>' => to.write_str("&gt;"),
                '"' => to.write_str("&quot;"),
                '\'' => to.write_str("&#39;"),
                c => to.write_char(c),
            }?;
        }
        Ok(())
    }
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    style: &'static str,
    script: &'static str,
    version: &'static str,
    nginx_version: &'static str,
    headline: String,
    now: Utc,
    counting: Duration,
    reloads: String,
    rate: RateCard,
    figures: [Figure; 8],
    groups: Vec<OriginGroup<'a>>,
    tables: Vec<CountTable>,
    clients: Vec<ClientLine<'a>>,
    client_files: Vec<ClientFileCard<'a>>,
    sts: Vec<StsRow>,
    key_sets: Vec<KeySetCard<'a>>,
    codes: Vec<CodeRow>,
    failures: Vec<CodeRow>,
    keys: Vec<KeyTable<'a>>,
}

impl<'a> Page<'a> {
    fn of(snapshot: &'a Snapshot) -> Page<'a> {
        let now = snapshot.now;
        let keys = [
            ("Clients rejected most", &snapshot.rejected_clients),
            ("Unknown keys rejected most", &snapshot.rejected_strangers),
        ];
        Page {
            style: STYLE,
            script: SCRIPT,
            version: snapshot.version,
            nginx_version: snapshot.nginx_version,
            headline: headline(&snapshot.origins),
            now: Utc(now),
            counting: Duration(now.saturating_sub(snapshot.started)),
            reloads: match (snapshot.reloads, ago(now, snapshot.loaded)) {
                (0, _) => "not reloaded".to_owned(),
                (1, when) => format!("reloaded once, {when}"),
                (n, when) => format!("reloaded {n} times, last {when}"),
            },
            rate: RateCard::of(snapshot),
            figures: figures(snapshot),
            groups: OriginGroup::all(snapshot),
            tables: CountTable::all(snapshot),
            clients: ClientLine::all(snapshot),
            client_files: (snapshot.client_files.iter())
                .map(|file| ClientFileCard::of(file, now))
                .collect(),
            sts: (snapshot.sts.iter())
                .map(|row| StsRow {
                    operation: row.operation,
                    outcome: row.outcome,
                    hint: sts_hint(row.outcome),
                    count: Count(row.count),
                })
                .collect(),
            key_sets: (snapshot.key_sets.iter())
                .map(|set| KeySetCard::of(set, now))
                .collect(),
            codes: CodeRow::all(&snapshot.rejected),
            failures: CodeRow::all(&snapshot.failed),
            keys: keys
                .into_iter()
                .filter(|(_, keys)| !keys.is_empty())
                .map(|(caption, keys)| KeyTable::of(caption, keys, now))
                .collect(),
        }
    }
}

/// What the title says.
fn headline(origins: &[OriginRow]) -> String {
    let states = states(&origins.iter().collect::<Vec<_>>());
    match origins.len() {
        0 => "No origins".to_owned(),
        1 => format!("Origin: {states}"),
        _ => format!("Origins: {states}"),
    }
}

/// The rate of requests in the last minutes, and of rejections. Curves are in a box of as many units
/// as there are periods, and 60.
struct RateCard {
    requests: Rate,
    rejections: Rate,
    class: &'static str,
    peak: Rate,
    width: usize,
    requests_curve: String,
    rejections_curve: String,
}

impl RateCard {
    fn of(snapshot: &Snapshot) -> RateCard {
        // The period under way is not whole yet.
        let requests = &snapshot.requests[..RECENT - 1];
        let rejections = &snapshot.rejections[..RECENT - 1];
        let most = requests.iter().copied().max().unwrap_or(0);
        let last_minute = requests.len() - (60 / RECENT_SECONDS) as usize;
        let rate = |recent: &[u64]| Rate(recent[last_minute..].iter().sum::<u64>() as f64 / 60.0);
        let rejected = rate(rejections);
        RateCard {
            requests: rate(requests),
            class: if rejected.0 > 0.0 { "bad" } else { "soft" },
            rejections: rejected,
            peak: Rate(most as f64 / RECENT_SECONDS as f64),
            width: requests.len() - 1,
            requests_curve: curve(requests, most),
            rejections_curve: curve(rejections, most),
        }
    }
}

/// The points of a curve, of which the highest possible one is `most`.
fn curve(recent: &[u64], most: u64) -> String {
    let height = |count: u64| 58.0 * count as f64 / most.max(1) as f64;
    let points = recent.iter().enumerate();
    points
        .map(|(x, count)| format!("{x},{:.1} ", 60.0 - height(*count)))
        .collect()
}

/// A number with its name, and what else is to be said of it.
struct Figure {
    name: &'static str,
    value: String,
    note: String,
}

fn figures(snapshot: &Snapshot) -> [Figure; 8] {
    let figure = |name, value, note| Figure { name, value, note };
    let (accepted, rejected) = (snapshot.accepted_count(), snapshot.rejected_count());
    let forms = snapshot.accepted.iter().filter(|(_, count)| *count > 0);
    let mut forms: Vec<_> = forms
        .map(|(form, count)| format!("{} {form}", Count(*count)))
        .collect();
    if snapshot.minted > 0 {
        forms.push(format!(
            "{} of them with minted keys",
            Count(snapshot.minted)
        ));
    }
    let (hits, of_answers) = cache_hits(snapshot);
    let [half, most] = [50, 99].map(|percent| within(&snapshot.times, percent));
    [
        figure("Accepted", Count(accepted).to_string(), forms.join(", ")),
        figure(
            "Rejected",
            Count(rejected).to_string(),
            share(rejected, accepted.saturating_add(rejected)),
        ),
        figure(
            "Tried again",
            Count(snapshot.retries).to_string(),
            "after a failure".to_owned(),
        ),
        figure(
            "Sent to clients",
            Bytes(snapshot.sent).to_string(),
            format!("{} received", Bytes(snapshot.received)),
        ),
        figure(
            "In flight",
            Count((snapshot.origins.iter()).fold(0, |sum, row| sum + row.in_flight)).to_string(),
            "at origins".to_owned(),
        ),
        figure("Cache hits", hits, of_answers),
        figure(
            "Verifying and signing",
            half.unwrap_or("–".to_owned()),
            most.map_or(String::new(), |time| format!("99 of 100: {time}")),
        ),
        figure(
            "Signing keys",
            share(
                snapshot.keys_found,
                snapshot.keys_found.saturating_add(snapshot.keys_derived),
            ),
            match snapshot.links_known.saturating_add(snapshot.links_computed) {
                0 => "found in the cache".to_owned(),
                links => {
                    let known = share(snapshot.links_known, links);
                    format!("found in the cache; {known} of presigned URLs were known")
                }
            },
        ),
    ]
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}

/// The time within which so many percent were done.
fn within(times: &[u64], percent: u64) -> Option<String> {
    let bucket = bucket_within(times, percent)?;
    Some(match TIME_BOUNDS.get(bucket) {
        Some(micros) => format!("≤ {} µs", Count(*micros)),
        None => format!("> {} µs", Count(TIME_BOUNDS[TIME_BOUNDS.len() - 1])),
    })
}

/// A file of clients.
struct ClientFileCard<'a> {
    path: &'a str,
    clients: Count,
    loaded: String,
    modified: Utc,
    fault: Option<(String, &'a str)>,
}

impl<'a> ClientFileCard<'a> {
    fn of(file: &'a ClientFileRow, now: u64) -> ClientFileCard<'a> {
        let fault = file.fault.as_ref();
        ClientFileCard {
            path: &file.path,
            clients: Count(file.clients),
            loaded: ago(now, file.loaded),
            modified: Utc(file.modified),
            fault: fault.map(|(since, text)| (ago(now, *since), text.as_str())),
        }
    }
}

/// Calls of the Security Token Service that had the same outcome.
struct StsRow {
    operation: &'static str,
    outcome: &'static str,
    hint: &'static str,
    count: Count,
}

/// A key set of an issuer of tokens.
struct KeySetCard<'a> {
    source: &'a str,
    keys: Count,
    has_keys: bool,
    fetched: Option<String>,
    failed: Count,
    error: &'a str,
}

impl<'a> KeySetCard<'a> {
    fn of(set: &'a KeySetRow, now: u64) -> KeySetCard<'a> {
        KeySetCard {
            source: &set.source,
            keys: Count(set.keys),
            has_keys: set.keys > 0,
            fetched: set.fetched.map(|time| ago(now, time)),
            failed: Count(set.failed),
            error: &set.error,
        }
    }
}

/// The requests that ended with one error.
struct CodeRow {
    code: &'static str,
    hint: &'static str,
    count: Count,
}

impl CodeRow {
    /// The most frequent first.
    fn all(codes: &[(&'static str, u64)]) -> Vec<CodeRow> {
        let codes = codes.iter().filter(|(_, count)| *count > 0);
        let mut codes: Vec<_> = codes.collect();
        codes.sort_by_key(|(_, count)| Reverse(*count));
        let row = |(code, count): &(&'static str, u64)| CodeRow {
            code,
            hint: hint(code),
            count: Count(*count),
        };
        codes.into_iter().map(row).collect()
    }
}

/// Access keys that were rejected.
struct KeyTable<'a> {
    caption: &'static str,
    rows: Vec<KeyRow<'a>>,
}

struct KeyRow<'a> {
    access_key: &'a str,
    code: &'static str,
    ago: String,
    count: Count,
}

impl<'a> KeyTable<'a> {
    fn of(caption: &'static str, keys: &'a [RejectedKeyRow], now: u64) -> KeyTable<'a> {
        let row = |key: &'a RejectedKeyRow| KeyRow {
            access_key: &key.access_key,
            code: key.code,
            ago: ago(now, key.last),
            count: Count(key.count),
        };
        KeyTable {
            caption,
            rows: keys.iter().take(ROWS).map(row).collect(),
        }
    }
}
