//! When one turn of the model wrote what.

use std::time::{Duration, Instant};

use crate::histogram::{Histogram, TOKEN_SECONDS};

/// The times of one turn. Each piece of text that the model hands out counts as a token: a token
/// whose text is held back, such as half a character, comes with the next.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    came: Instant,
    begun: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    /// From one piece to the next.
    pub(crate) gaps: Histogram,
    /// At most so many tokens were asked for.
    pub(crate) max_tokens: usize,
}

impl Pace {
    /// A turn that came at one time and got its place at another.
    pub(crate) fn new(came: Instant, begun: Instant, max_tokens: usize) -> Pace {
        let gaps = Histogram::new(TOKEN_SECONDS);
        Pace { came, begun, first: None, last: None, gaps, max_tokens }
    }

    /// A piece of text was written just now.
    pub(crate) fn wrote(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.last {
            self.gaps.add((now - last).as_secs_f64());
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// In the line for a place.
    pub(crate) fn queued(&self) -> Duration {
        self.begun.saturating_duration_since(self.came)
    }

    /// From the request to the first text.
    pub(crate) fn to_first(&self) -> Option<Duration> {
        self.first.map(|first| first.saturating_duration_since(self.came))
    }

    /// From the place to the first text: reading the prompt, and in the engine's own line.
    pub(crate) fn prefill(&self) -> Option<Duration> {
        self.first.map(|first| first.saturating_duration_since(self.begun))
    }

    /// From the first text to the last.
    pub(crate) fn decode(&self) -> Option<Duration> {
        Some(self.last?.saturating_duration_since(self.first?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_turn_add_up() {
        let came = Instant::now();
        let mut pace = Pace::new(came, Instant::now(), 5);
        assert_eq!((pace.to_first(), pace.decode()), (None, None));
        pace.wrote();
        pace.wrote();
        pace.wrote();
        assert_eq!(pace.gaps.counts.iter().sum::<u64>(), 2);
        assert_eq!(pace.to_first().unwrap(), pace.queued() + pace.prefill().unwrap());
        assert!(pace.decode().unwrap() <= came.elapsed());
    }
}
