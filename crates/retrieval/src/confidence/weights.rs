//! The constants of the confidence score.

/// Weights of [`super::Features::values`], in that order.
pub(super) const WEIGHTS: [f64; 8] = [3.0, 1.0, 2.0, 1.0, 1.0, -1.5, 0.5, 0.0];
/// The constant term.
pub(super) const BIAS: f64 = -4.0;
