//! The tokens that may be chosen, and what filters leave of them.

use crate::sampling::Sampling;
use allod_lm::{Isa, softmax};
use std::cmp::Ordering;

/// Tokens that are sorted first; mostly, these are enough.
const SORTED_FIRST: usize = 256;

/// A token that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub token: u32,
    pub score: f32,
    /// Its probability among the candidates that temperature and top-k left.
    pub share: f32,
}

/// Every token whose score is a number, in order of their ids.
pub(crate) fn numbers(scores: &[f32]) -> Vec<Candidate> {
    let numbers = scores.iter().zip(0..).filter(|(score, _)| !score.is_nan());
    numbers.map(|(score, token)| Candidate { token, score: *score, share: 0.0 }).collect()
}

/// The best `count` of them, best first.
pub(crate) fn best(mut candidates: Vec<Candidate>, count: usize) -> Vec<Candidate> {
    sort_first(&mut candidates, count, better);
    candidates.truncate(count);
    candidates
}

/// The candidates that are left by temperature, top-k, typical, top-p and min-p, in order of their
/// ids. At least one, if there is a score that is a number.
pub(crate) fn filtered(isa: Isa, sampling: &Sampling, scores: &[f32]) -> Vec<Candidate> {
    let mut candidates = numbers(scores);
    let best_score = candidates.iter().map(|one| one.score).fold(f32::NEG_INFINITY, f32::max);
    for candidate in &mut candidates {
        // The best becomes 0, so that no temperature is low enough to make it infinite.
        candidate.score = (candidate.score - best_score) / sampling.temperature;
    }
    if sampling.top_k > 0 {
        candidates = best(candidates, sampling.top_k);
        candidates.sort_unstable_by_key(|candidate| candidate.token);
    }
    let mut shares: Vec<f32> = candidates.iter().map(|candidate| candidate.score).collect();
    softmax(isa, &mut shares);
    candidates.iter_mut().zip(shares).for_each(|(candidate, share)| candidate.share = share);
    if sampling.typical_p < 1.0 {
        keep_typical(&mut candidates, sampling.typical_p);
    }
    if sampling.min_p > 0.0 {
        let most = candidates.iter().map(|candidate| candidate.share).fold(0.0, f32::max);
        candidates.retain(|candidate| candidate.share >= sampling.min_p * most);
    }
    if sampling.top_p < 1.0 {
        // Both this and min-p keep the best ones, so that their order does not matter.
        keep_mass(&mut candidates, sampling.top_p, better);
    }
    candidates.sort_unstable_by_key(|candidate| candidate.token);
    candidates
}

/// Keeps those whose information is nearest to the mean of all (Meister and others, arXiv
/// 2202.00666), until they have the probability `mass`.
fn keep_typical(candidates: &mut Vec<Candidate>, mass: f32) {
    let information = |share: f32| -libm::log(f64::from(share));
    candidates.retain(|candidate| candidate.share > 0.0);
    let terms = candidates.iter().map(|one| f64::from(one.share) * information(one.share));
    let entropy = terms.fold(0.0, |sum: f64, term| sum + term);
    // The score is not needed any more: it makes place for the distance.
    for candidate in candidates.iter_mut() {
        candidate.score = -((information(candidate.share) - entropy).abs() as f32);
    }
    keep_mass(candidates, mass, better);
    candidates.iter_mut().for_each(|candidate| candidate.score = candidate.share);
}

/// Keeps the first in `order` that together have the probability `mass`: all if they have less, and
/// at least one.
fn keep_mass(
    candidates: &mut Vec<Candidate>,
    mass: f32,
    order: impl Fn(&Candidate, &Candidate) -> Ordering + Copy,
) {
    let mut sorted = SORTED_FIRST;
    loop {
        sort_first(candidates, sorted, order);
        let mut sum = 0.0;
        let reached = candidates.iter().take(sorted).position(|candidate| {
            sum += f64::from(candidate.share);
            sum >= f64::from(mass)
        });
        match reached {
            Some(last) => return candidates.truncate(last + 1),
            None if sorted >= candidates.len() => return,
            None => sorted *= 8,
        }
    }
}

/// Brings the first `count` in `order` to the front, sorted.
fn sort_first(
    candidates: &mut [Candidate],
    count: usize,
    order: impl Fn(&Candidate, &Candidate) -> Ordering + Copy,
) {
    let first = match count {
        0 => return,
        count if count < candidates.len() => {
            candidates.select_nth_unstable_by(count - 1, order);
            &mut candidates[..count]
        }
        _ => candidates,
    };
    first.sort_unstable_by(order);
}

/// Higher scores first, then lower ids: a total order, so that sorting has one result.
fn better(a: &Candidate, b: &Candidate) -> Ordering {
    b.score.total_cmp(&a.score).then(a.token.cmp(&b.token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn left(sampling: Sampling, shares: &[f32]) -> Vec<u32> {
        let scores: Vec<f32> = shares.iter().map(|share| share.ln()).collect();
        let sampling = Sampling { temperature: 1.0, ..sampling };
        filtered(Isa::detect(), &sampling, &scores).iter().map(|one| one.token).collect()
    }

    #[test]
    fn each_filter_leaves_the_tokens_that_it_should() {
        let (shares, all) = ([0.1, 0.4, 0.3, 0.2], Sampling::default());
        assert_eq!(left(Sampling { top_k: 2, ..all.clone() }, &shares), [1, 2]);
        assert_eq!(left(Sampling { top_p: 0.65, ..all.clone() }, &shares), [1, 2]);
        assert_eq!(left(Sampling { top_p: 0.01, ..all.clone() }, &shares), [1]);
        assert_eq!(left(Sampling { min_p: 0.45, ..all.clone() }, &shares), [1, 2, 3]);
        assert_eq!(left(Sampling { min_p: 1.0, ..all.clone() }, &shares), [1]);
        assert_eq!(left(all, &shares), [0, 1, 2, 3]);
    }

    #[test]
    fn typical_keeps_what_surprises_as_much_as_the_mean() {
        // Entropy 1.28 nats: information 2.30, 0.92, 1.20, 1.61, so 2 is nearest, then 3 and 1.
        let shares = [0.1, 0.4, 0.3, 0.2];
        let typical = |typical_p| left(Sampling { typical_p, ..Sampling::default() }, &shares);
        assert_eq!(typical(0.25), [2]);
        assert_eq!(typical(0.45), [2, 3]);
        assert_eq!(typical(0.8), [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn sorting_a_part_gives_what_sorting_all_gives(
            scores in prop::collection::vec(-3.0_f32..3.0, 1..3000),
            top_p in 0.01_f32..1.0,
            min_p in 0.0_f32..0.1,
        ) {
            let sampling = Sampling { temperature: 1.0, top_p, min_p, ..Sampling::default() };
            let found = filtered(Isa::detect(), &sampling, &scores);
            let open = Sampling { top_p: 1.0, min_p: 0.0, ..sampling };
            let whole = filtered(Isa::detect(), &open, &scores);
            let mut sorted = whole.clone();
            sorted.sort_by(better);
            let (mut sum, mut kept) = (0.0_f64, Vec::new());
            for candidate in sorted.iter().filter(|one| one.share >= min_p * sorted[0].share) {
                if sum >= f64::from(top_p) {
                    break;
                }
                sum += f64::from(candidate.share);
                kept.push(*candidate);
            }
            kept.sort_by_key(|candidate| candidate.token);
            prop_assert_eq!(found, kept);
        }
    }
}
