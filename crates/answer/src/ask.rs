//! What is asked, and by whom.

use allod_corpus::Language;
use allod_retrieval::Clearance;
use jiff::civil::Date;

/// Who asks: decided by the server from the key, or by the operator's command line. Never by the
/// request's own text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The tenant that the caller belongs to.
    pub tenant: String,
    /// A pseudonym of the person or program that asks.
    pub subject: String,
    /// The access labels that the caller may read.
    pub clearance: Clearance,
}

impl Caller {
    /// The operator at the command line: local, without any label unless given.
    #[must_use]
    pub fn operator(clearance: Clearance) -> Caller {
        Caller { tenant: "local".into(), subject: "operator".into(), clearance }
    }
}

/// One question to the documents.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The question, in any of the languages of the documents.
    pub question: String,
    /// Who asks.
    pub caller: Caller,
    /// The date whose law counts; today when absent.
    pub on: Option<Date>,
    /// The language to answer in; detected when absent.
    pub language: Option<Language>,
}

/// A turn of the model itself, without the documents.
#[derive(Clone, Debug)]
pub struct Chat {
    /// What the model goes on from: a conversation, oldest message first, or a plain text.
    pub prompt: allod_engine::Prompt,
    /// Who asks.
    pub caller: Caller,
    /// How to sample.
    pub sampling: allod_engine::Sampling,
    /// At most so many tokens.
    pub max_tokens: usize,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    /// What the answer keeps to.
    pub constraint: Option<allod_engine::Constraint>,
    /// Special tokens that stand in the answer as they are spelled.
    pub spelled: Vec<u32>,
    /// How long the model may think, where that is bounded.
    pub thought: Option<allod_engine::Thought>,
    /// How many answers are written, and what is told of their tokens.
    pub choices: Choices,
    /// The adapter that the model runs with, by the name that it was loaded under.
    pub adapter: Option<String>,
}

/// How many answers are written, and what is told of their tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// How many are given back.
    pub n: usize,
    /// How many are written, of which the likeliest are given back; 0 is the same as `n`.
    pub best_of: usize,
    /// Whether the log probabilities of the tokens are told, and of how many others at each place.
    pub top_logprobs: Option<usize>,
}

/// One answer.
impl Default for Choices {
    fn default() -> Choices {
        Choices { n: 1, best_of: 0, top_logprobs: None }
    }
}

impl Choices {
    /// How many are written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.n.max(self.best_of)
    }
}

/// Texts to be turned into vectors.
#[derive(Clone, Debug)]
pub struct Embed {
    /// The texts.
    pub texts: Vec<String>,
    /// What they are embedded for.
    pub purpose: allod_lm::Purpose,
    /// Who asks.
    pub caller: Caller,
}

/// Documents to be scored beside a query.
#[derive(Clone, Debug)]
pub struct Rerank {
    /// The query.
    pub query: String,
    /// The documents' texts.
    pub documents: Vec<String>,
    /// Who asks.
    pub caller: Caller,
}
