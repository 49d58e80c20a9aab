//! The activation xIELU, whose curvatures are trained.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::Vector;
use crate::workspace::Work;
use allod_kernels::{Xielu, xielu, xielu_gradient};
use std::sync::Arc;

/// The parameters of xIELU (arXiv 2411.13010) as checkpoints have them: a curvature is
/// `softplus(positive)` for positive inputs and `beta + softplus(negative)` for the others.
#[derive(Debug, Clone, Copy)]
pub struct XieluParameters<'a> {
    /// One value.
    pub positive: Vector<'a>,
    /// One value.
    pub negative: Vector<'a>,
    /// Slope at 0.
    pub beta: f32,
    /// Inputs above it count as it in the exponential.
    pub epsilon: f32,
}

impl<'a> XieluParameters<'a> {
    fn stored(&self, tape: &Tape<'a>) -> [f32; 2] {
        [self.positive, self.negative].map(|vector| vector.values(tape.parameters)[0])
    }

    fn effective(&self, tape: &Tape<'a>) -> Xielu {
        let [positive, negative] = self.stored(tape).map(softplus);
        let (beta, epsilon) = (self.beta, self.epsilon);
        Xielu { positive, negative: beta + negative, beta, epsilon }
    }
}

/// ln(1 + e^x); x itself above 20.
fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { libm::log1p(libm::exp(f64::from(x))) as f32 }
}

/// The derivative of [`softplus`].
fn sigmoid(x: f32) -> f64 {
    if x > 20.0 { 1.0 } else { 1.0 / (1.0 + libm::exp(-f64::from(x))) }
}

struct XieluOf<'a> {
    x: Var,
    parameters: XieluParameters<'a>,
}

impl<'a> Operation<'a> for XieluOf<'a> {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, isa) = (tape.shared(self.x), tape.workspace.isa);
        let parameters = self.parameters.effective(tape);
        tape.workspace.mapped(&x, 20, |out| xielu(isa, out, parameters))
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (x, isa) = (tape.shared(self.x), tape.workspace.isa);
        let parameters = self.parameters.effective(tape);
        let mut slope = tape.workspace.own(slope);
        // Each row's part in the slopes along the two curvatures.
        let mut parts = tape.workspace.buffer(2 * x.rows);
        let outs = [(slope.values.as_mut_slice(), x.width), (parts.as_mut_slice(), 2)];
        let work = Work::rows(x.rows, 30 * x.width);
        tape.workspace.split(work, outs, |rows, [slope, parts], _| {
            let slopes = slope.chunks_exact_mut(x.width.max(1));
            for ((row, slope), part) in rows.zip(slopes).zip(parts.as_chunks_mut::<2>().0) {
                *part = xielu_gradient(isa, x.row(row), parameters, slope);
            }
        });
        let stored = self.parameters.stored(tape);
        for (index, vector) in
            [self.parameters.positive, self.parameters.negative].iter().enumerate()
        {
            if let Some(id) = vector.trained() {
                // Row after row, in double precision.
                let rows = parts.as_chunks::<2>().0.iter();
                let sum: f64 = rows.map(|part| f64::from(part[index])).sum();
                tape.gradient(id).0[0] += (sum * sigmoid(stored[index])) as f32;
            }
        }
        tape.workspace.recycle(parts);
        tape.pass(self.x, slope);
    }

    fn trains(&self) -> bool {
        self.parameters.positive.trained().or(self.parameters.negative.trained()).is_some()
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl<'a> Tape<'a> {
    /// xIELU of each element: `p x^2 + beta x` for x > 0, else
    /// `n (e^min(x, epsilon) - 1 - x) + beta x`, with the curvatures p and n of `parameters`.
    pub fn xielu(&mut self, x: Var, parameters: XieluParameters<'a>) -> Var {
        self.record(XieluOf { x, parameters }, &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters};
    use crate::reference;

    #[test]
    fn inputs_and_curvatures() {
        let (beta, epsilon) = (0.5f32, -1e-6f32);
        check(
            parameters(&[&[5, 37], &[1], &[1]], 3.0, 8),
            |tape, ids| {
                let x = tape.parameter(ids[0]);
                let [positive, negative] = [ids[1], ids[2]].map(Vector::Trained);
                tape.xielu(x, XieluParameters { positive, negative, beta, epsilon })
            },
            |p| {
                let one = |x: &f64| {
                    reference::xielu(*x, p[1][0], p[2][0], f64::from(beta), f64::from(epsilon))
                };
                p[0].iter().map(one).collect()
            },
        );
    }

    #[test]
    fn softplus_has_its_slope() {
        for x in [-30.0f32, -1.0, 0.0, 3.0, 19.9] {
            let truth = (libm::log1p(libm::exp(f64::from(x) + 1e-6))
                - libm::log1p(libm::exp(f64::from(x) - 1e-6)))
                / 2e-6;
            assert!((sigmoid(x) - truth).abs() < 1e-8);
        }
        assert_eq!((softplus(25.0), sigmoid(25.0)), (25.0, 1.0));
    }
}
