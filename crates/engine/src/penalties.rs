//! What is added to and taken from scores before anything is chosen by them.

use crate::sampler::Past;
use crate::sampling::{Dry, Sampling};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Longest repetition that still makes the penalty of DRY grow.
const DRY_LENGTH_MAX: usize = 64;

/// Largest penalty of DRY: far beyond all scores, and still a number.
const DRY_PENALTY_MAX: f64 = 1e30;

/// Changes `scores` for what follows `past`, in the order that [`Sampling`] says. `breakers` are
/// the tokens that no repetition goes across.
pub(crate) fn penalise(
    sampling: &Sampling,
    breakers: &HashSet<u32>,
    past: Past,
    scores: &mut [f32],
) {
    for (token, bias) in &sampling.logit_bias {
        change(scores, *token, |score| score + bias);
    }
    repetition(sampling, past.tokens, scores);
    frequency(sampling, &past.tokens[past.prompt_tokens.min(past.tokens.len())..], scores);
    if let Some(dry) = &sampling.dry {
        dont_repeat(dry, breakers, past.tokens, scores);
    }
}

fn change(scores: &mut [f32], token: u32, to: impl Fn(f32) -> f32) {
    if let Some(score) = scores.get_mut(token as usize) {
        *score = to(*score);
    }
}

fn repetition(sampling: &Sampling, past: &[u32], scores: &mut [f32]) {
    let penalty = sampling.repetition_penalty;
    if penalty == 1.0 {
        return;
    }
    let occurred: BTreeSet<u32> = last(past, sampling.repetition_window).iter().copied().collect();
    for token in occurred {
        change(scores, token, |score| if score > 0.0 { score / penalty } else { score * penalty });
    }
}

fn frequency(sampling: &Sampling, written: &[u32], scores: &mut [f32]) {
    if sampling.frequency_penalty == 0.0 && sampling.presence_penalty == 0.0 {
        return;
    }
    let mut counts = BTreeMap::new();
    written.iter().for_each(|token| *counts.entry(*token).or_insert(0_u32) += 1);
    for (token, count) in counts {
        let penalty = count as f32 * sampling.frequency_penalty + sampling.presence_penalty;
        change(scores, token, |score| score - penalty);
    }
}

/// A token that would go on with a repetition of `n` tokens loses
/// `multiplier * base ^ (n - allowed_length)`.
fn dont_repeat(dry: &Dry, breakers: &HashSet<u32>, past: &[u32], scores: &mut [f32]) {
    let past = last(past, dry.window);
    let unbroken = past.iter().rev().take_while(|token| !breakers.contains(token)).count();
    let mut longest: BTreeMap<u32, usize> = BTreeMap::new();
    for (end, length) in repeated(past).into_iter().enumerate() {
        let (length, next) = (length.min(unbroken), past[end]);
        if length >= dry.allowed_length.max(1) && !breakers.contains(&next) {
            let known = longest.entry(next).or_insert(0);
            *known = length.max(*known);
        }
    }
    for (token, length) in longest {
        let beyond = (length - dry.allowed_length).min(DRY_LENGTH_MAX) as f64;
        let penalty = f64::from(dry.multiplier) * libm::pow(f64::from(dry.base), beyond);
        change(scores, token, |score| score - penalty.min(DRY_PENALTY_MAX) as f32);
    }
}

/// For each place, how many tokens before it are the same as the last ones of all: the Z function
/// of the reversed text (Gusfield, Algorithms on Strings, 1.4), in linear time.
fn repeated(past: &[u32]) -> Vec<usize> {
    let count = past.len();
    let at = |index: usize| past[count - 1 - index];
    let mut same = vec![0; count];
    let (mut left, mut right) = (0, 0);
    for index in 1..count {
        let mut length = if index < right { same[index - left].min(right - index) } else { 0 };
        while index + length < count && at(length) == at(index + length) {
            length += 1;
        }
        if index + length > right {
            (left, right) = (index, index + length);
        }
        same[index] = length;
    }
    // `same[i]` is of what ends before place `count - i`.
    (0..count).map(|place| if place == 0 { 0 } else { same[count - place] }).collect()
}

/// The last `window` tokens; 0 is all.
fn last(past: &[u32], window: usize) -> &[u32] {
    match window {
        0 => past,
        window => &past[past.len() - window.min(past.len())..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(sampling: &Sampling, tokens: &[u32], prompt_tokens: usize) -> Vec<f32> {
        let mut scores = vec![1.0; 8];
        let past = Past { tokens, prompt_tokens };
        penalise(sampling, &HashSet::from([7]), past, &mut scores);
        scores
    }

    #[test]
    fn what_was_written_counts_and_the_prompt_does_not() {
        let sampling = Sampling {
            frequency_penalty: 0.5,
            presence_penalty: 0.25,
            logit_bias: BTreeMap::from([(0, -3.0), (99, 1.0)]),
            ..Sampling::default()
        };
        let scores = after(&sampling, &[1, 2, 2, 3], 1);
        assert_eq!(scores[..5], [-2.0, 1.0, -0.25, 0.25, 1.0]);
    }

    #[test]
    fn going_on_with_a_repetition_costs_more_the_longer_it_is() {
        let dry =
            Dry { multiplier: 1.0, base: 2.0, allowed_length: 2, window: 0, breakers: vec![] };
        let sampling = Sampling { dry: Some(dry), ..Sampling::default() };
        // 1 2 was followed by 3.
        assert_eq!(after(&sampling, &[1, 2, 3, 1, 2], 0)[3], 0.0);
        // 4 1 2 was followed by 3: one more than is allowed.
        assert_eq!(after(&sampling, &[4, 1, 2, 3, 4, 1, 2], 0)[3], -1.0);
        // 2 alone is allowed.
        assert_eq!(after(&sampling, &[1, 2, 3, 4, 2], 0)[3], 1.0);
        // A breaker ends the repetition, and is never held back itself.
        assert_eq!(after(&sampling, &[7, 2, 3, 7, 2], 0)[3], 1.0);
        assert_eq!(after(&sampling, &[1, 2, 7, 1, 2], 0)[7], 1.0);
        assert!(after(&sampling, &[5; 3000], 0)[5].is_finite());
    }

    proptest! {
        #[test]
        fn repetitions_are_found_as_by_looking(past in prop::collection::vec(0_u32..3, 0..40)) {
            let by_looking = |place: usize| {
                let pairs = past[..place].iter().rev().zip(past.iter().rev());
                pairs.take_while(|(a, b)| a == b).count()
            };
            let expected: Vec<usize> = (0..past.len()).map(by_looking).collect();
            prop_assert_eq!(repeated(&past), expected);
        }
    }
}
