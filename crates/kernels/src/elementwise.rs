//! Operations on one element at a time.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};

/// `x[i] += y[i]`.
///
/// # Panics
/// When the lengths differ.
pub fn add(isa: Isa, x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len(), "lengths of the summands");
    on_isa!(isa, add_body(x: &mut [f32], y: &[f32]))
}

#[inline(always)]
fn add_body(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += *y;
    }
}

/// `x[i] *= factor`.
pub fn scale(isa: Isa, x: &mut [f32], factor: f32) {
    on_isa!(isa, scale_body(x: &mut [f32], factor: f32))
}

#[inline(always)]
fn scale_body(x: &mut [f32], factor: f32) {
    for x in x {
        *x *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_same_bits;
    use crate::samples;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_isa_adds_scales_and_exponentiates_alike(
            len in 0usize..100, values in samples::values(), seed: u64,
        ) {
            let x: Vec<f32> =
                samples::floats(len, values, seed).iter().map(|x| x * 120.0).collect();
            let y = samples::floats(len, values, seed + 1);
            for isa in Isa::available() {
                let (mut sum, mut product, mut power) = (x.clone(), x.clone(), x.clone());
                add(isa, &mut sum, &y);
                scale(isa, &mut product, 0.3);
                crate::exp(isa, &mut power);
                for i in 0..len {
                    let expected = [x[i] + y[i], x[i] * 0.3, crate::exp::exp_one(x[i])];
                    assert_same_bits(&[sum[i], product[i], power[i]], &expected, isa.name());
                }
            }
        }
    }
}
