//! Builds the image of a file, record by record. What it needs beside the image is a buffer, a number for each line
//! and each different grant.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;

use directives::ClientLine;
use shm::Pages;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::image::{Duplicate, Head, Image, Layout, MAX_PLACE, WORD, entries_for};
use crate::lines::{Here, each_client};

/// A file that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) layout: Layout,
    pub(crate) clients: u64,
    /// The first thing that is likely to be a mistake, and its line.
    pub(crate) doubt: Option<(u64, String)>,
}

/// Reads a file into memory that has nothing in it.
pub(crate) fn build(input: &mut impl Read, pages: &Pages) -> Result<Built, Fault> {
    let mut builder = Builder {
        out: Out::new(pages),
        lines: Vec::new(),
        grants: HashMap::new(),
        doubt: None,
    };
    each_client(input, |number, client| builder.put(number, client))?;
    builder.finish()
}

/// `allow=`, `buckets=` and `account=`.
type Texts = [Option<Box<[u8]>>; 3];

struct Builder<'p> {
    out: Out<'p>,
    /// That of each client, for messages.
    lines: Vec<u32>,
    /// Where each different grant is.
    grants: HashMap<Texts, u64>,
    doubt: Option<(u64, String)>,
}

impl Builder<'_> {
    fn put(&mut self, number: u64, client: &ClientLine<'_>) -> Result<(), Fault> {
        let grant = self.grant(number, client)?;
        let too_long = || Fault::at(number, ": has a value that is too long");
        let head = Head::Client {
            access_key: client.access_key.len(),
            secret_key: client.secret_key.len(),
            session_token: client.session_token.map_or(0, <[u8]>::len),
            expires: client.expires.is_some(),
            grant: grant.is_some(),
        };
        let head = head.word().ok_or_else(too_long)?;
        self.out.put_word(head)?;
        if let Some(expires) = client.expires {
            self.out.put_word(expires.0 as u64)?;
        }
        if let Some(place) = grant {
            self.out.put_word(place)?;
        }
        self.out.put(client.access_key)?;
        self.out.put(client.secret_key)?;
        self.out.put(client.session_token.unwrap_or_default())?;
        self.out.align()?;
        if self.out.place() > MAX_PLACE {
            return Err(too_long());
        }
        self.lines.push(u32::try_from(number).unwrap_or(u32::MAX));
        if self.doubt.is_none() {
            self.doubt = client.doubt().map(|doubt| (number, doubt));
        }
        Ok(())
    }

    /// Finds the grant of a client, and its account, or checks and puts them; `None` if it has neither.
    fn grant(&mut self, number: u64, client: &ClientLine<'_>) -> Result<Option<u64>, Fault> {
        let texts = [client.allow, client.buckets, client.account].map(|text| text.map(Box::from));
        if texts.iter().all(Option::is_none) {
            return Ok(None);
        }
        if let Some(place) = self.grants.get(&texts) {
            return Ok(Some(*place));
        }
        client.grant(&Here).map_err(|why| Fault::at(number, why))?;
        client
            .account(&Here)
            .map_err(|why| Fault::at(number, why))?;
        let head = Head::Grant {
            allow: client.allow.map(<[u8]>::len),
            buckets: client.buckets.map(<[u8]>::len),
            account: client.account.map(<[u8]>::len),
        };
        let head = head.word();
        let head = head.ok_or_else(|| Fault::at(number, ": has a value that is too long"))?;
        let place = self.out.place();
        self.out.put_word(head)?;
        self.out.put(client.allow.unwrap_or_default())?;
        self.out.put(client.buckets.unwrap_or_default())?;
        self.out.put(client.account.unwrap_or_default())?;
        self.out.align()?;
        self.grants.insert(texts, place);
        Ok(Some(place))
    }

    /// Makes the index.
    fn finish(mut self) -> Result<Built, Fault> {
        self.out.flush()?;
        let clients = self.lines.len() as u64;
        let layout = Layout {
            records: self.out.place(),
            entries: entries_for(clients),
            // Nobody can know it, so that nobody can ask for keys that collide.
            seed: RandomState::new().hash_one(clients),
        };
        let pages = self.out.pages;
        let size = (layout.records + layout.entries).saturating_mul(WORD as u64);
        pages.reserve(size).map_err(|why| Fault::no_memory(&why))?;
        let words = pages.map().map_err(|why| Fault::no_memory(&why))?;
        let image = Image::new(words.entries(), layout);
        let image = image.ok_or_else(|| Fault::of_file(" could not be put into memory"))?;
        let mut placed = 0;
        for (place, line) in image.clients().zip(&self.lines) {
            placed += 1;
            image.insert(place).map_err(|duplicate| {
                let why = match duplicate {
                    Duplicate::Secret => {
                        ": is duplicate: keep one line for each secret of an access key"
                    }
                    Duplicate::Key => {
                        ": is duplicate: keep two lines for an access key, with its old secret and its new one"
                    }
                    Duplicate::NoRoom => ": could not be put into memory",
                };
                Fault::at((*line).into(), why)
            })?;
        }
        if placed != clients {
            return Err(Fault::of_file(" could not be put into memory"));
        }
        Ok(Built {
            layout,
            clients,
            doubt: self.doubt,
        })
    }
}

/// Writes to memory through a buffer, which is wiped.
struct Out<'p> {
    pages: &'p Pages,
    buffer: Zeroizing<Vec<u8>>,
    /// Bytes that were written before those in the buffer.
    written: u64,
}

impl<'p> Out<'p> {
    const ROOM: usize = 8 * 1024;

    fn new(pages: &'p Pages) -> Out<'p> {
        Out {
            pages,
            buffer: Zeroizing::new(Vec::with_capacity(Out::ROOM)),
            written: 0,
        }
    }

    /// The words so far.
    fn place(&self) -> u64 {
        (self.written + self.buffer.len() as u64) / WORD as u64
    }

    fn put_word(&mut self, word: u64) -> Result<(), Fault> {
        self.put(&word.to_ne_bytes())
    }

    /// Puts bytes; the buffer never grows, or a part would stay in freed memory.
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.buffer.len() >= Out::ROOM {
                self.flush()?;
            }
            let room = Out::ROOM.saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Fills the last word.
    fn align(&mut self) -> Result<(), Fault> {
        let last = self.buffer.len() % WORD;
        let zeros = [0; WORD];
        self.put(zeros.get(last..).filter(|_| last > 0).unwrap_or_default())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let written = self.pages.write_at(&self.buffer, self.written);
        written.map_err(|why| Fault::no_memory(&why))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
