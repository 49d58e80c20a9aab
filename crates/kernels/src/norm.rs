//! Normalisation.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};
use crate::lanes::{fold, sum};

/// RMS norm (arXiv 1910.07467): `out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]`; one row.
///
/// # Panics
/// When the lengths differ.
pub fn rms_norm(isa: Isa, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    assert!(x.len() == weight.len() && x.len() == out.len(), "lengths of x, weight and out");
    on_isa!(isa, rms_norm_body(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]))
}

#[inline(always)]
fn rms_norm_body(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let squares = sum(fold(x, 0.0, |sum, value| value.mul_add(value, sum)));
    let factor = 1.0 / (squares / x.len() as f32 + eps).sqrt();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = *x * factor * *weight;
    }
}
