//! Whether a sentence is borne out by the text that it cites.
//!
//! Figures, limits, references, negations, duties, quantifiers, names, parties and conditions are
//! compared with the part of the cited text that says most of the sentence; a classifier weighs
//! what was found with how well the words are covered. It is made to notice what does harm in an
//! official answer; it cannot tell every paraphrase from every invention.

mod alignment;
pub(crate) mod dispute;
mod features;
mod figures;
mod finding;
mod lexicon;
mod numerals;
mod polarity;
pub(crate) mod quantity;
mod roles;
mod slips;
mod text;
mod weights;

use allod_corpus::Language;
use serde::{Deserialize, Serialize};

pub use dispute::Matter;
use features::Looked;
pub use features::{FEATURES, SHAPES};
use finding::Finding;
use weights::{BIAS, SUPPORTED_FROM, WEIGHTS};

/// A cited sentence that shares so much is about the same thing: a difference in it contradicts.
const SAME_MATTER: f64 = 0.5;
/// What is found but weighs less than this is no ground for a verdict.
const CLEAR: f64 = 0.25;

/// What the check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The cited text says it.
    Supported,
    /// The cited text does not say it.
    Unsupported,
    /// The cited text says something else.
    Contradicted,
}

/// A verdict with its grounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Support {
    /// What the check found.
    pub verdict: Verdict,
    /// How likely the cited text bears the sentence out, 0 to 1.
    pub score: f64,
    /// Why not, in words for the record.
    pub because: Vec<String>,
}

/// Checks a sentence against the text that it cites. `language` is that of both; without one of
/// the five it is guessed from the cited text.
#[must_use]
pub fn check(sentence: &str, cited: &str, language: Language) -> Support {
    if same_words(sentence, cited) {
        return Support { verdict: Verdict::Supported, score: 1.0, because: Vec::new() };
    }
    if !sentence.chars().any(char::is_alphanumeric) || cited.trim().is_empty() {
        let because = vec!["nothing is said or nothing is cited".to_owned()];
        return Support { verdict: Verdict::Unsupported, score: 0.0, because };
    }
    let language = known(language, cited);
    judge(&worst(sentence, cited, language))
}

/// A sentence is borne out as far as the worst of its parts is.
fn worst(sentence: &str, cited: &str, language: Language) -> Looked {
    let parts = text::parts(sentence, language);
    let looked = parts.into_iter().map(|part| Looked::at(part, cited, language));
    let worse = |a: &Looked, b: &Looked| probability(&a.values).total_cmp(&probability(&b.values));
    looked.min_by(worse).unwrap_or_else(|| Looked::at(sentence, cited, language))
}

/// What the classifier looks at, for those who fit its weights.
#[must_use]
pub fn features(sentence: &str, cited: &str, language: Language) -> [f64; FEATURES] {
    worst(sentence, cited, known(language, cited)).values
}

fn known(language: Language, cited: &str) -> Language {
    match language {
        Language::Other => Language::detect(cited),
        known => known,
    }
}

fn judge(looked: &Looked) -> Support {
    let score = probability(&looked.values);
    if score >= SUPPORTED_FROM {
        return Support { verdict: Verdict::Supported, score, because: Vec::new() };
    }
    let clear = |finding: &&Finding| finding.strength >= CLEAR;
    let mut because: Vec<String> =
        looked.findings.iter().filter(clear).map(|finding| finding.because.clone()).collect();
    let contradicted = looked.covered >= SAME_MATTER
        && looked.findings.iter().filter(clear).any(|finding| finding.ground.contradicts());
    if because.is_empty() {
        let covered = looked.covered * 100.0;
        because.push(format!("only {covered:.0} % of what it says stands in the cited text"));
    }
    because.dedup();
    let verdict = if contradicted { Verdict::Contradicted } else { Verdict::Unsupported };
    Support { verdict, score, because }
}

fn probability(values: &[f64; FEATURES]) -> f64 {
    let sum: f64 = values.iter().zip(&WEIGHTS).map(|(value, weight)| value * weight).sum();
    1.0 / (1.0 + (-(sum + BIAS)).exp())
}

/// Whether the sentence stands in the cited text word for word.
fn same_words(sentence: &str, cited: &str) -> bool {
    let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = sentence.trim_end_matches(['.', '!', '?']);
    if bare.is_empty() {
        return false;
    }
    let cited = cited.split_whitespace().collect::<Vec<_>>().join(" ");
    // A part of a sentence can lack the negation that stands before it: only whole sentences count.
    cited.match_indices(bare).any(|(at, _)| {
        let before = cited[..at].trim_end().chars().next_back();
        let after = cited[at + bare.len()..].chars().next();
        before.is_none_or(|c| ".!?:;".contains(c)) && after.is_none_or(|c| ".!?;".contains(c))
    })
}

#[cfg(test)]
mod tests;
