//! Reasoning that may take only so many tokens: what closes it is written then, whatever the model
//! would have gone on with.

use crate::dialect::Dialect;
use crate::reader::{Calling, Opening, Reader};
use std::sync::Arc;

/// A bound on reasoning, and how far a completion is.
#[derive(Debug, Clone, PartialEq)]
pub struct Thought {
    /// Tokens that it may have.
    most: usize,
    /// What closes it.
    close: Arc<[u32]>,
    reader: Reader,
    used: usize,
    /// How much of `close` is written, once it has to be.
    closing: Option<usize>,
}

/// The bound by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThoughtBound {
    /// Tokens that it may have.
    pub most: usize,
    /// What closes it.
    pub close: Vec<u32>,
    /// How the prompt leaves it.
    pub opening: Opening,
}

impl ThoughtBound {
    /// The bound for a completion of a model that speaks `dialect`, which has not begun.
    pub fn thought(self, dialect: Dialect) -> Thought {
        let reader = Reader::new(dialect, Calling::Impossible, self.opening, Arc::default());
        Thought::new(self.most, self.close, reader)
    }
}

impl Thought {
    /// At most `most` tokens of what `reader` reads as reasoning, then `close`.
    pub(crate) fn new(most: usize, close: Vec<u32>, reader: Reader) -> Thought {
        let mut thought = Thought { most, close: close.into(), reader, used: 0, closing: None };
        thought.check();
        thought
    }

    /// The bound, for a completion that has not begun.
    pub fn bound(&self) -> ThoughtBound {
        let (most, close) = (self.most, self.close.to_vec());
        ThoughtBound { most, close, opening: self.reader.opening() }
    }

    /// How many tokens it may have.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The token that has to follow.
    pub(crate) fn forced(&self) -> Option<u32> {
        self.closing.and_then(|written| self.close.get(written).copied())
    }

    /// Takes in a token and the text that became whole with it; `inside` says whether a character
    /// was left unfinished, which nothing may cut.
    pub(crate) fn go_on(&mut self, token: u32, text: &str, inside: Inside) {
        let was_reasoning = self.reader.is_reasoning();
        self.reader.push(text);
        self.closing = match (self.closing, self.forced()) {
            (Some(written), Some(forced)) if forced == token => Some(written + 1),
            _ => None,
        };
        self.used += usize::from(was_reasoning);
        if self.closing.is_none() && inside == Inside::Nothing {
            self.check();
        }
    }

    fn check(&mut self) {
        if self.reader.is_reasoning() && self.used >= self.most {
            self.closing = Some(0);
        }
    }
}

/// Where a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    /// Between characters.
    Nothing,
    /// Within one.
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thought(most: usize, opening: Opening) -> Thought {
        let dialect = Dialect::of(Some("</think>"));
        Thought::new(
            most,
            vec![7, 8],
            Reader::new(dialect, Calling::Impossible, opening, Arc::default()),
        )
    }

    /// What is forced before each of these tokens, which are of the texts.
    fn forced(mut thought: Thought, tokens: &[(u32, &str, Inside)]) -> Vec<Option<u32>> {
        let step = |(token, text, inside): &(u32, &str, Inside)| {
            let forced = thought.forced();
            thought.go_on(*token, text, *inside);
            forced
        };
        tokens.iter().map(step).collect()
    }

    const NONE: Inside = Inside::Nothing;

    #[test]
    fn reasoning_is_closed_when_its_tokens_are_used_up() {
        let words = [(1, "so", NONE), (2, " it", NONE), (7, "</thi", NONE), (8, "nk>", NONE)];
        let after = [words.as_slice(), &[(1, "so", NONE), (2, "it", NONE)]].concat();
        let found = forced(thought(2, Opening::Opened), &after);
        assert_eq!(found, [None, None, Some(7), Some(8), None, None]);
        assert_eq!(forced(thought(0, Opening::Opened), &words[2..]), [Some(7), Some(8)]);
        assert_eq!(forced(thought(0, Opening::Closed), &words), [None; 4]);
        assert_eq!(forced(thought(9, Opening::Opened), &words), [None; 4]);
        // The mark that opens it does not count.
        let opened = [(3, "<think>", NONE), (1, "so", NONE), (7, "", NONE)];
        assert_eq!(forced(thought(1, Opening::Free), &opened), [None, None, Some(7)]);
    }

    #[test]
    fn no_character_is_cut_and_what_was_refused_is_tried_again() {
        let half = [(1, "", Inside::Character), (2, "é", NONE), (7, "", NONE)];
        assert_eq!(forced(thought(1, Opening::Opened), &half), [None, None, Some(7)]);
        // Another token came than was to be.
        let refused = [(1, "a", NONE), (2, "b", NONE), (7, "</thi", NONE), (8, "nk>", NONE)];
        let found = forced(thought(1, Opening::Opened), &refused);
        assert_eq!(found, [None, Some(7), Some(7), Some(8)]);
    }
}
