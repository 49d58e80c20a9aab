//! The loss of predicting the next token.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::workspace::Work;
use allod_kernels::{Isa, largest_and_total, scale, softmax};
use std::sync::Arc;

/// Rows with a target.
pub(super) fn counted(targets: &[Option<u32>]) -> usize {
    targets.iter().flatten().count()
}

/// `-ln softmax(logits)[target]`
pub(super) fn row_loss(isa: Isa, logits: &[f32], target: Option<u32>) -> f32 {
    let Some(target) = target else { return 0.0 };
    let [largest, total] = largest_and_total(isa, logits).map(f64::from);
    (largest + libm::log(total) - f64::from(logits[target as usize])) as f32
}

/// Turns logits into the slope along them: `(softmax - 1 at the target) * factor`.
pub(super) fn row_slope(isa: Isa, logits: &mut [f32], target: Option<u32>, factor: f32) {
    let Some(target) = target else { return logits.fill(0.0) };
    softmax(isa, logits);
    logits[target as usize] -= 1.0;
    scale(isa, logits, factor);
}

/// The mean over the rows that count: row after row, in double precision.
pub(super) fn mean(losses: &[f32], targets: &[Option<u32>]) -> Tensor {
    let sum: f64 = losses.iter().map(|loss| f64::from(*loss)).sum();
    Tensor::scalar((sum / counted(targets).max(1) as f64) as f32)
}

struct CrossEntropy {
    logits: Var,
    targets: Vec<Option<u32>>,
}

impl<'a> Operation<'a> for CrossEntropy {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (logits, isa) = (tape.shared(self.logits), tape.workspace.isa);
        let mut losses = tape.workspace.buffer(logits.rows);
        let work = Work::rows(logits.rows, 20 * logits.width);
        tape.workspace.split(work, [(&mut losses, 1)], |rows, [losses], _| {
            for (row, loss) in rows.zip(losses) {
                *loss = row_loss(isa, logits.row(row), self.targets[row]);
            }
        });
        let mean = mean(&losses, &self.targets);
        tape.workspace.recycle(losses);
        mean
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let factor = slope.item() / counted(&self.targets).max(1) as f32;
        let (mut logits, isa) = (tape.last_look(self.logits), tape.workspace.isa);
        let width = logits.width;
        let work = Work::rows(logits.rows, 20 * width);
        tape.workspace.split(work, [(&mut logits.values, width)], |rows, [out], _| {
            for (row, logits) in rows.zip(out.chunks_exact_mut(width)) {
                row_slope(isa, logits, self.targets[row], factor);
            }
        });
        tape.pass(self.logits, logits);
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl Tape<'_> {
    /// The mean of `-ln softmax(logits)[target]` over the rows that have a target; 0 if none has.
    ///
    /// # Panics
    /// When there is not a target for each row, or one beyond the logits.
    pub fn cross_entropy(&mut self, logits: Var, targets: &[Option<u32>]) -> Var {
        let shape = self.value(logits);
        assert_eq!(shape.rows, targets.len(), "a target or none for each row");
        let fits = |target: &u32| (*target as usize) < shape.width;
        assert!(targets.iter().flatten().all(fits), "targets are below {}", shape.width);
        self.record(CrossEntropy { logits, targets: targets.to_vec() }, &[logits])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters, workspace};
    use crate::{Precision, reference};

    #[test]
    fn the_mean_over_rows_with_a_target() {
        for (rows, width) in [(1, 2), (5, 37), (40, 100)] {
            let target = |row: usize| (row % 3 != 2).then_some((row * 7 % width) as u32);
            let targets: Vec<Option<u32>> = (0..rows).map(target).collect();
            check(
                parameters(&[&[rows, width]], 3.0, 3),
                |tape, ids| {
                    let logits = tape.parameter(ids[0]);
                    tape.cross_entropy(logits, &targets)
                },
                |p| vec![reference::cross_entropy(&p[0], width, &targets)],
            );
        }
    }

    #[test]
    fn two_losses_of_the_same_logits() {
        let targets = [[Some(1), Some(2)], [Some(0), None]];
        check(
            parameters(&[&[2, 4]], 3.0, 3),
            |tape, ids| {
                let logits = tape.parameter(ids[0]);
                let [a, b] = targets.map(|targets| tape.cross_entropy(logits, &targets));
                tape.weighted_sum(&[(a, 0.3), (b, 2.0)])
            },
            |p| {
                let [a, b] = targets.map(|t| reference::cross_entropy(&p[0], 4, &t));
                vec![f64::from(0.3f32) * a + 2.0 * b]
            },
        );
    }

    #[test]
    fn without_a_target_there_is_no_slope() {
        let (parameters, ids) = parameters(&[&[2, 4]], 3.0, 3);
        let mut workspace = workspace(1, Precision::F32);
        let mut tape = Tape::new(&parameters, &mut workspace);
        let logits = tape.parameter(ids[0]);
        let loss = tape.cross_entropy(logits, &[None, None]);
        assert_eq!(tape.value(loss).item(), 0.0);
        assert_eq!(tape.backward(loss).get(ids[0]), Some([0.0; 8].as_slice()));
    }

    #[test]
    #[should_panic(expected = "targets are below 4")]
    fn a_target_beyond_the_logits_is_a_mistake_of_the_caller() {
        let (parameters, ids) = parameters(&[&[1, 4]], 3.0, 3);
        let mut workspace = workspace(1, Precision::F32);
        let mut tape = Tape::new(&parameters, &mut workspace);
        let logits = tape.parameter(ids[0]);
        tape.cross_entropy(logits, &[Some(4)]);
    }
}
