//! What activations pass back to their inputs.
//!
//! `slope` is the slope along the result and is overwritten: with the slope along `x`, or of a
//! gated unit with that along `up`, so that a backward pass needs one buffer less.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::exp::exp_one;
use crate::gelu::{gelu_one, gelu_slope_one};
use crate::isa::{Isa, on_isa};
use crate::lanes::{LANES, sum};
use crate::tanh::{GELU_CUBE, GELU_SLOPE, Xielu, expm1_one, tanh_one};

fn check(gate: &[f32], up: &[f32], slope: &[f32], dgate: &[f32]) {
    assert!(gate.len() == up.len() && up.len() == slope.len(), "lengths of gate, up and slope");
    assert_eq!(gate.len(), dgate.len(), "lengths of the gate and its slope");
}

/// Applies `one(gate, up, slope)`, which gives the slopes along the gate and up.
#[inline(always)]
fn each(
    gate: &[f32],
    up: &[f32],
    slope: &mut [f32],
    dgate: &mut [f32],
    one: impl Fn(f32, f32, f32) -> [f32; 2],
) {
    for (((slope, dgate), gate), up) in slope.iter_mut().zip(dgate).zip(gate).zip(up) {
        [*dgate, *slope] = one(*gate, *up, *slope);
    }
}

/// Of [`crate::silu_mul`]: with s = sigmoid(gate), `dgate = slope * up * s * (1 + gate * (1 - s))`
/// and `dup = slope * gate * s`, which replaces `slope`.
///
/// # Panics
/// When the lengths differ.
pub fn silu_mul_gradient(isa: Isa, gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]) {
    check(gate, up, slope, dgate);
    on_isa!(isa, silu_body(gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]))
}

#[inline(always)]
fn silu_body(gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]) {
    each(gate, up, slope, dgate, |gate, up, slope| {
        let s = 1.0 / (1.0 + exp_one(-gate));
        [slope * up * (s * gate.mul_add(1.0 - s, 1.0)), slope * (gate * s)]
    });
}

/// Of [`crate::gelu_tanh_mul`]: with t = tanh(inner), `gelu' = (1 + t) / 2 + gate / 2 * (1 - t^2) *
/// inner'`; the slope along up, `slope * gelu(gate)`, replaces `slope`.
///
/// # Panics
/// When the lengths differ.
pub fn gelu_tanh_mul_gradient(
    isa: Isa,
    gate: &[f32],
    up: &[f32],
    slope: &mut [f32],
    dgate: &mut [f32],
) {
    check(gate, up, slope, dgate);
    on_isa!(isa, gelu_tanh_body(gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]))
}

#[inline(always)]
fn gelu_tanh_body(gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]) {
    each(gate, up, slope, dgate, |gate, up, slope| {
        let t = tanh_one(GELU_SLOPE * (gate * gate * gate).mul_add(GELU_CUBE, gate));
        let inner = GELU_SLOPE * (3.0 * GELU_CUBE * gate).mul_add(gate, 1.0);
        let half = 0.5 * gate;
        let derivative = half.mul_add((-t).mul_add(t, 1.0) * inner, 0.5 * (1.0 + t));
        [slope * up * derivative, slope * (half * (1.0 + t))]
    });
}

/// Of [`crate::gelu_mul`]: `dgate = slope * up * gelu'(gate)`; the slope along up, `slope *
/// gelu(gate)`, replaces `slope`.
///
/// # Panics
/// When the lengths differ.
pub fn gelu_mul_gradient(isa: Isa, gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]) {
    check(gate, up, slope, dgate);
    on_isa!(isa, gelu_mul_body(gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]))
}

#[inline(always)]
fn gelu_mul_body(gate: &[f32], up: &[f32], slope: &mut [f32], dgate: &mut [f32]) {
    each(gate, up, slope, dgate, |gate, up, slope| {
        [slope * up * gelu_slope_one(gate), slope * gelu_one(gate)]
    });
}

/// Of [`crate::gelu`]: `slope[i] *= gelu'(x[i])`.
///
/// # Panics
/// When the lengths differ.
pub fn gelu_gradient(isa: Isa, x: &[f32], slope: &mut [f32]) {
    assert_eq!(x.len(), slope.len(), "lengths of x and slope");
    on_isa!(isa, gelu_body(x: &[f32], slope: &mut [f32]))
}

#[inline(always)]
fn gelu_body(x: &[f32], slope: &mut [f32]) {
    for (slope, x) in slope.iter_mut().zip(x) {
        *slope *= gelu_slope_one(*x);
    }
}

/// Of [`crate::bounded_silu_mul`]; what lies beyond a bound has no slope. The slope along up
/// replaces `slope`.
///
/// # Panics
/// When the lengths differ.
pub fn bounded_silu_mul_gradient(
    isa: Isa,
    gate: &[f32],
    up: &[f32],
    alpha: f32,
    limit: f32,
    slope: &mut [f32],
    dgate: &mut [f32],
) {
    check(gate, up, slope, dgate);
    on_isa!(
        isa,
        bounded_body(
            gate: &[f32],
            up: &[f32],
            alpha: f32,
            limit: f32,
            slope: &mut [f32],
            dgate: &mut [f32]
        )
    )
}

#[inline(always)]
fn bounded_body(
    gate: &[f32],
    up: &[f32],
    alpha: f32,
    limit: f32,
    slope: &mut [f32],
    dgate: &mut [f32],
) {
    each(gate, up, slope, dgate, |gate, up, slope| {
        let g = if gate > limit { limit } else { gate };
        let u = if up > limit { limit } else { up };
        let u = if u < -limit { -limit } else { u };
        let s = 1.0 / (1.0 + exp_one(-(alpha * g)));
        let along_gate = slope * (u + 1.0) * (s * (alpha * g).mul_add(1.0 - s, 1.0));
        let along_up = slope * (g * s);
        [if gate > limit { 0.0 } else { along_gate }, if u == up { along_up } else { 0.0 }]
    });
}

/// Of [`crate::xielu`] for one row: the slope along `x` replaces `slope`; returns the row's parts
/// in the slopes along the positive and the negative curvature (reductions over the lanes).
///
/// # Panics
/// When the lengths differ.
pub fn xielu_gradient(isa: Isa, x: &[f32], parameters: Xielu, slope: &mut [f32]) -> [f32; 2] {
    assert_eq!(x.len(), slope.len(), "lengths of x and slope");
    on_isa!(isa, xielu_body(x: &[f32], parameters: Xielu, slope: &mut [f32]) -> [f32; 2])
}

#[inline(always)]
fn xielu_body(x: &[f32], parameters: Xielu, slope: &mut [f32]) -> [f32; 2] {
    let Xielu { positive, negative, beta, epsilon } = parameters;
    let mut lanes = [[0.0f32; LANES]; 2];
    let [above, below] = &mut lanes;
    for (x, slope) in x.chunks(LANES).zip(slope.chunks_mut(LANES)) {
        for (((x, slope), above), below) in
            x.iter().zip(slope).zip(above.iter_mut()).zip(below.iter_mut())
        {
            let (x, given) = (*x, *slope);
            let power = expm1_one(if x > epsilon { epsilon } else { x });
            let bent = if x > epsilon { -1.0 } else { power };
            let along = if x > 0.0 {
                (2.0 * positive).mul_add(x, beta)
            } else {
                negative.mul_add(bent, beta)
            };
            *slope = given * along;
            let (square, curve) = (x * x, power - x);
            *above = if x > 0.0 { given.mul_add(square, *above) } else { *above };
            *below = if x > 0.0 { *below } else { given.mul_add(curve, *below) };
        }
    }
    lanes.map(sum)
}

/// Of [`crate::soft_cap`], from its result y: `slope[i] *= 1 - (y[i] / cap)^2`.
///
/// # Panics
/// When the lengths differ.
pub fn soft_cap_gradient(isa: Isa, y: &[f32], cap: f32, slope: &mut [f32]) {
    assert_eq!(y.len(), slope.len(), "lengths of y and slope");
    on_isa!(isa, soft_cap_body(y: &[f32], cap: f32, slope: &mut [f32]))
}

#[inline(always)]
fn soft_cap_body(y: &[f32], cap: f32, slope: &mut [f32]) {
    for (slope, y) in slope.iter_mut().zip(y) {
        let t = y / cap;
        *slope *= (-t).mul_add(t, 1.0);
    }
}

/// Of [`crate::clamp`]: where `x` lies beyond `-most..=most`, `slope` becomes 0.
///
/// # Panics
/// When the lengths differ.
pub fn clamp_gradient(isa: Isa, x: &[f32], most: f32, slope: &mut [f32]) {
    assert_eq!(x.len(), slope.len(), "lengths of x and slope");
    on_isa!(isa, clamp_body(x: &[f32], most: f32, slope: &mut [f32]))
}

#[inline(always)]
fn clamp_body(x: &[f32], most: f32, slope: &mut [f32]) {
    for (slope, x) in slope.iter_mut().zip(x) {
        *slope = if x.abs() > most { 0.0 } else { *slope };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_same_bits;
    use crate::samples;
    use proptest::prelude::*;

    const XIELU: Xielu = Xielu { positive: 0.8, negative: 0.9, beta: 0.5, epsilon: -1e-6 };

    type Gated<'a> = &'a dyn Fn(&mut [f32], &mut [f32]);
    type Single<'a> = &'a dyn Fn(&mut [f32]);

    /// Everything that this file computes, one after the other.
    fn all(isa: Isa, x: &[f32], up: &[f32], given: &[f32]) -> Vec<f32> {
        let mut found = Vec::new();
        let gated: [Gated; 4] = [
            &|slope, dgate| silu_mul_gradient(isa, x, up, slope, dgate),
            &|slope, dgate| gelu_tanh_mul_gradient(isa, x, up, slope, dgate),
            &|slope, dgate| gelu_mul_gradient(isa, x, up, slope, dgate),
            &|slope, dgate| bounded_silu_mul_gradient(isa, x, up, 1.702, 7.0, slope, dgate),
        ];
        for gradient in gated {
            let (mut slope, mut dgate) = (given.to_vec(), vec![0.0; x.len()]);
            gradient(&mut slope, &mut dgate);
            found.extend(slope.into_iter().chain(dgate));
        }
        let single: [Single; 3] = [
            &|slope| gelu_gradient(isa, x, slope),
            &|slope| soft_cap_gradient(isa, x, 3.0, slope),
            &|slope| clamp_gradient(isa, x, 1.0, slope),
        ];
        for gradient in single {
            let mut slope = given.to_vec();
            gradient(&mut slope);
            found.extend(slope);
        }
        let mut slope = given.to_vec();
        found.extend(xielu_gradient(isa, x, XIELU, &mut slope));
        found.extend(slope);
        found
    }

    proptest! {
        #[test]
        fn every_isa_gives_the_same_bits(
            len in 0usize..100, values in samples::values(), seed: u64,
        ) {
            let [x, up, slope] =
                [seed, !seed, seed / 2].map(|seed| samples::floats(len, values, seed));
            let expected = all(Isa::Scalar, &x, &up, &slope);
            for isa in Isa::available() {
                assert_same_bits(&all(isa, &x, &up, &slope), &expected, isa.name());
            }
        }
    }

    #[test]
    fn far_out_slopes_stay_finite() {
        let x = [-200.0, -90.0, 0.0, 90.0, 200.0];
        let found = all(Isa::detect(), &x, &[1.0; 5], &[1.0; 5]);
        assert!(found.iter().all(|slope| slope.is_finite()), "{found:?}");
    }

    #[test]
    fn nothing_passes_a_bound() {
        let mut slope = [1.0; 5];
        clamp_gradient(Isa::detect(), &[-2.0, -1.0, 0.0, 1.0, f32::INFINITY], 1.0, &mut slope);
        assert_eq!(slope, [0.0, 1.0, 1.0, 1.0, 0.0]);
        let (mut slope, mut dgate) = ([1.0; 2], [0.0; 2]);
        bounded_silu_mul_gradient(
            Isa::detect(),
            &[8.0, 1.0],
            &[1.0, -8.0],
            1.0,
            7.0,
            &mut slope,
            &mut dgate,
        );
        assert!(dgate[0] == 0.0 && dgate[1] != 0.0 && slope[0] != 0.0 && slope[1] == 0.0);
    }
}
