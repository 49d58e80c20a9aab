//! Group commit: what callers bring while a transaction is being written shares the next one, and
//! its wait for the disk.

use crate::{HeadRow, PayloadRow};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// What is to be written in one transaction.
#[derive(Clone, Default)]
pub(super) struct Writes {
    pub(super) payloads: Vec<PayloadRow>,
    /// The greatest of the log's heads.
    pub(super) head: Option<HeadRow>,
}

impl Writes {
    fn add(&mut self, more: Writes) {
        self.payloads.extend(more.payloads);
        if more.head.as_ref().map(|head| head.size) > self.head.as_ref().map(|head| head.size) {
            self.head = more.head;
        }
    }
}

/// Callers wait here. The first to come becomes the leader, takes what has gathered, and writes it;
/// those who come meanwhile gather for the next leader.
#[derive(Default)]
pub(super) struct Together {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    gathered: Writes,
    batch: Arc<Batch>,
    leading: bool,
}

/// Those whose writes share a transaction.
#[derive(Default)]
struct Batch {
    /// Whether it was written, once that is known.
    written: OnceLock<bool>,
    turned: Condvar,
}

impl Together {
    /// Has something written with what others bring, by `write` or by another caller's, which say
    /// whether it is durable. `false` when it is not; then nothing of it was written, and who it
    /// was that brought what cannot be written is found out by writing alone.
    pub(super) fn submit(&self, writes: Writes, write: impl Fn(&Writes) -> bool) -> bool {
        let mut state = self.lock();
        state.gathered.add(writes);
        let batch = Arc::clone(&state.batch);
        loop {
            if let Some(written) = batch.written.get() {
                return *written;
            }
            if state.leading {
                state = batch.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                // Nobody leads and the batch is open: what has gathered is this batch.
                self.lead(state, &write);
                state = self.lock();
            }
        }
    }

    fn lead(&self, mut state: MutexGuard<'_, State>, write: &impl Fn(&Writes) -> bool) {
        state.leading = true;
        let writes = std::mem::take(&mut state.gathered);
        let batch = std::mem::take(&mut state.batch);
        drop(state);
        let leading = Leading { together: self, batch: &batch };
        // Only the leader sets it, and only once.
        let _ = leading.batch.written.set(write(&writes));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a leadership, even if writing panicked: nobody is left waiting.
struct Leading<'a> {
    together: &'a Together,
    batch: &'a Batch,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        self.batch.written.get_or_init(|| false);
        let mut state = self.together.lock();
        state.leading = false;
        // Of those who gathered, one is enough to lead; the others wait for it.
        state.batch.turned.notify_one();
        self.batch.turned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    fn writes(commitment: &str, size: u64) -> Writes {
        let payload = PayloadRow {
            commitment: commitment.into(),
            salt_hex: "00".into(),
            kind: "prompt".into(),
            content: "?".into(),
            tenant: "t".into(),
            subject: "s".into(),
            created_at: "2026-01-01T00:00:00Z".into(),
        };
        let head = Some(HeadRow { size, root: String::new() });
        Writes { payloads: vec![payload], head }
    }

    #[test]
    fn callers_share_transactions_and_nothing_is_lost_or_doubled() {
        let (together, rounds) = (Together::default(), AtomicU64::new(0));
        let all = Mutex::new(Writes::default());
        let write = |writes: &Writes| {
            std::thread::sleep(Duration::from_millis(5));
            rounds.fetch_add(1, Ordering::SeqCst);
            all.lock().unwrap().add(writes.clone());
            true
        };
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (together, write, all) = (&together, &write, &all);
                scope.spawn(move || {
                    for turn in 0..20 {
                        let name = format!("{thread} {turn}");
                        assert!(together.submit(writes(&name, thread * 20 + turn), write));
                        let known = all.lock().unwrap();
                        assert!(known.payloads.iter().any(|row| row.commitment == name));
                    }
                });
            }
        });
        let all = all.into_inner().unwrap();
        let names: std::collections::BTreeSet<_> =
            all.payloads.iter().map(|row| &row.commitment).collect();
        assert_eq!((names.len(), all.payloads.len()), (160, 160));
        assert_eq!(all.head.unwrap().size, 159);
        let rounds = rounds.into_inner();
        assert!((20..=80).contains(&rounds), "{rounds} rounds for 160 writes by 8 threads");
    }

    #[test]
    fn a_failure_is_said_and_a_panic_leaves_nobody_waiting() {
        let together = Together::default();
        assert!(!together.submit(writes("a", 1), |_| false));
        let panicked = std::thread::scope(|scope| {
            scope.spawn(|| together.submit(writes("b", 2), |_| panic!("on purpose"))).join()
        });
        assert!(panicked.is_err());
        assert!(together.submit(writes("c", 3), |writes| writes.payloads.len() == 1));
    }
}
