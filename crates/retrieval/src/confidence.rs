//! How likely it is that the best passages answer the question.

mod weights;

use crate::question::Question;
use crate::search::Ranked;
use serde::Serialize;

/// What confidence is judged by; each between 0 and 1 and nearly independent of how many documents
/// there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Signals {
    /// Share of the question's weight that the best passage and its headings match.
    pub coverage: f64,
    /// Share that its text alone matches.
    pub text_coverage: f64,
    /// Share that stands close together in it.
    pub window_coverage: f64,
    /// How well the word that tells most is matched.
    pub rarest: f64,
    /// How well the worse of the two words that tell most is matched.
    pub rarest_two: f64,
    /// Share of the question's weight that lies in words of no passage at all.
    pub unknown: f64,
    /// Share of the weight of the known words that the best passage and its headings match.
    pub known_coverage: f64,
    /// How much of the question's weight is matched, not as a share: 1 for three telling words.
    pub mass: f64,
    /// How far the best passage is ahead of the next of another document or place.
    pub margin: f64,
    /// How far the best passage is ahead of the best one of another document.
    pub document_margin: f64,
    /// 1 for a question of one word of weight, toward 0 for many.
    pub brevity: f64,
}

/// 0 to 1; 0 where nothing was found.
pub(crate) fn confidence(signals: Option<&Signals>) -> f64 {
    let Some(signals) = signals else { return 0.0 };
    let sum: f64 = signals.values().iter().zip(weights::WEIGHTS).map(|(x, w)| x * w).sum();
    1.0 / (1.0 + (-(sum + weights::BIAS)).exp())
}

impl Signals {
    /// The signals in the order of their weights.
    #[must_use]
    pub fn values(&self) -> [f64; 11] {
        [
            self.coverage,
            self.text_coverage,
            self.window_coverage,
            self.rarest,
            self.rarest_two,
            self.unknown,
            self.known_coverage,
            self.mass,
            self.margin,
            self.document_margin,
            self.brevity,
        ]
    }
}

/// The signals of a search; `None` where nothing was found.
pub(crate) fn signals(question: &Question, ranked: &[Ranked]) -> Option<Signals> {
    let best = ranked.first()?;
    if best.fit.score <= 0.0 {
        return None;
    }
    let total: f64 = question.concepts.iter().map(|c| c.weight).sum();
    let unknown: f64 = question.concepts.iter().filter(|c| !c.known).map(|c| c.weight).sum();
    let weighed = question.concepts.iter().zip(&best.fit.strengths).filter(|(c, _)| c.known);
    let known: f64 = weighed.map(|(c, s)| c.weight * s).sum();
    let (rarest, rarest_two) = rarest(question, &best.fit.strengths);
    let next = ranked.get(1).map_or(0.0, |next| next.fit.score);
    let other =
        ranked.iter().find(|r| r.entry.path != best.entry.path).map_or(0.0, |r| r.fit.score);
    Some(Signals {
        coverage: best.fit.coverage,
        text_coverage: best.fit.text_coverage,
        window_coverage: best.fit.window_coverage,
        rarest,
        rarest_two,
        unknown: unknown / total.max(f64::MIN_POSITIVE),
        known_coverage: (known / (total - unknown).max(f64::MIN_POSITIVE)).min(1.0),
        mass: (best.fit.coverage * total / 3.0).min(1.0),
        margin: (best.fit.score - next) / best.fit.score,
        document_margin: (best.fit.score - other) / best.fit.score,
        brevity: 1.0 / total.max(1.0),
    })
}

/// How well the word that tells most is matched, and the worse of the two that tell most.
fn rarest(question: &Question, strengths: &[f64]) -> (f64, f64) {
    let mut order: Vec<usize> = (0..strengths.len()).collect();
    order.sort_by(|a, b| question.concepts[*b].weight.total_cmp(&question.concepts[*a].weight));
    let strength = |at: usize| order.get(at).map(|i| strengths[*i]);
    let first = strength(0).unwrap_or(0.0);
    (first, strength(1).map_or(first, |second| second.min(first)))
}
