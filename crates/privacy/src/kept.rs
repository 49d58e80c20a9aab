//! What a scan saw of a text, kept for the next scan of the same text with some places changed.
//!
//! What the tagger makes of a token goes by the token and by what stands close to it. Where all of
//! that is as it was, so is what was made of it, to the bit.

use std::ops::Range;

use crate::features::{BESIDE, Seen};
use crate::fold::Folded;
use crate::gazetteer::{Known, REACH};
use crate::tagger::Scores;
use crate::token::{Token, TokenClass};

/// Bytes that took the place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// In the text before.
    pub(crate) was: Range<usize>,
    /// In the text after.
    pub(crate) is: Range<usize>,
}

/// A token, as it is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sign {
    start: usize,
    end: usize,
    word: u64,
    plain: u64,
    class: TokenClass,
}

impl Sign {
    /// Those of a text.
    pub(crate) fn all(folded: &Folded, tokens: &[Token]) -> Vec<Sign> {
        let sign = |token: &Token| {
            let bytes = folded.bytes(token.start..token.end);
            let (word, plain, class) = (token.word_hash, token.plain_hash, token.class);
            Sign { start: bytes.start, end: bytes.end, word, plain, class }
        };
        tokens.iter().map(sign).collect()
    }
}

/// What a scan saw: of each token, as far as it was looked at.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) signs: Vec<Sign>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) known: Vec<Option<Known>>,
    pub(crate) scores: Vec<Option<Scores>>,
}

/// As many on one side as may ever be asked for: to the end of the text.
const ALL: usize = usize::MAX;

/// The tokens of a text, beside those of the text before.
pub(crate) struct Again<'a> {
    before: &'a Kept,
    /// Which token of the text before each is.
    was: Vec<Option<usize>>,
    /// How many tokens on either side of each are those that stood beside it before.
    same: Vec<usize>,
}

impl Kept {
    /// Finds the tokens of this text in another one that `changes` made of it.
    pub(crate) fn again(&self, signs: &[Sign], changes: &[Change]) -> Again<'_> {
        let was = self.found(signs, changes);
        let same = reach(&was, self.signs.len(), |_, _| true);
        Again { before: self, was, same }
    }

    fn found(&self, signs: &[Sign], changes: &[Change]) -> Vec<Option<usize>> {
        let (mut at, mut left, mut moved) = (0, changes.iter().peekable(), 0_isize);
        let place = |sign: &Sign| -> Option<usize> {
            while let Some(change) = left.peek().filter(|change| change.is.end <= sign.start) {
                moved = change.was.end as isize - change.is.end as isize;
                left.next();
            }
            if left.peek().is_some_and(|change| change.is.start < sign.end) {
                return None;
            }
            let start = sign.start.checked_add_signed(moved)?;
            while self.signs.get(at).is_some_and(|old| old.start < start) {
                at += 1;
            }
            let end = sign.end.checked_add_signed(moved)?;
            (self.signs.get(at) == Some(&Sign { start, end, ..*sign })).then_some(at)
        };
        signs.iter().map(place).collect()
    }
}

impl Again<'_> {
    /// The lists that a token stands in, if they are those of before.
    pub(crate) fn known(&self, index: usize) -> Option<Known> {
        let was = self.was[index].filter(|_| self.same[index] >= REACH)?;
        self.before.known[was]
    }

    /// What was seen of a token, wherever it stood.
    pub(crate) fn seen(&self, index: usize) -> Option<&Seen> {
        let was = self.was[index]?;
        self.before.known[was].map(|_| &self.before.seen[was])
    }

    /// The scores of tokens that are those of before, as all that they go by is.
    pub(crate) fn scores(&self, seen: &[Seen]) -> Vec<Option<Scores>> {
        let before = self.before;
        let equal = |index: usize, was: usize| {
            before.known[was].is_some() && seen[index] == before.seen[was]
        };
        let same = reach(&self.was, before.signs.len(), equal);
        let of =
            |(was, same): (&Option<usize>, usize)| before.scores[was.filter(|_| same >= BESIDE)?];
        self.was.iter().zip(same).map(of).collect()
    }
}

/// Of each token on how many to either side, and on itself, a condition holds while they are those
/// that stood there before; where they end, both texts must.
fn reach(was: &[Option<usize>], count: usize, holds: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let held: Vec<Option<usize>> =
        was.iter().enumerate().map(|(index, was)| was.filter(|was| holds(index, *was))).collect();
    let next = |at_end: bool, runs_on: bool, run: usize| match (at_end, runs_on) {
        (true, _) => ALL,
        (false, true) => run.saturating_add(1),
        (false, false) => 0,
    };
    let (mut reach, mut run) = (vec![0; was.len()], 0);
    for index in 0..was.len() {
        let Some(old) = held[index] else { continue };
        let runs_on = index > 0 && old > 0 && held[index - 1] == Some(old - 1);
        run = next(index == 0 && old == 0, runs_on, run);
        reach[index] = run;
    }
    for index in (0..was.len()).rev() {
        let Some(old) = held[index] else { continue };
        let runs_on = held.get(index + 1) == Some(&Some(old + 1));
        run = next(index + 1 == was.len() && old + 1 == count, runs_on, run);
        reach[index] = reach[index].min(run);
    }
    reach
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_reach_as_far_as_their_neighbours_are_the_same() {
        let was = [Some(0), Some(1), Some(2), None, Some(5), Some(6), Some(8)];
        assert_eq!(reach(&was, 9, |_, _| true), [2, 1, 0, 0, 0, 0, 0]);
        let was = [Some(0), Some(1), Some(2), Some(3)];
        assert_eq!(reach(&was, 4, |_, _| true), [ALL; 4]);
        assert_eq!(reach(&was, 5, |_, _| true), [3, 2, 1, 0]);
        assert_eq!(reach(&was, 4, |index, _| index != 1), [0, 0, 0, 1]);
        let was = [Some(1), Some(2)];
        assert_eq!(reach(&was, 3, |_, _| true), [0, 1]);
    }
}
