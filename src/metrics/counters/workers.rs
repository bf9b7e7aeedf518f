//! The workers that count, also those of former configurations that are still at work.
//!
//! What is in flight is counted up and down, so the count of a worker that is killed stays too high. Therefore
//! each worker has a place of its own, and the places of dead workers are not read.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use shm::shared_record;

/// The most workers whose requests in flight are known.
pub(crate) const WORKERS: usize = 128;

shared_record! {
    pub(crate) struct Workers {
        /// By their places; 0 marks a free one.
        processes: [AtomicU32; WORKERS],
    }
}

impl Workers {
    /// Takes a place that no living process has; `None` if there is none.
    pub(crate) fn take_place(&self, process: u32, is_alive: impl Fn(u32) -> bool) -> Option<usize> {
        self.processes.iter().position(|place| {
            let holder = place.load(Relaxed);
            let is_free = holder == 0 || holder == process || !is_alive(holder);
            is_free && (place.compare_exchange(holder, process, Relaxed, Relaxed)).is_ok()
        })
    }

    /// The places of the living.
    pub(crate) fn places(&self, is_alive: impl Fn(u32) -> bool) -> Vec<usize> {
        let holders = self.processes.iter().map(|place| place.load(Relaxed));
        let taken = holders.enumerate().filter(|(_, holder)| *holder != 0);
        let living = taken.filter(|(_, holder)| is_alive(*holder));
        living.map(|(place, _)| place).collect()
    }
}
