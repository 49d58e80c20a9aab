//! How many rows the steps had.

/// Upper bounds by which the rows of a step are counted; a last count is of those above all.
pub const STEP_ROWS: [u32; 13] = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

/// Steps by their rows: tokens of prompts and of completions that went through the model together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepRows {
    /// For each bound of [`STEP_ROWS`], the steps that had no more rows, but more than the bound
    /// before; at the end, those that had more than all bounds.
    pub counts: [u64; STEP_ROWS.len() + 1],
    /// All rows together.
    pub sum: u64,
}

impl StepRows {
    pub(crate) fn add(&mut self, rows: usize) {
        let bucket = STEP_ROWS.iter().position(|bound| rows <= *bound as usize);
        self.counts[bucket.unwrap_or(STEP_ROWS.len())] += 1;
        self.sum += rows as u64;
    }

    pub(crate) fn merge(&mut self, other: &StepRows) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_by_the_least_bound_that_they_do_not_pass() {
        let (mut rows, mut all) = (StepRows::default(), StepRows::default());
        [0, 1, 2, 8, 9, 20_000].into_iter().for_each(|count| rows.add(count));
        all.merge(&rows);
        all.merge(&rows);
        assert_eq!((all.counts[0], all.counts[1], all.counts[2], all.counts[13]), (4, 4, 2, 2));
        assert_eq!(all.sum, 2 * 20_020);
    }
}
