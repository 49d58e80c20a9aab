//! The output projection and the loss in one, some rows at a time: for vocabularies so large that
//! the logits of all rows should never be in memory together.

use super::cross_entropy::{counted, mean, row_loss, row_slope};
use crate::product;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::{Weight, WeightRows};
use crate::workspace::{Work, Workspace};
use allod_kernels::{scale, soft_cap, soft_cap_gradient};
use std::ops::Range;
use std::sync::Arc;

/// Rows whose logits are in memory together; a whole number of chains, so that weights get the same
/// bits as from all rows at once.
const CHUNK: usize = 1024;

/// What turns the last hidden states into logits.
#[derive(Debug, Clone, Copy)]
pub struct OutputHead<'a> {
    /// `[vocabulary, width]`
    pub weight: Weight<'a>,
    /// What logits are multiplied with; 1 if nothing.
    pub scale: f32,
    /// Bounds scaled logits softly.
    pub cap: Option<f32>,
}

struct LinearCrossEntropy<'a> {
    x: Var,
    weight: WeightRows<'a>,
    scale: f32,
    cap: Option<f32>,
    targets: Vec<Option<u32>>,
}

impl<'a> LinearCrossEntropy<'a> {
    fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let rows = self.targets.len();
        (0..rows).step_by(CHUNK).map(move |start| start..(start + CHUNK).min(rows))
    }

    /// Some rows of x.
    fn rows(workspace: &mut Workspace, x: &Tensor, rows: Range<usize>) -> Tensor {
        let mut chunk = workspace.tensor(rows.len(), x.width);
        chunk.values.copy_from_slice(&x.values[rows.start * x.width..rows.end * x.width]);
        chunk
    }

    fn logits(&self, tape: &mut Tape<'a>, x: &Tensor) -> Tensor {
        let stored = tape.stored(&self.weight);
        let mut logits = product::forward(tape.workspace, x, &stored.matrix(), None);
        let (isa, factor, cap) = (tape.workspace.isa, self.scale, self.cap);
        if factor != 1.0 {
            tape.workspace.map(&mut logits.values, 1, |_, x| scale(isa, x, factor));
        }
        if let Some(cap) = cap {
            tape.workspace.map(&mut logits.values, 20, |_, x| soft_cap(isa, x, cap));
        }
        logits
    }

    /// Turns logits into the slope along what the weights gave.
    fn slope(&self, tape: &mut Tape, logits: &mut Tensor, rows: &Range<usize>, factor: f32) {
        let (isa, width, targets) = (tape.workspace.isa, logits.width, &self.targets[rows.clone()]);
        let work = Work::rows(logits.rows, 20 * width);
        tape.workspace.split(work, [(&mut logits.values, width)], |rows, [out], _| {
            let mut capped = Vec::new();
            for (row, logits) in rows.zip(out.chunks_exact_mut(width)) {
                capped.clear();
                capped.extend_from_slice(if self.cap.is_some() { logits } else { &[] });
                row_slope(isa, logits, targets[row], factor);
                if let Some(cap) = self.cap {
                    soft_cap_gradient(isa, &capped, cap, logits);
                }
                if self.scale != 1.0 {
                    scale(isa, logits, self.scale);
                }
            }
        });
    }
}

impl<'a> Operation<'a> for LinearCrossEntropy<'a> {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, isa) = (tape.shared(self.x), tape.workspace.isa);
        let mut losses = vec![0.0; x.rows];
        for rows in self.chunks() {
            let chunk = Self::rows(tape.workspace, &x, rows.clone());
            let logits = self.logits(tape, &chunk);
            let (targets, losses) = (&self.targets[rows.clone()], &mut losses[rows]);
            let work = Work::rows(logits.rows, 20 * logits.width);
            tape.workspace.split(work, [(losses, 1)], |rows, [losses], _| {
                for (row, loss) in rows.zip(losses) {
                    *loss = row_loss(isa, logits.row(row), targets[row]);
                }
            });
            tape.workspace.recycle(chunk.values);
            tape.workspace.recycle(logits.values);
        }
        mean(&losses, &self.targets)
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let factor = slope.item() / counted(&self.targets).max(1) as f32;
        let x = tape.shared(self.x);
        let mut dx = tape.workspace.tensor(x.rows, x.width);
        for rows in self.chunks() {
            let chunk = Self::rows(tape.workspace, &x, rows.clone());
            let mut logits = self.logits(tape, &chunk);
            self.slope(tape, &mut logits, &rows, factor);
            if let Some(id) = self.weight.weight.trained() {
                let (gradient, workspace) = tape.gradient(id);
                product::weight_gradient(workspace, &logits, &chunk, gradient);
            }
            if tape.wants(self.x) {
                let stored = tape.stored(&self.weight);
                let part = product::input_gradient(tape.workspace, &logits, &stored.matrix());
                dx.values[rows.start * x.width..rows.end * x.width].copy_from_slice(&part.values);
                tape.workspace.recycle(part.values);
            }
            tape.workspace.recycle(chunk.values);
            tape.workspace.recycle(logits.values);
        }
        tape.pass(self.x, dx);
    }

    fn trains(&self) -> bool {
        self.weight.weight.trained().is_some()
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl<'a> Tape<'a> {
    /// [`Tape::cross_entropy`] of the logits that `head` makes of `x`, with the same bits, without
    /// ever having the logits of all rows: they are computed some rows at a time, and once more on
    /// the way back.
    ///
    /// # Panics
    /// When there is not a target for each row, or one beyond the vocabulary.
    pub fn linear_cross_entropy(
        &mut self,
        x: Var,
        head: OutputHead<'a>,
        targets: &[Option<u32>],
    ) -> Var {
        let [vocabulary, _] = head.weight.shape(self.parameters);
        assert_eq!(self.value(x).rows, targets.len(), "a target or none for each row");
        let fits = |target: &u32| (*target as usize) < vocabulary;
        assert!(targets.iter().flatten().all(fits), "targets are below {vocabulary}");
        let (weight, targets) = (head.weight.all(self.parameters), targets.to_vec());
        let OutputHead { scale, cap, .. } = head;
        self.record(LinearCrossEntropy { x, weight, scale, cap, targets }, &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{WAYS, bits, check, parameters, run};
    use crate::reference;

    #[test]
    fn the_gradient_is_that_of_the_reference() {
        let (rows, width, vocabulary) = (6, 5, 9);
        let targets: Vec<Option<u32>> = vec![Some(8), None, Some(0), Some(3), Some(3), None];
        check(
            parameters(&[&[rows, width], &[vocabulary, width]], 1.0, 3),
            |tape, ids| {
                let (x, weight) = (tape.parameter(ids[0]), Weight::Trained(ids[1]));
                let head = OutputHead { weight, scale: 0.5, cap: Some(1.5) };
                tape.linear_cross_entropy(x, head, &targets)
            },
            |p| {
                let logits = reference::linear(&p[0], &p[1], width, &[]);
                let logits: Vec<f64> =
                    logits.iter().map(|x| 1.5 * (0.5 * x / 1.5).tanh()).collect();
                vec![reference::cross_entropy(&logits, vocabulary, &targets)]
            },
        );
    }

    #[test]
    fn the_bits_are_those_of_the_parts() {
        let (rows, width, vocabulary) = (CHUNK + 77, 8, 50);
        let target =
            |row: usize| (!row.is_multiple_of(5)).then_some((row * 13 % vocabulary) as u32);
        let targets: Vec<Option<u32>> = (0..rows).map(target).collect();
        let (parameters, ids) = parameters(&[&[rows, width], &[vocabulary, width]], 1.0, 3);
        let whole = run(&parameters, &ids, WAYS[0], &|tape, ids| {
            let (x, weight) = (tape.parameter(ids[0]), Weight::Trained(ids[1]));
            let head = OutputHead { weight, scale: 0.5, cap: Some(5.0) };
            tape.linear_cross_entropy(x, head, &targets)
        });
        let parts = run(&parameters, &ids, WAYS[0], &|tape, ids| {
            let x = tape.parameter(ids[0]);
            let logits = tape.linear(x, Weight::Trained(ids[1]), None);
            let logits = tape.scale(logits, 0.5);
            let logits = tape.soft_cap(logits, 5.0);
            tape.cross_entropy(logits, &targets)
        });
        assert_eq!(whole.0, parts.0);
        assert_eq!(bits(&whole.2), bits(&parts.2));
    }
}
