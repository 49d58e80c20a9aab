//! How long a cell may be silent: a bound that follows from what it was asked to do.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use allod_engine::Isa;

/// How often it is looked whether a cell is silent.
pub(crate) const TICK: Duration = Duration::from_millis(250);
/// Multiply-adds a second of a processor that is slower than any that has the instructions.
const VECTOR_RATE: u64 = 2_000_000_000;
/// And of one without any.
const SCALAR_RATE: u64 = 200_000_000;
/// Bytes of files a second that are read at least, and made ready.
const FILE_RATE: u64 = 16 << 20;
/// Bytes of text a second that are turned into tokens at least.
const TEXT_RATE: u64 = 64 << 10;

/// How long something takes at most where nothing is in the way: what is in the way is the
/// business of the patience that is added.
pub(crate) fn reading(bytes: u64) -> Duration {
    Duration::from_secs(bytes / FILE_RATE)
}

/// The same for text.
pub(crate) fn tokenising(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / TEXT_RATE)
}

/// How fast a model computes at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    parameters: u64,
    rate: u64,
    /// Rows that are computed in one piece at most.
    rows_max: u64,
}

impl Pace {
    pub(crate) fn new(parameters: u64, isa: Isa, rows_max: usize) -> Pace {
        let rate = if isa == Isa::Scalar { SCALAR_RATE } else { VECTOR_RATE };
        Pace { parameters, rate, rows_max: rows_max as u64 }
    }

    /// The time that so many rows take, or one piece if they are more.
    pub(crate) fn rows(&self, rows: usize) -> Duration {
        let rows = (rows as u64).min(self.rows_max);
        Duration::from_secs(rows.saturating_mul(self.parameters) / self.rate)
    }

    fn piece(&self) -> Duration {
        self.rows(usize::MAX)
    }
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// An answer of its own, whatever else is done.
    Own(Duration),
    /// Its turn: the cell does one thing after the other, and each gives a sign.
    Turn(Duration),
}

/// Who waits for a cell, and since when. Its time goes on only while this program runs, so that
/// nobody is blamed for a machine that slept.
#[derive(Debug)]
pub(crate) struct Watch {
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    /// When there was a sign of work the last time.
    heard: Duration,
    pace: Option<Pace>,
    waits: HashMap<u64, Wait>,
}

#[derive(Debug)]
struct Wait {
    since: Duration,
    takes: Takes,
}

impl Watch {
    /// Of a cell that is waited for so long beyond what things take.
    pub(crate) fn new(patience: Duration) -> Watch {
        Watch { patience, state: Mutex::default() }
    }

    /// What it runs is known now.
    pub(crate) fn paced(&self, pace: Pace) {
        self.state().pace = Some(pace);
    }

    /// The time of so many rows.
    pub(crate) fn rows(&self, rows: usize) -> Duration {
        self.state().pace.map_or(Duration::ZERO, |pace| pace.rows(rows))
    }

    /// Somebody waits under this number from now on.
    pub(crate) fn expect(&self, number: u64, takes: Takes) {
        let mut state = self.state();
        let since = state.now;
        state.waits.insert(number, Wait { since, takes });
    }

    /// Nobody waits under this number any more.
    pub(crate) fn met(&self, number: u64) {
        self.state().waits.remove(&number);
    }

    /// There was a sign of work, if something under this number is work.
    pub(crate) fn heard(&self, number: u64) {
        let mut state = self.state();
        let works = |wait: &Wait| matches!(wait.takes, Takes::Turn(_));
        if state.waits.get(&number).is_some_and(works) {
            state.heard = state.now;
        }
    }

    /// There was a sign of work of any kind.
    pub(crate) fn pulsed(&self) {
        let mut state = self.state();
        state.heard = state.now;
    }

    /// Lets time pass; gives how long was waited if that was too long.
    pub(crate) fn pass(&self, elapsed: Duration) -> Option<Duration> {
        let mut state = self.state();
        state.now += elapsed.min(TICK * 2);
        let now = state.now;
        let late = |wait: &Wait| match wait.takes {
            Takes::Own(takes) => {
                Some(now - wait.since).filter(|waited| *waited > takes + self.patience)
            }
            Takes::Turn(_) => None,
        };
        state.waits.values().find_map(late).or_else(|| state.silence(self.patience))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How long no work gave a sign, if that is longer than all of it can take in one piece.
    fn silence(&self, patience: Duration) -> Option<Duration> {
        let turns = self.waits.values().filter_map(|wait| match wait.takes {
            Takes::Turn(takes) => Some((wait.since, takes)),
            Takes::Own(_) => None,
        });
        let (first, all) = turns.fold((None, Duration::ZERO), |(first, all), (since, takes)| {
            let first = first.map_or(since, |first: Duration| first.min(since));
            (Some(first), all + takes)
        });
        let piece = self.pace.map_or(Duration::ZERO, |pace| pace.piece());
        let silent = self.now - self.heard.max(first?);
        (silent > all.min(piece) + patience).then_some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wait(watch: &Watch, seconds: u32) -> Option<Duration> {
        let ticks = 4 * seconds;
        (0..ticks).find_map(|_| watch.pass(TICK))
    }

    #[test]
    fn an_answer_of_its_own_is_waited_for_as_long_as_it_takes() {
        let watch = Watch::new(10 * SECOND);
        assert_eq!(wait(&watch, 100), None, "nobody waits");
        watch.expect(1, Takes::Own(5 * SECOND));
        assert_eq!(wait(&watch, 15), None);
        watch.met(1);
        assert_eq!(wait(&watch, 100), None);
        watch.expect(2, Takes::Own(5 * SECOND));
        assert_eq!(wait(&watch, 16), Some(15 * SECOND + TICK));
    }

    #[test]
    fn who_waits_for_a_turn_waits_while_there_are_signs_of_work() {
        let watch = Watch::new(10 * SECOND);
        // 500 million parameters: a second for 4 rows, 16 rows in a piece.
        watch.paced(Pace::new(500_000_000, Isa::detect(), 16));
        let scalar = Isa::detect() == Isa::Scalar;
        assert_eq!(watch.rows(8), if scalar { 20 * SECOND } else { 2 * SECOND });
        if scalar {
            return;
        }
        watch.expect(1, Takes::Turn(watch.rows(8)));
        watch.expect(2, Takes::Turn(watch.rows(1_000_000)));
        assert_eq!(wait(&watch, 14), None, "a whole piece and the patience");
        watch.pulsed();
        assert_eq!(wait(&watch, 14), None);
        watch.heard(2);
        assert_eq!(wait(&watch, 14), None);
        watch.heard(7);
        assert!(wait(&watch, 1).is_some(), "that was no sign of work");
        let other = Watch::new(10 * SECOND);
        other.paced(Pace::new(500_000_000, Isa::detect(), 16));
        other.expect(1, Takes::Turn(other.rows(8)));
        assert_eq!(wait(&other, 100), Some(12 * SECOND + TICK));
    }

    #[test]
    fn a_machine_that_slept_is_not_blamed_on_the_cell() {
        let watch = Watch::new(10 * SECOND);
        watch.expect(1, Takes::Own(Duration::ZERO));
        assert_eq!(watch.pass(3600 * SECOND), None);
    }
}
