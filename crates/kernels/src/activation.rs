//! Activations and softmax.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::exp::exp_one;
use crate::isa::{Isa, on_isa};
use crate::lanes::{fold, larger, largest, sum};

/// SiLU of each element, in place: `x / (1 + e^-x)`.
pub fn silu(isa: Isa, x: &mut [f32]) {
    on_isa!(isa, silu_body(x: &mut [f32]))
}

#[inline(always)]
fn silu_body(x: &mut [f32]) {
    for x in x {
        *x = silu_one(*x);
    }
}

#[inline(always)]
fn silu_one(x: f32) -> f32 {
    x / (1.0 + exp_one(-x))
}

/// The gated unit: `out[i] = silu(gate[i]) * up[i]`.
///
/// # Panics
/// When the lengths differ.
pub fn silu_mul(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == up.len() && up.len() == out.len(), "lengths of gate, up and out");
    on_isa!(isa, silu_mul_body(gate: &[f32], up: &[f32], out: &mut [f32]))
}

#[inline(always)]
fn silu_mul_body(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = silu_one(*gate) * *up;
    }
}

/// Softmax in place: `e^(x[i] - max) / sum`. NaN anywhere makes every element NaN.
pub fn softmax(isa: Isa, x: &mut [f32]) {
    on_isa!(isa, softmax_body(x: &mut [f32]))
}

#[inline(always)]
fn softmax_body(x: &mut [f32]) {
    let max = largest(fold(x, f32::NEG_INFINITY, larger));
    for x in x.iter_mut() {
        *x = exp_one(*x - max);
    }
    let total = sum(fold(x, 0.0, |sum, value| sum + value));
    for x in x {
        *x /= total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{assert_same_bits, reduce};
    use crate::samples::{self, Values};
    use proptest::prelude::*;

    /// The definition, one element after the other.
    fn softmax_by_rule(x: &[f32]) -> Vec<f32> {
        let pairs = |x: &[f32]| x.iter().copied().enumerate().collect::<Vec<_>>();
        let max = reduce(pairs(x).into_iter(), f32::NEG_INFINITY, |a, b| if a > b { a } else { b });
        let powers: Vec<f32> = x.iter().map(|x| exp_one(x - max)).collect();
        let total = reduce(pairs(&powers).into_iter(), 0.0, |a, b| a + b);
        powers.iter().map(|power| power / total).collect()
    }

    proptest! {
        #[test]
        fn every_isa_gives_the_bits_of_the_rule(
            len in 0usize..200, values in samples::values(), seed: u64,
        ) {
            let gate = samples::floats(len, values, seed);
            let up = samples::floats(len, values, seed + 1);
            let expected: Vec<f32> =
                gate.iter().zip(&up).map(|(g, u)| g / (1.0 + exp_one(-g)) * u).collect();
            for isa in Isa::available() {
                let mut out = vec![0.0; len];
                silu_mul(isa, &gate, &up, &mut out);
                assert_same_bits(&out, &expected, "silu_mul");
                let mut product = gate.clone();
                silu(isa, &mut product);
                product.iter_mut().zip(&up).for_each(|(product, up)| *product *= up);
                assert_same_bits(&product, &expected, "silu");
                let mut weights = gate.clone();
                softmax(isa, &mut weights);
                assert_same_bits(&weights, &softmax_by_rule(&gate), "softmax");
            }
        }
    }

    #[test]
    fn softmax_is_a_distribution_close_to_the_true_one() {
        let x = samples::floats(1000, Values::Plain, 3);
        let mut weights = x.clone();
        softmax(Isa::detect(), &mut weights);
        let total: f64 = x.iter().map(|x| f64::from(*x).exp()).sum();
        for (weight, x) in weights.iter().zip(&x) {
            let truth = f64::from(*x).exp() / total;
            assert!((f64::from(*weight) / truth - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn softmax_survives_large_and_infinite_values() {
        let mut x = [1e30, f32::NEG_INFINITY, 1e30];
        softmax(Isa::detect(), &mut x);
        assert_eq!(x, [0.5, 0.0, 0.5]);
        let mut x = [0.0, f32::NAN];
        softmax(Isa::detect(), &mut x);
        assert!(x.iter().all(|x| x.is_nan()));
    }

    #[test]
    fn silu_is_close_to_the_true_one() {
        for x in samples::floats(500, Values::Plain, 9).iter().map(|x| x * 20.0) {
            let mut found = [x];
            silu(Isa::detect(), &mut found);
            let truth = f64::from(x) / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(found[0]) - truth).abs() <= truth.abs() * 5e-7, "silu({x})");
        }
    }
}
