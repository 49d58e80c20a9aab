//! The weights of a model, by what they do rather than by a checkpoint's names.

/// What a weight does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Part {
    TokenEmbedding,
    OutputNorm,
    Output,
    AttentionNorm,
    Query,
    QueryBias,
    QueryNorm,
    Key,
    KeyBias,
    KeyNorm,
    Value,
    ValueBias,
    Sinks,
    AttentionOutput,
    AttentionOutputBias,
    PostAttentionNorm,
    FeedForwardNorm,
    Gate,
    GateBias,
    Up,
    UpBias,
    XieluPositive,
    XieluNegative,
    XieluBeta,
    XieluEpsilon,
    Down,
    DownBias,
    Router,
    RouterBias,
    ExpertGate,
    ExpertGateBias,
    ExpertUp,
    ExpertUpBias,
    ExpertDown,
    ExpertDownBias,
    PostFeedForwardNorm,
    PositionEmbedding,
    SegmentEmbedding,
    EmbeddingNorm,
    EmbeddingNormBias,
    OutputNormBias,
    AttentionNormBias,
    FeedForwardNormBias,
    HeadDense,
    HeadDenseBias,
    HeadNorm,
    HeadNormBias,
    HeadOutput,
    HeadOutputBias,
}

impl Part {
    /// Whether activations are multiplied with it: of embeddings, only with those that are the
    /// output as well.
    pub fn is_multiplied(self, tied: bool) -> bool {
        match self {
            Part::TokenEmbedding => tied,
            Part::PositionEmbedding | Part::SegmentEmbedding => false,
            _ => true,
        }
    }

    /// Parts of an encoder outside its layers.
    pub const OF_ENCODER: [Part; 13] = [
        Part::TokenEmbedding,
        Part::PositionEmbedding,
        Part::SegmentEmbedding,
        Part::EmbeddingNorm,
        Part::EmbeddingNormBias,
        Part::OutputNorm,
        Part::OutputNormBias,
        Part::HeadDense,
        Part::HeadDenseBias,
        Part::HeadNorm,
        Part::HeadNormBias,
        Part::HeadOutput,
        Part::HeadOutputBias,
    ];

    /// Parts that every layer of an encoder has of its own.
    pub const OF_ENCODER_LAYER: [Part; 18] = [
        Part::AttentionNorm,
        Part::AttentionNormBias,
        Part::Query,
        Part::QueryBias,
        Part::Key,
        Part::KeyBias,
        Part::Value,
        Part::ValueBias,
        Part::AttentionOutput,
        Part::AttentionOutputBias,
        Part::FeedForwardNorm,
        Part::FeedForwardNormBias,
        Part::Gate,
        Part::GateBias,
        Part::Up,
        Part::UpBias,
        Part::Down,
        Part::DownBias,
    ];

    /// Parts that every layer of a decoder has of its own.
    pub const OF_LAYER: [Part; 33] = [
        Part::AttentionNorm,
        Part::Query,
        Part::QueryBias,
        Part::QueryNorm,
        Part::Key,
        Part::KeyBias,
        Part::KeyNorm,
        Part::Value,
        Part::ValueBias,
        Part::Sinks,
        Part::AttentionOutput,
        Part::AttentionOutputBias,
        Part::PostAttentionNorm,
        Part::FeedForwardNorm,
        Part::Gate,
        Part::GateBias,
        Part::Up,
        Part::UpBias,
        Part::XieluPositive,
        Part::XieluNegative,
        Part::XieluBeta,
        Part::XieluEpsilon,
        Part::Down,
        Part::DownBias,
        Part::Router,
        Part::RouterBias,
        Part::ExpertGate,
        Part::ExpertGateBias,
        Part::ExpertUp,
        Part::ExpertUpBias,
        Part::ExpertDown,
        Part::ExpertDownBias,
        Part::PostFeedForwardNorm,
    ];

    /// Whether it is the factors of a norm.
    pub(crate) fn is_norm(self) -> bool {
        use Part::{AttentionNorm, FeedForwardNorm, KeyNorm, OutputNorm, QueryNorm};
        let inner = matches!(self, AttentionNorm | FeedForwardNorm | QueryNorm | KeyNorm);
        let outer = matches!(self, OutputNorm | Part::EmbeddingNorm | Part::HeadNorm);
        inner || outer || matches!(self, Part::PostAttentionNorm | Part::PostFeedForwardNorm)
    }

    /// Whether training leaves it as it is: a number that belongs to the definition.
    pub(crate) fn is_constant(self) -> bool {
        matches!(self, Part::XieluBeta | Part::XieluEpsilon)
    }

    /// Whether every expert has its own: the outermost dimension is the expert.
    pub(crate) fn is_of_expert(self) -> bool {
        matches!(self, Part::ExpertGate | Part::ExpertUp | Part::ExpertDown)
            || self.is_expert_bias()
    }

    /// Whether it is a bias of the experts.
    pub(crate) fn is_expert_bias(self) -> bool {
        matches!(self, Part::ExpertGateBias | Part::ExpertUpBias | Part::ExpertDownBias)
    }

    /// How many parts there are.
    pub(crate) const COUNT: usize = Part::HeadOutputBias as usize + 1;
}

/// One weight: a part, and the layer it belongs to (0 for parts outside the layers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeightId {
    /// The layer, from 0.
    pub layer: usize,
    /// What it does there.
    pub part: Part,
}

impl WeightId {
    /// A dense index, for tables.
    pub(crate) fn index(self) -> usize {
        self.layer * Part::COUNT + self.part as usize
    }
}
