//! The bound: which scores keep to a rate of wrong answers, proven by counts.
//!
//! Learn then test (Angelopoulos, Bates, Candès, Jordan and Lei, 2021): for each score the
//! hypothesis "of the answers with at least this score more than `max_error` are wrong" is tested
//! by the binomial law, which holds for any number of questions. Some places are fixed beforehand
//! by how many questions are answered there. From each the tests go on to lower scores as long as
//! they reject, each chain with its share of the doubt. So the chance that any accepted score
//! breaks the rate is at most the doubt.

use super::Step;

/// The least score at which at most `max_error` of the answers are wrong, but for `doubt`.
pub(super) fn least_score(steps: &[Step], max_error: f64, doubt: f64) -> Option<f64> {
    if max_error >= 1.0 {
        return steps.last().map(|step| step.score);
    }
    let all = steps.last().map_or(0, |step| step.answered);
    let starts = starts(max_error, doubt, all);
    let share = doubt / starts.len().max(1) as f64;
    let chain = |start: usize| {
        let begin = steps.iter().position(|step| step.answered >= start)?;
        let kept = steps[begin..].iter().take_while(|s| tail(s, max_error) <= share);
        kept.last().map(|step| step.score)
    };
    starts.into_iter().filter_map(chain).reduce(f64::min)
}

/// How many answers are given where a chain of tests starts: one in 32 of the questions, then one
/// in eight, then half; but no fewer than could prove the rate.
fn starts(max_error: f64, doubt: f64, all: usize) -> Vec<usize> {
    const PARTS: [usize; 3] = [32, 8, 2];
    let Some(least) = fewest(max_error, doubt / PARTS.len() as f64) else { return Vec::new() };
    let mut starts: Vec<usize> = PARTS.iter().map(|part| (all / part).max(least)).collect();
    starts.dedup();
    starts.retain(|start| *start <= all);
    starts
}

/// The fewest answers, all right, that prove the rate.
fn fewest(max_error: f64, doubt: f64) -> Option<usize> {
    let each = (1.0 - max_error).ln();
    (max_error > 0.0 && each < 0.0).then(|| (doubt.ln() / each).ceil() as usize)
}

/// How likely at most so many of the answers would be wrong if the rate were `max_error`.
fn tail(step: &Step, max_error: f64) -> f64 {
    let (n, p) = (step.answered as f64, max_error);
    let mut log_term = n * (1.0 - p).ln();
    let mut sum = log_term.exp();
    for wrong in 1..=step.wrong.min(step.answered) {
        let k = wrong as f64;
        log_term += ((n - k + 1.0) / k).ln() + (p / (1.0 - p)).ln();
        sum += log_term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(score: f64, answered: usize, wrong: usize) -> Step {
        Step { score, answered, wrong, probability: 0.0 }
    }

    #[test]
    fn the_binomial_tail_is_exact() {
        // Bin(10, 0.1): P(0) = 0.34868, P(≤1) = 0.73610, P(≤2) = 0.92981
        for (wrong, expected) in [(0, 0.348_678), (1, 0.736_099), (2, 0.929_809)] {
            assert!((tail(&step(0.0, 10, wrong), 0.1) - expected).abs() < 1e-5);
        }
        assert!((tail(&step(0.0, 3000, 3000), 0.3) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_lowest_proven_score_is_taken() {
        let steps = [step(3.0, 50, 0), step(2.0, 100, 3), step(1.0, 200, 8), step(0.0, 400, 80)];
        assert_eq!(least_score(&steps, 0.1, 0.1), Some(1.0));
        assert_eq!(least_score(&steps, 0.01, 0.1), None);
        assert_eq!(least_score(&steps, 1.0, 0.1), Some(0.0));
        assert_eq!(least_score(&[], 0.1, 0.1), None);
        assert_eq!(least_score(&steps, 0.0, 0.1), None);
    }

    #[test]
    fn the_promise_is_kept_as_often_as_it_says() {
        // Answers are right with probability s, s uniform on 0 to 1: at s ≥ t the error is
        // (1 − t) / 2.
        let mut state = 1_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut broken = 0;
        for _ in 0..200 {
            let mut answers: Vec<(f64, bool)> = (0..400)
                .map(|_| {
                    let score = random();
                    (score, random() < score)
                })
                .collect();
            answers.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut wrong = 0;
            let steps: Vec<Step> = answers
                .iter()
                .enumerate()
                .map(|(at, (score, right))| {
                    wrong += usize::from(!right);
                    step(*score, at + 1, wrong)
                })
                .collect();
            let least = least_score(&steps, 0.2, 0.1);
            broken += usize::from(least.is_some_and(|least| (1.0 - least) / 2.0 > 0.2));
        }
        assert!(broken <= 20, "{broken} of 200");
    }
}
