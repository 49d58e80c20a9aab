//! A finding of personal data.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The tagger took it for that, from the words and their surroundings.
    Tagger,
    /// It has the form, and words beside it say what it is.
    Context,
    /// It has the form.
    Pattern,
    /// It has the form, and its checksum is right.
    Checksum,
}

/// A piece of text that tells of a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What it tells.
    pub kind: Kind,
    /// How sure, above 0 up to 1: an order, not a probability.
    pub score: f32,
    /// How it was found.
    pub how: How,
}

/// Keeps of those that overlap the one that is surer, then the longer, then the earlier. In the
/// order of the text.
pub(crate) fn settle(mut found: Vec<Finding>) -> Vec<Finding> {
    let length = |one: &Finding| one.range.end - one.range.start;
    found.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(length(b).cmp(&length(a)))
            .then(a.range.start.cmp(&b.range.start))
    });
    let mut kept = std::collections::BTreeMap::<usize, Finding>::new();
    for one in found {
        let before = kept.range(..one.range.end).next_back();
        // Those that are kept do not overlap, so only the last that begins earlier can reach in.
        if before.is_none_or(|(_, earlier)| earlier.range.end <= one.range.start) {
            kept.insert(one.range.start, one);
        }
    }
    kept.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(range: Range<usize>, score: f32) -> Finding {
        Finding { range, kind: Kind::Phone, score, how: How::Pattern }
    }

    #[test]
    fn of_those_that_overlap_the_surer_stays() {
        let kept = settle(vec![
            finding(0..10, 0.5),
            finding(8..12, 0.9),
            finding(12..14, 0.1),
            finding(2..6, 0.4),
        ]);
        let ranges: Vec<_> = kept.iter().map(|one| one.range.clone()).collect();
        assert_eq!(ranges, [2..6, 8..12, 12..14]);
    }
}
