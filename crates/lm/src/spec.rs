//! What a model computes, as plain data.

mod encoder;
mod model;
mod rope;

use crate::weight::{Part, WeightId};
use allod_kernels::{Gate, Weighting};
pub use encoder::{
    EncoderBiases, EncoderNorm, EncoderSpec, HeadActivation, HeadSpec, NormPlace, Pooling,
    Positions,
};
pub use model::{AttentionSpec, Inventory, ModelSpec};
pub use rope::{RopeScaling, RopeSpec};

/// A decoder-only transformer. All lengths are in elements, all counts at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderSpec {
    /// Name of the architecture, as its file in `arch/` gives it.
    pub architecture: &'static str,
    /// Rows of the token embedding.
    pub vocabulary: usize,
    /// Tokens that can be predicted: rows of the output projection. Those of a tied one are the
    /// embedding's.
    pub outputs: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// What each of them is like, over and over: layer `l` is `pattern[l % pattern.len()]`.
    pub pattern: Vec<LayerSpec>,
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
    /// The experts of layers that have them.
    pub experts: Option<ExpertSpec>,
    /// Which norms there are beside the one before each half of a block.
    pub norms: Norms,
    /// Added under the root of every RMS norm.
    pub norm_epsilon: f32,
    /// What scores are multiplied with before the softmax.
    pub attention_scale: f32,
    /// Bounds scores softly before the softmax.
    pub attention_cap: Option<f32>,
    /// Whether each head's softmax has a sink (a learned score without a value).
    pub sinks: bool,
    /// Queries, keys and values are kept within plus and minus this.
    pub query_key_value_limit: Option<f32>,
    /// How positions enter.
    pub rope: RopeSpec,
    /// How they enter in layers with a window, where that differs.
    pub window_rope: Option<RopeSpec>,
    /// Which linears have a bias.
    pub biases: Biases,
    /// Constants of the residual stream.
    pub scales: Scales,
    /// Bounds logits softly.
    pub output_cap: Option<f32>,
    /// Whether the output projection is the token embedding.
    pub tied: bool,
    /// Positions that the model was trained for.
    pub context_length: usize,
}

/// What differs from layer to layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerSpec {
    /// Positions that a query sees, its own included; all if none.
    pub window: Option<usize>,
    /// Whether queries and keys are rotated.
    pub rotary: bool,
    /// Whether the feed-forward is a choice of experts.
    pub sparse: bool,
}

impl LayerSpec {
    /// Full attention with rotation, one feed-forward.
    pub const PLAIN: LayerSpec = LayerSpec { window: None, rotary: true, sparse: false };
}

/// The non-linearity of a feed-forward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `down(silu(gate(x)) * up(x))`
    SiluGated,
    /// `down(gelu(gate(x)) * up(x))`, GELU in its tanh form.
    GeluTanhGated,
    /// `down(gelu(up(x)))`, GELU by the error function.
    Gelu,
    /// `down(gelu(gate(x)) * up(x))`, GELU by the error function.
    GeluGated,
    /// `down((up(x) + 1) * g * sigmoid(alpha * g))` with `g = gate(x)`, both bounded.
    BoundedSiluGated {
        /// Steepness of the sigmoid.
        alpha: f32,
        /// Most that the gate can be, and most that the other half can be either way.
        limit: f32,
    },
    /// `down(xielu(up(x)))`, with parameters of each layer (arXiv 2411.13010).
    Xielu,
}

impl Activation {
    /// Whether there is a gate.
    pub fn is_gated(self) -> bool {
        self.gate().is_some()
    }

    /// What the gate goes through, if there is one.
    pub fn gate(self) -> Option<Gate> {
        match self {
            Activation::SiluGated => Some(Gate::Silu),
            Activation::GeluTanhGated => Some(Gate::GeluTanh),
            Activation::GeluGated => Some(Gate::Gelu),
            Activation::BoundedSiluGated { alpha, limit } => {
                Some(Gate::BoundedSilu { alpha, limit })
            }
            Activation::Xielu | Activation::Gelu => None,
        }
    }
}

/// A choice of feed-forwards.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpertSpec {
    /// Experts of a layer.
    pub count: usize,
    /// Experts that a token goes to.
    pub used: usize,
    /// Width between an expert's two halves.
    pub feed_forward: usize,
    /// How scores become weights.
    pub weighting: Weighting,
}

/// Which norms there are beside the one before each half of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Norms {
    /// Of queries and keys, before rotation.
    pub query_key: Option<QueryKeyNorm>,
    /// After each half, before it is added to the residual stream.
    pub after: bool,
    /// Whether decay in training pulls all of them towards 1, not 0: where checkpoints store what
    /// they differ from 1 by.
    pub around_one: bool,
}

/// What a norm of queries and keys goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryKeyNorm {
    /// Each head by itself, all with the same factors.
    Head,
    /// All heads together.
    Projection,
}

/// Constants that the residual stream is multiplied with; 1 where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scales {
    /// Token embeddings.
    pub embedding: f32,
    /// Each half of a block before it is added.
    pub residual: f32,
    /// Logits, before they are bounded.
    pub logits: f32,
}

impl Default for Scales {
    fn default() -> Scales {
        Scales { embedding: 1.0, residual: 1.0, logits: 1.0 }
    }
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
    /// The router, and gate, up and down of the experts.
    pub experts: bool,
}

impl DecoderSpec {
    /// Query heads that share a key-value head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// What a layer is like.
    pub fn layer(&self, layer: usize) -> LayerSpec {
        self.pattern[layer % self.pattern.len()]
    }

    /// How positions enter in a layer; not at all if none.
    pub fn rope_of(&self, layer: usize) -> Option<&RopeSpec> {
        let kind = self.layer(layer);
        let local = kind.window.and(self.window_rope.as_ref());
        kind.rotary.then(|| local.unwrap_or(&self.rope))
    }

    /// Every weight that the decoder reads, with its shape, outermost dimension first.
    pub fn weights(&self) -> impl Iterator<Item = (WeightId, Vec<usize>)> + '_ {
        let ends = [Part::TokenEmbedding, Part::OutputNorm, Part::Output];
        let ends = ends.into_iter().map(|part| WeightId { layer: 0, part });
        let layers = (0..self.layers)
            .flat_map(|layer| Part::OF_LAYER.into_iter().map(move |part| WeightId { layer, part }));
        ends.chain(layers).filter(|id| self.has(*id)).map(|id| (id, self.shape(id.part)))
    }

    /// Whether the decoder has this weight.
    pub fn has(&self, WeightId { layer, part }: WeightId) -> bool {
        let sparse = self.layer(layer).sparse;
        let gated = self.activation.is_gated();
        match part {
            Part::Output => !self.tied,
            Part::QueryBias | Part::KeyBias | Part::ValueBias => self.biases.query_key_value,
            Part::QueryNorm | Part::KeyNorm => self.norms.query_key.is_some(),
            Part::Sinks => self.sinks,
            Part::AttentionOutputBias => self.biases.attention_output,
            Part::PostAttentionNorm | Part::PostFeedForwardNorm => self.norms.after,
            Part::Gate => !sparse && gated,
            Part::GateBias => !sparse && gated && self.biases.feed_forward,
            Part::Up | Part::Down => !sparse,
            Part::UpBias | Part::DownBias => !sparse && self.biases.feed_forward,
            Part::XieluPositive | Part::XieluNegative | Part::XieluBeta | Part::XieluEpsilon => {
                self.activation == Activation::Xielu
            }
            Part::Router | Part::ExpertUp | Part::ExpertDown => sparse,
            Part::ExpertGate => sparse && gated,
            Part::ExpertGateBias => sparse && gated && self.biases.experts,
            Part::RouterBias | Part::ExpertUpBias | Part::ExpertDownBias => {
                sparse && self.biases.experts
            }
            Part::TokenEmbedding | Part::OutputNorm => true,
            _ => Part::OF_LAYER.contains(&part),
        }
    }

    /// The shape of a weight: `[outputs, inputs]` for matrices, experts outermost.
    pub fn shape(&self, part: Part) -> Vec<usize> {
        let queries = self.heads * self.head_dim;
        let keys = self.kv_heads * self.head_dim;
        let (experts, inner) =
            self.experts.as_ref().map_or((0, 0), |experts| (experts.count, experts.feed_forward));
        let norm = |projection| match self.norms.query_key {
            Some(QueryKeyNorm::Projection) => vec![projection],
            _ => vec![self.head_dim],
        };
        match part {
            Part::TokenEmbedding => vec![self.vocabulary, self.width],
            Part::Output => vec![self.outputs, self.width],
            Part::OutputNorm | Part::AttentionNorm | Part::FeedForwardNorm => vec![self.width],
            Part::PostAttentionNorm | Part::PostFeedForwardNorm => vec![self.width],
            Part::Query => vec![queries, self.width],
            Part::Key | Part::Value => vec![keys, self.width],
            Part::AttentionOutput => vec![self.width, queries],
            Part::QueryBias => vec![queries],
            Part::KeyBias | Part::ValueBias => vec![keys],
            Part::QueryNorm => norm(queries),
            Part::KeyNorm => norm(keys),
            Part::Sinks => vec![self.heads],
            Part::AttentionOutputBias | Part::DownBias => vec![self.width],
            Part::Gate | Part::Up => vec![self.feed_forward, self.width],
            Part::GateBias | Part::UpBias => vec![self.feed_forward],
            Part::Down => vec![self.width, self.feed_forward],
            Part::XieluPositive | Part::XieluNegative => vec![1],
            Part::XieluBeta | Part::XieluEpsilon => vec![1],
            Part::Router => vec![experts, self.width],
            Part::RouterBias => vec![experts],
            Part::ExpertGate | Part::ExpertUp => vec![experts, inner, self.width],
            Part::ExpertGateBias | Part::ExpertUpBias => vec![experts, inner],
            Part::ExpertDown => vec![experts, self.width, inner],
            Part::ExpertDownBias => vec![experts, self.width],
            // The parts of encoders: `has` says that there are none.
            _ => Vec::new(),
        }
    }

    /// What is impossible about the numbers, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        let heads = (!self.heads.is_multiple_of(self.kv_heads.max(1)))
            .then(|| format!("{} heads cannot share {} kv heads", self.heads, self.kv_heads));
        let ropes = [Some(&self.rope), self.window_rope.as_ref()];
        self.size_fault()
            .or(heads)
            .or_else(|| ropes.into_iter().flatten().find_map(|rope| rope.fault(self.head_dim)))
            .or_else(|| self.number_fault())
            .or_else(|| self.layer_fault())
    }

    fn size_fault(&self) -> Option<String> {
        const MOST: usize = 1 << 24;
        let experts = self.experts.as_ref();
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("output vocabulary", self.outputs),
            ("width", self.width),
            ("number of layers", self.layers),
            ("number of heads", self.heads),
            ("number of kv heads", self.kv_heads),
            ("head size", self.head_dim),
            ("feed-forward width", self.feed_forward),
            ("context length", self.context_length),
            ("number of experts", experts.map_or(1, |experts| experts.count)),
            ("number of experts used", experts.map_or(1, |experts| experts.used)),
            ("experts' feed-forward width", experts.map_or(1, |experts| experts.feed_forward)),
        ];
        let bad = sizes.iter().find(|(_, size)| !(1..=MOST).contains(size));
        bad.map(|(name, size)| format!("the {name} is {size}"))
    }

    fn number_fault(&self) -> Option<String> {
        let numbers = [
            ("attention's scale", Some(self.attention_scale)),
            ("attention's cap", self.attention_cap),
            ("logits' cap", self.output_cap),
            ("limit of queries, keys and values", self.query_key_value_limit),
            ("embeddings' scale", Some(self.scales.embedding)),
            ("residual scale", Some(self.scales.residual)),
            ("logits' scale", Some(self.scales.logits)),
        ];
        if !(self.norm_epsilon.is_finite() && self.norm_epsilon >= 0.0) {
            return Some(format!("the norm's epsilon is {}", self.norm_epsilon));
        }
        let sound = |number: f32| number.is_finite() && number > 0.0;
        let bad = numbers.iter().find(|(_, number)| number.is_some_and(|number| !sound(number)));
        bad.and_then(|(name, number)| Some(format!("the {name} is {}", (*number)?)))
    }

    fn layer_fault(&self) -> Option<String> {
        if self.pattern.is_empty() || self.pattern.len() > self.layers {
            let given = self.pattern.len();
            return Some(format!("{given} kinds of layers are given for {} layers", self.layers));
        }
        if self.pattern.iter().any(|layer| layer.window == Some(0)) {
            return Some("the window is 0".to_string());
        }
        if self.tied && self.outputs != self.vocabulary {
            let (outputs, inputs) = (self.outputs, self.vocabulary);
            return Some(format!("{outputs} outputs are tied to {inputs} embeddings"));
        }
        let sparse = self.pattern.iter().any(|layer| layer.sparse);
        match &self.experts {
            Some(experts) if experts.used > experts.count => {
                Some(format!("{} of {} experts are used", experts.used, experts.count))
            }
            None if sparse => Some("a layer has experts, but none are described".to_string()),
            _ => None,
        }
    }
}
