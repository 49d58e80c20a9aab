//! The weights of a short answer's features.
//!
//! Fitted by the logistic choice model (the words that answer among all others of their sentence)
//! on the questions of every second article of SQuAD 2's development set (1/2, as `allod eval qa
//! --part` counts them), and rounded. On the other articles the chosen words share 0.46 of their
//! words with the gold answer (F1), where the sentence holds one.

/// How many features there are.
pub(super) const FEATURES: usize = 30;

/// In the order in which they are computed.
pub(super) const WEIGHTS: [f64; FEATURES] = [
    1.3, 2.6, 0.5, 0.3, 0.5, 0.1, 0.1, 0.3, 0.0, 0.1, -0.4, -0.3, 0.9, 1.8, -1.8, 0.1, 0.9, 0.3,
    0.3, 0.6, 0.9, 0.5, 0.4, 0.5, 0.7, 0.3, 0.5, -0.3, -0.3, -0.3,
];
