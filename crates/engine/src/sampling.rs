//! How tokens are chosen: the parameters and their ranges.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// How the next token is chosen from the model's scores. The steps come in the order of the
/// fields. The default is greedy: the token with the highest score, the lowest id of equals.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Added to the scores of tokens: from -100 to 100 each.
    pub logit_bias: BTreeMap<u32, f32>,
    /// Scores of tokens that occurred are divided by this where positive and multiplied with it
    /// where negative (arXiv 1909.05858); above 0, and 1 changes nothing.
    pub repetition_penalty: f32,
    /// How many of the last tokens, prompt included, count as occurred; 0 counts all.
    pub repetition_window: usize,
    /// Taken from the score of a token once for each time that the completion has it: from -2 to 2.
    pub frequency_penalty: f32,
    /// Taken from the scores of tokens that the completion has: from -2 to 2.
    pub presence_penalty: f32,
    /// What going on with a repetition costs; none if not given.
    pub dry: Option<Dry>,
    /// Scores are divided by this; 0 is greedy, and then nothing of what follows matters.
    pub temperature: f32,
    /// Only this many of the best tokens are kept; 0 keeps all.
    pub top_k: usize,
    /// Only the tokens that surprise nearest to as much as the mean are kept, those that together
    /// have this probability (arXiv 2202.00666); above 0, and 1 keeps all.
    pub typical_p: f32,
    /// Only the best tokens that together have this probability are kept; above 0, and 1 keeps all.
    /// Probabilities are those among the tokens that top-k left.
    pub top_p: f32,
    /// Only tokens with at least this share of the best one's probability are kept; from 0, which
    /// keeps all, to 1.
    pub min_p: f32,
    /// Where the random numbers start.
    pub seed: u64,
}

/// "Don't repeat yourself": a token that would go on with a repetition of `n` tokens loses
/// `multiplier * base ^ (n - allowed_length)`, if `n` is at least `allowed_length` (a sampler by
/// "p-e-w", text-generation-webui pull request 5677).
#[derive(Debug, Clone, PartialEq)]
pub struct Dry {
    /// From 0, which changes nothing, on.
    pub multiplier: f32,
    /// From 1 on.
    pub base: f32,
    /// Repetitions that are shorter cost nothing.
    pub allowed_length: usize,
    /// How many of the last tokens, prompt included, are looked at; 0 looks at all.
    pub window: usize,
    /// No repetition goes across a token whose text has one of these in it.
    pub breakers: Vec<String>,
}

impl Default for Dry {
    fn default() -> Dry {
        Dry {
            multiplier: 0.8,
            base: 1.75,
            allowed_length: 2,
            window: 0,
            breakers: ["\n", ":", "\"", "*"].map(String::from).to_vec(),
        }
    }
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling {
            logit_bias: BTreeMap::new(),
            repetition_penalty: 1.0,
            repetition_window: 64,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            dry: None,
            temperature: 0.0,
            top_k: 0,
            typical_p: 1.0,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Whether every token may be drawn, however unlikely.
    pub(crate) fn leaves_all(&self) -> bool {
        self.top_k == 0 && self.typical_p >= 1.0 && self.top_p >= 1.0 && self.min_p <= 0.0
    }

    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// The first that is not, by name.
    pub fn check(&self) -> Result<()> {
        let least = f32::MIN_POSITIVE;
        let within = "from -2 to 2";
        self.logit_bias.values().try_for_each(|bias| {
            in_range("logit_bias", *bias, [-100.0, 100.0], "from -100 to 100")
        })?;
        in_range("repetition_penalty", self.repetition_penalty, [least, f32::MAX], "above 0")?;
        in_range("frequency_penalty", self.frequency_penalty, [-2.0, 2.0], within)?;
        in_range("presence_penalty", self.presence_penalty, [-2.0, 2.0], within)?;
        if let Some(dry) = &self.dry {
            in_range("dry multiplier", dry.multiplier, [0.0, f32::MAX], "a number from 0 on")?;
            in_range("dry base", dry.base, [1.0, f32::MAX], "a number from 1 on")?;
        }
        in_range("temperature", self.temperature, [0.0, f32::MAX], "a number from 0 on")?;
        in_range("typical_p", self.typical_p, [least, 1.0], "above 0 and at most 1")?;
        in_range("top_p", self.top_p, [least, 1.0], "above 0 and at most 1")?;
        in_range("min_p", self.min_p, [0.0, 1.0], "from 0 to 1")
    }
}

fn in_range(
    name: &'static str,
    value: f32,
    [least, most]: [f32; 2],
    range: &'static str,
) -> Result<()> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(Error::Sampling { name, value, range }),
    }
}
