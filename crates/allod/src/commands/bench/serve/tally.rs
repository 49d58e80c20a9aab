//! What the clients saw.

use std::collections::BTreeMap;
use std::time::Duration;

use super::traffic::Kind;

/// Counts and times of one client, or of all.
#[derive(Default)]
pub struct Tally {
    /// By kind of request.
    pub kinds: BTreeMap<Kind, Times>,
    /// To the first text of short chats that were sent while a long prompt was being read.
    pub beside_long: Vec<Duration>,
    /// From one text to the next, over all streams.
    pub gaps: Vec<Duration>,
    /// What went wrong, in words, and how often.
    pub errors: BTreeMap<String, u64>,
    /// Requests that were told to come back later, and came back.
    pub turned_away: u64,
    /// Tokens that were computed for each tenant while all were asking.
    pub tokens: BTreeMap<usize, u64>,
    /// Answers that had to keep to a schema, were not cut, and did.
    pub valid: u64,
    /// Answers that had to keep to a schema and were cut for their length.
    pub cut: u64,
    /// Calls of tools.
    pub calls: u64,
}

/// The times of one kind of request.
#[derive(Default)]
pub struct Times {
    /// To the first text.
    pub first: Vec<Duration>,
    /// To the end.
    pub whole: Vec<Duration>,
    /// Requests that went away on purpose.
    pub cancelled: u64,
}

impl Tally {
    /// Both together.
    pub fn with(mut self, other: Tally) -> Tally {
        for (kind, times) in other.kinds {
            let own = self.kinds.entry(kind).or_default();
            own.first.extend(times.first);
            own.whole.extend(times.whole);
            own.cancelled += times.cancelled;
        }
        self.beside_long.extend(other.beside_long);
        self.gaps.extend(other.gaps);
        for (what, count) in other.errors {
            *self.errors.entry(what).or_default() += count;
        }
        for (tenant, tokens) in other.tokens {
            *self.tokens.entry(tenant).or_default() += tokens;
        }
        self.turned_away += other.turned_away;
        self.valid += other.valid;
        self.cut += other.cut;
        self.calls += other.calls;
        self
    }

    /// Something went wrong.
    pub fn error(&mut self, what: impl Into<String>) {
        *self.errors.entry(what.into()).or_default() += 1;
    }

    /// By how much the tenant that got most got more than the one that got least, of their mean.
    pub fn spread(&self) -> Option<f64> {
        let (least, most) = (self.tokens.values().min()?, self.tokens.values().max()?);
        let mean = self.tokens.values().sum::<u64>() as f64 / self.tokens.len() as f64;
        (mean > 0.0).then(|| (most - least) as f64 / mean)
    }
}

/// The value below which this share of the values lies (nearest rank); none of nothing.
pub fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let times: Vec<Duration> = (1..=10).map(Duration::from_secs).collect();
        let at = |share| percentile(&times, share).map(|time| time.as_secs());
        assert_eq!((at(0.5), at(0.9), at(0.99), at(1.0)), (Some(5), Some(9), Some(10), Some(10)));
        assert_eq!((at(0.0), percentile(&[], 0.5)), (Some(1), None));
    }

    #[test]
    fn the_spread_is_between_the_most_and_the_least() {
        let tally = |tokens: [(usize, u64); 2]| Tally { tokens: tokens.into(), ..Tally::default() };
        let both = tally([(0, 40), (1, 100)]).with(tally([(0, 50), (1, 10)]));
        assert_eq!(both.spread(), Some(0.2));
        assert_eq!(Tally::default().spread(), None);
    }
}
