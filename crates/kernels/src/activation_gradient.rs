//! What activations pass back to their inputs.
//!
//! `slope` is the slope along the result and is overwritten: with the slope along `x`, or of a gated
//! unit with that along `up`, so that a backward pass needs one buffer less.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::exp::exp_one;
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

/// Of [`crate::xielu`] for one row: the slope along `x` replaces `slope`; returns the row's parts in
/// the slopes along the positive and the negative curvature (reductions over the lanes).
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
