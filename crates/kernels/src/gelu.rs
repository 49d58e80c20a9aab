//! GELU as it is defined, by the error function (arXiv 1606.08415), and what pooling heads need.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::exp::exp_one;
use crate::isa::{Isa, on_isa};
use crate::tanh::tanh_one;

/// From here on the tail of the normal distribution is 0 in single precision.
const FAR: f32 = 15.0;
/// The tail at a is e^(-a²/2) times a polynomial in 1 / (1 + SLOPE a).
const SLOPE: f32 = 0.3;
/// That polynomial, highest power first: minimax for the relative error over 0..15 (5.9e-8 before
/// rounding; fitted for this file by Lawson's iteration).
const POWERS: [f32; 9] = [
    3.842_526e-2,
    -1.693_941e-1,
    2.291_303e-1,
    -7.704_326e-2,
    1.429_054e-1,
    9.452_645e-2,
    1.219_603_9e-1,
    1.194_821_1e-1,
    7.494_915_4e-6,
];
/// 1 / sqrt(2 pi)
const DENSITY: f32 = 0.398_942_3;

/// e^(-a²/2), and the chance that a normal variable exceeds a, for 0 <= a <= 15.
#[inline(always)]
fn bell_and_tail(a: f32) -> (f32, f32) {
    let u = 1.0 / a.mul_add(SLOPE, 1.0);
    let mut ratio = POWERS[0];
    for power in &POWERS[1..] {
        ratio = ratio.mul_add(u, *power);
    }
    // What a² loses in rounding would cost the exponential its last digits.
    let square = a * a;
    let lost = a.mul_add(a, -square);
    let bell = exp_one(-0.5 * square);
    let bell = bell.mul_add(-0.5 * lost, bell);
    (bell, bell * ratio)
}

/// |x|, at most 15; NaN stays.
#[inline(always)]
fn distance(x: f32) -> f32 {
    let a = x.abs();
    if a > FAR { FAR } else { a }
}

/// x times the chance that a normal variable is below x.
#[inline(always)]
pub(crate) fn gelu_one(x: f32) -> f32 {
    let a = distance(x);
    let (_, tail) = bell_and_tail(a);
    let lost = a * tail;
    if x > 0.0 { x - lost } else { lost.copysign(x) }
}

/// The derivative: the chance that a normal variable is below x, plus x times its density there.
#[inline(always)]
pub(crate) fn gelu_slope_one(x: f32) -> f32 {
    let a = distance(x);
    let (bell, tail) = bell_and_tail(a);
    let below = if x > 0.0 { 1.0 - tail } else { tail };
    (a * bell).copysign(x).mul_add(DENSITY, below)
}

/// GELU of each element, in place: `x / 2 (1 + erf(x / sqrt 2))`. Within 5e-7 of the true value,
/// relative to it, wherever that is no denormal number.
pub fn gelu(isa: Isa, x: &mut [f32]) {
    on_isa!(isa, gelu_body(x: &mut [f32]))
}

#[inline(always)]
fn gelu_body(x: &mut [f32]) {
    for x in x {
        *x = gelu_one(*x);
    }
}

/// The derivative of [`gelu`] at each element, in place; within 5e-7 of the true value, absolutely.
pub fn gelu_slope(isa: Isa, x: &mut [f32]) {
    on_isa!(isa, gelu_slope_body(x: &mut [f32]))
}

#[inline(always)]
fn gelu_slope_body(x: &mut [f32]) {
    for x in x {
        *x = gelu_slope_one(*x);
    }
}

/// The gated unit: `out[i] = gelu(gate[i]) * up[i]`.
///
/// # Panics
/// When the lengths differ.
pub fn gelu_mul(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == up.len() && up.len() == out.len(), "lengths of gate, up and out");
    on_isa!(isa, gelu_mul_body(gate: &[f32], up: &[f32], out: &mut [f32]))
}

#[inline(always)]
fn gelu_mul_body(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gelu_one(*gate) * *up;
    }
}

/// The hyperbolic tangent of each element, in place.
pub fn tanh(isa: Isa, x: &mut [f32]) {
    on_isa!(isa, tanh_body(x: &mut [f32]))
}

#[inline(always)]
fn tanh_body(x: &mut [f32]) {
    for x in x {
        *x = tanh_one(*x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_same_bits;
    use crate::samples;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_isa_gives_the_bits_of_the_rule(
            len in 0usize..200, values in samples::values(), seed: u64,
        ) {
            let x: Vec<f32> = samples::floats(len, values, seed).iter().map(|x| x * 20.0).collect();
            let up = samples::floats(len, values, seed + 1);
            let each = |f: fn(f32) -> f32| x.iter().map(|x| f(*x)).collect::<Vec<f32>>();
            let gated: Vec<f32> = x.iter().zip(&up).map(|(x, up)| gelu_one(*x) * up).collect();
            for isa in Isa::available() {
                let (mut a, mut b, mut c) = (x.clone(), x.clone(), x.clone());
                let mut product = vec![0.0; len];
                gelu(isa, &mut a);
                gelu_slope(isa, &mut b);
                tanh(isa, &mut c);
                gelu_mul(isa, &x, &up, &mut product);
                assert_same_bits(&a, &each(gelu_one), "gelu");
                assert_same_bits(&b, &each(gelu_slope_one), "gelu_slope");
                assert_same_bits(&c, &each(tanh_one), "tanh");
                assert_same_bits(&product, &gated, "gelu_mul");
            }
        }
    }

    /// The chance that a normal variable exceeds a > 0, in Craig's form: half the mean of
    /// e^(-(a / sin)²/2) over a quarter circle. The midpoint rule converges faster than any power.
    fn tail(a: f64) -> f64 {
        let points = 4096;
        let width = std::f64::consts::FRAC_PI_2 / f64::from(points);
        let value = |index: u32| {
            let angle = (f64::from(index) + 0.5) * width;
            (-0.5 * (a / angle.sin()).powi(2)).exp()
        };
        (0..points).map(value).sum::<f64>() * width / std::f64::consts::PI
    }

    #[test]
    fn gelu_and_its_slope_are_close_to_the_true_ones() {
        let (mut worst, mut worst_slope) = (0.0_f64, 0.0_f64);
        let mut x = 0.02_f32;
        while x < 12.9 {
            for x in [x, -x] {
                let wide = f64::from(x);
                let tail = tail(wide.abs());
                let below = if x > 0.0 { 1.0 - tail } else { tail };
                let error = (f64::from(gelu_one(x)) / (wide * below) - 1.0).abs();
                worst = worst.max(error);
                let density = (-0.5 * wide * wide).exp() / std::f64::consts::TAU.sqrt();
                let slope = below + wide * density;
                worst_slope = worst_slope.max((f64::from(gelu_slope_one(x)) - slope).abs());
            }
            x += 0.012_7;
        }
        assert!(worst < 5e-7, "gelu is off by {worst}");
        assert!(worst_slope < 5e-7, "its slope is off by {worst_slope}");
    }

    #[test]
    fn special_values() {
        assert_eq!(gelu_one(0.0), 0.0);
        assert_eq!(gelu_one(1e30), 1e30);
        assert_eq!(gelu_one(-1e30), 0.0);
        assert_eq!((gelu_one(f32::INFINITY), gelu_one(f32::NEG_INFINITY)), (f32::INFINITY, 0.0));
        assert!(gelu_one(f32::NAN).is_nan() && gelu_slope_one(f32::NAN).is_nan());
        assert!((gelu_slope_one(0.0) - 0.5).abs() < 1e-7);
        assert_eq!((gelu_slope_one(20.0), gelu_slope_one(-20.0)), (1.0, 0.0));
        assert!((gelu_one(1e-5) / 0.500_004e-5 - 1.0).abs() < 5e-7);
    }
}
