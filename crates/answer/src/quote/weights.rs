//! The constants of the answer confidence.

/// How many signals there are.
pub(crate) const SIGNALS: usize = 7;

const WEIGHTS: [f64; SIGNALS] = [0.8, 1.0, 1.5, 0.5, -0.7, 0.5, 0.2];
const BIAS: f64 = -1.5;

/// 0 to 1.
pub(super) fn confidence(signals: &[f64; SIGNALS]) -> f64 {
    let sum: f64 = signals.iter().zip(WEIGHTS).map(|(x, w)| x * w).sum();
    1.0 / (1.0 + (-(sum + BIAS)).exp())
}
