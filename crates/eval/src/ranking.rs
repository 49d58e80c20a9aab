//! How well a score sets right answers before wrong ones, whatever threshold is taken.

use serde::{Deserialize, Serialize};

use crate::calibrate::Scored;
use crate::words::ratio;

/// Shares of the questions whose answers are looked at, the best first.
const SHARES: [f64; 7] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4];

/// The best answers of a share of the questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Which share of the questions, 0 to 1.
    pub share: f64,
    /// How many answers these are.
    pub answers: usize,
    /// Share of these that are right.
    pub right: f64,
}

/// A ranking of answers beside what they were worth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The area under the curve of risk over coverage: the share of wrong answers among the best
    /// `n`, averaged over all `n`. 0 is best.
    pub risk_coverage_area: f64,
    /// The best answers of 1, 2, 5, 10, 20, 30 and 40 % of the questions.
    pub best: Vec<Best>,
}

impl Ranking {
    /// The mean of several rankings, of as many questions each.
    #[must_use]
    pub fn mean(all: &[Ranking]) -> Ranking {
        let count = all.len().max(1) as f64;
        let mean = |of: &dyn Fn(&Ranking) -> f64| all.iter().map(of).sum::<f64>() / count;
        let best = all.first().map_or(0, |first| first.best.len());
        let best = (0..best).map(|at| Best {
            share: all[0].best[at].share,
            answers: mean(&|ranking| ranking.best[at].answers as f64).round() as usize,
            right: mean(&|ranking| ranking.best[at].right),
        });
        let best = best.collect();
        Ranking { risk_coverage_area: mean(&|ranking| ranking.risk_coverage_area), best }
    }
}

/// Judges a ranking. Answers of one score stand in the order in which they are given.
#[must_use]
pub fn ranking(mut scored: Vec<Scored>) -> Ranking {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut wrong = Vec::with_capacity(scored.len());
    let mut so_far = 0;
    for (_, right) in &scored {
        so_far += usize::from(!right);
        wrong.push(so_far);
    }
    let risks = wrong.iter().enumerate().map(|(at, wrong)| ratio(*wrong, at + 1));
    let best = |share: f64| {
        let answers = (scored.len() as f64 * share) as usize;
        let wrong = answers.checked_sub(1).map_or(0, |last| wrong[last]);
        Best { share, answers, right: ratio(answers - wrong, answers) }
    };
    Ranking {
        risk_coverage_area: risks.sum::<f64>() / scored.len().max(1) as f64,
        best: SHARES.into_iter().map(best).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_ones_first_is_best_and_last_is_worst() {
        let scored = |right: fn(usize) -> bool| -> Vec<Scored> {
            (0..200).map(|at| (at as f64, right(at))).collect()
        };
        let (good, bad) = (ranking(scored(|at| at >= 100)), ranking(scored(|at| at < 100)));
        assert!(good.risk_coverage_area < 0.16 && bad.risk_coverage_area > 0.84);
        assert_eq!(good.best[0], Best { share: 0.01, answers: 2, right: 1.0 });
        assert_eq!(bad.best[6].right, 0.0);
        let mean = Ranking::mean(&[good, bad]);
        assert!((mean.risk_coverage_area - 0.5).abs() < 0.01 && mean.best[6].answers == 80);
        assert_eq!(ranking(Vec::new()).risk_coverage_area, 0.0);
        assert!(Ranking::mean(&[]).best.is_empty());
    }
}
