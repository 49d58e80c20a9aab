//! The matrix product with weights, and low-rank adapters.

use crate::product;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::{Vector, VectorPart, Weight, WeightRows};
use std::sync::Arc;

/// `y = x * weight^T + bias`
pub(crate) struct Linear<'a> {
    pub x: Var,
    pub weight: WeightRows<'a>,
    pub bias: Option<VectorPart<'a>>,
}

impl<'a> Operation<'a> for Linear<'a> {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (x, parameters) = (tape.shared(self.x), tape.parameters);
        let stored = tape.stored(&self.weight);
        let matrix = stored.matrix();
        let bias = self.bias.as_ref().map(|bias| bias.values(parameters));
        assert!(bias.is_none_or(|bias| bias.len() == matrix.rows), "a bias for each output");
        product::forward(tape.workspace, &x, &matrix, bias)
    }

    /// `dx = dy * weight`, `dweight = dy^T * x`, `dbias` = the sum of dy's rows.
    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        if let Some(id) = self.weight.weight.trained() {
            let x = tape.shared(self.x);
            let (gradient, workspace) = tape.gradient(id);
            let range = self.weight.rows.start * x.width..self.weight.rows.end * x.width;
            product::weight_gradient(workspace, &slope, &x, &mut gradient[range]);
        }
        if let Some(bias) = &self.bias
            && let Some(id) = bias.vector.trained()
        {
            let (gradient, workspace) = tape.gradient(id);
            workspace.add_column_sums(&slope, &mut gradient[bias.range.clone()]);
        }
        if tape.wants(self.x) {
            let stored = tape.stored(&self.weight);
            let slope = product::input_gradient(tape.workspace, &slope, &stored.matrix());
            tape.pass(self.x, slope);
        }
        tape.workspace.give_up(slope);
    }

    fn trains(&self) -> bool {
        let bias = self.bias.as_ref().and_then(|bias| bias.vector.trained());
        self.weight.weight.trained().or(bias).is_some()
    }

    fn reads(&self) -> Reads {
        // Frozen weights ask for no input: that is most of what adapters save.
        if self.weight.weight.trained().is_some() { Reads::Inputs } else { Reads::Nothing }
    }
}

impl<'a> Tape<'a> {
    /// `x * weight^T + bias`: `[rows, outputs]`, with `weight` `[outputs, width]`.
    pub fn linear(&mut self, x: Var, weight: Weight<'a>, bias: Option<Vector<'a>>) -> Var {
        let weight = weight.all(self.parameters);
        let bias = bias.map(|bias| bias.all(self.parameters));
        self.record(Linear { x, weight, bias }, &[x])
    }

    /// [`Tape::linear`] with a low-rank adapter (LoRA, arXiv 2106.09685):
    /// `linear(x) + scale * (x * a^T) * b^T`, with `a` `[rank, width]` and `b` `[outputs, rank]`.
    pub fn linear_lora(
        &mut self,
        x: Var,
        weight: Weight<'a>,
        bias: Option<Vector<'a>>,
        [a, b]: [Weight<'a>; 2],
        scale: f32,
    ) -> Var {
        let base = self.linear(x, weight, bias);
        let low = self.linear(x, a, None);
        let high = self.linear(low, b, None);
        let delta = self.scale(high, scale);
        let sum = self.add(base, delta);
        [high, base, delta].into_iter().for_each(|used| self.release(used));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, numbers, parameters, workspace};
    use crate::{Precision, reference};
    use allod_kernels::{Format, Matrix, encode_row};

    #[test]
    fn the_gradient_is_that_of_the_reference() {
        for (rows, inputs, outputs) in [(1, 1, 1), (5, 7, 3), (33, 34, 35), (70, 3, 2)] {
            check(
                parameters(&[&[rows, inputs], &[outputs, inputs], &[outputs]], 1.0, 3),
                |tape, ids| {
                    let x = tape.parameter(ids[0]);
                    tape.linear(x, Weight::Trained(ids[1]), Some(Vector::Trained(ids[2])))
                },
                |p| reference::linear(&p[0], &p[1], inputs, &p[2]),
            );
        }
    }

    /// Weights as a format stores them, and the same as wide floats.
    fn stored(format: Format, outputs: usize, inputs: usize) -> (Matrix<'static>, Vec<f64>) {
        let mut bytes = Vec::new();
        for row in numbers(outputs * inputs, 4).chunks(inputs) {
            let mut stored = vec![0; format.row_bytes(inputs).unwrap()];
            encode_row(format, row, &mut stored).unwrap();
            bytes.extend(stored);
        }
        let matrix = Matrix::new(format, outputs, inputs, bytes.leak()).unwrap();
        let mut decoded = vec![0.0f32; outputs * inputs];
        decoded.chunks_mut(inputs).enumerate().for_each(|(r, row)| matrix.decode_row(r, row));
        (matrix, decoded.into_iter().map(f64::from).collect())
    }

    /// Formats with the fewest whole blocks and with several.
    const FROZEN: [(Format, usize); 8] = [
        (Format::F32, 7),
        (Format::F16, 33),
        (Format::BF16, 5),
        (Format::Q8_0, 96),
        (Format::Q4_0, 32),
        (Format::Q4_1, 64),
        (Format::Q5_1, 32),
        (Format::Q6_K, 256),
    ];

    #[test]
    fn frozen_weights_of_any_format_pass_the_slope_on() {
        for (format, inputs) in FROZEN {
            let (matrix, decoded) = stored(format, 5, inputs);
            check(
                parameters(&[&[3, inputs]], 1.0, 5),
                |tape, ids| {
                    let x = tape.parameter(ids[0]);
                    tape.linear(x, Weight::Frozen(matrix), None)
                },
                |p| reference::linear(&p[0], &decoded, inputs, &[]),
            );
        }
    }

    #[test]
    fn low_rank_adapters_train_beside_frozen_weights() {
        for (place, (format, inputs)) in FROZEN.into_iter().enumerate() {
            let (rows, outputs, rank) = ([1, 4, 9][place % 3], 5, [2, 1, 3][place % 3]);
            let (matrix, decoded) = stored(format, outputs, inputs);
            check(
                parameters(&[&[rows, inputs], &[rank, inputs], &[outputs, rank]], 1.0, 6),
                |tape, ids| {
                    let x = tape.parameter(ids[0]);
                    let adapter = [Weight::Trained(ids[1]), Weight::Trained(ids[2])];
                    tape.linear_lora(x, Weight::Frozen(matrix), None, adapter, 0.25)
                },
                |p| {
                    let low = reference::linear(&p[0], &p[1], inputs, &[]);
                    let high = reference::linear(&low, &p[2], rank, &[]);
                    let base = reference::linear(&p[0], &decoded, inputs, &[]);
                    reference::zip(&base, &high, |base, high| base + 0.25 * high)
                },
            );
        }
    }

    #[test]
    fn bf16_products_are_close_and_masters_are_not_rounded() {
        let (parameters, ids) = parameters(&[&[40, 33], &[20, 33]], 1.0, 8);
        let run = |precision, threads| {
            let mut workspace = workspace(threads, precision);
            let mut tape = Tape::new(&parameters, &mut workspace);
            let x = tape.parameter(ids[0]);
            let y = tape.linear(x, Weight::Trained(ids[1]), None);
            let value = tape.value(y).clone();
            let slope = Tensor::new(40, 20, numbers(800, 5));
            (value, tape.backward_along(y, slope))
        };
        let (exact, rounded) = (run(Precision::F32, 1), run(Precision::Bf16, 1));
        assert_eq!(rounded, run(Precision::Bf16, 3));
        assert_ne!(exact.0, rounded.0);
        let close = |a: &[f32], b: &[f32]| {
            let size = a.iter().map(|a| a * a).sum::<f32>().sqrt();
            let apart = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
            assert!(apart < 0.01 * size, "{apart} {size}");
        };
        close(&exact.0.values, &rounded.0.values);
        ids.iter().for_each(|id| close(exact.1.get(*id).unwrap(), rounded.1.get(*id).unwrap()));
    }

    #[test]
    #[should_panic(expected = "inputs of the weights")]
    fn a_wrong_width_is_a_mistake_of_the_caller() {
        let (parameters, ids) = parameters(&[&[4, 3], &[2, 5]], 1.0, 1);
        let mut workspace = workspace(1, Precision::F32);
        let mut tape = Tape::new(&parameters, &mut workspace);
        let x = tape.parameter(ids[0]);
        tape.linear(x, Weight::Trained(ids[1]), None);
    }
}
