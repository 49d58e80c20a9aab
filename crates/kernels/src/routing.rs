//! Which experts a token goes to, and with what weight.

use crate::activation::softmax;
use crate::isa::Isa;

/// How a router's scores become weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// Softmax over all experts; the weights of those chosen stay as they are.
    Softmax,
    /// Softmax over all experts; the weights of those chosen are divided by their sum.
    SoftmaxNormalised,
    /// Softmax over the scores of those chosen.
    SoftmaxOfChosen,
}

/// The `used` experts with the largest scores and their weights, the best first; of equal scores
/// the first expert's counts as larger. `scores` (one row) is overwritten.
///
/// # Panics
/// When there are fewer scores than `used`.
pub fn route(
    isa: Isa,
    scores: &mut [f32],
    used: usize,
    weighting: Weighting,
    chosen: &mut Vec<(usize, f32)>,
) {
    assert!(used <= scores.len(), "{used} experts of {}", scores.len());
    if weighting != Weighting::SoftmaxOfChosen {
        softmax(isa, scores);
    }
    chosen.clear();
    chosen.extend(scores.iter().copied().enumerate());
    // The sort is stable and NaN ranks by its bits: the order is defined for every input.
    chosen.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    chosen.truncate(used);
    let weights = &mut scores[..used];
    weights.iter_mut().zip(chosen.iter()).for_each(|(weight, (_, score))| *weight = *score);
    match weighting {
        Weighting::Softmax => {}
        Weighting::SoftmaxNormalised => {
            let total = weights.iter().fold(0.0, |sum, weight| sum + weight);
            weights.iter_mut().for_each(|weight| *weight /= total);
        }
        Weighting::SoftmaxOfChosen => softmax(isa, weights),
    }
    chosen.iter_mut().zip(weights).for_each(|(chosen, weight)| chosen.1 = *weight);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(scores: &[f32], weighting: Weighting) -> Vec<(usize, f32)> {
        let mut chosen = Vec::new();
        for isa in Isa::available() {
            let before = chosen.clone();
            route(isa, &mut scores.to_vec(), 2, weighting, &mut chosen);
            assert!(isa == Isa::Scalar || before == chosen, "{}", isa.name());
        }
        chosen
    }

    #[test]
    fn the_best_come_first_with_the_weights_of_their_rule() {
        let scores = [0.5_f32, 2.0, -1.0, 2.0];
        let total: f32 = scores.iter().map(|score| score.exp()).sum();
        let plain = routed(&scores, Weighting::Softmax);
        assert_eq!(plain.iter().map(|chosen| chosen.0).collect::<Vec<_>>(), [1, 3]);
        assert!((plain[0].1 - 2.0_f32.exp() / total).abs() < 1e-6);
        assert_eq!(routed(&scores, Weighting::SoftmaxNormalised), [(1, 0.5), (3, 0.5)]);
        let unequal = routed(&[0.0, 1.0], Weighting::SoftmaxOfChosen);
        assert!((unequal[0].1 - 1.0 / (1.0 + (-1.0_f32).exp())).abs() < 1e-6);
        assert_eq!(unequal[0].0, 1);
    }
}
