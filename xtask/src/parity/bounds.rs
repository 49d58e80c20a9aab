//! How far from the reference is too far.

use super::Report;

/// Of logits or hidden states, relative to the largest.
const VALUES: f64 = 2e-4;
/// Of a loss.
const LOSS: f64 = 1e-5;
/// Of a gradient, relative to its norm.
const GRADIENT: f64 = 1e-3;
/// Of the losses of AdamW steps.
const STEPS: f64 = 1e-4;

/// What is out of bounds.
pub fn complaints(report: &Report) -> Vec<String> {
    let numbers = [
        ("max_rel_diff", report.max_rel_diff, VALUES),
        ("loss_abs_diff", report.loss_abs_diff, LOSS),
        ("grad_max_rel_diff", report.grad_max_rel_diff, GRADIENT),
        ("adamw_max_abs_diff", report.adamw_max_abs_diff, STEPS),
    ];
    let truths = [
        ("greedy_equal", report.greedy_equal),
        ("executor_bits_equal", report.executor_bits_equal),
    ];
    let far = numbers.into_iter().filter_map(|(name, found, most)| {
        found
            .filter(|found| *found > most)
            .map(|found| format!("{name} is {found:e}, not {most:e}"))
    });
    let wrong = truths.into_iter().filter(|(_, truth)| *truth == Some(false));
    far.chain(wrong.map(|(name, _)| format!("{name} is false"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_far_is_named_and_what_is_not_known_is_passed_over() {
        let mut report = Report {
            model: "m".to_string(),
            max_abs_diff: Some(9.0),
            max_rel_diff: Some(2e-4),
            greedy_equal: None,
            loss_abs_diff: None,
            grad_max_rel_diff: Some(9e-4),
            adamw_max_abs_diff: None,
            executor_bits_equal: Some(true),
        };
        assert!(complaints(&report).is_empty());
        report.max_rel_diff = Some(f64::MAX);
        report.greedy_equal = Some(false);
        let found = complaints(&report).join(", ");
        assert!(found.contains("max_rel_diff") && found.contains("greedy_equal"), "{found}");
    }
}
