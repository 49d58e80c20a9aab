//! The loss of predicting the next token.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::workspace::Work;
use allod_kernels::{Isa, largest_and_total, scale, softmax};
use std::sync::Arc;

/// Rows with a target.
fn counted(targets: &[Option<u32>]) -> usize {
    targets.iter().flatten().count()
}

/// `-ln softmax(logits)[target]`
fn row_loss(isa: Isa, logits: &[f32], target: Option<u32>) -> f32 {
    let Some(target) = target else { return 0.0 };
    let [largest, total] = largest_and_total(isa, logits).map(f64::from);
    (largest + libm::log(total) - f64::from(logits[target as usize])) as f32
}

/// Turns logits into the slope along them: `(softmax - 1 at the target) * factor`.
fn row_slope(isa: Isa, logits: &mut [f32], target: Option<u32>, factor: f32) {
    let Some(target) = target else { return logits.fill(0.0) };
    softmax(isa, logits);
    logits[target as usize] -= 1.0;
    scale(isa, logits, factor);
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
        // Row after row, in double precision.
        let sum: f64 = losses.iter().map(|loss| f64::from(*loss)).sum();
        tape.workspace.recycle(losses);
        Tensor::scalar((sum / counted(&self.targets).max(1) as f64) as f32)
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
