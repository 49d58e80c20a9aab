//! What an encoder computes, as plain data.

use super::{Activation, AttentionSpec, ExpertSpec, Inventory, ModelSpec, RopeSpec};
use crate::weight::{Part, WeightId};

/// A transformer whose tokens see each other in both directions. All lengths are in elements, all
/// counts at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderSpec {
    /// Name of the architecture, as its file in `arch/` gives it.
    pub architecture: &'static str,
    /// Rows of the token embedding.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Positions that a query sees on each side of its own (all if none), layer by layer, over and
    /// over.
    pub windows: Vec<Option<usize>>,
    /// Heads.
    pub heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Width between the feed-forward's two halves.
    pub feed_forward: usize,
    /// What stands between them.
    pub activation: Activation,
    /// How positions enter.
    pub positions: Positions,
    /// Segments that a token can be of (sentence A or B); none where there is no such embedding.
    pub segments: Option<usize>,
    /// The norms.
    pub norm: EncoderNorm,
    /// Which linears have a bias.
    pub biases: EncoderBiases,
    /// What scores are multiplied with before the softmax.
    pub attention_scale: f32,
    /// Tokens of a sequence, at most.
    pub context_length: usize,
    /// What turns a sequence into scores, where the model does.
    pub head: Option<HeadSpec>,
}

/// How positions enter.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// A learned vector of each of `context_length` positions is added to the embedding.
    Learned {
        /// Rows at the start of the table as it is stored that no token's position has.
        unused: usize,
    },
    /// Queries and keys are rotated.
    Rotary {
        /// In layers that see everything.
        rope: RopeSpec,
        /// In layers with a window.
        window_rope: RopeSpec,
    },
}

/// Layer norms: one after the embedding, two in each block, perhaps one at the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderNorm {
    /// Where those of a block stand.
    pub place: NormPlace,
    /// Added under the root.
    pub epsilon: f32,
    /// Whether they have a bias.
    pub bias: bool,
}

/// Where the norms of a block stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlace {
    /// Before each half, and once more at the end of the model. The first block's attention goes
    /// without, as it comes right after the embedding's.
    Before,
    /// After each half and its addition to the residual stream.
    After,
}

/// Which linears have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncoderBiases {
    /// Query, key, value and the projection after attention.
    pub attention: bool,
    /// Gate, up and down.
    pub feed_forward: bool,
}

/// `output(norm(activate(dense(pooled))))`: scores of a whole sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadSpec {
    /// How a sequence becomes one vector.
    pub pooling: Pooling,
    /// What follows the first linear.
    pub activation: HeadActivation,
    /// Whether the first linear has a bias.
    pub dense_bias: bool,
    /// Whether a norm follows.
    pub norm: bool,
    /// Scores.
    pub labels: usize,
}

/// The non-linearity of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadActivation {
    /// Hyperbolic tangent.
    Tanh,
    /// GELU by the error function.
    Gelu,
}

/// How the vectors of a sequence's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// That of the first token.
    First,
    /// That of the last token.
    Last,
    /// Their mean.
    Mean,
}

impl Pooling {
    /// The number that llama.cpp has for it (`llama.h`, `llama_pooling_type`).
    pub(crate) fn gguf_number(self) -> u32 {
        match self {
            Pooling::Mean => 1,
            Pooling::First => 2,
            Pooling::Last => 3,
        }
    }
}

impl EncoderSpec {
    fn has_rotary_positions(&self) -> bool {
        matches!(self.positions, Positions::Rotary { .. })
    }

    fn shape(&self, part: Part) -> Vec<usize> {
        let (width, inner) = (self.width, self.feed_forward);
        let attended = self.heads * self.head_dim;
        let labels = self.head.as_ref().map_or(0, |head| head.labels);
        match part {
            Part::TokenEmbedding => vec![self.vocabulary, width],
            Part::PositionEmbedding => vec![self.context_length, width],
            Part::SegmentEmbedding => vec![self.segments.unwrap_or(0), width],
            Part::Query | Part::Key | Part::Value => vec![attended, width],
            Part::QueryBias | Part::KeyBias | Part::ValueBias => vec![attended],
            Part::AttentionOutput => vec![width, attended],
            Part::Gate | Part::Up => vec![inner, width],
            Part::GateBias | Part::UpBias => vec![inner],
            Part::Down => vec![width, inner],
            Part::HeadDense => vec![width, width],
            Part::HeadOutput => vec![labels, width],
            Part::HeadOutputBias => vec![labels],
            _ => vec![width],
        }
    }

    /// What is impossible about the numbers, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        const MOST: usize = 1 << 24;
        let labels = self.head.as_ref().map_or(1, |head| head.labels);
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("width", self.width),
            ("number of layers", self.layers),
            ("number of heads", self.heads),
            ("head size", self.head_dim),
            ("feed-forward width", self.feed_forward),
            ("context length", self.context_length),
            ("number of segments", self.segments.unwrap_or(1)),
            ("number of labels", labels),
        ];
        if let Some((name, size)) = sizes.iter().find(|(_, size)| !(1..=MOST).contains(size)) {
            return Some(format!("the {name} is {size}"));
        }
        if self.heads * self.head_dim > MOST {
            return Some(format!("{} heads of {} elements", self.heads, self.head_dim));
        }
        if self.windows.is_empty() || self.windows.len() > self.layers {
            let given = self.windows.len();
            return Some(format!("{given} windows are given for {} layers", self.layers));
        }
        if !(self.norm.epsilon.is_finite() && self.norm.epsilon >= 0.0) {
            return Some(format!("the norm's epsilon is {}", self.norm.epsilon));
        }
        self.ropes().into_iter().flatten().find_map(|rope| rope.fault(self.head_dim))
    }
}

impl ModelSpec for EncoderSpec {
    fn architecture(&self) -> &'static str {
        self.architecture
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn fault(&self) -> Option<String> {
        EncoderSpec::fault(self)
    }

    fn layers(&self) -> usize {
        self.layers
    }

    fn tied(&self) -> bool {
        false
    }

    fn inventory(&self) -> Inventory<'_> {
        let ends = Part::OF_ENCODER.into_iter().map(|part| WeightId { layer: 0, part });
        let layers = (0..self.layers).flat_map(|layer| {
            Part::OF_ENCODER_LAYER.into_iter().map(move |part| WeightId { layer, part })
        });
        let all = ends.chain(layers).filter(|id| self.has(*id));
        Box::new(all.map(|id| (id, self.shape(id.part))))
    }

    fn has(&self, WeightId { layer, part }: WeightId) -> bool {
        let before = self.norm.place == NormPlace::Before;
        let gated = self.activation.is_gated();
        let head = |has: fn(&HeadSpec) -> bool| self.head.as_ref().is_some_and(has);
        match part {
            Part::PositionEmbedding => !self.has_rotary_positions(),
            Part::SegmentEmbedding => self.segments.is_some(),
            Part::EmbeddingNormBias | Part::FeedForwardNormBias => self.norm.bias,
            Part::AttentionNorm => !(before && layer == 0),
            Part::AttentionNormBias => self.norm.bias && !(before && layer == 0),
            Part::OutputNorm => before,
            Part::OutputNormBias => before && self.norm.bias,
            Part::QueryBias | Part::KeyBias | Part::ValueBias | Part::AttentionOutputBias => {
                self.biases.attention
            }
            Part::Gate => gated,
            Part::GateBias => gated && self.biases.feed_forward,
            Part::UpBias | Part::DownBias => self.biases.feed_forward,
            Part::HeadDense | Part::HeadOutput | Part::HeadOutputBias => self.head.is_some(),
            Part::HeadDenseBias => head(|head| head.dense_bias),
            Part::HeadNorm => head(|head| head.norm),
            Part::HeadNormBias => self.norm.bias && head(|head| head.norm),
            _ => Part::OF_ENCODER.contains(&part) || Part::OF_ENCODER_LAYER.contains(&part),
        }
    }

    fn attention(&self) -> AttentionSpec {
        AttentionSpec {
            causal: false,
            heads: self.heads,
            kv_heads: self.heads,
            head_dim: self.head_dim,
            scale: self.attention_scale,
            cap: None,
            sinks: false,
        }
    }

    fn window(&self, layer: usize) -> Option<usize> {
        self.windows[layer % self.windows.len()]
    }

    fn ropes(&self) -> [Option<&RopeSpec>; 2] {
        match &self.positions {
            Positions::Learned { .. } => [None, None],
            Positions::Rotary { rope, window_rope } => [Some(rope), Some(window_rope)],
        }
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn experts(&self) -> Option<&ExpertSpec> {
        None
    }
}
