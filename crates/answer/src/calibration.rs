//! From what is known of an answer to a probability that it is right, and from a rate of wrong
//! answers to the least score that keeps it.
//!
//! A calibration is a file: the scorers, the curve from scores to probabilities, and how many
//! answers were right and wrong above each score on the questions that it was measured on. It names
//! those questions by their digest, and is itself known by the digest of its text.
//! `docs/refusal.md` says how it is fitted and what it promises.

mod bound;
mod forest;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use forest::{Forest, Node, Tree};

use crate::error::Error;

/// The version of the file that this program writes and reads.
pub const CALIBRATION_VERSION: &str = "allod-calibration-1";
/// The name of the file in a data folder.
pub const CALIBRATION_FILE: &str = "calibration.json";
/// A promise may fail with this probability: it is kept in nine of ten calibrations.
pub const DOUBT: f64 = 0.1;

const BUILT_IN: &str = include_str!("calibration/built_in.json");

/// What a calibration was fitted on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FittedOn {
    /// What the questions are, for a reader.
    pub name: String,
    /// The digest of the file of questions, `sha256:…`.
    pub digest: String,
    /// How many questions.
    pub questions: usize,
    /// How many of them the documents answer.
    pub answerable: usize,
    /// The parts (articles, files) that questions were kept together by.
    pub parts: usize,
}

/// A score and what it was worth on the questions of the calibration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Answers with at least this score
    pub score: f64,
    /// were so many
    pub answered: usize,
    /// of which so many wrong;
    pub wrong: usize,
    /// and an answer of this score is right with this probability.
    pub probability: f64,
}

/// A fitted calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`CALIBRATION_VERSION`].
    pub version: String,
    /// What the scorer was fitted on.
    pub scorer_fitted_on: FittedOn,
    /// What the steps were measured on: never what the scores that were measured were fitted on.
    pub measured_on: FittedOn,
    /// The features by which answers are scored, in the scorer's order.
    pub features: Vec<String>,
    /// The scorers; a question is scored by the one that its digest picks.
    pub scorers: Vec<Forest>,
    /// From the highest score down.
    pub steps: Vec<Step>,
}

/// A calibration that was read, with the digest that receipts name.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrated {
    calibration: Calibration,
    text: String,
    digest: String,
    built_in: bool,
}

/// What a calibration says of one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The answer's score.
    pub score: f64,
    /// How likely the answer is right.
    pub probability: f64,
    /// The digest of the calibration, `sha256:…`.
    pub calibration: String,
    /// Whether it is the one that comes with the program, rather than the operator's own.
    pub built_in: bool,
}

impl Calibration {
    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a calibration is plain data") + "\n"
    }

    /// The least score whose answers keep to `max_error`, as far as the steps can prove it;
    /// `None` where no score does.
    #[must_use]
    pub fn least_score(&self, max_error: f64) -> Option<f64> {
        bound::least_score(&self.steps, max_error, DOUBT)
    }

    /// How likely an answer of this score is right.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        let at = self.steps.iter().position(|step| step.score <= score);
        let last = self.steps.last();
        at.map(|at| &self.steps[at]).or(last).map_or(0.0, |step| step.probability)
    }

    /// The score of an answer by its named features; a feature that is not given counts as 0.
    #[must_use]
    pub fn score(&self, question: &str, features: &[(&'static str, f64)]) -> f64 {
        let value = |name: &String| {
            features.iter().find(|(own, _)| own == name).map_or(0.0, |(_, value)| *value)
        };
        let values: Vec<f64> = self.features.iter().map(value).collect();
        let picked = pick(question, self.scorers.len());
        picked.and_then(|at| self.scorers.get(at)).map_or(0.0, |scorer| scorer.score(&values))
    }
}

/// Which of `scorers` a question is scored by.
#[must_use]
pub fn pick(question: &str, scorers: usize) -> Option<usize> {
    // FNV-1a: any fixed function of the question will do.
    let hash = question.trim().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (scorers > 0).then(|| (hash % scorers as u64) as usize)
}

impl Calibrated {
    /// The one that comes with the program.
    #[must_use]
    pub fn built_in() -> Calibrated {
        let mut own = Calibrated::parse(BUILT_IN).expect("a test reads the built-in calibration");
        own.built_in = true;
        own
    }

    /// Reads a calibration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Calibrated, String> {
        let calibration: Calibration =
            serde_json::from_str(text).map_err(|error| format!("is no calibration: {error}"))?;
        if calibration.version != CALIBRATION_VERSION {
            return Err(format!(
                "is a calibration of version `{}`, but this program reads {CALIBRATION_VERSION}",
                calibration.version
            ));
        }
        let known = crate::quote::feature_names();
        if let Some(strange) = calibration.features.iter().find(|f| !known.contains(&f.as_str())) {
            return Err(format!("judges by `{strange}`, which this program does not know"));
        }
        let width = calibration.features.len();
        if !calibration.scorers.iter().all(|forest| forest.is_sound(width)) {
            return Err("has a tree with a branch that leads nowhere".into());
        }
        let digest = allod_corpus::Digest::of(text.as_bytes()).to_string();
        Ok(Calibrated { calibration, text: text.to_owned(), digest, built_in: false })
    }

    /// The calibration given, else the operator's own in the data folder, else the built-in one.
    ///
    /// # Errors
    /// [`Error::Folder`] when there is one that cannot be used: to go on with another would not
    /// keep the promise.
    pub fn open(data: &Path, given: Option<&Path>) -> Result<Calibrated, Error> {
        let own = data.join(CALIBRATION_FILE);
        let path = match given {
            Some(given) => given.to_owned(),
            None if own.exists() => own,
            None => return Ok(Calibrated::built_in()),
        };
        let again =
            "make it again with `allod eval calibrate`, or remove it to use the built-in one";
        let unusable = |reason: String| Error::Folder {
            path: path.clone(),
            reason: format!("{reason}; {again}"),
        };
        let text = std::fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
        Calibrated::parse(&text).map_err(unusable)
    }

    /// The calibration itself.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The text that was read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its digest, `sha256:…`.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether it comes with the program.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.built_in
    }

    /// What it says of an answer.
    #[must_use]
    pub fn judge(&self, question: &str, features: &[(&'static str, f64)]) -> Judged {
        let score = self.calibration.score(question, features);
        Judged {
            score,
            probability: self.calibration.probability(score),
            calibration: self.digest.clone(),
            built_in: self.built_in,
        }
    }
}

#[cfg(test)]
mod tests;
