//! The clients whose requests were accepted.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use shm::{Shared, Text, shared_record};

use super::{WorkerLanes, increment, lane, origin::note_time, sum};

/// How many clients are told apart; those that find no place are counted together.
pub(crate) const CLIENTS: usize = 128;
/// In how many places a client may be.
const WINDOW: usize = 16;
/// After how many seconds a client that has not come again leaves its place to others.
const PATIENCE: u64 = 3600;

/// Who has sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientName<'a> {
    AccessKey(&'a [u8]),
    /// All that have a minted key of this issuer.
    Issuer(&'a [u8]),
}

impl<'a> ClientName<'a> {
    fn text(self) -> (u32, &'a [u8]) {
        match self {
            ClientName::AccessKey(text) => (0, text),
            ClientName::Issuer(text) => (1, text),
        }
    }

    /// Not 0.
    fn hash(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        Hash::hash(&self, &mut hasher);
        hasher.finish().max(1)
    }
}

shared_record! {
    /// The clients that are told apart. Nobody waits for a lock here: who has put its number into a place
    /// has the place.
    pub(crate) struct Clients {
        places: [Place; CLIENTS],
    }
}

shared_record! {
    struct Place {
        /// The hash of the name; 0 marks a free place.
        hash: AtomicU64,
        /// Seconds since the epoch.
        last: AtomicU64,
        is_issuer: AtomicU32,
        name: Text,
    }
}

shared_record! {
    pub(crate) struct ClientCounters {
        requests: AtomicU64,
        received: AtomicU64,
        sent: AtomicU64,
    }
}

/// By the place of the client; the last are those that have none.
pub(crate) type ClientLane = [ClientCounters; CLIENTS + 1];

/// What a client has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    pub name: String,
    pub is_issuer: bool,
    pub requests: u64,
    pub received: u64,
    pub sent: u64,
}

impl Clients {
    pub(crate) fn count<L>(
        &self,
        lanes: &WorkerLanes<L>,
        of: impl Fn(&L) -> &ClientLane,
        worker: usize,
        (name, received, sent): (ClientName<'_>, u64, u64),
        now: u64,
    ) {
        let place = self.place(name, now, |place| {
            lanes.iter().for_each(|lane| of(lane)[place].clear());
        });
        let counters = &of(lane(lanes, worker))[place.unwrap_or(CLIENTS)];
        increment(&counters.requests);
        counters.received.fetch_add(received, Relaxed);
        counters.sent.fetch_add(sent, Relaxed);
    }

    /// Finds the place of a client, or gives it one, in which `clear` is called first.
    fn place(&self, name: ClientName<'_>, now: u64, clear: impl Fn(usize)) -> Option<usize> {
        let hash = name.hash();
        let first = (hash % CLIENTS as u64) as usize;
        let window = (0..WINDOW).map(|step| (first + step) % CLIENTS);
        let at = |place: &usize| &self.places[*place];
        let its = |place: &usize| at(place).hash.load(Relaxed) == hash;
        if let Some(place) = window.clone().find(its) {
            note_time(&at(&place).last, now);
            return Some(place);
        }
        window.into_iter().find(|place| {
            let place_of = at(place);
            let holder = place_of.hash.load(Relaxed);
            let is_left = place_of.last.load(Relaxed).saturating_add(PATIENCE) < now;
            if holder != 0 && !is_left {
                return false;
            }
            // First, so that it is not left to another one at once.
            place_of.last.store(now, Relaxed);
            if (place_of
                .hash
                .compare_exchange(holder, hash, Relaxed, Relaxed))
            .is_err()
            {
                // Another worker may have brought the same client meanwhile.
                return its(place);
            }
            let (is_issuer, text) = name.text();
            clear(*place);
            place_of.is_issuer.store(is_issuer, Relaxed);
            place_of.name.set(text);
            true
        })
    }

    /// The clients with what each has used, the busiest first; and what the others have.
    pub(crate) fn rows<L>(
        &self,
        lanes: &WorkerLanes<L>,
        of: impl Fn(&L) -> &ClientLane,
    ) -> (Vec<ClientRow>, ClientRow) {
        let row = |place: usize, name: String, is_issuer| ClientRow {
            name,
            is_issuer,
            requests: sum(lanes, |lane| &of(lane)[place].requests),
            received: sum(lanes, |lane| &of(lane)[place].received),
            sent: sum(lanes, |lane| &of(lane)[place].sent),
        };
        let taken = self.places.iter().enumerate();
        let taken = taken.filter(|(_, place)| place.hash.load(Relaxed) != 0);
        let mut rows: Vec<_> = taken
            .map(|(number, place)| {
                let is_issuer = place.is_issuer.load(Relaxed) != 0;
                row(number, place.name.readable(), is_issuer)
            })
            .filter(|row| !row.name.is_empty())
            .collect();
        rows.sort_by(|a, b| (b.requests, &a.name).cmp(&(a.requests, &b.name)));
        (rows, row(CLIENTS, String::new(), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that is longer than a place has room for is one client all the same.
    #[test]
    fn names_are_told_apart() {
        let long = [b'k'; 2 * Text::MAX];
        let names = [
            ClientName::AccessKey(b"A"),
            ClientName::Issuer(b"A"),
            ClientName::AccessKey(b""),
            ClientName::AccessKey(&long),
            ClientName::AccessKey(&long[1..]),
        ];
        let mut hashes = names.map(ClientName::hash).to_vec();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), names.len());
    }
}
