//! Fitting a scorer: stochastic gradient boosting of small trees with the logistic loss (Friedman,
//! 2001 and 2002).
//!
//! Each tree sees half of the answers and each branch a fifth of the features, drawn by a fixed
//! sequence; sums are taken in one order. So the same answers give the same trees.

use allod_answer::{Forest, Node, Tree};

/// How a scorer is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoostOptions {
    /// How many trees.
    pub trees: usize,
    /// Branches from root to leaf, at most.
    pub depth: usize,
    /// How much of each tree's correction is taken.
    pub rate: f64,
    /// Fewest answers in a leaf.
    pub leaf_answers: usize,
    /// Added to each leaf's weight: holds small leaves back.
    pub ridge: f64,
}

/// Chosen on the questions of every second article of SQuAD 2's development set.
impl Default for BoostOptions {
    fn default() -> BoostOptions {
        BoostOptions { trees: 150, depth: 3, rate: 0.06, leaf_answers: 20, ridge: 2.0 }
    }
}

/// Values that a feature is parted at, at most.
const CUTS: usize = 24;

/// Each tree sees one answer in so many, each branch one feature in so many.
const ANSWERS_ONE_IN: u64 = 2;
const FEATURES_ONE_IN: u64 = 5;
const FEW_FEATURES: usize = 20;

/// An answer to learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Its features.
    pub values: Vec<f64>,
    /// Whether it is right.
    pub right: bool,
}

/// Fits a scorer whose scores are the log odds of being right.
#[must_use]
pub fn boost(examples: &[&Example], options: &BoostOptions) -> Forest {
    let right = examples.iter().filter(|example| example.right).count() as f64;
    let share = (right + 1.0) / (examples.len() as f64 + 2.0);
    let base = (share / (1.0 - share)).ln();
    let mut grower = Grower::new(examples, *options, base);
    let trees = (0..options.trees).map(|_| grower.grow()).collect();
    Forest { base, trees }
}

struct Grower<'a> {
    examples: &'a [&'a Example],
    options: BoostOptions,
    /// Where each feature can be parted.
    cuts: Vec<Vec<f64>>,
    /// For each feature, each example's place among the cuts.
    places: Vec<Vec<u8>>,
    scores: Vec<f64>,
    /// First and second derivative of the loss by the score.
    slopes: Vec<(f64, f64)>,
    drawn: Drawn,
}

/// A fixed sequence of numbers that look random (the generator of Knuth's MMIX).
struct Drawn(u64);

impl Drawn {
    fn one_in(&mut self, parts: u64) -> bool {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).is_multiple_of(parts)
    }
}

/// A way to part some examples.
struct Parting {
    feature: usize,
    cut: usize,
    gain: f64,
}

impl<'a> Grower<'a> {
    fn new(examples: &'a [&'a Example], options: BoostOptions, base: f64) -> Grower<'a> {
        let features = examples.first().map_or(0, |example| example.values.len());
        let column = |feature: usize| examples.iter().map(move |example| example.values[feature]);
        let cuts: Vec<Vec<f64>> = (0..features).map(|f| cuts(column(f).collect())).collect();
        let place = |cuts: &[f64], value: f64| cuts.partition_point(|cut| *cut <= value) as u8;
        let places = cuts.iter().enumerate();
        let places = places.map(|(f, cuts)| column(f).map(|v| place(cuts, v)).collect()).collect();
        let scores = vec![base; examples.len()];
        let slopes = vec![(0.0, 0.0); examples.len()];
        Grower { examples, options, cuts, places, scores, slopes, drawn: Drawn(1) }
    }

    /// Grows one more tree and adds it to the scores.
    fn grow(&mut self) -> Tree {
        for ((slope, score), example) in self.slopes.iter_mut().zip(&self.scores).zip(self.examples)
        {
            let chance = 1.0 / (1.0 + (-score).exp());
            *slope = (f64::from(example.right) - chance, chance * (1.0 - chance));
        }
        let mut tree = Tree::default();
        let drawn: Vec<usize> =
            (0..self.examples.len()).filter(|_| self.drawn.one_in(ANSWERS_ONE_IN)).collect();
        self.branch(&mut tree, &drawn, self.options.depth);
        for (score, example) in self.scores.iter_mut().zip(self.examples) {
            *score += tree.value(&example.values);
        }
        tree
    }

    fn branch(&mut self, tree: &mut Tree, members: &[usize], depth: usize) {
        let parting = if depth == 0 { None } else { self.best(members) };
        let own = tree.nodes.len();
        let Some(Parting { feature, cut, .. }) = parting else {
            let (slope, curve) = self.sum(members);
            let value = rounded(self.options.rate * slope / (curve + self.options.ridge));
            tree.nodes.push(Node::Leaf { value });
            return;
        };
        let least = self.cuts[feature][cut];
        tree.nodes.push(Node::Leaf { value: 0.0 });
        let (high, low): (Vec<usize>, Vec<usize>) =
            members.iter().partition(|at| usize::from(self.places[feature][**at]) > cut);
        self.branch(tree, &low, depth - 1);
        let above = tree.nodes.len();
        self.branch(tree, &high, depth - 1);
        tree.nodes[own] = Node::Branch { feature, least, low: own + 1, high: above };
    }

    fn sum(&self, members: &[usize]) -> (f64, f64) {
        let slopes = members.iter().map(|at| self.slopes[*at]);
        slopes.fold((0.0, 0.0), |sum, slope| (sum.0 + slope.0, sum.1 + slope.1))
    }

    /// The parting that explains most; `None` where none leaves enough on both sides.
    fn best(&mut self, members: &[usize]) -> Option<Parting> {
        let whole = self.sum(members);
        let ridge = self.options.ridge;
        let worth = |slope: f64, curve: f64| slope * slope / (curve + ridge);
        let mut best: Option<Parting> = None;
        for feature in 0..self.cuts.len() {
            // Few features are all looked at: a draw could leave none.
            if self.cuts.len() > FEW_FEATURES && !self.drawn.one_in(FEATURES_ONE_IN) {
                continue;
            }
            let mut sums = [(0_usize, 0.0, 0.0); CUTS + 1];
            for at in members {
                let (slope, curve) = self.slopes[*at];
                let sum = &mut sums[usize::from(self.places[feature][*at])];
                *sum = (sum.0 + 1, sum.1 + slope, sum.2 + curve);
            }
            let mut low = (0_usize, 0.0, 0.0);
            for (cut, sum) in sums.iter().take(self.cuts[feature].len()).enumerate() {
                low = (low.0 + sum.0, low.1 + sum.1, low.2 + sum.2);
                let least = self.options.leaf_answers;
                if low.0 < least || members.len() - low.0 < least {
                    continue;
                }
                let parted = worth(low.1, low.2) + worth(whole.0 - low.1, whole.1 - low.2);
                let gain = parted - worth(whole.0, whole.1);
                if gain > 1e-9 && best.as_ref().is_none_or(|best| gain > best.gain) {
                    best = Some(Parting { feature, cut, gain });
                }
            }
        }
        best
    }
}

/// Values that part a feature's values into parts of about one size, between neighbours.
fn cuts(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    let mut cuts: Vec<f64> = Vec::new();
    for part in 1..=CUTS {
        let at = part * values.len() / (CUTS + 1);
        let Some(value) = values.get(at).copied() else { continue };
        let value = rounded(value);
        // What is equal is not parted: the cut is the least value of the upper part.
        let first = values.first().copied().unwrap_or(value);
        if value > first && cuts.last().is_none_or(|last| value > *last) {
            cuts.push(value);
        }
    }
    cuts
}

/// So that the file is short; what is rounded is what is fitted with.
fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Right where exactly one of the two features is high: no single feature tells.
    fn examples() -> Vec<Example> {
        let example = |at: usize| {
            let (a, b) = ((at * 7 % 10) as f64, (at * 3 % 11) as f64);
            Example { values: vec![a, 1.0, b], right: (a > 4.0) != (b > 5.0) }
        };
        (0..660).map(example).collect()
    }

    #[test]
    fn what_only_two_features_together_tell_is_learned() {
        let examples = examples();
        let shown: Vec<&Example> = examples.iter().collect();
        let forest = boost(&shown, &BoostOptions::default());
        let right = |example: &&Example| (forest.score(&example.values) > 0.0) == example.right;
        assert!(examples.iter().filter(right).count() > 640);
        assert!(forest.is_sound(3) && !forest.is_sound(2));
        assert_eq!(forest, boost(&shown, &BoostOptions::default()));
    }

    #[test]
    fn nothing_to_learn_from_gives_even_odds() {
        let forest = boost(&[], &BoostOptions::default());
        assert_eq!(forest.score(&[1.0]), 0.0);
        let same = Example { values: vec![2.0], right: true };
        let forest = boost(&vec![&same; 60], &BoostOptions::default());
        assert!(forest.score(&[2.0]) > 3.0);
    }
}
