//! A lock between processes, any of which may be killed while it holds it.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::shared_record;

/// How long to wait for one holder. It needs microseconds: one that takes longer was killed.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// How many times as long to wait in all, whoever the holders say they are.
const HOLDERS: u32 = 5;

shared_record! {
    pub(crate) struct Lock {
        /// 0 if free.
        holder: AtomicU32,
    }
}

/// A lock that is held, or was until someone lost patience.
struct Held<'a> {
    lock: &'a Lock,
    holder: u32,
}

impl Lock {
    /// Runs `body` while no other process runs one, or only one that was stopped in it.
    pub(crate) fn locked<R>(&self, body: impl FnOnce() -> R) -> R {
        let _held = self.take(PATIENCE);
        body()
    }

    fn take(&self, patience: Duration) -> Held<'_> {
        let holder = unique();
        let held = Held { lock: self, holder };
        let Err(mut other) = self.pass_on(0, holder) else {
            return held;
        };
        let began = Instant::now();
        let mut since = began;
        loop {
            thread::yield_now();
            let (waited, in_all) = (since.elapsed(), began.elapsed());
            // What the dead one held goes to one of those who wait for it: they see that it has changed.
            let from = if waited < patience { 0 } else { other };
            match self.pass_on(from, holder) {
                Ok(()) => return held,
                Err(_) if in_all >= patience * HOLDERS => {
                    self.holder.store(holder, Ordering::Release);
                    return held;
                }
                Err(present) if present != other => (other, since) = (present, Instant::now()),
                Err(_) => {}
            }
        }
    }

    /// Fails with who has it.
    fn pass_on(&self, from: u32, to: u32) -> Result<(), u32> {
        self.holder
            .compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
            .map(|_| ())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let (lock, holder) = (&self.lock.holder, self.holder);
        let _ = lock.compare_exchange(holder, 0, Ordering::Release, Ordering::Relaxed);
    }
}

/// A number that hardly any other holder has, in this process or another one.
fn unique() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    process::id().rotate_left(16).wrapping_add(count).max(1)
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    fn held_by(holder: u32) -> Lock {
        Lock {
            holder: AtomicU32::new(holder),
        }
    }

    fn is_free(lock: &Lock) -> bool {
        lock.holder.load(Relaxed) == 0
    }

    /// What no machine is too busy for.
    const LONG: Duration = Duration::from_secs(60);

    /// Counts the threads inside, of which there must not be two.
    fn enter(inside: &AtomicUsize) {
        assert_eq!(inside.fetch_add(1, Relaxed), 0);
        thread::sleep(Duration::from_millis(1));
        inside.fetch_sub(1, Relaxed);
    }

    #[test]
    fn one_at_a_time() {
        let lock = held_by(0);
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let _held = lock.take(LONG);
                        enter(&inside);
                    }
                });
            }
        });
        assert!(is_free(&lock));
    }

    #[test]
    fn it_is_free_after_a_panic() {
        let lock = held_by(0);
        let panics = || lock.locked(|| panic::resume_unwind(Box::new(())));
        assert!(panic::catch_unwind(panics).is_err());
        assert!(is_free(&lock));
    }

    #[test]
    fn a_dead_holder_is_waited_for_a_while() {
        let lock = held_by(77);
        let began = Instant::now();
        assert_eq!(lock.locked(|| "ran"), "ran");
        assert!(began.elapsed() >= PATIENCE);
        assert!(is_free(&lock));
    }

    /// All wait for the same dead one, but only one of them gets what it held.
    #[test]
    fn after_a_death_it_is_one_at_a_time_too() {
        let lock = held_by(77);
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let _held = lock.take(Duration::from_secs(1));
                    enter(&inside);
                });
            }
        });
        assert!(is_free(&lock));
    }

    /// One that was only slow does not free what the next one has by now.
    #[test]
    fn a_slow_holder_leaves_the_lock_to_the_next() {
        let lock = held_by(0);
        let slow = lock.take(LONG);
        let next = lock.take(Duration::ZERO);
        drop(slow);
        assert!(!is_free(&lock));
        drop(next);
        assert!(is_free(&lock));
    }

    /// A compromised worker can make it look as if there were a new holder all the time.
    #[test]
    fn the_wait_ends_whoever_has_it() {
        let lock = held_by(1);
        let is_over = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while is_over.load(Relaxed) == 0 {
                    lock.holder.fetch_add(1, Relaxed);
                }
            });
            drop(lock.take(PATIENCE));
            is_over.store(1, Relaxed);
        });
    }

    #[test]
    fn holders_differ() {
        assert_ne!(unique(), unique());
    }
}
