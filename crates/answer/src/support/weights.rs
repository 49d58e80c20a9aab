//! The weights of the classifier, made by `cargo run --release -p allod-eval
//! --example fit_citations FOLDER …` from 24078 cases: a logistic regression of
//! whether the cited text bears a claim out.

use super::features::FEATURES;

/// The weight of each feature, in their order.
#[rustfmt::skip]
pub(super) const WEIGHTS: [f64; FEATURES] = [
    -0.000, -0.000, -13.166, -0.868, 0.000, 0.000, -4.497, 0.000,
    1.136, -7.833, -1.136, -3.730, -3.698, -4.127, -6.122, 0.000,
    -7.857, -2.159, -1.406, -3.298, -0.629, -1.696, -2.267, -1.273,
    -6.758, -3.021, -1.442, -7.816, 0.000, 0.000, -5.921, -5.802,
    -7.505, -7.687,
];

/// What is added.
pub(super) const BIAS: f64 = 3.708;

/// A sentence is supported from this probability on.
pub(super) const SUPPORTED_FROM: f64 = 0.65;
