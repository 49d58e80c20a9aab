//! Group commit: what requests leave that end at the same time is written together, their words in
//! one transaction of the store and then their receipts in one round of the log. Each of them waits
//! for the disk once, and is woken once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use allod_ledger::{Leaf, Prepared};
use allod_store::PayloadRow;

use crate::error::Error;

/// What a request leaves.
pub(crate) struct Left {
    /// Its words, as far as they are kept.
    pub(crate) rows: Vec<PayloadRow>,
    pub(crate) receipt: Prepared,
}

/// What became of it.
pub(crate) type Placed = Result<Leaf, Error>;

/// Requests wait here. The first to come leads: it takes what has gathered, and writes it; those
/// who come meanwhile gather for the next leader.
#[derive(Default)]
pub(crate) struct Rounds {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    gathered: Vec<(Left, Arc<Seat>)>,
    leading: bool,
}

/// Where one request waits.
#[derive(Default)]
struct Seat {
    placed: Mutex<Option<Placed>>,
    turned: Condvar,
}

impl Seat {
    fn take(&self) -> Option<Placed> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn give(&self, placed: Placed) {
        *self.placed.lock().unwrap_or_else(PoisonError::into_inner) = Some(placed);
    }
}

impl Rounds {
    /// Has something written with what others leave, by `write` or by another caller's, which says
    /// for each in order what became of it.
    pub(crate) fn submit(&self, left: Left, write: &dyn Fn(Vec<Left>) -> Vec<Placed>) -> Placed {
        let seat = Arc::new(Seat::default());
        let mut state = self.lock();
        state.gathered.push((left, Arc::clone(&seat)));
        loop {
            if let Some(placed) = seat.take() {
                return placed;
            }
            if state.leading {
                state = seat.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                // Nobody leads and nothing has become of it: it is among what has gathered.
                self.lead(state, write);
                state = self.lock();
            }
        }
    }

    fn lead(&self, mut state: MutexGuard<'_, State>, write: &dyn Fn(Vec<Left>) -> Vec<Placed>) {
        state.leading = true;
        let (left, seats): (Vec<Left>, _) = std::mem::take(&mut state.gathered).into_iter().unzip();
        drop(state);
        let mut leading = Leading { rounds: self, seats, placed: Vec::new() };
        leading.placed = write(left);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a leadership, even if writing panicked: nobody is left waiting.
struct Leading<'a> {
    rounds: &'a Rounds,
    seats: Vec<Arc<Seat>>,
    placed: Vec<Placed>,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut placed = std::mem::take(&mut self.placed).into_iter();
        for seat in &self.seats {
            seat.give(placed.next().unwrap_or_else(|| Err(unwritten())));
        }
        let mut state = self.rounds.lock();
        state.leading = false;
        // Of those who gathered, one is enough to lead; the others wait for it.
        if let Some((_, next)) = state.gathered.first() {
            next.turned.notify_one();
        }
        drop(state);
        self.seats.iter().for_each(|seat| seat.turned.notify_one());
    }
}

fn unwritten() -> Error {
    Error::Folder {
        path: "ledger".into(),
        reason: "the thread that was writing the receipt panicked; ask again".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_ledger::{Hash, Receipt};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    fn left(rows: usize) -> Left {
        let words = crate::record::Words { prompt: "sha256:00".into(), answer: None, output: None };
        let policy = allod_policy::Policy::built_in();
        let receipt: Receipt = crate::record::blank(&policy, words);
        let row = PayloadRow {
            commitment: "sha256:00".into(),
            salt_hex: "00".into(),
            kind: "prompt".into(),
            content: "Guten Tag".into(),
            tenant: "t".into(),
            subject: "s".into(),
            created_at: "2026-11-23T00:00:00Z".into(),
        };
        Left { rows: vec![row; rows], receipt: Prepared::new(&receipt).unwrap() }
    }

    fn leaf(index: u64) -> Placed {
        Ok(Leaf { index, leaf_hash: Hash::leaf(b"") })
    }

    #[test]
    fn callers_share_rounds_and_each_gets_its_own_place() {
        let (rounds, size, count) = (Rounds::default(), AtomicU64::new(0), AtomicU64::new(0));
        // The number of rows says whose it is; the place, too.
        let write = |all: Vec<Left>| -> Vec<Placed> {
            std::thread::sleep(Duration::from_millis(5));
            count.fetch_add(1, Ordering::SeqCst);
            size.fetch_add(all.len() as u64, Ordering::SeqCst);
            all.iter().map(|left| leaf(left.rows.len() as u64)).collect()
        };
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (rounds, write) = (&rounds, &write);
                scope.spawn(move || {
                    for _ in 0..20 {
                        let placed = rounds.submit(left(thread), write).unwrap();
                        assert_eq!(placed.index, thread as u64);
                    }
                });
            }
        });
        assert_eq!(size.load(Ordering::SeqCst), 160);
        let count = count.load(Ordering::SeqCst);
        assert!((20..=80).contains(&count), "{count} rounds for 160 receipts by 8 threads");
    }

    #[test]
    fn a_failure_is_told_to_whom_it_concerns() {
        let rounds = Rounds::default();
        let placed = rounds.submit(left(1), &|_| vec![Err(unwritten())]);
        assert!(matches!(placed, Err(Error::Folder { .. })));
        assert_eq!(rounds.submit(left(1), &|_| vec![leaf(7)]).unwrap().index, 7);
    }

    #[test]
    fn a_panic_leaves_nobody_waiting() {
        let rounds = Rounds::default();
        let panicked = std::thread::scope(|scope| {
            scope.spawn(|| rounds.submit(left(1), &|_| panic!("on purpose"))).join()
        });
        assert!(panicked.is_err());
        assert!(rounds.submit(left(1), &|_| vec![leaf(0)]).is_ok());
    }
}
