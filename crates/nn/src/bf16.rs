//! Matrix products of operands rounded to bfloat16.

use crate::tensor::Tensor;
use crate::workspace::{Work, Workspace};
use allod_kernels::{Matrix, Packed, Side, Source, Start, bf16_product};

/// Fewest rows of a result that a thread computes at a time: the other operand is read anew for
/// each such piece.
const PIECE_ROWS: usize = 128;

/// `x * matrix^T`
pub(crate) fn forward(workspace: &mut Workspace, x: &Tensor, matrix: &Matrix, out: &mut [f32]) {
    let left = pack(workspace, Side::Left, [x.rows, x.width], Source::vectors(&x.values, x.width));
    let right = with_floats(workspace, matrix, |workspace, weights| {
        pack(
            workspace,
            Side::Right,
            [matrix.rows, matrix.columns],
            Source::vectors(weights, matrix.columns),
        )
    });
    multiply(workspace, [left, right], Start::Zero, out);
}

/// `slope * matrix`
pub(crate) fn input_gradient(
    workspace: &mut Workspace,
    slope: &Tensor,
    matrix: &Matrix,
    out: &mut [f32],
) {
    let shape = [slope.rows, slope.width];
    let left = pack(workspace, Side::Left, shape, Source::vectors(&slope.values, slope.width));
    let right = with_floats(workspace, matrix, |workspace, weights| {
        pack(
            workspace,
            Side::Right,
            [matrix.columns, matrix.rows],
            Source::turned(weights, matrix.columns),
        )
    });
    multiply(workspace, [left, right], Start::Zero, out);
}

/// Adds `slope^T * x` to `out`.
pub(crate) fn weight_gradient(
    workspace: &mut Workspace,
    slope: &Tensor,
    x: &Tensor,
    out: &mut [f32],
) {
    let shape = [slope.width, slope.rows];
    let left = pack(workspace, Side::Left, shape, Source::turned(&slope.values, slope.width));
    let right = pack(workspace, Side::Right, [x.width, x.rows], Source::turned(&x.values, x.width));
    multiply(workspace, [left, right], Start::Out, out);
}

/// Packs a source of so many vectors of such a depth.
fn pack(
    workspace: &mut Workspace,
    side: Side,
    [outer, depth]: [usize; 2],
    source: Source,
) -> Packed {
    let (isa, mut packed) = (workspace.isa, workspace.packed(side));
    workspace.each(packed.pieces(outer, depth), |mut piece, _| piece.pack(isa, source));
    packed
}

/// Calls `work` with the values of the weights: where they lie if they are floats there.
fn with_floats<T>(
    workspace: &mut Workspace,
    matrix: &Matrix,
    work: impl FnOnce(&mut Workspace, &[f32]) -> T,
) -> T {
    if let Some(weights) = matrix.floats() {
        return work(workspace, weights);
    }
    let mut weights = workspace.buffer(matrix.rows * matrix.columns);
    let decoding = Work::rows(matrix.rows, matrix.columns);
    workspace.split(decoding, [(&mut weights, matrix.columns)], |rows, [out], _| {
        for (row, out) in rows.zip(out.chunks_exact_mut(matrix.columns)) {
            matrix.decode_row(row, out);
        }
    });
    let result = work(workspace, &weights);
    workspace.recycle(weights);
    result
}

/// The product, in pieces of rows; takes the operands back.
fn multiply(workspace: &mut Workspace, operands: [Packed; 2], start: Start, out: &mut [f32]) {
    let ([left, right], isa) = (&operands, workspace.isa);
    let (count, columns) = (left.outer(), right.outer());
    let work = Work { count, multiple: PIECE_ROWS, cost: columns * right.depth() };
    workspace.split(work, [(out, columns)], |rows, [out], _| {
        bf16_product(isa, left, right, rows, start, out);
    });
    operands.into_iter().for_each(|packed| workspace.recycle_packed(packed));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product;
    use crate::workspace::{Precision, TapeOptions};
    use allod_kernels::{Format, Isa};

    fn values(rows: usize, width: usize, seed: usize) -> Tensor {
        let one = |i: usize| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0;
        Tensor::new(rows, width, (0..rows * width).map(one).collect())
    }

    /// To the nearest of 8 bits.
    fn rounded(x: f32) -> f64 {
        let unit = (f64::from(x).abs().log2().floor() - 7.0).exp2();
        if x == 0.0 { 0.0 } else { (f64::from(x) / unit).round_ties_even() * unit }
    }

    /// `sum over k of a[i][k] * b[k][j]` of rounded values, by the places that hold them.
    fn check(
        out: &[f32],
        [rows, depth, columns]: [usize; 3],
        a: impl Fn(usize, usize) -> f32,
        b: impl Fn(usize, usize) -> f32,
    ) {
        assert_eq!(out.len(), rows * columns);
        for (place, out) in out.iter().enumerate() {
            let (i, j) = (place / columns, place % columns);
            let sum: f64 = (0..depth).map(|k| rounded(a(i, k)) * rounded(b(k, j))).sum();
            let error = (f64::from(*out) - sum).abs();
            assert!(error < 1e-6 * depth as f64, "{out} at [{i}, {j}] is not {sum}");
        }
    }

    #[test]
    fn products_are_those_of_rounded_operands() {
        let [rows, inputs, outputs] = [70, 45, 131];
        let (x, w) = (values(rows, inputs, 1), values(outputs, inputs, 2));
        let slope = values(rows, outputs, 3);
        let stored: Vec<u8> = w.values.iter().flat_map(|w| w.to_le_bytes()).collect();
        let matrix = Matrix::new(Format::F32, outputs, inputs, &stored).unwrap();
        for threads in [1, 3] {
            let (isa, precision) = (Isa::detect(), Precision::Bf16);
            let mut workspace = Workspace::new(TapeOptions { isa, threads, precision }).unwrap();
            let y = product::forward(&mut workspace, &x, &matrix, None);
            check(&y.values, [rows, inputs, outputs], |i, k| x.row(i)[k], |k, j| w.row(j)[k]);
            let dx = product::input_gradient(&mut workspace, &slope, &matrix);
            check(&dx.values, [rows, outputs, inputs], |i, k| slope.row(i)[k], |k, j| w.row(k)[j]);
            let mut dw = vec![0.0; outputs * inputs];
            product::weight_gradient(&mut workspace, &slope, &x, &mut dw);
            check(&dw, [outputs, rows, inputs], |i, k| slope.row(k)[i], |k, j| x.row(k)[j]);
            product::weight_gradient(&mut workspace, &slope, &x, &mut dw);
            let half: Vec<f32> = dw.iter().map(|dw| dw / 2.0).collect();
            check(&half, [outputs, rows, inputs], |i, k| slope.row(k)[i], |k, j| x.row(k)[j]);
        }
    }
}
