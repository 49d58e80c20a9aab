//! The forward pass of every decoder, written once.

use crate::exec::{Exec, Projection};
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
        let normed = self.norm(exec, layer, Part::AttentionNorm, &x);
        let q = self.projection(exec, layer, [Part::Query, Part::QueryBias], &normed);
        let k = self.projection(exec, layer, [Part::Key, Part::KeyBias], &normed);
        let v = self.projection(exec, layer, [Part::Value, Part::ValueBias], &normed);
        exec.release(normed);
        let (q, k) = (self.place(exec, layer, q), self.place(exec, layer, k));
        let mixed = exec.attend(layer, q, k, v);
        let parts = [Part::AttentionOutput, Part::AttentionOutputBias];
        let projected = self.linear(exec, layer, parts, &mixed);
        exec.release(mixed);
        self.add(exec, layer, Part::PostAttentionNorm, x, projected)
    }

    /// A query, key or value: projected, normed, bounded.
    fn projection<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        parts: [Part; 2],
        x: &E::Tensor,
    ) -> E::Tensor {
        let mut y = self.linear(exec, layer, parts, x);
        let norm = match parts[0] {
            Part::Query => Some(Part::QueryNorm),
            Part::Key => Some(Part::KeyNorm),
            _ => None,
        };
        if let Some(part) = norm
            && self.0.has(WeightId { layer, part })
        {
            let normed = self.norm(exec, layer, part, &y);
            exec.release(y);
            y = normed;
        }
        match self.0.query_key_value_limit {
            Some(most) => exec.clamp(y, most),
            None => y,
        }
    }

    /// Rotates queries or keys, where the layer does.
    fn place<E: Exec>(&self, exec: &mut E, layer: usize, x: E::Tensor) -> E::Tensor {
        if self.0.layer(layer).rotary { exec.rope(layer, x) } else { x }
    }

    /// `x + down(activate(gate(n), up(n)))` with `n = norm(x)`, or a choice of experts of `n`.
    fn feed_forward<E: Exec>(&self, exec: &mut E, layer: usize, x: E::Tensor) -> E::Tensor {
        let normed = self.norm(exec, layer, Part::FeedForwardNorm, &x);
        let y = match self.0.layer(layer).sparse {
            true => {
                let parts = [Part::Router, Part::RouterBias];
                let scores = self.linear(exec, layer, parts, &normed);
                exec.mixture(layer, &normed, scores)
            }
            false => self.dense(exec, layer, &normed),
        };
        exec.release(normed);
        self.add(exec, layer, Part::PostFeedForwardNorm, x, y)
    }

    /// `down(activate(gate(x), up(x)))`
    fn dense<E: Exec>(&self, exec: &mut E, layer: usize, x: &E::Tensor) -> E::Tensor {
        let up = [Part::Up, Part::UpBias];
        let active = if self.0.activation.is_gated() {
            let pair = [[Part::Gate, Part::GateBias], up];
            exec.gated(layer, x, pair.map(|parts| self.projected(layer, parts)))
        } else {
            let up = self.linear(exec, layer, up, x);
            exec.activate(layer, None, up)
        };
        let down = self.linear(exec, layer, [Part::Down, Part::DownBias], &active);
        exec.release(active);
        down
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
