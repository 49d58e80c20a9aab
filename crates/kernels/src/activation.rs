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
