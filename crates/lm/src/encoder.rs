//! The forward pass of every encoder, written once.

use crate::exec::Exec;
use crate::spec::{EncoderSpec, HeadActivation, HeadSpec, ModelSpec, NormPlace, Pooling};
use crate::weight::{Part, WeightId};

/// The forward pass of the encoder that a spec describes.
#[derive(Debug, Clone, Copy)]
pub struct Encoder<'a>(pub &'a EncoderSpec);

impl Encoder<'_> {
    /// Runs the batch that `exec` holds: the last hidden states of the wanted rows,
    /// `[wanted rows, width]`.
    pub fn forward<E: Exec>(&self, exec: &mut E) -> E::Tensor {
        let x = self.hidden(exec);
        exec.select(x)
    }

    /// One vector of each sequence, `[sequences, width]`. Where one token stands for a sequence,
    /// its row is the wanted one.
    pub fn pooled<E: Exec>(&self, exec: &mut E, pooling: Pooling) -> E::Tensor {
        let x = self.hidden(exec);
        match pooling {
            Pooling::First | Pooling::Last => exec.select(x),
            Pooling::Mean => exec.mean(x),
        }
    }

    /// The scores of each sequence by the model's head, `[sequences, labels]`. Where one token
    /// stands for a sequence, its row is the wanted one.
    pub fn scores<E: Exec>(&self, exec: &mut E, head: &HeadSpec) -> E::Tensor {
        let pooled = self.pooled(exec, head.pooling);
        let dense = self.linear(exec, 0, [Part::HeadDense, Part::HeadDenseBias], &pooled);
        exec.release(pooled);
        let mut x = match head.activation {
            HeadActivation::Tanh => exec.tanh(dense),
            HeadActivation::Gelu => exec.gelu(dense),
        };
        if head.norm {
            x = self.norm(exec, 0, [Part::HeadNorm, Part::HeadNormBias], x);
        }
        let scores = self.linear(exec, 0, [Part::HeadOutput, Part::HeadOutputBias], &x);
        exec.release(x);
        scores
    }

    /// The last hidden state of every row.
    fn hidden<E: Exec>(&self, exec: &mut E) -> E::Tensor {
        let mut x = self.embed(exec);
        for layer in 0..self.0.layers {
            exec.begin_block(layer);
            x = self.attention(exec, layer, x);
            x = self.feed_forward(exec, layer, x);
            exec.end_block(layer, &x);
        }
        match self.0.norm.place {
            NormPlace::Before => self.norm(exec, 0, [Part::OutputNorm, Part::OutputNormBias], x),
            NormPlace::After => x,
        }
    }

    /// `norm(token + segment + position)`, as far as the model has them.
    fn embed<E: Exec>(&self, exec: &mut E) -> E::Tensor {
        let global = |part| WeightId { layer: 0, part };
        let mut x = exec.embed(global(Part::TokenEmbedding));
        if self.0.has(global(Part::SegmentEmbedding)) {
            let segments = exec.embed_segments(global(Part::SegmentEmbedding));
            x = exec.add(x, segments);
        }
        if self.0.has(global(Part::PositionEmbedding)) {
            let positions = exec.embed_positions(global(Part::PositionEmbedding));
            x = exec.add(x, positions);
        }
        self.norm(exec, 0, [Part::EmbeddingNorm, Part::EmbeddingNormBias], x)
    }

    /// `x + output(attend(rope(query(n)), rope(key(n)), value(n)))`, with a norm before or after.
    fn attention<E: Exec>(&self, exec: &mut E, layer: usize, x: E::Tensor) -> E::Tensor {
        let norm = [Part::AttentionNorm, Part::AttentionNormBias];
        self.half(exec, layer, norm, x, |exec, n| {
            let q = self.linear(exec, layer, [Part::Query, Part::QueryBias], n);
            let k = self.linear(exec, layer, [Part::Key, Part::KeyBias], n);
            let v = self.linear(exec, layer, [Part::Value, Part::ValueBias], n);
            let (q, k) = match self.0.ropes() {
                [None, None] => (q, k),
                _ => (exec.rope(layer, q), exec.rope(layer, k)),
            };
            let mixed = exec.attend(layer, q, k, v);
            let parts = [Part::AttentionOutput, Part::AttentionOutputBias];
            let projected = self.linear(exec, layer, parts, &mixed);
            exec.release(mixed);
            projected
        })
    }

    /// `x + down(activate(gate(n), up(n)))`, with a norm before or after.
    fn feed_forward<E: Exec>(&self, exec: &mut E, layer: usize, x: E::Tensor) -> E::Tensor {
        let norm = [Part::FeedForwardNorm, Part::FeedForwardNormBias];
        self.half(exec, layer, norm, x, |exec, n| {
            let gated = self.0.activation.is_gated();
            let gate = gated.then(|| self.linear(exec, layer, [Part::Gate, Part::GateBias], n));
            let up = self.linear(exec, layer, [Part::Up, Part::UpBias], n);
            let active = exec.activate(layer, gate, up);
            let down = self.linear(exec, layer, [Part::Down, Part::DownBias], &active);
            exec.release(active);
            down
        })
    }

    /// Half a block: `x + inner(norm(x))` or `norm(x + inner(x))`.
    fn half<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        norm: [Part; 2],
        x: E::Tensor,
        inner: impl FnOnce(&mut E, &E::Tensor) -> E::Tensor,
    ) -> E::Tensor {
        let before = self.0.norm.place == NormPlace::Before;
        let has_norm = self.0.has(WeightId { layer, part: norm[0] });
        if before && has_norm {
            let normed = self.normed(exec, layer, norm, &x);
            let y = inner(exec, &normed);
            exec.release(normed);
            return exec.add(x, y);
        }
        let y = inner(exec, &x);
        let sum = exec.add(x, y);
        if before { sum } else { self.norm(exec, layer, norm, sum) }
    }

    /// The norm of what is not needed any more.
    fn norm<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        parts: [Part; 2],
        x: E::Tensor,
    ) -> E::Tensor {
        let normed = self.normed(exec, layer, parts, &x);
        exec.release(x);
        normed
    }

    fn normed<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        [weight, bias]: [Part; 2],
        x: &E::Tensor,
    ) -> E::Tensor {
        let [weight, bias] = [weight, bias].map(|part| WeightId { layer, part });
        let bias = self.0.has(bias).then_some(bias);
        exec.layer_norm(x, weight, bias, self.0.norm.epsilon)
    }

    fn linear<E: Exec>(
        &self,
        exec: &mut E,
        layer: usize,
        [weight, bias]: [Part; 2],
        x: &E::Tensor,
    ) -> E::Tensor {
        let [weight, bias] = [weight, bias].map(|part| WeightId { layer, part });
        exec.linear(x, weight, self.0.has(bias).then_some(bias))
    }
}
