//! The constants of the retrieval confidence.
//!
//! Fitted by logistic regression on the sample questions and, with little weight, on questions over
//! encyclopedia paragraphs of which half were withheld; then rounded, the constant term a little
//! stricter than fitted. The signals without weight did not help in cross-validation; they are kept
//! for later calibration on larger sets.

/// Weights of [`super::Signals::values`], in that order: coverage, text coverage, window coverage,
/// the word that tells most, the two that tell most, unknown words, known coverage, mass, margin,
/// margin over other documents, brevity, nearness in meaning, lead in it.
pub(super) const WEIGHTS: [f64; 13] =
    [3.5, 0.0, 2.8, 0.0, 0.0, 0.0, 0.0, 0.0, 1.3, 0.0, 0.0, 0.0, 0.0];
/// The constant term: with it, 0.5 is where missing answers and needless refusals balance.
pub(super) const BIAS: f64 = -4.2;
