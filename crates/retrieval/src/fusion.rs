//! One ranking of words and of meaning.

use crate::likeness::Scale;
use crate::search::Ranked;
use crate::suspicion;

/// What meaning counts, of 1, where the words of the question are found too.
const MEANING: f64 = 0.4;
/// A question is taken as found by its words if a passage matches so much of its weight.
const WORDS_FOUND: f64 = 0.4;
/// What a passage at the very place that the question names gains, in units of the spread.
const NAMED: f64 = 20.0;

/// Gives each candidate its score. Without an encoder it is that of the words. Else scores of words
/// and nearness in meaning are put on one scale, by how far they lie from the mean of the
/// candidates in units of their spread, and added with their weights: words count the less, the
/// less of the question any passage holds. The best score is 1, the least 0.
pub(crate) fn fuse(ranked: &mut [Ranked]) {
    if ranked.iter().all(|r| r.near.is_none()) {
        ranked.iter_mut().for_each(|r| r.score = r.fit.score);
        return;
    }
    let found = ranked.iter().map(|r| r.fit.coverage).fold(0.0, f64::max);
    let words = (1.0 - MEANING) * (found / WORDS_FOUND).min(1.0);
    let fits: Vec<f64> = ranked.iter().map(|r| r.fit.score).collect();
    let least = ranked.iter().filter_map(|r| r.near).fold(f64::INFINITY, f64::min);
    let nears: Vec<f64> = ranked.iter().map(|r| r.near.unwrap_or(least)).collect();
    let (fit_scale, near_scale) = (Scale::of(&fits), Scale::of(&nears));
    for ((r, fit), near) in ranked.iter_mut().zip(&fits).zip(&nears) {
        let named = if r.named { NAMED } else { 0.0 };
        r.score = words * fit_scale.place(*fit) + MEANING * near_scale.place(*near) + named;
    }
    let spread = |pick: fn(f64, f64) -> f64| ranked.iter().map(|r| r.score).reduce(pick);
    let (lowest, highest) = (spread(f64::min).unwrap_or(0.0), spread(f64::max).unwrap_or(0.0));
    for r in ranked {
        let kept = if r.suspicious { suspicion::KEPT } else { 1.0 };
        r.score = kept * (r.score - lowest) / (highest - lowest).max(f64::MIN_POSITIVE);
    }
}
