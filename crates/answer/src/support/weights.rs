//! The weights of the classifier, made by `cargo run --release -p allod-eval
//! --example fit_citations FOLDER …` from 24078 cases: a logistic regression of
//! whether the cited text bears a claim out.

use super::features::FEATURES;

/// The weight of each feature, in their order.
#[rustfmt::skip]
pub(super) const WEIGHTS: [f64; FEATURES] = [
    -0.000, -0.000, -12.710, -0.172, 0.000, 0.000, -3.655, 0.000,
    1.104, 0.000, -3.301, -3.643, -5.171, -3.856, -5.713, 0.000,
    -7.530, -2.896, -2.022, -3.353, -0.398, -1.322, -2.288, -1.399,
    -6.500, -2.606, -1.760, -7.640, -1.053, 0.000, -5.810, -5.756,
    -6.706,
];

/// What is added.
pub(super) const BIAS: f64 = 3.515;

/// A sentence is supported from this probability on.
pub(super) const SUPPORTED_FROM: f64 = 0.59;
