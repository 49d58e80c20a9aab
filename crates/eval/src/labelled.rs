//! Questions with what their best quote was worth: what a calibration is fitted on.

/// A question, its best quote judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// The question.
    pub question: String,
    /// The article or file that it belongs to: what is split is split by this.
    pub part: usize,
    /// Whether the documents answer it.
    pub answerable: bool,
    /// Whether the best quote answers it.
    pub right: bool,
    /// The plain confidence, without a calibration.
    pub plain: f64,
    /// What a calibration judges by.
    pub features: Vec<(&'static str, f64)>,
}
