//! How well the check tells true claims from others.

use std::collections::BTreeMap;

use allod_answer::support::{Verdict, check};
use serde::Serialize;

use super::Case;

/// Counts over some cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Claims that the cited text bears out.
    pub supported: usize,
    /// Of these, those that the check did not let stand.
    pub lost: usize,
    /// Claims that it does not bear out.
    pub unsupported: usize,
    /// Of these, those that the check caught.
    pub caught: usize,
    /// Of these, those that it called contradicted.
    pub contradicted: usize,
}

impl Counts {
    fn count(&mut self, case: &Case, verdict: Verdict) {
        let stands = verdict == Verdict::Supported;
        if case.supported {
            self.supported += 1;
            self.lost += usize::from(!stands);
        } else {
            self.unsupported += 1;
            self.caught += usize::from(!stands);
            self.contradicted += usize::from(verdict == Verdict::Contradicted);
        }
    }

    /// The share of unsupported claims that is caught; 1 where there are none.
    #[must_use]
    pub fn caught_share(&self) -> f64 {
        share(self.caught, self.unsupported, 1.0)
    }

    /// The share of true claims that is lost; 0 where there are none.
    #[must_use]
    pub fn lost_share(&self) -> f64 {
        share(self.lost, self.supported, 0.0)
    }
}

fn share(part: usize, whole: usize, none: f64) -> f64 {
    if whole == 0 { none } else { part as f64 / whole as f64 }
}

/// What came out over a set of cases.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Over all.
    pub all: Counts,
    /// By language.
    pub languages: BTreeMap<String, Counts>,
    /// By kind.
    pub kinds: BTreeMap<String, Counts>,
    /// By language and kind, `de negation`.
    pub languages_and_kinds: BTreeMap<String, Counts>,
    /// The mean distance between what the score says and what is true, in tenths of the score.
    pub calibration_error: f64,
    /// Seconds that the checks took.
    pub seconds: f64,
}

/// Checks all cases.
#[must_use]
pub fn report(cases: &[Case]) -> Report {
    let started = std::time::Instant::now();
    let mut report = Report::default();
    let mut bins = [(0_usize, 0.0, 0_usize); 10];
    for case in cases {
        let support = check(&case.claim, &case.cited, case.language);
        let code = case.language.code().to_owned();
        report.all.count(case, support.verdict);
        report.languages.entry(code.clone()).or_default().count(case, support.verdict);
        report.kinds.entry(case.kind.clone()).or_default().count(case, support.verdict);
        let both = format!("{code} {}", case.kind);
        report.languages_and_kinds.entry(both).or_default().count(case, support.verdict);
        let bin = &mut bins[((support.score * 10.0) as usize).min(9)];
        *bin = (bin.0 + 1, bin.1 + support.score, bin.2 + usize::from(case.supported));
    }
    let apart = |(count, said, held): &(usize, f64, usize)| match count {
        0 => 0.0,
        _ => (said - *held as f64).abs(),
    };
    report.calibration_error = bins.iter().map(apart).sum::<f64>() / cases.len().max(1) as f64;
    report.seconds = started.elapsed().as_secs_f64();
    report
}

/// The cases on which the check is wrong.
#[must_use]
pub fn mistakes(cases: &[Case]) -> Vec<Case> {
    let wrong = |case: &&Case| {
        let support = check(&case.claim, &case.cited, case.language);
        (support.verdict == Verdict::Supported) != case.supported
    };
    cases.iter().filter(wrong).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::citations::{Half, make_cases, written_by_hand};
    use std::path::Path;

    /// Acts and documents of the shared data that claims are made from.
    const FOLDERS: [&str; 5] = [
        "swiss-law-clean-dev",
        "swiss-constitution-5lang",
        "romansh-law-de-rm",
        "german-law-md",
        "eu-law-en-fr",
    ];

    #[test]
    fn altered_claims_of_acts_are_caught_and_true_ones_kept() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/documents");
        if !data.is_dir() {
            return eprintln!("skipped: ../shared/data is not there");
        }
        let folders: Vec<_> = FOLDERS.iter().map(|name| data.join(name)).chain([samples]).collect();
        let folders: Vec<&Path> = folders.iter().map(AsRef::as_ref).collect();
        let made = report(&make_cases(&folders, Half::Reported, 60, 2).unwrap());
        let hand = report(&written_by_hand());
        for (name, counts) in made.kinds.iter().chain(&made.languages) {
            let Counts { supported, lost, unsupported, caught, .. } = *counts;
            eprintln!("{name}: {lost} of {supported} lost, {caught} of {unsupported} caught");
        }
        eprintln!("by hand {:?}", hand.all);
        assert!(made.all.caught_share() > 0.9, "{:?}", made.all);
        assert!(made.all.lost_share() < 0.05, "{:?}", made.all);
    }
}
