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

/// Layer norm (arXiv 1607.06450): `out[i] = (x[i] - mean) / sqrt(variance + eps) * weight[i] +
/// bias[i]`, the variance being that of the row itself; one row. No bias: nothing is added.
///
/// # Panics
/// When the lengths differ.
pub fn layer_norm(
    isa: Isa,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    eps: f32,
    out: &mut [f32],
) {
    assert!(x.len() == weight.len() && x.len() == out.len(), "lengths of x, weight and out");
    assert!(bias.is_none_or(|bias| bias.len() == x.len()), "length of the bias");
    on_isa!(isa, layer_norm_body(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]));
    if let Some(bias) = bias {
        crate::add(isa, out, bias);
    }
}

#[inline(always)]
fn layer_norm_body(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let mean = sum(fold(x, 0.0, |sum, value| sum + value)) / x.len() as f32;
    for (out, x) in out.iter_mut().zip(x) {
        *out = *x - mean;
    }
    let squares = sum(fold(out, 0.0, |sum, value| value.mul_add(value, sum)));
    let factor = 1.0 / (squares / x.len() as f32 + eps).sqrt();
    for (out, weight) in out.iter_mut().zip(weight) {
        *out = *out * factor * *weight;
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

    /// The definition, one element after the other.
    fn layer_norm_by_rule(x: &[f32], weight: &[f32], bias: Option<&[f32]>, eps: f32) -> Vec<f32> {
        let mut lanes = [0.0f32; 16];
        x.iter().enumerate().for_each(|(i, x)| lanes[i % 16] += x);
        let length = x.len() as f32;
        let mean = reduce(lanes.into_iter().enumerate(), 0.0, |a, b| a + b) / length;
        let mut lanes = [0.0f32; 16];
        for (i, x) in x.iter().enumerate() {
            lanes[i % 16] = (x - mean).mul_add(x - mean, lanes[i % 16]);
        }
        let squares = reduce(lanes.into_iter().enumerate(), 0.0, |a, b| a + b);
        let factor = 1.0 / (squares / length + eps).sqrt();
        let scaled = x.iter().zip(weight).map(|(x, w)| (x - mean) * factor * w);
        match bias {
            Some(bias) => scaled.zip(bias).map(|(x, bias)| x + bias).collect(),
            None => scaled.collect(),
        }
    }

    proptest! {
        #[test]
        fn layer_norm_has_the_bits_of_the_rule_on_every_isa(
            len in 1usize..300, values in samples::values(), biased: bool, seed: u64,
        ) {
            let x = samples::floats(len, values, seed);
            let weight = samples::floats(len, values, seed + 1);
            let bias = samples::floats(len, values, seed + 2);
            let bias = biased.then_some(&bias[..]);
            let expected = layer_norm_by_rule(&x, &weight, bias, 1e-12);
            for isa in Isa::available() {
                let mut out = vec![0.0; len];
                layer_norm(isa, &x, &weight, bias, 1e-12, &mut out);
                assert_same_bits(&out, &expected, isa.name());
            }
        }
    }

    #[test]
    fn layer_norm_takes_the_mean_away_and_divides_by_the_deviation() {
        let x: Vec<f32> = samples::floats(777, Values::Plain, 1).iter().map(|x| x + 3.0).collect();
        let mut out = vec![0.0; 777];
        layer_norm(Isa::detect(), &x, &[2.0; 777], Some(&[5.0; 777]), 0.0, &mut out);
        let mean = out.iter().map(|x| f64::from(*x)).sum::<f64>() / 777.0;
        let variance = out.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / 777.0;
        assert!((mean - 5.0).abs() < 1e-5, "mean {mean}");
        assert!((variance - 4.0).abs() < 1e-5, "variance {variance}");
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
