//! What norms pass back to their input.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};
use crate::lanes::{fold, sum};
use crate::reduction::dot_body;

/// The slope along one row of [`crate::rms_norm`]'s input, from that along its output. With
/// f = 1 / sqrt(mean(x^2) + eps) and g = slope * weight:
/// `dx[i] = f * (g[i] - x[i] * f^2 * mean(g * x))`. Returns f, which the slope along the weight
/// needs ([`crate::norm_weight_gradient`]).
///
/// # Panics
/// When the lengths differ.
pub fn rms_norm_gradient(
    isa: Isa,
    x: &[f32],
    weight: &[f32],
    eps: f32,
    slope: &[f32],
    dx: &mut [f32],
) -> f32 {
    assert!(x.len() == weight.len() && x.len() == slope.len(), "lengths of x, weight and slope");
    assert_eq!(x.len(), dx.len(), "lengths of x and dx");
    on_isa!(
        isa,
        rms_norm_body(x: &[f32], weight: &[f32], eps: f32, slope: &[f32], dx: &mut [f32]) -> f32
    )
}

#[inline(always)]
fn rms_norm_body(x: &[f32], weight: &[f32], eps: f32, slope: &[f32], dx: &mut [f32]) -> f32 {
    let length = x.len() as f32;
    let squares = sum(fold(x, 0.0, |sum, value| value.mul_add(value, sum)));
    let factor = 1.0 / (squares / length + eps).sqrt();
    for ((dx, slope), weight) in dx.iter_mut().zip(slope).zip(weight) {
        *dx = slope * weight;
    }
    let share = dot_body(dx, x) / length * factor * factor;
    for (dx, x) in dx.iter_mut().zip(x) {
        *dx = (-share).mul_add(*x, *dx) * factor;
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_same_bits;
    use crate::samples::{self, Values};

    #[test]
    fn every_isa_gives_the_same_slope_and_the_true_one() {
        for (length, seed) in [(1, 1), (5, 2), (16, 3), (77, 4), (512, 5)] {
            let x = samples::floats(length, Values::Plain, seed);
            let weight = samples::floats(length, Values::Plain, seed + 10);
            let slope = samples::floats(length, Values::Plain, seed + 20);
            let mut expected = vec![0.0; length];
            let factor = rms_norm_body(&x, &weight, 1e-3, &slope, &mut expected);
            for isa in Isa::available() {
                let mut found = vec![0.0; length];
                let own = rms_norm_gradient(isa, &x, &weight, 1e-3, &slope, &mut found);
                assert_same_bits(&found, &expected, isa.name());
                assert_same_bits(&[own], &[factor], isa.name());
            }
            let at = |index: usize, step: f64| {
                let mut x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                x[index] += step;
                let mean = x.iter().map(|x| x * x).sum::<f64>() / length as f64;
                let terms = x.iter().zip(&weight).zip(&slope);
                let sum: f64 = terms.map(|((x, w), s)| x * f64::from(*w) * f64::from(*s)).sum();
                sum / (mean + 1e-3).sqrt()
            };
            for (index, found) in expected.iter().enumerate() {
                let truth = (at(index, 1e-5) - at(index, -1e-5)) / 2e-5;
                assert!((f64::from(*found) - truth).abs() < 1e-4 * (1.0 + truth.abs()));
            }
        }
    }
}
