//! Rotary position embedding.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};

/// Which elements of a head are rotated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RopePairing {
    /// Element i with element i + rotary/2 (GPT-NeoX, Hugging Face).
    Half,
    /// Element 2i with element 2i + 1 (the original; `llama` in GGUF).
    Interleaved,
}

/// Rotates the first `rotary = 2 * cos.len()` elements of one head, in place (arXiv 2104.09864).
/// `cos` and `sin`: `[rotary / 2]`, of the position's angles; the rest of the head stays.
///
/// A pair (a, b) becomes `fma(a, cos, -(b * sin))` and `fma(a, sin, b * cos)`.
///
/// # Panics
/// When `cos` and `sin` differ in length or the head is shorter than `rotary`.
pub fn rope(isa: Isa, x: &mut [f32], cos: &[f32], sin: &[f32], pairing: RopePairing) {
    assert_eq!(cos.len(), sin.len(), "lengths of cos and sin");
    assert!(2 * cos.len() <= x.len(), "rotary {} of a head of {}", 2 * cos.len(), x.len());
    match pairing {
        RopePairing::Half => on_isa!(isa, half_body(x: &mut [f32], cos: &[f32], sin: &[f32])),
        RopePairing::Interleaved => {
            on_isa!(isa, interleaved_body(x: &mut [f32], cos: &[f32], sin: &[f32]))
        }
    }
}

#[inline(always)]
fn rotate(a: f32, b: f32, cos: f32, sin: f32) -> (f32, f32) {
    (a.mul_add(cos, -(b * sin)), a.mul_add(sin, b * cos))
}

#[inline(always)]
fn half_body(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = x.split_at_mut(cos.len());
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        (*a, *b) = rotate(*a, *b, *cos, *sin);
    }
}

#[inline(always)]
fn interleaved_body(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    for (([a, b], cos), sin) in x.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
        (*a, *b) = rotate(*a, *b, *cos, *sin);
    }
}
