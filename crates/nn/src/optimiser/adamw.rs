//! AdamW (arXiv 1711.05101).

use super::{CHUNK, Moments};
use rayon::prelude::*;

/// AdamW, as `torch.optim.AdamW` computes it: decay apart from the gradient, moments corrected for
/// their start, epsilon outside the root.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// How slowly the mean of the gradients moves.
    pub beta1: f64,
    /// How slowly the mean of their squares moves.
    pub beta2: f64,
    /// Added to the root of the mean of squares.
    pub epsilon: f64,
    /// Part of a parameter that a step with the rate 1 takes away.
    pub decay: f64,
}

impl Default for AdamW {
    fn default() -> AdamW {
        AdamW { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1 }
    }
}

impl AdamW {
    /// Moments that it keeps of a parameter.
    pub(super) const MOMENTS: &[&str] = &["mean", "square"];

    /// The `step`-th change of a parameter, from 1.
    pub(super) fn update(
        &self,
        step: u64,
        rate: f64,
        values: &mut [f32],
        gradient: &[f32],
        moments: &mut Moments,
    ) {
        let [means, squares] = moments.as_mut_slice() else { unreachable!("it keeps two moments") };
        let factors = Factors::new(self, step, rate);
        values
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(means.par_chunks_mut(CHUNK).zip(squares.par_chunks_mut(CHUNK)))
            .for_each(|((values, gradient), (means, squares))| {
                factors.run(values, gradient, means, squares);
            });
    }
}

/// The numbers of one step, as they are used.
struct Factors {
    kept: f32,
    to_mean: f32,
    kept_square: f32,
    to_square: f32,
    root_correction: f32,
    epsilon: f32,
    rate: f32,
}

impl Factors {
    fn new(adam: &AdamW, step: u64, rate: f64) -> Factors {
        let correction = |beta: f64| 1.0 - libm::pow(beta, step as f64);
        Factors {
            kept: (1.0 - rate * adam.decay) as f32,
            to_mean: (1.0 - adam.beta1) as f32,
            kept_square: adam.beta2 as f32,
            to_square: (1.0 - adam.beta2) as f32,
            root_correction: correction(adam.beta2).sqrt() as f32,
            epsilon: adam.epsilon as f32,
            rate: (rate / correction(adam.beta1)) as f32,
        }
    }

    fn run(&self, values: &mut [f32], gradient: &[f32], means: &mut [f32], squares: &mut [f32]) {
        let moments = means.iter_mut().zip(squares);
        for ((value, gradient), (mean, square)) in values.iter_mut().zip(gradient).zip(moments) {
            *mean += self.to_mean * (gradient - *mean);
            *square = *square * self.kept_square + self.to_square * gradient * gradient;
            let size = square.sqrt() / self.root_correction + self.epsilon;
            *value = *value * self.kept - self.rate * (*mean / size);
        }
    }
}
