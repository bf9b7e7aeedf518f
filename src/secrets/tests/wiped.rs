//! No memory that is freed still has a secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ffi::OsString,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use common::Folder;
use secrets::{Kind, Outside, read};

/// What no freed memory may have: part of every secret below.
const MARK: &[u8] = b"9f83mark";

static LEFT: AtomicU32 = AtomicU32::new(0);

/// Looks into each block before it is freed. All blocks begin as zeros, so that there is something to
/// look at.
struct Looking;

// SAFETY: everything is the system allocator's; looking changes nothing.
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's, of that size.
        let block = unsafe { std::slice::from_raw_parts(ptr, layout.size()) };
        if block.windows(MARK.len()).any(|part| part == MARK) {
            LEFT.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Looking = Looking;

fn left_by(act: impl FnOnce()) -> u32 {
    let before = LEFT.load(Ordering::Relaxed);
    act();
    LEFT.load(Ordering::Relaxed) - before
}

/// One test, or others would be counted too.
#[test]
fn whatever_becomes_of_them() {
    let seen = left_by(|| drop(MARK.to_vec()));
    assert_eq!(seen, 1, "a block that is not wiped is seen");

    let folder = Folder::new();
    folder.write("line", b"key-9f83mark\nmore 9f83mark");
    folder.write("end", b"key-9f83mark");
    folder.write("tab", b"\t9f83mark\n");
    let outside = Outside {
        variable: &|_| Some(OsString::from("key 9f83mark")),
        folder: folder.path(),
        wait: Duration::ZERO,
        process: "p",
    };
    let texts: [&[u8]; 10] = [
        b"9f83mark",
        b" 9f83mark",
        b"$9f83mark",
        b"9f83mark\n",
        b"env:SET",
        b"env:9f83mark",
        b"file:line",
        b"file:end",
        b"file:tab",
        b"file:./././././line",
    ];
    for text in texts {
        for kind in [Kind::AccessKey, Kind::SecretKey, Kind::SessionToken] {
            let left = left_by(|| drop(read("k", text, kind, &outside)));
            assert_eq!(left, 0, "{}", text.escape_ascii());
            let left = left_by(|| drop(read("k", text, kind, &outside).map(|s| s.into_value())));
            assert_eq!(left, 0, "{}", text.escape_ascii());
        }
    }
}
