//! How well personal data is found: precision, recall and F1 for each kind.

use std::collections::BTreeMap;
use std::ops::Range;

use allod_privacy::{Example, Finding, Kind};
use serde::Serialize;

/// Counts of one kind, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PrivacyCounts {
    /// Found, and there.
    pub right: u64,
    /// Found, and not there.
    pub wrong: u64,
    /// There, and not found.
    pub missed: u64,
}

impl PrivacyCounts {
    /// Share of what was found that is there; 1 where nothing was found.
    #[must_use]
    pub fn precision(&self) -> f64 {
        share(self.right, self.wrong)
    }

    /// Share of what is there that was found; 1 where nothing is there.
    #[must_use]
    pub fn recall(&self) -> f64 {
        share(self.right, self.missed)
    }

    /// Their harmonic mean.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let (right, others) = (self.right as f64 * 2.0, (self.wrong + self.missed) as f64);
        if right + others == 0.0 { 1.0 } else { right / (right + others) }
    }

    fn add(&mut self, other: &PrivacyCounts) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.missed += other.missed;
    }
}

fn share(right: u64, others: u64) -> f64 {
    if right + others == 0 { 1.0 } else { right as f64 / (right + others) as f64 }
}

/// The scores of a set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PrivacyScores {
    /// By kind: a span counts if kind and place agree. Spans of one kind that only spaces and
    /// marks part count as one, and places agree if at least half of what both cover is common.
    pub kinds: BTreeMap<Kind, PrivacyCounts>,
    /// The same over all kinds, and where places must agree to the letter.
    pub exact: PrivacyCounts,
    /// Bytes of personal data, whatever their kind is taken for: what a redaction depends on.
    pub bytes: PrivacyCounts,
}

impl PrivacyScores {
    /// Scores what a scan finds in examples. A date of birth may be taken for a date and the other
    /// way round where the set does not tell them apart.
    pub fn of<'a>(
        examples: impl IntoIterator<Item = &'a Example>,
        scan: impl Fn(&str) -> Vec<Finding>,
    ) -> PrivacyScores {
        let examples: Vec<&Example> = examples.into_iter().collect();
        let spans = || examples.iter().flat_map(|one| &one.spans);
        let tells_births = spans().any(|(_, kind)| *kind == Kind::DateOfBirth);
        let mut scores = PrivacyScores::default();
        for example in examples {
            let found = scan(&example.text).into_iter().map(|one| (one.range, one.kind));
            let found = found.map(|(range, kind)| match kind {
                Kind::DateOfBirth if !tells_births => (range, Kind::Date),
                kind => (range, kind),
            });
            let found = merged(&example.text, found.collect());
            let there = merged(&example.text, example.spans.clone());
            scores.add(&found, &there);
        }
        scores
    }

    /// Over all kinds.
    #[must_use]
    pub fn overall(&self) -> PrivacyCounts {
        self.sum(|_| true)
    }

    /// Over identifiers with a checksum.
    #[must_use]
    pub fn checked(&self) -> PrivacyCounts {
        self.sum(Kind::is_checked)
    }

    fn sum(&self, of: impl Fn(Kind) -> bool) -> PrivacyCounts {
        let mut sum = PrivacyCounts::default();
        self.kinds.iter().filter(|(kind, _)| of(**kind)).for_each(|(_, counts)| sum.add(counts));
        sum
    }

    fn add(&mut self, found: &[Span], there: &[Span]) {
        let half = |a: &Range<usize>, b: &Range<usize>| {
            let common = a.end.min(b.end).saturating_sub(a.start.max(b.start));
            common * 2 >= a.end.max(b.end) - a.start.min(b.start)
        };
        for (_, kind, counts) in pairs(found, there, half) {
            self.kinds.entry(kind).or_default().add(&counts);
        }
        for (_, _, counts) in pairs(found, there, |a, b| a == b) {
            self.exact.add(&counts);
        }
        let covered = |spans: &[Span]| -> std::collections::HashSet<usize> {
            spans.iter().flat_map(|(range, _)| range.clone()).collect()
        };
        let (found, there) = (covered(found), covered(there));
        let right = found.intersection(&there).count() as u64;
        let (wrong, missed) = (found.len() as u64 - right, there.len() as u64 - right);
        self.bytes.add(&PrivacyCounts { right, wrong, missed });
    }
}

type Span = (Range<usize>, Kind);

/// Each span with what it counts as.
fn pairs(
    found: &[Span],
    there: &[Span],
    agree: impl Fn(&Range<usize>, &Range<usize>) -> bool,
) -> Vec<(Range<usize>, Kind, PrivacyCounts)> {
    let mut taken = vec![false; there.len()];
    let mut counted = Vec::new();
    for (range, kind) in found {
        let fits = |(index, (place, of)): &(usize, &Span)| {
            !taken[*index] && of == kind && agree(range, place)
        };
        let partner = there.iter().enumerate().find(fits).map(|(index, _)| index);
        if let Some(index) = partner {
            taken[index] = true;
        }
        let (right, wrong) = (u64::from(partner.is_some()), u64::from(partner.is_none()));
        counted.push((range.clone(), *kind, PrivacyCounts { right, wrong, missed: 0 }));
    }
    let missed = there.iter().zip(taken).filter(|(_, taken)| !taken).map(|((range, kind), _)| {
        (range.clone(), *kind, PrivacyCounts { missed: 1, ..PrivacyCounts::default() })
    });
    counted.extend(missed);
    counted
}

/// Spans, with those of one kind joined that only spaces and marks part.
fn merged(text: &str, spans: Vec<Span>) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for (range, kind) in spans {
        if let Some((last, of)) = joined.last_mut()
            && *of == kind
            && text[last.end..range.start].chars().all(|c| c.is_whitespace() || c == '>')
        {
            last.end = range.end;
            continue;
        }
        joined.push((range, kind));
    }
    joined
}
