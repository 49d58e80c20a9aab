//! The weights of the classifier, made by `cargo run --release -p allod-eval --example
//! fit_citations FOLDER …` from 11602 cases: a logistic regression of whether the cited
//! text bears a claim out.

use super::features::FEATURES;

/// The weight of each feature, in their order.
#[rustfmt::skip]
pub(super) const WEIGHTS: [f64; FEATURES] = [
    -0.000, -0.000, -11.432, -0.536, 0.000, 0.000, -1.373, 0.000,
    0.636, 0.000, -3.022, -4.061, -4.075, -2.344, -6.084, 0.000,
    -6.322, -4.321, -1.706, -5.451, 0.000, -0.633, -5.667, -2.662,
    -6.267, -2.896, -1.323, -6.341, -0.286, 0.000, -4.511, -3.562,
];

/// What is added.
pub(super) const BIAS: f64 = 2.690;

/// A sentence is supported from this probability on.
pub(super) const SUPPORTED_FROM: f64 = 0.67;
