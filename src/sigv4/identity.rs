//! Which of several values one is.
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells values apart that others remember: no two have the same, and a copy, which may be changed, has another one.
#[derive(Debug)]
pub struct Identity(u64);

impl Identity {
    pub(crate) fn number(&self) -> u64 {
        self.0
    }
}

impl Default for Identity {
    fn default() -> Identity {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Identity(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        Identity::default()
    }
}
