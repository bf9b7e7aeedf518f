//! The keys by which an issuer of tokens signs, as a JSON Web Key Set (RFC 7517): where they are, and how they lie in
//! shared memory. They are public. What is in one is for others to read.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, fence};

use shm::shared_record;

use crate::fetch::{Ask, Step, get};
use crate::provider::Service;
use crate::renewal::{Renewable, Renewal};
use crate::{Answer, Endpoint, MAX_BODY};

/// Where a key set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySetSource {
    Url(Endpoint),
    File(PathBuf),
}

/// A key set as it has come.
#[derive(Debug)]
pub struct KeySetText {
    pub text: Vec<u8>,
    /// For how many seconds it may be used without asking again, if the service says it.
    pub max_age: Option<u64>,
}

impl KeySetText {
    pub fn of_file(file: &[u8]) -> KeySetText {
        KeySetText {
            text: file.to_vec(),
            max_age: None,
        }
    }
}

impl KeySetSource {
    /// Begins to fetch it.
    pub fn begin(&self) -> Step<KeySetText> {
        match self {
            KeySetSource::File(path) => Step::Read(path.clone()),
            KeySetSource::Url(endpoint) => Step::Ask(Ask {
                service: Service::Source,
                request: get(endpoint),
            }),
        }
    }

    /// Takes what the file says.
    pub fn has_read(file: &[u8]) -> Step<KeySetText> {
        if file.len() > MAX_KEY_SET {
            return Step::Failed(format!("it is longer than {MAX_KEY_SET} bytes"));
        }
        Step::Done(KeySetText::of_file(file))
    }

    /// Takes the answer.
    pub fn heard(answer: &Answer) -> Step<KeySetText> {
        match answer.status {
            200 => Step::Done(KeySetText {
                text: answer.body.to_vec(),
                max_age: answer.max_age,
            }),
            status => Step::Failed(format!("it answered {status}")),
        }
    }
}

/// As configurations write it.
impl fmt::Display for KeySetSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySetSource::Url(endpoint) => endpoint.fmt(f),
            KeySetSource::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// The longest key set, in bytes.
pub const MAX_KEY_SET: usize = MAX_BODY;

shared_record! {
    /// A key set in shared memory.
    pub struct KeySetRecord {
        /// Counts the key sets: 0 if there is none yet, odd while another one is written.
        generation: AtomicU64,
        length: AtomicU32,
        text: [AtomicU8; MAX_KEY_SET],
        /// When it was fetched, or confirmed, in seconds since 1970.
        fetched: AtomicU64,
        /// After the end of which fetch it was wanted before its time: one more than that time in ticks.
        wanted: AtomicU64,
        renewal: Renewal,
    }
}

/// Milliseconds after a fetch before a token with an unknown key has another one begin.
const PAUSE: u64 = 10_000;

/// What a token with an unknown key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownKey {
    /// The key set is fetched again, and may have it then.
    MayCome,
    /// It has just been fetched: there is no such key.
    IsNone,
}

/// How often a reader looks again, if another key set is written while it reads. That takes microseconds, unless the
/// writer was killed.
const LOOKS: usize = 1_000;

impl KeySetRecord {
    /// Copies it with its generation; `None` if there is none that is whole.
    pub fn read(&self) -> Option<(u64, Vec<u8>)> {
        for _ in 0..LOOKS {
            let before = self.generation();
            if before == 0 {
                return None;
            }
            if before.is_multiple_of(2) {
                let length = (self.length.load(Relaxed) as usize).min(MAX_KEY_SET);
                let bytes = self.text.iter().take(length);
                let text = bytes.map(|byte| byte.load(Relaxed)).collect();
                fence(Acquire);
                if self.generation.load(Relaxed) == before {
                    return Some((before, text));
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Takes a key set that was fetched now; the one before is overwritten. To be called under the zone's lock. Returns
    /// whether it is another one than before; one that is too long is none.
    pub fn publish(&self, text: &[u8], now: u64) -> bool {
        let is_new = self
            .read()
            .is_none_or(|(_, present)| present != text && text.len() <= MAX_KEY_SET);
        if is_new {
            // What a killed writer has left is odd, too.
            let odd = self.generation.load(Relaxed).wrapping_add(1) | 1;
            self.generation.store(odd, Relaxed);
            fence(Release);
            for (to, from) in self.text.iter().zip(text) {
                to.store(*from, Relaxed);
            }
            self.length
                .store(text.len().min(MAX_KEY_SET) as u32, Relaxed);
            self.generation.store(odd.wrapping_add(1).max(2), Release);
        }
        self.fetched.store(now, Relaxed);
        is_new
    }

    /// Hears of a token with an unknown key: the key set is fetched again, but not all the time.
    pub fn misses(&self, ticks: u64) -> UnknownKey {
        let is_fresh = self.renewal.since_end(ticks) < PAUSE && self.renewal.failed_in_row() == 0;
        self.wanted.store(self.renewal.mark(), Relaxed);
        match is_fresh && self.generation() != 0 && !self.renewal.is_led(ticks) {
            true => UnknownKey::IsNone,
            false => UnknownKey::MayCome,
        }
    }

    /// Tells when it was fetched, or confirmed, in seconds since 1970.
    pub fn fetched(&self) -> Option<u64> {
        Some(self.fetched.load(Relaxed)).filter(|time| *time != 0)
    }
}

impl Renewable for KeySetRecord {
    fn renewal(&self) -> &Renewal {
        &self.renewal
    }

    #[inline]
    fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    fn due(&self, ticks: u64) -> u64 {
        let next = self.renewal.next(ticks);
        match self.wanted.load(Relaxed) == self.renewal.mark() {
            // After failures, too: somebody waits for it.
            true => next.min(self.renewal.earliest(ticks, PAUSE)),
            false => next,
        }
    }

    /// An old one is used for as long as there is no other: the tokens that it verifies have ends of their own.
    fn is_usable(&self, _: u64) -> bool {
        self.is_there()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use shm::Zone;

    use super::*;

    /// Each test has a name of its own, since a process has one memory for a name.
    fn zone(name: &'static str) -> Zone<KeySetRecord> {
        let zone = Zone::open(name, ["https://issuer/jwks"], (), None).unwrap();
        zone.adopt(|_| ());
        zone
    }

    #[test]
    fn key_sets_replace_each_other() {
        let zone = zone("key_sets_replace");
        let record = zone.record(0).unwrap();
        assert_eq!((record.read(), record.fetched()), (None, None));
        assert!(!record.is_usable(0));
        assert!(record.publish(b"first one", 50));
        assert_eq!(record.read(), Some((2, b"first one".to_vec())));
        assert!(!record.publish(b"first one", 60), "the same");
        assert_eq!((record.generation(), record.fetched()), (2, Some(60)));
        assert!(record.publish(b"second", 70));
        assert_eq!(record.read(), Some((4, b"second".to_vec())));
        let longest = vec![b'x'; MAX_KEY_SET];
        assert!(record.publish(&longest, 80));
        assert_eq!(record.read(), Some((6, longest)));
        // A writer was killed.
        record.generation.store(7, Relaxed);
        assert_eq!(record.read(), None);
        assert!(record.publish(b"third", 90));
        assert_eq!(record.read(), Some((10, b"third".to_vec())));
    }

    #[test]
    fn unknown_keys_have_it_fetched_but_not_all_the_time() {
        let zone = zone("key_sets_wanted");
        let record = zone.record(0).unwrap();
        assert_eq!(record.misses(0), UnknownKey::MayCome, "there is none");
        record.publish(b"{}", 50);
        record.renewal.note_success(100_000, 1_000_000);
        assert_eq!(record.due(100_000), 1_000_000);
        // It is fresh: no such key. But it is looked at again soon.
        assert_eq!(record.misses(105_000), UnknownKey::IsNone);
        assert_eq!(record.due(105_000), 110_000);
        record.renewal.note_success(110_000, 1_000_000);
        assert_eq!(record.due(110_000), 1_000_000, "once");
        assert_eq!(record.misses(120_000), UnknownKey::MayCome);
        assert!(record.due(120_000) <= 120_000, "at once");
        record.renewal.lead(1, 120_000, 500).unwrap();
        assert_eq!(record.misses(120_001), UnknownKey::MayCome, "it is fetched");
        // The service fails.
        assert_eq!(record.renewal.note_failure("it answered 500"), 1);
        record.renewal.end(120_100, 121_000);
        assert_eq!(record.misses(120_200), UnknownKey::MayCome);
        assert_eq!(record.due(120_200), 121_000);
        for failures in 2..=9 {
            assert_eq!(record.renewal.note_failure("it answered 500"), failures);
        }
        record.renewal.end(121_000, 1_000_000);
        record.misses(121_001);
        assert_eq!(record.due(121_001), 131_000, "somebody waits for it");
    }

    #[test]
    fn the_request() {
        let url = "https://issuer.example.com:8443/openid/v1/jwks/?a=b";
        let source = KeySetSource::Url(Endpoint::parse_document(url).unwrap());
        let Step::Ask(ask) = source.begin() else {
            panic!()
        };
        let text = String::from_utf8(ask.request.to_vec()).unwrap();
        assert!(
            text.starts_with(
                "GET /openid/v1/jwks/?a=b HTTP/1.1\r\nHost: issuer.example.com:8443\r\n"
            )
        );
        assert!(text.ends_with("\r\n\r\n"));
        let answer = |status| Answer {
            status,
            max_age: Some(7),
            body: b"{}".to_vec().into(),
        };
        assert!(
            matches!(KeySetSource::heard(&answer(200)), Step::Done(set) if set.text == b"{}" && set.max_age == Some(7))
        );
        for status in [204, 302, 404, 500] {
            let told = format!("it answered {status}");
            assert!(
                matches!(KeySetSource::heard(&answer(status)), Step::Failed(why) if why == told)
            );
        }
    }

    /// A compromised worker may have written anything.
    #[test]
    fn noise_is_survived() {
        let zone = zone("key_sets_noise");
        let record = zone.record(0).unwrap();
        for number in [0, 1, 2, u64::MAX - 1, u64::MAX] {
            record.generation.store(number, Relaxed);
            record.length.store(u32::MAX, Relaxed);
            record.wanted.store(number, Relaxed);
            record.renewal.ended.store(number, Relaxed);
            record.renewal.next.store(number, Relaxed);
            for ticks in [0, 1, u64::MAX] {
                record.due(ticks);
                record.misses(ticks);
                assert!(record.due(ticks) <= ticks.saturating_add(crate::renewal::FARTHEST));
            }
            let read = record.read();
            assert!(read.is_none_or(|(_, text)| text.len() <= MAX_KEY_SET));
        }
    }
}
