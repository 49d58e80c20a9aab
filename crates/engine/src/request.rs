//! What is asked of the engine, and what it gives back.

use crate::engine::AdapterIdentity;
use crate::error::{Error, Result};
use crate::grammar::Constraint;
use crate::sampling::Sampling;
use crate::thought::Thought;
use allod_lm::{Message, TemplateInput};
use serde_json::Value;
use std::time::Duration;

/// A request for completions of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// What the completion follows.
    pub prompt: Prompt,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Most tokens that are written, in each completion.
    pub max_tokens: usize,
    /// Texts that end the completion; they are not part of it. Empty ones are passed over.
    pub stop: Vec<String>,
    /// The adapter that the model runs with, by the name that the engine was given it under.
    pub adapter: Option<String>,
    /// Who asks. Tenants share the machine evenly, and nothing that was computed for one is used
    /// for another.
    pub tenant: String,
    /// Whose turn comes first.
    pub priority: Priority,
    /// How many completions are given back: from 1 to [`CHOICES_MAX`].
    pub n: usize,
    /// How many completions are written, of which the `n` with the highest mean log probability
    /// are given back; at least `n` and at most [`CHOICES_MAX`]. 0 is the same as `n`.
    pub best_of: usize,
    /// What the completion has to keep to. It is whole, unless its length or a stop text ended it.
    pub constraint: Option<Constraint>,
    /// Special tokens that stand in the text as they are spelled; all others do not stand in it.
    pub spelled: Vec<u32>,
    /// How long it may think, where that is bounded.
    pub thought: Option<Thought>,
    /// Whether the log probabilities of the tokens are given back, and of how many of the likeliest
    /// tokens at each place: at most [`TOP_LOGPROBS_MAX`].
    pub top_logprobs: Option<usize>,
}

/// Most completions that one request can have written.
pub const CHOICES_MAX: usize = 128;

/// Most likeliest tokens that are given back for each place.
pub const TOP_LOGPROBS_MAX: usize = 20;

/// One greedy completion of an empty prompt with no room for a token.
impl Default for GenerateRequest {
    fn default() -> GenerateRequest {
        GenerateRequest {
            prompt: Prompt::Text(String::new()),
            sampling: Sampling::default(),
            max_tokens: 0,
            stop: Vec::new(),
            adapter: None,
            tenant: String::new(),
            priority: Priority::Normal,
            n: 1,
            best_of: 0,
            constraint: None,
            spelled: Vec::new(),
            thought: None,
            top_logprobs: None,
        }
    }
}

impl GenerateRequest {
    /// Whether numbers and parameters are in their ranges.
    ///
    /// # Errors
    /// The first that is not, by name.
    pub fn check(&self) -> Result<()> {
        let range = |name, value, range| Err(Error::Count { name, value, range });
        let top = self.top_logprobs.unwrap_or(0);
        match self {
            _ if !(1..=CHOICES_MAX).contains(&self.n) => range("n", self.n, "from 1 to 128"),
            _ if !(self.n..=CHOICES_MAX).contains(&self.written()) => {
                range("best_of", self.best_of, "at least n and at most 128")
            }
            _ if top > TOP_LOGPROBS_MAX => range("top_logprobs", top, "from 0 to 20"),
            _ => self.sampling.check(),
        }
    }

    /// How many completions are written.
    pub fn written(&self) -> usize {
        if self.best_of == 0 { self.n } else { self.best_of }
    }

    /// Whether more is written than given back, so that log probabilities have to decide.
    pub(crate) fn ranks(&self) -> bool {
        self.written() > self.n
    }
}

/// Whose turn comes first: nothing waits for what has a lower priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Work in the background.
    Low,
    /// What has no reason to be another.
    #[default]
    Normal,
    /// Somebody is waiting.
    High,
}

/// What a completion follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Text as it stands, after the model's begin-of-text token. May be empty.
    Text(String),
    /// A conversation, rendered by the model's chat template.
    Chat(Vec<Message>),
    /// A conversation with all that it may hold beside text: calls of tools and their results, the
    /// tools, variables of the chat template. Names are those of OpenAI's chat completions, with
    /// the arguments of calls as text; what the template wants otherwise is put right. The date is
    /// the engine's.
    Conversation(TemplateInput),
    /// Tokens as they stand: nothing is put before them.
    Tokens(Vec<u32>),
}

impl Prompt {
    /// The messages of a conversation, each an object with `role` and `content`.
    pub fn messages(&self) -> Option<Vec<Value>> {
        match self {
            Prompt::Chat(messages) => Some(TemplateInput::new(messages).messages),
            Prompt::Conversation(input) => Some(input.messages.clone()),
            Prompt::Text(_) | Prompt::Tokens(_) => None,
        }
    }

    /// What the last message of the user says, in a conversation.
    pub fn asked(&self) -> Option<String> {
        let messages = self.messages()?;
        let asked = messages.iter().rev().find(|message| message["role"] == "user")?;
        asked["content"].as_str().map(str::to_string)
    }
}

/// A part of a completion, as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece<'a> {
    /// Which completion: from 0 on.
    pub choice: usize,
    /// Text that is certain to stay: no stop text begins in it. May be empty.
    pub text: &'a str,
    /// The token that was written; none where held text comes out at the end, and where the engine
    /// only asks whether the caller still wants the completion.
    pub token: Option<&'a ChosenToken>,
    /// Why this choice ended, in its last piece.
    pub finish: Option<Finish>,
}

/// A token that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenToken {
    /// The token.
    pub token: u32,
    /// The score that the model itself gives it: before temperature, penalties and filters. Its
    /// bits are the same on every machine.
    pub score: f32,
    /// Natural logarithm of the probability that the model itself gives it: before temperature,
    /// penalties and filters. Where it was asked for.
    pub logprob: Option<f32>,
    /// The likeliest tokens at this place, best first, and the logarithms of their probabilities.
    pub top: Vec<(u32, f32)>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The completions, in order of their number; best first where only some are given back.
    pub choices: Vec<Generated>,
    /// What it took.
    pub usage: Usage,
    /// The adapter that the model ran with.
    pub adapter: Option<AdapterIdentity>,
}

impl Completion {
    /// The first of the completions.
    pub fn first(&self) -> &Generated {
        self.choices.first().expect("at least one completion is asked for")
    }
}

/// What a request took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the prompt that had been computed for an earlier request of the same tenant; of
    /// the first choice.
    pub cached_tokens: usize,
    /// Tokens written in all completions, those that are not given back too.
    pub completion_tokens: usize,
    /// How long the request waited until its prompt began to be read.
    pub queued: Duration,
}

/// A completion.
#[derive(Debug, Clone, PartialEq)]
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
    /// The score that the model itself gave each of them; empty where it is not known.
    pub scores: Vec<f32>,
    /// What is known of each of them; empty where no log probabilities were asked for.
    pub logprobs: Vec<ChosenToken>,
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
