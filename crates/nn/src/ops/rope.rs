//! Rotary position embedding.

use crate::rows::Rows;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::workspace::Work;
use allod_kernels::RopePairing;
use std::sync::Arc;

/// Cosines and sines of every position that a batch reaches. How the angles are made belongs to
/// the model's definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    pairs: usize,
    pairing: RopePairing,
    cos: Vec<f32>,
    sin: Vec<f32>,
    /// -sin, which turns back.
    back: Vec<f32>,
}

impl Rotation {
    /// Tables `[positions, pairs]`.
    ///
    /// # Panics
    /// When the tables are not of one length or not whole rows of `pairs`.
    pub fn new(pairs: usize, pairing: RopePairing, cos: Vec<f32>, sin: Vec<f32>) -> Rotation {
        assert!(cos.len() == sin.len() && cos.len().is_multiple_of(pairs.max(1)), "tables");
        let back = sin.iter().map(|sin| -sin).collect();
        Rotation { pairs, pairing, cos, sin, back }
    }

    /// Positions that there are.
    pub fn positions(&self) -> usize {
        self.cos.len().checked_div(self.pairs).unwrap_or(usize::MAX)
    }
}

struct Rope {
    x: Var,
    head_dim: usize,
    rows: Arc<Rows>,
    rotation: Arc<Rotation>,
}

impl Rope {
    /// Turns each row; `from` tells the row to begin with, if it is not there yet.
    fn turn(&self, tape: &mut Tape, x: &mut Tensor, sin: &[f32], from: Option<&Tensor>) {
        let (isa, rotation, pairs) = (tape.workspace.isa, &self.rotation, self.rotation.pairs);
        let (work, width) = (Work::rows(x.rows, 2 * x.width), x.width.max(1));
        tape.workspace.split(work, [(&mut x.values, width)], |rows, [out], _| {
            for (index, row) in rows.zip(out.chunks_exact_mut(width)) {
                if let Some(from) = from {
                    row.copy_from_slice(from.row(index));
                }
                let position = self.rows.positions()[index];
                let range = position * pairs..(position + 1) * pairs;
                let (cos, sin) = (&rotation.cos[range.clone()], &sin[range]);
                for head in row.chunks_exact_mut(self.head_dim) {
                    allod_kernels::rope(isa, head, cos, sin, rotation.pairing);
                }
            }
        });
    }
}

impl<'a> Operation<'a> for Rope {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let x = tape.shared(self.x);
        assert!(x.width.is_multiple_of(self.head_dim) && x.rows == self.rows.len(), "whole heads");
        let mut out = tape.workspace.tensor(x.rows, x.width);
        self.turn(tape, &mut out, &self.rotation.sin, Some(&x));
        out
    }

    /// The rotation the other way round.
    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let mut slope = tape.workspace.own(slope);
        self.turn(tape, &mut slope, &self.rotation.back, None);
        tape.pass(self.x, slope);
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

impl Tape<'_> {
    /// Rotates each head of `x` (`[rows, heads * head_dim]`) by its row's position (arXiv
    /// 2104.09864). Elements beyond `2 * pairs` stay as they are.
    ///
    /// # Panics
    /// When a row's position has no angles.
    pub fn rope(
        &mut self,
        x: Var,
        head_dim: usize,
        rows: &Arc<Rows>,
        rotation: &Arc<Rotation>,
    ) -> Var {
        let end = rows.positions().iter().max().map_or(0, |position| position + 1);
        assert!(end <= rotation.positions(), "angles of {end} positions");
        let (rows, rotation) = (rows.clone(), rotation.clone());
        self.record(Rope { x, head_dim, rows, rotation }, &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters, rotation, rows};
    use crate::reference;

    #[test]
    fn both_pairings_and_a_part_of_the_head() {
        for (pairing, half) in [(RopePairing::Half, 1), (RopePairing::Interleaved, 0)] {
            for (head_dim, pairs) in [(6, 3), (7, 2)] {
                let (rows, turn) = (rows(&[3, 1, 4]), rotation(4, pairs, pairing));
                check(
                    parameters(&[&[8, 2 * head_dim]], 1.0, 2),
                    |tape, ids| {
                        let x = tape.parameter(ids[0]);
                        tape.rope(x, head_dim, &rows, &turn)
                    },
                    |p| {
                        let at = rows.positions();
                        reference::rope(&p[0], 2 * head_dim, head_dim, at, pairs, half)
                    },
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "angles of 4 positions")]
    fn a_position_without_angles_is_a_mistake_of_the_caller() {
        let (parameters, ids) = parameters(&[&[4, 4]], 1.0, 2);
        let mut workspace = crate::checks::workspace(1, crate::Precision::F32);
        let mut tape = Tape::new(&parameters, &mut workspace);
        let x = tape.parameter(ids[0]);
        tape.rope(x, 4, &rows(&[4]), &rotation(3, 2, RopePairing::Half));
    }
}
