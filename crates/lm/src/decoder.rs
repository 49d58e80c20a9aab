//! The forward pass of every decoder, written once.

use crate::exec::{Exec, Placing, Projection};
use crate::spec::{DecoderSpec, Pooling};
use crate::weight::{Part, WeightId};

/// The forward pass of the decoder that a spec describes.
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'a>(pub &'a DecoderSpec);

impl Decoder<'_> {
    /// Runs the batch that `exec` holds: logits `[wanted rows, outputs]`.
    pub fn forward<E: Exec>(&self, exec: &mut E) -> E::Tensor {
        let normed = self.hidden(exec);
        let output = if self.0.tied { Part::TokenEmbedding } else { Part::Output };
        let logits = exec.linear(&normed, global(output), None);
        exec.release(normed);
        let logits = scaled(exec, logits, self.0.scales.logits);
        match self.0.output_cap {
            Some(cap) => exec.soft_cap(logits, cap),
            None => logits,
        }
    }

    /// One vector of each sequence, `[sequences, width]`, of the hidden states after the last norm.
    /// The rows that stand for a sequence are the wanted ones: all, where it is their mean.
    pub fn pooled<E: Exec>(&self, exec: &mut E, pooling: Pooling) -> E::Tensor {
        let hidden = self.hidden(exec);
        match pooling {
            Pooling::First | Pooling::Last => hidden,
            Pooling::Mean => exec.mean(hidden),
        }
    }

    /// Runs the batch that `exec` holds as far as the last norm: `[wanted rows, width]`.
    pub fn hidden<E: Exec>(&self, exec: &mut E) -> E::Tensor {
        let mut x = exec.embed(global(Part::TokenEmbedding));
        x = scaled(exec, x, self.0.scales.embedding);
        for layer in 0..self.0.layers {
            exec.begin_block(layer);
            x = self.attention(exec, layer, x);
            x = self.feed_forward(exec, layer, x);
            exec.end_block(layer, &x);
        }
        let x = exec.select(x);
        let normed = exec.norm(&x, global(Part::OutputNorm), self.0.norm_epsilon);
        exec.release(x);
        normed
    }

    /// `x + output(attend(rope(query(n)), rope(key(n)), value(n)))` with `n = norm(x)`.
    fn attention<E: Exec>(&self, exec: &mut E, layer: usize, x: E::Tensor) -> E::Tensor {
        let of_layer = |part| WeightId { layer, part };
        let users = [Part::Query, Part::Key, Part::Value].map(of_layer);
        let normed = exec.norm_for(&x, of_layer(Part::AttentionNorm), self.0.norm_epsilon, &users);
        let q = self.linear(exec, layer, [Part::Query, Part::QueryBias], &normed);
        let k = self.linear(exec, layer, [Part::Key, Part::KeyBias], &normed);
        let mut v = self.linear(exec, layer, [Part::Value, Part::ValueBias], &normed);
        exec.release(normed);
        let limit = self.0.query_key_value_limit;
        if let Some(most) = limit {
            v = exec.clamp(v, most);
        }
        let norms = [Part::QueryNorm, Part::KeyNorm].map(of_layer);
        let norms = norms.map(|norm| self.0.has(norm).then_some(norm));
        let (epsilon, rotary) = (self.0.norm_epsilon, self.0.layer(layer).rotary);
        let placing = Placing { norms, epsilon, limit, rotary };
        let mixed = exec.attend_placed(layer, [q, k, v], &placing);
        let parts = [Part::AttentionOutput, Part::AttentionOutputBias];
        self.add_linear(exec, layer, (parts, Part::PostAttentionNorm), x, mixed)
    }

    /// `x + down(activate(gate(n), up(n)))` with `n = norm(x)`, or a choice of experts of `n`.
    fn feed_forward<E: Exec>(&self, exec: &mut E, layer: usize, x: E::Tensor) -> E::Tensor {
        if self.0.layer(layer).sparse {
            let normed = self.norm(exec, layer, Part::FeedForwardNorm, &x);
            let scores = self.linear(exec, layer, [Part::Router, Part::RouterBias], &normed);
            let y = exec.mixture(layer, &normed, scores);
            exec.release(normed);
            return self.add(exec, layer, Part::PostFeedForwardNorm, x, y);
        }
        let active = self.active(exec, layer, &x);
        let parts = [Part::Down, Part::DownBias];
        self.add_linear(exec, layer, (parts, Part::PostFeedForwardNorm), x, active)
    }

    /// `activate(gate(n), up(n))` with `n = norm(x)`
    fn active<E: Exec>(&self, exec: &mut E, layer: usize, x: &E::Tensor) -> E::Tensor {
        let up = [Part::Up, Part::UpBias];
        let gate = self.0.activation.is_gated().then_some([Part::Gate, Part::GateBias]);
        let users: Vec<WeightId> =
            gate.iter().chain([&up]).map(|parts| WeightId { layer, part: parts[0] }).collect();
        let norm = WeightId { layer, part: Part::FeedForwardNorm };
        let normed = exec.norm_for(x, norm, self.0.norm_epsilon, &users);
        let active = match gate {
            Some(gate) => {
                let pair = [gate, up].map(|parts| self.projected(layer, parts));
                exec.gated(layer, &normed, pair)
            }
            None => {
                let up = self.linear(exec, layer, up, &normed);
                exec.activate(layer, None, up)
            }
        };
        exec.release(normed);
        active
    }

    /// `x + linear(y)`, the linear normed and scaled where the model does.
    fn add_linear<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        (parts, norm): ([Part; 2], Part),
        x: E::Tensor,
        y: E::Tensor,
    ) -> E::Tensor {
        let plain = !self.0.has(WeightId { layer, part: norm }) && self.0.scales.residual == 1.0;
        let sum = if plain {
            let (weight, bias) = self.projected(layer, parts);
            exec.add_linear(x, &y, weight, bias)
        } else {
            let projected = self.linear(exec, layer, parts, &y);
            self.add(exec, layer, norm, x, projected)
        };
        exec.release(y);
        sum
    }

    /// `x + y`, with `y` normed and scaled where the model does.
    fn add<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        norm: Part,
        x: E::Tensor,
        mut y: E::Tensor,
    ) -> E::Tensor {
        if self.0.has(WeightId { layer, part: norm }) {
            let normed = self.norm(exec, layer, norm, &y);
            exec.release(y);
            y = normed;
        }
        let y = scaled(exec, y, self.0.scales.residual);
        exec.add(x, y)
    }

    fn norm<E: Exec>(&self, exec: &mut E, layer: usize, part: Part, x: &E::Tensor) -> E::Tensor {
        exec.norm(x, WeightId { layer, part }, self.0.norm_epsilon)
    }

    fn linear<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        parts: [Part; 2],
        x: &E::Tensor,
    ) -> E::Tensor {
        let (weight, bias) = self.projected(layer, parts);
        exec.linear(x, weight, bias)
    }

    /// What a layer projects by: a weight, and a bias where the model has one.
    fn projected(&self, layer: usize, [part, bias]: [Part; 2]) -> Projection {
        let bias = WeightId { layer, part: bias };
        (WeightId { layer, part }, self.0.has(bias).then_some(bias))
    }
}

fn scaled<E: Exec>(exec: &mut E, x: E::Tensor, factor: f32) -> E::Tensor {
    if factor == 1.0 { x } else { exec.scale(x, factor) }
}

fn global(part: Part) -> WeightId {
    WeightId { layer: 0, part }
}
