//! The weights of a decoder, by what they do rather than by a checkpoint's names.

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
    Key,
    KeyBias,
    Value,
    ValueBias,
    AttentionOutput,
    AttentionOutputBias,
    FeedForwardNorm,
    Gate,
    GateBias,
    Up,
    UpBias,
    Down,
    DownBias,
}

impl Part {
    /// Parts that every layer has of its own.
    pub const OF_LAYER: [Part; 16] = [
        Part::AttentionNorm,
        Part::Query,
        Part::QueryBias,
        Part::Key,
        Part::KeyBias,
        Part::Value,
        Part::ValueBias,
        Part::AttentionOutput,
        Part::AttentionOutputBias,
        Part::FeedForwardNorm,
        Part::Gate,
        Part::GateBias,
        Part::Up,
        Part::UpBias,
        Part::Down,
        Part::DownBias,
    ];

    /// Whether every layer has its own.
    pub(crate) fn is_of_layer(self) -> bool {
        !matches!(self, Part::TokenEmbedding | Part::OutputNorm | Part::Output)
    }

    /// How checkpoints of every kind end the names of matrices and of biases.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Part::QueryBias | Part::KeyBias | Part::ValueBias | Part::AttentionOutputBias => "bias",
            Part::GateBias | Part::UpBias | Part::DownBias => "bias",
            _ => "weight",
        }
    }

    /// How many parts there are.
    pub(crate) const COUNT: usize = Part::DownBias as usize + 1;
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
