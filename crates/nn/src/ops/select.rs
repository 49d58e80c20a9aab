//! Some rows of many.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use std::sync::Arc;

struct Select {
    x: Var,
    rows: Vec<usize>,
    /// Rows of x.
    all: usize,
}

impl<'a> Operation<'a> for Select {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let x = tape.shared(self.x);
        let mut out = tape.workspace.tensor(self.rows.len(), x.width);
        for (row, out) in self.rows.iter().zip(out.values.chunks_exact_mut(x.width.max(1))) {
            out.copy_from_slice(x.row(*row));
        }
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let width = slope.width;
        let mut dx = tape.take_slope(self.x, self.all, width);
        for (row, slope) in self.rows.iter().zip(slope.values.chunks_exact(width.max(1))) {
            let isa = tape.workspace.isa;
            allod_kernels::add(isa, &mut dx.values[row * width..][..width], slope);
        }
        tape.workspace.give_up(slope);
        tape.put_slope(self.x, dx);
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

impl Tape<'_> {
    /// The given rows of `x`, in the order given; a row may come more than once.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn select(&mut self, x: Var, rows: &[usize]) -> Var {
        let all = self.value(x).rows;
        assert!(rows.iter().all(|row| *row < all), "rows are below {all}");
        self.record(Select { x, rows: rows.to_vec(), all }, &[x])
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::{check, parameters};

    #[test]
    fn rows_may_come_twice_and_in_any_order() {
        let rows = [4, 0, 4, 2];
        check(
            parameters(&[&[5, 3]], 1.0, 3),
            |tape, ids| {
                let x = tape.parameter(ids[0]);
                let some = tape.select(x, &rows);
                let none = tape.select(x, &[]);
                assert_eq!(tape.value(none).rows, 0);
                some
            },
            |p| rows.iter().flat_map(|row| p[0][row * 3..][..3].to_vec()).collect(),
        );
    }
}
