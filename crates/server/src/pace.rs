//! When one turn of the model wrote what.

use std::time::{Duration, Instant};

use allod_answer::Chat;

use crate::histogram::{Histogram, TOKEN_SECONDS};

/// The times of one turn. Each piece of text that the model hands out counts as a token: a token
/// whose text is held back, such as half a character, comes with the next.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    came: Instant,
    begun: Instant,
    first: Option<Instant>,
    /// Of each answer.
    last: Vec<Option<Instant>>,
    /// From one piece to the next.
    pub(crate) gaps: Histogram,
    /// At most so many tokens were asked for.
    pub(crate) max_tokens: usize,
    /// So many answers were asked for.
    pub(crate) answers: usize,
}

impl Pace {
    /// A turn that came at one time and got its place at another.
    pub(crate) fn new(came: Instant, begun: Instant, chat: &Chat) -> Pace {
        let (gaps, answers) = (Histogram::new(TOKEN_SECONDS), chat.choices.n);
        let last = vec![None; answers];
        Pace { came, begun, first: None, last, gaps, max_tokens: chat.max_tokens, answers }
    }

    /// A piece of an answer was written just now.
    pub(crate) fn wrote(&mut self, answer: usize) {
        let now = Instant::now();
        if let Some(last) = self.last[answer].replace(now) {
            self.gaps.add((now - last).as_secs_f64());
        }
        self.first.get_or_insert(now);
    }

    /// Since the request came.
    pub(crate) fn elapsed(&self) -> Duration {
        self.came.elapsed()
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
        let last = self.last.iter().copied().flatten().max()?;
        Some(last.saturating_duration_since(self.first?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_answer::{Caller, Choices};
    use allod_engine::{Prompt, Sampling};

    fn chat(n: usize) -> Chat {
        Chat {
            prompt: Prompt::Text(String::new()),
            caller: Caller::default(),
            sampling: Sampling::default(),
            max_tokens: 5,
            stop: Vec::new(),
            constraint: None,
            spelled: Vec::new(),
            thought: None,
            choices: Choices { n, ..Choices::default() },
            adapter: None,
        }
    }

    #[test]
    fn the_parts_of_a_turn_add_up() {
        let came = Instant::now();
        let mut pace = Pace::new(came, Instant::now(), &chat(2));
        assert_eq!((pace.to_first(), pace.decode()), (None, None));
        pace.wrote(0);
        pace.wrote(1);
        pace.wrote(0);
        pace.wrote(1);
        assert_eq!(pace.gaps.counts.iter().sum::<u64>(), 2);
        assert_eq!(pace.to_first().unwrap(), pace.queued() + pace.prefill().unwrap());
        assert!(pace.decode().unwrap() <= came.elapsed());
    }
}
