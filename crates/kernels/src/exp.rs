//! The exponential, the same polynomial everywhere.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};

/// Below this the result is 0 (e^-104 is less than half the least denormal).
const LOW: f32 = -104.0;
/// Above this the result is infinite (as it is from about 88.73 by rounding).
const HIGH: f32 = 89.0;
/// Adding 1.5 · 2^23 rounds to the nearest integer and leaves it in the low bits.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 as a sum of two singles; the first has trailing zeros, so n · LN2_HIGH is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Coefficients of (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2, highest power first: minimax for the
/// relative error of e^r (5.3e-11 before rounding; fitted for this file by Lawson's iteration).
const POWERS: [f32; 6] =
    [1.979_014_5e-4, 1.394_487e-3, 8.333_499e-3, 4.166_629e-2, 1.666_666_6e-1, 0.5];

/// e^x of each element, in place: within 2 units in the last place of the true value over the whole
/// range, denormal results included (the worst found is 0.99); 0 for -inf, inf for large x,
/// NaN for NaN.
pub fn exp(isa: Isa, x: &mut [f32]) {
    on_isa!(isa, exp_body(x: &mut [f32]))
}

#[inline(always)]
fn exp_body(x: &mut [f32]) {
    for value in x {
        *value = exp_one(*value);
    }
}

/// e^x = 2^n · e^r with n = round(x / ln 2).
#[inline(always)]
pub(crate) fn exp_one(x: f32) -> f32 {
    // Written so that NaN passes through both comparisons.
    let x = if x < LOW { LOW } else { x };
    let x = if x > HIGH { HIGH } else { x };
    let (n, e_r_minus_1) = series(x);
    // Two factors, so that a denormal result is rounded once, in the last multiplication.
    let (low, high) = halves(n);
    (e_r_minus_1 + 1.0) * low * high
}

/// n = round(x / ln 2) and e^r - 1 with r = x - n ln 2, for x within `LOW..=HIGH`.
#[inline(always)]
pub(crate) fn series(x: f32) -> (i32, f32) {
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let mut series = POWERS[0];
    for power in &POWERS[1..] {
        series = series.mul_add(r, *power);
    }
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    (n, series.mul_add(r * r, r))
}

/// Two powers of two whose product is 2^n.
#[inline(always)]
pub(crate) fn halves(n: i32) -> (f32, f32) {
    let half = n >> 1;
    (power_of_two(half), power_of_two(n.wrapping_sub(half)))
}

/// 2^n for -126 <= n <= 127 (anything at all for the garbage that a NaN brings).
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance from the true value in units of the last place of the rounded true value.
    fn error_ulp(x: f32) -> f64 {
        let truth = f64::from(x).exp();
        let rounded = truth as f32;
        let ulp = f64::from(f32::from_bits(rounded.to_bits() + 1)) - f64::from(rounded);
        (f64::from(exp_one(x)) - truth).abs() / ulp
    }

    #[test]
    fn accuracy_is_within_one_unit_in_the_last_place() {
        let mut worst = 0.0f64;
        let mut x = -104.0f32;
        while x < 88.72 {
            worst = worst.max(error_ulp(x));
            x += 0.000_37;
        }
        for exponent in -40..6 {
            let small = 2.0f32.powi(exponent) * 1.37;
            worst = worst.max(error_ulp(small)).max(error_ulp(-small));
        }
        assert!(worst <= 1.0, "worst error {worst} ulp");
    }

    #[test]
    fn special_values() {
        assert_eq!(exp_one(0.0), 1.0);
        assert_eq!(exp_one(-0.0), 1.0);
        assert_eq!(exp_one(f32::NEG_INFINITY).to_bits(), 0);
        assert_eq!(exp_one(-200.0).to_bits(), 0);
        assert_eq!(exp_one(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp_one(88.8), f32::INFINITY);
        assert!(exp_one(f32::NAN).is_nan());
        assert!(exp_one(-103.0) > 0.0);
    }
}
