//! Fitting a calibration on labelled questions.
//!
//! With enough questions the scorers are fitted on them too. Each part (an article) belongs to one
//! fold; the scorer of a fold is fitted on the other folds, and the fold's questions are scored by
//! it alone: no answer is ever scored by what was fitted on it. Later a question is scored by one
//! of the same scorers, picked by the question's own digest, so what is measured is what is used.
//! With fewer questions the scorers of the calibration in use stay, and only the counts are new.

use allod_answer::{CALIBRATION_VERSION, Calibration, FittedOn, Forest, Step, feature_names};

use crate::boost::{BoostOptions, Example, boost};
use crate::labelled::Labelled;

/// Fewer questions than this are too few to fit a scorer on.
pub const LEARNING_LEAST: usize = 600;
/// Folds, at most: as many as parts.
const FOLDS: usize = 8;
/// From one step to the next so many more answers are given, as a share.
const STEP: f64 = 0.02;

/// What the questions are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// For a reader.
    pub name: String,
    /// The digest of the file, `sha256:…`.
    pub digest: String,
}

/// An answer's score, and whether it is right.
pub(crate) type Scored = (f64, bool);

/// Fits a calibration; `current` lends its scorers where there are too few questions for own ones.
#[must_use]
pub fn calibrate(labelled: &[Labelled], about: &About, current: &Calibration) -> Calibration {
    let measured_on = fitted_on(labelled, about);
    if labelled.len() < LEARNING_LEAST {
        let score = |one: &Labelled| (current.score(&one.question, &one.features), one.right);
        let scored: Vec<Scored> = labelled.iter().map(score).collect();
        return Calibration { measured_on, steps: steps(scored), ..current.clone() };
    }
    let features: Vec<String> = feature_names().into_iter().map(str::to_owned).collect();
    let examples: Vec<Example> = labelled.iter().map(example).collect();
    let folds = folds(labelled);
    let count = folds.iter().max().map_or(0, |last| last + 1);
    let scorers: Vec<Forest> =
        (0..count).map(|fold| fit_without(&examples, &folds, fold)).collect();
    let own = |at: usize| (scorers[folds[at]].score(&examples[at].values), examples[at].right);
    let steps = steps((0..examples.len()).map(own).collect());
    Calibration {
        version: CALIBRATION_VERSION.into(),
        scorer_fitted_on: measured_on.clone(),
        measured_on,
        features,
        scorers,
        steps,
    }
}

fn fitted_on(labelled: &[Labelled], about: &About) -> FittedOn {
    let mut parts: Vec<usize> = labelled.iter().map(|one| one.part).collect();
    parts.sort_unstable();
    parts.dedup();
    FittedOn {
        name: about.name.clone(),
        digest: about.digest.clone(),
        questions: labelled.len(),
        answerable: labelled.iter().filter(|one| one.answerable).count(),
        parts: parts.len(),
    }
}

fn example(labelled: &Labelled) -> Example {
    let values = labelled.features.iter().map(|(_, value)| *value).collect();
    Example { values, right: labelled.right }
}

fn fit_without(examples: &[Example], folds: &[usize], fold: usize) -> Forest {
    let others = examples.iter().zip(folds).filter(|(_, own)| **own != fold);
    let others: Vec<&Example> = others.map(|(example, _)| example).collect();
    boost(&others, &BoostOptions::default())
}

/// The fold of each question: parts go whole, the largest first, to the fold that is smallest.
fn folds(labelled: &[Labelled]) -> Vec<usize> {
    let last = labelled.iter().map(|one| one.part).max().unwrap_or(0);
    let mut sizes: Vec<(usize, usize)> = (0..=last).map(|part| (0, part)).collect();
    for one in labelled {
        sizes[one.part].0 += 1;
    }
    sizes.retain(|(size, _)| *size > 0);
    if sizes.len() < 2 {
        // Nothing to keep together by.
        return (0..labelled.len()).map(|at| at % FOLDS).collect();
    }
    sizes.sort_by(|a, b| b.cmp(a));
    let mut fold_of = vec![0; last + 1];
    let mut filled = vec![0_usize; FOLDS.min(sizes.len())];
    for (size, part) in sizes {
        let least = filled.iter().enumerate().min_by_key(|(at, size)| (**size, *at));
        let fold = least.map_or(0, |(at, _)| at);
        filled[fold] += size;
        fold_of[part] = fold;
    }
    labelled.iter().map(|one| fold_of[one.part]).collect()
}

/// Counts from the highest score down, and the probabilities of a curve that never rises towards
/// lower scores (isotonic regression by pooling adjacent violators).
fn steps(mut scored: Vec<Scored>) -> Vec<Step> {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let probabilities = pooled(&scored);
    let mut steps: Vec<Step> = Vec::new();
    let mut wrong = 0;
    let mut next = 1.0;
    for (at, (score, right)) in scored.iter().enumerate() {
        wrong += usize::from(!right);
        let answered = at + 1;
        // Answers of one score are given together or not at all.
        let tied = scored.get(at + 1).is_some_and(|next| next.0 == *score);
        if (answered as f64 >= next || answered == scored.len()) && !tied {
            next = (answered as f64 * (1.0 + STEP)).max(answered as f64 + 1.0);
            let probability = (probabilities[at] * 1e4).round() / 1e4;
            steps.push(Step { score: *score, answered, wrong, probability });
        }
    }
    steps
}

fn pooled(scored: &[Scored]) -> Vec<f64> {
    // Each pool: how many answers, how many of them right; one answer of each kind is added, so
    // that no probability is 0 or 1.
    let mut pools: Vec<(f64, f64)> = Vec::new();
    for (_, right) in scored {
        pools.push((1.0, f64::from(*right)));
        while let [.., above, below] = pools[..]
            && below.1 / below.0 >= above.1 / above.0
        {
            pools.pop();
            pools.pop();
            pools.push((above.0 + below.0, above.1 + below.1));
        }
    }
    let share = |(all, right): &(f64, f64)| (right + 1.0) / (all + 2.0);
    let mut least = 1.0_f64;
    let mut each = Vec::with_capacity(scored.len());
    for pool in &pools {
        least = least.min(share(pool));
        each.extend(std::iter::repeat_n(least, pool.0 as usize));
    }
    each
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Right with a probability that one feature tells.
    pub(crate) fn labelled(count: usize, parts: usize) -> Vec<Labelled> {
        let one = |at: usize| {
            let told = (at * 37 % 100) as f64 / 100.0;
            let chance = (at * 61 % 89) as f64 / 89.0;
            let features = feature_names().into_iter();
            let value = |name: &str| if name == "familiar" { told } else { 0.0 };
            Labelled {
                question: format!("question {at}"),
                part: at % parts,
                answerable: true,
                right: chance < told,
                plain: 0.5,
                features: features.map(|name| (name, value(name))).collect(),
            }
        };
        (0..count).map(one).collect()
    }

    fn empty() -> Calibration {
        let none = FittedOn::default();
        Calibration {
            version: CALIBRATION_VERSION.into(),
            scorer_fitted_on: none.clone(),
            measured_on: none,
            features: vec!["familiar".into()],
            scorers: vec![Forest::default()],
            steps: Vec::new(),
        }
    }

    #[test]
    fn a_calibration_keeps_its_promise_on_other_questions() {
        let all = labelled(2400, 12);
        let (known, other): (Vec<Labelled>, Vec<Labelled>) =
            all.into_iter().partition(|one| one.part < 6);
        let calibration = calibrate(&known, &About::default(), &empty());
        assert_eq!((calibration.scorers.len(), calibration.measured_on.parts), (6, 6));
        let least = calibration.least_score(0.2).unwrap();
        let score = |one: &Labelled| calibration.score(&one.question, &one.features);
        let given: Vec<&Labelled> = other.iter().filter(|one| score(one) >= least).collect();
        let wrong = given.iter().filter(|one| !one.right).count();
        assert!(given.len() > 200 && wrong * 100 <= given.len() * 22, "{wrong} {}", given.len());
        let again = allod_answer::Calibrated::parse(&calibration.to_text()).unwrap();
        assert!(!again.is_built_in());
    }

    #[test]
    fn few_questions_change_the_counts_only() {
        let few = labelled(100, 1);
        let calibration = calibrate(&few, &About::default(), &empty());
        assert_eq!(calibration.scorers, empty().scorers);
        assert_eq!((calibration.measured_on.questions, calibration.steps.len()), (100, 1));
    }

    #[test]
    fn probabilities_never_rise_towards_lower_scores() {
        let scored: Vec<Scored> =
            (0..500).map(|at| (f64::from(500 - at), at * 7 % 500 > at)).collect();
        let steps = steps(scored);
        assert!(steps.len() < 200, "{}", steps.len());
        assert!(steps.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        assert!(steps.windows(2).all(|pair| pair[0].score > pair[1].score));
        assert_eq!(steps.last().map(|step| step.answered), Some(500));
        assert!(super::steps(Vec::new()).is_empty());
    }
}
