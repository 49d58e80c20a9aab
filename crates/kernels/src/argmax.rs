//! The largest element.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};
use crate::lanes::{fold, larger, largest};

/// Index of the largest element, the first one if several are equal. NaN never wins; `None` when
/// nothing is there but NaN.
pub fn argmax(isa: Isa, x: &[f32]) -> Option<usize> {
    let max = on_isa!(isa, max_body(x: &[f32]) -> f32);
    x.iter().position(|value| *value == max)
}

/// The largest element that is not NaN; minus infinity when there is none.
#[inline(always)]
fn max_body(x: &[f32]) -> f32 {
    largest(fold(x, f32::NEG_INFINITY, |max, value| larger(value, max)))
}
