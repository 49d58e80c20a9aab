//! What a model wrote, token by token, as it is kept and compared.

use allod_engine::{Finish, Generated};
use serde::{Deserialize, Serialize};

/// The completions of one request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Output {
    pub(crate) choices: Vec<Written>,
}

/// One completion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Written {
    /// The tokens.
    pub(crate) tokens: Vec<u32>,
    /// The bits of the score that the model itself gave each of them: eight hexadecimal digits for
    /// each token. A score differs where any number before it does, and costs nothing to keep.
    pub(crate) scores: String,
    /// Why it ended.
    pub(crate) finish: String,
}

impl Output {
    /// What is kept of some completions; `None` where their tokens are not known.
    pub(crate) fn of(choices: &[Generated]) -> Option<Output> {
        let known = |one: &Generated| one.scores.len() == one.completion_tokens;
        if choices.is_empty() || !choices.iter().all(known) {
            return None;
        }
        Some(Output { choices: choices.iter().map(Written::of).collect() })
    }

    /// The text that is committed to.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("an output has only string keys")
    }

    /// Whether a completion was ended by its caller.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.choices.iter().any(|one| one.finish == Finish::Cancelled.name())
    }
}

impl Written {
    fn of(generated: &Generated) -> Written {
        let bits = generated.scores.iter().map(|score| format!("{:08x}", score.to_bits()));
        Written {
            tokens: generated.tokens.clone(),
            scores: bits.collect(),
            finish: generated.finish.name().into(),
        }
    }

    /// The bits of the score of a token.
    pub(crate) fn score(&self, at: usize) -> Option<&str> {
        self.scores.get(at * 8..at * 8 + 8)
    }
}
