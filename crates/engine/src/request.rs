//! What is asked of the engine, and what it gives back.

use allod_lm::Message;

/// A request for a completion.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// What the completion follows.
    pub prompt: Prompt,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Most tokens that are written.
    pub max_tokens: usize,
    /// Texts that end the completion; they are not part of it. Empty ones are passed over.
    pub stop: Vec<String>,
    /// The adapter that the model runs with, by the name that the engine was given it under.
    pub adapter: Option<String>,
}

/// What a completion follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Text as it stands, after the model's begin-of-text token. May be empty.
    Text(String),
    /// A conversation, rendered by the model's chat template.
    Chat(Vec<Message>),
    /// Tokens as they stand: nothing is put before them.
    Tokens(Vec<u32>),
}

/// How the next token is chosen from the model's scores. The steps come in the order of the
/// fields. The default is greedy: the token with the highest score, the lowest id of equals.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Scores are divided by this; 0 is greedy.
    pub temperature: f32,
    /// Only this many of the best tokens are kept; 0 keeps all.
    pub top_k: usize,
    /// Only the best tokens that together have this probability are kept; 1 keeps all.
    pub top_p: f32,
    /// Only tokens with at least this share of the best one's probability are kept; 0 keeps all.
    pub min_p: f32,
    /// Scores of tokens that occurred are divided by this where positive and multiplied with it
    /// where negative (arXiv 1909.05858), before all else; 1 changes nothing.
    pub repetition_penalty: f32,
    /// How many of the last tokens, prompt included, count as occurred; 0 counts all.
    pub repetition_window: usize,
    /// Where the random numbers start.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            repetition_window: 64,
            seed: 0,
        }
    }
}

/// A completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The text, without the prompt and without a stop text.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens written, without the one that ended the text.
    pub completion_tokens: usize,
    /// Why it ended.
    pub finish: Finish,
    /// The tokens written.
    pub tokens: Vec<u32>,
}

/// Why a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended the text, or a stop text came.
    Stop,
    /// As many tokens as were asked for, or as fit in the context, are written.
    Length,
    /// The caller wanted no more.
    Cancelled,
}

impl Finish {
    /// The name that APIs use.
    pub fn name(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::Cancelled => "cancelled",
        }
    }
}
