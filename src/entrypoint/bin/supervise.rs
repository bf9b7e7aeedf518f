//! Runs nginx as a child, since the first process of a container has to mind signals and orphans.

use std::{
    fs, mem,
    process::{ExitCode, Stdio},
    thread,
    time::Duration,
};

use entrypoint::{Environment, Error};
use rustix::{
    io::Errno,
    process::{
        Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, getrlimit,
        kill_process, setrlimit, wait, waitid,
    },
};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::Signals,
};

use crate::{prepare::Preparation, say};

/// As many files as an nginx of this configuration may have to open.
const FILES: u64 = 16_384;

/// As a shell tells an end by TERM.
const TERMINATED: u8 = 128 + SIGTERM as u8;

/// How often to look for nginx's pid, and the pause between two looks.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Starts nginx. The result is the status with which nginx ended.
pub(crate) fn start(environment: &Environment) -> Result<ExitCode, Error> {
    let mut wishes = Wishes::new().map_err(Error::Signals)?;
    let preparation = Preparation::read(environment)?;
    preparation.prepare(environment)?;
    if wishes.look().stop {
        return Ok(ExitCode::from(TERMINATED));
    }
    raise_file_limit();
    let _ = fs::remove_file(preparation.places.pid());
    let child = preparation.nginx().stdin(Stdio::null()).spawn();
    let child = child.map_err(|_| Error::BrokenNginx)?;
    let nginx = Nginx {
        process: Pid::from_child(&child),
        pid_file: preparation.places.pid(),
    };
    let status = nginx.mind(wishes, || preparation.prepare(environment));
    Ok(ExitCode::from(status))
}

/// More connections than a shell's limit allows, as many as the system does.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < FILES) {
        let most = limit.maximum.map_or(FILES, |maximum| maximum.min(FILES));
        let raised = Rlimit {
            current: Some(most),
            ..limit
        };
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

/// What signals have asked for, and nothing has been done about yet.
struct Wishes {
    signals: Signals,
    wish: Wish,
}

#[derive(Default)]
struct Wish {
    stop: bool,
    reload: bool,
}

impl Wish {
    fn add(&mut self, signals: impl Iterator<Item = i32>) {
        for signal in signals {
            match signal {
                SIGTERM | SIGINT | SIGQUIT => self.stop = true,
                SIGHUP => self.reload = true,
                // A child has ended.
                _ => {}
            }
        }
    }
}

impl Wishes {
    fn new() -> std::io::Result<Wishes> {
        Ok(Wishes {
            signals: Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD])?,
            wish: Wish::default(),
        })
    }

    /// Looks without taking.
    fn look(&mut self) -> &Wish {
        self.wish.add(self.signals.pending());
        &self.wish
    }

    fn take(&mut self) -> Wish {
        self.look();
        mem::take(&mut self.wish)
    }

    /// Sleeps until there is a signal.
    fn wait(&mut self) {
        self.wish.add(self.signals.wait());
    }
}

/// An nginx that was started here.
struct Nginx {
    process: Pid,
    pid_file: String,
}

impl Nginx {
    /// Does what signals ask for until nginx ends; returns its status.
    fn mind(&self, mut wishes: Wishes, prepare: impl Fn() -> Result<(), Error>) -> u8 {
        loop {
            // Children that end after this have a signal of their own.
            let wish = wishes.take();
            if let Some(status) = self.reap() {
                return status;
            }
            if wish.stop {
                self.signal(Signal::QUIT);
            } else if wish.reload {
                match prepare() {
                    Ok(()) => self.signal(Signal::HUP),
                    Err(error) => {
                        say(&error);
                        say(&"nginx goes on with the configuration that it has");
                    }
                }
            } else {
                wishes.wait();
            }
        }
    }

    /// Sends nginx a signal, once it minds it.
    fn signal(&self, signal: Signal) {
        for _ in 0..TRIES {
            if self.is_ready() || has_ended(self.process) {
                break;
            }
            thread::sleep(PAUSE);
        }
        // It is a child that nobody has waited for: the number is nobody else's.
        let _ = kill_process(self.process, signal);
    }

    /// Whether nginx minds signals. It has written its pid then, but one that comes right after that is only noted,
    /// and forgotten until the next: nginx first blocks signals, then starts its workers, then waits for more.
    fn is_ready(&self) -> bool {
        let has_pid = fs::metadata(&self.pid_file).is_ok_and(|data| data.len() > 0);
        // Not every kernel lists children.
        let pid = self.process.as_raw_nonzero();
        let children = fs::read(format!("/proc/{pid}/task/{pid}/children"));
        has_pid && children.map_or(true, |children| !children.is_empty())
    }

    /// Waits for the children that have ended, orphans among them. The result is the status of nginx, if
    /// it is one of them.
    fn reap(&self) -> Option<u8> {
        let mut nginx = None;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((process, status))) if process == self.process => {
                    nginx = Some(status_of(status));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return nginx,
            }
        }
    }
}

/// Whether a child has ended, which remains to be waited for.
fn has_ended(process: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(process), options), Ok(None))
}

/// The status of a process as a shell tells it.
fn status_of(status: WaitStatus) -> u8 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    let status = status.exit_status().or(signal);
    status
        .and_then(|status| u8::try_from(status).ok())
        .unwrap_or(u8::MAX)
}
