//! How positions enter, as plain data.

use allod_kernels::RopePairing;
use std::f64::consts::TAU;

/// Rotary position embedding (arXiv 2104.09864).
#[derive(Debug, Clone, PartialEq)]
pub struct RopeSpec {
    /// Base of the geometric series of wavelengths.
    pub theta: f64,
    /// Elements at the start of each head that are rotated; even.
    pub dimensions: usize,
    /// Which elements form a pair: a matter of how the checkpoint's rows are ordered.
    pub pairing: RopePairing,
    /// How frequencies are changed for longer contexts.
    pub scaling: RopeScaling,
}

/// Changes to the rotary frequencies.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// None.
    None,
    /// All frequencies divided by a factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// A larger base where the context that is planned for exceeds the original one.
    Dynamic {
        /// How fast the base grows with the context.
        factor: f64,
        /// The context before it was extended.
        original_context: f64,
    },
    /// Llama 3.1: long waves divided, short ones kept, a ramp between.
    Llama3 {
        /// What long waves are divided by.
        factor: f64,
        /// Waves longer than `original_context / low_frequency_factor` are long.
        low_frequency_factor: f64,
        /// Waves shorter than `original_context / high_frequency_factor` are short.
        high_frequency_factor: f64,
        /// The context before it was extended.
        original_context: f64,
    },
    /// YaRN (arXiv 2309.00071): a ramp over the pairs, and larger cosines and sines.
    Yarn {
        /// What long waves are divided by.
        factor: f64,
        /// The context before it was extended.
        original_context: f64,
        /// Pairs that turn more often than this over the original context are kept.
        beta_fast: f64,
        /// Pairs that turn less often than this are divided.
        beta_slow: f64,
        /// Whether the ramp's ends are rounded to whole pairs.
        whole_pairs: bool,
        /// What cosines and sines are multiplied with.
        magnitude: f64,
    },
    /// LongRoPE (arXiv 2402.13753): one divisor per frequency, other ones where the context that is
    /// planned for exceeds the original one, and larger cosines and sines.
    Long {
        /// Divisors up to the original context.
        short: Vec<f32>,
        /// Divisors beyond it.
        long: Vec<f32>,
        /// The context before it was extended.
        original_context: f64,
        /// What cosines and sines are multiplied with.
        magnitude: f64,
    },
    /// One divisor per frequency, as GGUF's `rope_freqs` tensor has them.
    Divisors(Vec<f32>),
}

impl RopeSpec {
    /// Whether frequencies go by the length that is planned for.
    pub fn depends_on_length(&self) -> bool {
        match &self.scaling {
            RopeScaling::Dynamic { .. } => true,
            RopeScaling::Long { short, long, .. } => short != long,
            _ => false,
        }
    }

    /// What each pair's frequency is divided by, where that is all that the scaling does and it is
    /// not the same for all: of Llama 3.1's rule the values that GGUF stores, so that a model
    /// computes the same whichever file says it.
    pub fn divisors(&self) -> Option<Vec<f32>> {
        match &self.scaling {
            RopeScaling::Divisors(divisors) => Some(divisors.clone()),
            RopeScaling::Long { short, long, magnitude, .. } if short == long => {
                (*magnitude == 1.0).then(|| short.clone())
            }
            RopeScaling::Llama3 {
                factor,
                low_frequency_factor: low,
                high_frequency_factor: high,
                original_context,
            } => {
                let of_pair = |pair: usize| {
                    let exponent = -2.0 * pair as f64 / self.dimensions as f64;
                    let wavelength = TAU / libm::pow(self.theta, exponent);
                    if wavelength < original_context / high {
                        1.0
                    } else if wavelength > original_context / low {
                        *factor
                    } else {
                        let smooth = (original_context / wavelength - low) / (high - low);
                        1.0 / ((1.0 - smooth) / factor + smooth)
                    }
                };
                Some((0..self.dimensions / 2).map(|pair| of_pair(pair) as f32).collect())
            }
            _ => None,
        }
    }

    /// What is impossible about the numbers, if anything, for heads of `head_dim` elements.
    pub(super) fn fault(&self, head_dim: usize) -> Option<String> {
        let rotary = self.dimensions;
        if !rotary.is_multiple_of(2) || rotary == 0 || rotary > head_dim {
            Some(format!("{rotary} of a head's {head_dim} elements cannot be rotated"))
        } else if !is_sound(self.theta) {
            Some(format!("the rope base is {}", self.theta))
        } else {
            let fault = || format!("the rope scaling is {:?}", self.scaling);
            (!self.scaling.is_sound(rotary / 2)).then(fault)
        }
    }
}

fn is_sound(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

impl RopeScaling {
    fn is_sound(&self, pairs: usize) -> bool {
        let all = |divisors: &[f32]| {
            divisors.len() == pairs && divisors.iter().all(|divisor| is_sound(f64::from(*divisor)))
        };
        match self {
            RopeScaling::None => true,
            RopeScaling::Linear { factor } => is_sound(*factor),
            RopeScaling::Dynamic { factor, original_context } => {
                *factor >= 1.0 && is_sound(*factor) && is_sound(*original_context) && pairs > 1
            }
            RopeScaling::Llama3 {
                factor,
                low_frequency_factor: low,
                high_frequency_factor: high,
                original_context,
            } => is_sound(*factor) && is_sound(*low) && high > low && is_sound(*original_context),
            RopeScaling::Yarn {
                factor, original_context, beta_fast, beta_slow, magnitude, ..
            } => [factor, original_context, beta_fast, beta_slow, magnitude]
                .iter()
                .all(|value| is_sound(**value)),
            RopeScaling::Long { short, long, original_context, magnitude } => {
                all(short) && all(long) && is_sound(*original_context) && is_sound(*magnitude)
            }
            RopeScaling::Divisors(divisors) => all(divisors),
        }
    }
}
