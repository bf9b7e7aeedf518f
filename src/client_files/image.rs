//! The image of a file, as it is looked up.
//!
//! Records, each of whole words, and after them the index: a hash table with linear probing. An entry has the place of
//! a record and some bits of the hash of its key, so that hardly any other record is looked at, and a stranger's key
//! costs what any other does. Another process may have written anything there: whatever it is, no look-up reads beyond
//! the words, and each ends.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrayvec::ArrayVec;
use foldhash::fast::FixedState;
use sigv4::{MAX_ACCESS_KEY, MAX_SECRETS, SecretKey, Timestamp};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a word.
pub(crate) const WORD: usize = 8;

/// Bits of an entry that are bits of the hash; the others are the record's place, plus one.
const TAG_BITS: u32 = 24;
const TAG: u64 = (1 << TAG_BITS) - 1;

/// The largest place that an entry has room for.
pub(crate) const MAX_PLACE: u64 = (1 << (64 - TAG_BITS)) - 2;

/// Entries for each ten clients: seven of ten are in use.
pub(crate) fn entries_for(clients: u64) -> u64 {
    clients.saturating_mul(10) / 7 + 8
}

/// Where the parts of an image are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Words of the records: the index begins there.
    pub(crate) records: u64,
    /// Entries of the index.
    pub(crate) entries: u64,
    /// What the hash begins with.
    pub(crate) seed: u64,
}

/// What the first word of a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    Client {
        access_key: usize,
        secret_key: usize,
        /// 0 if there is none.
        session_token: usize,
        expires: bool,
        grant: bool,
    },
    /// Lengths of the texts; `None` for one that is not there.
    Grant {
        allow: Option<usize>,
        buckets: Option<usize>,
        account: Option<usize>,
    },
}

const CLIENT: u64 = 1 << 56;
const EXPIRES: u64 = 1 << 57;
const GRANT: u64 = 1 << 58;
const TEXTS: u64 = 1 << 59;
const BITS_24: u64 = (1 << 24) - 1;

impl Head {
    /// Writes it; `None` if a length is too great.
    pub(crate) fn word(self) -> Option<u64> {
        let fits = |length: usize, max: u64| u64::try_from(length).ok().filter(|n| *n <= max);
        let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
        Some(match self {
            Head::Client {
                access_key,
                secret_key,
                session_token,
                expires,
                grant,
            } => {
                CLIENT
                    | flag(expires, EXPIRES)
                    | flag(grant, GRANT)
                    | fits(access_key, 0xff)?
                    | fits(secret_key, BITS_24)? << 8
                    | fits(session_token, BITS_24)? << 32
            }
            Head::Grant {
                allow,
                buckets,
                account,
            } => {
                let one_more =
                    |text: Option<usize>, max| fits(text.map_or(0, |length| length + 1), max);
                TEXTS
                    | one_more(allow, BITS_24)?
                    | one_more(buckets, BITS_24)? << 24
                    | one_more(account, 0xff)? << 48
            }
        })
    }

    fn read(word: u64) -> Option<Head> {
        let bits = |at: u32, mask: u64| (word >> at & mask) as usize;
        match word & (CLIENT | TEXTS) {
            CLIENT => Some(Head::Client {
                access_key: bits(0, 0xff),
                secret_key: bits(8, BITS_24),
                session_token: bits(32, BITS_24),
                expires: word & EXPIRES != 0,
                grant: word & GRANT != 0,
            }),
            TEXTS => Some(Head::Grant {
                allow: bits(0, BITS_24).checked_sub(1),
                buckets: bits(24, BITS_24).checked_sub(1),
                account: bits(48, 0xff).checked_sub(1),
            }),
            _ => None,
        }
    }

    /// The words of the whole record.
    pub(crate) fn words(self) -> usize {
        let (fixed, text) = match self {
            Head::Client {
                access_key,
                secret_key,
                session_token,
                expires,
                grant,
            } => (
                1 + usize::from(expires) + usize::from(grant),
                access_key + secret_key + session_token,
            ),
            Head::Grant {
                allow,
                buckets,
                account,
            } => {
                let texts = [allow, buckets, account];
                (1, texts.into_iter().flatten().sum())
            }
        };
        fixed + text.div_ceil(WORD)
    }
}

/// A client that was found, copied out of the image.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) secret_key: SecretKey,
    pub(crate) session_token: Option<SecretKey>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) grant: Option<GrantText>,
}

/// What a client may do, and its account, as its line has them.
#[derive(Debug)]
pub(crate) struct GrantText {
    /// Tells it apart from others of the image.
    pub(crate) place: u64,
    pub(crate) allow: Option<Vec<u8>>,
    pub(crate) buckets: Option<Vec<u8>>,
    pub(crate) account: Option<Vec<u8>>,
}

/// The bytes of an access key.
type Key = ArrayVec<u8, MAX_ACCESS_KEY>;

/// Why a client cannot be in an image beside those that are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duplicate {
    /// One with that access key and that secret is there.
    Secret,
    /// As many with that access key are there as may be.
    Key,
    /// The index is full, or the image is no image.
    NoRoom,
}

/// An image in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image<'m> {
    words: &'m [AtomicU64],
    layout: Layout,
    records: usize,
    entries: usize,
}

impl<'m> Image<'m> {
    /// `None` if the words do not have room for the layout.
    pub(crate) fn new(words: &'m [AtomicU64], layout: Layout) -> Option<Image<'m>> {
        let records = usize::try_from(layout.records).ok()?;
        let entries = usize::try_from(layout.entries).ok()?;
        (records.checked_add(entries)? <= words.len()).then_some(Image {
            words,
            layout,
            records,
            entries,
        })
    }

    /// Finds the clients with an access key.
    pub(crate) fn find(&self, access_key: &[u8]) -> ArrayVec<Record, MAX_SECRETS> {
        let mut found = ArrayVec::new();
        for place in self.candidates(self.hash(access_key)) {
            if self.has_key(place, access_key)
                && let Some(record) = self.record(place)
                && found.try_push(record).is_err()
            {
                break;
            }
        }
        found
    }

    /// Puts the client at `place` into the index.
    pub(crate) fn insert(&self, place: usize) -> Result<(), Duplicate> {
        let key = self.key(place).ok_or(Duplicate::NoRoom)?;
        let hash = self.hash(&key);
        let mut same_key = 0;
        for other in self.candidates(hash) {
            if self.has_key(other, &key) {
                same_key += 1;
                if self.secret(other) == self.secret(place) {
                    return Err(Duplicate::Secret);
                }
            }
        }
        if same_key >= MAX_SECRETS {
            return Err(Duplicate::Key);
        }
        let entry = ((place as u64 + 1) << TAG_BITS) | (hash & TAG);
        let mut chain = self.chain(hash);
        let free = chain.find(|word| word.load(Relaxed) == 0);
        free.ok_or(Duplicate::NoRoom)?.store(entry, Relaxed);
        Ok(())
    }

    /// Lists the places of the clients, in the order of the file.
    pub(crate) fn clients(&self) -> impl Iterator<Item = usize> {
        let (image, mut next) = (*self, 0);
        std::iter::from_fn(move || {
            loop {
                let place = next;
                let head = image.head(place)?;
                next += head.words();
                if matches!(head, Head::Client { .. }) {
                    return Some(place);
                }
            }
        })
    }

    fn hash(&self, access_key: &[u8]) -> u64 {
        let mut hasher = FixedState::with_seed(self.layout.seed).build_hasher();
        hasher.write(access_key);
        hasher.finish()
    }

    /// The entries from the one that a hash leads to, each once.
    fn chain(&self, hash: u64) -> impl Iterator<Item = &'m AtomicU64> + use<'m> {
        let index = self.words.get(self.records..self.records + self.entries);
        let index = index.unwrap_or_default();
        let start = ((u128::from(hash) * self.entries as u128) >> 64) as usize;
        let (before, after) = index.split_at_checked(start).unwrap_or_default();
        after.iter().chain(before)
    }

    /// The places of records whose hashes are like this one.
    fn candidates(&self, hash: u64) -> impl Iterator<Item = usize> + use<'m> {
        self.chain(hash)
            .map(|word| word.load(Relaxed))
            .take_while(|entry| *entry != 0)
            .filter(move |entry| entry & TAG == hash & TAG)
            .filter_map(|entry| usize::try_from((entry >> TAG_BITS).checked_sub(1)?).ok())
    }

    fn head(&self, place: usize) -> Option<Head> {
        let word = self.words.get(..self.records)?.get(place)?;
        Head::read(word.load(Relaxed))
    }

    /// Copies bytes that begin `skip` bytes after the word at `place`, in records.
    fn copy(&self, place: usize, skip: usize, length: usize) -> Option<Vec<u8>> {
        let start = place.checked_add(skip / WORD)?;
        let end = start.checked_add((skip % WORD).checked_add(length)?.div_ceil(WORD))?;
        let words = self.words.get(..self.records)?.get(start..end)?;
        let mut bytes = Vec::with_capacity(length);
        let mut skip = skip % WORD;
        for word in words {
            let mut text = word.load(Relaxed).to_ne_bytes();
            let piece = text.get(skip..).unwrap_or_default();
            let piece = piece.get(..piece.len().min(length - bytes.len()));
            bytes.extend_from_slice(piece.unwrap_or_default());
            text.zeroize();
            skip = 0;
        }
        Some(bytes)
    }

    fn key(&self, place: usize) -> Option<Key> {
        let (texts, access_key, ..) = self.texts(place)?;
        Key::try_from(&*self.copy(texts, 0, access_key)?).ok()
    }

    fn has_key(&self, place: usize, access_key: &[u8]) -> bool {
        let Some((texts, length, ..)) = self.texts(place) else {
            return false;
        };
        let end = texts.saturating_add(length.div_ceil(WORD));
        let words = self.words.get(..self.records);
        let words = words.and_then(|words| words.get(texts..end));
        let pieces = access_key.chunks(WORD);
        length == access_key.len()
            && words.is_some_and(|words| {
                words.iter().zip(pieces).all(|(word, piece)| {
                    let text = word.load(Relaxed).to_ne_bytes();
                    text.starts_with(piece)
                })
            })
    }

    fn secret(&self, place: usize) -> Option<Zeroizing<Vec<u8>>> {
        let (texts, access_key, secret_key, _) = self.texts(place)?;
        self.copy(texts, access_key, secret_key).map(Zeroizing::new)
    }

    /// Where the texts of a client begin, and the lengths of them.
    fn texts(&self, place: usize) -> Option<(usize, usize, usize, usize)> {
        match self.head(place)? {
            Head::Client {
                access_key,
                secret_key,
                session_token,
                expires,
                grant,
            } => {
                let texts = place.checked_add(1 + usize::from(expires) + usize::from(grant))?;
                Some((texts, access_key, secret_key, session_token))
            }
            Head::Grant { .. } => None,
        }
    }

    fn record(&self, place: usize) -> Option<Record> {
        let Head::Client { expires, grant, .. } = self.head(place)? else {
            return None;
        };
        let (texts, access_key, secret_key, session_token) = self.texts(place)?;
        let word = |at: usize| Some(self.words.get(place.checked_add(at)?)?.load(Relaxed));
        let secret = SecretKey::new(self.copy(texts, access_key, secret_key)?);
        let token = self.copy(texts, access_key.checked_add(secret_key)?, session_token)?;
        Some(Record {
            secret_key: secret,
            session_token: (session_token > 0).then(|| SecretKey::new(token)),
            expires: match expires {
                true => Some(Timestamp(word(1)? as i64)),
                false => None,
            },
            // A client whose grant cannot be read is none: it may do nothing.
            grant: match grant {
                true => Some(self.grant(word(1 + usize::from(expires))?)?),
                false => None,
            },
        })
    }

    fn grant(&self, place: u64) -> Option<GrantText> {
        let at = usize::try_from(place).ok()?;
        let Head::Grant {
            allow,
            buckets,
            account,
        } = self.head(at)?
        else {
            return None;
        };
        let text = |skip, length: Option<usize>| match length {
            Some(length) => self.copy(at.checked_add(1)?, skip, length).map(Some),
            None => Some(None),
        };
        Some(GrantText {
            place,
            allow: text(0, allow)?,
            buckets: text(allow.unwrap_or_default(), buckets)?,
            account: text(
                allow.unwrap_or_default() + buckets.unwrap_or_default(),
                account,
            )?,
        })
    }
}
