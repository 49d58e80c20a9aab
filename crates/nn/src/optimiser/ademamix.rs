//! AdEMAMix (arXiv 2409.03137): AdamW with a second, much slower mean of the gradients.

use super::{CHUNK, Moments};
use rayon::prelude::*;

/// AdEMAMix. `alpha` and `beta3` are reached over `warm_up_steps` as the paper's section 3.1 has
/// it: `alpha` in a straight line, `beta3` from `beta1` so that its half-life grows in one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdEMAMix {
    /// How slowly the fast mean of the gradients moves.
    pub beta1: f64,
    /// How slowly the mean of their squares moves.
    pub beta2: f64,
    /// How slowly the slow mean moves, after the warm-up.
    pub beta3: f64,
    /// How much the slow mean counts, after the warm-up.
    pub alpha: f64,
    /// Steps until `alpha` and `beta3` are reached; 0 for at once.
    pub warm_up_steps: u64,
    /// Added to the root of the mean of squares.
    pub epsilon: f64,
    /// Part of a parameter that a step with the rate 1 takes away.
    pub decay: f64,
}

impl Default for AdEMAMix {
    fn default() -> AdEMAMix {
        AdEMAMix {
            beta1: 0.9,
            beta2: 0.999,
            beta3: 0.9999,
            alpha: 8.0,
            warm_up_steps: 100_000,
            epsilon: 1e-8,
            decay: 0.1,
        }
    }
}

impl AdEMAMix {
    /// Moments that it keeps of a parameter.
    pub(super) const MOMENTS: &[&str] = &["mean", "slow_mean", "square"];

    /// `alpha` at a step, from 1.
    pub fn alpha_at(&self, step: u64) -> f64 {
        self.alpha * self.warmed(step)
    }

    /// `beta3` at a step, from 1.
    pub fn beta3_at(&self, step: u64) -> f64 {
        let (done, start, end) = (self.warmed(step), libm::log(self.beta1), libm::log(self.beta3));
        if done == 1.0 || self.beta1 >= self.beta3 {
            return self.beta3;
        }
        libm::exp(start * end / ((1.0 - done) * end + done * start)).min(self.beta3)
    }

    /// How much of the warm-up is done, from 0 to 1.
    fn warmed(&self, step: u64) -> f64 {
        if step >= self.warm_up_steps { 1.0 } else { step as f64 / self.warm_up_steps as f64 }
    }

    /// The `step`-th change of a parameter, from 1.
    pub(super) fn update(
        &self,
        step: u64,
        rate: f64,
        values: &mut [f32],
        gradient: &[f32],
        moments: &mut Moments,
    ) {
        let [means, slow_means, squares] = moments.as_mut_slice() else {
            unreachable!("it keeps three moments")
        };
        let factors = Factors::new(self, step, rate);
        let means = means.par_chunks_mut(CHUNK).zip(slow_means.par_chunks_mut(CHUNK));
        values
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(means.zip(squares.par_chunks_mut(CHUNK)))
            .for_each(|((values, gradient), ((means, slow_means), squares))| {
                factors.run(values, gradient, [means, slow_means, squares]);
            });
    }
}

/// The numbers of one step, as they are used.
struct Factors {
    kept: f32,
    to_mean: f32,
    mean_correction: f32,
    to_slow: f32,
    alpha: f32,
    kept_square: f32,
    to_square: f32,
    root_correction: f32,
    epsilon: f32,
    rate: f32,
}

impl Factors {
    fn new(mix: &AdEMAMix, step: u64, rate: f64) -> Factors {
        let correction = |beta: f64| 1.0 - libm::pow(beta, step as f64);
        Factors {
            kept: (1.0 - rate * mix.decay) as f32,
            to_mean: (1.0 - mix.beta1) as f32,
            mean_correction: correction(mix.beta1) as f32,
            to_slow: (1.0 - mix.beta3_at(step)) as f32,
            alpha: mix.alpha_at(step) as f32,
            kept_square: mix.beta2 as f32,
            to_square: (1.0 - mix.beta2) as f32,
            root_correction: correction(mix.beta2).sqrt() as f32,
            epsilon: mix.epsilon as f32,
            rate: rate as f32,
        }
    }

    fn run(
        &self,
        values: &mut [f32],
        gradient: &[f32],
        [means, slow_means, squares]: [&mut [f32]; 3],
    ) {
        let moments = means.iter_mut().zip(slow_means).zip(squares);
        for ((value, gradient), ((mean, slow), square)) in
            values.iter_mut().zip(gradient).zip(moments)
        {
            *mean += self.to_mean * (gradient - *mean);
            *slow += self.to_slow * (gradient - *slow);
            *square = *square * self.kept_square + self.to_square * gradient * gradient;
            let size = square.sqrt() / self.root_correction + self.epsilon;
            let way = (*mean / self.mean_correction + self.alpha * *slow) / size;
            *value = *value * self.kept - self.rate * way;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedules_start_at_beta1_and_end_at_their_values() {
        let mix = AdEMAMix { warm_up_steps: 1000, ..AdEMAMix::default() };
        assert_eq!(mix.alpha_at(500), 4.0);
        assert_eq!((mix.alpha_at(1000), mix.alpha_at(5000)), (8.0, 8.0));
        assert_eq!((mix.beta3_at(1000), mix.beta3_at(5000)), (0.9999, 0.9999));
        assert!((mix.beta3_at(0) - 0.9).abs() < 1e-12);
        // The half-life, ln 0.5 / ln beta, is half way at half time.
        let half_life = |beta: f64| 0.5_f64.ln() / beta.ln();
        let middle = (half_life(0.9) + half_life(0.9999)) / 2.0;
        assert!((half_life(mix.beta3_at(500)) / middle - 1.0).abs() < 1e-9);
        let at_once = AdEMAMix { warm_up_steps: 0, ..AdEMAMix::default() };
        assert_eq!((at_once.alpha_at(1), at_once.beta3_at(1)), (8.0, 0.9999));
    }
}
