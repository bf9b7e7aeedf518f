//! What is asked for, and by whom.

use super::share;
use crate::render::units::{Bytes, Count};
use crate::{CACHE_STATUSES, ClientRow, Snapshot};

/// How many rows a table has at most.
const ROWS: usize = 12;

/// Names with their counts.
pub(super) struct CountTable {
    pub(super) caption: &'static str,
    pub(super) name: &'static str,
    pub(super) rows: Vec<(&'static str, Count)>,
    /// What is in further rows together.
    pub(super) others: Option<Count>,
}

impl CountTable {
    /// Those in which there is something.
    pub(super) fn all(snapshot: &Snapshot) -> Vec<CountTable> {
        let cache = snapshot.cache_counts().filter(|(_, count)| *count > 0);
        let cache: Vec<_> = cache.collect();
        let tables = [
            CountTable::of("Operations", "Operation", &snapshot.operations),
            CountTable::of("Cache", "What it knew", &cache),
        ];
        let tables = tables.into_iter();
        tables.filter(|table| !table.rows.is_empty()).collect()
    }

    fn of(caption: &'static str, name: &'static str, counts: &[(&'static str, u64)]) -> CountTable {
        let (shown, others) = counts.split_at(counts.len().min(ROWS));
        let others = (others.iter()).fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
        CountTable {
            caption,
            name,
            rows: shown
                .iter()
                .map(|(name, count)| (*name, Count(*count)))
                .collect(),
            others: (others > 0).then_some(Count(others)),
        }
    }
}

/// What clients have used.
pub(super) struct ClientLine<'a> {
    /// Empty for the clients that are not told apart.
    pub(super) name: &'a str,
    pub(super) is_issuer: bool,
    pub(super) requests: Count,
    pub(super) received: Bytes,
    pub(super) sent: Bytes,
}

impl<'a> ClientLine<'a> {
    /// The busiest first, and those last that are not told apart.
    pub(super) fn all(snapshot: &'a Snapshot) -> Vec<ClientLine<'a>> {
        let others = Some(&snapshot.other_clients).filter(|others| others.requests > 0);
        let shown = snapshot.clients.iter().take(ROWS);
        shown.chain(others).map(ClientLine::of).collect()
    }

    fn of(client: &'a ClientRow) -> ClientLine<'a> {
        ClientLine {
            name: &client.name,
            is_issuer: client.is_issuer,
            requests: Count(client.requests),
            received: Bytes(client.received),
            sent: Bytes(client.sent),
        }
    }
}

/// The share of answers that the cache had, and of how many.
pub(super) fn cache_hits(snapshot: &Snapshot) -> (String, String) {
    let sum = |names: &[&str]| {
        let counts = snapshot.cache_counts();
        let counts = counts.filter(|(name, _)| names.contains(name));
        counts.fold(0, |sum: u64, (_, count)| sum.saturating_add(count))
    };
    let all = sum(&CACHE_STATUSES);
    match all {
        0 => ("–".to_owned(), "no cache was asked".to_owned()),
        _ => (
            share(sum(&["hit", "stale", "updating", "revalidated"]), all),
            format!("of {} answers", Count(all)),
        ),
    }
}
