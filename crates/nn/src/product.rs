//! Matrix products with weights, forward and backward, split over threads, in the precision of the
//! workspace.

use crate::bf16;
use crate::tensor::Tensor;
use crate::workspace::{Precision, Work, Workspace};
use allod_kernels::{Matrix, add, linear, linear_input_gradient, linear_weight_gradient};

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
    match workspace.precision {
        Precision::Bf16 => bf16::forward(workspace, x, matrix, &mut out.values),
        Precision::F32 => {
            workspace.split(work, [(&mut out.values, matrix.rows)], |tokens, [out], scratch| {
                let x = &x.values[tokens.start * width..tokens.end * width];
                linear(isa, x, matrix, 0..matrix.rows, out, scratch);
            });
        }
    }
    if let Some(bias) = bias {
        let work = Work::rows(x.rows, matrix.rows);
        workspace.split(work, [(&mut out.values, matrix.rows)], |_, [out], _| {
            out.chunks_exact_mut(matrix.rows).for_each(|row| add(isa, row, bias));
        });
    }
    out
}

/// `slope * matrix`: the slope along the input of [`forward`].
pub(crate) fn input_gradient(workspace: &mut Workspace, slope: &Tensor, matrix: &Matrix) -> Tensor {
    let mut out = workspace.tensor(slope.rows, matrix.columns);
    let (isa, width) = (workspace.isa, slope.width);
    if workspace.precision == Precision::Bf16 {
        bf16::input_gradient(workspace, slope, matrix, &mut out.values);
        return out;
    }
    let work = Work { count: slope.rows, multiple: BAND, cost: matrix.columns * width };
    let outs = [(out.values.as_mut_slice(), matrix.columns)];
    workspace.split(work, outs, |tokens, [out], scratch| {
        let slope = &slope.values[tokens.start * width..tokens.end * width];
        linear_input_gradient(isa, slope, matrix, 0..matrix.columns, out, scratch);
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
    if workspace.precision == Precision::Bf16 {
        return bf16::weight_gradient(workspace, slope, x, out);
    }
    let (isa, rows, columns) = (workspace.isa, slope.width, x.width);
    let work = Work { count: rows, multiple: BAND, cost: x.rows * columns };
    workspace.split(work, [(out, columns)], |part, [out], scratch| {
        let (slope, x) = (&slope.values, &x.values);
        linear_weight_gradient(isa, slope, rows, x, columns, part, out, scratch);
    });
}
