//! Places of words in a text, a bit each, and how a match goes on from place to place.

use super::tokens::{Token, Tokens};

/// A bit for each word of a text and one bit more, for the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places(pub(super) Vec<u64>);

impl Places {
    /// The words for which something holds.
    pub(super) fn of(text: &Tokens, holds: impl Fn(Token<'_>) -> bool) -> Places {
        let mut places = vec![0; width(text)];
        for (place, _) in text.iter().enumerate().filter(|(_, token)| holds(*token)) {
            places[place / 64] |= 1 << (place % 64);
        }
        Places(places)
    }
}

/// How many numbers of 64 bits hold the places of a text.
pub(super) fn width(text: &Tokens) -> usize {
    text.len() / 64 + 1
}

/// Steps of a match. `first` are the places where it may begin, `later` those where it goes on and
/// which must not begin a sentence.
pub(super) mod bits {
    /// Goes past a word of `row`; says whether there was one.
    pub(in super::super) fn step(
        first: &mut [u64],
        later: &mut [u64],
        starts: &[u64],
        row: &[u64],
    ) -> bool {
        let (mut carry, mut any) = (0, 0);
        for (((first, later), starts), row) in first.iter_mut().zip(later).zip(starts).zip(row) {
            let taken = row & (*first | *later & !starts);
            any |= taken;
            (*first, *later) = (0, taken << 1 | carry);
            carry = taken >> 63;
        }
        any != 0
    }

    /// Goes past a word of `row`, or not.
    pub(in super::super) fn step_or_stay(
        first: &[u64],
        later: &mut [u64],
        starts: &[u64],
        row: &[u64],
    ) {
        let mut carry = 0;
        for (((first, later), starts), row) in first.iter().zip(later).zip(starts).zip(row) {
            let taken = row & (first | *later & !starts);
            *later |= taken << 1 | carry;
            carry = taken >> 63;
        }
    }

    /// Goes past any word, or not.
    pub(in super::super) fn skip(later: &mut [u64], starts: &[u64]) {
        let mut carry = 0;
        for (later, starts) in later.iter_mut().zip(starts) {
            let skipped = *later & !starts;
            *later |= skipped << 1 | carry;
            carry = skipped >> 63;
        }
    }
}
