//! Weights of attention over a `bf16` cache: powers of two of scores below the largest, rounded.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::attention::Scoring;
use crate::isa::{Isa, on_isa};
use crate::kv_block::BLOCK_POSITIONS;
use crate::lanes::{LANES, Lanes, fold, larger, largest, sum};
use crate::tanh::tanh_one;
use std::ops::Range;

/// Adding 1.5 · 2^23 rounds to the nearest integer and leaves it in the low bits.
const ROUNDER: f32 = 12_582_912.0;
/// Powers below 2^-40 count as zero: they would change no sum that the rounding of the others
/// leaves exact, and no product comes near a denormal number.
pub(crate) const LEAST_POWER: f32 = -40.0;
/// Coefficients of (2^f - 1) / f on 0 <= f < 1, highest power first: least relative error of 2^f,
/// 3e-6, below a hundredth of what rounding to `bf16` takes (fitted by Lawson's iteration).
pub(crate) const POWERS: [f32; 4] = [1.342_668_8e-2, 5.224_247e-2, 2.412_802_1e-1, 6.930_448_4e-1];

/// What turns a row's raw scores into weights: w(s) = 2^((s - top) * factor).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slope {
    pub factor: f32,
    pub top: f32,
}

/// Prepares a row of raw scores, whose first is at a multiple of 32: leaves out what is not in
/// `seen`, bounds the others if there is a cap, and finds the largest.
pub(crate) fn prepare(
    isa: Isa,
    scores: &mut [f32],
    seen: Range<usize>,
    scoring: &Scoring,
    query: usize,
) -> (Slope, f32) {
    scores[..seen.start].fill(f32::NEG_INFINITY);
    scores[seen.end..].fill(f32::NEG_INFINITY);
    let (scale, cap) = (scoring.scale, scoring.cap);
    if let Some(cap) = cap {
        let seen = &mut scores[seen];
        on_isa!(isa, bound(seen: &mut [f32], scale: f32, cap: f32));
    }
    let factor = match cap {
        Some(_) => std::f32::consts::LOG2_E,
        None => scale * std::f32::consts::LOG2_E,
    };
    let scores: &[f32] = scores;
    let mut most = on_isa!(isa, most_of(scores: &[f32]) -> f32);
    let mut sink = None;
    if let Some(own) = scoring.sinks.get(query) {
        let own = if cap.is_some() { *own } else { own / scale };
        most = larger(most, own);
        sink = Some(own);
    }
    // A payload could be lost in rounding.
    let top = if most.is_nan() { f32::NAN } else { most };
    let slope = Slope { factor, top };
    (slope, sink.map_or(0.0, |sink| f32::from_bits(weight(sink, slope))))
}

#[inline(always)]
fn bound(scores: &mut [f32], scale: f32, cap: f32) {
    for score in scores {
        *score = tanh_one(*score * scale / cap) * cap;
    }
}

#[inline(always)]
fn most_of(scores: &[f32]) -> f32 {
    largest(fold(scores, f32::NEG_INFINITY, larger))
}

/// The bits of the weight of a score: a number that is a `bf16`.
#[inline(always)]
pub(crate) fn weight(score: f32, slope: Slope) -> u32 {
    let power = (score - slope.top) * slope.factor;
    let near = (power + ROUNDER) - ROUNDER;
    let whole = if near > power { near - 1.0 } else { near };
    let f = power - whole;
    let mut series = POWERS[0];
    for coefficient in &POWERS[1..] {
        series = series.mul_add(f, *coefficient);
    }
    let series = series.mul_add(f, 1.0);
    let scale = f32::from_bits(((whole + ROUNDER).to_bits() << 23).wrapping_add(1f32.to_bits()));
    let weight = if power < LEAST_POWER { 0.0 } else { series * scale };
    // To the nearest; ties go up.
    weight.to_bits().wrapping_add(0x8000) & 0xffff_0000
}

/// The weights of 32 scores, added to the lanes.
#[inline(always)]
pub(crate) fn weigh(
    scores: &[f32; BLOCK_POSITIONS],
    slope: Slope,
    weights: &mut [u16; BLOCK_POSITIONS],
    lanes: &mut Lanes,
) {
    for half in 0..2 {
        for lane in 0..LANES {
            let bits = weight(scores[half * LANES + lane], slope);
            weights[half * LANES + lane] = (bits >> 16) as u16;
            lanes[lane] += f32::from_bits(bits);
        }
    }
}

/// The sum of all weights.
pub(crate) fn total(lanes: Lanes, sink: f32) -> f32 {
    sum(lanes) + sink
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "x86_64")]
    use crate::samples::{self, Values};

    /// All kinds of scores, below a maximum and not.
    #[cfg(target_arch = "x86_64")]
    fn scores() -> Vec<f32> {
        let mut scores = vec![f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 0.0, -0.0, 1e-30];
        scores.extend([f32::MAX, f32::MIN, -40.0, -40.000_004, -39.999_996, -1e9, 1e-5]);
        scores.extend((0..5000).map(|i| -0.01 * i as f32));
        scores.extend(samples::floats(2000, Values::AnyBits, 3));
        scores.truncate(scores.len() / BLOCK_POSITIONS * BLOCK_POSITIONS);
        scores
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn vectors_have_the_bits_of_single_weights() {
        if !Isa::Avx512.is_available() {
            return;
        }
        for top in [0.0, 3.5, 1e4, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            let slope = Slope { factor: 1.0, top };
            for scores in scores().as_chunks::<BLOCK_POSITIONS>().0 {
                let mut found = [[0; BLOCK_POSITIONS]; 2];
                let mut lanes = [[0.0; LANES]; 2];
                weigh(scores, slope, &mut found[0], &mut lanes[0]);
                // SAFETY: the processor has the instructions.
                unsafe {
                    let (found, lanes) = (&mut found[1], &mut lanes[1]);
                    crate::avx512_weights::weigh_block(scores, slope, found, lanes);
                }
                for (place, score) in scores.iter().enumerate() {
                    let [a, b] = found.map(|found| found[place]);
                    let nan = |bits: u16| bits & 0x7fff > 0x7f80;
                    // No score is above the largest.
                    let same = a == b || nan(a) && nan(b) || *score > top;
                    assert!(same, "{score:e} {top}: {a:x} {b:x}");
                }
            }
        }
    }

    /// All powers between -1/16 and -1/32: what lies above -1 has fewer bits there than they have,
    /// so it is rounded. A rest that is rounded down changes 45 of these 8 million weights.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn vectors_round_what_is_left_of_a_power_to_the_nearest() {
        if !Isa::Avx512.is_available() {
            return;
        }
        let slope = Slope { factor: 1.0, top: 0.0 };
        let (first, end) = (0.03125_f32.to_bits(), 0.0625_f32.to_bits());
        for start in (first..end).step_by(BLOCK_POSITIONS) {
            let scores: [f32; BLOCK_POSITIONS] =
                std::array::from_fn(|place| -f32::from_bits(start + place as u32));
            let (mut found, mut lanes) = ([[0; BLOCK_POSITIONS]; 2], [[0.0; LANES]; 2]);
            weigh(&scores, slope, &mut found[0], &mut lanes[0]);
            // SAFETY: the processor has the instructions.
            unsafe {
                let (found, lanes) = (&mut found[1], &mut lanes[1]);
                crate::avx512_weights::weigh_block(&scores, slope, found, lanes);
            }
            assert_eq!(found[0], found[1], "from {start:x}");
        }
    }

    #[test]
    fn weights_are_powers_of_two_rounded() {
        let slope = Slope { factor: 1.0, top: 0.0 };
        assert_eq!(f32::from_bits(weight(0.0, slope)), 1.0);
        assert_eq!(weight(-40.01, slope), 0);
        assert_eq!(weight(f32::NEG_INFINITY, slope), 0);
        assert!(f32::from_bits(weight(f32::NAN, slope)).is_nan());
        for i in 0..40_000 {
            let score = -0.001 * i as f32;
            let (found, exact) = (f32::from_bits(weight(score, slope)), f64::from(score).exp2());
            let error = (f64::from(found) / exact - 1.0).abs();
            assert!(error < 1.0 / 256.0 && found.to_bits() & 0xffff == 0, "{score}: {error}");
        }
    }
}
