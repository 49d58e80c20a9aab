//! The weights of the classifier, made by `cargo run --release -p allod-eval --example
//! fit_citations FOLDER …` from 11667 cases: a logistic regression of whether the cited
//! text bears a claim out.

use super::features::FEATURES;

/// The weight of each feature, in their order.
#[rustfmt::skip]
pub(super) const WEIGHTS: [f64; FEATURES] = [
    -0.000, -0.000, -11.331, -0.494, 0.000, 0.000, -1.401, 0.000,
    0.662, 0.000, -2.854, -4.156, -3.955, -2.302, -6.060, 0.000,
    -6.278, -4.221, -1.721, -5.384, 0.000, -0.808, -5.602, -2.577,
    -6.265, -2.800, -2.019, -6.218, -0.226, 0.000, -4.089, -3.853,
];

/// What is added.
pub(super) const BIAS: f64 = 2.610;

/// A sentence is supported from this probability on.
pub(super) const SUPPORTED_FROM: f64 = 0.68;
