//! The hyperbolic tangent, and what needs it or e^x - 1.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::exp::{halves, series};
use crate::isa::{Isa, on_isa};

/// Below this e^x - 1 is -1 to single precision.
const LOW: f32 = -30.0;
/// Largest argument: the result stays finite.
const HIGH: f32 = 88.0;
/// sqrt(2 / pi) and the cube's factor of the tanh form of GELU (arXiv 1606.08415).
pub(crate) const GELU_SLOPE: f32 = 0.797_884_6;
pub(crate) const GELU_CUBE: f32 = 0.044_715;

/// e^x - 1, without cancellation near 0; arguments above 88 count as 88. With x = n ln 2 + r it is
/// `fma(2^n, e^r - 1, 2^n - 1)`.
#[inline(always)]
pub(crate) fn expm1_one(x: f32) -> f32 {
    // Written so that NaN passes through both comparisons.
    let x = if x < LOW { LOW } else { x };
    let x = if x > HIGH { HIGH } else { x };
    let (n, e_r_minus_1) = series(x);
    let (low, high) = halves(n);
    let power = low * high;
    power.mul_add(e_r_minus_1, power - 1.0)
}

/// tanh |x| = -e / (e + 2) with e = e^(-2|x|) - 1; the sign is that of x.
#[inline(always)]
pub(crate) fn tanh_one(x: f32) -> f32 {
    let e = expm1_one(-2.0 * x.abs());
    (-e / (e + 2.0)).copysign(x)
}

/// `cap * tanh(x / cap)` of each element, in place.
pub fn soft_cap(isa: Isa, x: &mut [f32], cap: f32) {
    on_isa!(isa, soft_cap_body(x: &mut [f32], cap: f32))
}

#[inline(always)]
pub(crate) fn soft_cap_body(x: &mut [f32], cap: f32) {
    for x in x {
        *x = tanh_one(*x / cap) * cap;
    }
}

/// The gated unit of Gemma: `out[i] = gelu(gate[i]) * up[i]`, GELU in its tanh form,
/// `0.5 g (1 + tanh(sqrt(2/pi) (g + 0.044715 g^3)))`.
///
/// # Panics
/// When the lengths differ.
pub fn gelu_tanh_mul(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == up.len() && up.len() == out.len(), "lengths of gate, up and out");
    on_isa!(isa, gelu_tanh_mul_body(gate: &[f32], up: &[f32], out: &mut [f32]))
}

#[inline(always)]
fn gelu_tanh_mul_body(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gelu_tanh_one(*gate) * *up;
    }
}

#[inline(always)]
fn gelu_tanh_one(x: f32) -> f32 {
    let inner = GELU_SLOPE * (x * x * x).mul_add(GELU_CUBE, x);
    0.5 * x * (1.0 + tanh_one(inner))
}

/// The parameters of xIELU (arXiv 2411.13010) as they are used: both curvatures positive already.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xielu {
    /// Curvature for positive inputs.
    pub positive: f32,
    /// Curvature for the others.
    pub negative: f32,
    /// Slope at 0.
    pub beta: f32,
    /// Inputs above it count as it in the exponential.
    pub epsilon: f32,
}

/// xIELU of each element, in place: `positive x^2 + beta x` for x > 0, else
/// `negative (e^min(x, epsilon) - 1 - x) + beta x`.
pub fn xielu(isa: Isa, x: &mut [f32], parameters: Xielu) {
    on_isa!(isa, xielu_body(x: &mut [f32], parameters: Xielu))
}

#[inline(always)]
fn xielu_body(x: &mut [f32], parameters: Xielu) {
    for x in x {
        *x = xielu_one(*x, parameters);
    }
}

#[inline(always)]
fn xielu_one(x: f32, Xielu { positive, negative, beta, epsilon }: Xielu) -> f32 {
    let line = beta * x;
    let bounded = if x > epsilon { epsilon } else { x };
    let curve = (expm1_one(bounded) - x).mul_add(negative, line);
    if x > 0.0 { (positive * x).mul_add(x, line) } else { curve }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_same_bits;
    use crate::samples;
    use proptest::prelude::*;

    const PLAIN: Xielu = Xielu { positive: 0.8, negative: 0.9, beta: 0.5, epsilon: -1e-6 };

    proptest! {
        #[test]
        fn every_isa_gives_the_bits_of_the_rule(
            len in 0usize..200, values in samples::values(), seed: u64,
        ) {
            let x: Vec<f32> = samples::floats(len, values, seed).iter().map(|x| x * 40.0).collect();
            let up = samples::floats(len, values, seed + 1);
            let capped: Vec<f32> = x.iter().map(|x| tanh_one(*x / 5.0) * 5.0).collect();
            let gated: Vec<f32> = x.iter().zip(&up).map(|(x, up)| gelu_tanh_one(*x) * up).collect();
            let curved: Vec<f32> = x.iter().map(|x| xielu_one(*x, PLAIN)).collect();
            for isa in Isa::available() {
                let (mut a, mut b, mut c) = (x.clone(), vec![0.0; len], x.clone());
                soft_cap(isa, &mut a, 5.0);
                gelu_tanh_mul(isa, &x, &up, &mut b);
                xielu(isa, &mut c, PLAIN);
                assert_same_bits(&a, &capped, "soft_cap");
                assert_same_bits(&b, &gated, "gelu_tanh_mul");
                assert_same_bits(&c, &curved, "xielu");
            }
        }
    }

    #[test]
    fn tanh_and_expm1_are_close_to_the_true_ones_over_their_range() {
        let mut x = 1e-30_f32;
        while x < 80.0 {
            for x in [x, -x] {
                let wide = f64::from(x);
                let error = (f64::from(tanh_one(x)) / wide.tanh() - 1.0).abs();
                assert!(error < 4e-7, "tanh({x}) is off by {error}");
                let error = (f64::from(expm1_one(x)) / wide.exp_m1() - 1.0).abs();
                assert!(error < 4e-7, "expm1({x}) is off by {error}");
            }
            x *= 1.01;
        }
        assert!(tanh_one(f32::NAN).is_nan() && expm1_one(f32::NAN).is_nan());
        assert_eq!((tanh_one(f32::INFINITY), tanh_one(f32::NEG_INFINITY)), (1.0, -1.0));
        assert_eq!(tanh_one(0.0), 0.0);
    }

    #[test]
    fn xielu_has_the_published_values() {
        let zero = std::f32::consts::LN_2; // softplus(0)
        let raw_zero = Xielu { positive: zero, negative: 0.5 + zero, beta: 0.5, epsilon: -1e-6 };
        let mut x = [2.0, -2.0];
        xielu(Isa::detect(), &mut x, raw_zero);
        assert!((x[0] - 3.772_588_7).abs() < 1e-6 && (x[1] - 0.354_622_1).abs() < 1e-6, "{x:?}");
    }

    #[test]
    fn gelu_has_its_known_values() {
        let mut out = [0.0; 3];
        gelu_tanh_mul(Isa::detect(), &[1.0, -1.0, 0.0], &[1.0; 3], &mut out);
        assert!((out[0] - 0.841_192).abs() < 1e-6 && (out[1] + 0.158_808).abs() < 1e-6, "{out:?}");
        assert_eq!(out[2], 0.0);
    }
}
