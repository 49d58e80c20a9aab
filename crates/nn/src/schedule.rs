//! Learning rates over the steps of a run.

use std::f64::consts::PI;

/// How the rate falls at the end of a [`Schedule::WarmUpStableDecay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// In a straight line.
    Linear,
    /// As `1 - sqrt(part of the decay that is done)` (arXiv 2405.18392).
    OneMinusSqrt,
}

/// A learning rate for every step. Steps count from 0; a warm-up of `w` steps gives
/// `peak * (step + 1) / (w + 1)`, so that no step has the rate 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// The same rate throughout.
    Constant {
        /// The rate.
        rate: f64,
    },
    /// Linear warm-up, then half a cosine from `peak` down to `floor` (arXiv 1608.03983 without
    /// restarts); `floor` from `total_steps` on.
    Cosine {
        /// The largest rate.
        peak: f64,
        /// The rate at the end.
        floor: f64,
        /// Steps of warm-up.
        warm_up_steps: u64,
        /// Steps of the run, warm-up included.
        total_steps: u64,
    },
    /// Linear warm-up, a constant rate, a decay from `peak` down to `floor` over the last
    /// `decay_steps` (arXiv 2404.06395); `floor` from `total_steps` on.
    WarmUpStableDecay {
        /// The largest rate.
        peak: f64,
        /// The rate at the end.
        floor: f64,
        /// Steps of warm-up.
        warm_up_steps: u64,
        /// Steps of decay.
        decay_steps: u64,
        /// Steps of the run, warm-up and decay included.
        total_steps: u64,
        /// The form of the decay.
        decay: Decay,
    },
}

impl Schedule {
    /// The rate of a step, from 0.
    pub fn rate(&self, step: u64) -> f64 {
        match *self {
            Schedule::Constant { rate } => rate,
            Schedule::Cosine { peak, floor, warm_up_steps, total_steps } => {
                let start = warm_up_steps.min(total_steps);
                let done = part(step, start, total_steps);
                let left = 0.5 * (1.0 + libm::cos(PI * done));
                warmed(peak, step, start).unwrap_or(floor + (peak - floor) * left)
            }
            Schedule::WarmUpStableDecay {
                peak,
                floor,
                warm_up_steps,
                decay_steps,
                total_steps,
                decay,
            } => {
                let start = warm_up_steps.min(total_steps);
                let fall = total_steps.saturating_sub(decay_steps).max(start);
                let done = part(step, fall, total_steps);
                let left = match decay {
                    Decay::Linear => 1.0 - done,
                    Decay::OneMinusSqrt => 1.0 - done.sqrt(),
                };
                warmed(peak, step, start).unwrap_or(floor + (peak - floor) * left)
            }
        }
    }
}

/// The rate of a step of the warm-up; none after it.
fn warmed(peak: f64, step: u64, warm_up_steps: u64) -> Option<f64> {
    (step < warm_up_steps).then(|| peak * (step + 1) as f64 / (warm_up_steps + 1) as f64)
}

/// How much of `start..end` is done before `step`, from 0 to 1.
fn part(step: u64, start: u64, end: u64) -> f64 {
    let done = step.saturating_sub(start) as f64;
    if step >= end { 1.0 } else { done / (end - start) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_warms_up_reaches_its_peak_and_ends_at_its_floor() {
        let schedule =
            Schedule::Cosine { peak: 1.0, floor: 0.1, warm_up_steps: 4, total_steps: 14 };
        let rates: Vec<f64> = (0..16).map(|step| schedule.rate(step)).collect();
        assert_eq!(rates[..5], [0.2, 0.4, 0.6, 0.8, 1.0]);
        assert!((rates[9] - 0.55).abs() < 1e-12, "half of the cosine: {}", rates[9]);
        assert!(rates[4..].windows(2).all(|pair| pair[1] <= pair[0]), "{rates:?}");
        assert_eq!(rates[14..], [0.1, 0.1]);
    }

    #[test]
    fn stable_rates_stay_until_the_decay() {
        for (decay, middle) in [(Decay::Linear, 0.5), (Decay::OneMinusSqrt, 1.0 - 0.5_f64.sqrt())] {
            let schedule = Schedule::WarmUpStableDecay {
                peak: 2.0,
                floor: 0.0,
                warm_up_steps: 1,
                decay_steps: 4,
                total_steps: 10,
                decay,
            };
            assert_eq!(schedule.rate(0), 1.0);
            assert!((1..=6).all(|step| schedule.rate(step) == 2.0));
            assert!((schedule.rate(8) - 2.0 * middle).abs() < 1e-12);
            assert_eq!(schedule.rate(10), 0.0);
        }
    }

    #[test]
    fn absurd_lengths_give_finite_rates() {
        let decay = Decay::Linear;
        for (warm_up_steps, decay_steps, total_steps) in [(0, 0, 0), (9, 9, 3), (0, u64::MAX, 5)] {
            let schedules = [
                Schedule::Cosine { peak: 1.0, floor: 0.5, warm_up_steps, total_steps },
                Schedule::WarmUpStableDecay {
                    peak: 1.0,
                    floor: 0.5,
                    warm_up_steps,
                    decay_steps,
                    total_steps,
                    decay,
                },
            ];
            for step in [0, 1, 4, 100, u64::MAX] {
                let rates = schedules.map(|schedule| schedule.rate(step));
                assert!(rates.iter().all(|rate| (0.0..=1.0).contains(rate)), "{rates:?}");
            }
        }
    }
}
