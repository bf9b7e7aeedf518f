//! What a worker does for files of clients: one of them reads those again that change, and all tell the log.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use client_files::{News, Watcher};
use ngx_safe::cycle::Cycle;
use ngx_safe::thread::Background;
use ngx_safe::worker::{Ticker, Worker};

use crate::S3Resign;
use crate::log::{log_error, log_notice, log_warn};

/// Milliseconds between two looks at what there is to tell, and at whether there is someone who reads.
const TICK: u64 = 500;

/// Starts to look after the files in a process that starts; None where memory is out.
pub(crate) fn start(cycle: Cycle<'_, S3Resign>) -> Option<()> {
    let files = cycle.main_conf().map(|main| main.client_files.borrow());
    let files = files.filter(|files| !files.is_empty() && cycle.is_worker());
    let Some(files) = files else {
        return Some(());
    };
    cycle.start_ticker(Keeper {
        watcher: Arc::new(Watcher::new(files.iter().map(|file| &**file))),
        thread: RefCell::new(None),
    })?;
    Some(())
}

struct Keeper {
    watcher: Arc<Watcher>,
    thread: RefCell<Option<Background>>,
}

impl Ticker for Keeper {
    type Module = S3Resign;

    fn tick(self: &Rc<Keeper>, worker: Worker<'_, S3Resign>) -> u64 {
        self.tell(worker);
        let mut thread = self.thread.borrow_mut();
        let is_running = thread.as_ref().is_some_and(|thread| !thread.has_ended());
        if self.watcher.lead() && !is_running {
            let watcher = Arc::clone(&self.watcher);
            match Background::start("s3_client_file", move || watcher.run()) {
                Ok(started) => *thread = Some(started),
                Err(why) => {
                    self.watcher.retire();
                    log_error!(
                        worker.log(),
                        "files of clients are not read again: no thread can be started: {why}"
                    );
                }
            }
        }
        TICK
    }

    fn retire(&self, worker: Worker<'_, S3Resign>) {
        self.tell(worker);
        self.watcher.end();
    }
}

impl Keeper {
    fn tell(&self, worker: Worker<'_, S3Resign>) {
        for news in self.watcher.news() {
            match news {
                News::Loaded {
                    path,
                    clients,
                    took,
                    doubt,
                } => {
                    let path = path.display();
                    log_notice!(
                        worker.log(),
                        "\"{path}\": {clients} clients read in {took:?}"
                    );
                    if let Some((line, what)) = doubt {
                        log_warn!(worker.log(), "{path}:{line}: {what}");
                    }
                }
                News::Failed { path, fault } => log_error!(
                    worker.log(),
                    "\"{0}\" stays in use as it was read before: {0}{fault}",
                    path.display()
                ),
            }
        }
    }
}
