//! Bounds on values, and the gated unit that has them.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::exp::exp_one;
use crate::isa::{Isa, on_isa};

/// Keeps each element within `-most..=most`, in place; NaN stays.
pub fn clamp(isa: Isa, x: &mut [f32], most: f32) {
    on_isa!(isa, clamp_body(x: &mut [f32], most: f32))
}

#[inline(always)]
fn clamp_body(x: &mut [f32], most: f32) {
    for x in x {
        *x = clamp_one(*x, most);
    }
}

#[inline(always)]
fn clamp_one(x: f32, most: f32) -> f32 {
    let x = if x > most { most } else { x };
    if x < -most { -most } else { x }
}

/// The bounded gated unit of gpt-oss: `out[i] = (u + 1) * g / (1 + e^(-alpha g))` with g = gate[i],
/// at most `limit`, and u = up[i] within `-limit..=limit`.
///
/// # Panics
/// When the lengths differ.
pub fn bounded_silu_mul(
    isa: Isa,
    gate: &[f32],
    up: &[f32],
    alpha: f32,
    limit: f32,
    out: &mut [f32],
) {
    assert!(gate.len() == up.len() && up.len() == out.len(), "lengths of gate, up and out");
    on_isa!(isa, bounded_body(gate: &[f32], up: &[f32], alpha: f32, limit: f32, out: &mut [f32]))
}

#[inline(always)]
fn bounded_body(gate: &[f32], up: &[f32], alpha: f32, limit: f32, out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = bounded_one(*gate, *up, alpha, limit);
    }
}

#[inline(always)]
fn bounded_one(gate: f32, up: f32, alpha: f32, limit: f32) -> f32 {
    let gate = if gate > limit { limit } else { gate };
    (clamp_one(up, limit) + 1.0) * (gate / (1.0 + exp_one(-(alpha * gate))))
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
            let gate = samples::floats(len, values, seed);
            let up = samples::floats(len, values, seed + 1);
            let clamped: Vec<f32> = up.iter().map(|x| clamp_one(*x, 0.5)).collect();
            let pairs = gate.iter().zip(&up);
            let bounded: Vec<f32> = pairs.map(|(g, u)| bounded_one(*g, *u, 1.702, 0.7)).collect();
            for isa in Isa::available() {
                let (mut x, mut out) = (up.clone(), vec![0.0; len]);
                clamp(isa, &mut x, 0.5);
                bounded_silu_mul(isa, &gate, &up, 1.702, 0.7, &mut out);
                assert_same_bits(&x, &clamped, "clamp");
                assert_same_bits(&out, &bounded, "bounded_silu_mul");
            }
        }
    }

    #[test]
    fn bounds_hold_and_a_low_gate_passes() {
        let mut x = [9.0, -9.0, 0.25, f32::NAN];
        clamp(Isa::detect(), &mut x, 7.0);
        assert_eq!(x[..3], [7.0, -7.0, 0.25]);
        assert!(x[3].is_nan());
        let mut out = [0.0; 2];
        bounded_silu_mul(Isa::detect(), &[100.0, -1.0], &[100.0, -100.0], 1.0, 7.0, &mut out);
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        assert!((out[0] - 8.0 * 7.0 * sigmoid(7.0)).abs() < 1e-4);
        assert!((out[1] - 6.0 * sigmoid(-1.0)).abs() < 1e-5);
    }
}
