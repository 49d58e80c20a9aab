//! Training of the tagger: the averaged perceptron over sequences (Collins, 2002).

use std::collections::HashMap;
use std::ops::Range;

use crate::features::{Feature, Seen, Sight, features, seen};
use crate::fold::Folded;
use crate::kind::Kind;
use crate::label::{LABELS, Label, NONE, label};
use crate::scan::taken;
use crate::tagger::{Steps, Tagger};
use crate::token::Words;

/// A text whose personal data is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The text.
    pub text: String,
    /// Bytes and their kinds, in order, none overlapping.
    pub spans: Vec<(Range<usize>, Kind)>,
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainOptions {
    /// How often all examples are gone through.
    pub rounds: usize,
    /// One token in so many is shown without its letters.
    pub hidden_one_in: u64,
    /// Of a hundred features, so many are left out by chance each time.
    pub dropped_percent: u64,
    /// Weights below this share of the greatest are left out.
    pub least_weight: f32,
    /// Seed of the order of examples and of what is hidden.
    pub seed: u64,
}

impl Default for TrainOptions {
    fn default() -> TrainOptions {
        TrainOptions {
            rounds: 20,
            hidden_one_in: 2,
            dropped_percent: 60,
            least_weight: 0.032,
            seed: 1,
        }
    }
}

/// Trains a tagger and gives its bytes: the same for the same examples and options.
#[must_use]
pub fn train(examples: &[Example], options: &TrainOptions) -> Vec<u8> {
    let prepared: Vec<Prepared> = examples.iter().map(Prepared::of).collect();
    let mut trainer = Trainer::default();
    let mut random = Random(options.seed);
    let mut order: Vec<usize> = (0..prepared.len()).collect();
    for _ in 0..options.rounds {
        for index in (1..order.len()).rev() {
            order.swap(index, random.below(index as u64 + 1) as usize);
        }
        for index in &order {
            trainer.learn(&prepared[*index], options, &mut random);
        }
    }
    trainer.tagger(options.least_weight).write()
}

struct Prepared {
    seen: Vec<Seen>,
    labels: Vec<Label>,
    fixed: Vec<bool>,
}

impl Prepared {
    fn of(example: &Example) -> Prepared {
        let folded = Folded::new(&example.text);
        let words = Words::of(&folded);
        let tokens = words.tokens();
        let found = taken(&folded, &tokens);
        let mut labels = vec![NONE; tokens.len()];
        let mut last = None;
        for (index, token) in tokens.iter().enumerate() {
            let bytes = folded.bytes(token.start..token.end);
            let span = example
                .spans
                .iter()
                .position(|(span, _)| bytes.start < span.end && span.start < bytes.end);
            if let Some(span) = span {
                labels[index] = label(example.spans[span].1, last != Some(span));
            }
            last = span;
        }
        let fixed: Vec<bool> =
            found.iter().map(|kind| kind.is_some_and(Kind::is_checked)).collect();
        Prepared { seen: seen(&tokens, &found), labels, fixed }
    }
}

/// Weights of one feature, and the sums that their averages are made of.
type Learned = ([f32; LABELS], [f32; LABELS]);

#[derive(Default)]
struct Trainer {
    /// By feature: the weights, and the sums that averages are made of.
    rows: HashMap<Feature, Box<Learned>>,
    steps: [[f32; LABELS]; LABELS],
    step_sums: [[f32; LABELS]; LABELS],
    seen_examples: f32,
}

impl Trainer {
    fn learn(&mut self, example: &Prepared, options: &TrainOptions, random: &mut Random) {
        self.seen_examples += 1.0;
        let mut all: Vec<Vec<Feature>> = vec![Vec::new(); example.seen.len()];
        for (index, out) in all.iter_mut().enumerate() {
            let sight = match random.below(options.hidden_one_in * 2) {
                0 => Sight::LooksOnly,
                1 => Sight::NoWord,
                _ => Sight::Full,
            };
            features(&example.seen, index, sight, out);
            // Features that are sometimes missing share the work: none is relied on alone.
            out.retain(|_| random.below(100) >= options.dropped_percent);
        }
        let scores: Vec<[f32; LABELS]> = all.iter().map(|names| self.scores(names)).collect();
        let guessed = Steps::new(self.steps).best(&scores);
        for (index, names) in all.iter().enumerate() {
            let (right, wrong) = (example.labels[index], guessed[index]);
            if right != wrong && !example.fixed[index] {
                names.iter().for_each(|name| self.move_row(*name, right, wrong));
            }
            if index > 0 {
                self.move_step(example.labels[index - 1], right, 1.0);
                self.move_step(guessed[index - 1], wrong, -1.0);
            }
        }
    }

    fn scores(&self, names: &[Feature]) -> [f32; LABELS] {
        let mut sum = [0.0; LABELS];
        for row in names.iter().filter_map(|name| self.rows.get(name)) {
            sum.iter_mut().zip(&row.0).for_each(|(sum, weight)| *sum += weight);
        }
        sum
    }

    fn move_row(&mut self, name: Feature, right: Label, wrong: Label) {
        let row = self.rows.entry(name).or_insert_with(|| Box::new(([0.0; LABELS], [0.0; LABELS])));
        for (label, by) in [(right, 1.0), (wrong, -1.0)] {
            row.0[label] += by;
            row.1[label] += by * self.seen_examples;
        }
    }

    fn move_step(&mut self, from: Label, to: Label, by: f32) {
        self.steps[from][to] += by;
        self.step_sums[from][to] += by * self.seen_examples;
    }

    /// The average of the weights over all examples seen.
    fn tagger(self, least: f32) -> Tagger {
        let seen = self.seen_examples.max(1.0);
        let average = |weight: f32, sum: f32| weight - sum / seen;
        let mut averaged: Vec<(Feature, [f32; LABELS])> = self
            .rows
            .into_iter()
            .map(|(name, row)| (name, std::array::from_fn(|l| average(row.0[l], row.1[l]))))
            .collect();
        averaged.sort_by_key(|(name, _)| *name);
        let weights = averaged.iter().flat_map(|(_, row)| row);
        let most = weights.fold(1e-6_f32, |most, weight| most.max(weight.abs()));
        let scale = 127.0 / most;
        let steps: [[i16; LABELS]; LABELS] = std::array::from_fn(|from| {
            std::array::from_fn(|to| {
                let step = average(self.steps[from][to], self.step_sums[from][to]);
                (step * scale).round().clamp(-32000.0, 32000.0) as i16
            })
        });
        let mut least = least * most;
        loop {
            // Where the table takes no such rows, or is too large, fewer do.
            match kept(&averaged, least, scale, &steps) {
                Some(tagger) if tagger.write().len() <= BYTES_MAX => return tagger,
                _ => least *= 1.01,
            }
        }
    }
}

/// A tagger is no larger.
const BYTES_MAX: usize = 1_030_000;

/// The tagger of the weights that are not less than `least`.
fn kept(
    averaged: &[(Feature, [f32; LABELS])],
    least: f32,
    scale: f32,
    steps: &[[i16; LABELS]],
) -> Option<Tagger> {
    let kept = |weight: f32| if weight.abs() < least { 0.0 } else { weight };
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for (name, row) in averaged {
        let row = row.map(|weight| (kept(weight) * scale).round() as i8);
        if row.iter().any(|weight| *weight != 0) {
            names.push(*name);
            rows.push(row);
        }
    }
    Tagger::new(&names, &rows, steps)
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_examples_give_the_same_tagger() {
        let example = |text: &str, span: Range<usize>, kind| Example {
            text: text.into(),
            spans: vec![(span, kind)],
        };
        let examples = [
            example("My name is Zorbla", 11..17, Kind::Person),
            example("We met in Quixton", 10..17, Kind::Place),
        ];
        let options = TrainOptions::default();
        let bytes = train(&examples, &options);
        assert_eq!(bytes, train(&examples, &options));
        let tagger = Tagger::read(&bytes).unwrap();
        let folded = Folded::new("My name is Brindlo");
        let words = Words::of(&folded);
        let tokens = words.tokens();
        let seen = seen(&tokens, &vec![None; tokens.len()]);
        let known = &mut vec![None; seen.len()];
        assert_eq!(tagger.tag(&seen, 0..seen.len(), known)[3].0, label(Kind::Person, true));
    }
}
