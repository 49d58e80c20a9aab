//! Choosing the next token.
//!
//! Everything is in `f32` and in a fixed order: candidates are sorted by score, equal ones by id,
//! and probabilities are added from the best down. So the same scores, seed and history give the
//! same token everywhere.

use crate::error::Result;
use crate::random::Random;
use crate::request::ChosenToken;
use crate::sampling::Sampling;
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

/// What a sequence holds so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past<'a> {
    /// Prompt and completion.
    pub tokens: &'a [u32],
    /// How many of them are the prompt.
    pub prompt_tokens: usize,
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
        sampling.check()?;
        let random = Random::new(sampling.seed);
        Ok(Sampler { sampling: sampling.clone(), random, isa, scores: Vec::new() })
    }

    /// The token that follows `past`, given the scores of all tokens. `None` if the scores are no
    /// numbers.
    pub fn choose(&mut self, scores: &[f32], past: Past) -> Option<u32> {
        self.scores.clear();
        self.scores.extend_from_slice(scores);
        self.penalise(past.tokens);
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

    /// A token that was chosen, with the logarithms of the model's own probabilities: of the token
    /// itself and of the `top` likeliest ones, if they are asked for.
    pub fn report(&mut self, scores: &[f32], token: u32, top: Option<usize>) -> ChosenToken {
        let Some(count) = top else {
            return ChosenToken { token, logprob: None, top: Vec::new() };
        };
        let logprob = self.logprobs(scores);
        let of = |token: u32| (token, logprob(scores[token as usize]));
        let best = best_of(ranked(scores), count);
        let top = best.into_iter().map(|candidate| of(candidate.token)).collect();
        ChosenToken { token, logprob: Some(of(token).1), top }
    }

    /// From scores to logarithms of probabilities: `score - best - ln(sum)`, where the best one's
    /// share of the softmax is 1 / sum.
    fn logprobs(&mut self, scores: &[f32]) -> impl Fn(f32) -> f32 + use<> {
        self.scores.clear();
        self.scores.extend_from_slice(scores);
        let best = argmax(self.isa, scores);
        softmax(self.isa, &mut self.scores);
        let (best, share) = best.map_or((0.0, 1.0), |at| (scores[at], self.scores[at]));
        let log_share = libm::log(f64::from(share));
        move |score| (f64::from(score) - f64::from(best) + log_share) as f32
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
        let mut candidates = ranked(&self.scores);
        candidates.iter_mut().for_each(|candidate| candidate.score /= temperature);
        match self.sampling.top_k {
            0 => best_of(candidates, usize::MAX),
            keep => best_of(candidates, keep),
        }
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

/// Every token whose score is a number.
fn ranked(scores: &[f32]) -> Vec<Candidate> {
    let numbers = scores.iter().zip(0..).filter(|(score, _)| !score.is_nan());
    numbers.map(|(score, token)| Candidate { token, score: *score }).collect()
}

/// The best `count` of them, in order.
fn best_of(mut candidates: Vec<Candidate>, count: usize) -> Vec<Candidate> {
    if count < candidates.len() {
        if count > 0 {
            candidates.select_nth_unstable_by(count - 1, better);
        }
        candidates.truncate(count);
    }
    candidates.sort_unstable_by(better);
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(&sampling, Isa::detect()).unwrap()
    }

    fn past(tokens: &[u32]) -> Past<'_> {
        Past { tokens, prompt_tokens: 0 }
    }

    fn warm() -> Sampling {
        Sampling { temperature: 1.0, ..Sampling::default() }
    }

    fn shares(sampling: Sampling, scores: &[f32], draws: usize) -> Vec<f32> {
        let mut sampler = sampler(sampling);
        let mut counts = vec![0.0; scores.len()];
        for _ in 0..draws {
            counts[sampler.choose(scores, Past::default()).unwrap() as usize] += 1.0 / draws as f32;
        }
        counts
    }

    #[test]
    fn greedy_takes_the_best_and_the_lowest_of_equals() {
        let mut greedy = sampler(Sampling::default());
        assert_eq!(greedy.choose(&[1.0, 3.0, 3.0, 2.0], Past::default()), Some(1));
        assert_eq!(greedy.choose(&[f32::NAN, f32::NEG_INFINITY, -5.0], Past::default()), Some(2));
        assert_eq!(greedy.choose(&[f32::NAN, f32::NAN], Past::default()), None);
        assert_eq!(greedy.choose(&[f32::NEG_INFINITY; 3], Past::default()), None);
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
        assert_eq!(sampler.choose(&[3.0, 2.0, -1.0], past(&[0])), Some(1));
        assert_eq!(sampler.choose(&[3.0, 2.0, -1.0], past(&[0, 1, 2])), Some(0));
        assert_eq!(sampler.choose(&[-1.0, -1.5], past(&[0])), Some(1));
        assert_eq!(sampler.choose(&[3.0, 2.0], past(&[7, 9])), Some(0));
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

    #[test]
    fn log_probabilities_are_the_models_own() {
        let scores: Vec<f32> = [0.1_f32, 0.4, 0.3, 0.2].iter().map(|p| p.ln() + 7.0).collect();
        let mut sampler = sampler(Sampling { temperature: 3.0, top_k: 1, ..warm() });
        let chosen = sampler.report(&scores, 3, Some(2));
        let near = |found: f32, expected: f32| (found - expected.ln()).abs() < 1e-5;
        assert!(near(chosen.logprob.unwrap(), 0.2), "{chosen:?}");
        assert_eq!([chosen.top[0].0, chosen.top[1].0], [1, 2]);
        assert!(near(chosen.top[0].1, 0.4) && near(chosen.top[1].1, 0.3), "{chosen:?}");
        let far = sampler.report(&[0.0, -500.0], 1, Some(0));
        assert_eq!((far.logprob, far.top.len()), (Some(-500.0), 0));
        assert_eq!(sampler.report(&scores, 3, None).logprob, None);
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
                (0..5).map(|_| sampler.choose(&scores, Past::default()).unwrap()).collect::<Vec<u32>>()
            };
            let reference = choose(Isa::Scalar);
            for isa in Isa::available() {
                prop_assert_eq!(&choose(isa), &reference);
            }
        }
    }
}
