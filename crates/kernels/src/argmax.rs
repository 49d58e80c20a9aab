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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_largest_wins_and_nan_never_does() {
        for isa in Isa::available() {
            let mut x = vec![-1.0; 100];
            (x[3], x[40], x[77]) = (f32::NAN, 5.0, 5.0);
            assert_eq!(argmax(isa, &x), Some(40));
            assert_eq!(argmax(isa, &[f32::NAN, f32::NEG_INFINITY]), Some(1));
            assert_eq!(argmax(isa, &[-0.0, 0.0]), Some(0));
            assert_eq!(argmax(isa, &[f32::NAN]), None);
            assert_eq!(argmax(isa, &[]), None);
        }
    }
}
