//! The gradient of the softmax.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};
use crate::reduction::dot_body;

/// Turns the slope along `weights` = softmax(factor · x) into the slope along x, in place, and
/// returns their mean, the dot product of both: `slope = (slope - mean) * weight * factor`.
///
/// # Panics
/// When the lengths differ.
pub fn softmax_gradient(isa: Isa, weights: &[f32], slope: &mut [f32], factor: f32) -> f32 {
    assert_eq!(weights.len(), slope.len(), "lengths of the weights and the slope");
    on_isa!(isa, body(weights: &[f32], slope: &mut [f32], factor: f32) -> f32)
}

#[inline(always)]
fn body(weights: &[f32], slope: &mut [f32], factor: f32) -> f32 {
    let mean = dot_body(weights, slope);
    for (slope, weight) in slope.iter_mut().zip(weights) {
        *slope = (*slope - mean) * weight * factor;
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_same_bits;
    use crate::samples::{self, Values};

    #[test]
    fn every_isa_gives_the_slope_of_the_definition() {
        let mut weights = samples::floats(77, Values::Plain, 1);
        crate::softmax(Isa::Scalar, &mut weights);
        let start = samples::floats(77, Values::Plain, 2);
        let mut expected = start.clone();
        let mean = softmax_gradient(Isa::Scalar, &weights, &mut expected, 0.5);
        for isa in Isa::available() {
            let mut slope = start.clone();
            assert_eq!(softmax_gradient(isa, &weights, &mut slope, 0.5), mean);
            assert_same_bits(&slope, &expected, isa.name());
        }
        // Along weight j, the slope of weight i is weight i * ((i = j) - weight j).
        for (i, slope) in expected.iter().enumerate() {
            let along = |(j, (weight, slope)): (usize, (&f32, &f32))| {
                let own = if i == j { 1.0 } else { 0.0 };
                f64::from(*slope) * f64::from(*weight) * (own - f64::from(weights[i]))
            };
            let sum: f64 = weights.iter().zip(&start).enumerate().map(along).sum();
            assert!((f64::from(*slope) - sum * 0.5).abs() < 1e-7);
        }
    }
}
