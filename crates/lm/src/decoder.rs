//! The forward pass of every decoder, written once.

use crate::exec::Exec;
use crate::spec::DecoderSpec;
use crate::weight::{Part, WeightId};

/// The forward pass of the decoder that a spec describes.
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'a>(pub &'a DecoderSpec);

impl Decoder<'_> {
    /// Runs the batch that `exec` holds: logits `[wanted rows, vocabulary]`.
    pub fn forward<E: Exec>(&self, exec: &mut E) -> E::Tensor {
        let mut x = exec.embed(global(Part::TokenEmbedding));
        for layer in 0..self.0.layers {
            x = self.attention(exec, layer, x);
            x = self.feed_forward(exec, layer, x);
        }
        let x = exec.select(x);
        let normed = exec.norm(&x, global(Part::OutputNorm), self.0.norm_epsilon);
        let output = if self.0.tied { Part::TokenEmbedding } else { Part::Output };
        let logits = exec.linear(&normed, global(output), None);
        exec.release(x);
        exec.release(normed);
        logits
    }

    /// `x + output(attend(rope(query(n)), rope(key(n)), value(n)))` with `n = norm(x)`.
    fn attention<E: Exec>(&self, exec: &mut E, layer: usize, x: E::Tensor) -> E::Tensor {
        let normed = self.norm(exec, layer, Part::AttentionNorm, &x);
        let q = self.linear(exec, layer, Part::Query, Part::QueryBias, &normed);
        let k = self.linear(exec, layer, Part::Key, Part::KeyBias, &normed);
        let v = self.linear(exec, layer, Part::Value, Part::ValueBias, &normed);
        exec.release(normed);
        let (q, k) = (exec.rope(q), exec.rope(k));
        let mixed = exec.attend(layer, q, k, v);
        let part = (Part::AttentionOutput, Part::AttentionOutputBias);
        let projected = self.linear(exec, layer, part.0, part.1, &mixed);
        exec.release(mixed);
        exec.add(x, projected)
    }

    /// `x + down(activate(gate(n), up(n)))` with `n = norm(x)`.
    fn feed_forward<E: Exec>(&self, exec: &mut E, layer: usize, x: E::Tensor) -> E::Tensor {
        let normed = self.norm(exec, layer, Part::FeedForwardNorm, &x);
        let gate = self.linear(exec, layer, Part::Gate, Part::GateBias, &normed);
        let up = self.linear(exec, layer, Part::Up, Part::UpBias, &normed);
        exec.release(normed);
        let active = exec.activate(self.0.activation, gate, up);
        let down = self.linear(exec, layer, Part::Down, Part::DownBias, &active);
        exec.release(active);
        exec.add(x, down)
    }

    fn norm<E: Exec>(&self, exec: &mut E, layer: usize, part: Part, x: &E::Tensor) -> E::Tensor {
        exec.norm(x, WeightId { layer, part }, self.0.norm_epsilon)
    }

    fn linear<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        part: Part,
        bias: Part,
        x: &E::Tensor,
    ) -> E::Tensor {
        let bias = self.0.has(bias).then_some(WeightId { layer, part: bias });
        exec.linear(x, WeightId { layer, part }, bias)
    }
}

fn global(part: Part) -> WeightId {
    WeightId { layer: 0, part }
}
