//! The weights that a run from scratch starts with.

use crate::weight::{Part, WeightId};
use std::f64::consts::TAU;

/// How weights begin. Norms' factors are 1, biases and sinks 0; matrices are normal, from a
/// generator in which every number has its own counter: the same seed gives the same bits, whatever
/// else the model holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Initial {
    /// Chooses the numbers.
    pub seed: u64,
    /// Standard deviation of matrices.
    pub deviation: f64,
    /// Of those that write to the residual stream.
    pub residual: Residual,
}

/// How matrices begin that write to the residual stream: the projections after attention and after
/// a feed-forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// As all others.
    Plain,
    /// Divided by the root of the number of such matrices on the way, so that the stream does not
    /// grow with depth (GPT-2).
    ByDepth,
}

impl Default for Initial {
    fn default() -> Initial {
        Initial { seed: 0, deviation: 0.02, residual: Residual::ByDepth }
    }
}

/// xIELU's curvatures at first, before the softplus: ln(e^0.8 - 1), and with the slope taken off
/// ln(e^0.3 - 1) (arXiv 2411.13010).
const CURVATURE: f64 = 0.8;
const SLOPE: f64 = 0.5;
const EPSILON: f32 = -1e-6;

impl Initial {
    /// The first values of a weight.
    pub(super) fn values(&self, layers: usize, id: WeightId, shape: &[usize]) -> Vec<f32> {
        let length = shape.iter().product();
        let curvature = |positive: f64| libm::log(libm::expm1(positive)) as f32;
        match id.part {
            part if part.is_norm() => vec![1.0; length],
            Part::XieluPositive => vec![curvature(CURVATURE); length],
            Part::XieluNegative => vec![curvature(CURVATURE - SLOPE); length],
            Part::XieluBeta => vec![SLOPE as f32; length],
            Part::XieluEpsilon => vec![EPSILON; length],
            part if shape.len() == 1 || part.is_expert_bias() => vec![0.0; length],
            part => {
                let deviation = self.deviation / self.divisor(layers, part);
                let key = mixed(self.seed ^ mixed(id.index() as u64));
                (0..length as u64).map(|at| (deviation * normal(key, at)) as f32).collect()
            }
        }
    }

    fn divisor(&self, layers: usize, part: Part) -> f64 {
        let writes = matches!(part, Part::AttentionOutput | Part::Down | Part::ExpertDown);
        match self.residual {
            Residual::ByDepth if writes => (2.0 * layers as f64).sqrt(),
            _ => 1.0,
        }
    }
}

/// A standard normal number (Box and Muller, 1958): two numbers for each pair of counters.
pub(super) fn normal(key: u64, counter: u64) -> f64 {
    let uniform = |half: u64| {
        let bits = mixed(key.wrapping_add((counter & !1 | half).wrapping_mul(GOLDEN)));
        ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let (radius, angle) = ((-2.0 * libm::log(uniform(0))).sqrt(), TAU * uniform(1));
    radius * if counter & 1 == 0 { libm::cos(angle) } else { libm::sin(angle) }
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(GOLDEN);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_normal_and_differ_by_key() {
        const COUNT: u64 = 40_000;
        let numbers: Vec<f64> = (0..COUNT).map(|at| normal(7, at)).collect();
        let moment = |power: i32| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / COUNT as f64;
        let errors = [moment(1), moment(2) - 1.0, moment(3), moment(4) - 3.0];
        assert!(errors.iter().all(|error| error.abs() < 0.1), "{errors:?}");
        let neighbours = numbers.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
        assert!((neighbours / COUNT as f64).abs() < 0.02, "neighbours are not independent");
        assert!(numbers.iter().zip(0..).all(|(x, at)| *x != normal(8, at)));
    }
}
