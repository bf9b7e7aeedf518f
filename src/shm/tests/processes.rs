//! What a process leaves to the programs that it starts. Each test starts this very program again, as
//! one that runs `child` in a role of its own and has the files that are open here.
#![cfg(all(target_os = "linux", not(miri)))]
#![allow(clippy::unwrap_used)]

use std::env;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use shm::{Heir, Shared, Zone};

const ROLE: &str = "SHM_TEST_ROLE";

fn zone<T: Shared>(name: &'static str, heir: Option<Heir>) -> Zone<T> {
    let zone = Zone::open(name, ["key"], (), heir).unwrap();
    zone.adopt(|_| ());
    zone
}

/// A zone with 7 in its record.
fn left(name: &'static str) -> Zone<AtomicU64> {
    let zone = zone(name, None);
    number(&zone).store(7, Relaxed);
    zone
}

fn inherited<T: Shared>(name: &'static str) -> Zone<T> {
    // SAFETY: `child` does nothing before.
    zone(name, Some(unsafe { Heir::new() }))
}

fn number(zone: &Zone<AtomicU64>) -> &AtomicU64 {
    zone.record(0).unwrap()
}

/// Starts this program again: whether it ended well.
fn run(role: &str) -> bool {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(ROLE, role)
        .output()
        .unwrap();
    if !output.status.success() {
        println!("{role}: {}", String::from_utf8_lossy(&output.stdout));
    }
    output.status.success()
}

#[test]
fn child() {
    match env::var(ROLE).unwrap_or_default().as_str() {
        "heir" => {
            let zone = inherited("heir");
            assert!(!zone.begins_again());
            assert_eq!(number(&zone).fetch_add(1, Relaxed), 7);
        }
        "stranger" => {
            let zone = zone("stranger", None);
            assert!(!zone.begins_again());
            assert_eq!(number(&zone).fetch_add(1, Relaxed), 0);
        }
        "other layout" => {
            let zone: Zone<[AtomicU64; 2]> = inherited("layout");
            assert!(zone.begins_again());
            assert!(zone.record(0).unwrap().iter().all(|n| n.load(Relaxed) == 0));
        }
        "sealed" => {
            let zone = inherited("sealed");
            assert!(!zone.begins_again());
            assert_eq!(number(&zone).load(Relaxed), 7);
        }
        "unsealed" => {
            let zone = inherited("unsealed");
            assert!(zone.begins_again());
            assert_eq!(number(&zone).load(Relaxed), 0);
        }
        "closes what is not used" => {
            let zone = inherited("used");
            assert!(files("unused").is_some());
            // SAFETY: this package has been used with an heir already.
            shm::close_unused(Some(unsafe { Heir::new() }));
            assert!(files("unused").is_none());
            assert_eq!(number(&zone).load(Relaxed), 7);
        }
        "keeps it" => {
            let zone = inherited("kept");
            assert_eq!(number(&zone).load(Relaxed), 7);
            shm::close_on_exec();
            assert!(run("empty-handed"));
        }
        "empty-handed" => {
            let zone = inherited("kept");
            assert!(!zone.begins_again());
            assert_eq!(number(&zone).load(Relaxed), 0);
        }
        "dies" => {
            let zone = inherited("death");
            zone.locked(|| {
                number(&zone).store(8, Relaxed);
                // SAFETY: no memory is concerned.
                unsafe { libc::raise(libc::SIGKILL) };
            });
        }
        _ => {}
    }
}

#[test]
fn a_new_binary_goes_on_with_the_memory() {
    let zone = left("heir");
    assert!(run("heir"));
    assert_eq!(number(&zone).load(Relaxed), 8);
}

#[test]
fn a_program_that_is_no_heir_has_a_memory_of_its_own() {
    let zone = left("stranger");
    assert!(run("stranger"));
    assert_eq!(number(&zone).load(Relaxed), 7);
}

#[test]
fn another_layout_begins_again() {
    let zone = left("layout");
    assert!(run("other layout"));
    assert_eq!(number(&zone).load(Relaxed), 7);
}

/// Its path, of a zone in this process.
fn files(name: &str) -> Option<PathBuf> {
    let target = PathBuf::from(format!("/memfd:s3_resign_{name} (deleted)"));
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let mut paths = open.map(|entry| entry.path());
    paths.find(|path| fs::read_link(path).is_ok_and(|link| link == target))
}

/// A copy of what a zone left, in a file that has another name and any seals.
fn copy(zone: &'static str, name: &str, seals: i32) -> File {
    let _zone = left(zone);
    let content = fs::read(files(zone).unwrap()).unwrap();
    let name = CString::new(format!("s3_resign_{name}")).unwrap();
    // SAFETY: the name ends with a NUL.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_ALLOW_SEALING) };
    assert_ne!(fd, -1);
    // SAFETY: just opened.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(&content).unwrap();
    // SAFETY: an open file.
    let sealed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    assert_eq!(sealed, 0);
    file
}

#[test]
fn a_file_that_may_shrink_is_not_taken() {
    let _sealed = copy("original", "sealed", libc::F_SEAL_SHRINK);
    assert!(run("sealed"));
    let _unsealed = copy("original", "unsealed", 0);
    assert!(run("unsealed"));
}

#[test]
fn what_is_not_used_is_closed() {
    let _zones = [left("used"), left("unused")];
    assert!(run("closes what is not used"));
}

#[test]
fn what_a_worker_starts_does_not_get_it() {
    let _zone = left("kept");
    assert!(run("keeps it"));
}

#[test]
fn a_lock_whose_holder_was_killed_is_free_after_a_while() {
    let zone = left("death");
    assert!(!run("dies"));
    assert_eq!(number(&zone).load(Relaxed), 8);
    let began = Instant::now();
    assert_eq!(zone.locked(|| 1), 1);
    assert!(began.elapsed() >= Duration::from_millis(100));
}
