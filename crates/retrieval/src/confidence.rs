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
    /// How far the best passage is ahead of the next one by its words; below 0 if it is behind.
    pub margin: f64,
    /// How far it is ahead of the best one of another document by its words.
    pub document_margin: f64,
    /// 1 for a question of one word of weight, toward 0 for many.
    pub brevity: f64,
    /// How near the best passage is in meaning; 0 without an encoder, above 1 where the title of
    /// its document is near too.
    pub nearness: f64,
    /// How much nearer it is than any other passage; below 0 if another one is nearer.
    pub nearness_lead: f64,
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
    pub fn values(&self) -> [f64; 13] {
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
            self.nearness,
            self.nearness_lead,
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
    // By its words, another passage may fit better than the best one.
    let ahead_of = |score: f64| ((best.fit.score - score) / best.fit.score).max(-1.0);
    let best_of =
        |others: &mut dyn Iterator<Item = &Ranked>| others.map(|r| r.fit.score).fold(0.0, f64::max);
    let next = best_of(&mut ranked.iter().skip(1));
    let other = best_of(&mut ranked.iter().filter(|r| r.entry.path != best.entry.path));
    Some(Signals {
        coverage: best.fit.coverage,
        text_coverage: best.fit.text_coverage,
        window_coverage: best.fit.window_coverage,
        rarest,
        rarest_two,
        unknown: unknown / total.max(f64::MIN_POSITIVE),
        known_coverage: (known / (total - unknown).max(f64::MIN_POSITIVE)).min(1.0),
        mass: (best.fit.coverage * total / 3.0).min(1.0),
        margin: ahead_of(next),
        document_margin: ahead_of(other),
        brevity: 1.0 / total.max(1.0),
        nearness: best.near.unwrap_or(0.0),
        nearness_lead: best.near.unwrap_or(0.0) - nearest_other(ranked),
    })
}

/// How near the nearest passage but the first is; 0 without an encoder.
fn nearest_other(ranked: &[Ranked]) -> f64 {
    ranked.iter().skip(1).filter_map(|r| r.near).reduce(f64::max).unwrap_or(0.0)
}

/// How well the word that tells most is matched, and the worse of the two that tell most.
fn rarest(question: &Question, strengths: &[f64]) -> (f64, f64) {
    let mut order: Vec<usize> = (0..strengths.len()).collect();
    order.sort_by(|a, b| question.concepts[*b].weight.total_cmp(&question.concepts[*a].weight));
    let strength = |at: usize| order.get(at).map(|i| strengths[*i]);
    let first = strength(0).unwrap_or(0.0);
    (first, strength(1).map_or(first, |second| second.min(first)))
}
