//! One row for each sequence.

use crate::rows::Rows;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use std::sync::Arc;

struct Mean {
    x: Var,
    rows: Arc<Rows>,
}

impl<'a> Operation<'a> for Mean {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, isa) = (tape.shared(self.x), tape.workspace.isa);
        let mut out = tape.workspace.zeros(self.rows.sequences().len(), x.width);
        let outs = out.values.chunks_exact_mut(x.width.max(1));
        for (rows, out) in self.rows.sequences().zip(outs) {
            let count = rows.len() as f32;
            rows.for_each(|row| allod_kernels::add(isa, out, x.row(row)));
            out.iter_mut().for_each(|value| *value /= count);
        }
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let mut dx = tape.workspace.tensor(self.rows.len(), slope.width);
        let mut outs = dx.values.chunks_exact_mut(slope.width.max(1));
        for (sequence, rows) in self.rows.sequences().enumerate() {
            let count = rows.len() as f32;
            for out in outs.by_ref().take(rows.len()) {
                let slope = slope.row(sequence).iter();
                out.iter_mut().zip(slope).for_each(|(out, slope)| *out = slope / count);
            }
        }
        tape.workspace.give_up(slope);
        tape.pass(self.x, dx);
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

impl Tape<'_> {
    /// The mean of each sequence's rows, `[sequences, width]`: their sum, first row first, divided
    /// by their number.
    ///
    /// # Panics
    /// When `x` has other rows.
    pub fn mean(&mut self, x: Var, rows: &Arc<Rows>) -> Var {
        assert_eq!(self.value(x).rows, rows.len(), "rows of the batch");
        self.record(Mean { x, rows: rows.clone() }, &[x])
    }

    /// The first row of each sequence, `[sequences, width]`.
    pub fn first(&mut self, x: Var, rows: &Arc<Rows>) -> Var {
        let firsts: Vec<usize> = rows.sequences().map(|rows| rows.start).collect();
        self.select(x, &firsts)
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::{check, parameters, rows};

    #[test]
    fn mean_and_first_of_each_sequence() {
        let lengths = [3, 1, 4];
        let starts = [0, 3, 4];
        let shape = || parameters(&[&[8, 5]], 1.0, 3);
        check(
            shape(),
            |tape, ids| {
                let x = tape.parameter(ids[0]);
                tape.mean(x, &rows(&lengths))
            },
            |p| {
                let mean = |(start, length): (usize, usize), column: usize| {
                    let rows = start..start + length;
                    rows.map(|row| p[0][row * 5 + column]).sum::<f64>() / length as f64
                };
                let of = starts.into_iter().zip(lengths);
                of.flat_map(|of| (0..5).map(move |column| mean(of, column))).collect()
            },
        );
        check(
            shape(),
            |tape, ids| {
                let x = tape.parameter(ids[0]);
                tape.first(x, &rows(&lengths))
            },
            |p| starts.iter().flat_map(|start| p[0][start * 5..][..5].to_vec()).collect(),
        );
    }
}
