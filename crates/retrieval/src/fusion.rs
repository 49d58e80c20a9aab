//! One ranking of words and of meaning.

use crate::likeness::Scale;
use crate::search::Ranked;

/// What meaning counts, of 1, where the words of the question are found too.
const MEANING: f64 = 0.4;
/// And how much more where a passage is surely near: in what it says and in its title.
const SURE_MEANING: f64 = 0.2;
/// From which nearness on a passage begins to be surely near, and where it is.
const SURELY_NEAR: (f64, f64) = (0.8, 1.2);
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
    let meaning = meaning(ranked);
    let words = (1.0 - meaning) * (found / WORDS_FOUND).min(1.0);
    let fits: Vec<f64> = ranked.iter().map(|r| r.fit.score).collect();
    let least = ranked.iter().filter_map(|r| r.near).fold(f64::INFINITY, f64::min);
    let nears: Vec<f64> = ranked.iter().map(|r| r.near.unwrap_or(least)).collect();
    let (fit_scale, near_scale) = (Scale::of(&fits), Scale::of(&nears));
    for ((r, fit), near) in ranked.iter_mut().zip(&fits).zip(&nears) {
        let named = if r.named { NAMED } else { 0.0 };
        r.score = words * fit_scale.place(*fit) + meaning * near_scale.place(*near) + named;
    }
    let spread = |pick: fn(f64, f64) -> f64| ranked.iter().map(|r| r.score).reduce(pick);
    let (lowest, highest) = (spread(f64::min).unwrap_or(0.0), spread(f64::max).unwrap_or(0.0));
    for r in ranked {
        r.score = (r.score - lowest) / (highest - lowest).max(f64::MIN_POSITIVE);
    }
}

/// What meaning counts: the more, the nearer the nearest passage is. A question that names an act
/// and its subject is near in both; one about names that the encoder does not know is near nothing.
fn meaning(ranked: &[Ranked]) -> f64 {
    let nearest = ranked.iter().filter_map(|r| r.near).fold(f64::NEG_INFINITY, f64::max);
    let (begin, sure) = SURELY_NEAR;
    MEANING + SURE_MEANING * ((nearest - begin) / (sure - begin)).clamp(0.0, 1.0)
}
