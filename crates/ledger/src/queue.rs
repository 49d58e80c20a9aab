//! Group commit: what callers bring while a round is being written shares the next one, and its
//! wait for the disk. Each of them waits once, and is woken once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Callers wait here. The first to come leads: it takes what has gathered, and writes it; those who
/// come meanwhile gather for the next leader.
pub struct Queue<T, R> {
    state: Mutex<State<T, R>>,
}

struct State<T, R> {
    gathered: Vec<(T, Arc<Seat<R>>)>,
    leading: bool,
}

/// Where one caller waits.
struct Seat<R> {
    outcome: Mutex<Outcome<R>>,
    turned: Condvar,
}

enum Outcome<R> {
    Open,
    Known(R),
    /// Who wrote panicked.
    Lost,
}

impl<R> Seat<R> {
    fn take(&self) -> Outcome<R> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut outcome, Outcome::Open)
    }

    fn give(&self, given: Option<R>) {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        *outcome = given.map_or(Outcome::Lost, Outcome::Known);
    }
}

impl<T, R> Default for Queue<T, R> {
    fn default() -> Queue<T, R> {
        Queue { state: Mutex::new(State { gathered: Vec::new(), leading: false }) }
    }
}

impl<T, R> Queue<T, R> {
    /// Has something written with what others bring, by `write` or by another caller's, which says
    /// in order what became of each. `None` if another caller's panicked: whether it was written
    /// is not known.
    pub fn submit(&self, brought: T, write: &dyn Fn(Vec<T>) -> Vec<R>) -> Option<R> {
        let seat = Arc::new(Seat { outcome: Mutex::new(Outcome::Open), turned: Condvar::new() });
        let mut state = self.lock();
        state.gathered.push((brought, Arc::clone(&seat)));
        loop {
            match seat.take() {
                Outcome::Known(outcome) => return Some(outcome),
                Outcome::Lost => return None,
                Outcome::Open => {}
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

    fn lead(&self, mut state: MutexGuard<'_, State<T, R>>, write: &dyn Fn(Vec<T>) -> Vec<R>) {
        state.leading = true;
        let (brought, seats) = std::mem::take(&mut state.gathered).into_iter().unzip();
        drop(state);
        let mut leading = Leading { queue: self, seats, outcomes: Vec::new() };
        leading.outcomes = write(brought);
    }

    fn lock(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a leadership, even if writing panicked: nobody is left waiting.
struct Leading<'a, T, R> {
    queue: &'a Queue<T, R>,
    seats: Vec<Arc<Seat<R>>>,
    outcomes: Vec<R>,
}

impl<T, R> Drop for Leading<'_, T, R> {
    fn drop(&mut self) {
        let mut outcomes = std::mem::take(&mut self.outcomes).into_iter();
        self.seats.iter().for_each(|seat| seat.give(outcomes.next()));
        let mut state = self.queue.lock();
        state.leading = false;
        // Of those who gathered, one is enough to lead; the others wait for it.
        if let Some((_, next)) = state.gathered.first() {
            next.turned.notify_one();
        }
        drop(state);
        self.seats.iter().for_each(|seat| seat.turned.notify_one());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    #[test]
    fn callers_share_rounds_and_each_gets_its_own_outcome() {
        let (queue, size, rounds) = (Queue::default(), AtomicU64::new(0), AtomicU64::new(0));
        let write = |all: Vec<u64>| -> Vec<u64> {
            std::thread::sleep(Duration::from_millis(5));
            rounds.fetch_add(1, Ordering::SeqCst);
            size.fetch_add(all.len() as u64, Ordering::SeqCst);
            all.into_iter().map(|number| 2 * number).collect()
        };
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (queue, write) = (&queue, &write);
                scope.spawn(move || {
                    for turn in 0..20 {
                        let number = 100 * thread + turn;
                        assert_eq!(queue.submit(number, write), Some(2 * number));
                    }
                });
            }
        });
        assert_eq!(size.load(Ordering::SeqCst), 160);
        let rounds = rounds.load(Ordering::SeqCst);
        assert!((20..=80).contains(&rounds), "{rounds} rounds for 160 numbers by 8 threads");
    }

    #[test]
    fn a_panic_leaves_nobody_waiting() {
        let queue: Queue<u8, u8> = Queue::default();
        let begun = std::sync::Barrier::new(2);
        let waits = std::thread::scope(|scope| {
            let leader = scope.spawn(|| {
                queue.submit(1, &|_| {
                    begun.wait();
                    // Until the other one has gathered.
                    while queue.lock().gathered.is_empty() {
                        std::thread::yield_now();
                    }
                    panic!("on purpose")
                })
            });
            begun.wait();
            let waits = queue.submit(2, &|all| all);
            assert!(leader.join().is_err());
            waits
        });
        assert_eq!(waits, Some(2), "it gathered for the next round, which it leads");
        assert_eq!(queue.submit(3, &|_| Vec::new()), None, "an outcome that is missing is lost");
        assert_eq!(queue.submit(4, &|all| all), Some(4));
    }
}
