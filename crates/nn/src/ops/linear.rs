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
        let matrix = self.weight.matrix(parameters);
        let bias = self.bias.as_ref().map(|bias| bias.values(parameters));
        assert!(bias.is_none_or(|bias| bias.len() == matrix.rows), "a bias for each output");
        product::forward(tape.workspace, &x, &matrix, bias)
    }

    /// `dx = dy * weight`, `dweight = dy^T * x`, `dbias` = the sum of dy's rows.
    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        if let Some(id) = self.weight.trained() {
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
            let matrix = self.weight.matrix(tape.parameters);
            let slope = product::input_gradient(tape.workspace, &slope, &matrix);
            tape.pass(self.x, slope);
        }
        tape.workspace.give_up(slope);
    }

    fn trains(&self) -> bool {
        let bias = self.bias.as_ref().and_then(|bias| bias.vector.trained());
        self.weight.trained().or(bias).is_some()
    }

    fn reads(&self) -> Reads {
        // Frozen weights ask for no input: that is most of what adapters save.
        if self.weight.trained().is_some() { Reads::Inputs } else { Reads::Nothing }
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
