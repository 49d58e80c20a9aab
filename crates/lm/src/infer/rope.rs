//! Rotary angles: computed in `f64` with `libm`, the same on every machine, and kept as `f32`.

use crate::spec::{RopeScaling, RopeSpec};
use std::f64::consts::TAU;

/// Positions computed at a time.
const GROWTH: usize = 512;

/// Cosines and sines of every position reached so far.
pub(super) struct RopeTable {
    /// Radians per position, for each pair.
    frequencies: Vec<f64>,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    pub fn new(spec: &RopeSpec) -> RopeTable {
        RopeTable { frequencies: frequencies(spec), cos: Vec::new(), sin: Vec::new() }
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
                self.cos.push(libm::cos(angle) as f32);
                self.sin.push(libm::sin(angle) as f32);
            }
        }
    }

    /// Cosines and sines of a position, one for each pair.
    pub fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let pairs = self.frequencies.len();
        let range = position * pairs..(position + 1) * pairs;
        (&self.cos[range.clone()], &self.sin[range])
    }
}

/// `theta^(-2i/dimensions)`, scaled.
fn frequencies(spec: &RopeSpec) -> Vec<f64> {
    let exponent = |pair: usize| -2.0 * pair as f64 / spec.dimensions as f64;
    let pairs = 0..spec.dimensions / 2;
    let plain = pairs.map(|pair| libm::pow(spec.theta, exponent(pair)));
    plain.enumerate().map(|(pair, frequency)| scaled(&spec.scaling, pair, frequency)).collect()
}

fn scaled(scaling: &RopeScaling, pair: usize, frequency: f64) -> f64 {
    match scaling {
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => frequency / factor,
        RopeScaling::Divisors(divisors) => frequency / f64::from(divisors[pair]),
        RopeScaling::Llama3 {
            factor,
            low_frequency_factor: low,
            high_frequency_factor: high,
            original_context,
        } => {
            let wavelength = TAU / frequency;
            if wavelength < original_context / high {
                frequency
            } else if wavelength > original_context / low {
                frequency / factor
            } else {
                let smooth = (original_context / wavelength - low) / (high - low);
                (1.0 - smooth) * frequency / factor + smooth * frequency
            }
        }
    }
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
        let found = frequencies(&spec(RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            original_context: 8192.0,
        }));
        let expected = [1.0, 0.016990442, 3.6084392e-5, 6.1308978e-7];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-7, "{found} {expected}");
        }
    }

    #[test]
    fn linear_and_divisors_divide() {
        let plain = frequencies(&spec(RopeScaling::None));
        let linear = frequencies(&spec(RopeScaling::Linear { factor: 2.0 }));
        assert_eq!(linear[1], plain[1] / 2.0);
        let divisors = RopeScaling::Divisors(vec![1.0, 1.0, 4.0, 8.0]);
        let divided = frequencies(&spec(divisors));
        assert_eq!(divided, [plain[0], plain[1], plain[2] / 4.0, plain[3] / 8.0]);
    }

    #[test]
    fn the_table_grows_and_keeps_its_values() {
        let mut table = RopeTable::new(&spec(RopeScaling::None));
        table.reach(1);
        let before = table.at(500).0.to_vec();
        table.reach(2000);
        assert_eq!(table.at(500).0, before);
        assert_eq!(table.at(0), ([1.0; 4].as_slice(), [0.0; 4].as_slice()));
    }
}
