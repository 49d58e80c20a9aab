//! Work in the background waits while something more urgent is done.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Counts who is urgent.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    urgent: Mutex<usize>,
    over: Condvar,
}

/// Something urgent, until it is dropped.
pub(crate) struct Urgent<'p>(&'p Pause);

impl Pause {
    fn count(&self) -> MutexGuard<'_, usize> {
        self.urgent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits, waits from now on.
    pub fn begin(&self) -> Urgent<'_> {
        *self.count() += 1;
        Urgent(self)
    }

    /// Until nothing is urgent, but no longer than until then.
    pub fn wait_at_most(&self, until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        let waiting = self.over.wait_timeout_while(self.count(), left, |urgent| *urgent > 0);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    /// Until nothing is urgent.
    pub fn wait(&self) {
        let waiting = self.over.wait_while(self.count(), |urgent| *urgent > 0);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Urgent<'_> {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.over.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    #[test]
    fn who_waits_goes_on_when_the_last_one_is_done() {
        let (pause, gone_on) = (Pause::default(), AtomicBool::new(false));
        pause.wait();
        let begun = Instant::now();
        {
            let _urgent = pause.begin();
            pause.wait_at_most(begun + Duration::from_millis(5));
            assert!(begun.elapsed() >= Duration::from_millis(5));
        }
        pause.wait_at_most(begun + Duration::from_secs(3600));
        std::thread::scope(|scope| {
            let urgent = [pause.begin(), pause.begin()];
            scope.spawn(|| {
                pause.wait();
                gone_on.store(true, Ordering::SeqCst);
            });
            for one in urgent {
                std::thread::sleep(Duration::from_millis(5));
                assert!(!gone_on.load(Ordering::SeqCst));
                drop(one);
            }
        });
        assert!(gone_on.load(Ordering::SeqCst));
    }
}
