//! How well stated probabilities agree with what comes true.

/// Parts that answers are divided into, by their probability.
const PARTS: usize = 10;

/// The expected calibration error: answers in the order of their probability, divided into ten
/// parts of one size; in each the mean probability against the share that is right.
#[must_use]
pub fn calibration_error(stated: &[(f64, bool)]) -> f64 {
    let mut sorted = stated.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = sorted.len().div_ceil(PARTS).max(1);
    let off = |part: &[(f64, bool)]| {
        let said: f64 = part.iter().map(|(probability, _)| probability).sum();
        let right = part.iter().filter(|(_, right)| *right).count() as f64;
        (said - right).abs()
    };
    let sum: f64 = sorted.chunks(size).map(off).sum();
    sum / stated.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_true_as_often_as_stated_has_no_error() {
        let stated: Vec<(f64, bool)> = (0..100).map(|at| (0.25, at % 4 == 0)).collect();
        assert!(calibration_error(&stated) < 0.06, "{}", calibration_error(&stated));
        let bold: Vec<(f64, bool)> = stated.iter().map(|(_, right)| (0.95, *right)).collect();
        assert!((calibration_error(&bold) - 0.7).abs() < 1e-9);
        assert_eq!(calibration_error(&[]), 0.0);
    }
}
