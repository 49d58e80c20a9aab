//! How tokens are chosen: the parameters and their ranges.

use crate::error::{Error, Result};

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

impl Sampling {
    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// The first that is not, by name.
    pub fn check(&self) -> Result<()> {
        let above_zero = f32::MIN_POSITIVE;
        let rules = [
            ("temperature", self.temperature, 0.0, f32::MAX, "a number from 0 on"),
            ("top_p", self.top_p, above_zero, 1.0, "above 0 and at most 1"),
            ("min_p", self.min_p, 0.0, 1.0, "from 0 to 1"),
            (
                "repetition_penalty",
                self.repetition_penalty,
                above_zero,
                f32::MAX,
                "a number above 0",
            ),
        ];
        match rules.into_iter().find(|(_, value, least, most, _)| !(least..=most).contains(&value))
        {
            Some((name, value, _, _, range)) => Err(Error::Sampling { name, value, range }),
            None => Ok(()),
        }
    }
}
