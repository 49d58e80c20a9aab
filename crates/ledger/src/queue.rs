//! Group commit: callers that come while a round is being written share the next one.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::error::{Error, Result};
use crate::log::Leaf;

/// An entry of the log: the canonical bytes of a receipt.
pub(crate) type Entry = Arc<[u8]>;

/// Callers wait here. The first to come becomes the leader, takes what has gathered, and writes it;
/// those who come meanwhile gather for the next leader.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    gathered: Vec<Entry>,
    batch: Arc<Batch>,
    leading: bool,
}

/// Those who share a round.
#[derive(Default)]
struct Batch {
    /// What it came to, once that is known.
    outcome: OnceLock<Result<Vec<Leaf>, Arc<Error>>>,
    turned: Condvar,
}

impl Queue {
    /// Has `entries` written, in one round, by `write` or by another caller's.
    pub fn submit(
        &self,
        entries: Vec<Entry>,
        write: &dyn Fn(&[Entry]) -> Result<Vec<Leaf>>,
    ) -> Result<Vec<Leaf>> {
        let mut state = self.lock();
        let start = state.gathered.len();
        state.gathered.extend(entries);
        let own = start..state.gathered.len();
        let batch = Arc::clone(&state.batch);
        loop {
            if let Some(outcome) = batch.outcome.get() {
                return share(outcome, own);
            }
            if state.leading {
                state = batch.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                // Nobody leads and the batch is open: what has gathered is this batch.
                self.lead(state, write);
                state = self.lock();
            }
        }
    }

    fn lead(
        &self,
        mut state: MutexGuard<'_, State>,
        write: &dyn Fn(&[Entry]) -> Result<Vec<Leaf>>,
    ) {
        state.leading = true;
        let entries = std::mem::take(&mut state.gathered);
        let batch = std::mem::take(&mut state.batch);
        drop(state);
        let leading = Leading { queue: self, batch: &batch };
        let outcome = write(&entries).map_err(Arc::new);
        // Only the leader sets it, and only once.
        let _ = leading.batch.outcome.set(outcome);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a leadership, even if writing panicked: nobody is left waiting.
struct Leading<'a> {
    queue: &'a Queue,
    batch: &'a Batch,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        self.batch.outcome.get_or_init(|| {
            let reason = std::io::Error::other("the thread that was writing it panicked");
            Err(Arc::new(Error::file("write", std::path::Path::new("head"), reason)))
        });
        let mut state = self.queue.lock();
        state.leading = false;
        // Of those who gathered, one is enough to lead; the others wait for it.
        state.batch.turned.notify_one();
        self.batch.turned.notify_all();
    }
}

/// One caller's part of what a round came to.
fn share(outcome: &Result<Vec<Leaf>, Arc<Error>>, own: Range<usize>) -> Result<Vec<Leaf>> {
    match outcome {
        Ok(leaves) => Ok(leaves[own].to_vec()),
        Err(error) => Err(Error::of_one(error, own.start as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// Stands for a log: numbers the entries and counts the rounds.
    #[derive(Default)]
    struct Log {
        size: AtomicU64,
        rounds: AtomicU64,
    }

    impl Log {
        fn write(&self, entries: &[Entry]) -> Result<Vec<Leaf>> {
            std::thread::sleep(Duration::from_millis(5));
            self.rounds.fetch_add(1, Ordering::SeqCst);
            let first = self.size.fetch_add(entries.len() as u64, Ordering::SeqCst);
            let leaf = |(index, entry): (u64, &Entry)| Leaf { index, leaf_hash: Hash::leaf(entry) };
            Ok((first..).zip(entries).map(leaf).collect())
        }
    }

    #[test]
    fn callers_share_rounds_and_each_gets_its_own_leaf() {
        let (queue, log) = (Queue::default(), Log::default());
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                let (queue, log) = (&queue, &log);
                scope.spawn(move || {
                    for turn in 0..20_u8 {
                        let entry: Entry = Arc::from([thread, turn]);
                        let leaves = queue.submit(vec![entry.clone()], &|all| log.write(all));
                        assert_eq!(leaves.unwrap()[0].leaf_hash, Hash::leaf(&entry));
                    }
                });
            }
        });
        assert_eq!(log.size.load(Ordering::SeqCst), 160);
        let rounds = log.rounds.load(Ordering::SeqCst);
        assert!((20..=80).contains(&rounds), "{rounds} rounds for 160 entries by 8 threads");
    }

    #[test]
    fn a_failure_reaches_everyone_and_the_next_round_works() {
        let (queue, log) = (Queue::default(), Log::default());
        let fails = |_: &[Entry]| Err(Error::Random { reason: "test".into() });
        let failed = queue.submit(vec![Arc::from([1])], &fails);
        assert!(matches!(failed, Err(Error::NotRecorded(_))));
        let leaves = queue.submit(vec![Arc::from([1]), Arc::from([2])], &|all| log.write(all));
        assert_eq!(leaves.unwrap().len(), 2);
    }

    #[test]
    fn a_panic_leaves_nobody_waiting() {
        let (queue, log) = (Queue::default(), Log::default());
        let panicked = std::thread::scope(|scope| {
            scope.spawn(|| queue.submit(vec![Arc::from([1])], &|_| panic!("on purpose"))).join()
        });
        assert!(panicked.is_err());
        assert!(queue.submit(vec![Arc::from([2])], &|all| log.write(all)).is_ok());
    }
}
