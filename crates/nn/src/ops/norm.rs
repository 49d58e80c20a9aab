//! Normalisation.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::Vector;
use crate::workspace::Work;
use allod_kernels::{
    Isa, layer_norm, layer_norm_gradient, norm_weight_gradient, rms_norm, rms_norm_gradient,
};
use std::sync::Arc;

/// Which norm it is.
#[derive(Clone, Copy)]
enum Kind<'a> {
    RootMeanSquare,
    /// With its bias.
    Layer(Option<Vector<'a>>),
}

impl Kind<'_> {
    /// The slope along a row; returns what the row was shifted and multiplied by.
    fn row_gradient(
        self,
        isa: Isa,
        x: &[f32],
        weight: &[f32],
        epsilon: f32,
        slope: &[f32],
        dx: &mut [f32],
    ) -> [f32; 2] {
        match self {
            Kind::RootMeanSquare => [0.0, rms_norm_gradient(isa, x, weight, epsilon, slope, dx)],
            Kind::Layer(_) => layer_norm_gradient(isa, x, weight, epsilon, slope, dx),
        }
    }
}

struct Norm<'a> {
    kind: Kind<'a>,
    x: Var,
    weight: Vector<'a>,
    epsilon: f32,
}

impl<'a> Operation<'a> for Norm<'a> {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, weight) = (tape.shared(self.x), self.weight.values(tape.parameters));
        let (isa, epsilon, width) = (tape.workspace.isa, self.epsilon, x.width);
        let bias = match self.kind {
            Kind::Layer(bias) => bias.map(|bias| bias.values(tape.parameters)),
            Kind::RootMeanSquare => None,
        };
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
                match self.kind {
                    Kind::RootMeanSquare => rms_norm(isa, x, weight, epsilon, out),
                    Kind::Layer(_) => layer_norm(isa, x, weight, bias, epsilon, out),
                }
            }
        });
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (x, weight) = (tape.shared(self.x), self.weight.values(tape.parameters));
        let (isa, epsilon, width) = (tape.workspace.isa, self.epsilon, x.width);
        let (piece, pieces) = (weight.len(), width / weight.len());
        let mut dx = tape.workspace.tensor(x.rows, width);
        let mut places = tape.workspace.buffer(2 * x.rows * pieces);
        let outs = [(dx.values.as_mut_slice(), width), (places.as_mut_slice(), 2 * pieces)];
        let work = Work::rows(x.rows, 4 * width);
        tape.workspace.split(work, outs, |rows, [dx, places], _| {
            let range = rows.start * width..rows.end * width;
            let given =
                x.values[range.clone()].chunks(piece).zip(slope.values[range].chunks(piece));
            let outs = dx.chunks_exact_mut(piece).zip(places.as_chunks_mut::<2>().0);
            for ((x, slope), (dx, place)) in given.zip(outs) {
                *place = self.kind.row_gradient(isa, x, weight, epsilon, slope, dx);
            }
        });
        if let Some(id) = self.weight.trained() {
            let (gradient, workspace) = tape.gradient(id);
            let work = Work { count: piece, multiple: 64, cost: places.len() };
            let rows = places.as_chunks::<2>().0;
            workspace.split(work, [(gradient, 1)], |columns, [out], _| {
                norm_weight_gradient(isa, &slope.values, &x.values, rows, piece, columns, out);
            });
        }
        if let Kind::Layer(Some(bias)) = self.kind
            && let Some(id) = bias.trained()
        {
            let (gradient, workspace) = tape.gradient(id);
            workspace.add_column_sums(&slope, gradient);
        }
        tape.workspace.recycle(places);
        tape.workspace.give_up(slope);
        tape.pass(self.x, dx);
    }

    fn trains(&self) -> bool {
        let bias = match self.kind {
            Kind::Layer(bias) => bias.and_then(Vector::trained),
            Kind::RootMeanSquare => None,
        };
        self.weight.trained().or(bias).is_some()
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl<'a> Tape<'a> {
    /// RMS norm (arXiv 1910.07467) times `weight` of each row, or, where `weight` is shorter than a
    /// row, of each piece of its length.
    pub fn rms_norm(&mut self, x: Var, weight: Vector<'a>, epsilon: f32) -> Var {
        self.record(Norm { kind: Kind::RootMeanSquare, x, weight, epsilon }, &[x])
    }

    /// Layer norm (arXiv 1607.06450) of each row, times `weight`, plus `bias`.
    pub fn layer_norm(
        &mut self,
        x: Var,
        weight: Vector<'a>,
        bias: Option<Vector<'a>>,
        epsilon: f32,
    ) -> Var {
        let width = self.value(x).width;
        let length = weight.values(self.parameters).len();
        assert_eq!(length, width, "a factor for each value of a row");
        self.record(Norm { kind: Kind::Layer(bias), x, weight, epsilon }, &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters};
    use crate::reference;

    #[test]
    fn rms_norm_of_rows_and_of_pieces() {
        for (rows, pieces, length) in [(1, 1, 1), (3, 1, 5), (40, 1, 33), (7, 3, 6)] {
            check(
                parameters(&[&[rows, pieces * length], &[length]], 1.0, 2),
                |tape, ids| {
                    let x = tape.parameter(ids[0]);
                    tape.rms_norm(x, Vector::Trained(ids[1]), 1e-2)
                },
                |p| reference::rms_norm(&p[0], &p[1], f64::from(1e-2f32)),
            );
        }
    }

    #[test]
    fn layer_norm_with_and_without_bias() {
        for (rows, length) in [(3, 5), (40, 33), (2, 100)] {
            check(
                parameters(&[&[rows, length], &[length], &[length]], 1.0, 3),
                |tape, ids| {
                    let x = tape.parameter(ids[0]);
                    let bias = Some(Vector::Trained(ids[2]));
                    tape.layer_norm(x, Vector::Trained(ids[1]), bias, 1e-2)
                },
                |p| reference::layer_norm(&p[0], &p[1], &p[2], f64::from(1e-2f32)),
            );
            check(
                parameters(&[&[rows, length], &[length]], 1.0, 4),
                |tape, ids| {
                    let x = tape.parameter(ids[0]);
                    tape.layer_norm(x, Vector::Trained(ids[1]), None, 1e-2)
                },
                |p| reference::layer_norm(&p[0], &p[1], &[], f64::from(1e-2f32)),
            );
        }
    }
}
