//! Whether a promise is kept: calibrated on half of the parts, measured on the other half, again
//! and again with other halves; and what a plain threshold on the confidence gives in its place.

use allod_answer::{Calibration, Step};
use serde::{Deserialize, Serialize};

use crate::calibrate::{About, calibrate};
use crate::labelled::Labelled;
use crate::ranking::{Ranking, ranking};
use crate::words::ratio;

/// One division of the parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Questions of the measured half.
    pub questions: usize,
    /// Of these answered.
    pub answered: usize,
    /// Of these wrong.
    pub wrong: usize,
    /// Answered by a plain threshold on the confidence, set on the same half by the same test.
    pub plain_answered: usize,
    /// Of these wrong.
    pub plain_wrong: usize,
}

/// What became of a promise over many divisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// The rate of wrong answers that was promised.
    pub max_error: f64,
    /// Wrong answers as a share of all given, over all divisions.
    pub error_rate: f64,
    /// Given answers as a share of all questions.
    pub coverage: f64,
    /// Divisions in which more than the promised rate and two points were wrong.
    pub broken: usize,
    /// The highest rate in any division.
    pub error_rate_most: f64,
    /// The plain threshold's wrong answers as a share of those it gives.
    pub plain_error_rate: f64,
    /// The plain threshold's given answers as a share of all questions.
    pub plain_coverage: f64,
    /// Each division.
    pub splits: Vec<Split>,
}

/// What came of many divisions: what was promised, and how the answers were ranked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// One for each rate.
    pub promises: Vec<Promise>,
    /// How well the calibration's score ranks the measured halves, on average.
    pub ranking: Ranking,
    /// How well the plain confidence does.
    pub plain_ranking: Ranking,
}

/// Tries promises on `splits` divisions by part. `current` lends its scorers to halves that are
/// too small for own ones.
#[must_use]
pub fn promise(
    labelled: &[Labelled],
    max_errors: &[f64],
    splits: usize,
    current: &Calibration,
) -> Trials {
    let mut promises: Vec<Promise> =
        max_errors.iter().map(|rate| Promise { max_error: *rate, ..Promise::default() }).collect();
    let (mut fitted, mut plain) = (Vec::new(), Vec::new());
    for number in 0..splits {
        let half = half(labelled, number);
        let (known, other): (Vec<Labelled>, Vec<Labelled>) =
            labelled.iter().cloned().partition(|one| half.contains(&one.part));
        let calibration = calibrate(&known, &About::default(), current);
        for promise in &mut promises {
            promise.splits.push(split(&calibration, &known, &other, promise.max_error));
        }
        let score = |one: &Labelled| (calibration.score(&one.question, &one.features), one.right);
        fitted.push(ranking(other.iter().map(score).collect()));
        plain.push(ranking(other.iter().map(|one| (one.plain, one.right)).collect()));
    }
    Trials {
        promises: promises.into_iter().map(summed).collect(),
        ranking: Ranking::mean(&fitted),
        plain_ranking: Ranking::mean(&plain),
    }
}

/// Half of the parts, another half for each number.
fn half(labelled: &[Labelled], number: usize) -> Vec<usize> {
    let mut parts: Vec<usize> = labelled.iter().map(|one| one.part).collect();
    parts.sort_unstable();
    parts.dedup();
    // Fisher and Yates, by the generator of Knuth's MMIX.
    let mut state = number as u64 + 1;
    for at in (1..parts.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        parts.swap(at, ((state >> 33) % (at as u64 + 1)) as usize);
    }
    parts.truncate(parts.len().div_ceil(2));
    parts
}

fn split(
    calibration: &Calibration,
    known: &[Labelled],
    other: &[Labelled],
    max_error: f64,
) -> Split {
    let score = |one: &Labelled| calibration.score(&one.question, &one.features);
    let given = |least: Option<f64>, score: &dyn Fn(&Labelled) -> f64| {
        let given = other.iter().filter(|one| least.is_some_and(|least| score(one) >= least));
        given.fold((0, 0), |(all, wrong), one| (all + 1, wrong + usize::from(!one.right)))
    };
    let (answered, wrong) = given(calibration.least_score(max_error), &score);
    let plain = plain(known, calibration);
    let (plain_answered, plain_wrong) = given(plain.least_score(max_error), &|one| one.plain);
    Split { questions: other.len(), answered, wrong, plain_answered, plain_wrong }
}

/// The same counts over the plain confidence.
fn plain(known: &[Labelled], calibration: &Calibration) -> Calibration {
    let mut scored: Vec<(f64, bool)> = known.iter().map(|one| (one.plain, one.right)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut wrong = 0;
    let mut steps: Vec<Step> = Vec::new();
    for (at, (score, right)) in scored.iter().enumerate() {
        wrong += usize::from(!right);
        if scored.get(at + 1).is_none_or(|next| next.0 < *score) {
            steps.push(Step { score: *score, answered: at + 1, wrong, probability: 0.0 });
        }
    }
    Calibration { steps, scorers: Vec::new(), ..calibration.clone() }
}

fn summed(promise: Promise) -> Promise {
    /// Beyond the promised rate by so much, and it counts as broken.
    const POINTS: f64 = 0.02;
    let sum = |of: fn(&Split) -> usize| promise.splits.iter().map(of).sum::<usize>();
    let rates = promise.splits.iter().map(|s| ratio(s.wrong, s.answered));
    let questions = sum(|s| s.questions);
    Promise {
        error_rate: ratio(sum(|s| s.wrong), sum(|s| s.answered)),
        coverage: ratio(sum(|s| s.answered), questions),
        broken: rates.clone().filter(|rate| *rate > promise.max_error + POINTS).count(),
        error_rate_most: rates.fold(0.0, f64::max),
        plain_error_rate: ratio(sum(|s| s.plain_wrong), sum(|s| s.plain_answered)),
        plain_coverage: ratio(sum(|s| s.plain_answered), questions),
        ..promise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_halves_and_differ() {
        let one = |part: usize| Labelled {
            question: String::new(),
            part,
            answerable: true,
            right: true,
            plain: 1.0,
            features: Vec::new(),
        };
        let labelled: Vec<Labelled> = (0..11).map(one).collect();
        let halves: Vec<Vec<usize>> = (0..5).map(|number| half(&labelled, number)).collect();
        assert!(halves.iter().all(|half| half.len() == 6));
        assert!(halves.windows(2).all(|pair| pair[0] != pair[1]), "{halves:?}");
    }
}
