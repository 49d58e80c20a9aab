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

/// The slope along one row of [`crate::layer_norm`]'s input, from that along its output. With
/// f = 1 / sqrt(variance + eps), n = (x - mean) * f and g = slope * weight:
/// `dx[i] = f * (g[i] - mean(g) - n[i] * mean(g * n))`. Returns the mean and f, which the slope
/// along the weight needs ([`crate::norm_weight_gradient`]).
///
/// # Panics
/// When the lengths differ.
pub fn layer_norm_gradient(
    isa: Isa,
    x: &[f32],
    weight: &[f32],
    eps: f32,
    slope: &[f32],
    dx: &mut [f32],
) -> [f32; 2] {
    assert!(x.len() == weight.len() && x.len() == slope.len(), "lengths of x, weight and slope");
    assert_eq!(x.len(), dx.len(), "lengths of x and dx");
    on_isa!(
        isa,
        layer_norm_body(
            x: &[f32],
            weight: &[f32],
            eps: f32,
            slope: &[f32],
            dx: &mut [f32]
        ) -> [f32; 2]
    )
}

#[inline(always)]
fn layer_norm_body(x: &[f32], weight: &[f32], eps: f32, slope: &[f32], dx: &mut [f32]) -> [f32; 2] {
    let length = x.len() as f32;
    let mean = sum(fold(x, 0.0, |sum, value| sum + value)) / length;
    let squares = sum(fold(x, 0.0, |sum, value| (value - mean).mul_add(value - mean, sum)));
    let factor = 1.0 / (squares / length + eps).sqrt();
    for ((dx, slope), weight) in dx.iter_mut().zip(slope).zip(weight) {
        *dx = slope * weight;
    }
    let shift = sum(fold(dx, 0.0, |sum, value| sum + value)) / length;
    for (dx, x) in dx.iter_mut().zip(x) {
        *dx *= x - mean;
    }
    let share = sum(fold(dx, 0.0, |sum, value| sum + value)) / length * factor * factor;
    for (((dx, x), slope), weight) in dx.iter_mut().zip(x).zip(slope).zip(weight) {
        *dx = (-share).mul_add(x - mean, slope * weight - shift) * factor;
    }
    [mean, factor]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_same_bits;
    use crate::samples::{self, Values};

    type Norm = Box<dyn Fn(&[f32], &[f32], f32, &[f32], &mut [f32]) -> [f32; 2]>;

    /// A norm of one row in `f64`, times weight and slope, summed.
    fn truth(x: &[f64], weight: &[f32], slope: &[f32], centred: f64) -> f64 {
        let length = x.len() as f64;
        let mean = centred * x.iter().sum::<f64>() / length;
        let square = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / length;
        let terms = x.iter().zip(weight).zip(slope);
        let sum: f64 = terms.map(|((x, w), s)| (x - mean) * f64::from(*w) * f64::from(*s)).sum();
        sum / (square + 1e-3).sqrt()
    }

    fn check(isas: impl Fn(Isa) -> Norm, plain: Norm, centred: f64) {
        for (length, seed) in [(1, 1), (5, 2), (16, 3), (77, 4), (512, 5)] {
            let [x, weight, slope] =
                [0, 10, 20].map(|more| samples::floats(length, Values::Plain, seed + more));
            let mut expected = vec![0.0; length];
            let place = plain(&x, &weight, 1e-3, &slope, &mut expected);
            for isa in Isa::available() {
                let mut found = vec![0.0; length];
                let own = isas(isa)(&x, &weight, 1e-3, &slope, &mut found);
                assert_same_bits(&found, &expected, isa.name());
                assert_same_bits(&own, &place, isa.name());
            }
            let at = |index: usize, step: f64| {
                let mut x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                x[index] += step;
                truth(&x, &weight, &slope, centred)
            };
            for (index, found) in expected.iter().enumerate() {
                let truth = (at(index, 1e-5) - at(index, -1e-5)) / 2e-5;
                assert!((f64::from(*found) - truth).abs() < 1e-4 * (1.0 + truth.abs()));
            }
        }
    }

    #[test]
    fn the_slope_of_rms_norm_is_the_same_on_every_isa_and_true() {
        let of = |isa: Isa| -> Norm {
            Box::new(move |x, w, e, s, d| [0.0, rms_norm_gradient(isa, x, w, e, s, d)])
        };
        check(of, Box::new(|x, w, e, s, d| [0.0, rms_norm_body(x, w, e, s, d)]), 0.0);
    }

    #[test]
    fn the_slope_of_layer_norm_is_the_same_on_every_isa_and_true() {
        let of = |isa: Isa| -> Norm {
            Box::new(move |x, w, e, s, d| layer_norm_gradient(isa, x, w, e, s, d))
        };
        check(of, Box::new(layer_norm_body), 1.0);
    }
}
