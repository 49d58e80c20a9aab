//! A lock that lets callers in by their order of arrival.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A value that one caller at a time may use.
pub(crate) struct Queue<T> {
    value: Mutex<T>,
    line: Mutex<Line>,
    moved: Condvar,
}

/// Tickets: the next to be given out, and the one being served.
#[derive(Default)]
struct Line {
    next: u64,
    serving: u64,
}

impl<T> Queue<T> {
    pub fn new(value: T) -> Queue<T> {
        Queue { value: Mutex::new(value), line: Mutex::default(), moved: Condvar::new() }
    }

    /// Waits for its turn.
    pub fn wait(&self) -> Turn<'_, T> {
        let mut line = self.line();
        let ticket = line.next;
        line.next += 1;
        while line.serving != ticket {
            line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        drop(line);
        // A caller that panicked left the value whole: every use begins by clearing the sequence.
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { queue: self, value: Some(value) }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller's turn; the next one begins when it is dropped.
pub(crate) struct Turn<'a, T> {
    queue: &'a Queue<T>,
    value: Option<MutexGuard<'a, T>>,
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("the value is there until the turn ends")
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("the value is there until the turn ends")
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.queue.line().serving += 1;
        self.queue.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn callers_are_served_in_order() {
        let queue = Arc::new(Queue::new(Vec::new()));
        let first = queue.wait();
        let threads: Vec<_> = (0..5)
            .map(|number| {
                let waiting = queue.clone();
                let thread = std::thread::spawn(move || waiting.wait().push(number));
                while queue.line().next != number + 2 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                thread
            })
            .collect();
        drop(first);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*queue.wait(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_panic_does_not_block_the_next() {
        let queue = Arc::new(Queue::new(0));
        let panicking = queue.clone();
        let thread = std::thread::spawn(move || {
            let _turn = panicking.wait();
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        *queue.wait() += 1;
        assert_eq!(*queue.wait(), 1);
    }
}
