//! Choosing the next token.
//!
//! Everything is in `f32` and in a fixed order: candidates are sorted by score, equal ones by id,
//! and probabilities are added from the best down. So the same scores, seed and history give the
//! same token everywhere.

use crate::error::{Error, Result};
use crate::random::Random;
use crate::request::Sampling;
use allod_lm::{Isa, argmax, softmax};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Chooses the tokens of one sequence.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    random: Random,
    isa: Isa,
    scores: Vec<f32>,
}

/// A token that may be chosen.
#[derive(Clone, Copy)]
struct Candidate {
    token: u32,
    score: f32,
}

impl Sampler {
    /// A sampler at the start of a sequence.
    ///
    /// # Errors
    /// If a parameter is out of its range.
    pub fn new(sampling: &Sampling, isa: Isa) -> Result<Sampler> {
        check(sampling)?;
        let random = Random::new(sampling.seed);
        Ok(Sampler { sampling: sampling.clone(), random, isa, scores: Vec::new() })
    }

    /// The token that follows `history`, given the scores of all tokens. `None` if the scores are
    /// no numbers.
    pub fn choose(&mut self, scores: &[f32], history: &[u32]) -> Option<u32> {
        self.scores.clear();
        self.scores.extend_from_slice(scores);
        self.penalise(history);
        let best = argmax(self.isa, &self.scores)?;
        if !self.scores[best].is_finite() {
            return None;
        }
        if self.sampling.temperature == 0.0 {
            return Some(best as u32);
        }
        let candidates = self.candidates();
        Some(self.draw(&candidates))
    }

    fn penalise(&mut self, history: &[u32]) {
        let penalty = self.sampling.repetition_penalty;
        if penalty == 1.0 {
            return;
        }
        let window = match self.sampling.repetition_window {
            0 => history.len(),
            window => window.min(history.len()),
        };
        let occurred: BTreeSet<u32> = history[history.len() - window..].iter().copied().collect();
        for token in occurred {
            if let Some(score) = self.scores.get_mut(token as usize) {
                *score = if *score > 0.0 { *score / penalty } else { *score * penalty };
            }
        }
    }

    /// The tokens that top-k leaves, best first, with scores divided by the temperature.
    fn candidates(&self) -> Vec<Candidate> {
        let temperature = self.sampling.temperature;
        let numbers = self.scores.iter().zip(0..).filter(|(score, _)| !score.is_nan());
        let mut candidates: Vec<Candidate> =
            numbers.map(|(score, token)| Candidate { token, score: score / temperature }).collect();
        let keep = self.sampling.top_k;
        if (1..candidates.len()).contains(&keep) {
            candidates.select_nth_unstable_by(keep - 1, better);
            candidates.truncate(keep);
        }
        candidates.sort_unstable_by(better);
        candidates
    }

    fn draw(&mut self, candidates: &[Candidate]) -> u32 {
        let mut shares: Vec<f32> = candidates.iter().map(|candidate| candidate.score).collect();
        softmax(self.isa, &mut shares);
        let kept = self.kept(&shares);
        let total = shares[..kept].iter().fold(0.0, |sum: f32, share| sum + share);
        let mark = self.random.next_unit() * total;
        let mut sum = 0.0;
        for (candidate, share) in candidates.iter().zip(&shares[..kept]) {
            sum += share;
            if mark < sum {
                return candidate.token;
            }
        }
        candidates[kept - 1].token
    }

    /// How many of the candidates top-p and min-p leave; at least one.
    fn kept(&self, shares: &[f32]) -> usize {
        let mut sum = 0.0;
        let mut kept = shares.len();
        if self.sampling.top_p < 1.0 {
            let reached = |share: &f32| {
                sum += share;
                sum >= self.sampling.top_p
            };
            kept = shares.iter().position(reached).map_or(kept, |last| last + 1);
        }
        let least = self.sampling.min_p * shares[0];
        shares[..kept].iter().take_while(|share| **share >= least).count().max(1)
    }
}

/// Higher scores first, then lower ids: a total order, so that sorting has one result.
fn better(a: &Candidate, b: &Candidate) -> Ordering {
    b.score.total_cmp(&a.score).then(a.token.cmp(&b.token))
}

fn check(sampling: &Sampling) -> Result<()> {
    let rules = [
        ("temperature", sampling.temperature, 0.0, f32::MAX, "a number from 0 on"),
        ("top_p", sampling.top_p, f32::MIN_POSITIVE, 1.0, "above 0 and at most 1"),
        ("min_p", sampling.min_p, 0.0, 1.0, "from 0 to 1"),
        (
            "repetition_penalty",
            sampling.repetition_penalty,
            f32::MIN_POSITIVE,
            f32::MAX,
            "a number above 0",
        ),
    ];
    match rules.into_iter().find(|(_, value, least, most, _)| !(least..=most).contains(&value)) {
        Some((name, value, _, _, range)) => Err(Error::Sampling { name, value, range }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(&sampling, Isa::detect()).unwrap()
    }

    fn warm() -> Sampling {
        Sampling { temperature: 1.0, ..Sampling::default() }
    }

    fn shares(sampling: Sampling, scores: &[f32], draws: usize) -> Vec<f32> {
        let mut sampler = sampler(sampling);
        let mut counts = vec![0.0; scores.len()];
        for _ in 0..draws {
            counts[sampler.choose(scores, &[]).unwrap() as usize] += 1.0 / draws as f32;
        }
        counts
    }

    #[test]
    fn greedy_takes_the_best_and_the_lowest_of_equals() {
        let mut greedy = sampler(Sampling::default());
        assert_eq!(greedy.choose(&[1.0, 3.0, 3.0, 2.0], &[]), Some(1));
        assert_eq!(greedy.choose(&[f32::NAN, f32::NEG_INFINITY, -5.0], &[]), Some(2));
        assert_eq!(greedy.choose(&[f32::NAN, f32::NAN], &[]), None);
        assert_eq!(greedy.choose(&[f32::NEG_INFINITY; 3], &[]), None);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let scores: Vec<f32> = [0.5_f32, 0.3, 0.2].iter().map(|share| share.ln()).collect();
        for (found, expected) in shares(warm(), &scores, 20_000).iter().zip([0.5, 0.3, 0.2]) {
            assert!((found - expected).abs() < 0.015, "{found} {expected}");
        }
        let sharp = Sampling { temperature: 0.5, ..warm() };
        for (found, expected) in shares(sharp, &scores, 20_000).iter().zip([0.658, 0.237, 0.105]) {
            assert!((found - expected).abs() < 0.015, "{found} {expected}");
        }
    }

    #[test]
    fn each_filter_leaves_the_tokens_that_it_should() {
        let scores: Vec<f32> = [0.1_f32, 0.4, 0.3, 0.2].iter().map(|share| share.ln()).collect();
        let left = |sampling| {
            let found = shares(sampling, &scores, 2000);
            found.iter().map(|share| *share > 0.0).collect::<Vec<bool>>()
        };
        assert_eq!(left(Sampling { top_k: 2, ..warm() }), [false, true, true, false]);
        assert_eq!(left(Sampling { top_p: 0.65, ..warm() }), [false, true, true, false]);
        assert_eq!(left(Sampling { top_p: 0.01, ..warm() }), [false, true, false, false]);
        assert_eq!(left(Sampling { min_p: 0.45, ..warm() }), [false, true, true, true]);
        assert_eq!(left(Sampling { min_p: 1.0, ..warm() }), [false, true, false, false]);
        assert_eq!(left(warm()), [true; 4]);
    }

    #[test]
    fn repetition_counts_within_its_window() {
        let penal =
            Sampling { repetition_penalty: 2.0, repetition_window: 2, ..Sampling::default() };
        let mut sampler = sampler(penal);
        assert_eq!(sampler.choose(&[3.0, 2.0, -1.0], &[0]), Some(1));
        assert_eq!(sampler.choose(&[3.0, 2.0, -1.0], &[0, 1, 2]), Some(0));
        assert_eq!(sampler.choose(&[-1.0, -1.5], &[0]), Some(1));
        assert_eq!(sampler.choose(&[3.0, 2.0], &[7, 9]), Some(0));
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        for (sampling, name) in [
            (Sampling { temperature: -1.0, ..warm() }, "temperature"),
            (Sampling { temperature: f32::NAN, ..warm() }, "temperature"),
            (Sampling { top_p: 0.0, ..warm() }, "top_p"),
            (Sampling { min_p: 1.5, ..warm() }, "min_p"),
            (Sampling { repetition_penalty: 0.0, ..warm() }, "repetition_penalty"),
        ] {
            let message = Sampler::new(&sampling, Isa::Scalar).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    proptest! {
        #[test]
        fn the_same_seed_chooses_the_same_on_every_instruction_set(
            scores in prop::collection::vec(-20.0_f32..20.0, 1..300),
            seed: u64,
            top_k in 0_usize..50,
            top_p in 0.01_f32..1.0,
        ) {
            let sampling = Sampling { temperature: 0.8, top_k, top_p, seed, ..Sampling::default() };
            let choose = |isa| {
                let mut sampler = Sampler::new(&sampling, isa).unwrap();
                (0..5).map(|_| sampler.choose(&scores, &[]).unwrap()).collect::<Vec<u32>>()
            };
            let reference = choose(Isa::Scalar);
            for isa in Isa::available() {
                prop_assert_eq!(&choose(isa), &reference);
            }
        }
    }
}
