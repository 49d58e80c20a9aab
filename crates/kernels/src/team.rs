//! Threads that compute together. Between two pieces of work they wait awake for a moment: a pass
//! of a model is some hundred pieces of a few dozen microseconds, and to wake a thread that sleeps
//! takes as long as such a piece. Meanwhile other threads that have something to do get the
//! processor.
#![allow(unsafe_code)] // work is borrowed for as long as it lasts

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, yield_now};
use std::time::{Duration, Instant};

/// So long a thread without work waits awake.
const AWAKE: Duration = Duration::from_micros(300);

/// Looks for work between two looks at the clock.
const LOOKS: usize = 32;

/// Threads that compute together, the one that asks among them.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    others: Vec<JoinHandle<()>>,
    /// Who has work done.
    leader: Mutex<()>,
}

/// Does the task of that number; the first number is the thread's.
type Work<'w> = dyn Fn(usize, usize) + Sync + 'w;

#[repr(align(128))]
#[derive(Debug, Default)]
struct Apart<T>(T);

struct Shared {
    /// The number of tasks (upper half) and how many of them have been taken.
    tasks: Apart<AtomicU64>,
    /// How many are done.
    done: Apart<AtomicUsize>,
    /// What is done for each task. Written only while all tasks are done, read only by who has
    /// taken one.
    work: UnsafeCell<Option<&'static Work<'static>>>,
    /// The first panic of a task.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    asleep: AtomicUsize,
    ended: AtomicBool,
    door: Mutex<()>,
    bell: Condvar,
}

// SAFETY: all but `work` may be shared as it is. `work` is written by the leader when every task
// is done, and read by a thread between taking a task and saying that it is done: the taking
// follows the writing (`tasks`), the next writing follows the saying (`done`).
unsafe impl Sync for Shared {}
// SAFETY: as above; what it refers to may be shared.
unsafe impl Send for Shared {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

impl Team {
    /// A team of `threads`, the calling one being the first; at least one.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn new(threads: usize) -> io::Result<Team> {
        let shared = Arc::new(Shared {
            tasks: Apart::default(),
            done: Apart::default(),
            work: UnsafeCell::new(None),
            panic: Mutex::default(),
            asleep: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            door: Mutex::default(),
            bell: Condvar::new(),
        });
        let mut team = Team { shared, others: Vec::new(), leader: Mutex::default() };
        for member in 1..threads {
            let shared = Arc::clone(&team.shared);
            let thread = Builder::new().name(format!("allod-{member}"));
            team.others.push(thread.spawn(move || shared.follow(member))?);
        }
        Ok(team)
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.others.len() + 1
    }

    /// Does `work(member, task)` for each task below `tasks`, each as soon as a thread is free, and
    /// returns when all are done. `member` is the number of the thread, less than
    /// [`Team::threads`]; two tasks that run at the same time have different ones, unless tasks
    /// have work done themselves or two threads ask at once: those do all of it alone, as member 0.
    ///
    /// # Panics
    /// When a task does, after all others are done.
    pub fn run(&self, tasks: usize, work: &Work) {
        let leader = match self.others.is_empty() || tasks < 2 || u32::try_from(tasks).is_err() {
            true => None,
            false => self.leader.try_lock().ok(),
        };
        match leader {
            Some(leader) => self.lead(leader, tasks, work),
            None => (0..tasks).for_each(|task| work(0, task)),
        }
    }

    /// [`Team::run`] for each of `tasks`.
    pub fn each<T: Send>(&self, tasks: Vec<T>, work: impl Fn(usize, T) + Sync) {
        let tasks: Vec<Mutex<Option<T>>> =
            tasks.into_iter().map(|task| Mutex::new(Some(task))).collect();
        self.run(tasks.len(), &|member, task| {
            let task = locked(&tasks[task]).take().expect("a task is taken once");
            work(member, task);
        });
    }

    fn lead(&self, leader: MutexGuard<()>, tasks: usize, work: &Work) {
        let shared = &*self.shared;
        // SAFETY: the lifetime is only forgotten: nobody calls it after the last task is done,
        // which is waited for below, and no panic leaves before.
        let work = unsafe { std::mem::transmute::<&Work, &'static Work<'static>>(work) };
        // SAFETY: all tasks are done and this is the only leader, so nobody reads it now.
        unsafe { *shared.work.get() = Some(work) };
        shared.done.0.store(0, Ordering::Relaxed);
        shared.tasks.0.store((tasks as u64) << 32, Ordering::SeqCst);
        if shared.asleep.load(Ordering::SeqCst) > 0 {
            drop(locked(&shared.door));
            shared.bell.notify_all();
        }
        shared.work_off(0);
        let done = || shared.done.0.load(Ordering::Acquire) == tasks;
        while !wait_awake(done, spin_loop) {
            yield_now();
        }
        let panic = locked(&shared.panic).take();
        drop(leader);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        drop(locked(&self.shared.door));
        self.shared.bell.notify_all();
        for other in self.others.drain(..) {
            other.join().ok();
        }
    }
}

impl Shared {
    /// What all threads but the first do.
    fn follow(&self, member: usize) {
        let wanted = || self.has_tasks() || self.ended.load(Ordering::Relaxed);
        while !self.ended.load(Ordering::SeqCst) {
            self.work_off(member);
            // Who answers requests may wait for this processor.
            if !wait_awake(wanted, yield_now) {
                self.sleep();
            }
        }
    }

    fn has_tasks(&self) -> bool {
        let tasks = self.tasks.0.load(Ordering::SeqCst);
        tasks as u32 != (tasks >> 32) as u32
    }

    /// Until there are tasks or the end has come. Who asks looks for sleepers after it has put the
    /// tasks there; who sleeps looks for tasks after it has said so.
    fn sleep(&self) {
        let mut door = locked(&self.door);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while !self.has_tasks() && !self.ended.load(Ordering::SeqCst) {
            door = self.bell.wait(door).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes and does tasks until none is left to take.
    fn work_off(&self, member: usize) {
        let taken = |tasks: u64| {
            let (next, count) = (tasks as u32, (tasks >> 32) as u32);
            (next < count).then(|| tasks + 1)
        };
        let tasks = &self.tasks.0;
        while let Ok(task) = tasks.fetch_update(Ordering::AcqRel, Ordering::Acquire, taken) {
            // SAFETY: a task has been taken and is not done.
            let work = unsafe { *self.work.get() }.expect("tasks come with work");
            let task = task as u32 as usize;
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(member, task))) {
                locked(&self.panic).get_or_insert(panic);
            }
            self.done.0.fetch_add(1, Ordering::Release);
        }
    }
}

/// Waits for `ready`, awake; whether it came in time. `rest` comes between looks at the clock.
fn wait_awake(ready: impl Fn() -> bool, rest: impl Fn()) -> bool {
    let begun = Instant::now();
    loop {
        for _ in 0..LOOKS {
            if ready() {
                return true;
            }
            spin_loop();
        }
        if begun.elapsed() > AWAKE {
            return false;
        }
        rest();
    }
}

/// A panic while it was held changes nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::thread::sleep;

    #[test]
    fn every_task_is_done_once() {
        let team = Team::new(4).unwrap();
        for round in 0..3_000 {
            let tasks = round % 37;
            let done: Vec<AtomicU32> = (0..tasks).map(|_| AtomicU32::new(0)).collect();
            team.run(tasks, &|member, task| {
                assert!(member < 4);
                done[task].fetch_add(1, Ordering::Relaxed);
            });
            assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{round}");
            if round % 1_000 == 999 {
                // Long enough for the others to fall asleep.
                sleep(3 * AWAKE);
            }
        }
    }

    #[test]
    fn tasks_may_own_what_they_change() {
        let mut values = [0; 100];
        let team = Team::new(3).unwrap();
        let pieces: Vec<_> = values.chunks_mut(7).enumerate().collect();
        team.each(pieces, |_, (index, piece)| piece.fill(index));
        assert!(values.iter().enumerate().all(|(place, value)| *value == place / 7));
    }

    #[test]
    fn a_panic_arrives_when_all_others_are_done() {
        let team = Team::new(2).unwrap();
        let done = AtomicU32::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            team.run(20, &|_, task| {
                assert!(task != 3, "the third");
                done.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert!(result.is_err());
        assert_eq!(done.load(Ordering::Relaxed), 19);
        // It goes on as before.
        team.run(5, &|_, _| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.load(Ordering::Relaxed), 24);
    }

    #[test]
    fn work_within_work_and_two_that_ask_at_once_are_served() {
        let team = Team::new(2).unwrap();
        let done = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        team.run(4, &|_, _| {
                            team.run(3, &|_, _| {
                                done.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(done.load(Ordering::Relaxed), 2 * 200 * 4 * 3);
    }
}
