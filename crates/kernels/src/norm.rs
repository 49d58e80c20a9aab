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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{assert_same_bits, reduce};
    use crate::samples::{self, Values};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_isa_gives_the_bits_of_the_rule(
            len in 1usize..300, values in samples::values(), seed: u64,
        ) {
            let x = samples::floats(len, values, seed);
            let weight = samples::floats(len, values, seed + 1);
            let mut lanes = [0.0f32; 16];
            for (i, x) in x.iter().enumerate() {
                lanes[i % 16] = x.mul_add(*x, lanes[i % 16]);
            }
            let squares = reduce(lanes.into_iter().enumerate(), 0.0, |a, b| a + b);
            let factor = 1.0 / (squares / len as f32 + 1e-5).sqrt();
            let expected: Vec<f32> = x.iter().zip(&weight).map(|(x, w)| x * factor * w).collect();
            for isa in Isa::available() {
                let mut out = vec![0.0; len];
                rms_norm(isa, &x, &weight, 1e-5, &mut out);
                assert_same_bits(&out, &expected, isa.name());
            }
        }
    }

    #[test]
    fn the_result_is_normalised() {
        let x = samples::floats(777, Values::Plain, 1);
        let mut out = vec![0.0; 777];
        rms_norm(Isa::detect(), &x, &[2.0; 777], 0.0, &mut out);
        let mean: f64 = out.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 777.0;
        assert!((mean - 4.0).abs() < 1e-5, "mean square {mean}");
    }
}
