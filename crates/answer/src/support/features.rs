//! What the classifier looks at, as numbers.

use allod_corpus::Language;

use super::alignment::{Alignment, Match};
use super::figures::near_figures;
use super::finding::{Finding, Ground};
use super::quantity::Quantity;
use super::text::Text;
use super::{figures, polarity, roles, slips};

/// The features that come before those that speak against a sentence.
pub const SHAPES: usize = 11;

/// What another noun counts where it is not known for sure to be one.
const UNSURE_NOUN: f64 = 0.3;

/// Paraphrases are torn a little too.
const TORN_FROM: f64 = 0.35;
/// Each part of a torn sentence has so many words at least.
const LEAST_TORN: usize = 4;

/// A preface has so many words at most.
const PREFACE: usize = 8;

/// How many features there are.
pub const FEATURES: usize = SHAPES + Ground::COUNT;

/// A sentence and what it cites, looked at from all sides.
pub(super) struct Looked {
    pub(super) values: [f64; FEATURES],
    pub(super) findings: Vec<Finding>,
    /// How much of the sentence stands in the part of the cited text that says most of it.
    pub(super) covered: f64,
}

impl Looked {
    pub(super) fn at(said: &str, cited: &str, language: Language) -> Looked {
        let (said, cited) = (Text::new(said, language), Text::new(cited, language));
        let laid = Alignment::new(&said, &cited);
        let mut findings = figures::findings(&said, &cited, &laid);
        if laid.covered > 0.25 {
            findings.extend(polarity::findings(&said, &cited, &laid));
            findings.extend(roles::findings(&said, &cited, &laid));
            findings.extend(slips::findings(&said, &cited, &laid));
        }
        let verbatim = verbatim(&said, &cited);
        for finding in &mut findings {
            // In a paraphrase another word is no other thing.
            if matches!(finding.ground, Ground::OtherNoun | Ground::OtherWord | Ground::Slip) {
                finding.strength *= verbatim;
            }
            // Outside German, nouns are known by what stands before them, and not for sure.
            if finding.ground == Ground::OtherNoun && language != Language::De {
                finding.strength *= UNSURE_NOUN;
            }
        }
        let mut values = [0.0; FEATURES];
        values[..SHAPES].copy_from_slice(&shapes(&said, &cited, &laid));
        for finding in &findings {
            let value = &mut values[SHAPES + finding.ground as usize];
            *value = (*value + finding.strength).min(1.5);
        }
        Looked { values, findings, covered: laid.covered }
    }
}

/// Coverage, order and likeness to the letter.
fn shapes(said: &Text, cited: &Text, laid: &Alignment) -> [f64; SHAPES] {
    let count = said.content().count();
    let unmatched: Vec<f64> = said
        .content()
        .filter(|(at, _)| !matches!(laid.to[*at], Match::Same(..)))
        .map(|(_, token)| token.weight)
        .collect();
    let rarest = unmatched.iter().copied().fold(0.0, f64::max);
    let verbatim = verbatim(said, cited);
    let run = longest_gap(said, laid);
    let shared = |own: &Quantity| near_figures(cited, laid).any(|other| other.same(own));
    let (shared_figures, figures) =
        (said.figures().filter(|own| shared(own)).count(), said.figures().count());
    let shared_figures = if shared_figures < figures { 0 } else { shared_figures };
    [
        laid.covered,
        (laid.covered - 0.6).max(0.0),
        (0.45 - laid.covered).max(0.0),
        laid.covered_anywhere - laid.covered,
        rarest,
        // Few words replaced in a sentence that is taken over otherwise were replaced for a reason.
        verbatim * (unmatched.len() as f64).min(2.0),
        1.0 / (1.0 + count as f64),
        if count == 0 { 1.0 } else { 0.0 },
        // Figures that all stand there too make it likelier that the same is meant.
        shared_figures.min(2) as f64,
        (torn(said, cited, laid) - TORN_FROM).max(0.0),
        // The other half of a sentence that is taken over word for word is invented.
        verbatim * run.saturating_sub(1) as f64 / 3.0,
    ]
}

/// How clearly the sentence is torn: one part of it is taken over word for word, and the other is
/// neither taken over nor said in other words. Who says a thing in other words does so throughout.
fn torn(said: &Text, cited: &Text, laid: &Alignment) -> f64 {
    let held = pairs(cited);
    let same: Vec<bool> =
        (1..said.tokens.len()).map(|at| held.contains(&pair(said, at - 1))).collect();
    let share = |range: std::ops::Range<usize>| {
        let count = range.len();
        let taken = same[range].iter().filter(|same| **same).count();
        if count == 0 { 0.0 } else { taken as f64 / count as f64 }
    };
    let said_so = |range: std::ops::Range<usize>| {
        let (mut count, mut taken, mut total) = (0, 0.0, 0.0);
        for at in range.filter(|at| said.tokens[*at].is_content()) {
            let weight = said.tokens[at].weight;
            count += 1;
            total += weight;
            taken += match laid.to[at] {
                Match::Same(_, likeness) => likeness * weight,
                _ => 0.0,
            };
        }
        (count, if total > 0.0 { taken / total } else { 0.0 })
    };
    let (first, count) = (after_preface(said), said.tokens.len());
    let value = |whole: std::ops::Range<usize>, rest: std::ops::Range<usize>| {
        let (words, covered) = said_so(rest.clone());
        let pairs = |range: std::ops::Range<usize>| range.start..range.end.saturating_sub(1);
        let (taken, other) = (share(pairs(whole)), share(pairs(rest)));
        taken * (1.0 - covered) * (1.0 - other) * (words as f64 / 4.0).min(1.0)
    };
    let splits = first + LEAST_TORN..=count.saturating_sub(LEAST_TORN);
    splits
        .map(|at| f64::max(value(first..at, at..count), value(at..count, first..at)))
        .fold(0.0, f64::max)
}

/// The word behind a preface such as `In short:`.
fn after_preface(said: &Text) -> usize {
    let colon = said.raw.find(": ").map_or(0, |colon| said.token_at(colon + 1));
    if colon <= PREFACE { colon } else { 0 }
}

fn pair(text: &Text, at: usize) -> (String, String) {
    (text.tokens[at].word.folded.clone(), text.tokens[at + 1].word.folded.clone())
}

/// The words of a text that follow each other.
fn pairs(text: &Text) -> std::collections::HashSet<(String, String)> {
    (0..text.tokens.len().saturating_sub(1)).map(|at| pair(text, at)).collect()
}

/// The longest run of words that do not stand in the cited text.
fn longest_gap(said: &Text, laid: &Alignment) -> usize {
    let (mut longest, mut run) = (0, 0);
    let first = after_preface(said);
    for (at, _) in said.content().filter(|(at, _)| *at >= first) {
        run = if matches!(laid.to[at], Match::Same(..)) { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    longest.min(6)
}

/// Of the pairs of words of the sentence, those that stand in the cited text just so.
fn verbatim(said: &Text, cited: &Text) -> f64 {
    let held = pairs(cited);
    let count = said.tokens.len().saturating_sub(1);
    let same = (0..count).filter(|at| held.contains(&pair(said, *at))).count();
    if count == 0 { 0.0 } else { same as f64 / count as f64 }
}
