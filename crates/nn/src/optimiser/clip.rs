//! Keeping the gradients' norm within a bound.

use crate::gradients::Gradients;
use rayon::prelude::*;

/// Elements whose squares are added before they meet the others.
const CHUNK: usize = 1 << 12;

/// Scales all gradients so that the Euclidean norm of all of them together is at most `most`, and
/// returns the norm that they had. As `torch.nn.utils.clip_grad_norm_`, with squares added in `f64`
/// in the order of the parameters: the same bits on any number of threads.
pub fn clip_gradients(gradients: &mut Gradients, most: f64) -> f64 {
    let squares: f64 = gradients.iter().map(|(_, gradient)| sum_of_squares(gradient)).sum();
    let norm = squares.sqrt();
    let factor = (most / (norm + 1e-6)).min(1.0) as f32;
    if factor < 1.0 {
        gradients.iter_mut().for_each(|(_, gradient)| {
            gradient.par_iter_mut().with_min_len(CHUNK).for_each(|value| *value *= factor);
        });
    }
    norm
}

fn sum_of_squares(values: &[f32]) -> f64 {
    let sum = |chunk: &[f32]| -> f64 { chunk.iter().map(|x| f64::from(*x) * f64::from(*x)).sum() };
    // Collected before they are added, so that threads do not decide the order.
    values.par_chunks(CHUNK).map(sum).collect::<Vec<f64>>().into_iter().sum()
}
