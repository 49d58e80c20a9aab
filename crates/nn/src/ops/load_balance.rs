//! The loss that keeps experts evenly used.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::workspace::Work;
use allod_kernels::{Weighting, dot, route, softmax};
use std::sync::Arc;

struct LoadBalance {
    scores: Vec<Var>,
    used: usize,
}

impl LoadBalance {
    fn rows(&self, tape: &Tape) -> usize {
        self.scores.iter().map(|scores| tape.value(*scores).rows).sum()
    }

    /// For each expert, the share of rows that choose it.
    fn shares(&self, tape: &Tape, experts: usize) -> Vec<f32> {
        let (mut counts, mut chosen, mut row) = (vec![0u64; experts], Vec::new(), Vec::new());
        for scores in self.scores.iter().map(|scores| tape.value(*scores)) {
            for index in 0..scores.rows {
                row.clear();
                row.extend_from_slice(scores.row(index));
                route(tape.workspace.isa, &mut row, self.used, Weighting::Softmax, &mut chosen);
                chosen.iter().for_each(|(expert, _)| counts[*expert] += 1);
            }
        }
        let rows = self.rows(tape) as f64;
        counts.into_iter().map(|count| (count as f64 / rows) as f32).collect()
    }

    /// The softmax of each row.
    fn softmax(tape: &mut Tape, scores: &Tensor) -> Tensor {
        let (isa, width) = (tape.workspace.isa, scores.width);
        let mut out = tape.workspace.copy(scores);
        let work = Work::rows(scores.rows, 20 * width);
        tape.workspace.split(work, [(&mut out.values, width)], |_, [out], _| {
            out.chunks_exact_mut(width).for_each(|row| softmax(isa, row));
        });
        out
    }
}

impl<'a> Operation<'a> for LoadBalance {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let experts = tape.value(self.scores[0]).width;
        let shares = self.shares(tape, experts);
        let mut sums = vec![0.0; experts];
        for scores in &self.scores {
            let scores = tape.shared(*scores);
            let weights = LoadBalance::softmax(tape, &scores);
            tape.workspace.add_column_sums(&weights, &mut sums);
            tape.workspace.recycle(weights.values);
        }
        let product = f64::from(dot(tape.workspace.isa, &shares, &sums));
        Tensor::scalar((product * experts as f64 / self.rows(tape) as f64) as f32)
    }

    /// The choice has no slope, the softmax has.
    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (isa, experts) = (tape.workspace.isa, tape.value(self.scores[0]).width);
        let mut along = self.shares(tape, experts);
        let factor = slope.item() * (experts as f64 / self.rows(tape) as f64) as f32;
        along.iter_mut().for_each(|share| *share *= factor);
        for var in &self.scores {
            let scores = tape.shared(*var);
            let mut out = LoadBalance::softmax(tape, &scores);
            let work = Work::rows(scores.rows, 4 * experts);
            tape.workspace.split(work, [(&mut out.values, experts)], |_, [out], _| {
                for row in out.chunks_exact_mut(experts) {
                    let mean = dot(isa, row, &along);
                    row.iter_mut().zip(&along).for_each(|(out, along)| *out *= along - mean);
                }
            });
            tape.pass(*var, out);
        }
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl Tape<'_> {
    /// The load-balancing loss (arXiv 2101.03961, eq. 4, as for several choices a row): the number
    /// of experts times the sum over them of the share of rows that choose the expert (the `used`
    /// with the best scores) times its mean softmax. The rows of all layers count together;
    /// `scores` are `[rows, experts]` each.
    ///
    /// # Panics
    /// When there are no scores, no rows, or different numbers of experts.
    pub fn load_balance(&mut self, scores: &[Var], used: usize) -> Var {
        let widths: Vec<usize> = scores.iter().map(|scores| self.value(*scores).width).collect();
        assert!(!widths.is_empty() && widths.windows(2).all(|pair| pair[0] == pair[1]), "experts");
        assert!((1..=widths[0]).contains(&used), "{used} of {} experts", widths[0]);
        let operation = LoadBalance { scores: scores.to_vec(), used };
        assert!(operation.rows(self) > 0, "there are rows");
        self.record(operation, scores)
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::{check, parameters};
    use crate::reference;

    #[test]
    fn rows_of_all_layers_count_together() {
        for (experts, used, rows) in [(5, 2, [4, 7]), (2, 1, [1, 2]), (19, 4, [33, 2])] {
            check_of(experts, used, rows);
        }
    }

    fn check_of(experts: usize, used: usize, rows: [usize; 2]) {
        check(
            parameters(&[&[rows[0], experts], &[rows[1], experts]], 2.0, 3),
            |tape, ids| {
                let scores = [ids[0], ids[1]].map(|id| tape.parameter(id));
                tape.load_balance(&scores, used)
            },
            |p| {
                let all: Vec<&[f64]> = p.iter().flat_map(|p| p.chunks(experts)).collect();
                let count = all.len() as f64;
                let share = |expert: usize| {
                    let of = all.iter().filter(|row| reference::best(row, used).contains(&expert));
                    of.count() as f64 / count
                };
                let mean = |expert: usize| {
                    all.iter().map(|row| reference::softmax(row)[expert]).sum::<f64>() / count
                };
                let sum: f64 = (0..experts).map(|expert| share(expert) * mean(expert)).sum();
                vec![experts as f64 * sum]
            },
        );
    }
}
