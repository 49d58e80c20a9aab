//! Matrix products, forward and backward, split over threads. The one place that knows of
//! [`Precision`].

use crate::tensor::Tensor;
use crate::workspace::{Precision, Work, Workspace};
use allod_kernels::{Matrix, add, linear, linear_input_gradient, linear_weight_gradient};
use std::ops::Deref;

/// Tokens whose products are computed together; a whole number of chains.
const BAND: usize = 64;

/// `x * matrix^T + bias`
pub(crate) fn forward(
    workspace: &mut Workspace,
    x: &Tensor,
    matrix: &Matrix,
    bias: Option<&[f32]>,
) -> Tensor {
    assert_eq!(x.width, matrix.columns, "inputs of the weights and width of the rows");
    let mut out = workspace.tensor(x.rows, matrix.rows);
    let (isa, width) = (workspace.isa, x.width);
    let work = Work { count: x.rows, multiple: BAND, cost: matrix.rows * width };
    rounded(workspace, x, matrix, |workspace, x, matrix| {
        workspace.split(work, [(&mut out.values, matrix.rows)], |tokens, [out], scratch| {
            let x = &x[tokens.start * width..tokens.end * width];
            linear(isa, x, matrix, 0..matrix.rows, out, scratch);
            if let Some(bias) = bias {
                out.chunks_exact_mut(matrix.rows).for_each(|row| add(isa, row, bias));
            }
        });
    });
    out
}

/// `slope * matrix`: the slope along the input of [`forward`].
pub(crate) fn input_gradient(workspace: &mut Workspace, slope: &Tensor, matrix: &Matrix) -> Tensor {
    let mut out = workspace.tensor(slope.rows, matrix.columns);
    let (isa, width) = (workspace.isa, slope.width);
    let work = Work { count: slope.rows, multiple: BAND, cost: matrix.columns * width };
    rounded(workspace, slope, matrix, |workspace, slope, matrix| {
        let outs = [(out.values.as_mut_slice(), matrix.columns)];
        workspace.split(work, outs, |tokens, [out], scratch| {
            let slope = &slope[tokens.start * width..tokens.end * width];
            linear_input_gradient(isa, slope, matrix, 0..matrix.columns, out, scratch);
        });
    });
    out
}

/// Adds `slope^T * x` to `out`: the slope along the weights of [`forward`].
pub(crate) fn weight_gradient(
    workspace: &mut Workspace,
    slope: &Tensor,
    x: &Tensor,
    out: &mut [f32],
) {
    assert_eq!(slope.rows, x.rows, "rows of the slope and of the input");
    let (isa, rows, columns) = (workspace.isa, slope.width, x.width);
    let work = Work { count: rows, multiple: BAND, cost: x.rows * columns };
    let (slope, x) = (operand(workspace, slope), operand(workspace, x));
    workspace.split(work, [(out, columns)], |part, [out], scratch| {
        let (slope, x) = (&slope.values, &x.values);
        linear_weight_gradient(isa, slope, rows, x, columns, part, out, scratch);
    });
    [slope, x].into_iter().for_each(|operand| operand.recycle(workspace));
}

/// Does `work` with both operands rounded to what the workspace says.
fn rounded(
    workspace: &mut Workspace,
    x: &Tensor,
    matrix: &Matrix,
    work: impl FnOnce(&mut Workspace, &[f32], &Matrix),
) {
    if workspace.precision == Precision::F32 {
        return work(workspace, &x.values, matrix);
    }
    let left = operand(workspace, x);
    let mut right = workspace.tensor(matrix.rows, matrix.columns);
    let decoding = Work::rows(matrix.rows, matrix.columns);
    workspace.split(decoding, [(&mut right.values, matrix.columns)], |rows, [out], _| {
        for (row, out) in rows.zip(out.chunks_exact_mut(matrix.columns)) {
            matrix.decode_row(row, out);
        }
    });
    round(workspace, &mut right);
    work(workspace, &left.values, &Matrix::of_floats(right.rows, right.width, &right.values));
    left.recycle(workspace);
    workspace.recycle(right.values);
}

/// Values as a product takes them.
enum Operand<'a> {
    AsIs(&'a Tensor),
    Rounded(Tensor),
}

impl Deref for Operand<'_> {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        match self {
            Operand::AsIs(tensor) => tensor,
            Operand::Rounded(tensor) => tensor,
        }
    }
}

impl Operand<'_> {
    fn recycle(self, workspace: &mut Workspace) {
        if let Operand::Rounded(tensor) = self {
            workspace.recycle(tensor.values);
        }
    }
}

fn operand<'a>(workspace: &mut Workspace, x: &'a Tensor) -> Operand<'a> {
    if workspace.precision == Precision::F32 {
        return Operand::AsIs(x);
    }
    let mut copy = workspace.copy(x);
    round(workspace, &mut copy);
    Operand::Rounded(copy)
}

fn round(workspace: &mut Workspace, x: &mut Tensor) {
    let work = Work::rows(x.values.len(), 2);
    workspace.split(work, [(&mut x.values, 1)], |_, [x], _| {
        x.iter_mut().for_each(|x| *x = to_bf16(*x));
    });
}

/// Rounded to bfloat16, ties to even; a NaN stays one.
fn to_bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) & 0xffff_0000;
    if x.is_nan() { x } else { f32::from_bits(rounded) }
}
