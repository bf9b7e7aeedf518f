//! Reads files again when they change.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{mem, thread};

use crate::fault::Fault;
use crate::file::ClientFile;
use crate::source::{Content, Source};
use crate::table::{Read, Table};

/// Between two looks at a file: a change is in use so much later, at the most, and the time to read it.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many looks a file is left alone that is being written where it is.
const PATIENCE: u8 = 5;

/// What has happened to a file, to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It was read, and is in use.
    Loaded {
        path: PathBuf,
        clients: u64,
        took: Duration,
        /// What is likely to be a mistake.
        doubt: Option<(u64, String)>,
    },
    /// It is no good; what was read before stays in use.
    Failed { path: PathBuf, fault: Fault },
}

/// Looks after the files of a configuration, in one process at a time.
#[derive(Debug)]
pub struct Watcher {
    files: Vec<Watched>,
    is_over: AtomicBool,
    news: Mutex<Vec<News>>,
}

#[derive(Debug)]
struct Watched {
    table: Arc<Table>,
    is_led: AtomicBool,
}

impl Watcher {
    pub fn new<'f>(files: impl IntoIterator<Item = &'f ClientFile>) -> Watcher {
        let watched = |file: &ClientFile| Watched {
            table: Arc::clone(&file.table),
            is_led: AtomicBool::new(false),
        };
        Watcher {
            files: files.into_iter().map(watched).collect(),
            is_over: AtomicBool::new(false),
            news: Mutex::new(Vec::new()),
        }
    }

    /// Takes the lead for files that no other process looks after; tells whether it looks after any.
    pub fn lead(&self) -> bool {
        for file in &self.files {
            if !file.is_led.load(Relaxed) && file.table.try_lead() {
                file.is_led.store(true, Relaxed);
            }
        }
        self.files.iter().any(|file| file.is_led.load(Relaxed))
    }

    /// Looks after the files that it leads, until it is over: on a thread of its own.
    pub fn run(&self) {
        let mut looks = HashMap::new();
        while !self.is_over.load(Relaxed) {
            let led = self.files.iter().enumerate();
            for (index, file) in led.filter(|(_, file)| file.is_led.load(Relaxed)) {
                let look = looks.entry(index).or_insert_with(Look::default);
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let news = look.look(&file.table, now.map_or(0, |now| now.as_secs()));
                let mut all = self.news.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend(news);
            }
            thread::park_timeout(INTERVAL);
        }
        self.files.iter().for_each(Watched::retire);
    }

    /// Ends the looks. A file that is being read is read to its end.
    pub fn end(&self) {
        self.is_over.store(true, Relaxed);
    }

    /// Leaves its files to others, where no thread runs it.
    pub fn retire(&self) {
        self.files.iter().for_each(Watched::retire);
    }

    /// Takes what has happened since the last call.
    pub fn news(&self) -> Vec<News> {
        mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watched {
    fn retire(&self) {
        if self.is_led.swap(false, Relaxed) {
            self.table.retire();
        }
    }
}

/// What one who looks after a file remembers of it.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The file could be opened by this process, so that it can be read again.
    is_readable: bool,
    /// The content that was seen last, and how often another one was seen before.
    seen: Option<Content>,
    waits: u8,
}

impl Look {
    /// Looks at a file, and reads it if it has changed.
    pub(crate) fn look(&mut self, table: &Table, now: u64) -> Option<News> {
        let content = match Content::of(table.path()) {
            Ok(content) => content,
            Err(fault) => return fail(table, fault, None, now),
        };
        if !table.is_new(&content) {
            return self.check_readable(table, now);
        }
        if self.is_being_written(table, content) {
            return None;
        }
        let began = Instant::now();
        match table.read(now) {
            Ok(Read::Done(built)) => {
                self.is_readable = true;
                self.waits = 0;
                Some(News::Loaded {
                    path: table.path().into(),
                    clients: built.clients,
                    took: began.elapsed(),
                    doubt: built.doubt,
                })
            }
            Ok(Read::Busy | Read::Changing) => None,
            Err(fault) => {
                self.waits = 0;
                fail(table, fault, Some(&content), now)
            }
        }
    }

    /// Tells whether a file may be half written: it is the one that was read before, and changes from look to look.
    /// One that was renamed to the name is whole.
    fn is_being_written(&mut self, table: &Table, content: Content) -> bool {
        let is_settled = self.seen.replace(content) == Some(content);
        let waits = !is_settled && table.is_same_file(&content) && self.waits < PATIENCE;
        self.waits = if waits { self.waits + 1 } else { self.waits };
        waits
    }

    /// Finds out in time that nginx's master could read a file, which its workers cannot.
    fn check_readable(&mut self, table: &Table, now: u64) -> Option<News> {
        if self.is_readable {
            return None;
        }
        match Source::open(table.path()) {
            Ok(_) => {
                self.is_readable = true;
                None
            }
            Err(fault) => {
                let content = Content::of(table.path()).ok();
                fail(table, fault, content.as_ref(), now)
            }
        }
    }
}

fn fail(table: &Table, fault: Fault, content: Option<&Content>, now: u64) -> Option<News> {
    let is_new = table.note(&fault, content, now);
    is_new.then(|| News::Failed {
        path: table.path().into(),
        fault,
    })
}
