//! What running a model needs to know of it, whichever kind it is.

use super::{Activation, DecoderSpec, ExpertSpec, RopeSpec};
use crate::weight::{Part, WeightId};

/// A description of a model that can be opened and run: [`DecoderSpec`] or
/// [`EncoderSpec`](super::EncoderSpec).
pub trait ModelSpec: Send + Sync {
    /// Name of the architecture.
    fn architecture(&self) -> &'static str;

    /// Tokens that can be read: rows of the token embedding.
    fn vocabulary(&self) -> usize;

    /// What is impossible about the numbers, if anything.
    fn fault(&self) -> Option<String>;

    /// Number of blocks.
    fn layers(&self) -> usize;

    /// Whether the output projection is the token embedding.
    fn tied(&self) -> bool;

    /// Every weight that the model reads, with its shape, outermost dimension first.
    fn inventory(&self) -> Inventory<'_>;

    /// Whether the model has this weight.
    fn has(&self, id: WeightId) -> bool;

    /// Attention, as far as all layers have it in common.
    fn attention(&self) -> AttentionSpec;

    /// Positions that a query sees: its own and those before it where attention is causal, those on
    /// each side of its own where it is not; all if none.
    fn window(&self, layer: usize) -> Option<usize>;

    /// How positions enter by rotation in layers without a window and in those with one.
    fn ropes(&self) -> [Option<&RopeSpec>; 2];

    /// What stands between the feed-forward's two halves.
    fn activation(&self) -> Activation;

    /// The experts of layers that have them.
    fn experts(&self) -> Option<&ExpertSpec>;

    /// What decay in training pulls a part's values towards.
    fn rest(&self, _part: Part) -> f32 {
        0.0
    }
}

/// Weights with their shapes. One at a time: settings may ask for more than any file holds.
pub type Inventory<'a> = Box<dyn Iterator<Item = (WeightId, Vec<usize>)> + 'a>;

/// Attention, as far as all layers have it in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionSpec {
    /// Whether a query sees only its own position and those before it.
    pub causal: bool,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// What scores are multiplied with before the softmax.
    pub scale: f32,
    /// Bounds scores softly before the softmax.
    pub cap: Option<f32>,
    /// Whether each head's softmax has a sink.
    pub sinks: bool,
}

impl AttentionSpec {
    /// Query heads that share a key-value head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// The positions that a query at `position` sees of a sequence of `length` tokens.
    pub fn seen(
        &self,
        position: usize,
        length: usize,
        window: Option<usize>,
    ) -> std::ops::Range<usize> {
        match (self.causal, window) {
            (true, None) => 0..position + 1,
            (true, Some(window)) => (position + 1).saturating_sub(window)..position + 1,
            (false, None) => 0..length,
            (false, Some(window)) => {
                position.saturating_sub(window)..length.min(position + window + 1)
            }
        }
    }
}

impl ModelSpec for DecoderSpec {
    fn architecture(&self) -> &'static str {
        self.architecture
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn fault(&self) -> Option<String> {
        DecoderSpec::fault(self)
    }

    fn layers(&self) -> usize {
        self.layers
    }

    fn tied(&self) -> bool {
        self.tied
    }

    fn inventory(&self) -> Inventory<'_> {
        Box::new(self.weights())
    }

    fn has(&self, id: WeightId) -> bool {
        DecoderSpec::has(self, id)
    }

    fn attention(&self) -> AttentionSpec {
        AttentionSpec {
            causal: true,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            scale: self.attention_scale,
            cap: self.attention_cap,
            sinks: self.sinks,
        }
    }

    fn window(&self, layer: usize) -> Option<usize> {
        self.layer(layer).window
    }

    fn rest(&self, part: Part) -> f32 {
        if self.norms.around_one && part.is_norm() { 1.0 } else { 0.0 }
    }

    fn ropes(&self) -> [Option<&RopeSpec>; 2] {
        [Some(&self.rope), Some(self.window_rope.as_ref().unwrap_or(&self.rope))]
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn experts(&self) -> Option<&ExpertSpec> {
        self.experts.as_ref()
    }
}
