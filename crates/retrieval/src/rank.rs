//! How well a passage fits a question.

use crate::analysis::{self, Word};
use crate::question::{Hit, Question};
use allod_corpus::Language;

/// Saturation of repeated words, as in BM25.
const K1: f64 = 1.2;
/// How much a long passage is held back, as in BM25.
const B: f64 = 0.5;
/// Words of a usual passage; a constant, so that scores do not depend on the other documents.
const USUAL_WORDS: f64 = 60.0;
/// What a word in a heading counts beside one in the text.
const HEADING: f64 = 0.9;
/// Words that may lie between words that belong together.
const WINDOW_WORDS: usize = 30;

/// A passage's text and what stands above it, as the ranking sees them.
pub(crate) struct Place<'a> {
    /// The text of the passage.
    pub(crate) text: &'a str,
    /// The heading right above it, if that is a question: what follows answers it, so its words
    /// count as the passage's own.
    pub(crate) asked: Option<&'a str>,
    /// Title, headings, place and introduction.
    pub(crate) above: &'a str,
    /// Its language.
    pub(crate) language: Language,
}

/// How well a passage fits.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fit {
    /// The rank score: any number from 0.
    pub(crate) score: f64,
    /// How well each concept is matched by the text or by what stands above it.
    pub(crate) strengths: Vec<f64>,
    /// Share of the question's weight matched by the text or by what stands above it.
    pub(crate) coverage: f64,
    /// Share of the question's weight matched by the text alone.
    pub(crate) text_coverage: f64,
    /// Share of the question's weight matched within [`WINDOW_WORDS`] words of the text.
    pub(crate) window_coverage: f64,
}

/// Fits one passage.
pub(crate) fn fit(question: &Question, place: &Place) -> Fit {
    let mut words =
        place.asked.map_or_else(Vec::new, |asked| analysis::words(asked, place.language));
    words.extend(analysis::words(place.text, place.language));
    let hits = question.hits(&words, place.language);
    let above = analysis::words(place.above, place.language);
    let above = question.strengths(&question.hits(&above, place.language));
    let text = question.strengths(&hits);
    let strengths: Vec<f64> =
        text.iter().zip(&above).map(|(text, above)| text.max(above * HEADING)).collect();
    let coverage = question.coverage(&strengths);
    let window_coverage = best_window(question, &words, &hits, &above);
    let weighted = weigh(question, &words, &hits, &text, &above);
    Fit {
        score: weighted * (0.3 + 0.5 * coverage + 0.2 * window_coverage),
        text_coverage: question.coverage(&text),
        coverage,
        window_coverage,
        strengths,
    }
}

/// BM25 over text and headings, with the strength of each match as its frequency.
fn weigh(question: &Question, words: &[Word], hits: &[Hit], text: &[f64], above: &[f64]) -> f64 {
    let mut frequency = vec![0.0; question.concepts.len()];
    for hit in hits {
        frequency[hit.concept] += hit.strength;
    }
    let length = K1 * (1.0 - B + B * words.len() as f64 / USUAL_WORDS);
    let one = |at: usize| {
        // Repeats of a weak form never outweigh one strong match.
        let repeats = frequency[at].min(text[at] * 4.0);
        let frequency = repeats + HEADING * above[at];
        question.concepts[at].weight * frequency * (K1 + 1.0) / (frequency + length)
    };
    (0..question.concepts.len()).map(one).sum()
}

/// The best share of the question's weight that stands close together. What stands above the
/// passage counts half: it holds for all of it.
fn best_window(question: &Question, words: &[Word], hits: &[Hit], above: &[f64]) -> f64 {
    let halved: Vec<f64> = above.iter().map(|a| a * 0.5).collect();
    let mut best = question.coverage(&halved);
    let mut near = Vec::new();
    for (at, first) in hits.iter().enumerate() {
        let inside = hits[at..].iter().take_while(|hit| hit.word < first.word + WINDOW_WORDS);
        question.strengths_into(inside, &mut near);
        near.iter_mut().zip(&halved).for_each(|(near, above)| *near = near.max(*above));
        best = best.max(question.coverage(&near));
    }
    debug_assert!(hits.iter().all(|hit| hit.word < words.len()));
    best
}
