//! How long it takes to read prompts, learned from those that were read.
//!
//! A token costs the products with all weights, and attention to each token before it: deep in a
//! long prompt the second is many times the first, by how many depends on model and processor.

/// Tokens before one whose attention costs as much as its products, until more is known.
const KEYS_PER_ROW: f64 = 1000.0;

/// How much of what was not foreseen is learned at once.
const GAIN: f64 = 0.5;

/// What is read in a step: rows, and how many tokens stand before these, added up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Reading {
    rows: f64,
    keys: f64,
}

impl Reading {
    /// So many rows of a sequence from a position on.
    pub fn of(start: usize, rows: usize) -> Reading {
        let (start, rows) = (start as f64, rows as f64);
        Reading { rows, keys: rows * start + rows * (rows - 1.0).max(0.0) / 2.0 }
    }
}

impl std::iter::Sum for Reading {
    fn sum<I: Iterator<Item = Reading>>(all: I) -> Reading {
        let add = |sum: Reading, one: Reading| Reading {
            rows: sum.rows + one.rows,
            keys: sum.keys + one.keys,
        };
        all.fold(Reading::default(), add)
    }
}

/// Seconds that a row takes, and each token before it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    row: f64,
    key: f64,
}

impl Pace {
    /// How long that is likely to take; 0 as long as nothing was read.
    pub fn seconds(&self, of: Reading) -> f64 {
        self.row * of.rows + self.key * of.keys
    }

    /// Learns that this was read within so many seconds. What was not foreseen is put to the
    /// account of rows and tokens before them as each is likely to have taken its part.
    pub fn learn(&mut self, read: Reading, seconds: f64) {
        if read.rows < 1.0 || seconds <= 0.0 {
            return;
        }
        let foreseen = self.seconds(read);
        if foreseen <= 0.0 {
            self.row = seconds / (read.rows + read.keys / KEYS_PER_ROW);
            self.key = self.row / KEYS_PER_ROW;
            return;
        }
        let of_rows = self.row * read.rows / foreseen;
        // The machine may have stood still.
        let ratio = (seconds / foreseen).clamp(1.0 / 8.0, 8.0);
        self.row *= ratio.powf(GAIN * of_rows);
        self.key *= ratio.powf(GAIN * (1.0 - of_rows));
    }
}

/// How many of its rows each of `wanted` can have, which come with the seconds that they take, so
/// that all take no longer than `seconds`. The time is divided as the rows are; what one does not
/// need goes to the others.
pub(crate) fn within(seconds: f64, wanted: &[(usize, f64)]) -> Vec<usize> {
    let mut rows = vec![0; wanted.len()];
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    // Whose rows take least needs least of its part.
    let of_a_row = |index: &usize| wanted[*index].1 / wanted[*index].0.max(1) as f64;
    order.sort_by(|one, other| of_a_row(one).total_cmp(&of_a_row(other)));
    let mut seconds = seconds.max(0.0);
    let mut all: usize = wanted.iter().map(|(rows, _)| rows).sum();
    for index in order {
        let (own, takes) = wanted[index];
        let part = seconds * own as f64 / all.max(1) as f64;
        rows[index] = if takes <= part { own } else { (own as f64 * part / takes) as usize };
        seconds -= takes.min(part);
        all -= own;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_divided_as_the_rows_are() {
        assert_eq!(within(1.0, &[(100, 0.2), (50, 0.4)]), [100, 50]);
        assert_eq!(within(0.3, &[(100, 0.2), (50, 0.4)]), [100, 12]);
        assert_eq!(within(0.2, &[(50, 4.0), (50, 0.4)]), [1, 12]);
        assert_eq!(within(-1.0, &[(50, 4.0)]), [0]);
        // Nothing is known yet.
        assert_eq!(within(0.5, &[(400, 0.0), (112, 0.0)]), [400, 112]);
        assert!(within(0.5, &[]).is_empty());
    }

    #[test]
    fn tokens_before_a_row_are_counted_one_by_one() {
        let counted = (7..12).sum::<usize>() as f64;
        assert_eq!(Reading::of(7, 5), Reading { rows: 5.0, keys: counted });
        assert_eq!(Reading::of(7, 0), Reading::default());
        let all: Reading = [Reading::of(7, 2), Reading::of(9, 3)].into_iter().sum();
        assert_eq!(all, Reading::of(7, 5));
    }

    /// A long prompt in pieces teaches what rows and what keys take.
    #[test]
    fn the_pace_of_a_machine_is_learned() {
        for (row, key) in [(1e-3, 1e-7), (2e-3, 4e-6), (5e-2, 1e-5)] {
            let mut pace = Pace::default();
            assert_eq!(pace.seconds(Reading::of(0, 512)), 0.0);
            for start in (0..16_384).step_by(128) {
                let read = Reading::of(start, 128);
                pace.learn(read, row * read.rows + key * read.keys);
            }
            // Near what was read last, and far from it.
            for (read, times) in [(Reading::of(16_384, 20), 1.1), (Reading::of(0, 100), 4.0)] {
                let (foreseen, real) = (pace.seconds(read), row * read.rows + key * read.keys);
                let near = 1.0 / times..times;
                assert!(near.contains(&(foreseen / real)), "{row} {key}: {foreseen} {real}");
            }
        }
    }

    #[test]
    fn a_pause_is_forgotten() {
        let (mut pace, read) = (Pace::default(), Reading::of(100, 64));
        pace.learn(read, 60.0);
        (0..12).for_each(|_| pace.learn(read, 0.1));
        assert!((0.05..0.2).contains(&pace.seconds(read)), "{pace:?}");
    }
}
