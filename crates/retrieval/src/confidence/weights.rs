//! The constants of the confidence score.

/// Weights of [`super::Features::values`], in that order.
pub(super) const WEIGHTS: [f64; 11] = [3.0, 0.0, 3.0, 0.5, 0.0, -0.2, 0.0, 0.0, 1.6, 0.0, -1.9];
/// The constant term.
pub(super) const BIAS: f64 = -3.3;
