//! How much memory minted keys need that are kept: clients choose what their keys may do, and so how long that is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use common::{minting::*, reference::NOW};
use sigv4::*;

/// Counts the bytes that are allocated, as a heap rounds them.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

fn rounded(size: usize) -> usize {
    (size + 8).next_multiple_of(16).max(32)
}

// SAFETY: everything is the system allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(rounded(layout.size()), Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(rounded(layout.size()), Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.fetch_add(rounded(size), Relaxed);
        ALLOCATED.fetch_sub(rounded(layout.size()), Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Uses so many keys with these buckets, and returns how many bytes they need, and how many are kept.
fn kept_of(count: u32, capacity: usize, max_size: usize, buckets: &str) -> (usize, usize) {
    let issuers = [issuer()];
    let mut keys = MintedKeys::new(capacity, max_size);
    let before = ALLOCATED.load(Relaxed);
    let mut access_keys = Vec::new();
    for number in 0..count {
        let id = KeyId::of(
            [&[7; 6], &number.to_be_bytes()[..]]
                .concat()
                .try_into()
                .unwrap(),
        );
        let scope = Scope {
            allow: None,
            buckets: Some(buckets.as_bytes()),
        };
        let (now, end) = (Timestamp(NOW), Timestamp(NOW + 60));
        let minted = issuers[0].mint(scope, id, now, end).unwrap();
        let claim = Claim {
            access_key: minted.access_key.as_bytes(),
            session_token: Some(SessionToken::plain(minted.session_token.as_bytes())),
            now,
        };
        let found = keys.find(issuers.iter(), None, &claim, 900);
        keys.admitted(&found.unwrap().unwrap());
        access_keys.push(minted.access_key);
    }
    let own = access_keys.capacity() * size_of::<String>()
        + access_keys
            .iter()
            .map(|key| rounded(key.len()))
            .sum::<usize>();
    let size = ALLOCATED.load(Relaxed) - before - own;
    let is_kept = |key: &&String| keys.has(issuers.iter(), key.as_bytes());
    (size, access_keys.iter().filter(is_kept).count())
}

#[test]
fn it_is_bounded_whatever_clients_choose() {
    const MAX: usize = 4 << 20;
    // As many patterns as a token has room for, which need the most memory.
    let many = vec!["*"; 720].join(",");
    for buckets in ["bucket", &many, &"x".repeat(1_300)] {
        let (size, kept) = kept_of(1_200, 4_096, MAX, buckets);
        assert!(
            size <= MAX,
            "{size} bytes for {kept} of {} bytes",
            buckets.len()
        );
        assert!(
            size >= MAX / 8,
            "{size} bytes for {kept} of {} bytes",
            buckets.len()
        );
    }
    let (_, kept) = kept_of(1_200, 4_096, 32 << 20, "bucket");
    assert_eq!(kept, 1_200, "ordinary ones are all kept");
    let (_, kept) = kept_of(3, 4_096, 0, &many);
    assert_eq!(kept, 1, "the last one is, whatever it needs");
    let (_, kept) = kept_of(9, 4, MAX, "bucket");
    assert_eq!(kept, 4);
}
