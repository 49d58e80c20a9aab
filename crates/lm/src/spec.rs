//! What a decoder computes, as plain data.

use crate::weight::{Part, WeightId};
use allod_kernels::RopePairing;

/// A decoder-only transformer. All lengths are in elements, all counts at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderSpec {
    /// Name of the architecture, as its file in `arch/` gives it.
    pub architecture: &'static str,
    /// Rows of the token embedding.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Width between the feed-forward's two halves.
    pub feed_forward: usize,
    /// What stands between them.
    pub activation: Activation,
    /// Added under the root of every RMS norm.
    pub norm_epsilon: f32,
    /// What scores are multiplied with before the softmax.
    pub attention_scale: f32,
    /// How positions enter.
    pub rope: RopeSpec,
    /// Which linears have a bias.
    pub biases: Biases,
    /// Whether the output projection is the token embedding.
    pub tied: bool,
    /// Positions that the model was trained for.
    pub context_length: usize,
}

/// The non-linearity of a feed-forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `down(silu(gate(x)) * up(x))`
    SiluGated,
}

/// Rotary position embedding (arXiv 2104.09864).
#[derive(Debug, Clone, PartialEq)]
pub struct RopeSpec {
    /// Base of the geometric series of wavelengths.
    pub theta: f64,
    /// Elements at the start of each head that are rotated; even.
    pub dimensions: usize,
    /// Which elements form a pair: a matter of how the checkpoint's rows are ordered.
    pub pairing: RopePairing,
    /// How frequencies are changed for longer contexts.
    pub scaling: RopeScaling,
}

/// Changes to the rotary frequencies.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// None.
    None,
    /// All frequencies divided by a factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Llama 3.1: long waves divided, short ones kept, a ramp between.
    Llama3 {
        /// What long waves are divided by.
        factor: f64,
        /// Waves longer than `original_context / low_frequency_factor` are long.
        low_frequency_factor: f64,
        /// Waves shorter than `original_context / high_frequency_factor` are short.
        high_frequency_factor: f64,
        /// The context before it was extended.
        original_context: f64,
    },
    /// One divisor per frequency, as GGUF's `rope_freqs` tensor has them.
    Divisors(Vec<f32>),
}

/// Which linears have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Biases {
    /// Query, key and value projections.
    pub query_key_value: bool,
    /// The projection after attention.
    pub attention_output: bool,
    /// Gate, up and down.
    pub feed_forward: bool,
}

impl DecoderSpec {
    /// Query heads that share a key-value head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Every weight that the decoder reads, with its shape, outermost dimension first.
    pub fn weights(&self) -> impl Iterator<Item = (WeightId, Vec<usize>)> + '_ {
        let ends = [Part::TokenEmbedding, Part::OutputNorm, Part::Output];
        let ends = ends.into_iter().map(|part| WeightId { layer: 0, part });
        let layers = (0..self.layers)
            .flat_map(|layer| Part::OF_LAYER.into_iter().map(move |part| WeightId { layer, part }));
        ends.chain(layers).filter(|id| self.has(id.part)).map(|id| (id, self.shape(id.part)))
    }

    /// Whether the decoder has this weight.
    pub fn has(&self, part: Part) -> bool {
        match part {
            Part::Output => !self.tied,
            Part::QueryBias | Part::KeyBias | Part::ValueBias => self.biases.query_key_value,
            Part::AttentionOutputBias => self.biases.attention_output,
            Part::GateBias | Part::UpBias | Part::DownBias => self.biases.feed_forward,
            _ => true,
        }
    }

    /// The shape of a weight: `[outputs, inputs]` for matrices.
    pub fn shape(&self, part: Part) -> Vec<usize> {
        let queries = self.heads * self.head_dim;
        let keys = self.kv_heads * self.head_dim;
        match part {
            Part::TokenEmbedding | Part::Output => vec![self.vocabulary, self.width],
            Part::OutputNorm | Part::AttentionNorm | Part::FeedForwardNorm => vec![self.width],
            Part::Query => vec![queries, self.width],
            Part::Key | Part::Value => vec![keys, self.width],
            Part::AttentionOutput => vec![self.width, queries],
            Part::QueryBias => vec![queries],
            Part::KeyBias | Part::ValueBias => vec![keys],
            Part::AttentionOutputBias | Part::DownBias => vec![self.width],
            Part::Gate | Part::Up => vec![self.feed_forward, self.width],
            Part::GateBias | Part::UpBias => vec![self.feed_forward],
            Part::Down => vec![self.width, self.feed_forward],
        }
    }

    /// What is impossible about the numbers, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        const MOST: usize = 1 << 24;
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("width", self.width),
            ("number of layers", self.layers),
            ("number of heads", self.heads),
            ("number of kv heads", self.kv_heads),
            ("head size", self.head_dim),
            ("feed-forward width", self.feed_forward),
            ("context length", self.context_length),
        ];
        if let Some((name, size)) = sizes.iter().find(|(_, size)| !(1..=MOST).contains(size)) {
            return Some(format!("the {name} is {size}"));
        }
        let rotary = self.rope.dimensions;
        if !self.heads.is_multiple_of(self.kv_heads) {
            Some(format!("{} heads cannot share {} kv heads", self.heads, self.kv_heads))
        } else if !rotary.is_multiple_of(2) || rotary == 0 || rotary > self.head_dim {
            Some(format!("{rotary} of a head's {} elements cannot be rotated", self.head_dim))
        } else if !(self.rope.theta.is_finite() && self.rope.theta > 0.0) {
            Some(format!("the rope base is {}", self.rope.theta))
        } else if !(self.norm_epsilon.is_finite() && self.norm_epsilon >= 0.0) {
            Some(format!("the norm's epsilon is {}", self.norm_epsilon))
        } else {
            self.rope.scaling.fault(rotary / 2)
        }
    }
}

impl RopeScaling {
    fn fault(&self, pairs: usize) -> Option<String> {
        let sound = |value: f64| value.is_finite() && value > 0.0;
        match self {
            RopeScaling::None => None,
            RopeScaling::Linear { factor } if sound(*factor) => None,
            RopeScaling::Llama3 {
                factor,
                low_frequency_factor: low,
                high_frequency_factor: high,
                original_context,
            } if sound(*factor) && sound(*low) && high > low && sound(*original_context) => None,
            RopeScaling::Divisors(divisors)
                if divisors.len() == pairs && divisors.iter().all(|d| sound(f64::from(*d))) =>
            {
                None
            }
            other => Some(format!("the rope scaling is {other:?}")),
        }
    }
}
