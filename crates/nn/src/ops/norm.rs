//! Normalisation by the root of the mean square.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::Vector;
use crate::workspace::Work;
use allod_kernels::{norm_weight_gradient, rms_norm, rms_norm_gradient};
use std::sync::Arc;

struct RmsNorm<'a> {
    x: Var,
    weight: Vector<'a>,
    epsilon: f32,
}

impl<'a> Operation<'a> for RmsNorm<'a> {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, weight) = (tape.shared(self.x), self.weight.values(tape.parameters));
        let (isa, epsilon, width) = (tape.workspace.isa, self.epsilon, x.width);
        assert!(
            !weight.is_empty() && width.is_multiple_of(weight.len()),
            "rows of {width} are whole pieces of {}",
            weight.len()
        );
        let mut out = tape.workspace.tensor(x.rows, width);
        let work = Work::rows(x.rows, 2 * width);
        tape.workspace.split(work, [(&mut out.values, width)], |rows, [out], _| {
            let pieces = x.values[rows.start * width..rows.end * width].chunks(weight.len());
            for (x, out) in pieces.zip(out.chunks_exact_mut(weight.len())) {
                rms_norm(isa, x, weight, epsilon, out);
            }
        });
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (x, weight) = (tape.shared(self.x), self.weight.values(tape.parameters));
        let (isa, epsilon, width) = (tape.workspace.isa, self.epsilon, x.width);
        let (piece, pieces) = (weight.len(), width / weight.len());
        let mut dx = tape.workspace.tensor(x.rows, width);
        let mut factors = tape.workspace.buffer(x.rows * pieces);
        let outs = [(dx.values.as_mut_slice(), width), (factors.as_mut_slice(), pieces)];
        let work = Work::rows(x.rows, 4 * width);
        tape.workspace.split(work, outs, |rows, [dx, factors], _| {
            let range = rows.start * width..rows.end * width;
            let given =
                x.values[range.clone()].chunks(piece).zip(slope.values[range].chunks(piece));
            let outs = dx.chunks_exact_mut(piece).zip(factors);
            for ((x, slope), (dx, factor)) in given.zip(outs) {
                *factor = rms_norm_gradient(isa, x, weight, epsilon, slope, dx);
            }
        });
        if let Some(id) = self.weight.trained() {
            let (gradient, workspace) = tape.gradient(id);
            let work = Work { count: piece, multiple: 64, cost: 2 * factors.len() };
            workspace.split(work, [(gradient, 1)], |columns, [out], _| {
                let (slope, x) = (&slope.values, &x.values);
                norm_weight_gradient(isa, slope, x, &factors, piece, columns, out);
            });
        }
        tape.workspace.recycle(factors);
        tape.workspace.give_up(slope);
        tape.pass(self.x, dx);
    }

    fn trains(&self) -> bool {
        self.weight.trained().is_some()
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl<'a> Tape<'a> {
    /// RMS norm (arXiv 1910.07467) times `weight` of each row, or, where `weight` is shorter than a
    /// row, of each piece of its length.
    pub fn rms_norm(&mut self, x: Var, weight: Vector<'a>, epsilon: f32) -> Var {
        self.record(RmsNorm { x, weight, epsilon }, &[x])
    }
}
