//! Rotary angles: computed in `f64` with `libm`, the same on every machine, and kept as `f32`.

use crate::spec::{RopeScaling, RopeSpec};
use std::f64::consts::TAU;

/// Positions computed at a time.
const GROWTH: usize = 512;

/// Cosines and sines of every position reached so far.
pub(crate) struct RopeTable {
    /// Radians per position, for each pair.
    frequencies: Vec<f64>,
    /// What cosines and sines are multiplied with.
    magnitude: f64,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// For sequences of up to `context_tokens`. Scalings that depend on the length go by that plan,
    /// never by the length reached, so that a sequence's keys agree with each other.
    pub fn new(spec: &RopeSpec, context_tokens: usize) -> RopeTable {
        let frequencies = frequencies(spec, context_tokens as f64);
        let magnitude = match spec.scaling {
            RopeScaling::Yarn { magnitude, .. } | RopeScaling::Long { magnitude, .. } => magnitude,
            _ => 1.0,
        };
        RopeTable { frequencies, magnitude, cos: Vec::new(), sin: Vec::new() }
    }

    /// Makes sure that positions before `end` are there.
    pub fn reach(&mut self, end: usize) {
        let pairs = self.frequencies.len();
        let known = self.cos.len() / pairs;
        if end <= known {
            return;
        }
        for position in known..end.next_multiple_of(GROWTH) {
            for frequency in &self.frequencies {
                let angle = position as f64 * frequency;
                self.cos.push((libm::cos(angle) * self.magnitude) as f32);
                self.sin.push((libm::sin(angle) * self.magnitude) as f32);
            }
        }
    }

    /// The number of pairs, and cosines and sines `[positions, pairs]`, more positions than asked
    /// for perhaps.
    pub fn into_tables(mut self, positions: usize) -> (usize, Vec<f32>, Vec<f32>) {
        self.reach(positions);
        (self.frequencies.len(), self.cos, self.sin)
    }

    /// Cosines and sines of a position, one for each pair.
    pub fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let pairs = self.frequencies.len();
        let range = position * pairs..(position + 1) * pairs;
        (&self.cos[range.clone()], &self.sin[range])
    }
}

/// `theta^(-2i/dimensions)`, scaled.
fn frequencies(spec: &RopeSpec, context: f64) -> Vec<f64> {
    let dimensions = spec.dimensions as f64;
    let theta = match &spec.scaling {
        RopeScaling::Dynamic { factor, original_context } if context > *original_context => {
            let growth = factor * context / original_context - (factor - 1.0);
            spec.theta * libm::pow(growth, dimensions / (dimensions - 2.0))
        }
        _ => spec.theta,
    };
    let pairs = 0..spec.dimensions / 2;
    let plain = pairs.map(|pair| libm::pow(theta, -2.0 * pair as f64 / dimensions));
    if let Some(divisors) = spec.divisors() {
        return plain.zip(divisors).map(|(frequency, by)| frequency / f64::from(by)).collect();
    }
    plain.enumerate().map(|(pair, frequency)| scaled(spec, context, pair, frequency)).collect()
}

fn scaled(spec: &RopeSpec, context: f64, pair: usize, frequency: f64) -> f64 {
    match &spec.scaling {
        RopeScaling::None | RopeScaling::Dynamic { .. } => frequency,
        RopeScaling::Linear { factor } => frequency / factor,
        RopeScaling::Long { short, long, original_context, .. } => {
            let divisors = if context > *original_context { long } else { short };
            frequency / f64::from(divisors[pair])
        }
        RopeScaling::Yarn { factor, .. } => {
            let kept = 1.0 - yarn_ramp(spec, pair as f64);
            frequency / factor * (1.0 - kept) + frequency * kept
        }
        RopeScaling::Divisors(_) | RopeScaling::Llama3 { .. } => frequency,
    }
}

/// How far a pair lies between those that are kept (0) and those that are divided (1).
fn yarn_ramp(spec: &RopeSpec, pair: f64) -> f64 {
    let RopeScaling::Yarn { original_context, beta_fast, beta_slow, whole_pairs, .. } =
        &spec.scaling
    else {
        return 0.0;
    };
    let dimensions = spec.dimensions as f64;
    // The pair that turns `turns` times over the original context.
    let pair_of = |turns: f64| {
        dimensions * libm::log(original_context / (turns * TAU)) / (2.0 * libm::log(spec.theta))
    };
    let (mut low, mut high) = (pair_of(*beta_fast), pair_of(*beta_slow));
    if *whole_pairs {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(dimensions - 1.0));
    if low == high {
        high += 0.001;
    }
    ((pair - low) / (high - low)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_kernels::RopePairing;

    fn spec(scaling: RopeScaling) -> RopeSpec {
        RopeSpec { theta: 12e6, dimensions: 8, pairing: RopePairing::Half, scaling }
    }

    #[test]
    fn llama3_scaling_has_the_published_values() {
        let found = spec(RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            original_context: 8192.0,
        });
        let found = frequencies(&found, 64.0);
        let expected = [1.0, 0.016990442, 3.6084392e-5, 6.1308978e-7];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-7, "{found} {expected}");
        }
    }

    #[test]
    fn linear_and_divisors_divide() {
        let plain = frequencies(&spec(RopeScaling::None), 64.0);
        let linear = frequencies(&spec(RopeScaling::Linear { factor: 2.0 }), 64.0);
        assert_eq!(linear[1], plain[1] / 2.0);
        let divisors = RopeScaling::Divisors(vec![1.0, 1.0, 4.0, 8.0]);
        let divided = frequencies(&spec(divisors), 64.0);
        assert_eq!(divided, [plain[0], plain[1], plain[2] / 4.0, plain[3] / 8.0]);
    }

    #[test]
    fn the_table_grows_and_keeps_its_values() {
        let mut table = RopeTable::new(&spec(RopeScaling::None), 64);
        table.reach(1);
        let before = table.at(500).0.to_vec();
        table.reach(2000);
        assert_eq!(table.at(500).0, before);
        assert_eq!(table.at(0), ([1.0; 4].as_slice(), [0.0; 4].as_slice()));
    }

    fn close(found: &[f64], expected: &[f64]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-7, "{found} {expected}");
        }
    }

    /// Expected values: the formula of the paper, computed elsewhere.
    #[test]
    fn yarn_keeps_short_waves_and_divides_long_ones() {
        for (whole_pairs, second) in [(true, 0.2569350598886808), (false, 0.30140647845953206)] {
            let scaling = RopeScaling::Yarn {
                factor: 4.0,
                original_context: 512.0,
                beta_fast: 32.0,
                beta_slow: 1.0,
                whole_pairs,
                magnitude: 1.5,
            };
            let (theta, pairing) = (1e4, RopePairing::Half);
            let spec = RopeSpec { theta, dimensions: 16, pairing, scaling };
            let found = frequencies(&spec, 64.0);
            close(&found[..2], &[1.0, second]);
            close(&found[4..], &[0.0025, 0.0007905694150420947, 0.00025, 7.905694150420948e-5]);
            let mut table = RopeTable::new(&spec, 64);
            table.reach(1);
            assert_eq!(table.at(0).0, [1.5; 8]);
        }
    }

    #[test]
    fn a_longer_plan_changes_dynamic_and_long_scaling() {
        let dynamic = spec(RopeScaling::Dynamic { factor: 4.0, original_context: 64.0 });
        let plain = frequencies(&spec(RopeScaling::None), 64.0);
        assert_eq!(frequencies(&dynamic, 64.0), plain);
        let expected = [1.0, 0.00993607101988294, 9.872550731215762e-5, 9.809436521275707e-7];
        close(&frequencies(&dynamic, 128.0), &expected);
        let (short, long) = (vec![1.0, 2.0, 1.0, 1.0], vec![1.0, 4.0, 8.0, 8.0]);
        let scaling = RopeScaling::Long { short, long, original_context: 64.0, magnitude: 1.0 };
        let long = spec(scaling);
        assert_eq!(frequencies(&long, 64.0)[1], plain[1] / 2.0);
        assert_eq!(frequencies(&long, 65.0)[1], plain[1] / 4.0);
    }
}
