//! Choosing the next token.
//!
//! Everything is in a fixed order: candidates are sorted by score, equal ones by id, and where
//! probabilities are added, they are added from the best down or from the lowest id up. So the same
//! scores, seed and past give the same token everywhere.

use crate::candidates::{best, filtered, numbers};
use crate::error::Result;
use crate::penalties::penalise;
use crate::random::Random;
use crate::request::ChosenToken;
use crate::sampling::Sampling;
use allod_lm::{Isa, argmax, softmax};
use std::collections::HashSet;
use std::sync::Arc;

/// Shares that are added up before the sum is noted.
const DRAW_PART: usize = 2048;

/// Chooses the tokens of one sequence.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    /// Tokens that no repetition goes across.
    breakers: Arc<HashSet<u32>>,
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

impl Sampler {
    /// A sampler at the start of a sequence.
    ///
    /// # Errors
    /// If a parameter is out of its range.
    pub fn new(sampling: &Sampling, isa: Isa) -> Result<Sampler> {
        sampling.check()?;
        let random = Random::new(sampling.seed);
        let (sampling, breakers) = (sampling.clone(), Arc::default());
        Ok(Sampler { sampling, breakers, random, isa, scores: Vec::new() })
    }

    /// The same sampler, for a vocabulary in which `breakers` are the tokens whose texts have one
    /// of [`crate::Dry::breakers`] in them.
    pub fn with_breakers(self, breakers: Arc<HashSet<u32>>) -> Sampler {
        Sampler { breakers, ..self }
    }

    /// The token that follows `past`, given the scores of all tokens. `None` if the scores are no
    /// numbers.
    pub fn choose(&mut self, scores: &[f32], past: Past) -> Option<u32> {
        self.choose_after(scores, past, |_| ())
    }

    /// [`Sampler::choose`], with `limit` put upon the scores after all penalties and before
    /// temperature and filters.
    pub(crate) fn choose_after(
        &mut self,
        scores: &[f32],
        past: Past,
        limit: impl FnOnce(&mut [f32]),
    ) -> Option<u32> {
        self.scores.clear();
        self.scores.extend_from_slice(scores);
        penalise(&self.sampling, &self.breakers, past, &mut self.scores);
        limit(&mut self.scores);
        let best = argmax(self.isa, &self.scores)?;
        if !self.scores[best].is_finite() {
            return None;
        }
        match self.sampling.temperature {
            0.0 => Some(best as u32),
            _ if self.sampling.leaves_all() && !has_nan(&self.scores) => {
                Some(self.draw_of_all(self.scores[best]))
            }
            _ => Some(self.draw()),
        }
    }

    /// What [`Sampler::draw`] gives where no filter is asked for and all scores are numbers.
    fn draw_of_all(&mut self, best_score: f32) -> u32 {
        let temperature = self.sampling.temperature;
        for score in &mut self.scores {
            // The best becomes 0, so that no temperature is low enough to make it infinite.
            *score = (*score - best_score) / temperature;
        }
        softmax(self.isa, &mut self.scores);
        // Where each part begins, so that only one has to be gone through again.
        let (mut begins, mut total) = (Vec::new(), 0.0);
        for part in self.scores.chunks(DRAW_PART) {
            begins.push(total);
            total = part.iter().fold(total, |sum, share| sum + f64::from(*share));
        }
        let mark = f64::from(self.random.next_unit()) * total;
        let later = begins.iter().skip(1).take_while(|begin| **begin <= mark).count();
        let from = later * DRAW_PART;
        let mut end = begins[later];
        let found = self.scores[from..].iter().position(|share| {
            end += f64::from(*share);
            mark < end
        });
        found.map_or(0, |place| (from + place) as u32)
    }

    /// A token by the probabilities of those that the filters leave: they are laid end to end in
    /// order of their ids, and a random number says where.
    fn draw(&mut self) -> u32 {
        let candidates = filtered(self.isa, &self.sampling, &self.scores);
        let up_to = |sum: &mut f64, share: f32| {
            *sum += f64::from(share);
            Some(*sum)
        };
        let ends = candidates.iter().map(|one| one.share).scan(0.0, up_to);
        let total = ends.clone().last().expect("there is a score that is a number");
        let mark = f64::from(self.random.next_unit()) * total;
        let found = candidates.iter().zip(ends).find(|(_, end)| mark < *end);
        found.map_or(candidates[0].token, |(candidate, _)| candidate.token)
    }

    /// A token that was chosen, with the logarithms of the model's own probabilities: of the token
    /// itself and of the `top` likeliest ones, if they are asked for.
    pub fn report(&mut self, scores: &[f32], token: u32, top: Option<usize>) -> ChosenToken {
        let score = scores[token as usize];
        let Some(count) = top else {
            return ChosenToken { token, score, logprob: None, top: Vec::new() };
        };
        let logprob = self.logprobs(scores);
        let of = |token: u32| (token, logprob(scores[token as usize]));
        let likeliest = best(numbers(scores), count);
        let top = likeliest.into_iter().map(|candidate| of(candidate.token)).collect();
        ChosenToken { token, score, logprob: Some(of(token).1), top }
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
}

/// Whether any score is no number; looks at all, which is faster than to stop at one.
fn has_nan(scores: &[f32]) -> bool {
    scores.iter().fold(false, |found, score| found | score.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Dry;
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
    fn no_temperature_is_too_low_or_too_high() {
        for (temperature, expected) in [(f32::MIN_POSITIVE, [0.0, 1.0]), (f32::MAX, [0.5, 0.5])] {
            let found = shares(Sampling { temperature, ..warm() }, &[-30.0, 30.0], 5000);
            assert!((found[0] - expected[0]).abs() < 0.03, "{temperature} {found:?}");
        }
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
            (Sampling { typical_p: 0.0, ..warm() }, "typical_p"),
            (Sampling { frequency_penalty: 2.1, ..warm() }, "frequency_penalty"),
            (Sampling { presence_penalty: f32::NAN, ..warm() }, "presence_penalty"),
            (Sampling { logit_bias: [(3, 101.0)].into(), ..warm() }, "logit_bias"),
            (Sampling { dry: Some(Dry { base: 0.5, ..Dry::default() }), ..warm() }, "dry base"),
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
        fn a_draw_of_all_is_the_draw_of_what_no_filter_took(
            scores in prop::collection::vec(-30.0_f32..3.0, 1..9000), seed: u64,
            temperature in 0.1_f32..5.0, excluded in 0usize..9000,
        ) {
            let mut scores = scores;
            if scores.len() > 1 {
                let place = excluded % scores.len();
                scores[place] = f32::NEG_INFINITY;
            }
            let mut quick = sampler(Sampling { temperature, seed, ..Sampling::default() });
            let mut slow = quick.clone();
            for _ in 0..5 {
                let found = quick.choose(&scores, Past::default());
                slow.scores = scores.clone();
                prop_assert_eq!(found, Some(slow.draw()));
            }
        }

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
                let chosen = (0..5).map(|_| sampler.choose(&scores, Past::default()).unwrap());
                chosen.collect::<Vec<u32>>()
            };
            let reference = choose(Isa::Scalar);
            for isa in Isa::available() {
                prop_assert_eq!(&choose(isa), &reference);
            }
        }
    }
}
